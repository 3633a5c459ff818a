"""Credentials as `docker login` leaves them: `config.json` and the external `docker-credential-*` programs.

oras could read these too, but runs helpers without a time limit and knows no identity tokens, and it takes 200 ms to import.
Sources: docker/cli `config/configfile`, docker/docker-credential-helpers README.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from pratique.errors import RefusedError
from pratique.registry.access import DOCKER_HUB, RegistryAccess

_HELPER_TIMEOUT = 30.0  # seconds: a helper that asks a locked key ring must not hold a scan for ever
_MAX_CONFIG_BYTES = 1024 * 1024  # protects memory
_HELPER_NAME = re.compile(r"[A-Za-z0-9_.-]+")  # it becomes part of a program's name
_DOCKER_HUB_KEYS = ("https://index.docker.io/v1/", "index.docker.io", "docker.io", "registry-1.docker.io")
_TOKEN_USER = "<token>"  # by which a helper says that the secret is an identity token


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A user name with a password, or an OAuth2 refresh token (`identity_token`). The secrets are not in the repr."""

    username: str
    password: str = field(default="", repr=False)
    identity_token: str | None = field(default=None, repr=False)

    @property
    def basic(self) -> str:
        """The value of an `Authorization: Basic` header."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()


class _Entry(msgspec.Struct, frozen=True):
    auth: str | None = None
    username: str | None = None
    password: str | None = None
    identitytoken: str | None = None


class _DockerConfig(msgspec.Struct, frozen=True, rename="camel"):
    auths: dict[str, _Entry] = {}
    cred_helpers: dict[str, str] = {}
    creds_store: str | None = None


class _HelperAnswer(msgspec.Struct, frozen=True, rename="pascal"):
    username: str
    secret: str


# At import: msgspec resolves a type at its first use, and two threads that do so at once crash the interpreter.
_DOCKER_CONFIG = msgspec.json.Decoder(_DockerConfig)
_HELPER_ANSWER = msgspec.json.Decoder(_HelperAnswer)


async def load_credentials(access: RegistryAccess, environment: Mapping[str, str] = os.environ) -> Credentials | None:
    """Find the credentials of a registry: its settings first, then `$DOCKER_CONFIG/config.json` or `~/.docker/config.json`. None means anonymous.

    A helper named for the host wins over an entry in the file, and that over the general store. Raises RefusedError where the file or a helper fails.
    """
    if access.username is not None:
        return Credentials(username=access.username, password=access.password or "")
    config = await asyncio.to_thread(_read_config, environment)
    if config is None:
        return None
    keys = _keys_of(access.host)
    for key in keys:
        if key in config.cred_helpers:
            return await _ask_helper(config.cred_helpers[key], key, environment)
    entry = _find_entry(config.auths, keys)
    found = _from_entry(entry, access.host) if entry else None
    if found is None and config.creds_store:
        return await _ask_store(config.creds_store, keys, environment)
    return found


def _keys_of(host: str) -> tuple[str, ...]:
    return _DOCKER_HUB_KEYS if host == DOCKER_HUB else (host, f"https://{host}", f"http://{host}")


def _read_config(environment: Mapping[str, str]) -> _DockerConfig | None:
    directory = environment.get("DOCKER_CONFIG")
    path = (Path(directory) if directory else Path(environment.get("HOME") or "/") / ".docker") / "config.json"
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_CONFIG_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise RefusedError(f"cannot read credentials in {path}: {error.strerror}") from error
    try:
        return _DOCKER_CONFIG.decode(content)
    except (msgspec.DecodeError, UnicodeError):
        raise RefusedError(f"cannot read credentials in {path}: not Docker's config.json") from None  # the message could quote a secret


def _find_entry(auths: Mapping[str, _Entry], keys: Iterable[str]) -> _Entry | None:
    plain = {_hostname(key): entry for key, entry in auths.items()}
    return next((found for key in keys if (found := auths.get(key) or plain.get(key))), None)


def _hostname(key: str) -> str:
    """Reduce `https://host/v1/` to `host`, as docker does; a key with another path stays as it is and names no whole host."""
    name = key.removeprefix("https://").removeprefix("http://").rstrip("/")
    return name.removesuffix("/v1").removesuffix("/v2")


def _from_entry(entry: _Entry, host: str) -> Credentials | None:
    username, password = entry.username or "", entry.password or ""
    if entry.auth:
        try:
            username, _, password = base64.b64decode(entry.auth).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise RefusedError(f"cannot read the credentials of {host} in Docker's config.json: not base64 of user:password") from None
    if not username and not entry.identitytoken:
        return None
    return Credentials(username=username, password=password.rstrip("\0"), identity_token=entry.identitytoken or None)


async def _ask_store(store: str, keys: Iterable[str], environment: Mapping[str, str]) -> Credentials | None:
    for key in keys:
        found = await _ask_helper(store, key, environment)
        if found is not None:
            return found
    return None


async def _ask_helper(name: str, key: str, environment: Mapping[str, str]) -> Credentials | None:
    if not _HELPER_NAME.fullmatch(name):
        raise RefusedError(f"credential helper {name[:140]!r}: expected letters, digits, '.', '_' or '-'")
    program = f"docker-credential-{name}"
    status, output = await _run(program, key.encode(), environment)
    if status != 0:
        if b"credentials not found" in output:
            return None
        raise RefusedError(f"{program} failed with status {status} for {key}")
    try:
        answer = _HELPER_ANSWER.decode(output)
    except (msgspec.DecodeError, UnicodeError):
        raise RefusedError(f"{program} gave no credentials for {key}") from None  # the message could quote a secret
    if answer.username == _TOKEN_USER:
        return Credentials(username="", identity_token=answer.secret)
    return Credentials(username=answer.username, password=answer.secret)


async def _run(program: str, given: bytes, environment: Mapping[str, str]) -> tuple[int, bytes]:
    """Run a helper to its end, and kill it when it takes too long or nobody waits any more."""
    pipe = asyncio.subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(
            program, "get", stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL, env=dict(environment)
        )
    except OSError as error:
        raise RefusedError(f"cannot run {program}: {error.strerror}") from error
    try:
        async with asyncio.timeout(_HELPER_TIMEOUT):
            output, _ = await process.communicate(given)
    except TimeoutError as error:
        raise RefusedError(f"{program} did not answer within {_HELPER_TIMEOUT:.0f} seconds") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, output
