from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest
from sqlalchemy import text

from pratique.errors import LimitExceeded, MissingError
from pratique.inventory.coverage import Coverage, CoverageItem, CoverageStatus
from pratique.inventory.entry_point import EntryPoint
from pratique.inventory.file_account import UnknownExecutable, survey_files
from pratique.inventory.image_view import view_image
from pratique.inventory.inventory import Inventory
from pratique.inventory.layer_result import AnalyzedFile, Executable, LayerResult, OwnedFiles
from pratique.inventory.merge import merge_layers
from pratique.inventory.package import InstalledPackage, Package
from pratique.reports.file_document import account_document, read_account
from pratique.storage.engine import Database
from pratique.storage.images import (
    IndexChild,
    load_files,
    load_image,
    load_index_children,
    load_inventory,
    load_inventory_digest,
    record_files,
    record_image,
    record_inventory,
)
from pratique.storage.layers import load_layer_results, record_layer_result
from tests.support.layer_results import analyzed, deb, layer
from tests.support.stored import COMPLETE, DEBIAN, child, count, digest_of, image, inventory, package

A, B, C = digest_of("a"), digest_of("b"), digest_of("c")
LAYER = str(digest_of("layer"))
RICH = (
    package("libc6", "2.31-13", source_name="glibc", source_version="2.31-13+deb11u1"),
    Package(type="npm", namespace="@angular", name="core", version="1.0.0", ecosystem="npm", qualifiers={"vcs_url": "git+x"}),
    Package(type="pypi", name="Flask_Login", version="1", ecosystem="PyPI"),
)


async def test_an_image_is_loaded_as_it_was_recorded(db: Database) -> None:
    recorded = replace(image(A), config={"user": "root", "env": ["A=\0"]}, layers=(digest_of("l1"), LAYER))
    async with db.transaction() as session:
        await record_image(session, replace(recorded, size=1))
        await record_image(session, recorded)
        found = await load_image(session, A)
        assert await load_image(session, B) is None
        assert await count(session, "image") == 1
    assert found == replace(recorded, digest=str(A), config={"user": "root", "env": ["A=\ufffd"]}, layers=(str(digest_of("l1")), LAYER))


async def test_an_index_keeps_its_children_in_order(db: Database) -> None:
    async with db.transaction() as session:
        await record_image(session, image(A, kind="index", platform=None, children=(child(C),)))
        await record_image(session, image(A, kind="index", platform=None, children=(child(B), child(C, "unknown", "unknown"))))
        children = await load_index_children(session, A)
        assert await load_index_children(session, B) == ()
    manifest = "application/vnd.oci.image.manifest.v1+json"
    assert children == (
        IndexChild(digest=str(B), media_type=manifest, size=1, platform="linux/amd64", is_attestation=False),
        IndexChild(digest=str(C), media_type=manifest, size=1, platform="unknown/unknown", is_attestation=True),
    )


async def test_facts_nested_too_deeply_are_refused(db: Database) -> None:
    facts: dict[str, object] = {}
    for _ in range(5000):
        facts = {"x": facts}
    with pytest.raises(LimitExceeded):
        async with db.transaction() as session:
            await record_image(session, image(A, config=facts))


async def test_an_inventory_is_loaded_as_it_was_recorded(db: Database) -> None:
    recorded = inventory(RICH, layer=LAYER)
    recorded = replace(recorded, packages=(replace(recorded.packages[0], layer=None, paths=("a", "b")), *recorded.packages[1:]))
    async with db.transaction() as session:
        await record_image(session, image(A))
        assert await load_inventory(session, A) is None
        assert await load_inventory_digest(session, A) is None
        digest = await record_inventory(session, A, recorded, "k1")
    async with db.reading() as session:
        assert await load_inventory(session, A) == recorded
        assert await load_inventory_digest(session, A) == digest


DESCRIBED = (
    package("nodejs", "18", vendor="Debian Javascript Maintainers <pkg@alioth-lists.debian.net>", licenses=("MIT", "GPL-2+ and \u202eX")),
    Package(
        type="npm", name="npm", version="9.2.0", ecosystem="npm", cpes=("cpe:2.3:a:npmjs:npm:9.2.0:*:*:*:*:*:*:*", "cpe:2.3:a:x\\:y:*")
    ),
)


