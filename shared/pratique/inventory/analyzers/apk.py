"""Alpine's apk (also Wolfi's and Chainguard's): the `installed` database, in either place where apk keeps it."""

from __future__ import annotations

from collections.abc import Iterator

from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._records import Fields, checked_word, parse_stanzas
from pratique.inventory.package import Package

_WANTED = frozenset({b"P", b"V", b"A", b"o"})


def parse(file: LayerFile) -> Iterator[Package]:
    """Yield the packages in the order of the file. `o:`, the origin, is the source package that advisories name (apk-package(5), "installed").

    Virtual packages (`.build-deps`) are yielded like others: apk lists them too.

    Raises InvalidRecord after the readable packages for stanzas that lack `P:` or `V:`, or are no stanzas at all.
    """
    return parse_stanzas(file, _WANTED, _parse_package)


def _parse_package(fields: Fields) -> Package:
    name = checked_word(fields.get(b"P"), "package name (P:)")
    architecture = fields.get(b"A")
    origin = checked_word(fields[b"o"], f"origin of {name} (o:)") if fields.get(b"o", b"").strip() else name
    return Package(
        type="apk",
        name=name,
        version=checked_word(fields.get(b"V"), f"version of {name} (V:)"),
        architecture=checked_word(architecture, f"architecture of {name} (A:)") if architecture else "",
        source_name=origin if origin != name else None,
    )


ANALYZER = Analyzer(
    name="apk",
    version=1,
    paths=PathPattern(paths=frozenset({"lib/apk/db/installed", "usr/lib/apk/db/installed"})),
    parse=parse,
    max_bytes=64 * 1024 * 1024,  # it names every installed file: 10 MB is a lot
)
