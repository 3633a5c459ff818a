"""SBOMs in the place of images, and beside them: what `pratique scan sbom:FILE` and `--sbom-sources` inspect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pratique.errors import InvalidReference, MissingError
from pratique.inventory.coverage import CoverageItem, CoverageStatus
from pratique.inventory.inventory import Inventory
from pratique.inventory.package import InstalledPackage
from pratique.oci.digest import Digest
from pratique.oci.manifest import Index
from pratique.registry.attached_sboms import find_attached_sboms
from pratique.registry.interface import ImageSource
from pratique.registry.local_files import read_file
from pratique.sboms.contents import COVERAGE_NAME, READER_VERSION, coverage_items
from pratique.sboms.joining import join_sbom
from pratique.sboms.reading import MAX_SBOM_BYTES, read_sbom
from pratique.scanning import InspectedImage, Inspection


def inspect_sbom(path: Path) -> Inspection:
    """Read an SBOM as the inventory of the image that it is about. Blocking.

    Raises InvalidReference where there is no such file, InputError where it is no SBOM that can be read, RefusedError, UnavailableError.
    """
    try:
        content = read_file(path, MAX_SBOM_BYTES)
    except MissingError as error:
        raise InvalidReference(f"expected an SBOM: {error}") from error
    contents = read_sbom(content)
    image = InspectedImage(digest=contents.digest, manifest=None, config=None, inventory=contents.inventory)
    return Inspection(root=None, images=(image,), artifacts=(), described=contents.reference)


async def add_attached_sboms(source: ImageSource, inspection: Inspection) -> Inspection:
    """Add what SBOMs attached to the images say to what was found in them. One attached to the index as a whole is added to its first image.

    Raises UnavailableError, RefusedError. An SBOM that cannot be read is a gap in the coverage.
    """
    indexes = [document for document in (inspection.root, *inspection.nested) if isinstance(document, Index)]
    images = []
    for image in inspection.images:
        inventory = image.inventory
        if image.digest is not None:
            inventory = await _joined(source, inventory, image.digest, indexes=indexes)
        images.append(replace(image, inventory=inventory))
    if images and isinstance(inspection.root, Index):
        others = [one for image in images[1:] for one in image.inventory.packages]
        inventory = await _joined(source, images[0].inventory, inspection.root.descriptor.digest, found_elsewhere=others)
        images[0] = replace(images[0], inventory=inventory)
    return replace(inspection, images=tuple(images))


async def _joined(
    source: ImageSource,
    inventory: Inventory,
    digest: Digest,
    *,
    indexes: Sequence[Index] = (),
    found_elsewhere: Sequence[InstalledPackage] = (),
) -> Inventory:
    is_alone = True
    async for found in find_attached_sboms(source, digest, indexes):
        is_alone = False
        if found.contents is None:
            inventory = _with_items(inventory, coverage_items([f"{found.origin}: {found.problem}"]))
        else:
            inventory = join_sbom(inventory, found.contents, found.origin, found_elsewhere=found_elsewhere)
    if is_alone:
        reason = f"no SBOM is attached to {digest}"
        none = CoverageItem(name=COVERAGE_NAME, version=READER_VERSION, status=CoverageStatus.COMPLETE, reason=reason)
        inventory = _with_items(inventory, (none,))
    return inventory


def _with_items(inventory: Inventory, items: Sequence[CoverageItem]) -> Inventory:
    return replace(inventory, coverage=inventory.coverage.with_items(items))
