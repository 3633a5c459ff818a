"""Recognises software by what its files contain, as a table says: the engine of `classifiers.json`.

1. A file's base name picks the rules that may speak about it, by dictionary look-ups: most files are asked for and none of their bytes is read.
2. Of a rule the patterns are tried in order. Each names a literal that must be there: the literal is searched by `bytes.find`, and the expression is
   matched only in a window around each place. No expression ever runs over a whole file.
3. The first rule that finds a version wins, in the order of the table: special builds (Percona's MySQL) stand before the plain ones.

A rule that finds no version says nothing: the name alone proves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

import msgspec

from pratique.inventory.analyzer import LayerFile
from pratique.inventory.analyzers._elf import open_elf
from pratique.inventory.package import Package

BINARY_MAGICS = (b"\x7fELF", b"MZ\x90\x00", b"\xcf\xfa\xed\xfe")
"""How a program or library begins: ELF, PE, Mach-O of 64 bits."""

MAX_PLACES = 100_000  # of one literal in one file: one that repeats it must not cost a match for each of its bytes; cosign has 30,000 `v1.`
MAX_EXAMINED = 32 * 1024 * 1024  # bytes that one pattern may look at: for the few that look far around their literal, fewer places
_AFTER = 256  # bytes behind a literal that an expression may look at, where the table says nothing else

_NUMBER = "[0-9]{1,6}"
_SUFFIX = r"(?:[-+][0-9A-Za-z][0-9A-Za-z.+-]{0,40})?"
_MACROS = {
    "{xy}": rf"(?P<version>{_NUMBER}\.{_NUMBER})",
    "{xyz}": rf"(?P<version>{_NUMBER}\.{_NUMBER}\.{_NUMBER})",
    "{xyz-}": rf"(?P<version>{_NUMBER}\.{_NUMBER}\.{_NUMBER}{_SUFFIX})",
    "{xy+}": rf"(?P<version>{_NUMBER}(?:\.{_NUMBER}){{1,3}})",
    "\N{SYMBOL FOR NULL}": r"\x00",
}
_ECOSYSTEMS = {"golang": "Go"}
_CPE_SPECIAL = re.compile(r"([^0-9A-Za-z._-])")
_LONG, _SHORT = 5, 3  # lengths of the beginnings by which file names with a `*` are looked up


class PatternRow(msgspec.Struct, array_like=True, frozen=True):
    """Bytes to find: a literal, and an expression that holds it and has a group `version`.

    A match begins at most `before` bytes before the literal, and ends at most `after` bytes behind it.

    In both, U+2400 stands for a byte of zero and `{file}` for the version that the file's name holds; in the expression `{xy}`, `{xyz}`, `{xy+}` and `{xyz-}`
    stand for versions of two, three, two to four numbers, and of three with what SemVer allows behind them. `.` is any byte. An empty literal means the file's beginning.
    """

    near: str
    match: str
    before: int = 0
    after: int = _AFTER


class ClassRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row of the table: one software in one kind of file.

    - `files`: base names, or ends of paths (`go/VERSION`); `*` in the name stands for anything, behind at least three characters;
    - `under`: text that the directories must hold, in whatever case;
    - `kind`: `binary` for files of BINARY_MAGICS, `text` for all others;
    - `module`, `variables`, `linked`: for programs in Go, how patterns are made: the path of the main module in the build information; variables that the
      linker sets (`main.version`), as recorded in the build flags; the beginning of their values (`v1`, `1`), which stand between zero bytes;
    - `file_version`: an expression whose only group is the version in the file's name, the `{file}` of the patterns;
    - `requires`, `lacks`: literals that must be, and must not be, somewhere in the file;
    - `pick`: `first` match, or `only`: all matches of a pattern must agree;
    - `purl`: `type/namespace/name`, where a trailing `/v*` stands for Go's major version suffix; `also`: further packages that this version says;
    - `ecosystem`: OSV's name for `purl`, where the type does not tell; `cpes`: `vendor:product`;
    - `goes_on`: the rules below are tried even if this one matched;
    - `origin`: where this is known from.
    """

    name: str
    files: tuple[str, ...]
    origin: str
    purl: str
    under: str = ""
    kind: Literal["binary", "text"] = "binary"
    patterns: tuple[PatternRow, ...] = ()
    module: str = ""
    variables: tuple[str, ...] = ()
    linked: tuple[str, ...] = ()
    file_version: str = ""
    requires: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    pick: Literal["first", "only"] = "first"
    also: tuple[str, ...] = ()
    ecosystem: str = ""
    cpes: tuple[str, ...] = ()
    goes_on: bool = False

    def all_patterns(self) -> Iterator[tuple[PatternRow, bool, bool]]:
        """Yield the patterns in the order in which they are tried, those made for Go's first; whether all matches must agree; and whether the linker was given the text."""
        if self.module:
            yield PatternRow(f"\nmod\t{self.module}", rf"\nmod\t{re.escape(self.module)}(?:/v[0-9]{{1,3}})?\tv{{xyz-}}[\t\n]"), False, False
        for variable in self.variables:
            yield PatternRow(f"{variable}=", rf"{re.escape(variable)}=v?{{xyz-}}(?![0-9A-Za-z.])"), False, False
        for pattern in self.patterns:
            yield pattern, self.pick == "only", False
        for start in self.linked:
            yield _linked_pattern(start), True, True


