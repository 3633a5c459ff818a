"""Conda's order of versions: `[epoch!]version[+local]`.

Source: the documentation of conda's `VersionOrder`. Components stand between dots and underscores and are cut into numbers and words, with a 0 before a
word that begins one. Missing ones count as 0. Words are lower than numbers, without regard to case; `dev` is the lowest, `post` the highest of all.
"""

from __future__ import annotations

import re
from typing import Any

from pratique.advisories.versions.padded import Key, padded
from pratique.advisories.versions.scheme import MAX_VERSION_LENGTH, refused

_VERSION = re.compile(r"(?:([0-9]+)!)?([0-9a-z*._]+)(?:\+([0-9a-z*._]+))?")
_RUN = re.compile(r"[0-9]+|\*+|[^0-9*]+")
_DEV = "DEV"  # above `*`, below every other word
_POST = (1, 0)
_ZERO = (0, (0, 0))


def key(version: str) -> tuple[int, Key, Key]:
    """Compute the sort key of a Conda package's version. Surrounding white space is not looked at.

    Raises InvalidVersion.
    """
    text = version.strip().lower() if len(version) <= MAX_VERSION_LENGTH else ""
    if "_" not in text:
        text = text.replace("-", "_")
    match = _VERSION.fullmatch(text)
    if match is None:
        raise refused("a Conda version", version)
    epoch, public, local = match.groups()
    parts = [_components(public), local.replace("_", ".").split(".") if local else []]
    if not all(component for part in parts for component in part):
        raise refused("a Conda version", version)
    return int(epoch or 0), _part(parts[0]), _part(parts[1])


def _components(text: str) -> list[str]:
    if text.endswith("_"):  # `1.0.2_` is there to come before `1.0.2a`: the last underscore is a word
        components = text[:-1].replace("_", ".").split(".")
        return [*components[:-1], components[-1] + "_"]
    return text.replace("_", ".").split(".")


def _part(components: list[str]) -> Key:
    return padded(_component(component) for component in components)


def _component(text: str) -> tuple[int, Any]:
    elements = [_element(run) for run in _RUN.findall(text)]
    if not text[0].isdigit():
        elements.insert(0, _ZERO)
    sign = next((sign for sign, _ in elements if sign), 0)
    return sign, padded(elements)


def _element(run: str) -> tuple[int, Any]:
    if run.isdigit():
        return (1, (0, int(run))) if run.strip("0") else _ZERO
    if run == "post":
        return 1, _POST
    return -1, (_DEV if run == "dev" else run)
