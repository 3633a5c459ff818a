"""Whoever writes a VEX document may mean harm: it ends in an InputError, or in statements that can be applied, within bounded time and memory."""

from __future__ import annotations

import contextlib
import json
import time
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pratique.errors import InputError, LimitExceeded
from pratique.oci.digest import Digest
from pratique.reports.json import render_json
from pratique.reports.openvex import render_openvex
from pratique.reports.table import render_table
from pratique.vex import limits
from pratique.vex.applying import apply_vex
from pratique.vex.limits import MAX_COMPONENTS, MAX_STATEMENTS, MAX_VEX_BYTES
from pratique.vex.matching import VexImage
from pratique.vex.reading import read_vex
from pratique.vex.statement import VexDocument
from tests.support.mutated import mutated
from tests.support.reports import ANGULAR, DIGEST, LIBSSL, report, vulnerability
from tests.support.vex import CONTAINER, IMAGE, SSL, analysed, csaf, cyclonedx_vex, image_product, openvex, said

IMAGE_HERE = VexImage(digests=frozenset({DIGEST}), repository="registry.example/team/app", tags=("v1",))
FINDINGS = (vulnerability("DSA-1", aliases=("CVE-2023-1", "CVE-2023-2")), vulnerability("CVE-2023-1", ANGULAR))
GOOD = (
    openvex(said("CVE-2023-1", image_product(LIBSSL)), said("CVE-2023-2", status="affected", action_statement="x")),
    cyclonedx_vex(analysed(), analysed("CVE-2023-2", f"urn:cdx:3e671687-395b-41f5-a30f-a58921a69b79/2#{LIBSSL}"), components=[SSL]),
    cyclonedx_vex(analysed(affects=[{"ref": "ssl", "versions": [{"version": "1"}]}]), components=[SSL], metadata={"component": CONTAINER}),
    csaf(),
)


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    start = time.process_time()
    yield
    assert time.process_time() - start < seconds


def use(document: VexDocument) -> None:
    """All that is done with a document."""
    outcome = apply_vex(FINDINGS, [document], IMAGE_HERE)
    assert len(outcome.findings) + len(outcome.suppressed) == len(FINDINGS)
    made = report(outcome.findings, suppressed=outcome.suppressed, notes=outcome.notes)
    json.loads(render_json(made))
    json.loads(render_openvex(made))
    render_table(made, show_suppressed=True)


def test_too_large_is_refused_unread() -> None:
    with within(0.5), pytest.raises(LimitExceeded, match="a VEX document of"):
        read_vex(b" " * (MAX_VEX_BYTES + 1), "x")


@pytest.mark.parametrize(
    "start", [b'{"@context":"https://openvex.dev/ns","statements":[', b'{"document":{"csaf_version":"2.0"},"vulnerabilities":[']
)
def test_too_many_values_are_refused_before_they_are_built(start: bytes) -> None:
    content = start + b"{}," * 3_000_000 + b"{}]}"
    tracemalloc.start()
    try:
        with pytest.raises(LimitExceeded):
            read_vex(content, "x")
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_there_may_be_so_many_statements() -> None:
    with within(5), pytest.raises(LimitExceeded, match=f"more than {MAX_STATEMENTS} statements"):
        read_vex(openvex(*[{"vulnerability": "C", "status": "fixed"}] * (MAX_STATEMENTS + 1)), "x")


@pytest.mark.parametrize(
    "content",
    [
        openvex(said("CVE-1", *["pkg:npm/a"] * (MAX_COMPONENTS + 1))),
        openvex(*[said("CVE-1", IMAGE, subcomponents=[LIBSSL] * 100)] * 2_100),
        cyclonedx_vex(analysed(affects=[{"ref": "ssl"}] * (MAX_COMPONENTS + 1)), components=[SSL]),
        csaf({"cve": "C", "product_status": {"fixed": ["curl"] * (MAX_COMPONENTS + 1)}}),
        csaf({"cve": "C", "threats": [{"category": "impact", "group_ids": ["all"] * 50_000}] * 3}),
    ],
    ids=["products", "subcomponents", "affects", "csaf", "groups"],
)
def test_products_cannot_be_multiplied_without_end(content: bytes) -> None:
    with within(5), pytest.raises(LimitExceeded, match="a VEX document of more than"):
        read_vex(content, "x")


