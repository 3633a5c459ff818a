"""`pratique tokens`: API tokens, straight in the database that the settings name."""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import secrets
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from pratique.errors import MissingError, SettingsError
from pratique.runtime.settings import load_settings
from pratique.storage.engine import Database
from pratique.storage.migrations import check_schema
from pratique.storage.tokens import hash_token, load_tokens, record_token, revoke_token
from pratique_services.cli.main import EXIT_OK

MAX_DAYS = 3650  # a token is not for ever
_Result = TypeVar("_Result")


def create(options: argparse.Namespace) -> int:
    """Make a token and print it, the only time it is shown."""
    if not 1 <= options.days <= MAX_DAYS:
        raise SettingsError(f"--days: expected 1 to {MAX_DAYS}, got {options.days}")
    token = f"prq_{secrets.token_urlsafe(32)}"
    expires = dt.datetime.now(dt.UTC) + dt.timedelta(days=options.days)

    async def store(session: AsyncSession) -> str:
        return await record_token(session, token_hash=hash_token(token), name=options.name, scopes=options.scope, expires_at=expires)

    asyncio.run(_with_database(store))
    print(token)
    return EXIT_OK


def revoke(options: argparse.Namespace) -> int:
    """End a token now."""

    async def end(session: AsyncSession) -> bool:
        return await revoke_token(session, options.id)

    if not asyncio.run(_with_database(end)):
        raise MissingError(f"there is no token {options.id}, or it is revoked already")
    return EXIT_OK


def list_all(_options: argparse.Namespace) -> int:
    """Print every token without its secret."""
    for token in asyncio.run(_with_database(load_tokens)):
        state = "revoked" if token.revoked_at else f"until {token.expires_at:%Y-%m-%d}" if token.expires_at else "for ever"
        print(f"{token.id}  {token.name:<24} {','.join(sorted(token.scopes)):<24} {state}")
    return EXIT_OK


async def _with_database(work: Callable[[AsyncSession], Awaitable[_Result]]) -> _Result:
    database = Database(load_settings().database_url)
    try:
        await check_schema(database)
        async with database.transaction() as session:
            return await work(session)
    finally:
        await database.close()
