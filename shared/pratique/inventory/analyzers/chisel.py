"""Chiselled Ubuntu images: `var/lib/chisel/manifest.wall`, which takes the place of dpkg's database.

A jsonwall is compressed with zstd and has one JSON object a line, the first of them a header with the number of lines: packages, slices of packages
(`libc6_libs`), paths with the slices that own them. Source: chisel, "Chisel manifest", and its package `jsonwall`.

The manifest names binary packages, but Ubuntu's advisories name source packages (`libssl3t64` comes from `openssl`). What is not matched must not look clean:
so a manifest with packages is a gap for as long as packages are not matched by their binary names.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

import msgspec

from pratique.errors import InvalidRecord, LimitExceeded
from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._owned_files import MAX_PATHS, digest_of_hex
from pratique.inventory.analyzers._records import checked_word
from pratique.inventory.package import Package, PackageDetails

MAX_WALL_BYTES = 48 * 1024 * 1024  # of a decompressed wall: 200,000 paths; more would fill the memory
MAX_WINDOW_BYTES = 32 * 1024 * 1024  # memory that a frame may ask for to be decompressed: zstd allows 128 MB
MAX_LINE_BYTES = 1024 * 1024  # a path that 10,000 slices share; a list of millions of short words would fill the memory
MAX_BROKEN = 100  # a wall with more broken lines is none: random bytes must not cost time per line

_MAGIC = b"\x28\xb5\x2f\xfd"


class _Line(msgspec.Struct):
    jsonwall: str = ""
    count: int = 0
    kind: str = ""
    name: str = ""
    version: str = ""
    arch: str = ""
    path: str = ""
    slices: tuple[str, ...] = ()
    sha256: str = ""
    final_sha256: str = ""


_DECODER = msgspec.json.Decoder(_Line)


def parse(file: LayerFile) -> Iterator[Package | PackageDetails]:
    """Yield the packages in the order of the wall, then the files of each, with the digests that they have in the image.

    Raises InvalidRecord after everything readable for what is no whole jsonwall, for lines that cannot be read, and for sources that it does not name;
    LimitExceeded for more than the limits above.
    """
    wall = _Wall()
    problem = _read(file.content, wall)
    yield from wall.packages.values()
    for name, files in wall.files.items():
        package = wall.packages.get(name)
        if package is not None:
            yield PackageDetails(type="deb", name=name, version=package.version, architecture=package.architecture, files=tuple(files))
    if problem:
        raise InvalidRecord(problem)
    if wall.packages:
        raise InvalidRecord(
            f"names no source packages: advisories were looked up by the names of {len(wall.packages)} binary packages only"
        )


class _Wall:
    """What was read so far. `files` are collected by package, as far as there is room."""

    __slots__ = ("_left", "count", "files", "packages")

    def __init__(self) -> None:
        self.packages: dict[str, Package] = {}
        self.files: dict[str, list[tuple[str, str]]] = {}
        self.count = 0
        self._left = MAX_PATHS

    def add(self, line: _Line) -> None:
        match line.kind:
            case "package":
                self._add_package(line)
            case "path":
                self._add_path(line)
        self.count = self.count or line.count

    def _add_package(self, line: _Line) -> None:
        name = checked_word(_bytes(line.name), "name of a package")
        version = checked_word(_bytes(line.version), f"version of {name}")
        architecture = checked_word(_bytes(line.arch), f"architecture of {name}") if line.arch else ""
        self.packages[name] = Package(type="deb", name=name, version=version, architecture=architecture)

    def _add_path(self, line: _Line) -> None:
        path = line.path.strip("/")
        digest = digest_of_hex(_bytes(line.final_sha256 or line.sha256))
        owners = {name.partition("_")[0] for name in line.slices} if path else set()
        self._left -= len(owners)
        if self._left < 0:
            raise LimitExceeded(f"more than {MAX_PATHS} files")
        for owner in sorted(owners):
            self.files.setdefault(owner, []).append((path, digest))


def _read(content: bytes, wall: _Wall) -> str:
    """Read all lines into `wall`, and tell the first thing that was wrong."""
    text, problem = _decompress(content)
    broken, number = 0, 0
    for number, line in enumerate(io.BytesIO(text), 1):
        try:
            found = _decode(line)
            if number == 1 and found.jsonwall != "1.0":
                return f"expected a jsonwall 1.0, got {line[:80]!r}"
            wall.add(found)
        except (InvalidRecord, msgspec.DecodeError, RecursionError, UnicodeError) as error:
            broken += 1
            problem = problem or f"line {number}: {error}"
        if broken > MAX_BROKEN:
            break
    if not problem and (number != wall.count or not text):
        problem = f"expected {wall.count or 'some'} lines, got {number}"
    return problem


def _decode(line: bytes) -> _Line:
    if len(line) > MAX_LINE_BYTES:
        raise InvalidRecord(f"has {len(line)} bytes")
    return _DECODER.decode(line)


def _decompress(content: bytes) -> tuple[bytes, str]:
    import zstandard  # here: it takes 5 ms, and few images need it

    if not content.startswith(_MAGIC):
        return b"", f"expected a wall compressed with zstd, got {content[:8]!r}"
    chunks: list[bytes] = []
    size, problem = 0, ""
    with zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES).stream_reader(content) as reader:
        try:
            while chunk := reader.read(1024 * 1024):
                size += len(chunk)
                if size > MAX_WALL_BYTES:
                    return b"".join(chunks), f"more than {MAX_WALL_BYTES} bytes decompressed"
                chunks.append(chunk)
        except zstandard.ZstdError as error:
            problem = f"cannot be decompressed: {error}"
    return b"".join(chunks), problem


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


ANALYZER = Analyzer(
    name="chisel",
    version=1,
    paths=PathPattern(paths=frozenset({"var/lib/chisel/manifest.wall"})),
    parse=parse,
    max_bytes=16 * 1024 * 1024,  # real ones have 100 KB
)