async def test_who_built_a_package_who_owns_it_its_licences_and_cpes_are_kept(db: Database) -> None:
    recorded = inventory(DESCRIBED, layer=LAYER)
    owner, owned = recorded.packages
    recorded = replace(recorded, packages=(owner, replace(owned, owned_by=owner.package.purl)))
    async with db.transaction() as session:
        for digest in (A, B):
            await record_image(session, image(digest))
        first = await record_inventory(session, A, recorded, "k1")
        second = await record_inventory(session, B, inventory(DESCRIBED, layer=LAYER), "k1")
    async with db.reading() as session:
        assert await load_inventory(session, A) == recorded
        assert await load_inventory(session, B) == inventory(
            DESCRIBED, layer=LAYER
        )  # what owns a package is the image's, not the package's
    assert first != second


async def test_what_is_known_of_an_images_files_is_kept_and_replaced(db: Database) -> None:
    view = view_image([layer(LAYER, analyzed("var/lib/dpkg/status", deb("bash")), others=["srv/\u202e.sh", "srv/\\xff"])])
    account = survey_files(view, merge_layers(view, []), EntryPoint())
    unknown = UnknownExecutable(path="srv/\u202e.sh", layer=LAYER, size=2**40, is_entry=True)
    account = replace(account, unknown_executables=(unknown,), unknown_executable_count=1)
    async with db.transaction() as session:
        for digest in (A, B):
            await record_image(session, image(digest))
        await record_files(session, A, {"counts": {}})
        await record_files(session, A, account_document(account))
        assert await load_files(session, B) is None
    async with db.reading() as session:
        found = await load_files(session, A)
        assert await load_inventory(session, A) is None
    assert found is not None
    assert read_account(found) == account


async def test_the_paths_that_packages_own_are_kept_with_a_layers_result(db: Database) -> None:
    owned = OwnedFiles(
        type="deb", name="bash", version="5", architecture="amd64", paths="bin/bash\0é\0", digests="md5:0\0\0", licenses=("GPL",)
    )
    file = AnalyzedFile(
        path="a", analyzer="dpkg", packages=DESCRIBED, distribution=DEBIAN, owned=(owned, replace(owned, directories=("x", "y")))
    )
    program = Executable(path="bin/bash", size=2**40, interpreter="/bin/sh")
    result = LayerResult(
        files=(file,),
        links="a\0b\0",
        directories="d\0",
        special="s\0",
        opaque=("", "o"),
        executables=(program,),
        contents=bytes(range(256)) * 20,
    )
    async with db.transaction() as session:
        await record_layer_result(session, A, "k1", result)
    async with db.reading() as session:
        assert await load_layer_results(session, (A,), "k1") == {str(A): result}


async def test_an_empty_inventory_is_not_a_missing_one(db: Database) -> None:
    recorded = Inventory(distribution=None, packages=(), coverage=COMPLETE)
    async with db.transaction() as session:
        await record_image(session, image(A))
        await record_inventory(session, A, recorded, "k1")
        assert await load_inventory(session, A) == recorded


async def test_an_inventory_replaces_the_one_before(db: Database) -> None:
    async with db.transaction() as session:
        await record_image(session, image(A))
        first = await record_inventory(session, A, inventory(RICH), "k1")
        again = await record_inventory(session, A, inventory(RICH), "k2")
        second = await record_inventory(session, A, inventory(RICH[:1], layer=LAYER), "k2")
        found = await load_inventory(session, A)
    assert first == again != second
    assert found == inventory(RICH[:1], layer=LAYER)


async def test_an_inventory_needs_its_image(db: Database) -> None:
    with pytest.raises(MissingError):
        async with db.transaction() as session:
            await record_inventory(session, A, inventory(RICH), "k1")


async def test_images_share_their_packages(db: Database) -> None:
    async with db.transaction() as session:
        for digest in (A, B):
            await record_image(session, image(digest))
            await record_inventory(session, digest, inventory(RICH, layer=LAYER), "k1")
        assert [await count(session, table) for table in ("package", "image_package", "layer")] == [3, 6, 1]


async def test_packages_that_differ_in_anything_are_different(db: Database) -> None:
    first = package("x", source_name="s")
    others = [
        replace(first, ecosystem="Debian:12"),
        replace(first, source_version="2"),
        replace(first, architecture="arm64"),
        replace(first, source_name=None),
        replace(first, version="1.0\0"),
    ]
    async with db.transaction() as session:
        await record_image(session, image(A))
        await record_inventory(session, A, inventory([first, *others]), "k1")
        assert await count(session, "package") == 6


