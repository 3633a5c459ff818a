"""From what a reference names down to its images: indexes are walked, and what is no image is told apart by what it is.

Whatever a runtime could run is an image and has to be judged. So something counts as an artifact only if its config is none of an image's, or if it is a
statement about an image (a signature, an attestation, an SBOM) whose config names no platform and whose layers nobody could unpack.
"""

from __future__ import annotations

from dataclasses import dataclass

from pratique.errors import InputError, InvalidManifest, LimitExceeded, MissingError
from pratique.oci.artifact_kinds import kind_of_artifact
from pratique.oci.decompress import HEAD_BYTES, may_be_layer
from pratique.oci.digest import Digest
from pratique.oci.manifest import MAX_CONFIG_BYTES, Descriptor, Index, Manifest, Platform, parse_config
from pratique.oci.platforms import PlatformChoice
from pratique.registry.interface import ImageSource

MAX_INDEX_DEPTH = 4  # real indexes are one level deep, rarely two: more is a trap for whoever recurses
MAX_DOCUMENTS = 128  # manifests and indexes below one index: each image may have an attestation beside it
_MAX_STATEMENT_BYTES = 64 * 1024 * 1024  # of one statement's layers together: they are read whole; SBOMs have some megabytes


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundImage:
    """An image's manifest, and the platform that its index names it with."""

    manifest: Manifest
    platform: Platform | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundArtifact:
    """What is no image. `kind` is for people: `helm chart`, `signature`, `artifact TYPE`. `is_read` is False where an index only says that it is none."""

    descriptor: Descriptor
    kind: str
    is_read: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """What an index names and could not be read."""

    digest: Digest
    error: InputError | MissingError


class IndexWalk:
    """Collects what is below a root: images for the platforms that were chosen, artifacts, the indexes on the way, and what could not be read."""

    def __init__(self, source: ImageSource, choice: PlatformChoice) -> None:
        self.images: list[FoundImage] = []
        self.artifacts: list[FoundArtifact] = []
        self.nested: list[Index] = []
        self.broken: list[Unreadable] = []
        self.left_out: list[Platform] = []
        self._source = source
        self._choice = choice
        self._seen: set[Digest] = set()

    async def visit(self, root: Manifest | Index) -> None:
        """Walk from the root. Raises LimitExceeded, UnavailableError, RefusedError; what else goes wrong below the root is kept in `broken`."""
        await self._visit(root, 0)

    async def _visit(self, document: Manifest | Index, depth: int, platform: Platform | None = None) -> None:
        """Take up a document; `platform` is what its index names it with. What is named with a real one and is no image is a gap, never an artifact."""
        if isinstance(document, Index):
            await self._visit_index(document, depth)
        elif document.is_image or (document.is_statement_of_an_image and await self._is_disguised(document)):
            self.images.append(FoundImage(manifest=document, platform=platform))
        elif platform is not None and not platform.is_unknown:
            raise InvalidManifest(f"its index names it as the image for {platform}, but it is none ({kind_of_artifact(document)})")
        else:
            self.artifacts.append(FoundArtifact(descriptor=document.descriptor, kind=kind_of_artifact(document)))

    async def _visit_index(self, index: Index, depth: int) -> None:
        if depth > MAX_INDEX_DEPTH:
            raise LimitExceeded(f"indexes nested more than {MAX_INDEX_DEPTH} deep")
        if depth:
            self.nested.append(index)
        for child in index.manifests:
            await self._visit_child(child, depth + 1)

    async def _is_disguised(self, statement: Manifest) -> bool:
        """Tell whether what calls itself a statement could be run all the same. One that cannot be read counts as such: it then becomes a gap."""
        try:
            config = parse_config(await self._source.fetch_blob(statement.config, limit=MAX_CONFIG_BYTES))
            return not config.platform.is_unknown or await self._has_files(statement)
        except (InputError, MissingError):
            return True

    async def _has_files(self, statement: Manifest) -> bool:
        """Tell whether a runtime that does not look at layers' types could unpack one of these."""
        if sum(layer.size for layer in statement.layers) > _MAX_STATEMENT_BYTES:
            return True
        for layer in statement.layers:
            content = await self._source.fetch_blob(layer, limit=_MAX_STATEMENT_BYTES)
            if may_be_layer(content[:HEAD_BYTES]):
                return True
        return False

    async def _visit_child(self, child: Descriptor, depth: int) -> None:
        if child.digest in self._seen or self._is_left_out(child.platform):
            return
        self._seen.add(child.digest)
        if len(self._seen) > MAX_DOCUMENTS:
            raise LimitExceeded(f"more than {MAX_DOCUMENTS} manifests below one index")
        try:
            await self._visit(await self._source.fetch_document(child), depth, child.platform)
        except (InputError, MissingError) as error:
            self._pass_over(child, error)

    def _is_left_out(self, platform: Platform | None) -> bool:
        if platform is None or self._choice.is_all:
            return False
        if platform.is_unknown:
            return True
        is_accepted = self._choice.accepts(platform)
        self.left_out += [] if is_accepted else [platform]
        return not is_accepted

    def _pass_over(self, child: Descriptor, error: InputError | MissingError) -> None:
        """Note what could not be read. Attestations (`unknown/unknown`) are often left behind by copies; one that is there is judged by what it is."""
        if isinstance(error, MissingError) and child.platform is not None and child.platform.is_unknown:
            self.artifacts.append(FoundArtifact(descriptor=child, kind=kind_of_artifact(child), is_read=False))
        else:
            self.broken.append(Unreadable(digest=child.digest, error=error))
