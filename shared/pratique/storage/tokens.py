"""API tokens. Only the sha256 of a token is stored."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Select, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.storage.dialect import count_changed, insert_missing
from pratique.storage.models import ApiToken
from pratique.storage.text import new_id, utc_now


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRow:
    """A token without its secret."""

    id: str
    name: str
    scopes: frozenset[str]
    created_at: dt.datetime
    expires_at: dt.datetime | None
    revoked_at: dt.datetime | None

    def is_valid(self, now: dt.datetime) -> bool:
        """Tell whether the token opens anything at this time."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def hash_token(token: str) -> str:
    """Compute what is stored of a token: its sha256 in hex. Tokens are random and long: they need no salt and no slow hash."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


async def record_token(session: AsyncSession, *, token_hash: str, name: str, scopes: Iterable[str], expires_at: dt.datetime | None) -> str:
    """Store a token's hash (of `hash_token`); answer its id."""
    row = {
        "id": new_id(),
        "name": name,
        "token_hash": token_hash,
        "scopes": sorted(scopes),
        "created_at": utc_now(),
        "expires_at": expires_at,
    }
    await insert_missing(session, ApiToken, [row])
    return str(row["id"])


async def load_token_by_hash(session: AsyncSession, token_hash: str) -> TokenRow | None:
    """Load a token, valid or not: see `TokenRow.is_valid`."""
    rows = await _load(session, select(ApiToken).where(ApiToken.token_hash == token_hash))
    return rows[0] if rows else None


async def load_tokens(session: AsyncSession) -> tuple[TokenRow, ...]:
    """Load all tokens, newest first."""
    return await _load(session, select(ApiToken).order_by(ApiToken.id.desc()))


async def revoke_token(session: AsyncSession, token_id: str) -> bool:
    """Revoke a token; False when there is none, or it is revoked already."""
    revoke = update(ApiToken).where(ApiToken.id == token_id, ApiToken.revoked_at.is_(None)).values(revoked_at=utc_now())
    return await count_changed(session, revoke) == 1


async def _load(session: AsyncSession, query: Select[ApiToken]) -> tuple[TokenRow, ...]:
    return tuple(
        TokenRow(
            id=row.id,
            name=row.name,
            scopes=frozenset(row.scopes),
            created_at=row.created_at,
            expires_at=row.expires_at,
            revoked_at=row.revoked_at,
        )
        for row in (await session.execute(query.execution_options(populate_existing=True))).scalars()
    )
