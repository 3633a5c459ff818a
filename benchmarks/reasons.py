"""Why inventories differ: the rules that explain every difference between pratique's list and its peers'."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.bills import Key

_NO_VERSION = frozenset({"", "(devel)", "UNKNOWN", "unknown"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A package that `tools` list and the other side does not, and what that lists of the same files `instead`."""

    key: Key
    paths: tuple[str, ...]
    tools: tuple[str, ...]
    instead: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Reason:
    """A rule and what it says. The first that fits counts."""

    text: str
    fits: Callable[[Difference], bool]


MISSED = (
    Reason(
        "manifests of Node.js without a version, inside another package: they say which file to load and are no packages",
        lambda one: one.key[0] == "npm" and not one.key[2],
    ),
    Reason(
        "the main program of a Go binary whose build information has no version: pratique lists it without one, "
        "Syft as `(devel)` or with a number that it finds in the program's text (0.0.2 of `cosign/v3`, which cannot be its version)",
        lambda one: one.key[0] == "golang" and bool(one.instead),
    ),
    Reason(
        "the same jar under other coordinates: without a `pom.properties` a jar does not say them, and each tool guesses. "
        "Not all guesses of pratique are right: the last section has those that are not",
        lambda one: one.key[0] == "maven" and any(other[2] not in _NO_VERSION for other in one.instead),
    ),
    Reason(
        "a jar that says no version, of a package of the distribution, which is listed",
        lambda one: one.key[0] == "maven" and one.key[2] in _NO_VERSION and not one.instead,
    ),
)

ALONE = (
    Reason(
        "the other side of the above: the same program or jar as the peers list, otherwise named",
        lambda one: bool(one.instead),
    ),
    Reason(
        "what an SBOM in the image says: here that of a wheel, of the libraries compiled into it",
        lambda one: any("/sboms/" in path or path.endswith((".cdx.json", ".spdx.json")) for path in one.paths),
    ),
    Reason(
        "a runtime recognised by its own record (the `release` file of a JVM)",
        lambda one: any(path.endswith("/release") for path in one.paths),
    ),
    Reason(
        "programs and libraries recognised by what is in the file, whoever installed them",
        lambda one: one.key[0] in {"generic", "github"},
    ),
    Reason(
        "a mistake of pratique: a jar listed a second time, by its manifest, beside what its `pom.properties` says",
        lambda one: one.key[0] == "maven" and "geronimo-validation-1.1-spec" in one.key[1],
    ),
)
