"""Haskell packages: the package databases of GHC (`package.conf.d`), of cabal's store (`package.db`) and of stack (`pkgdb`), one `*.conf` a library.

What was linked into a program leaves no trace. An internal library (`lib-name`) belongs to its package.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._fields import read_fields
from pratique.inventory.analyzers._language import checked_text, parent, resolve_path
from pratique.inventory.analyzers._wording import known_lines, one_line
from pratique.inventory.package import Package, PackageDetails

MAX_DIRECTORIES = 100  # of one library: real ones have three

_WANTED = frozenset({b"name", b"package-name", b"version", b"license", b"maintainer", b"import-dirs", b"library-dirs", b"data-dir"})
_DATABASES = ("/package.conf.d", "/package.db", "/pkgdb")
_NAME = re.compile(r"[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*")
_VERSION = re.compile(r"[0-9]+(?:\.[0-9]+)*")


def parse(file: LayerFile) -> Iterator[Package | PackageDetails]:
    """Yield the library's package, and those of its directories that are named for it (Cabal, "installed package info").

    Raises InvalidRecord for what ghc-pkg would refuse: no name, no version.
    """
    fields = {name: value.decode("utf-8", "replace") for name, value in read_fields(file.content, _WANTED).items()}
    package = Package(
        type="hackage",
        name=checked_text(fields.get(b"package-name") or fields.get(b"name"), "name of a package", _NAME),
        version=checked_text(fields.get(b"version"), "version of a package", _VERSION),
        ecosystem="Hackage",
        vendor=one_line(fields.get(b"maintainer")),
        licenses=known_lines([fields.get(b"license")]),
    )
    yield package
    directories = tuple(dict.fromkeys(_find_directories(fields, package, parent(parent(file.path)))))
    yield PackageDetails(type="hackage", name=package.name, version=package.version, files=((file.path, ""),), directories=directories)


def _find_directories(fields: Mapping[bytes, str], package: Package, root: str) -> Iterator[str]:
    """Directories of all packages (`dynamic-library-dirs`) are no one's own. `${pkgroot}` is where the database lies (ghc-pkg)."""
    named = f"{package.name}-{package.version}"
    for key in (b"import-dirs", b"library-dirs", b"data-dir"):
        for word in fields.get(key, "").split()[:MAX_DIRECTORIES]:
            path = resolve_path("", word.strip('"').replace("${pkgroot}", f"/{root}")).split("/")
            own = next((index for index, part in enumerate(path, 1) if part == named or part.startswith(f"{named}-")), 0)
            if own:
                yield "/".join(path[:own])


ANALYZER = Analyzer(
    name="haskell",
    version=1,
    paths=PathPattern(suffixes=(".conf",), accept=lambda path: f"/{parent(path)}".endswith(_DATABASES)),
    parse=parse,
    max_bytes=4 * 1024 * 1024,  # a library of 1,000 modules has 60 KB
)
