"""The list of packages that distroless images of CBL-Mariner and Azure Linux have instead of an rpm database: `rpm --query` with tabs.

The columns are name, version-release, time of installation, of building, vendor, epoch or `(none)`, size, architecture, epoch or 0, source package
(CBL-Mariner, `toolkit/docs/how_it_works/5_misc.md`, "container-manifest-2").
"""

from __future__ import annotations

import io
from collections.abc import Iterator

from pratique.errors import InvalidRecord, LimitExceeded
from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._records import MAX_BROKEN, MAX_STANZAS
from pratique.inventory.package import Package

_COLUMNS = 10
_PUBLIC_KEY = b"gpg-pubkey"
_NO_EPOCH = frozenset({b"0", b"(none)", b""})
_MAX_EPOCH_DIGITS = 10  # it is a number of 32 bits


def parse(file: LayerFile) -> Iterator[Package]:
    """Yield the packages in the order of the lines. Empty lines and public keys are none.

    Raises InvalidRecord after the readable packages for lines of another form, LimitExceeded.
    """
    damage: list[str] = []
    for number, line in enumerate(io.BytesIO(file.content), 1):
        if number > MAX_STANZAS or len(damage) > MAX_BROKEN:
            raise LimitExceeded(f"more than {MAX_STANZAS} lines or {MAX_BROKEN} broken ones")
        columns = line.rstrip(b"\r\n").split(b"\t", _COLUMNS)
        if columns == [b""] or columns[0] == _PUBLIC_KEY:
            continue
        try:
            yield _parse_package(columns)
        except InvalidRecord as error:
            damage.append(f"line {number}: {error}")
    if damage:
        raise InvalidRecord(f"{len(damage)} broken lines, the first at {damage[0]}")


def _parse_package(columns: list[bytes]) -> Package:
    if len(columns) != _COLUMNS:
        raise InvalidRecord(f"expected {_COLUMNS} columns, got {len(columns)}")
    from pratique.inventory.analyzers._rpm_package import RpmFields, make_package  # late: few images have any

    name, version_release, _, _, vendor, _, _, architecture, epoch, source_rpm = columns
    version, _, release = version_release.partition(b"-")
    return make_package(
        RpmFields(
            name=name,
            version=version,
            release=release,
            epoch=_parse_epoch(epoch),
            architecture=architecture,
            source_rpm=source_rpm,
            vendor=vendor,
        )
    )


def _parse_epoch(raw: bytes) -> int | None:
    if raw in _NO_EPOCH:
        return None
    if not raw.isdigit() or len(raw) > _MAX_EPOCH_DIGITS:
        raise InvalidRecord(f"expected an epoch, got {raw[:40]!r}")
    return int(raw)


ANALYZER = Analyzer(
    name="rpm-manifest",
    version=1,
    paths=PathPattern(paths=frozenset({"var/lib/rpmmanifest/container-manifest-2"})),
    parse=parse,
    max_bytes=8 * 1024 * 1024,  # a line has 150 bytes
)
