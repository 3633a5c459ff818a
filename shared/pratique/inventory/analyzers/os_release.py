"""The distribution: os-release in its places, older and other files where there is none, what repositories and Ubuntu Pro add to it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import msgspec

from pratique.errors import InvalidRecord
from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.distribution import (
    ALPINE_RELEASE,
    APK_REPOSITORIES,
    ARCH_RELEASE,
    DEBIAN_VERSION,
    DISTRIBUTION_PATHS,
    LSB_RELEASES,
    RELEASE_LINES,
    SYSTEM_RELEASE_CPE,
    UBUNTU_PRO,
    ecosystem_of,
    other_ecosystems_of,
)
from pratique.inventory.package import Distribution

MAX_VALUE = 200  # characters of a value: pretty names have 50; longer ones only fill reports

_ASSIGNMENT = re.compile(r"""([A-Z][A-Z0-9_]*)=(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([^"'\s]*))""")
_ESCAPED = re.compile(r"\\(.)")
_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_VERSION_ID = re.compile(r"[a-z0-9][a-z0-9._~+-]{0,63}")
_RELEASE_NUMBER = re.compile(r"\b\d{1,8}(?:\.\d{1,8}){0,3}\b")
_PATCH_LEVEL = re.compile(r"^PATCHLEVEL *= *(\d{1,2})\s*$", re.MULTILINE)
_CPE = re.compile(r"cpe:(?:/o|2\.3:o):([a-z_]{1,40}):([a-z_]{1,40}):(\d[\d.]{0,20})")
_REPOSITORY = re.compile(r"(?:https?|ftp)://[^\s/]+/(?:[^\s/]+/){0,8}(edge|v\d+\.\d+)/main/?")

_NAMES = (
    *(("red hat enterprise linux", "rhel"), ("centos", "centos"), ("rocky", "rocky"), ("alma", "almalinux"), ("oracle linux", "ol")),
    *(
        ("fedora", "fedora"),
        ("scientific linux", "scientific"),
        ("amazon linux", "amzn"),
        ("cloudlinux", "cloudlinux"),
        ("virtuozzo", "virtuozzo"),
    ),
    *(
        ("openeuler", "openeuler"),
        ("mageia", "mageia"),
        ("anolis os", "anolis"),
        ("eurolinux", "eurolinux"),
        ("miracle linux", "miraclelinux"),
    ),
    *(("vmware photon", "photon"), ("cbl-mariner", "mariner"), ("common base linux mariner", "mariner"), ("mariner", "mariner")),
    *(("microsoft azure linux", "azurelinux"), ("azure linux", "azurelinux"), ("azurelinux", "azurelinux")),
    *(("suse linux enterprise server", "sles"), ("suse linux enterprise desktop", "sled"), ("opensuse leap", "opensuse-leap")),
    *(("opensuse tumbleweed", "opensuse-tumbleweed"), ("opensuse", "opensuse"), ("sles", "sles")),
    *(("debian", "debian"), ("raspbian", "raspbian"), ("ubuntu", "ubuntu"), ("linuxmint", "linuxmint"), ("linux mint", "linuxmint")),
    *(("alpine", "alpine"), ("wolfi", "wolfi"), ("chainguard", "chainguard"), ("minimos", "minimos"), ("postmarketos", "postmarketos")),
    *(("arch linux", "arch"), ("manjaro", "manjaro"), ("endeavouros", "endeavouros"), ("artix", "artix"), ("gentoo", "gentoo")),
    *(("openwrt", "openwrt"), ("slackware", "slackware"), ("bottlerocket", "bottlerocket")),
)
"""How the distributions call themselves in other files than os-release: beginnings of names, in lower case, and their ids."""
_IDS = frozenset(distribution_id for _, distribution_id in _NAMES)

_CPE_VENDORS = {
    "almalinux": "almalinux",
    "amazon": "amzn",
    "centos": "centos",
    "fedoraproject": "fedora",
    "oracle": "ol",
    "redhat": "rhel",
    "rocky": "rocky",
    "scientificlinux": "scientific",
}
_PRO_SERVICES = {"esm-infra", "esm-apps"}


def parse(file: LayerFile) -> Iterator[Distribution]:
    """Yield the distribution that the file names.

    Raises InvalidRecord for an os-release that names none, and for a status of Ubuntu Pro that is no JSON object. The other files may be silent, as they
    are in derived distributions: without os-release the distribution is unknown then, and with it nobody asks them.
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
        other_ecosystems=other_ecosystems_of(distribution_id, version_id),
        path=file.path,
    )


_Found = tuple[str, str, str]


def _parse_os_release(text: str) -> _Found | None:
    """Take ID, or what NAME or a lone ID_LIKE means if it is missing.

    A missing ID means `linux` in os-release(5); for us it means that the distribution is unknown.
    """
    values = _assignments(text)
    distribution_id = values.get("ID", "").lower() or _id_of_name(values.get("NAME", ""))
    if not distribution_id and "NAME" not in values and values.get("ID_LIKE", "").lower() in _IDS:
        distribution_id = values["ID_LIKE"].lower()
    if not _ID.fullmatch(distribution_id):
        return None
    return distribution_id, _version(values.get("VERSION_ID", "")), _printable(values.get("PRETTY_NAME", ""))


def _parse_lsb_release(text: str) -> _Found | None:
    values = _assignments(text)
    distribution_id = _id_of_name(values.get("DISTRIB_ID", ""))
    if not distribution_id:
        return None
    version_id = _known_part(distribution_id, _version(values.get("DISTRIB_RELEASE", "")))
    return distribution_id, version_id, _printable(values.get("DISTRIB_DESCRIPTION", ""))


def _assignments(text: str) -> dict[str, str]:
    """Read assignments as os-release(5) says: quotes and backslashes as in a shell, the last assignment wins, other lines are ignored."""
    values: dict[str, str] = {}
    for line in text.splitlines():
        match = _ASSIGNMENT.fullmatch(line.strip())
        if match:
            name, double, single, bare = match.groups()
            values[name] = single if single is not None else _ESCAPED.sub(r"\1", double if double is not None else bare)
    return values


def _parse_release_line(text: str) -> _Found | None:
    """Read `CentOS release 6.10 (Final)`, `VMware Photon OS 3.0`, `SUSE Linux Enterprise Server 11 (x86_64)` with PATCHLEVEL in a line of its own."""
    line = _printable(text.lstrip().partition("\n")[0]).strip()
    distribution_id = _id_of_name(line)
    if not distribution_id:
        return None
    number = _RELEASE_NUMBER.search(line)
    version_id = _known_part(distribution_id, number.group()) if number else ""
    patch_level = _PATCH_LEVEL.search(text[:10_000])
    if patch_level and version_id and "." not in version_id:
        version_id = f"{version_id}.{patch_level.group(1)}" if int(patch_level.group(1)) else version_id
    return distribution_id, version_id, line


def _parse_cpe(text: str) -> _Found | None:
    match = _CPE.match(text.strip().lower())
    if match is None or match.group(1) not in _CPE_VENDORS:
        return None
    return _CPE_VENDORS[match.group(1)], match.group(3).rstrip("."), ""


def _parse_alpine_release(text: str) -> _Found | None:
    version = text[:MAX_VALUE].strip()
    return ("alpine", version, f"Alpine Linux {version}") if _VERSION_ID.fullmatch(version) else None


def _parse_arch_release(text: str) -> _Found | None:
    """Arch's file is empty: its being there is the message. Derived distributions write their names into it."""
    line = text[:MAX_VALUE].strip().lower()
    return ("arch", "", "Arch Linux") if not line or line.startswith("arch linux") else _parse_release_line(text)


def _parse_debian_version(text: str) -> _Found | None:
    """Read `11.9`, or `trixie/sid` for what is not released yet (Ubuntu's copy says that as well: so no release is guessed)."""
    version = text[:MAX_VALUE].strip()
    if re.fullmatch(r"\d{1,8}(?:\.\d{1,8}){0,2}", version):
        major, _, rest = version.partition(".")
        release = major if int(major) >= 7 or not rest else f"{major}.{rest.split('.')[0]}"  # noqa: PLR2004 - Debian counted 6.0, then 7
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


class _ProService(msgspec.Struct):
    name: str = ""
    status: str = ""


class _ProStatus(msgspec.Struct):
    services: list[_ProService] = msgspec.field(default_factory=list)


_PRO_STATUS = msgspec.json.Decoder(_ProStatus)


def _parse_pro_status(text: str) -> _Found | None:
    """Tell whether updates of Ubuntu Pro (ESM) are switched on. The file does not name the release."""
    try:
        status = _PRO_STATUS.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise InvalidRecord(f"expected the status of Ubuntu Pro: {error}") from error
    is_enabled = any(service.name in _PRO_SERVICES and service.status == "enabled" for service in status.services)
    return ("ubuntu", "", "Ubuntu Pro") if is_enabled else None


def _id_of_name(name: str) -> str:
    """The id of what a name begins with; a word that is an id itself means that."""
    text = name[:MAX_VALUE].strip().lower()
    if text in _IDS:
        return text
    return next((distribution_id for start, distribution_id in _NAMES if text.startswith(start)), "")


def _known_part(distribution_id: str, version_id: str) -> str:
    """What os-release would say: `2023` for Amazon Linux `2023.6.20241010`, `2.0` for Mariner `2.0.20220226`."""
    if distribution_id == "amzn" and version_id.startswith("202"):
        return version_id.partition(".")[0]
    if distribution_id in {"mariner", "azurelinux"}:
        return ".".join(version_id.split(".")[:2])
    return version_id


def _version(raw: str) -> str:
    version_id = raw.lower()
    return version_id if _VERSION_ID.fullmatch(version_id) else ""


def _printable(raw: str) -> str:
    return "".join(character for character in raw[:MAX_VALUE] if character.isprintable())


_PARSERS: dict[str, Callable[[str], _Found | None]] = {
    ALPINE_RELEASE: _parse_alpine_release,
    ARCH_RELEASE: _parse_arch_release,
    DEBIAN_VERSION: _parse_debian_version,
    SYSTEM_RELEASE_CPE: _parse_cpe,
    UBUNTU_PRO: _parse_pro_status,
    APK_REPOSITORIES: _parse_repositories,
    **dict.fromkeys(LSB_RELEASES, _parse_lsb_release),
    **dict.fromkeys(RELEASE_LINES, _parse_release_line),
}

ANALYZER = Analyzer(
    name="os-release",
    version=3,
    paths=PathPattern(paths=frozenset(DISTRIBUTION_PATHS)),
    parse=parse,
    max_bytes=256 * 1024,  # real ones are below 1 KB, the status of Ubuntu Pro 20 KB
)
