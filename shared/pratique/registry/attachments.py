"""Manifests that hang on an image, in a registry: under tags made of its digest, and as its referrers. What they hold is for others to read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from pratique.errors import InputError, MissingError
from pratique.oci.digest import Digest
from pratique.oci.manifest import Descriptor, Index, Manifest
from pratique.registry.registry_source import RegistrySource

_PREDICATE_TYPES = ("in-toto.io/predicate-type", "predicateType", "dev.sigstore.bundle.predicateType")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A manifest that hangs on an image, or what was wrong with it. `name` is for people, `artifact_type` empty where nothing says it."""

    name: str
    artifact_type: str
    manifest: Manifest | InputError


async def open_tagged(source: RegistrySource, tag: str) -> AsyncIterator[Attachment]:
    """Yield what a tag names, if there is such.

    Raises UnavailableError, RefusedError.
    """
    document = await open_manifest(source.fetch_tagged(tag))
    if document is not None:
        yield Attachment(name=f"tag {tag}", artifact_type="", manifest=document)


async def open_referrers(source: RegistrySource, digest: Digest, wanted: Callable[[Descriptor], bool]) -> AsyncIterator[Attachment]:
    """Yield the referrers of `digest` whose entry is `wanted`. Whoever lists a manifest as a referrer may lie: its own subject has to say so.

    Raises UnavailableError, RefusedError.
    """
    try:
        entries = await source.list_referrers(digest)
    except InputError as error:
        yield Attachment(name="list of referrers", artifact_type="", manifest=error)
        return
    for entry in filter(wanted, entries):
        document = await open_manifest(source.fetch_document(entry))
        if document is None:
            continue
        if isinstance(document, Manifest) and (document.subject is None or document.subject.digest != digest):
            document = InputError(f"it is listed as a referrer of {digest}, but does not refer to it")
        yield Attachment(name=f"referrer {entry.digest}", artifact_type=base_type(entry.artifact_type), manifest=document)


async def open_manifest(fetched: Awaitable[Manifest | Index]) -> Manifest | InputError | None:
    """Await a manifest. One that is gone means nothing: copies often leave attestations behind."""
    try:
        document = await fetched
    except InputError as error:
        return error
    except MissingError:
        return None
    return document if isinstance(document, Manifest) else None


def may_hold(descriptor: Descriptor, is_wanted: Callable[[str], bool]) -> bool:
    """Tell whether a statement's type, as BuildKit, cosign 2 or cosign 3 note it beside the statement, is wanted, or not stated at all."""
    stated = [text for name in _PREDICATE_TYPES if (text := descriptor.annotations.get(name))]
    return not stated or any(map(is_wanted, stated))


def base_type(media_type: str | None) -> str:
    """The media type without parameters; empty for none."""
    return (media_type or "").partition(";")[0].strip()
