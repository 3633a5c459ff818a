"""Store paths of Nix: `/nix/store/HASH-NAME-VERSION[-OUTPUT]`, split as Nix splits them."""

from __future__ import annotations

import re

from pratique.inventory.package import Package, PackageDetails

STORE = "nix/store/"
"""Where the store lies, relative to the image's root. A store elsewhere needs its own Nix and its own packages; images have none."""

_STORE_NAME = re.compile(
    r"(?P<hash>[0-9a-df-np-sv-z]{32})-(?P<name>[A-Za-z0-9+?=._-]{1,211})", re.ASCII
)  # nix: `checkName`, base 32 without e o t u
_VERSION = re.compile(r"-(?![A-Za-z])")  # Nix manual, builtins.parseDrvName: the version follows the first dash that no letter follows
_OUTPUT = re.compile(
    r"(.+)-(bin|lib|dev|out|man|doc|info|static|debug|devdoc|devman|data|dist|py|python|lua|terminfo|getent|installer|modules|libgcc|jni|tools|mount|login|swap|libs|headers)"
)
_NOT_INSTALLED = re.compile(
    r"\.(drv|patch|diff|gem|crate|src\.rpm|zip|t[gbx]z2?|tar(\.[a-z0-9]+)?|sh|patch\.gz)$"
)  # what builds read and leave in the store


def parse_store_path(path: str) -> tuple[Package, PackageDetails] | None:
    """Read the package that a path at or below a store path belongs to; relative to the image's root, or absolute.

    None for names without a version (configuration, sources, scripts made by Nix) and for what only builds use (`.drv`, archives, patches). The output
    (`bin`, `dev`) is told by the names that nixpkgs gives them: a name may end in a word of its own.
    """
    below = path.removeprefix("/").removeprefix(STORE)
    found = _STORE_NAME.fullmatch(below.partition("/")[0])
    if found is None or _NOT_INSTALLED.search(found["name"]):
        return None
    split = _VERSION.search(found["name"])
    name, version = (found["name"][: split.start()], found["name"][split.end() :]) if split else ("", "")
    qualifiers = {"outputhash": found["hash"]}
    output = _OUTPUT.fullmatch(version)
    if output is not None:
        version, qualifiers["output"] = output.groups()
    if not name or not version:
        return None
    package = Package(type="nix", name=name, version=version, qualifiers=qualifiers)
    return package, PackageDetails(type="nix", name=name, version=version, directories=(STORE + found[0],))