async def test_hostile_names_are_stored_and_names_of_any_length_too(db: Database) -> None:
    hostile = [
        package("na\0me", "1\ud800"),
        package("na\ufffdme", "1\ufffd"),
        package("x" * 20_000, "y" * 20_000, source_name="z" * 20_000),
    ]
    installed = tuple(InstalledPackage(package=each, paths=("p\udcff\0",), layer=LAYER) for each in hostile)
    async with db.transaction() as session:
        await record_image(session, image(A))
        await record_inventory(session, A, Inventory(distribution=DEBIAN, packages=installed, coverage=COMPLETE), "k1")
        found = await load_inventory(session, A)
    assert found is not None
    assert sorted(each.package.name[:7] for each in found.packages) == ["na\ufffdme", "xxxxxxx"]
    assert {each.paths for each in found.packages} == {("p\ufffd\ufffd",)}


async def test_5000_packages_are_recorded_and_loaded_in_a_few_seconds(db: Database) -> None:
    many = inventory([package(f"package-{number}", source_name=f"source-{number}") for number in range(5000)], layer=LAYER)
    start = time.monotonic()
    async with db.transaction() as session:
        await record_image(session, image(A))
        await record_inventory(session, A, many, "k1")
    async with db.reading() as session:
        found = await load_inventory(session, A)
    assert found == many
    assert time.monotonic() - start < 10  # 0.9 to 1.2 s were seen on two busy cores


async def test_inventories_with_the_same_packages_can_be_recorded_at_once(db: Database) -> None:
    packages = [package(f"package-{number}") for number in range(300)]

    async def record(number: int) -> None:
        digest = digest_of(str(number))
        async with db.transaction() as session:
            await record_image(session, image(digest))
            await record_inventory(session, digest, inventory(packages if number % 2 else reversed(packages), layer=LAYER), "k1")

    async with asyncio.TaskGroup() as group:
        for number in range(4):
            group.create_task(record(number))
    async with db.reading() as session:
        assert [await count(session, table) for table in ("package", "image_package")] == [300, 1200]


async def test_the_inventory_digest_of_an_index_is_that_of_its_platforms(db: Database) -> None:
    async with db.transaction() as session:
        await record_image(session, image(C, kind="index", platform=None, children=(child(A), child(B, architecture="arm64"))))
        await record_image(session, image(A))
        await record_inventory(session, A, inventory(RICH), "k1")
        assert await load_inventory_digest(session, C) is None
        await record_image(session, image(B))
        await record_inventory(session, B, inventory(RICH), "k1")
        first = await load_inventory_digest(session, C)
        await record_inventory(session, B, inventory(RICH[:1]), "k1")
        second = await load_inventory_digest(session, C)
    assert first
    assert second
    assert first != second


async def test_a_layer_result_is_stored_under_digest_and_analyzers(db: Database) -> None:
    gap = CoverageItem(name="x", version="1", status=CoverageStatus.FAILED, reason="broken")
    result = LayerResult(
        files=(AnalyzedFile(path="a", analyzer="dpkg", packages=RICH),), whiteouts=("b",), regular="a\0é\0", gaps=(gap,), entries=7
    )
    async with db.transaction() as session:
        await record_layer_result(session, A, "k1", replace(result, entries=1))
        await record_layer_result(session, A, "k1", result)
        await record_layer_result(session, B, "k2", result)
    async with db.reading() as session:
        assert await load_layer_results(session, (A, str(B), C), "k1") == {str(A): result}
        assert await load_layer_results(session, (), "k1") == {}


async def test_a_layer_result_that_cannot_be_read_is_unknown(db: Database) -> None:
    async with db.transaction() as session:
        await record_layer_result(session, A, "k1", LayerResult(files=()))
        await session.execute(text("UPDATE layer_result SET content = :content"), {"content": b"\xc1"})
        assert await load_layer_results(session, (A,), "k1") == {}


async def test_coverage_of_an_inventory_is_its_own(db: Database) -> None:
    partial = Coverage(items=(CoverageItem(name="rpm", version="1", status=CoverageStatus.PARTIAL, reason="too large"),))
    async with db.transaction() as session:
        await record_image(session, image(A))
        await record_inventory(session, A, replace(inventory(RICH), coverage=partial), "k1")
        found = await load_inventory(session, A)
    assert found is not None
    assert found.coverage == partial
