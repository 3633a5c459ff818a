"""`pratique where`: the images that a vulnerability is in, as a running pratique knows them."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Mapping
from typing import Any

from pratique.errors import LimitExceeded
from pratique.reports.printable import printable
from pratique_services.cli.main import EXIT_OK, EXIT_VIOLATED
from pratique_services.cli.server import ask

_PAGE = 200
_MAX_PAGES = 5_000  # a million images: bounds what a server can make us hold
_MAX_PACKAGES = 5  # shown of an image; all are in the JSON


def where(options: argparse.Namespace) -> int:
    """List the images. Exits 1 if there are any, 0 if there is none: an incident's first question, in a script."""
    found = asyncio.run(_find(options))
    if options.format == "json":
        print(json.dumps({"vulnerability": options.vulnerability, "images": found}, indent=2))
    elif found:
        for image in found:
            _print(image)
        print(f"{options.vulnerability} is in {len(found)} image{'s' if len(found) > 1 else ''}")
    else:
        print(f"{options.vulnerability} is in no image that was judged; of images whose verdict is incomplete not everything is known")
    return EXIT_VIOLATED if found else EXIT_OK


async def _find(options: argparse.Namespace) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    asked = {"vulnerability": options.vulnerability, "limit": str(_PAGE)}
    for _ in range(_MAX_PAGES):
        document = await ask(options, "GET", "where", params=asked)
        found += document["images"]
        if not document["next"]:
            return found
        asked["after"] = document["next"]
    raise LimitExceeded(f"more than {_MAX_PAGES * _PAGE} images: ask the API page by page")


def _print(image: Mapping[str, Any]) -> None:
    tags = ", ".join(printable(tag) for tag in image["tags"]) or "no tag points to it"
    print(printable(f"{image['host']}/{image['repository']}@{image['digest']}  ({tags})"))
    for package in image["packages"][:_MAX_PACKAGES]:
        fix = f"fixed in {printable(package['fixed_in'])}" if package["fixed_in"] else "no fix"
        print(f"    {package['severity']}: {printable(package['purl'])}, {fix}, since {package['since'][:10]}")
    if len(image["packages"]) > _MAX_PACKAGES:
        print(f"    and {len(image['packages']) - _MAX_PACKAGES} more packages")
