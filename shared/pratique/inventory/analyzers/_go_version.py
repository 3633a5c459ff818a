"""The version of a Go program's own module where the module list says `(devel)`: from what the linker was told, or from the revision it was built of.

As Trivy and Syft do it: `-X` flags of the linker set variables such as `main.version`; with `-trimpath` the flags are not recorded, but the symbol of the
string is (golang/go#63432). A revision becomes a pseudo-version, as `go get` would name it (golang.org/ref/mod#pseudo-versions).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from pratique.inventory.analyzers._elf import Elf
from pratique.inventory.analyzers._executable import Executable

MAX_FLAGS = 64 * 1024  # characters of linker flags: real ones have some hundred
MAX_VALUE = 128  # characters of a version, bytes of one in a symbol
MAX_ASSIGNMENT = 1024  # characters of one variable and its value

DEVEL = "(devel)"

_ENDING = b".str"
_SEPARATORS = re.compile(r"""[\s'"]+""")
_VARIABLES = ("version", "ver", "tag")
_PLAIN_VARIABLES = frozenset({"version", "ver"})
_VERSION = re.compile(r"v?\d+\.\d+\.\d+[-+.\w]*")
_OTHERS = re.compile(r"(?:go|api|schema|proto|protocol|chart|min\w*|max\w*|kube\w*|k8s\w*|docker)_?(?:version|ver|tag)")
_KNOWN_PACKAGES = frozenset({"main", "common", "version", "cmd"})
_PSEUDO = re.compile(r"v\d+\.\d+\.\d+-(?:.*\.)?(?:0\.)?\d{14}-[0-9a-f]{12}(?:\+.*)?")
_MAJOR = re.compile(r"[/.](v\d+)")
_REVISION_DIGITS = 12
_TIMESTAMP = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)")


def choose_main_version(path: str, recorded: str, settings: Mapping[str, str], executable: Executable) -> str:
    """The best that is known of the main module's version: a released one as recorded, else what the linker was told, else a pseudo-version; or empty."""
    recorded = "" if recorded == DEVEL else recorded
    if recorded and not _PSEUDO.fullmatch(recorded[:MAX_VALUE]):
        return recorded
    told = _choose(path, _flag_versions(settings.get("-ldflags", ""))) or _choose(path, _symbol_versions(executable))
    if told:
        return told if told.startswith("v") else f"v{told}"
    return recorded or _pseudo_version(path, settings.get("vcs.revision", ""), settings.get("vcs.time", ""))


def _flag_versions(flags: str) -> Iterator[tuple[str, str, str]]:
    """Package, variable and value of what the linker was to set, if it is a version: `-X main.version=1.2.3`, with any quotes, or `=` behind the `-X`."""
    for word in _SEPARATORS.split(flags[:MAX_FLAGS]):
        name, _, value = word[:MAX_ASSIGNMENT].removeprefix("-X=").partition("=")
        package, _, variable = name.rpartition(".")
        version = value.rpartition("/")[2]
        if package and len(version) <= MAX_VALUE and _VERSION.fullmatch(version):
            yield package, variable, version


def _symbol_versions(executable: Executable) -> Iterator[tuple[str, str, str]]:
    """The same from symbols such as `main.version.str`, which hold the text of a variable that the linker set."""
    if not isinstance(executable, Elf):
        return
    for symbol in executable.symbols(_ENDING):
        place = executable.at(symbol.address)
        if place is None or not 0 < symbol.size <= min(place.size, MAX_VALUE):
            continue
        text = executable.content[place.offset : place.offset + symbol.size].rstrip(b"\0").decode("ascii", "replace")
        package, _, variable = symbol.name.removesuffix(_ENDING).decode("utf-8", "replace").rpartition(".")
        if _VERSION.fullmatch(text):
            yield package.replace("%2e", "."), variable, text


def _choose(module: str, found: Iterable[tuple[str, str, str]]) -> str:
    """The version of the nearest rank, or empty if there are two at that rank."""
    ranked: dict[int, set[str]] = {}
    for package, variable, version in found:
        word = variable.lower()
        if word.endswith(_VARIABLES) and not _OTHERS.fullmatch(word):
            ranked.setdefault(_rank(module, package, word), set()).add(version)
    best = ranked[min(ranked)] if ranked else set()
    return next(iter(best)) if len(best) == 1 else ""


def _rank(module: str, package: str, variable: str) -> int:
    """How far a variable is from meaning the program: in its own packages before well-known names before any other, `version` before `gitVersion`."""
    own = package in {"main", module} or package.startswith(f"{module}/")
    known = package.rpartition("/")[2] in _KNOWN_PACKAGES
    return 2 * (0 if own else 1 if known else 2) + (0 if variable in _PLAIN_VARIABLES else 1)


def _pseudo_version(path: str, revision: str, time: str) -> str:
    moment = _TIMESTAMP.match(time)
    if not revision.isalnum() or moment is None:
        return ""
    major = _MAJOR.fullmatch(path[path.rfind("/v") :] if "/v" in path else path[path.rfind(".v") :])
    return f"{major[1] if major else 'v0'}.0.0-{''.join(moment.groups())}-{revision[:_REVISION_DIGITS]}"
