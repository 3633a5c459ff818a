"""API tokens. Only the sha256 of a token is stored."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession


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
    raise NotImplementedError


async def record_token(session: AsyncSession, *, token_hash: str, name: str, scopes: Iterable[str], expires_at: dt.datetime | None) -> str:
    """Store a token's hash (of `hash_token`); answer its id."""
    raise NotImplementedError


async def load_token_by_hash(session: AsyncSession, token_hash: str) -> TokenRow | None:
    """Load a token, valid or not: see `TokenRow.is_valid`."""
    raise NotImplementedError


async def load_tokens(session: AsyncSession) -> tuple[TokenRow, ...]:
    """Load all tokens, newest first."""
    raise NotImplementedError


async def revoke_token(session: AsyncSession, token_id: str) -> bool:
    """Revoke a token; False when there is none, or it is revoked already."""
    raise NotImplementedError
