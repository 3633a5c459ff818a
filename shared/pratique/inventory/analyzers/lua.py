"""Lua rocks: LuaRocks keeps each in `rocks-5.1/NAME/VERSION/`, with its rockspec and a `rock_manifest` of the files that it installed.

Name and version are those of the directories, by which LuaRocks itself finds a rock; a rockspec is Lua and may compute them. Rockspecs elsewhere are sources.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pratique.errors import InvalidRecord
from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._language import below, checked_text, parent, resolve_path, unescape, with_files
from pratique.inventory.analyzers._wording import known_lines
from pratique.inventory.package import Package, PackageDetails

MAX_DEPTH = 40  # directories of an installed module in each other; protects the memory of the path that is built

_ROCK = re.compile(r"(?:(.*)/)?lib/luarocks/rocks(?:-([0-9.]+))?/([^/]+)/([^/]+)/(?:rock_manifest|\3-\4\.rockspec)")
_ANY_ROCK = re.compile(r"(?:.*/)?rocks(?:-[0-9.]+)?/([^/]+)/([^/]+)/(?:rock_manifest|\1-\2\.rockspec)")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+]*-[0-9]+")
_LICENSE = re.compile(rb"^[^\n]{0,400}?\blicense\s{0,20}=\s{0,20}(?:\"([^\"\n]{1,400})\"|'([^'\n]{1,400})')", re.MULTILINE)
_TOKEN = re.compile(
    r"""\s*+(?:(?P<open>(?:(?P<name>[A-Za-z_]\w*)|\[\s*"(?P<quoted>(?:[^"\\]++|\\.){0,4096}+)"\s*\])\s*=\s*\{)|(?P<close>\}\s*+[,;]?)"""
    r"""|(?:(?P<file>[A-Za-z_]\w*)|\[\s*"(?P<quoted_file>(?:[^"\\]++|\\.){0,4096}+)"\s*\])\s*=\s*"(?P<digest>[^"\\]*)"\s*+[,;]?)""",
    re.DOTALL,
)
_OPENING = re.compile(r"\s*+rock_manifest\s*+=\s*+\{")
_MD5 = re.compile(r"[0-9a-f]{32}")


def parse(file: LayerFile) -> Iterator[Package | PackageDetails]:
    """Yield the rock for its rockspec, and its files with their MD5 for its rock_manifest.

    Raises InvalidRecord for a directory's name that LuaRocks would not give, and for a rock_manifest that it has not written.
    """
    match = _ANY_ROCK.fullmatch(file.path)
    if match is None:
        return
    name = checked_text(match[1].lower(), "name of a rock", _NAME)
    version = checked_text(match[2], "version of a rock", _VERSION)
    if file.path.endswith(".rockspec"):
        found = _LICENSE.search(file.content)
        raw = (found[1] or found[2]) if found else b""
        yield Package(type="luarocks", name=name, version=version, licenses=known_lines([raw]))
        yield PackageDetails(type="luarocks", name=name, version=version, directories=(parent(file.path),))
    else:
        details = PackageDetails(type="luarocks", name=name, version=version)
        yield from with_files(details, _read_manifest(file.content.decode("utf-8", "replace"), _Places(file.path)))


class _Places:
    """Where LuaRocks puts the parts of a rock: modules and commands out of the rock's own directory."""

    def __init__(self, path: str) -> None:
        self.own = parent(path)
        match = _ROCK.fullmatch(path)
        root, lua = (match[1] or "", match[2] or "") if match else ("", "")
        self.parts = {"bin": below(root, "bin")} if match else {}
        if lua:
            self.parts |= {"lua": below(root, f"share/lua/{lua}"), "lib": below(root, f"lib/lua/{lua}")}

    def locate(self, directories: list[str], name: str) -> str:
        """Return the path of a file of the manifest, empty for one that would lie outside."""
        place = self.parts.get(directories[0], below(self.own, directories[0])) if directories else self.own
        return resolve_path(place, "/".join([*directories[1:], name]))


def _read_manifest(text: str, places: _Places) -> Iterator[tuple[str, str]]:
    """Walk through `rock_manifest = {lua = {["a.lua"] = "md5", sub = {…}}, …}`."""
    match = _OPENING.match(text)
    position = match.end() if match else 0
    directories = ["rock_manifest"] if match else []
    while directories and (match := _TOKEN.match(text, position)):
        position = match.end()
        if match["open"]:
            directories.append(match["name"] or unescape(match["quoted"]))
        elif match["close"]:
            del directories[-1:]
        elif path := places.locate(directories[1:], match["file"] or unescape(match["quoted_file"])):
            yield path, f"md5:{match['digest']}" if _MD5.fullmatch(match["digest"]) else ""
        if len(directories) > MAX_DEPTH:
            raise InvalidRecord(f"rock_manifest deeper than {MAX_DEPTH} directories")
    if directories or not position or text[position:].strip():
        raise InvalidRecord(f"expected a rock_manifest, got {text[position : position + 40]!r}")


ANALYZER = Analyzer(
    name="lua",
    version=1,
    paths=PathPattern(
        names=frozenset({"rock_manifest"}),
        suffixes=(".rockspec",),
        accept=lambda path: "rocks" in path and _ANY_ROCK.fullmatch(path) is not None,
    ),
    parse=parse,
    max_bytes=4 * 1024 * 1024,  # a rock of 1,000 modules has 80 KB
)
