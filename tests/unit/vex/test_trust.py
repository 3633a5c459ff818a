"""Whose word counts, and in which order."""

from __future__ import annotations

from dataclasses import dataclass

from pratique.vex.applying import StatementIndex, apply_statements, apply_vex
from pratique.vex.matching import VexImage
from pratique.vex.reading import read_vex
from pratique.vex.trust import NOBODY, VexTrust
from tests.support.reports import DIGEST, vulnerability
from tests.support.vex import HEX, openvex, said


@dataclass(frozen=True, slots=True)
class Document:
    digest: str
    signer: str


A, B, C = Document("a", "second"), Document("b", "first"), Document("c", "stranger")


def test_attached_documents_count_in_the_order_of_the_keys_and_those_of_strangers_never() -> None:
    trust = VexTrust(signers=("first", "second"))
    assert trust.trusted([A, C, B]) == trust.trusted([B, C, A]) == [B, A]
    assert trust.trusted([C]) == NOBODY.trusted([A, B, C]) == []


def test_documents_that_are_indexed_once_say_of_each_image_what_they_say_of_it_alone() -> None:
    content = openvex(said("CVE-2023-1", f"pkg:oci/app@sha256%3A{HEX}"), said("CVE-2023-2"), said("cve-2023-3", status="affected"))
    document = read_vex(content, "vex.json")
    index = (StatementIndex(document),)
    findings = [vulnerability(f"CVE-2023-{number}") for number in range(1, 5)]
    for digest in (DIGEST, "sha256:" + "0" * 64):
        image = VexImage(digests=frozenset({digest}))
        assert apply_statements(findings, index, image) == apply_vex(findings, [document], image)
        gone = [one.finding.id for one in apply_statements(findings, index, image).suppressed]
        assert gone == (["CVE-2023-1", "CVE-2023-2"] if digest == DIGEST else ["CVE-2023-2"])


def test_a_finding_that_nothing_is_said_of_is_the_same_object_still() -> None:
    finding = vulnerability("CVE-2023-9")
    index = (StatementIndex(read_vex(openvex(said()), "vex.json")),)
    assert apply_statements([finding], index, VexImage()).findings[0] is finding
