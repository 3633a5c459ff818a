"""Whoever writes an SBOM may mean harm: it ends in an InputError or in gaps, within bounded time and memory."""

from __future__ import annotations

import contextlib
import json
import time
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pratique.errors import InputError, InvalidRecord, LimitExceeded
from pratique.reports.cyclonedx import render_cyclonedx
from pratique.reports.report import Report, Target
from pratique.reports.spdx import render_spdx
from pratique.reports.spdx3 import render_spdx3
from pratique.sboms import reading
from pratique.sboms.cyclonedx import MAX_COMPONENTS, MAX_NESTING
from pratique.sboms.reading import MAX_SBOM_BYTES, read_sbom
from tests.support.mutated import mutated
from tests.support.sboms import REAL, RENDERERS, cyclonedx, full_report, library, spdx, spdx3

OWN = [render(full_report()) for render in RENDERERS.values()]


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    start = time.process_time()
    yield
    assert time.process_time() - start < seconds


def test_too_large_is_refused_unread() -> None:
    with within(0.5), pytest.raises(LimitExceeded, match="an SBOM of"):
        read_sbom(b" " * (MAX_SBOM_BYTES + 1))


def test_too_many_values_are_refused_before_they_are_built() -> None:
    content = b'{"bomFormat":"CycloneDX","specVersion":"1.6","components":[' + b"{}," * 3_000_000 + b"{}]}"
    tracemalloc.start()
    try:
        with pytest.raises(LimitExceeded):
            read_sbom(content)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("make", [cyclonedx, spdx, spdx3])
def test_200_000_components_are_too_many(make: object) -> None:
    element: dict[str, object] = {"type": "software_Package", "name": "a", "purl": "pkg:npm/a@1"}
    content = make(*[element] * (2 * MAX_COMPONENTS))  # type: ignore[operator]
    with within(5), pytest.raises(LimitExceeded, match="components"):
        read_sbom(content)


def test_components_may_not_be_nested_for_ever() -> None:
    deep: dict[str, object] = library("pkg:npm/a@1")
    for _ in range(MAX_NESTING + 2):
        deep = library("pkg:npm/a@1", components=[deep])
    with pytest.raises(LimitExceeded, match="nested"):
        read_sbom(cyclonedx(deep))


@pytest.mark.parametrize("depth", [1_000, 1_000_000])
@pytest.mark.parametrize("key", ["components", "x", "@graph", "metadata"])
def test_depth_does_not_break_the_interpreter(depth: int, key: str) -> None:
    start = b'{"bomFormat":"CycloneDX","specVersion":"1.6","' + key.encode() + b'":'
    for opening, closing in ((b"[", b"]"), (b'{"components":[', b"]}")):
        with within(5), pytest.raises(InputError):
            read_sbom(start + opening * depth + closing * depth + b"}")


def test_relations_in_circles_are_not_followed() -> None:
    ids = [f"SPDXRef-{number}" for number in range(50)]
    packages = [{"SPDXID": one, "name": "a", "versionInfo": "1"} for one in ids]
    circle = [
        {"spdxElementId": one, "relationshipType": "DESCRIBES", "relatedSpdxElement": other}
        for one, other in zip(ids, [*ids[1:], ids[0]], strict=True)
    ]
    assert read_sbom(spdx(*packages, relationships=circle)).packages == ()
    dependencies = [{"ref": "a", "dependsOn": ["b"]}, {"ref": "b", "dependsOn": ["a"]}]
    assert len(read_sbom(cyclonedx(library("pkg:npm/a@1"), dependencies=dependencies)).packages) == 1
    element = {"type": "simplelicensing_LicenseExpression", "spdxId": "x", "simplelicensing_licenseExpression": "LicenseRef-x"}
    circular = {**element, "simplelicensing_customIdToUri": [{"key": "LicenseRef-x", "value": "x"}], "from": "x", "to": ["x"]}
    read_sbom(spdx3({**circular, "relationshipType": "hasDeclaredLicense"}, {"type": "software_Package", "spdxId": "x"}))


def test_one_licence_of_a_megabyte_is_not_copied_for_each_package() -> None:
    text = " AND ".join(["MIT"] * 100_000)
    packages = [
        {"type": "software_Package", "spdxId": f"p{number}", "software_packageUrl": f"pkg:npm/a{number}@1"} for number in range(2_000)
    ]
    links = [
        {"type": "Relationship", "spdxId": f"r{number}", "from": f"p{number}", "to": ["l"] * 1000, "relationshipType": "hasDeclaredLicense"}
        for number in range(500)
    ]
    shared = {"type": "simplelicensing_LicenseExpression", "spdxId": "l", "simplelicensing_licenseExpression": text}
    with within(3):
        assert len(read_sbom(spdx3(*packages, *links, shared)).packages) == len(packages)


