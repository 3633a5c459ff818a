"""R packages: `DESCRIPTION` in a library, `…/library/NAME/DESCRIPTION`.

R writes `Built:` when it installs a package, and only then; without it the file is a package's source, or something else of that name, and means nothing.
Packages of Bioconductor have an ecosystem of their own. R's own packages (`Priority: base`) are not on CRAN, have R's version, and no ecosystem.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._fields import read_fields
from pratique.inventory.analyzers._language import checked_text, parent
from pratique.inventory.analyzers._wording import known_lines, one_line
from pratique.inventory.package import Package, PackageDetails

_WANTED = frozenset({b"Package", b"Version", b"Built", b"License", b"Priority", b"Repository", b"biocViews", b"git_url", b"Maintainer"})
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9.]*")
_VERSION = re.compile(r"[0-9]+(?:[.-][0-9]+)*")


def parse(file: LayerFile) -> Iterator[Package | PackageDetails]:
    """Yield the installed package, and its directory ("Writing R Extensions", 1.1.1).

    Raises InvalidRecord for the record of an installed package whose name or version R would refuse.
    """
    fields = read_fields(file.content, _WANTED)
    if not fields.get(b"Package") or not fields.get(b"Built", b"").startswith(b"R "):
        return
    kind, ecosystem = _find_origin(fields)
    package = Package(
        type=kind,
        name=checked_text(_text(fields, b"Package"), "Package", _NAME),
        version=checked_text(_text(fields, b"Version"), "Version", _VERSION),
        ecosystem=ecosystem,
        vendor=one_line(fields.get(b"Maintainer")),
        licenses=known_lines(fields.get(b"License", b"").split(b"|")),
    )
    yield package
    directory = parent(file.path)
    if (
        directory.rpartition("/")[2] == package.name
    ):  # a library's directories are named for their packages; `/DESCRIPTION` must not claim the root
        yield PackageDetails(type=kind, name=package.name, version=package.version, directories=(directory,))


def _find_origin(fields: Mapping[bytes, bytes]) -> tuple[str, str]:
    """Answer the purl type and the ecosystem."""
    if fields.get(b"Priority") == b"base":
        return "cran", ""
    repository = fields.get(b"Repository", b"")
    if (
        repository.startswith(b"Bioconductor")
        or b"git.bioconductor.org/" in fields.get(b"git_url", b"")
        or (not repository and b"biocViews" in fields)
    ):
        return "bioconductor", "Bioconductor"
    return "cran", "CRAN"


def _text(fields: Mapping[bytes, bytes], name: bytes) -> str:
    return fields.get(name, b"").decode("utf-8", "replace")


ANALYZER = Analyzer(
    name="r",
    version=1,
    paths=PathPattern(names=frozenset({"DESCRIPTION"})),
    parse=parse,
    max_bytes=1024 * 1024,
    head_bytes=1024 * 1024,  # real ones have 10 KB; a larger file of that name is something else
)