def _linked_pattern(start: str) -> PatternRow:
    """Make the pattern of a text that Go's linker was given: zero-terminated, and where it has no `v`, which is too common, behind a zero byte too."""
    v, number = ("v", start[1:]) if start.startswith("v") else ("", start)
    rest = rf"(?P<version>{number}\.{_NUMBER}\.{_NUMBER}{_SUFFIX})(?:~[0-9A-Za-z.+~-]{{1,40}})?\x00"  # Debian's `~ds1` tells of the sources only
    return PatternRow(f"v{number}.", rf"(?<![ -~])v{rest}") if v else PatternRow(f"\N{SYMBOL FOR NULL}{number}.", rf"\x00{rest}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _FileName:
    """An entry of `files`: the number of its row, the directories it must lie in (`/elixir/ebin`, or empty), and the name around its `*`."""

    row: int
    directory: str
    parts: tuple[str, ...]

    def fits(self, directory: str, name: str) -> bool:
        return directory.endswith(self.directory) and _is_around(self.parts, name)


class Classifier:
    """A table of rules, ready to be asked. `text_names` are the base names of the files that are no programs."""

    def __init__(self, rows: Sequence[ClassRow]) -> None:
        self._rows = tuple(rows)
        self._by_start: dict[str, list[_FileName]] = {}
        for number, row in enumerate(rows):
            for pattern in row.files:
                directory, slash, name = pattern.rpartition("/")
                entry = _FileName(row=number, directory=slash + directory, parts=tuple(name.split("*")))
                self._by_start.setdefault(_start(name), []).append(entry)
        self.text_names = frozenset(name.rpartition("/")[2] for row in rows if row.kind == "text" for name in row.files)

    def accepts(self, path: str) -> bool:
        """Tell whether some rule speaks about files of this path. Asked of every program and library: a miss costs less than a microsecond."""
        name = path[path.rfind("/") + 1 :]
        starts = self._by_start
        if name in starts or name[:_LONG] + "*" in starts or name[:_SHORT] + "*" in starts or name.endswith(".exe"):
            return bool(self.rows_of(path))
        return False

    def rows_of(self, path: str) -> Sequence[ClassRow]:
        """Return the rules that speak about files of this path, in the order of the table."""
        directory, _, name = f"/{path.removesuffix('.exe')}".rpartition("/")
        starts = (name, name[:_LONG] + "*", name[:_SHORT] + "*")
        found = {entry.row for start in starts for entry in self._by_start.get(start, ()) if entry.fits(directory, name)}
        rows = [self._rows[number] for number in sorted(found)]
        return [row for row in rows if row.under in directory.lower()]

    def identify(self, file: LayerFile) -> Iterator[Package]:
        """Yield what the file is, in the versions that its bytes name; nothing if no rule finds one."""
        is_binary = file.content.startswith(BINARY_MAGICS)
        for row in self.rows_of(file.path):
            if is_binary != (row.kind == "binary"):
                continue
            match = _find_version(row, file)
            if match is not None:
                yield from _packages(row, match)
                if not row.goes_on:
                    return


def load_rows(table: bytes) -> tuple[ClassRow, ...]:
    """Decode a table, strictly."""
    return msgspec.json.decode(table, type=tuple[ClassRow, ...])


def _start(name: str) -> str:
    """The key under which a file name of the table is looked up: the name, or its beginning and a `*`."""
    start, star, _ = name.partition("*")
    if not star:
        return name
    return (start[:_LONG] if len(start) >= _LONG else start[:_SHORT]) + "*"


def _is_around(parts: tuple[str, ...], name: str) -> bool:
    """Tell whether a name is `parts` with anything between them."""
    if len(parts) == 1:
        return name == parts[0]
    if not name.startswith(parts[0]) or not name.endswith(parts[-1]) or len(name) < len(parts[0]) + len(parts[-1]):
        return False
    place = len(parts[0])
    for part in parts[1:-1]:
        place = name.find(part, place) + len(part)
        if place < len(part):
            return False
    return place <= len(name) - len(parts[-1])


def _find_version(row: ClassRow, file: LayerFile) -> Mapping[str, str] | None:
    in_name = ""
    if row.file_version:
        name = re.search(row.file_version, file.path.rpartition("/")[2])
        if name is None:
            return None
        in_name = name.group(1)
    whole = _Area(in_name, file.content, 0, len(file.content))
    for pattern, is_unanimous, is_linked in row.all_patterns():
        match = _find_match(pattern, _constants(whole) if is_linked else whole, is_unanimous=is_unanimous)
        if match is not None:
            return _groups(match) if _has_company(row, file.content) else None
    return None


class _Area(NamedTuple):
    """The part of a file that is searched, and what the file's name holds."""

    in_name: str
    content: bytes
    start: int
    end: int


def _constants(whole: _Area) -> _Area:
    """Where an ELF program keeps what never changes, among it the texts that Go's linker was given: a tenth of a large program. All of a file without sections."""
    elf = open_elf(whole.content)
    section = elf.section(b".rodata") if elf is not None else None
    return whole._replace(start=section.offset, end=section.end) if section is not None else whole


def _groups(match: re.Match[bytes]) -> Mapping[str, str]:
    return {name: text.decode("ascii", "replace") for name, text in match.groupdict().items() if text}


def _has_company(row: ClassRow, content: bytes) -> bool:
    """Tell whether the rule's other evidence is there. A text that the linker was given counts only in a program that is built of the module's packages."""
    required = (*row.requires, row.module) if row.module else row.requires
    return all(text.encode() in content for text in required) and not any(text.encode() in content for text in row.lacks)


def _find_match(pattern: PatternRow, area: _Area, *, is_unanimous: bool) -> re.Match[bytes] | None:
    """Find the first match, or the shortest of all where all must agree in their numbers: beside `2.42.0` may stand `2.42.0-5+deb12u1`, the package's."""
    best: re.Match[bytes] | None = None
    for match in _matches(pattern, area):
        if not is_unanimous:
            return match
        if best is not None and _numbers(best) != _numbers(match):
            return None
        best = match if best is None or len(match["version"]) < len(best["version"]) else best
    return best


def _numbers(match: re.Match[bytes]) -> bytes:
    return match["version"].partition(b"-")[0].partition(b"+")[0]


def _matches(pattern: PatternRow, area: _Area) -> Iterator[re.Match[bytes]]:
    in_name, content, first, last = area
    near, expression = _literal(pattern.near, in_name), _expression(pattern.match, in_name)
    if not near:
        start = expression.match(content, 0, pattern.after)
        yield from (start,) if start else ()
        return
    place, done = content.find(near, first, last), 0
    for _ in range(min(MAX_PLACES, MAX_EXAMINED // (pattern.before + pattern.after))):
        if place < 0:
            return
        begin, end = max(done, place - pattern.before), place + len(near) + pattern.after
        match = expression.search(content, begin, end) if pattern.before else expression.match(content, place, end)
        if match:
            yield match
            done = match.end()
        place = content.find(near, max(place + 1, done), last)


def _literal(text: str, in_name: str) -> bytes:
    return text.replace("{file}", in_name).replace("\N{SYMBOL FOR NULL}", "\0").encode()


@lru_cache(maxsize=512)  # names of files are an attacker's; the table has some 300 patterns
def _expression(template: str, in_name: str) -> re.Pattern[bytes]:
    for macro, text in _MACROS.items():
        template = template.replace(macro, text)
    return re.compile(template.replace("{file}", re.escape(in_name)).encode(), re.DOTALL)


def _packages(row: ClassRow, found: Mapping[str, str]) -> Iterator[Package]:
    version = found["version"]
    yield _package(row.purl, version, row.ecosystem, tuple(_cpe(cpe, found) for cpe in row.cpes))
    for purl in row.also:
        yield _package(purl, version, "", ())


def _package(purl: str, version: str, ecosystem: str, cpes: tuple[str, ...]) -> Package:
    kind, _, path = purl.partition("/")
    if path.endswith("/v*"):
        major = version.partition(".")[0]
        path = path.removesuffix("/v*") + (f"/v{major}" if int(major) > 1 else "")
    namespace, _, name = path.rpartition("/")
    is_module = kind == "golang" and namespace  # of Go's own parts (`toolchain`) versions have no `v`
    return Package(
        type=kind,
        namespace=namespace,
        name=name,
        version=f"v{version}" if is_module else version,
        ecosystem=ecosystem or _ECOSYSTEMS.get(kind, ""),
        cpes=cpes,
    )


def _cpe(product: str, found: Mapping[str, str]) -> str:
    """Make a CPE 2.3 name; groups `primary` and `update` of a match say what CPE calls version and update (1.8.0, 352)."""
    version = _CPE_SPECIAL.sub(r"\\\1", found.get("primary", found["version"]))
    update = f"update{found['update']}" if "update" in found else "*"
    return f"cpe:2.3:a:{product}:{version}:{update}:*:*:*:*:*:*"
