"""Authorization as registries ask for it: `WWW-Authenticate` challenges, Basic, and Bearer tokens from a token server.

Pure but for two calls that are given in: loading credentials and asking a token server.
Sources: RFC 9110 section 11, distribution `docs/spec/auth/{token,oauth,scope}.md`.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

import msgspec
from yarl import URL

from pratique.errors import InputError, RefusedError
from pratique.registry.access import RegistryAccess
from pratique.registry.credentials import Credentials

MAX_TOKEN_BYTES = 256 * 1024  # of a token server's answer: protects memory and later request headers
_MAX_TOKENS = 512  # kept per registry: protects memory where thousands of repositories are scanned
_DEFAULT_LIFETIME = 60.0  # seconds, by the specification
_MARGIN = 10.0  # seconds before its end at which a token is not used any more: clocks and requests take time
_CLIENT_ID = "pratique"

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PART = re.compile(
    rf'[\s,]*(?:(?P<key>{_TOKEN})\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^\s,"]+))|(?P<scheme>{_TOKEN})(?=[\s,]|$))'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """One way in that a registry offers: `scheme` in lower case, parameters with lower-case names."""

    scheme: str
    parameters: Mapping[str, str]

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes demanded, normalised."""
        return normalise_scopes(self.parameters.get("scope", "").split())


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """What to send to a token server: GET with `parameters` in the query, or POST with them as a form."""

    method: str
    url: URL
    parameters: tuple[tuple[str, str], ...] = field(repr=False)
    authorization: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class BearerToken:
    """A token and the moment (of the authenticator's clock) after which it is not used."""

    value: str = field(repr=False)
    usable_until: float

    @property
    def authorization(self) -> str:
        """The value of the `Authorization` header."""
        return f"Bearer {self.value}"


class _TokenAnswer(msgspec.Struct, frozen=True):
    token: str | None = None
    access_token: str | None = None
    expires_in: float | None = None


