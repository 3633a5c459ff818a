"""Composer's order of versions, for Packagist.

Sources: Composer's documentation, "Versions and constraints", and PHP's manual of `version_compare`, which Composer compares normalised versions with. A
version has four numbers (more are taken too: advisories have them), or is a date, and may end in a stability: dev < alpha < beta < RC < (none) < patch. A numeric branch, `1.x-dev`, is as high as its
versions can be. Named branches, `dev-master`, have no place among versions; here they come before all of them, and sort by name.
"""

from __future__ import annotations

import re

from pratique.advisories.versions.scheme import MAX_VERSION_LENGTH, refused

_MODIFIER = r"[._-]?(?:(stable|beta|b|rc|alpha|a|patch|pl|p)((?:[.-]?[0-9]+)*+)?)?([.-]?dev)?"
_CLASSIC = re.compile(rf"v?([0-9]{{1,5}}(?:\.[0-9]+){{0,7}}){_MODIFIER}", re.IGNORECASE | re.ASCII)
_DATE = re.compile(rf"v?([0-9]{{4}}(?:[.:-]?[0-9]{{2}}){{1,6}}(?:[.:-]?[0-9]{{1,3}})?){_MODIFIER}", re.IGNORECASE | re.ASCII)
_BRANCH = re.compile(r"v?([0-9]+(?:\.(?:[0-9]+|[x*])){0,3})[.-]?dev", re.IGNORECASE | re.ASCII)
_STABILITY_FLAG = re.compile(r"@(?:stable|rc|beta|alpha|dev)$", re.IGNORECASE | re.ASCII)
_BUILD = re.compile(r"([^,\s+]+)\+\S+")
_NAMED = re.compile(r"(?:(?:dev-)(\S+)|(master|trunk|default))", re.IGNORECASE | re.ASCII)

_BY_NAME, _DEV, _ALPHA, _BETA, _RC, _END, _NUMBER, _PATCH = range(8)
_STABILITIES = {"a": _ALPHA, "alpha": _ALPHA, "b": _BETA, "beta": _BETA, "rc": _RC, "p": _PATCH, "pl": _PATCH, "patch": _PATCH}
_WILD = 9_999_999  # what Composer puts for the `x` of a branch
_NUMBERS = 4

Key = tuple[int | str, ...]


def key(version: str) -> Key:
    """Compute the sort key of a version of a Composer package. Surrounding white space is not looked at.

    Raises InvalidVersion.
    """
    text = _STABILITY_FLAG.sub("", version.strip()) if len(version) <= MAX_VERSION_LENGTH else ""
    named = _NAMED.fullmatch(text)
    if named is not None:
        return _BY_NAME, named[1] or named[2]
    built = _BUILD.fullmatch(text)
    numeric = _numeric(built[1] if built else text)
    if numeric is None:
        raise refused("a Composer version", version)
    return numeric


def _numeric(text: str) -> Key | None:
    if match := _CLASSIC.fullmatch(text):
        numbers = match[1].split(".")
        return _joined(numbers + ["0"] * (_NUMBERS - len(numbers)), match)
    if match := _DATE.fullmatch(text):
        return _joined(re.split(r"[.:-]", match[1]), match)
    if match := _BRANCH.fullmatch(text):
        numbers = match[1].split(".")
        wild = [int(number) if number.isdigit() else _WILD for number in numbers] + [_WILD] * (_NUMBERS - len(numbers))
        return (*(value for number in wild for value in (_NUMBER, number)), _DEV, _END)
    return None


def _joined(numbers: list[str], match: re.Match[str]) -> Key:
    stability, counts, dev = match[2], match[3], match[4]
    values: list[int] = [value for number in numbers for value in (_NUMBER, int(number))]
    if stability and stability.lower() == "stable":
        return (*values, _END)
    if stability:
        values.append(_STABILITIES[stability.lower()])
        values += (value for count in re.findall(r"[0-9]+", counts or "") for value in (_NUMBER, int(count)))
    if dev:
        values.append(_DEV)
    return (*values, _END)
