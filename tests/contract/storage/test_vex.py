"""VEX that hangs on images: what is kept, whom it counts for, and what a key that is trusted no more does to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from uuid import uuid4

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.errors import MissingError
from pratique.findings import Severity
from pratique.oci.digest import Digest
from pratique.oci.manifest import Platform
from pratique.policy.subject import Subject
from pratique.storage.engine import Database
from pratique.storage.findings import record_inspections
from pratique.storage.images import record_image
from pratique.storage.members import load_members
from pratique.storage.suppressing import ImageStatements, load_outcome, load_statements
from pratique.storage.vex import NewVex, StoredVex, load_image_vex, record_image_vex
from pratique.vex.applying import StatementIndex
from pratique.vex.reading import read_vex
from pratique.vex.trust import NOBODY, VexTrust
from tests.support.stored import HOST, REPOSITORY, child, count, digest_of, finding, image
from tests.support.vex import openvex, said

A, B, INDEX, ARM = digest_of("vex-a"), digest_of("vex-b"), digest_of("vex-index"), digest_of("vex-arm")
OURS, THEIRS = "b3Vycw==", "dGhlaXJz"
PURL = "pkg:deb/debian/openssl@1.1.1n?arch=amd64&distro=debian-11"
CRITICAL = finding("CVE-2024-1", Severity.CRITICAL, package=PURL, installed="1.1.1n")
FINE = openvex(said("CVE-2024-1", {"@id": "pkg:deb/debian/openssl"}))
BAD = openvex(said("CVE-2024-1", {"@id": "pkg:deb/debian/openssl"}, status="affected"))
ABOUT_THE_IMAGE = openvex({**said("CVE-2024-1"), "products": []})
TRUST = VexTrust(signers=(OURS,))


def new(content: bytes, signer: str = OURS) -> NewVex:
    return NewVex(content=content, signer=signer)


def subject(digest: Digest, *tags: str) -> Subject:
    return Subject(host=HOST, repository=REPOSITORY, tags=tags, digest=digest)


async def store(session: AsyncSession, *digests: Digest) -> dict[Digest, int]:
    """Record images with one critical; answer their ids."""
    for digest in digests:
        await record_image(session, image(digest))
        await record_inspections(session, digest, [CRITICAL])
    return {digest: (await load_members(session, digest)).ids[0] for digest in digests}


async def suppressed(session: AsyncSession, digest: Digest, trust: VexTrust = TRUST, *tags: str) -> list[str]:
    outcome = await load_outcome(session, subject(digest, *tags), trust)
    assert {found.id for found in outcome.findings} | {one.finding.id for one in outcome.suppressed} == {"CVE-2024-1"}
    return [one.finding.id for one in outcome.suppressed]


def names(stored: tuple[StoredVex, ...]) -> list[tuple[str, str]]:
    return [(one.digest, one.signer) for one in stored]


@contextmanager
def statements_of(_db: Database) -> Iterator[list[str]]:
    """What is sent to the database meanwhile."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("SELECT"):
            sent.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    yield sent
    event.remove(Engine, "before_cursor_execute", note)


async def test_documents_are_kept_once_for_all_images_and_say_the_same_of_each(db: Database) -> None:
    async with db.transaction() as session:
        ids = await store(session, A, B)
        assert await record_image_vex(session, A, [new(FINE)])
        assert await record_image_vex(session, B, [new(FINE), new(BAD, THEIRS)])
        assert await count(session, "vex_document") == 2
    async with db.reading() as session:
        found = await load_image_vex(session, [*ids.values(), 4711])
    assert found.keys() == set(ids.values())
    assert names(found[ids[A]]) == [(str(Digest.of(FINE)), OURS)]
    assert sorted(names(found[ids[B]])) == sorted([(str(Digest.of(FINE)), OURS), (str(Digest.of(BAD)), THEIRS)])
    (statement,) = found[ids[A]][0].statements.document.statements
    assert (statement.author, statement.justification) == ("Team", "vulnerable_code_not_present")
    assert statement.source == f"{Digest.of(FINE)}, signed by the key {OURS}"


async def test_what_is_recorded_takes_the_place_of_what_was(db: Database) -> None:
    async with db.transaction() as session:
        ids = await store(session, A)
        assert not await record_image_vex(session, A, [])
        assert await record_image_vex(session, A, [new(FINE), new(BAD)])
        assert not await record_image_vex(session, A, [new(BAD), new(FINE), new(FINE, THEIRS)])
        assert await record_image_vex(session, A, [new(BAD, THEIRS)])
        assert names((await load_image_vex(session, ids.values()))[ids[A]]) == [(str(Digest.of(BAD)), THEIRS)]
        assert await record_image_vex(session, A, [])
        assert await load_image_vex(session, ids.values()) == {}
        assert await record_image_vex(session, A, [new(FINE)], adds=True)
        assert await record_image_vex(session, A, [new(BAD)], adds=True)
        assert not await record_image_vex(session, A, [new(FINE)], adds=True)
        assert len((await load_image_vex(session, ids.values()))[ids[A]]) == 2
        with pytest.raises(MissingError):
            await record_image_vex(session, B, [new(FINE)])


