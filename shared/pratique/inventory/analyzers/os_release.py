"""The distribution: os-release in its two places, older files where there is none, and the repositories that apk installs from."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pratique.errors import InvalidRecord
from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.distribution import ALPINE_RELEASE, APK_REPOSITORIES, DEBIAN_VERSION, DISTRIBUTION_PATHS, ecosystem_of
from pratique.inventory.package import Distribution

MAX_VALUE = 200  # characters of a value: pretty names have 50; longer ones only fill reports

_ASSIGNMENT = re.compile(r"""([A-Z][A-Z0-9_]*)=(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([^"'\s]*))""")
_ESCAPED = re.compile(r"\\(.)")
_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_VERSION_ID = re.compile(r"[a-z0-9][a-z0-9._~+-]{0,63}")
_REPOSITORY = re.compile(r"(?:https?|ftp)://[^\s/]+/(?:[^\s/]+/){0,8}(edge|v\d+\.\d+)/main/?")


def parse(file: LayerFile) -> Iterator[Distribution]:
    """Yield the distribution that the file names.

    Raises InvalidRecord for an os-release without an ID. The other files may be silent, as they are in derived distributions: without
    os-release the distribution is unknown then, and with it nobody asks them.
    """
    text = file.content.decode("utf-8", "replace")
    found = _PARSERS.get(file.path, _parse_os_release)(text)
    if found is None:
        if file.path in _PARSERS:
            return
        raise InvalidRecord("names no distribution (ID)")
    distribution_id, version_id, pretty_name = found
    yield Distribution(
        id=distribution_id,
        version_id=version_id,
        pretty_name=pretty_name,
        ecosystem=ecosystem_of(distribution_id, version_id, pretty_name),
        path=file.path,
    )


_Found = tuple[str, str, str]


def _parse_os_release(text: str) -> _Found | None:
    """Read assignments as os-release(5) says: quotes and backslashes as in a shell, the last assignment wins, other lines are ignored.

    A missing ID means `linux` there; for us it means that the distribution is unknown.
    """
    values: dict[str, str] = {}
    for line in text.splitlines():
        match = _ASSIGNMENT.fullmatch(line.strip())
        if match:
            name, double, single, bare = match.groups()
            values[name] = single if single is not None else _ESCAPED.sub(r"\1", double if double is not None else bare)
    distribution_id = values.get("ID", "").lower()
    if not _ID.fullmatch(distribution_id):
        return None
    version_id = values.get("VERSION_ID", "").lower()
    pretty_name = "".join(character for character in values.get("PRETTY_NAME", "")[:MAX_VALUE] if character.isprintable())
    return distribution_id, version_id if _VERSION_ID.fullmatch(version_id) else "", pretty_name


def _parse_alpine_release(text: str) -> _Found | None:
    version = text[:MAX_VALUE].strip()
    return ("alpine", version, f"Alpine Linux {version}") if _VERSION_ID.fullmatch(version) else None


def _parse_debian_version(text: str) -> _Found | None:
    """Read `11.9`, or `trixie/sid` for what is not released yet (Ubuntu's copy says that as well: so no release is guessed)."""
    version = text[:MAX_VALUE].strip()
    if re.fullmatch(r"\d+\.\d+(?:\.\d+)?|\d+", version):
        major, _, rest = version.partition(".")
        release = major if int(major) >= 7 else f"{major}.{rest.split('.')[0]}"  # noqa: PLR2004 - Debian counted 6.0, then 7
        return "debian", release, f"Debian GNU/Linux {version}"
    return ("debian", "", f"Debian GNU/Linux {version}") if re.fullmatch(r"[a-z]+/sid", version) else None


def _parse_repositories(text: str) -> _Found | None:
    """Name the release of the `main` repository, if all lines without a tag agree on one. Other repositories give a package or two."""
    lines = (line.strip() for line in text.splitlines())
    releases = {match.group(1) for match in map(_REPOSITORY.fullmatch, lines) if match}
    if len(releases) != 1:
        return None
    version = releases.pop().removeprefix("v")
    return "alpine", version, f"Alpine Linux {version}"


_PARSERS = {ALPINE_RELEASE: _parse_alpine_release, DEBIAN_VERSION: _parse_debian_version, APK_REPOSITORIES: _parse_repositories}

ANALYZER = Analyzer(
    name="os-release",
    version=1,
    paths=PathPattern(paths=frozenset(DISTRIBUTION_PATHS)),
    parse=parse,
    max_bytes=64 * 1024,  # real ones are below 1 KB
)
