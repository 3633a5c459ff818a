"""What OSV records say of installed versions, read plainly: no code of pratique's, and versions compared by the ecosystem's own tool."""

from __future__ import annotations

import functools
import json
import re
import subprocess
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.version import Version

Compare = Callable[[str, str], bool]
"""Tells whether the first version is lower than the second."""


@dataclass(frozen=True, slots=True)
class Stated:
    """What one record says of one package. `fixed` are the versions that end a range."""

    record: str
    name: str
    ranges: tuple[tuple[str, str | None], ...]
    versions: tuple[str, ...]

    def affects(self, version: str, is_lower: Compare) -> bool:
        """Tell whether `version` is listed, or lies in a range."""
        return any(_is_same(version, other, is_lower) for other in self.versions) or any(
            (low == "0" or not is_lower(version, low)) and (high is None or is_lower(version, high)) for low, high in self.ranges
        )


def read_stated(archive: Path, ecosystem: str) -> Iterator[Stated]:
    """Yield what the records of an `all.zip` that are in force say of the packages of an ecosystem."""
    with zipfile.ZipFile(archive) as records:
        for member in records.namelist():
            record = json.loads(records.read(member))
            for affected in record["affected"] if "withdrawn" not in record else ():
                if affected["package"]["ecosystem"] == ecosystem:
                    yield Stated(record["id"], affected["package"]["name"], tuple(_ranges(affected)), tuple(affected.get("versions", ())))


def _is_same(version: str, listed: str, is_lower: Compare) -> bool:
    try:
        return not is_lower(version, listed) and not is_lower(listed, version)
    except ValueError:  # lists hold words that are no versions
        return version == listed


def _ranges(affected: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
    """Pairs of `introduced` and `fixed`; the extract has its events in order, and no other kinds of them."""
    for stated in affected.get("ranges", ()):
        if stated["type"] == "GIT":
            continue
        low: str | None = None
        for event in stated["events"]:
            match event:
                case {"introduced": str(version)}:
                    low = version
                case {"fixed": str(version)} if low is not None:
                    yield low, version
                    low = None
                case _:
                    raise AssertionError(f"a kind of event that this does not read: {event}")
        if low is not None:
            yield low, None


@functools.cache
def is_lower_for_dpkg(one: str, other: str) -> bool:
    """Ask dpkg itself; a version that it warns of fails."""
    done = subprocess.run(["dpkg", "--compare-versions", one, "lt", other], capture_output=True, text=True, check=False)
    assert done.stderr == "", done.stderr
    return done.returncode == 0


def is_lower_for_python(one: str, other: str) -> bool:
    """Ask the reference implementation of PEP 440."""
    return Version(one) < Version(other)


def normal_python_name(name: str) -> str:
    """PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()
