"""What OSV records say of installed versions, read plainly: no code of pratique's, and versions compared by the ecosystem's own tool."""

from __future__ import annotations

import functools
import json
import re
import subprocess
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.version import Version

Compare = Callable[[str, str], bool]
"""Tells whether the first version is lower than the second."""

_RPM_ORDER = """%{lua:
    local answers = {}
    for line in io.lines() do
        local one, other = line:match("^(.-)\\t(.*)$")
        answers[#answers + 1] = rpm.vercmp(one, other)
    end
    print(table.concat(answers, " "))
}"""


@dataclass(frozen=True, slots=True)
class Stated:
    """What one record says of one package. `fixed` are the versions that end a range."""

    record: str
    name: str
    ranges: tuple[tuple[str, str | None], ...]
    versions: tuple[str, ...]
    closed: tuple[tuple[str, str], ...] = ()
    """Ranges of which the last version is affected, too."""

    def affects(self, version: str, is_lower: Compare) -> bool:
        """Tell whether `version` is listed, or lies in a range."""
        return (
            any(_is_same(version, other, is_lower) for other in self.versions)
            or any((low == "0" or not is_lower(version, low)) and (high is None or is_lower(version, high)) for low, high in self.ranges)
            or any((low == "0" or not is_lower(version, low)) and not is_lower(last, version) for low, last in self.closed)
        )


def read_stated(archive: Path, ecosystem: str) -> Iterator[Stated]:
    """Yield what the records of an `all.zip` that are in force say of the packages of an ecosystem."""
    with zipfile.ZipFile(archive) as records:
        for member in records.namelist():
            record = json.loads(records.read(member))
            for affected in record["affected"] if "withdrawn" not in record else ():
                if affected["package"]["ecosystem"] == ecosystem:
                    yield _stated(record["id"], affected)


def _stated(record: str, affected: Mapping[str, Any]) -> Stated:
    found = tuple(_ranges(affected))
    return Stated(
        record,
        affected["package"]["name"],
        tuple((low, version) for low, version, is_closed in found if not is_closed),
        tuple(affected.get("versions", ())),
        tuple((low, version or "") for low, version, is_closed in found if is_closed),
    )


def _is_same(version: str, listed: str, is_lower: Compare) -> bool:
    try:
        return not is_lower(version, listed) and not is_lower(listed, version)
    except ValueError:  # lists hold words that are no versions
        return version == listed


def _ranges(affected: Mapping[str, Any]) -> Iterator[tuple[str, str | None, bool]]:
    """`introduced`, the version that ends it, and whether that is a `last_affected`; the extract has its events in order, and no other kinds of them."""
    for stated in affected.get("ranges", ()):
        if stated["type"] == "GIT":
            continue
        low: str | None = None
        for event in stated["events"]:
            match event:
                case {"introduced": str(version)}:
                    low = version
                case {"fixed": str(version)} | {"last_affected": str(version)} if low is not None:
                    yield low, version, "last_affected" in event
                    low = None
                case _:
                    raise AssertionError(f"a kind of event that this does not read: {event}")
        if low is not None:
            yield low, None, False


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


def is_lower_for_semver(one: str, other: str) -> bool:
    """Compare as https://semver.org, section 11, says, field by field. A leading `v`, and fields that are not there, are taken as Go does; build metadata does not count."""
    (first, before), (second, after) = map(_semver_fields, (one, other))
    if first != second:
        return first < second
    if not before or not after:
        return bool(before) and not after
    for field, against in zip(before, after, strict=False):
        if field != against:
            if field.isdigit() and against.isdigit():
                return int(field) < int(against)
            return field.isdigit() if field.isdigit() != against.isdigit() else field < against
    return len(before) < len(after)


def _semver_fields(version: str) -> tuple[list[int], list[str]]:
    number, _, prerelease = version.removeprefix("v").partition("+")[0].partition("-")
    numbers = [int(field) for field in number.split(".")]
    return numbers + [0] * (3 - len(numbers)), prerelease.split(".") if prerelease else []


def order_of_rpm(pairs: Iterable[tuple[str, str]]) -> Compare:
    """Ask rpm itself, once, for the order of these pairs of `epoch:version-release`; the answer tells of no others."""
    asked = sorted(set(pairs))
    lines = "".join(f"{one}\t{other}\n" for one, other in asked)
    done = subprocess.run(["rpm", "--eval", _RPM_ORDER], input=lines, capture_output=True, text=True, check=True, timeout=60)
    answers = dict(zip(asked, map(int, done.stdout.split()), strict=True))
    return lambda one, other: answers[one, other] < 0
