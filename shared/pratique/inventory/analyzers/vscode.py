"""Extensions of Visual Studio Code and of the editors made from it (code-server, openvscode-server, VSCodium): `…/extensions/FOLDER/package.json`.

Installed ones lie in folders such as `ms-python.python-2024.2.1-linux-x64` of a user's directory, the editor's own in folders such as `git` beside it. The file is told
from the other `package.json` of this world by what the editors ask of it (vscode, `validateExtensionManifest`): `engines.vscode`, and a publisher that is a text or
missing. What they would not load, for that or for want of a name or a version, is none; they ignore folders that begin with a dot, which an interrupted installation leaves.
What is no JSON is a gap, but deeper inside an npm package it is one of that package's own files.

OSV writes `publisher.name` in the ecosystem `VSCode`, and adds a URL to that for another marketplace than Microsoft's. Which one an extension came from is not recorded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import msgspec

from pratique.errors import InvalidRecord
from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._json_records import decode_json
from pratique.inventory.analyzers._language import checked_text, parent
from pratique.inventory.analyzers._package_json import parse_package_json
from pratique.inventory.analyzers._wording import one_line
from pratique.inventory.package import Package, PackageDetails

_PLATFORM = re.compile(r"(?:alpine|darwin|linux|win32)-(?:arm64|armhf|ia32|x64)|web")  # `universal` is purl's default; others say nothing
_NO_PUBLISHER = "undefined_publisher"  # as the editors call it
_NO_SLASH = re.compile(r"[^/]+")  # the slash separates parts of a package URL


class _Engines(msgspec.Struct):
    vscode: str


class _Metadata(msgspec.Struct):
    target_platform: str = msgspec.field(default="", name="targetPlatform")
    publisher: str = msgspec.field(default="", name="publisherDisplayName")


class _Manifest(msgspec.Struct):
    engines: msgspec.Raw = msgspec.Raw(b"null")
    publisher: msgspec.Raw = msgspec.Raw(b"null")
    metadata: msgspec.Raw = msgspec.field(default=msgspec.Raw(b"null"), name="__metadata")


_MANIFEST = msgspec.json.Decoder(_Manifest)
_ENGINES = msgspec.json.Decoder(_Engines)
_PUBLISHER = msgspec.json.Decoder(str | None)
_METADATA = msgspec.json.Decoder(_Metadata)


def parse(file: LayerFile) -> Iterator[Package | PackageDetails]:
    """Yield the extension, if the file describes one, with its folder as its tree.

    Raises InvalidRecord for what is no JSON object and for names that cannot stand in a package URL, LimitExceeded.
    """
    try:
        package = _parse_extension(file)
    except InvalidRecord:
        if "/node_modules/" in f"/{file.path}":
            return
        raise
    if package is None:
        return
    yield package
    name = f"{package.namespace}/{package.name}"
    yield PackageDetails(type=package.type, name=name, version=package.version, directories=(parent(file.path),))


def _parse_extension(file: LayerFile) -> Package | None:
    manifest = decode_json(_MANIFEST, file.content, "an extension's package.json")
    try:
        _ENGINES.decode(manifest.engines)
        publisher = _PUBLISHER.decode(manifest.publisher)
    except (msgspec.DecodeError, RecursionError, UnicodeError):  # the editors load no such thing
        return None
    package = parse_package_json(file.content)
    if package is None:
        return None
    if package.namespace:
        raise InvalidRecord(f"expected an extension's name, got one with the scope {package.namespace[:40]!r}")
    metadata = _read_metadata(manifest.metadata)
    in_folder = parent(file.path).rpartition(f"-{package.version}-")[2]
    platform = next((one for one in (metadata.target_platform, in_folder) if _PLATFORM.fullmatch(one)), "")
    return replace(
        package,
        type="vscode-extension",
        namespace=checked_text(publisher or _NO_PUBLISHER, f"publisher of {package.name}", _NO_SLASH),
        ecosystem="VSCode",
        qualifiers={"platform": platform} if platform else {},
        vendor=one_line(metadata.publisher) or package.vendor,
    )


def _read_metadata(raw: msgspec.Raw) -> _Metadata:
    """What the editor added when it installed the extension; of another form it says nothing."""
    try:
        return _METADATA.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return _Metadata()


def _is_wanted(path: str) -> bool:
    above, _, folder = path.removesuffix("/package.json").rpartition("/")
    return f"/{above}".endswith("/extensions") and not folder.startswith(".") and folder != "node_modules"


ANALYZER = Analyzer(
    name="vscode",
    version=1,
    paths=PathPattern(names=frozenset({"package.json"}), accept=_is_wanted),
    parse=parse,
    max_bytes=16 * 1024 * 1024,  # as for npm's; the largest extensions' have some 500 KB, with all their settings
)