async def test_documents_of_many_images_are_loaded_with_two_queries_and_with_one_when_they_were_met(db: Database) -> None:
    digests = [digest_of(f"many-{number}") for number in range(300)]
    shared = openvex(said("CVE-2024-77", {"@id": "pkg:deb/debian/shared"}), author=uuid4().hex)
    async with db.transaction() as session:
        ids = await store(session, *digests)
        for digest in digests:
            await record_image_vex(session, digest, [new(shared)])
    async with db.reading() as session:
        with statements_of(db) as sent:
            first = await load_image_vex(session, ids.values())
        assert (len(first), len(sent)) == (300, 2)
        with statements_of(db) as sent:
            second = await load_image_vex(session, ids.values())
        assert (len(second), len(sent)) == (300, 1)
    assert len({id(stored[0].statements) for stored in (*first.values(), *second.values())}) == 1


async def test_a_document_that_names_no_product_is_about_the_image_it_hangs_on_and_about_no_other(db: Database) -> None:
    async with db.transaction() as session:
        ids = await store(session, A, B)
        for digest in (A, B):
            await record_image_vex(session, digest, [new(ABOUT_THE_IMAGE)])
        found = await load_image_vex(session, ids.values())
        for digest, number in ids.items():
            (statement,) = found[number][0].statements.document.statements
            assert statement.products[0].component.digests == (str(digest),)
            assert await suppressed(session, digest) == ["CVE-2024-1"]


async def test_a_document_that_cannot_be_read_any_more_suppresses_nothing_and_is_told(db: Database) -> None:
    async with db.transaction() as session:
        await store(session, A)
        await record_image_vex(session, A, [new(b'{"of": "another version"}')])
        outcome = await load_outcome(session, subject(A), TRUST)
    assert [found.id for found in outcome.findings] == ["CVE-2024-1"]
    assert "expected a VEX document in JSON" in outcome.notes[0]


async def test_what_a_trusted_key_signed_suppresses_and_what_it_signed_counts_no_more_without_the_key(db: Database) -> None:
    async with db.transaction() as session:
        await store(session, A, B)
        await record_image_vex(session, A, [new(FINE)])
        assert await suppressed(session, A) == ["CVE-2024-1"]
        assert await suppressed(session, B) == []
        assert await suppressed(session, A, VexTrust(signers=(THEIRS,))) == []
        assert await suppressed(session, A, NOBODY) == []


async def test_the_operators_word_counts_for_all_images_and_before_what_hangs_on_them(db: Database) -> None:
    def operator(content: bytes) -> VexTrust:
        return replace(TRUST, documents=(StatementIndex(read_vex(content, "vex/team.json")),))

    async with db.transaction() as session:
        await store(session, A, B)
        await record_image_vex(session, A, [new(FINE)])
        assert await suppressed(session, B, operator(FINE)) == ["CVE-2024-1"]
        assert await suppressed(session, A, operator(BAD)) == []
        named = openvex(said("CVE-2024-1", {"@id": f"pkg:oci/app?repository_url={HOST}/{REPOSITORY}&tag=v1"}))
        assert await suppressed(session, A, operator(named), "v1") == ["CVE-2024-1"]
        assert await suppressed(session, B, operator(named), "v2") == []


async def test_of_several_keys_the_one_given_first_counts(db: Database) -> None:
    async with db.transaction() as session:
        await store(session, A)
        await record_image_vex(session, A, [new(FINE), new(BAD, THEIRS)])
        assert await suppressed(session, A, VexTrust(signers=(OURS, THEIRS))) == ["CVE-2024-1"]
        assert await suppressed(session, A, VexTrust(signers=(THEIRS, OURS))) == []


async def test_an_index_is_spoken_for_by_itself_and_one_of_several_images_by_none(db: Database) -> None:
    arm64 = Platform(os="linux", architecture="arm64")
    async with db.transaction() as session:
        await store(session, A)
        await record_image(session, image(ARM, platform=arm64))
        await record_image(session, image(INDEX, kind="index", platform=None, children=(child(A), child(ARM, architecture="arm64"))))
        await record_image_vex(session, A, [new(ABOUT_THE_IMAGE)])
        assert await suppressed(session, A) == ["CVE-2024-1"]
        assert await suppressed(session, INDEX) == []
        await record_image_vex(session, INDEX, [new(ABOUT_THE_IMAGE)])
        assert await suppressed(session, INDEX) == ["CVE-2024-1"]
        loaded = await load_statements(session, [INDEX, A, B], TRUST)
    assert loaded[str(INDEX)].digests == {str(INDEX)}
    assert {one.architecture for one in loaded[str(INDEX)].platforms} == {"amd64", "arm64"}
    assert loaded[str(A)].digests == {str(A)}
    assert loaded[str(B)].documents == ()


async def test_an_index_of_one_image_is_spoken_for_by_that_image(db: Database) -> None:
    async with db.transaction() as session:
        await store(session, A)
        attestation = child(digest_of("provenance"), os="unknown", architecture="unknown")
        await record_image(session, image(INDEX, kind="index", platform=None, children=(child(A), attestation)))
        await record_image_vex(session, A, [new(ABOUT_THE_IMAGE)])
        assert await suppressed(session, INDEX) == ["CVE-2024-1"]


async def test_where_nobody_is_trusted_nothing_is_asked_for(db: Database) -> None:
    async with db.reading() as session:
        with statements_of(db) as sent:
            assert await load_statements(session, [A, B], NOBODY) == {str(A): ImageStatements(), str(B): ImageStatements()}
    assert sent == []
