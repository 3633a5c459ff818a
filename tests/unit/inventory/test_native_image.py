"""The bill of materials in GraalVM native images."""

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.inventory.analyzers.native_image import MAX_DOCUMENT, parse
from pratique.inventory.package import Package
from tests.support.executables import ALL_ELF, ElfSpec, make_elf
from tests.support.layer_results import layer_file, read

DOCUMENT = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.5",
    "components": [
        {
            "type": "library",
            "group": "io.micronaut",
            "name": "micronaut-core",
            "version": "3.9.2",
            "purl": "pkg:maven/io.micronaut/micronaut-core@3.9.2",
        },
        {
            "type": "library",
            "name": "commons",
            "version": "1.0",
            "licenses": [{"license": {"id": "Apache-2.0"}}, {"expression": "MIT OR X11"}],
        },
    ],
}
PURLS = ["pkg:maven/io.micronaut/micronaut-core@3.9.2", "pkg:maven/commons@1.0"]


def image(compressed: bytes, *, length: int = -1, bits: int = 64, order: str = "<") -> bytes:
    size = len(compressed) if length < 0 else length
    sections = {
        b".svm_heap": b"heap",
        b".bytes": compressed,
        b".length": size.to_bytes(8, "big" if order == ">" else "little"),
    }
    symbols = {
        b"__svm_version_info": (b".svm_heap", 4),
        b"other_sbom": (b".svm_heap", 4),
        b"sbom": (b".bytes", 0),
        b"sbom_length": (b".length", 8),
    }
    return make_elf(ElfSpec(sections=sections, symbols=symbols, bits=bits, order=order))


def purls(content: bytes) -> tuple[list[str], str]:
    facts, problem = read(parse, layer_file("app", content))
    return [fact.purl for fact in facts if isinstance(fact, Package)], problem


def packed(document: object) -> bytes:
    return gzip.compress(json.dumps(document).encode(), mtime=0)


@pytest.mark.parametrize(("bits", "order"), ALL_ELF)
def test_libraries_are_read_in_every_class_and_byte_order(bits: int, order: str) -> None:
    assert purls(image(packed(DOCUMENT), bits=bits, order=order)) == (PURLS, "")


def test_libraries_are_known_to_advisories_by_group_and_name() -> None:
    (core, commons) = parse(layer_file("app", image(packed(DOCUMENT))))

    assert isinstance(core, Package)
    assert isinstance(commons, Package)
    assert (core.ecosystem, core.namespace, core.name) == ("Maven", "io.micronaut", "micronaut-core")
    assert commons.licenses == ("Apache-2.0", "MIT OR X11")


@pytest.mark.parametrize(
    "content",
    [
        make_elf(ElfSpec(sections={b".svm_heap": b"heap"})),
        make_elf(ElfSpec(sections={b".svm_heap": b"heap"}, symbols={b"sbom": (b".svm_heap", 4)})),
        make_elf(ElfSpec(sections={b".data": b"x" * 8}, symbols={b"sbom": (b".data", 4), b"sbom_length": (b".data", 8)})),
        image(packed({"components": []})),
        image(packed({})),
    ],
)
def test_programs_without_a_bill_of_materials_are_silence(content: bytes) -> None:
    assert purls(content) == ([], "")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (image(b"no gzip"), "got something else in its place"),
        (image(packed(DOCUMENT), length=2**60), "got something else in its place"),
        (image(packed(DOCUMENT), length=30), "expected compressed data"),
        (image(packed([])), "expected a CycloneDX document"),
        (image(gzip.compress(b"[" * 100_000, mtime=0)), "expected a CycloneDX document"),
        (image(gzip.compress(bytes(MAX_DOCUMENT + 1), 1, mtime=0)), f"more than {MAX_DOCUMENT} bytes"),
        (
            image(packed({"components": [{"name": "a b", "version": "1"}, {"name": "c"}]})),
            "2 broken entries, the first: expected a name of a library",
        ),
        (image(packed({"components": [{"name": "a", "version": "1"}] * 50_001})), "more than 50000 components"),
    ],
)
def test_a_bill_of_materials_that_cannot_be_read_is_a_gap(content: bytes, problem: str) -> None:
    assert problem in purls(content)[1]


@given(st.lists(st.tuples(st.integers(0, 2000), st.binary(min_size=1, max_size=8)), max_size=8))
def test_changed_images_give_packages_or_gaps(changes: list[tuple[int, bytes]]) -> None:
    changed = bytearray(image(packed(DOCUMENT)))
    for place, change in changes:
        changed[place % len(changed) : place % len(changed) + len(change)] = change
    purls(bytes(changed))


@given(st.binary(max_size=200))
def test_documents_of_any_kind_give_packages_or_gaps(document: bytes) -> None:
    purls(image(document))
    purls(image(gzip.compress(document, mtime=0)))