def parse_challenges(values: Iterable[str]) -> tuple[Challenge, ...]:
    """Parse `WWW-Authenticate` header values. What cannot be understood ends its header value."""
    found: list[tuple[str, dict[str, str]]] = []
    for value in values:
        position = 0
        while (part := _PART.match(value, position)) is not None:
            position = part.end()
            if part["scheme"]:
                found.append((part["scheme"].lower(), {}))
            elif found:
                quoted = part["quoted"]
                found[-1][1][part["key"].lower()] = part["plain"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
    return tuple(Challenge(scheme=scheme, parameters=parameters) for scheme, parameters in found)


def normalise_scopes(scopes: Iterable[str]) -> tuple[str, ...]:
    """Sort scopes and their actions, merging those of one resource, so that equal demands share a token."""
    actions: dict[str, set[str]] = {}
    for scope in scopes:
        resource, _, names = scope.rpartition(":")
        actions.setdefault(resource, set()).update(names.split(","))
    return tuple(f"{resource}:{','.join(sorted(names))}" for resource, names in sorted(actions.items()))


def build_token_request(
    access: RegistryAccess, challenge: Challenge, scopes: tuple[str, ...], credentials: Credentials | None
) -> TokenRequest:
    """Build the request for a token of `scopes`.

    Raises RefusedError where the realm is no URL, or plain http without `plain_http`: credentials would travel in the clear.
    """
    realm = _parse_realm(access, challenge)
    common = [("service", challenge.parameters["service"])] if "service" in challenge.parameters else []
    if credentials is not None and credentials.identity_token is not None:
        grant = [("grant_type", "refresh_token"), ("refresh_token", credentials.identity_token), ("client_id", _CLIENT_ID)]
        return TokenRequest(method="POST", url=realm, parameters=(*common, *grant, ("scope", " ".join(scopes))))
    return TokenRequest(
        method="GET",
        url=realm,
        parameters=(*common, *(("scope", scope) for scope in scopes)),
        authorization=credentials.basic if credentials else None,
    )


def _parse_realm(access: RegistryAccess, challenge: Challenge) -> URL:
    text = challenge.parameters.get("realm", "")
    try:
        realm = URL(text)
    except ValueError as error:
        raise RefusedError(f"registry {access.host} names a token server that is no URL: {text[:140]!r}") from error
    if realm.scheme == "http" and not access.plain_http:
        raise RefusedError(f"registry {access.host} names a token server without TLS ({text[:140]!r}): set plain_http to allow it")
    if realm.scheme not in {"http", "https"} or not realm.host or realm.user is not None:
        raise RefusedError(f"registry {access.host} names a token server that is no http(s) URL: {text[:140]!r}")
    return realm


def parse_token(content: bytes, now: float) -> BearerToken:
    """Read a token server's answer; `now` is the moment of the request.

    Raises InputError.
    """
    try:
        answer = msgspec.json.decode(content, type=_TokenAnswer)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise InputError("token server's answer is not the expected JSON") from None  # the message could quote the token
    value = answer.token or answer.access_token
    if not value or not value.isascii() or not value.isprintable():
        raise InputError("token server's answer holds no usable token")
    lifetime = max(answer.expires_in or _DEFAULT_LIFETIME, 0.0)
    return BearerToken(value=value, usable_until=now + lifetime - min(_MARGIN, lifetime / 4))


class Authenticator:
    """Knows how one registry wants to be asked, and keeps its tokens. Tokens are fetched once however many tasks want them."""

    def __init__(
        self,
        access: RegistryAccess,
        ask_token_server: Callable[[TokenRequest], Awaitable[bytes]],
        load_credentials: Callable[[RegistryAccess], Awaitable[Credentials | None]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._access = access
        self._ask = ask_token_server
        self._load = load_credentials
        self._clock = clock
        self._challenge: Challenge | None = None
        self._credentials: Credentials | None = None
        self._loaded = asyncio.Lock()
        self._tokens: dict[tuple[str, ...], BearerToken] = {}
        self._locks: WeakValueDictionary[tuple[str, ...], asyncio.Lock] = WeakValueDictionary()

    @property
    def is_needed(self) -> bool:
        """Tell whether the registry has asked for authorization so far."""
        return self._challenge is not None

    async def authorization(self, scopes: tuple[str, ...]) -> str | None:
        """Give the `Authorization` header for `scopes`, or None as long as the registry has not asked for one.

        Raises RefusedError, RegistryUnavailable, InputError.
        """
        if self._challenge is None:
            return None
        return await self._answer(self._challenge, normalise_scopes(scopes), refused=None)

    async def renew(self, challenges: Iterable[str], scopes: tuple[str, ...], refused: str | None) -> str:
        """Answer a 401: `challenges` are its `WWW-Authenticate` values, `refused` the header that was sent. A refused token is not given again.

        Raises RefusedError, RegistryUnavailable, InputError.
        """
        offered = {challenge.scheme: challenge for challenge in parse_challenges(challenges)}
        challenge = offered.get("bearer") or offered.get("basic")
        if challenge is None:
            raise RefusedError(f"registry {self._access.host} refused the request and offers neither Bearer nor Basic authorization")
        self._challenge = challenge
        return await self._answer(challenge, challenge.scopes or normalise_scopes(scopes), refused)

    async def _answer(self, challenge: Challenge, scopes: tuple[str, ...], refused: str | None) -> str:
        if challenge.scheme == "basic":
            return await self._answer_basic(refused)
        key = (challenge.parameters.get("realm", ""), challenge.parameters.get("service", ""), *scopes)
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            known = self._tokens.get(key)
            if known is not None and known.usable_until > self._clock() and known.authorization != refused:
                return known.authorization
            token = await self._fetch_token(challenge, scopes)
            self._keep(key, token)
            return token.authorization

    async def _fetch_token(self, challenge: Challenge, scopes: tuple[str, ...]) -> BearerToken:
        request = build_token_request(self._access, challenge, scopes, await self._load_once())
        now = self._clock()
        try:
            return parse_token(await self._ask(request), now)
        except RefusedError:
            self._credentials = None  # a helper may hand out new ones next time
            raise

    async def _answer_basic(self, refused: str | None) -> str:
        credentials = await self._load_once()
        if credentials is not None and credentials.basic == refused:
            self._credentials = None  # those of a helper may have been renewed
            credentials = await self._load_once()
        if credentials is None or not credentials.username:
            raise RefusedError(f"registry {self._access.host} demands a user name and password, and none are set")
        if credentials.basic == refused:
            raise RefusedError(f"registry {self._access.host} does not accept the password of {credentials.username!r}")
        return credentials.basic

    async def _load_once(self) -> Credentials | None:
        async with self._loaded:
            if self._credentials is None:
                self._credentials = await self._load(self._access)
            return self._credentials

    def _keep(self, key: tuple[str, ...], token: BearerToken) -> None:
        self._tokens.pop(key, None)
        while len(self._tokens) >= _MAX_TOKENS:
            self._tokens.pop(next(iter(self._tokens)))
        self._tokens[key] = token
