"""ELF files that say which package they were built for: the packaging note, as Fedora, Ubuntu, systemd and others link it in.

Source: systemd's "Package Metadata for Executable Files" (uapi-group.org, "ELF package metadata"). The name is that of the source package, where the
distribution's own records name the one installed: of a file that an OS package owns, that package says more. `purl`, `cpe` and `license` are
Syft's additions. A note without name and version says nothing and is silence, as in Syft; one that is no JSON is a gap.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._elf import Elf, open_elf
from pratique.inventory.analyzers._executable import ELF_MAGIC, Section
from pratique.inventory.analyzers._json_records import decode_json
from pratique.inventory.analyzers._language import checked_text
from pratique.inventory.analyzers._wording import known_lines, one_line
from pratique.inventory.package import Package

MAX_BYTES = 128 * 1024 * 1024  # the reading process has 512 MB
HEAD_BYTES = 1024 * 1024  # of larger files: linkers put notes at the beginning
MAX_NOTE = 64 * 1024  # bytes: real ones have some hundred

_SECTION = b".note.package"
_OWNER, _KIND = b"FDO\0", 0xCAFE1A7E
_TYPES = frozenset({"deb", "rpm", "apk", "alpm"})
_ENCODED = b"%7B"  # linkers took the text percent-encoded, and older ones kept it so
_OS_CPE = re.compile(r"cpe:(?:/o|2\.3:o):[^:]*:(?P<id>[a-z0-9_.-]+):(?P<version>[^:*]*)")
_CPE = re.compile(r"cpe:2\.3:[aoh](?::[^:\s]+){10}")


class _Note(msgspec.Struct, rename="camel"):
    type: str = ""
    name: str = ""
    version: str = ""
    architecture: str = ""
    os: str = ""
    os_version: str = ""
    os_cpe: str = ""
    vendor: str = ""
    maintainer: str = ""
    cpe: str = msgspec.field(name="cpe", default="")
    app_cpe: str = ""
    license: str = ""


_DECODER = msgspec.json.Decoder(_Note)


def parse(file: LayerFile) -> Iterator[Package]:
    """Yield the package that the file was built for, if it says so.

    Raises InvalidRecord for a note that is no JSON object or holds no valid name or version.
    """
    elf = open_elf(file.content)
    payload = _find_note(elf) if elf is not None else None
    if elf is None or payload is None:
        return
    text = elf.content[payload.offset : payload.offset + min(payload.size, MAX_NOTE)].strip(b"\0")
    text = _decoded(text) if text.startswith(_ENCODED) else text
    note = decode_json(_DECODER, text, "a packaging note") if text else _Note()
    if note.name and note.version:
        yield _package(note)


def _decoded(text: bytes) -> bytes:
    from urllib.parse import unquote_to_bytes

    return unquote_to_bytes(text)


def _find_note(elf: Elf) -> Section | None:
    if not elf.has_sections:
        return next(elf.notes(_OWNER, _KIND), None)
    area = elf.section(_SECTION)
    if area is None or elf.content.startswith(b"{", area.offset):  # bare JSON, as objcopy adds it
        return area
    return next(elf.notes_in(area, _OWNER, _KIND), None)


def _package(note: _Note) -> Package:
    release = _release(note)
    return Package(
        type=note.type if note.type in _TYPES else "generic",
        namespace=checked_text(release[0], "name of a distribution") if release[0] else "",
        name=checked_text(note.name, "name of a package"),
        version=checked_text(note.version, f"version of {note.name}"),
        architecture=checked_text(note.architecture, "architecture") if note.architecture else "",
        qualifiers={"distro": checked_text("-".join(filter(None, release)), "name of a distribution")} if release[0] else {},
        vendor=one_line(note.vendor or note.maintainer),
        licenses=known_lines((note.license,)),
        cpes=tuple(cpe for cpe in (note.cpe, note.app_cpe) if _CPE.fullmatch(cpe)),
    )


def _release(note: _Note) -> tuple[str, str]:
    """The distribution's id and version, from its own fields or else from its CPE, whose product Fedora's and others' ids equal."""
    cpe = _OS_CPE.match(note.os_cpe)
    if note.os or cpe is None:
        return note.os.lower(), note.os_version if note.os else ""
    return cpe["id"], cpe["version"]


ANALYZER = Analyzer(
    name="elf-package",
    version=2,
    paths=PathPattern(magics=(ELF_MAGIC,)),
    parse=parse,
    max_bytes=MAX_BYTES,
    head_bytes=HEAD_BYTES,
)
