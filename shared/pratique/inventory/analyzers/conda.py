"""Conda (also mamba, pixi): `conda-meta/NAME-VERSION-BUILD.json` in each environment."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import msgspec

from pratique.errors import LimitExceeded
from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._json_records import decode_json
from pratique.inventory.analyzers._recorded_paths import MAX_FILES, hex_digest, owned_path, text_word
from pratique.inventory.analyzers._wording import known_lines
from pratique.inventory.package import Package, PackageDetails

MAX_VALUES = 1_000_000  # of one record, six a file: each path is held three times

_PATH = re.compile(r"(?:(?P<root>.*)/)?conda-meta/[^/]+-[^/-]+-[^/-]+\.json")  # conda: `PrefixData.load` wants two dashes


class _Path(msgspec.Struct, gc=False):
    path: str = msgspec.field(name="_path", default="")
    sha256: str | None = None
    sha256_in_prefix: str | None = None


class _PathsData(msgspec.Struct):
    paths: list[_Path] | None = None


class _Record(msgspec.Struct):
    name: str = ""
    version: str = ""
    build: str | None = None
    channel: str | None = None
    subdir: str | None = None
    license: str | None = None
    files: list[str] | None = None
    paths_data: _PathsData | None = None


_DECODER = msgspec.json.Decoder(_Record)


def parse(file: LayerFile) -> Iterator[Package | PackageDetails]:
    """Yield the package, with the files that it linked into the environment.

    The digest is that of the file as it lies there: conda writes the environment's path into some (`sha256_in_prefix`, where the record has it).
    The package's own version is no version of PyPI's, even of Python packages, which have a `dist-info` of their own among the files.

    Raises InvalidRecord for what is no such record, LimitExceeded for more than MAX_FILES files.
    """
    found = _PATH.fullmatch(file.path)
    if found is None:
        return
    record = decode_json(_DECODER, file.content, "a record of conda's", MAX_VALUES)
    name = text_word(record.name, "name")
    version = text_word(record.version, f"version of {name}")
    yield Package(type="conda", name=name, version=version, qualifiers=_qualifiers(record), licenses=known_lines([record.license]))
    files = _files(record, found["root"] or "")
    if files:
        yield PackageDetails(type="conda", name=name, version=version, files=tuple(files.items())[:MAX_FILES])
    if len(files) > MAX_FILES:
        raise LimitExceeded(f"more than {MAX_FILES} files of {name}")


def _qualifiers(record: _Record) -> Mapping[str, str]:
    """`build`, `channel` and `subdir` as purl-spec has them for conda; a channel given by its address goes by the last words of it (`pkgs/main`)."""
    channel = (record.channel or "").rstrip("/").removesuffix(f"/{record.subdir}")
    if "://" in channel:
        channel = channel.partition("://")[2].partition("/")[2]
    stated = {"build": record.build, "channel": channel.removeprefix("pkgs/"), "subdir": record.subdir}
    return {key: text_word(value, key) for key, value in stated.items() if value}


def _files(record: _Record, root: str) -> Mapping[str, str]:
    files = {owned_path(root, path): "" for path in record.files or ()}
    for entry in record.paths_data.paths or () if record.paths_data else ():
        files[owned_path(root, entry.path)] = hex_digest("sha256", entry.sha256_in_prefix or entry.sha256)
    files.pop("", None)
    return files


ANALYZER = Analyzer(
    name="conda",
    version=1,
    paths=PathPattern(suffixes=(".json",), accept=lambda path: "conda-meta/" in path and _PATH.fullmatch(path) is not None),
    parse=parse,
    max_bytes=48 * 1024 * 1024,  # 300 bytes a file: the longest have 100,000 files
)
