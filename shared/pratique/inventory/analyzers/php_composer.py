"""PHP packages as Composer installed them: `vendor/composer/installed.json`, Composer 1's list and Composer 2's object.

Packages for development are installed as well, so they count. A composer.lock says what should be installed and is not read, as by the peers in images.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from pratique.errors import InvalidRecord
from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._json_records import decode_json
from pratique.inventory.analyzers._language import Problems, checked_text, parent, resolve_path
from pratique.inventory.analyzers._wording import known_lines
from pratique.inventory.package import Package, PackageDetails

MAX_PACKAGES = 50_000  # the largest applications have 500; a million objects of two bytes would cost time

_WORD = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?")  # Composer is stricter on new names, old ones end in more
_TAG_PREFIX = re.compile(r"^[vV](?=[0-9])")


class _Installed(msgspec.Struct):
    packages: list[msgspec.Raw]


class _Package(msgspec.Struct, rename={"install_path": "install-path"}):
    name: str
    version: str
    type: str | None = None
    license: list[str] | str | None = None
    install_path: str | None = None


_FILE = msgspec.json.Decoder(list[msgspec.Raw] | _Installed)
_PACKAGE = msgspec.json.Decoder(_Package)


def parse(file: LayerFile) -> Iterator[Package | PackageDetails]:
    """Yield every package, in the order of the file, each with the directory it was installed into.

    The version is the pretty one without a leading `v`: `1.8.1` of the tag `v1.8.1`, `dev-main` of a branch.

    Raises InvalidRecord for what Composer could not read, after the readable packages if it is only some of them.
    """
    installed = decode_json(_FILE, file.content, "Composer's installed.json")
    entries = installed.packages if isinstance(installed, _Installed) else installed
    problems = Problems()
    for entry in entries[:MAX_PACKAGES]:
        try:
            package, details = _parse_package(decode_json(_PACKAGE, bytes(entry), "a package"), parent(file.path))
        except InvalidRecord as error:
            problems.add(error)
            continue
        yield package
        if details is not None:
            yield details
    if len(entries) > MAX_PACKAGES:
        raise InvalidRecord(f"more than {MAX_PACKAGES} packages")
    problems.raise_any()


def _parse_package(found: _Package, directory: str) -> tuple[Package, PackageDetails | None]:
    vendor, slash, name = found.name.lower().partition("/")
    if not slash:
        vendor, name = "", vendor
    raw = [found.license] if isinstance(found.license, str) else found.license or ()
    package = Package(
        type="composer",
        namespace=checked_text(vendor, "vendor of a package", _WORD) if slash else "",
        name=checked_text(name, "name of a package", _WORD),
        version=_TAG_PREFIX.sub("", checked_text(found.version, "version of a package")),
        ecosystem="Packagist",
        licenses=known_lines(raw),
    )
    root = _find_directory(found, directory)
    return package, PackageDetails(type="composer", name=name, version=package.version, directories=(root,)) if root else None


def _find_directory(found: _Package, directory: str) -> str:
    """Return where the package lies; nothing for a metapackage, and for a path that would take in the record itself, and so all packages."""
    if found.type == "metapackage":
        return ""
    path = resolve_path(directory, found.install_path) if found.install_path else resolve_path(parent(directory), found.name)
    return "" if f"{directory}/".startswith(f"{path}/") else path


ANALYZER = Analyzer(
    name="php-composer",
    version=1,
    paths=PathPattern(
        names=frozenset({"installed.json"}),
        accept=lambda path: f"/{path}".endswith(("/composer/installed.json", "/.composer/installed.json")),
    ),
    parse=parse,
    max_bytes=16 * 1024 * 1024,  # 500 packages have 2 MB
)
