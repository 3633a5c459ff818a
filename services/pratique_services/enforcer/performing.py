"""Performing actions on a registry. Each looks first whether it is done already, so that it can be repeated until it holds."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pratique.errors import InputError, MissingError, RefusedError, SettingsError, UnsupportedError
from pratique.oci.digest import Digest
from pratique.registry.client import Registries, RegistryClient
from pratique.registry.copying import CopyTarget
from pratique.signing.keys import SigningKeys
from pratique.storage.decisions import ActionRow, DecisionRow
from pratique_services.enforcer.publishing import Publisher


class Skipped(Exception):
    """The action has no object any more; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Performer:
    """Performs actions. `keys` is None where no signing keys are configured: start-up has checked that no policy needs them."""

    registries: Registries
    keys: SigningKeys | None

    async def perform(self, decision: DecisionRow, action: ActionRow) -> str:
        """Make one action hold; answer what was done, in words for people.

        Raises Skipped, UnavailableError (try again), RefusedError, InputError.
        """
        parameters = action.parameters
        if "impossible" in parameters:
            raise Skipped(str(parameters["impossible"]))
        client = self.registries.client(decision.host)
        digest = Digest.parse(decision.image_digest)
        if action.kind in _ON_COPIES:
            return await _ON_COPIES[action.kind](client, decision.repository, digest, parameters)
        publisher = self._publisher(client, parameters.get("repository", decision.repository))
        match action.kind:
            case "sign":
                return await publisher.sign(decision, digest)
            case "withdraw":
                return await publisher.withdraw(digest)
            case "attest":
                return await publisher.attest(decision, digest, dt.timedelta(seconds=float(parameters["valid_for_s"])))
            case unknown:
                raise Skipped(f"this version knows no action {unknown!r}")

    def _publisher(self, client: RegistryClient, repository: str) -> Publisher:
        if self.keys is None:
            raise RefusedError("no signing keys are configured: set signing.key and signing.attestation_key")
        return Publisher(client=client, repository=repository, keys=self.keys)


def require_ready(action: ActionRow, earlier: Sequence[ActionRow]) -> None:
    """Raise Skipped where an earlier action of the decision stands in the way.

    A promoted name never shows an image whose signature could not be made; nothing is removed of which there is no copy.
    """
    for before in earlier:
        is_unsigned = before.kind in {"attest", "sign"} and before.outcome == "skipped"
        if action.kind == "promote" and (before.outcome == "refused" or is_unsigned):
            raise Skipped(f"because {before.kind} was {before.outcome}")
        if action.kind == "remove" and before.kind == "quarantine" and before.outcome != "done":
            raise Skipped(f"because {before.kind} was {before.outcome}")


async def _promote(client: RegistryClient, repository: str, digest: Digest, parameters: Mapping[str, Any]) -> str:
    """Give the digest its new name, only if the tag it was judged under still points to it."""
    from_tag = parameters.get("from_tag")
    if from_tag is not None and await _points_to(client, repository, from_tag) != digest:
        raise Skipped(f"tag {from_tag} points to another image by now")
    target_repository, tag = parameters["repository"], parameters["tag"]
    name = f"{target_repository}:{tag}"
    if await _points_to(client, target_repository, tag) == digest:
        return f"{name} is there already"
    await client.copy_image(
        repository, digest, CopyTarget(repository=target_repository, tag=tag, with_referrers=target_repository != repository)
    )
    return f"promoted to {name}"


async def _quarantine(client: RegistryClient, repository: str, digest: Digest, parameters: Mapping[str, Any]) -> str:
    target_repository, tag = parameters["repository"], parameters["tag"]
    name = f"{target_repository}:{tag}"
    if await _points_to(client, target_repository, tag) == digest:
        return f"{name} is there already"
    try:
        await client.copy_image(repository, digest, CopyTarget(repository=target_repository, tag=tag))
    except (
        InputError,
        MissingError,
    ) as error:  # whoever may push can hang on it what cannot be copied: that must not keep the image where it is
        await _copy_alone(client, repository, digest, CopyTarget(repository=target_repository, tag=tag, with_referrers=False))
        return f"quarantined to {name} without what refers to it, because {error}"
    return f"quarantined to {name}"


async def _copy_alone(client: RegistryClient, repository: str, digest: Digest, target: CopyTarget) -> None:
    """Copy an image; one that is there and lacks a part is for people to look at. Raises RefusedError for it, MissingError where it is gone."""
    try:
        await client.copy_image(repository, digest, target)
    except MissingError as error:
        if await client.has_document(repository, digest):
            raise RefusedError(f"a part of the image cannot be copied: {error}") from error
        raise


async def _remove(client: RegistryClient, repository: str, digest: Digest, parameters: Mapping[str, Any]) -> str:
    """Delete the image from its repository; where the registry does not allow that, mark it by a tag that says so."""
    try:
        await client.delete_document(repository, digest)
    except MissingError:
        return "was removed already"
    except UnsupportedError as error:
        mark = str(parameters["mark"])
        if (
            await _points_to(client, repository, mark) == digest
        ):  # the push would come back as an event where the sender names no client, and so for ever
            return f"is marked as {mark} already"
        document = await client.fetch_document(repository, digest)
        await client.push_document(repository, document.raw, document.descriptor.media_type, tag=mark)
        return f"marked as {mark}, because {error}"
    tags = ", ".join(parameters.get("tags", ())) or "no tags"
    return f"removed from {repository} ({tags})"


async def _release(client: RegistryClient, repository: str, digest: Digest, parameters: Mapping[str, Any]) -> str:
    """Put a quarantined image back under the tags it had, but for tags that point to something else by now."""
    origin = str(parameters["from_repository"])
    restored: list[str] = []
    for tag in parameters.get("tags", ()):
        if await _points_to(client, repository, tag) not in {None, digest}:
            continue
        await client.copy_image(origin, digest, CopyTarget(repository=repository, tag=tag))
        restored.append(tag)
    if not restored:
        await client.copy_image(origin, digest, CopyTarget(repository=repository))
    return f"released to {repository} ({', '.join(restored) or 'by digest'})"


async def _points_to(client: RegistryClient, repository: str, tag: str) -> Digest | None:
    try:
        return (await client.resolve_digest(repository, tag)).digest
    except MissingError:
        return None


_ON_COPIES: Mapping[str, Callable[[RegistryClient, str, Digest, Mapping[str, Any]], Awaitable[str]]] = {
    "promote": _promote,
    "mark": _promote,
    "quarantine": _quarantine,
    "remove": _remove,
    "release": _release,
}


def require_keys(keys: SigningKeys | None, kinds: set[str]) -> None:
    """Refuse to start when the policy wants signatures and there is nothing to sign with.

    Raises SettingsError.
    """
    if keys is None and kinds & {"sign", "attest"}:
        raise SettingsError(
            "the policy signs or attests: set signing.key and signing.attestation_key (make them with `pratique keys generate`)"
        )