def test_as_many_products_as_there_may_be_are_matched_in_time() -> None:
    products = [f"pkg:deb/debian/a{number}@1" for number in range(50_000)]
    document = read_vex(openvex(said("CVE-1", *products)), "x")
    findings = [vulnerability("CVE-1", f"pkg:deb/debian/a{number}@1") for number in range(0, 50_000, 50)]
    with within(10):
        assert len(apply_vex(findings, [document], IMAGE_HERE).suppressed) == len(findings)


@pytest.mark.parametrize("depth", [1_000, 200_000])
@pytest.mark.parametrize(
    "start",
    [
        b'{"bomFormat":"CycloneDX","specVersion":"1.6","components":',
        b'{"document":{"csaf_version":"2.0"},"product_tree":{"branches":',
        b'{"@context":"https://openvex.dev/ns","statements":',
    ],
)
def test_depth_does_not_break_the_interpreter(start: bytes, depth: int) -> None:
    for opening, closing in ((b"[", b"]"), (b'[{"components":', b"}]"), (b'[{"branches":', b"}]")):
        content = start + opening * depth + b"[]" + closing * depth + b"}" * start.count(b"{")
        with within(5), contextlib.suppress(InputError):
            use(read_vex(content, "x"))


@pytest.mark.parametrize(
    "odd",
    [
        said("C" * 1_000_000),
        said("CVE-2023-1", {"@id": "pkg:deb/" + "a" * 1_000_000}),
        said("CVE-2023-1", {"@id": "@" * 100_000 + DIGEST}),
        said("CVE-2023-1", {"@id": "pkg:oci/[::1@?#"}),
        said("CVE-2023-1", {"@id": "pkg:oci/app?repository_url=http://[::1"}),
        said(impact_statement="\x1b[2J\u202e" * 100_000),
        said("\x1b[2J", vulnerability={"name": "\x1b[2J", "aliases": ["CVE-2023-1"] * 100_000}),
        said(timestamp="0001-01-01T00:00:00+23:59"),
        said(timestamp="9999-12-31T23:59:59-23:59"),
    ],
)
def test_odd_statements_are_statements_that_can_be_reported(odd: dict[str, Any]) -> None:
    with within(2), contextlib.suppress(InputError):
        document = read_vex(openvex(odd), "x")
        use(document)
        for statement in document.statements:
            texts = (statement.vulnerability, statement.impact, *statement.aliases)
            assert all(text.isprintable() and len(text) <= limits._MAX_TEXT for text in texts)
            assert len(statement.aliases) <= limits.MAX_ALIASES


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example])
@given(mutated(*GOOD))
def test_any_bytes_are_statements_or_an_input_error(content: bytes) -> None:
    with contextlib.suppress(InputError):
        use(read_vex(content, "x", about=Digest.parse(DIGEST)))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(GOOD), st.data())
def test_a_value_of_any_other_kind_is_statements_or_an_input_error(content: bytes, data: st.DataObject) -> None:
    document = json.loads(content)
    place = document
    while isinstance(place, dict | list) and place:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.integers(0, 3)) == 0:
            place[key] = data.draw(_JSON)
            break
        place = place[key]
    with contextlib.suppress(InputError):
        use(read_vex(json.dumps(document).encode(), "x"))


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40), st.text(max_size=40))
def test_no_identifier_breaks_the_matching(one: str, other: str) -> None:
    document = read_vex(openvex(said("CVE-2023-1", {"@id": f"pkg:{one}"}, {"@id": f"pkg:oci/{other}"})), "x")
    use(document)
