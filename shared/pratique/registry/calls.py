"""What every family of registry calls shares: the transport, checked paths, and scopes."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from contextlib import suppress
from typing import Any, TypeVar

from pratique.errors import InvalidDigest
from pratique.oci.digest import Digest
from pratique.oci.reference import Reference
from pratique.registry.access import RegistryAccess
from pratique.registry.transport import Transport

_T = TypeVar("_T")


class RegistryCalls:
    """Base of the families of calls. Every call may raise RegistryUnavailable, RefusedError, MissingError or InputError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @property
    def access(self) -> RegistryAccess:
        """The settings of this registry."""
        return self._transport.access

    @property
    def host(self) -> str:
        """The registry's name as in references."""
        return self._transport.access.host

    def _path(self, repository: str, kind: str, locator: str | Digest = "") -> str:
        """Build the path of an API call from checked parts only: a repository or tag could otherwise name another path."""
        name = Reference(host=self.host, repository=repository).repository
        return f"{name}/{kind}/{self._checked(name, locator)}"

    def _checked(self, repository: str, locator: str | Digest) -> str:
        if isinstance(locator, Digest) or not locator:
            return str(locator)
        return digest if (digest := digest_text(locator)) else str(Reference(host=self.host, repository=repository, tag=locator).tag)


def digest_text(locator: str) -> str | None:
    """Give the digest that a locator is, or None if it is a tag."""
    with suppress(InvalidDigest):
        return str(Digest.parse(locator))
    return None


def pull_scope(repository: str) -> str:
    """The scope of reading a repository."""
    return f"repository:{repository}:pull"


def push_scope(repository: str) -> str:
    """The scope of writing to a repository."""
    return f"repository:{repository}:pull,push"


def delete_scope(repository: str) -> str:
    """The scope of deleting from a repository."""
    return f"repository:{repository}:delete"


async def run_together(operations: Iterable[Coroutine[Any, Any, _T]]) -> list[_T]:
    """Run operations at once and give their results in order; the first error stops the rest and is raised by itself, not in a group."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(operation) for operation in operations]
    except BaseExceptionGroup as errors:
        raise _first(errors) from errors
    return [task.result() for task in tasks]


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    error = errors.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
