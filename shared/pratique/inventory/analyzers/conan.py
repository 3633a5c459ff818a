"""C and C++ packages in a cache of Conan 1: `conaninfo.txt` of each, and `conanmanifest.txt` with its files.

The place names the package: `.conan/data/zlib/1.2.13/_/_/package/ID/`, where `_` stands for no user and no channel. `[full_requires]` in it names what it was built with,
down to the revision; much of that is linked in. Conan 2 keeps names in a database and not in paths: its packages cannot be named from these files, which is a gap.
`conan.lock` and `conanfile.txt` say what a project wants, not what is there; Syft and Trivy leave them out in images as well.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

from pratique.errors import InvalidRecord, LimitExceeded
from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._records import checked_word
from pratique.inventory.package import Package, PackageDetails

MAX_FILES = 100_000  # of one package: boost, the largest, has 16,000
MAX_REQUIRES = 10_000

_PLACE = re.compile(
    r"(?:.*/)?(?P<name>[^/]+)/(?P<version>[^/]+)/(?P<user>[^/]+)/(?P<channel>[^/]+)/(?:package/[^/]+|export)/conan(?:info|manifest)\.txt"
)
_REFERENCE = re.compile(
    r"(?P<name>[^/@#:%\s]+)/(?P<version>[^/@#:%\s]+)(?:@(?:(?P<user>[^/@#:%\s]+)/(?P<channel>[^/@#:%\s]+))?)?(?:[#:%].*)?"
)
_MD5 = re.compile(rb"[0-9a-f]{32}")
_NONE = "_"


def parse(file: LayerFile) -> Iterator[Package | PackageDetails]:
    """Yield the package and those that it was built with, or its files with their MD5.

    Raises InvalidRecord after the readable ones for a package that cannot be named, and LimitExceeded for one that claims too much.
    """
    place = _PLACE.fullmatch(file.path)
    if file.path.endswith("/conanmanifest.txt"):
        if place is not None:
            yield from _parse_manifest(file, place)
        return
    problem = "" if place is not None else "expected the path of a package of Conan 1; those of Conan 2 are named in its database only"
    if place is not None:
        yield _package(place)
    for number, line in enumerate(_read_section(file.content, b"[full_requires]")):
        if number >= MAX_REQUIRES:
            raise LimitExceeded(f"more than {MAX_REQUIRES} requirements")
        reference = _REFERENCE.fullmatch(line)
        if reference is None:
            problem = problem or f"expected a reference to a package, got {line[:40]!r}"
        else:
            yield _package(reference)
    if problem:
        raise InvalidRecord(problem)


def _package(found: re.Match[str]) -> Package:
    user, channel = (value if value and value != _NONE else "" for value in (found["user"], found["channel"]))
    return Package(
        type="conan",
        name=checked_word(found["name"].encode(), "name"),
        version=checked_word(found["version"].encode(), "version"),
        namespace=checked_word(user.encode(), "user") if user else "",
        ecosystem="ConanCenter",
        qualifiers={"channel": checked_word(channel.encode(), "channel")} if channel else {},
    )


def _parse_manifest(file: LayerFile, place: re.Match[str]) -> Iterator[PackageDetails]:
    """The first line is the time; the others are a path, a colon and an MD5."""
    directory = file.path.rpartition("/")[0]
    files: dict[str, str] = {file.path: ""}
    for line in io.BytesIO(file.content):
        path, colon, digest = line.strip().rpartition(b": ")
        name = path.decode("utf-8", "replace")
        if colon and _MD5.fullmatch(digest) and name and ".." not in name.split("/") and not name.startswith("/"):
            files[f"{directory}/{name}"] = f"md5:{digest.decode()}"
        if len(files) > MAX_FILES:
            break
    yield PackageDetails(type="conan", name=place["name"], version=place["version"], files=tuple(files.items()))
    if len(files) > MAX_FILES:
        raise LimitExceeded(f"more than {MAX_FILES} files")


def _read_section(content: bytes, section: bytes) -> Iterator[str]:
    is_inside = False
    for raw in io.BytesIO(content):
        line = raw.strip()
        if line.startswith(b"["):
            is_inside = line == section
        elif is_inside and line and not line.startswith(b"#"):
            yield line.decode("utf-8", "backslashreplace")


ANALYZER = Analyzer(
    name="conan",
    version=1,
    paths=PathPattern(names=frozenset({"conaninfo.txt", "conanmanifest.txt"})),
    parse=parse,
    max_bytes=8 * 1024 * 1024,  # boost has 2 MB
)
