"""What `--vex` names: files, folders of them, and what hangs on the image in its registry."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pratique import __version__
from pratique.errors import InputError, PratiqueError, SettingsError
from pratique.inventory.analyzers._wording import one_line
from pratique.oci.digest import Digest
from pratique.oci.manifest import Platform
from pratique.oci.reference import Reference
from pratique.registry.local_files import read_file
from pratique.runtime.vex_files import find_vex_files, read_vex_file
from pratique.vex.cyclonedx import bom_links
from pratique.vex.matching import VexImage
from pratique.vex.statement import VexDocument
from pratique_services.cli.target_inventory import TargetInventory
from pratique_services.cli.targets import LOCAL, SBOM

if TYPE_CHECKING:
    from pratique.signing.keys import VerifyingKey

OCI = "oci"
_MAX_PROBLEM = 500


class VexSources:
    """The sources that the options name, in their order. Files are read at once, so that a wrong one is told before anything is scanned."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._read = {name: _read_local(Path(name)) for name in options.vex if name != OCI}
        if OCI in options.vex:
            self._keys = _check_attached(options)

    def documents(self, found: TargetInventory) -> tuple[VexDocument, ...]:
        """All documents, those of one source after those of the source before it. What could not be read is a problem of a document without statements.

        Raises UnavailableError, RefusedError, InputError.
        """
        return tuple(document for name in self._options.vex for document in (self._attached(found) if name == OCI else self._read[name]))

    def _attached(self, found: TargetInventory) -> tuple[VexDocument, ...]:
        return asyncio.run(_fetch_attached(self._options, _digests(found), self._keys))


def describe_image(options: argparse.Namespace, found: TargetInventory) -> VexImage:
    """What was scanned, as VEX statements may name it.

    Raises SettingsError, InputError where the target is an SBOM that cannot be read any more.
    """
    reference = None if options.target.startswith(LOCAL) else Reference.parse(options.target)
    return VexImage(
        digests=frozenset(map(str, _digests(found))),
        repository=reference.name if reference else "",
        tags=(reference.tag,) if reference and reference.tag else (),
        platforms=tuple(map(_platform, (found.platform or "").split(","))) if found.platform else (),
        boms=_boms(options.target),
    )


def _read_local(path: Path) -> tuple[VexDocument, ...]:
    return tuple(_read_folder(path)) if path.is_dir() else (read_vex_file(path),)


def _read_folder(folder: Path) -> Iterator[VexDocument]:
    """All documents below a folder, by path. One that cannot be read says nothing, and is told: nobody named it."""
    for path in find_vex_files(folder):
        try:
            yield read_vex_file(path)
        except PratiqueError as error:
            yield _unread(one_line(str(path)), str(error))


def _unread(source: str, problem: str) -> VexDocument:
    return VexDocument(form="", source=source, statements=(), problems=(one_line(problem, _MAX_PROBLEM),))


def _check_attached(options: argparse.Namespace) -> tuple[VerifyingKey, ...]:
    if options.target.startswith(LOCAL):
        raise SettingsError(f"--vex {OCI} asks the registry of the image, and {one_line(options.target)} is in none")
    if not options.vex_key:
        raise SettingsError(
            f"--vex {OCI} needs --vex-key FILE: whoever may push can attach VEX, so only what a key signed that you trust is applied"
        )
    from pratique_services.cli.key_files import load_verifying_key  # a twentieth of a second, for attached documents alone

    return tuple(map(load_verifying_key, options.vex_key))


async def _fetch_attached(options: argparse.Namespace, digests: Sequence[Digest], keys: Sequence[VerifyingKey]) -> tuple[VexDocument, ...]:
    from pratique.registry.access import RegistryAccess  # the client of registries, which no file needs
    from pratique.registry.attached_vex import find_attached_vex
    from pratique.registry.client import Registries
    from pratique.registry.registry_source import RegistrySource

    reference = Reference.parse(options.target)
    access = RegistryAccess(host=reference.host, plain_http=options.plain_http)
    documents = []
    async with Registries({reference.host: access}, user_agent=f"pratique/{__version__}") as registries:
        source = RegistrySource(registries.client(reference.host), reference)
        for digest in digests:
            async for one in find_attached_vex(source, digest, keys):
                documents.append(one.document or _unread(one.origin, one.problem))  # noqa: PERF401 - asynchronous
    return tuple(documents) or (_unread(f"attached to {reference.name}", "no VEX is attached to this image"),)


def _digests(found: TargetInventory) -> tuple[Digest, ...]:
    """What names all that was scanned: the target's digest, and that of its image where there is only one."""
    images = [image.digest for image in found.files] if len(found.files) == 1 and "," not in (found.platform or "") else []
    return tuple(Digest.parse(text) for text in dict.fromkeys([found.digest, *images]) if text)


def _platform(text: str) -> Platform:
    system, _, rest = text.partition("/")
    architecture, _, variant = rest.partition("/")
    return Platform(os=system, architecture=architecture, variant=variant or None)


def _boms(target: str) -> Mapping[str, str]:
    if not target.startswith(SBOM):
        return {}
    from pratique.sboms.reading import MAX_SBOM_BYTES

    try:
        return bom_links(read_file(Path(target.removeprefix(SBOM)), MAX_SBOM_BYTES))
    except InputError:  # in another format than CycloneDX, into which there are no links
        return {}
