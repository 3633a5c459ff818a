"""A compiled advisory database of a realistic size that has something to say about the image: invented advisories, real names and versions."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pratique.advisories.schema import SCHEMA_VERSION
from tests.support.osv_mirror import make_affected, make_record, write_mirror

_EACH = 6  # advisories for each package of the image; every other one affects it
_ECOSYSTEMS = ("Go", "Maven", "PyPI", "npm")
_OTHERS = 20_000  # advisories for packages that are not in it
_REFERENCES = [{"type": "WEB", "url": f"https://advisories.example/{number}"} for number in range(3)]


def prepare_advisories(packages: Mapping[str, str], cache: Path) -> Path:
    """Give the database's file, compiled when there is none in the folder `cache`."""
    target = cache / f"advisories-{SCHEMA_VERSION}-{len(_ECOSYSTEMS)}.db"
    if not target.exists():
        print("compiling advisories", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            others: dict[str, list[dict[str, Any] | bytes]] = {ecosystem: list(_others(ecosystem)) for ecosystem in _ECOSYSTEMS}
            mirror = write_mirror(Path(folder), Debian=list(_debian(packages)), **others)
            command = [sys.executable, "-m", "pratique_services.cli", "advisories", "build", str(mirror), "-o", str(target)]
            subprocess.run(command, check=True, timeout=600, stdout=subprocess.DEVNULL)
    return target


def _debian(packages: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    number = 0
    for name, version in packages.items():
        for place in range(_EACH):
            number += 1
            fixed = f"{version}+deb12u9" if place % 2 else "0.0.1"
            yield _record(f"DEBIAN-CVE-2024-{number}", make_affected("Debian:12", name, {"introduced": "0"}, {"fixed": fixed}))
    yield from _others("Debian:12")


def _others(ecosystem: str) -> Iterator[dict[str, Any]]:
    for number in range(_OTHERS):
        affected = make_affected(ecosystem, f"no-such-package-{number}", {"introduced": "0"}, {"fixed": "1.2.3"})
        yield _record(f"TEST-{ecosystem.partition(':')[0].upper()}-2023-{number}", affected)


def _record(identifier: str, affected: Mapping[str, Any]) -> dict[str, Any]:
    return make_record(identifier, affected, summary=f"An invented weakness, number {identifier}", references=_REFERENCES)
