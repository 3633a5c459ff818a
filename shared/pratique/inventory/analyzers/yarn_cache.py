"""Node packages that yarn keeps zipped: `.yarn/cache/*.zip` of a project, `.yarn/berry/cache/*.zip` of a user.

With Plug'n'Play, yarn's default since version 2, Node runs packages out of these archives and there is no `node_modules`; `.pnp.cjs` only says which archive serves whom.
What yarn had to unpack (`.yarn/unplugged`) has a `package.json` of its own. Each archive holds one package, at `node_modules/NAME/`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pratique.errors import InvalidRecord
from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._package_json import parse_package_json
from pratique.inventory.analyzers._zip import ZipBudget, ZipLimits, open_zip
from pratique.inventory.package import Package, PackageDetails

MAX_PACKAGE_JSON = 16 * 1024 * 1024  # as the analyzer of unpacked ones

_CACHES = ("/.yarn/cache", "/.yarn/berry/cache")
_PACKAGE_JSON = re.compile(r"node_modules/(?:@[^/]+/)?[^/@][^/]*/package\.json")
_LIMITS = ZipLimits(held_entries=10)  # an archive holds one package
_INFLATED = 64 * 1024 * 1024  # what one archive may cost in time


def parse(file: LayerFile) -> Iterator[Package | PackageDetails]:
    """Yield the archive's package, and that the archive is its.

    Raises InvalidRecord for an archive without one, or that cannot be read: yarn could not run it either. LimitExceeded beyond the limits.
    """
    wanted = _PACKAGE_JSON.fullmatch
    archive = open_zip(file.content, _LIMITS, budget=ZipBudget(inflated_bytes=_INFLATED), wanted=lambda name: wanted(name) is not None)
    packages = [parse_package_json(archive.read(name, MAX_PACKAGE_JSON)) for name in archive.names()]
    if not packages:
        raise InvalidRecord("expected a zipped package, got an archive without a package.json in node_modules")
    for package in packages:
        if package is not None:
            yield package
            yield PackageDetails(type="npm", name=package.matching_name, version=package.version, files=((file.path, ""),))


ANALYZER = Analyzer(
    name="yarn-cache",
    version=1,
    paths=PathPattern(suffixes=(".zip",), accept=lambda path: f"/{path}".rpartition("/")[0].endswith(_CACHES)),
    parse=parse,
    max_bytes=128 * 1024 * 1024,  # typescript has 25 MB, the largest (prebuilt binaries) 100 MB
)
