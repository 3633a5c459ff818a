"""Distinct packages: shared between all images that hold them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.advisories.naming import normal_name
from pratique.advisories.versions import base_ecosystem
from pratique.inventory.package import Package
from pratique.storage.dialect import insert_missing, is_any
from pratique.storage.models import ImagePackage, PackageModel
from pratique.storage.text import clean_json, clean_text, hash_json, in_chunks


def clean_package(package: Package) -> Package:
    """Clean every text of a package: its key and purl must be those of what is stored."""
    return replace(
        package,
        type=clean_text(package.type),
        namespace=clean_text(package.namespace),
        name=clean_text(package.name),
        version=clean_text(package.version),
        ecosystem=clean_text(package.ecosystem),
        architecture=clean_text(package.architecture),
        source_name=None if package.source_name is None else clean_text(package.source_name),
        source_version=None if package.source_version is None else clean_text(package.source_version),
        qualifiers=clean_json(package.qualifiers),
        vendor=clean_text(package.vendor),
        licenses=tuple(map(clean_text, package.licenses)),
        cpes=tuple(map(clean_text, package.cpes)),
    )


def hash_package(package: Package) -> str:
    """Compute the digest of all that tells a (clean) package apart from others."""
    return hash_json(
        [
            package.type,
            package.namespace,
            package.name,
            package.version,
            package.ecosystem,
            package.architecture,
            package.source_name,
            package.source_version,
            sorted(package.qualifiers.items()),
        ]
    )


def hash_matching(ecosystem: str, name: str) -> str:
    """Compute the digest of what advisories know a package by: the ecosystem without its release, and the name as it compares."""
    return hash_json([base_ecosystem(ecosystem), normal_name(ecosystem, clean_text(name))])


def _hash_names(package: Package) -> tuple[str, str | None]:
    """The keys of the name, and of the other name, that a package's advisories use."""
    first, *others = (hash_matching(package.ecosystem, name) for name, _ in package.matching_names)
    return first, next((key for key in others if key != first), None)


async def record_packages(session: AsyncSession, packages: Mapping[str, Package]) -> dict[str, int]:
    """Record clean packages, given by `hash_package`, where they are new; answer the ids of all of them by that.

    Vendor, licences and CPEs describe and do not tell apart: those of the first record stay.
    """
    ids = await _load_ids(session, packages)
    missing = sorted(packages.keys() - ids.keys())
    if missing:
        await insert_missing(session, PackageModel, (_describe(key, packages[key]) for key in missing))
        ids |= await _load_ids(session, missing)
    return ids


async def load_packages(session: AsyncSession, query: Select[PackageModel]) -> list[tuple[int, Package]]:
    """Load what a query of packages finds, in its order."""
    return [(row.id, read_package(row)) for row in (await session.execute(query)).scalars()]


async def load_packages_named(session: AsyncSession, names: Iterable[tuple[str, str]]) -> list[tuple[int, Package]]:
    """Load the packages, matched before, that advisories know by one of these pairs of ecosystem and name, by id.

    An ecosystem may be given with a release (`Debian:11`) or without: all its releases are meant. Names are compared as their ecosystem does.
    """
    found: dict[int, Package] = {}
    for piece in in_chunks(sorted({hash_matching(ecosystem, name) for ecosystem, name in names})):
        for column in (PackageModel.matching_key, PackageModel.second_matching_key):
            found.update(
                await load_packages(session, select(PackageModel).where(is_any(session, column, piece), PackageModel.matched_position > 0))
            )
    return sorted(found.items())


async def load_image_packages(session: AsyncSession, image_id: int) -> list[Package]:
    """Load the packages of an image that are nobody else's: those that are matched."""
    inside = select(ImagePackage.package_id).where(ImagePackage.image_id == image_id, ImagePackage.owned_by.is_(None))
    return [package for _, package in await load_packages(session, select(PackageModel).where(PackageModel.id.in_(inside)))]


def read_package(row: PackageModel) -> Package:
    """Read a row as the package that was recorded."""
    return Package(
        type=row.type,
        name=row.name,
        version=row.version,
        namespace=row.namespace,
        ecosystem=row.ecosystem,
        architecture=row.architecture,
        source_name=row.source_name,
        source_version=row.source_version,
        qualifiers=row.qualifiers,
        vendor=row.vendor or "",
        licenses=tuple(row.licenses or ()),
        cpes=tuple(row.cpes or ()),
    )


async def _load_ids(session: AsyncSession, keys: Iterable[str]) -> dict[str, int]:
    ids: dict[str, int] = {}
    for piece in in_chunks(keys):
        rows = await session.execute(select(PackageModel.key, PackageModel.id).where(is_any(session, PackageModel.key, piece)))
        ids.update(rows.all())
    return ids


def _describe(key: str, package: Package) -> dict[str, Any]:
    first, second = _hash_names(package)
    return {
        "key": key,
        "matching_key": first,
        "second_matching_key": second,
        "type": package.type,
        "namespace": package.namespace,
        "name": package.name,
        "version": package.version,
        "ecosystem": package.ecosystem,
        "architecture": package.architecture,
        "source_name": package.source_name,
        "source_version": package.source_version,
        "qualifiers": dict(package.qualifiers),
        "vendor": package.vendor or None,
        "licenses": list(package.licenses) or None,
        "cpes": list(package.cpes) or None,
        "purl": package.purl,
    }
