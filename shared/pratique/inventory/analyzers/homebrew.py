"""Homebrew: the kegs in its Cellar and the casks in its Caskroom, named by their directories.

- `Cellar/NAME/VERSION/INSTALL_RECEIPT.json`, and the formula that it was installed from, `.brew/NAME.rb`;
- `Caskroom/NAME/.metadata/VERSION/TIME/Casks/NAME.{rb,json}`.

Formulas below `Library/Taps` are what could be installed, and not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._recorded_paths import text_word
from pratique.inventory.analyzers._wording import known_lines
from pratique.inventory.package import Package, PackageDetails

_NAME, _VERSION = r"(?P<name>[^/]+)", r"(?P<version>[^/]+)"
_KEG = re.compile(rf"(?P<tree>(?:.*/)?Cellar/{_NAME}/{_VERSION})/(?:INSTALL_RECEIPT\.json|\.brew/(?P=name)\.rb)")
_CASK = re.compile(rf"(?P<tree>(?:.*/)?Caskroom/{_NAME})/\.metadata/{_VERSION}/[^/]+/Casks/(?P=name)\.(?:rb|json)")
_LICENSE = re.compile(rb'^  license "([^"\n]+)"', re.MULTILINE)
_FORMULA_BYTES = 64 * 1024  # of a formula that are searched for its licence, which stands among the first lines


def parse(file: LayerFile) -> Iterator[Package | PackageDetails]:
    """Yield the keg or cask, with its directory as its tree and, of a formula, its licence.

    The directory is what Homebrew itself goes by (`Formula#installed_kegs`): the content of the receipt may be broken. The version has the formula's revision, as in `1.67.0_1`.

    Raises InvalidRecord for directories with names that are none.
    """
    found = _KEG.fullmatch(file.path) or _CASK.fullmatch(file.path)
    if found is None:
        return
    name = text_word(found["name"], "name")
    version = text_word(found["version"], f"version of {name}")
    license_line = _LICENSE.search(file.content[:_FORMULA_BYTES]) if file.path.endswith(".rb") else None
    named = known_lines([license_line[1]] if license_line else [])
    yield Package(type="brew", name=name, version=version, licenses=named)
    yield PackageDetails(type="brew", name=name, version=version, directories=(found["tree"],), licenses=named)


def _is_wanted(path: str) -> bool:
    return ("Cellar/" in path and _KEG.fullmatch(path) is not None) or ("Caskroom/" in path and _CASK.fullmatch(path) is not None)


ANALYZER = Analyzer(
    name="homebrew",
    version=1,
    paths=PathPattern(names=frozenset({"INSTALL_RECEIPT.json"}), suffixes=(".rb", ".json"), accept=_is_wanted),
    parse=parse,
    max_bytes=_FORMULA_BYTES,
    head_bytes=_FORMULA_BYTES,
)