HUGE = "x" * 1_000_000


@pytest.mark.parametrize(
    "odd",
    [
        library("pkg:npm/\0@1"),
        library("pkg:npm/" + HUGE),
        library("pkg:" + "/" * 1_000_000),
        library("pkg:npm/a@1?" + "&".join(f"k{number}=v" for number in range(10_000))),
        library("pkg:deb/debian/a@1?distro=" + "-" * 1_900),
        library("pkg:npm/a@%ff%fe"),
        library("pkg:npm/%E2%80%AEa@1"),
        library("pkg:npm/..%2f..@1"),
        library("pkg:npm/a@1", name=HUGE, licenses=[{"expression": HUGE}], publisher=HUGE, cpe="cpe:2.3:" + HUGE),
        library("pkg:npm/a@1", licenses=[{"license": {"name": f"l{number}"}} for number in range(10_000)]),
        library("pkg:npm/a@1", properties=[{"name": "pratique:path", "value": HUGE}] * 20),
        library("pkg:npm/a@1", properties=[{"name": "pratique:ecosystem", "value": "\ud800"}]),
        library("pkg:deb/debian/a@1", properties=[{"name": "pratique:ecosystem"}, {"name": "pratique:source", "value": "a b c d"}]),
        {"type": "operating-system", "name": HUGE, "version": HUGE},
        {"type": "operating-system", "name": "\n", "version": "\x1b[2J"},
        {"type": None, "name": None, "purl": None, "licenses": None, "properties": None, "components": None, "supplier": None},
        {"type": "library", "version": "1"},
    ],
)
def test_odd_components_end_in_packages_and_gaps_that_can_be_reported(odd: dict[str, object]) -> None:
    with within(2), contextlib.suppress(InputError):
        contents = read_sbom(cyclonedx(odd, library("pkg:npm/good@1"), metadata={"component": odd}))
        assert any(one.package.name == "good" for one in contents.packages)
        assert all(len(problem) < 1_000 and problem.isprintable() for problem in contents.problems)
        assert len(contents.reference) <= 500
        _render(Report(target=_target(contents.reference), packages=contents.packages, findings=(), coverage=contents.inventory.coverage))


@pytest.mark.parametrize("refs", [["same", "same"], ["", ""], [None, None]])
def test_duplicate_references_do_not_hide_a_component(refs: list[str | None]) -> None:
    components = [library(f"pkg:npm/a{number}@1", **{"bom-ref": ref}) for number, ref in enumerate(refs)]
    assert len(read_sbom(cyclonedx(*components)).packages) == len(refs)
    elements = [
        {"type": "software_Package", "spdxId": ref or "", "software_packageUrl": f"pkg:npm/a{number}@1"} for number, ref in enumerate(refs)
    ]
    assert len(read_sbom(spdx3(*elements)).packages) == len(refs)


def test_many_subjects_are_no_root_and_hide_nothing() -> None:
    packages = [
        {
            "SPDXID": "SPDXRef-a",
            "name": f"a{number}",
            "externalRefs": [{"referenceType": "purl", "referenceLocator": f"pkg:npm/a{number}@1"}],
        }
        for number in range(3)
    ]
    assert len(read_sbom(spdx(*packages, documentDescribes=["SPDXRef-a"])).packages) == len(packages)


def _target(name: str) -> Target:
    return Target(reference="sbom:x", digest=None, platform=None, distribution=None, described=name)


def _render(report: Report) -> None:
    for render in (render_cyclonedx, render_spdx, render_spdx3):
        json.loads(render(report))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example])
@given(mutated(*REAL.values(), *OWN))
def test_any_bytes_are_contents_or_an_input_error(content: bytes) -> None:
    try:
        contents = read_sbom(content)
    except InputError:
        return
    _render(Report(target=_target(contents.reference), packages=contents.packages, findings=(), coverage=contents.inventory.coverage))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([*REAL.values(), *OWN]), st.data())
def test_a_value_of_any_other_kind_is_contents_or_an_input_error(content: bytes, data: st.DataObject) -> None:
    document = json.loads(content)
    place = document
    while isinstance(place, dict | list) and place:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.integers(0, 3)) == 0:
            place[key] = data.draw(_JSON)
            break
        place = place[key]
    with contextlib.suppress(InputError):
        read_sbom(json.dumps(document).encode())


def test_a_value_that_is_no_text_of_unicode_is_refused() -> None:
    with pytest.raises(InvalidRecord):
        reading.read_sbom(b'{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{"name":"\xff"}]}')
