r"""OCaml packages in opam's switches: `.opam-switch/switch-state` lists the installed ones, `install/NAME.changes` their files, `packages/NAME.VERSION/opam` their licences.

`*.opam` files elsewhere are sources. Debian's OCaml libraries have no such state: dpkg knows them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pratique.errors import InvalidRecord
from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._language import Problems, checked_text, parent, resolve_path, unescape, with_files
from pratique.inventory.analyzers._wording import known_lines
from pratique.inventory.package import Package, PackageDetails

MAX_PACKAGES = 50_000  # opam's repository has 5,000

_STATE = re.compile(r"(?:.*/)?\.opam-switch/(?:switch-state|install/[^/]+\.changes|packages/[^/]+/opam)")
_NAME = re.compile(r"[A-Za-z0-9_+-]+")
_VERSION = re.compile(r"[A-Za-z0-9_+.~-]+")
_FIELD = re.compile(r"^(installed|added|contents-changed|license):[ \t]*(\[)?", re.MULTILINE)
_ITEM = re.compile(
    r"""(?:\s++|\#[^\n]*+)*+(?:"(?P<text>(?:[^"\\]++|\\.){0,4096}+)"(?:\s*+\{\s*+"(?P<digest>(?:[^"\\]++|\\.){0,4096}+)"\s*+\})?|(?P<end>\]))""",
    re.DOTALL,
)
_MD5 = re.compile(r"F:([0-9a-f]{32})")
_DIRECTORY = "D"


def parse(file: LayerFile) -> Iterator[Package | PackageDetails]:
    """Yield the installed packages for the state of a switch, else the files or the licences of one.

    Raises InvalidRecord for what opam has not written, after what could be read of it.
    """
    text = file.content.decode("utf-8", "replace")
    name = file.path.rpartition("/")[2]
    if name == "switch-state":
        yield from _parse_state(text)
    elif name == "opam":
        yield from _parse_opam(text, parent(file.path).rpartition("/")[2])
    else:
        switch = parent(parent(parent(file.path)))
        details = PackageDetails(type="opam", name=checked_text(name.removesuffix(".changes"), "name of a package", _NAME))
        yield from with_files(details, _read_changes(text, switch))


def _parse_state(text: str) -> Iterator[Package]:
    problems = Problems()
    match = next((field for field in _FIELD.finditer(text) if field[1] == "installed"), None)
    if match is None:
        if 'opam-version: "' in text:
            return  # an empty switch has no such field
        raise InvalidRecord("expected the state of an opam switch")
    for count, (entry, _) in enumerate(_read_list(text, match)):
        if count >= MAX_PACKAGES:
            raise InvalidRecord(f"more than {MAX_PACKAGES} packages")
        name, _, version = entry.partition(".")
        try:
            yield Package(
                type="opam",
                name=checked_text(name, "name of a package", _NAME),
                version=checked_text(version, f"version of {name[:80]}", _VERSION),
                ecosystem="opam",
            )
        except InvalidRecord as error:
            problems.add(error)
    problems.raise_any()


def _parse_opam(text: str, directory: str) -> Iterator[PackageDetails]:
    """Licences only describe: an opam file that cannot be read loses no package."""
    match = next((field for field in _FIELD.finditer(text) if field[1] == "license"), None)
    name, _, version = directory.partition(".")
    if match is None:
        return
    try:
        found = known_lines(entry for entry, _ in _read_list(text, match))
    except InvalidRecord:
        return
    yield PackageDetails(type="opam", name=name, version=version, licenses=found)


def _read_changes(text: str, switch: str) -> Iterator[tuple[str, str]]:
    """`added: ["lib/a" {"D"} "lib/a/META" {"F:MD5"}]`, relative to the switch; a digest may be size and time instead (`F:S12T3.`)."""
    for match in _FIELD.finditer(text):
        for entry, digest in _read_list(text, match):
            path = resolve_path(switch, entry) if digest != _DIRECTORY else ""
            if path:
                md5 = _MD5.fullmatch(digest)
                yield path, f"md5:{md5[1]}" if md5 else ""


def _read_list(text: str, field: re.Match[str]) -> Iterator[tuple[str, str]]:
    """Yield the strings of a field, a list or a single one, each with the text in braces behind it."""
    position = field.end()
    while item := _ITEM.match(text, position):
        position = item.end()
        if item["end"]:
            return
        yield unescape(item["text"]), unescape(item["digest"] or "")
        if not field[2]:
            return
    raise InvalidRecord(f"expected a list of strings, got {text[position : position + 40]!r}")


ANALYZER = Analyzer(
    name="ocaml",
    version=1,
    paths=PathPattern(
        names=frozenset({"switch-state", "opam"}),
        suffixes=(".changes",),
        accept=lambda path: ".opam-switch/" in path and _STATE.fullmatch(path) is not None,
    ),
    parse=parse,
    max_bytes=8 * 1024 * 1024,  # the compiler's list of files has 200 KB
)
