"""What a report says of a target before anything is judged."""

from __future__ import annotations

from dataclasses import dataclass

from pratique.inventory.coverage import Coverage
from pratique.inventory.package import Distribution, InstalledPackage
from pratique.reports.report import ImageFiles


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetInventory:
    """What all images of a target hold together.

    `digest` and `media_type` are those of the document that the target names, if it could be read; `platform` joins those of the images by `,`.
    `distributions` has those of the images, without repetition; `packages` each package of a layer once, sorted by purl; `files` an entry an image, or none
    where files were not looked at. `described` is what an SBOM says that it is about, where the target is one.
    With `is_whole` every manifest, config and layer was read, so that the same digest and options would give the same again.
    """

    digest: str | None
    media_type: str = ""
    platform: str | None
    distributions: tuple[Distribution, ...]
    packages: tuple[InstalledPackage, ...]
    coverage: Coverage
    files: tuple[ImageFiles, ...] = ()
    described: str = ""
    is_whole: bool = False
