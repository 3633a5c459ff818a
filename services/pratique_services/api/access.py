"""Who asks, and what they may do: API tokens with scopes, in a header for programs and in a cookie for browsers.

Tokens have 256 random bits: failed look-ups need no rate limit.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from aiohttp import web

from pratique.runtime.settings import Settings
from pratique.storage.engine import Database
from pratique.storage.tokens import hash_token, load_token_by_hash
from pratique_services.api.answers import Problem

Scope = Literal["read", "scan", "release", "admin"]
MAX_TOKEN_CHARACTERS = 256  # ours have 47; protects the hash below from a large header


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks. `token` is what they brought, None for nobody in particular."""

    name: str
    scopes: frozenset[str]
    token: str | None = None

    def may(self, scope: Scope) -> bool:
        """Tell whether a scope is granted; `admin` implies all."""
        return not self.scopes.isdisjoint({scope, "admin"})

    def require(self, scope: Scope) -> None:
        """Raise Problem 403, naming the scope, unless it is granted."""
        if not self.may(scope):
            challenge = f'Bearer realm="pratique", error="insufficient_scope", scope="{scope}"'
            raise Problem(403, f"the token {self.name} lacks the scope `{scope}`", headers={"WWW-Authenticate": challenge})

    @property
    def form_token(self) -> str:
        """What forms carry to show that one of our own pages made them: only who knows the token can compute it."""
        return hmac.new((self.token or "").encode("utf-8", "surrogatepass"), b"form", hashlib.sha256).hexdigest()


ANONYMOUS = Caller(name="anonymous", scopes=frozenset({"read"}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Tells callers by their tokens."""

    settings: Settings
    database: Database

    @property
    def is_secure(self) -> bool:
        """Tell whether people come over https, so that cookies may be kept to it."""
        return self.settings.public_url.startswith("https://")

    @property
    def origin(self) -> str:
        """Where people open the pages, as browsers name it in `Origin`."""
        parts = urlsplit(self.settings.public_url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def cookie(self) -> str:
        """The cookie's name. The prefix makes browsers refuse one that was set for the whole domain, or without Secure."""
        return "__Host-pratique" if self.is_secure else "pratique"

    async def identify_program(self, request: web.Request) -> Caller:
        """Tell who sent an API request. What changes nothing may come with a browser's cookie; for the rest only the header counts, which no other
        site can make a browser send. Raises Problem 401.
        """
        header = request.headers.get("Authorization")
        if header is None:
            token = request.cookies.get(self.cookie) if request.method == "GET" else None
            caller = await self.identify_token(token) if token else None
            if caller is None and not self.settings.anonymous_read:
                raise unauthorized("a token is needed: send `Authorization: Bearer prq_…`")
            return caller or ANONYMOUS
        scheme, _, token = header.partition(" ")
        caller = await self.identify_token(token.strip()) if scheme.lower() == "bearer" else None
        if caller is None:
            raise unauthorized("the token is unknown, expired or revoked", error="invalid_token")
        return caller

    async def identify_person(self, request: web.Request) -> Caller | None:
        """Tell who opens a page, by cookie or header; None when they have to log in first."""
        token = request.cookies.get(self.cookie)
        if token is None and "Authorization" in request.headers:
            return await self.identify_program(request)
        caller = await self.identify_token(token) if token else None
        if caller is None and self.settings.anonymous_read:
            return ANONYMOUS
        return caller

    async def identify_token(self, token: str) -> Caller | None:
        """Tell whose a token is; None for one that opens nothing."""
        if not token or len(token) > MAX_TOKEN_CHARACTERS:
            return None
        async with self.database.reading() as session:
            row = await load_token_by_hash(session, hash_token(token))
        if row is None or not row.is_valid(dt.datetime.now(dt.UTC)):
            return None
        return Caller(name=row.name, scopes=row.scopes, token=token)


def unauthorized(message: str, *, error: str | None = None) -> Problem:
    """Make the problem that asks for a token."""
    detail = f', error="{error}"' if error else ""
    return Problem(401, message, headers={"WWW-Authenticate": f'Bearer realm="pratique"{detail}'})
