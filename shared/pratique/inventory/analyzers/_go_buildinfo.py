"""The build information that Go's linker leaves in a program: the toolchain's version, the modules, the settings of the build.

Sources: Go's debug/buildinfo (where it lies), runtime/debug.ParseBuildInfo (its lines), cmd/link (both forms of it).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from pratique.errors import InvalidRecord
from pratique.inventory.analyzers._elf import Elf
from pratique.inventory.analyzers._executable import Executable, Section
from pratique.inventory.analyzers._language import Problems

MAGIC = b"\xff Go buildinf:"
MAX_SEARCHED = 1024 * 1024  # bytes of a data segment: the linker puts it near the beginning, and files of other kinds are searched in vain
MAX_TEXT = 4 * 1024 * 1024  # bytes of the module list: Kubernetes' has 30 KB; each line costs time
MAX_MODULES = 50_000  # the largest programs have some 2,000

_ALIGNMENT, _HEADER_SIZE = 16, 32
_BIG_ENDIAN, _INLINE_STRINGS = 1, 2
_SETTINGS = frozenset({"-ldflags", "vcs.revision", "vcs.time"})
_FRAME = 16  # bytes around the module list by which a debugger finds it


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """A line of the module list; `replacement` is what was built in its place. `version` is `(devel)` for a working copy."""

    path: str
    version: str
    replacement: Module | None = None


@dataclass(slots=True, kw_only=True)
class BuildInfo:
    """What the linker recorded. `path` is the package path of the program; `main` is None without modules; of the settings those that tell versions."""

    go_version: str
    path: str = ""
    main: Module | None = None
    dependencies: list[Module] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)
    problems: Problems = field(default_factory=Problems)


def find_build_info(executable: Executable) -> Section | None:
    """Find the record: from its first byte to the end of its section or segment. None for what Go did not link.

    Raises InvalidRecord for a section made for it that does not hold it.
    """
    own = executable.section(b".go.buildinfo") or executable.section(b"__go_buildinfo")
    named = (
        isinstance(executable, Elf) and executable.has_sections
    )  # Go's linker names the section there: what has none is not searched, which takes time
    area = own if own or named else executable.first_data()
    found = _find_magic(executable.content, area) if area is not None else None
    if found is None and own is not None:
        raise InvalidRecord("a Go program without its build information")
    return found


def read_build_info(executable: Executable, record: Section) -> BuildInfo:
    """Read the record; what is broken in single lines is told by `problems`.

    Raises InvalidRecord if its strings cannot be read or it names no version of Go.
    """
    pointer_size, flags = executable.content[record.offset + 14], executable.content[record.offset + 15]
    if flags & _INLINE_STRINGS:
        version, behind = _inline_string(executable.content, record.offset + _HEADER_SIZE, record.end)
        text, _ = _inline_string(executable.content, behind, record.end)
    else:
        places = _Pointers(executable, pointer_size, "big" if flags & _BIG_ENDIAN else "little")
        version = places.string(record.offset + 16)
        text = places.string(record.offset + 16 + pointer_size)
    if not version:
        raise InvalidRecord("expected Go's build information, got one without a version of Go")
    info = BuildInfo(go_version=version.decode("utf-8", "replace"))
    _parse_lines(_unframed(text), info)
    return info


def _find_magic(content: bytes, area: Section) -> Section | None:
    end = min(area.end, area.offset + MAX_SEARCHED)
    found = content.find(MAGIC, area.offset, end)
    while found >= 0 and (found - area.offset) % _ALIGNMENT:
        found = content.find(MAGIC, found + 1, end)
    if found < 0 or area.end - found < _HEADER_SIZE:
        return None
    return Section(area.address + found - area.offset, found, area.end - found)


def _inline_string(content: bytes, start: int, end: int) -> tuple[bytes, int]:
    """Read a string behind its length, of seven bits a byte; tells where it ends."""
    length = shift = 0
    for position in range(start, min(start + 10, end)):
        length |= (content[position] & 0x7F) << shift
        shift += 7
        if content[position] < 0x80:  # noqa: PLR2004 - the highest bit says that another byte follows
            return _bounded(content, position + 1, length, end), position + 1 + length
    raise InvalidRecord("expected Go's build information, got a string without a length")


def _bounded(content: bytes, start: int, length: int, end: int) -> bytes:
    if length > MAX_TEXT or start + length > end:
        raise InvalidRecord(f"expected Go's build information, got a string of {length} bytes with {max(0, end - start)} left")
    return content[start : start + length]


@dataclass(frozen=True, slots=True)
class _Pointers:
    """Follows pointers to Go strings, as before Go 1.18: each is a pair of address and length."""

    executable: Executable
    size: int
    order: Literal["big", "little"]

    def string(self, place: int) -> bytes:
        if self.size not in {4, 8}:
            raise InvalidRecord(f"expected Go's build information, got pointers of {self.size} bytes")
        header = self.executable.at(self._number(place))
        if header is None or header.size < 2 * self.size:
            raise InvalidRecord("expected Go's build information, got a pointer to nowhere")
        length = self._number(header.offset + self.size)
        text = self.executable.at(self._number(header.offset)) if length else None
        return _bounded(self.executable.content, text.offset, length, text.end) if text is not None else _nothing(length)

    def _number(self, place: int) -> int:
        return int.from_bytes(self.executable.content[place : place + self.size], self.order)


def _nothing(length: int) -> bytes:
    if length:
        raise InvalidRecord("expected Go's build information, got a pointer to nowhere")
    return b""


def _unframed(text: bytes) -> str:
    """The lines without the frame; empty for programs that were built without modules."""
    if not text:
        return ""
    if len(text) <= 2 * _FRAME or text[-_FRAME - 1] != ord("\n"):
        raise InvalidRecord("expected Go's list of modules, got something else in its place")
    return text[_FRAME:-_FRAME].decode("utf-8", "replace")


def _parse_lines(text: str, info: BuildInfo) -> None:
    for line in _lines(text):
        kind, _, rest = line.partition("\t")
        try:
            _parse_line(kind, rest, info)
        except InvalidRecord as error:
            info.problems.add(error)
        if len(info.dependencies) > MAX_MODULES:
            info.problems.add(InvalidRecord(f"more than {MAX_MODULES} modules"))
            return


def _lines(text: str) -> Iterator[str]:
    """The lines, one at a time: a list of four million empty ones would fill the memory."""
    start = 0
    while (end := text.find("\n", start)) >= 0:
        yield text[start:end]
        start = end + 1


def _parse_line(kind: str, rest: str, info: BuildInfo) -> None:
    if kind == "path":
        info.path = rest
    elif kind == "mod":
        info.main = _parse_module(rest)
    elif kind == "dep":
        info.dependencies.append(_parse_module(rest))
    elif kind == "=>":
        _replace_last(info, _parse_module(rest))
    elif kind == "build":
        key, _, value = rest.partition("=")
        if key in _SETTINGS:
            info.settings[key] = _unquoted(value)


def _parse_module(columns: str) -> Module:
    path, *others = columns.split("\t", 3)
    if len(others) not in {1, 2}:
        raise InvalidRecord(f"expected a module of Go, got {columns[:40]!r}")
    return Module(path=path, version=others[0])


def _replace_last(info: BuildInfo, module: Module) -> None:
    if info.dependencies:
        info.dependencies[-1] = replace(info.dependencies[-1], replacement=module)
    elif info.main is not None:
        info.main = replace(info.main, replacement=module)
    else:
        raise InvalidRecord("a replacement of no module")


def _unquoted(text: str) -> str:
    """Undo Go's quoting where there is any: only quotes and backslashes matter in flags."""
    if len(text) > 1 and text[0] == text[-1] and text[0] in '`"':
        return text[1:-1].replace('\\"', '"').replace("\\\\", "\\") if text[0] == '"' else text[1:-1]
    return text
