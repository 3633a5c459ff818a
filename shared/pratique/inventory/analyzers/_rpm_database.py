"""The packages of an rpm database, whichever of its three forms it has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from pratique.errors import InputError, InvalidRecord, LimitExceeded
from pratique.inventory.analyzers import _rpm_bdb, _rpm_ndb, _rpm_sqlite
from pratique.inventory.analyzers import _rpm_header as tags
from pratique.inventory.analyzers._records import MAX_BROKEN, MAX_STANZAS
from pratique.inventory.analyzers._rpm_files import FileBudget, installed_files
from pratique.inventory.analyzers._rpm_header import Header, parse_header
from pratique.inventory.analyzers._rpm_package import PUBLIC_KEY, RpmFields, make_package
from pratique.inventory.package import Package, PackageDetails

_READERS: Mapping[str, Callable[[bytes], Iterator[bytes | InvalidRecord]]] = {
    "Packages": _rpm_bdb.read_blobs,
    "Packages.db": _rpm_ndb.read_blobs,
    "rpmdb.sqlite": _rpm_sqlite.read_blobs,
}


def read_database(name: str, content: bytes) -> Iterator[Package | PackageDetails]:
    """Yield the packages of the database whose file rpm names so, each followed by its files.

    Raises InvalidRecord after the readable ones, LimitExceeded.
    """
    damage: list[str] = []
    budget = FileBudget()
    for number, blob in enumerate(_READERS[name](content)):
        if number >= MAX_STANZAS or len(damage) > MAX_BROKEN:
            raise LimitExceeded(f"more than {MAX_STANZAS} packages or {MAX_BROKEN} broken ones")
        yield from _read_package(blob, budget, damage)
    if damage:
        raise InvalidRecord(f"{len(damage)} broken packages, the first: {damage[0]}")


def _read_package(blob: bytes | InvalidRecord, budget: FileBudget, damage: list[str]) -> Iterator[Package | PackageDetails]:
    """Yield a package and its details; what cannot be read is written to `damage`."""
    try:
        if isinstance(blob, InvalidRecord):
            raise blob
        header = parse_header(blob)
        if header.string(tags.NAME) == PUBLIC_KEY.encode():
            return
        package = make_package(_fields(header))
        yield package
        files = () if budget.is_used_up else installed_files(header, budget)
    except InputError as error:
        damage.append(str(error))
        return
    if files:
        yield PackageDetails(type="rpm", name=package.name, version=package.version, architecture=package.architecture, files=files)


def _fields(header: Header) -> RpmFields:
    return RpmFields(
        name=header.string(tags.NAME),
        version=header.string(tags.VERSION),
        release=header.string(tags.RELEASE),
        epoch=next(iter(header.numbers(tags.EPOCH)), None),
        architecture=header.string(tags.ARCH),
        source_rpm=header.string(tags.SOURCE_RPM),
        vendor=header.string(tags.VENDOR),
        license=header.string(tags.LICENSE),
        module=header.string(tags.MODULARITY_LABEL),
    )
