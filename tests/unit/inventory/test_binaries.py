"""Software that is known by what its files contain."""

import re
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pratique.inventory.analyzer import LayerFile
from pratique.inventory.analyzers import _classifier
from pratique.inventory.analyzers._classifier import Classifier, ClassRow, PatternRow, load_rows
from pratique.inventory.analyzers.binaries import ANALYZER, parse
from pratique.inventory.package import Package
from tests.support.executables import ElfSpec, make_elf
from tests.support.layer_results import layer_file, read
from tests.support.program_bytes import BINARIES, ELF, TEXTS

ROWS = load_rows((Path(_classifier.__file__).with_name("classifiers.json")).read_bytes())
EXAMPLES = [*BINARIES, *TEXTS]
IN_NAME = "3.11"  # what stands for `{file}`
PATTERNS = [
    pytest.param(row, pattern, id=f"{row.name}-{number}") for row in ROWS for number, (pattern, _, _) in enumerate(row.all_patterns())
]
ONLY_PATTERNS = [pytest.param(case.values[1], id=case.id) for case in PATTERNS]
PROGRAMS_IN_GO = [pytest.param(row, id=row.name) for row in ROWS if row.module]


def purls(path: str, content: bytes) -> str:
    return " ".join(package.purl for package in parse(layer_file(path, content)))


def test_what_the_linker_was_given_is_looked_for_among_the_constants_only() -> None:
    linked, other = b"\0v2.4.1\0", b"\0v2.9.9\0"
    program = make_elf(ElfSpec(sections={b".text": other, b".rodata": b"github.com/sigstore/cosign" + linked, b".data": other}))
    assert purls("usr/bin/cosign", program) == "pkg:golang/github.com/sigstore/cosign/v2@v2.4.1"
    stripped = make_elf(ElfSpec(sections={b".text": linked + b"github.com/sigstore/cosign"}, with_table=False))
    assert purls("usr/bin/cosign", stripped) == "pkg:golang/github.com/sigstore/cosign/v2@v2.4.1"


def example(name: str) -> str:
    """A path that the first entry of a row's files fits."""
    row = next(row for row in ROWS if row.name == name)
    return f"x/{row.files[0].replace('*', '1')}"


@pytest.mark.parametrize(("path", "content", "expected"), [pytest.param(*rest, id=f"{name}:{rest[2]}") for name, *rest in EXAMPLES])
def test_a_version_is_found_as_programs_hold_it(path: str, content: bytes, expected: str) -> None:
    assert ANALYZER.paths.matches(path, content[:8])
    assert purls(path, content).startswith(expected)


def test_every_rule_with_patterns_of_its_own_has_an_example() -> None:
    shown = {name for name, *_ in EXAMPLES}
    like = {"mysql-cluster-of-old": "mysql-cluster-server-of-old", "etcdctl": "etcd", "etcdutl": "etcd"}
    like |= {row.name: "kubelet" for row in ROWS if row.ecosystem == "Kubernetes"}

    assert {row.name for row in ROWS if row.patterns and like.get(row.name, row.name) not in shown} == set()
    assert shown <= {row.name for row in ROWS}


@pytest.mark.parametrize("row", PROGRAMS_IN_GO)
def test_a_program_in_go_tells_its_version_in_its_build_information(row: ClassRow) -> None:
    assert "@v3.4.5" in purls(example(row.name), ELF + f"path\tx\nmod\t{row.module}\tv3.4.5\th1:x=\n".encode())
    assert purls(example(row.name), ELF + f"path\tx\nmod\t{row.module}\t(devel)\t\n".encode()) == ""


@pytest.mark.parametrize("row", PROGRAMS_IN_GO)
def test_a_program_in_go_tells_its_version_in_the_flags_it_was_built_with(row: ClassRow) -> None:
    for variable in row.variables:
        content = f"{row.module}\nbuild\t-ldflags=\"-s -w -X 'a/{variable}=v3.4.5-rc.1' -X a/b=1\"\n".encode()
        assert "@v3.4.5-rc.1" in purls(example(row.name), ELF + content)


@pytest.mark.parametrize("row", PROGRAMS_IN_GO)
def test_a_program_in_go_without_recorded_flags_still_holds_the_text_that_the_linker_was_given(row: ClassRow) -> None:
    for start in row.linked:
        content = row.module.encode() + b"\0go1.19.8\0" + f"{start}.4.5+ds1~x".encode() + b"\0"
        found = purls(example(row.name), ELF + content)

        assert f"@v{start.removeprefix('v')}.4.5%2Bds1" in found
        assert purls(example(row.name), ELF + content.replace(row.module.encode(), b"another")) == ""


def test_texts_of_the_linker_that_disagree_tell_nothing() -> None:
    runc = b"github.com/opencontainers/runc\0"

    assert (
        purls("usr/bin/runc", ELF + runc + b"1.1.5+ds1\0\x001.1.5+ds1-1+deb12u1\0")
        == "pkg:golang/github.com/opencontainers/runc@v1.1.5%2Bds1"
    )
    assert purls("usr/bin/runc", ELF + runc + b"1.1.5\0\x001.2.0\0") == ""


def test_major_versions_of_go_modules_are_part_of_their_paths() -> None:
    assert purls("usr/bin/helm", ELF + b"helm.sh/helm\0v3.12.0\0") == "pkg:golang/helm.sh/helm/v3@v3.12.0"
    assert purls("usr/bin/containerd", ELF + b"\nmod\tgithub.com/containerd/containerd/v2\tv2.0.1\t").startswith(
        "pkg:golang/github.com/containerd/containerd/v2@v2.0.1"
    )
    assert purls("usr/bin/containerd", ELF + b"\nmod\tgithub.com/containerd/containerd\tv1.7.1\t").startswith(
        "pkg:golang/github.com/containerd/containerd@v1.7.1"
    )


def test_a_component_of_kubernetes_is_named_as_its_own_advisories_and_as_those_of_go_name_it() -> None:
    component, module = parse(
        layer_file("usr/local/bin/kube-apiserver", ELF + b"-X k8s.io/component-base/version.gitVersion=v1.28.3' k8s.io/kubernetes")
    )

    assert isinstance(component, Package)
    assert isinstance(module, Package)
    assert (component.ecosystem, component.matching_name, component.version) == ("Kubernetes", "k8s.io/apiserver", "1.28.3")
    assert component.cpes == ("cpe:2.3:a:kubernetes:kubernetes:1.28.3:*:*:*:*:*:*:*",)
    assert (module.ecosystem, module.matching_name, module.version) == ("Go", "k8s.io/kubernetes", "v1.28.3")


def test_the_go_toolchain_is_named_as_its_advisories_name_it() -> None:
    _, toolchain = parse(layer_file("usr/local/go/bin/go", ELF + b"\0go1.21.3\0"))

    assert isinstance(toolchain, Package)
    assert (toolchain.ecosystem, toolchain.matching_name, toolchain.version) == ("Go", "toolchain", "1.21.3")


def test_a_cpe_name_has_the_update_apart() -> None:
    (package,) = parse(layer_file("opt/java/bin/java", ELF + b"\0openjdk\0java\x001.8\x001.8.0_352-b08\0"))

    assert isinstance(package, Package)
    assert package.cpes == ("cpe:2.3:a:oracle:openjdk:1.8.0:update352:*:*:*:*:*:*",)


def test_special_characters_of_a_version_are_quoted_in_a_cpe_name() -> None:
    (package,) = parse(layer_file("usr/bin/python2.7", ELF + b"\x002.7.18+\0"))

    assert isinstance(package, Package)
    assert package.cpes[1] == "cpe:2.3:a:python:python:2.7.18\\+:*:*:*:*:*:*:*"


SILENT = [
    ("usr/sbin/nginx", ELF + b"no version here"),
    ("usr/sbin/nginx", b"#!/bin/sh\necho nginx version: nginx/1.25.1\n"),
    ("bin/gzip", ELF + b"BusyBox v1.36.1\x001.12\0"),
    ("usr/local/bin/node", ELF + b"\0OpenSSL 3.0.13 30 Jan 2024\0"),
    ("usr/local/bin/python3.11", ELF + b"\x003.12.1\0"),
    ("usr/local/bin/python3", ELF + b"\x003.12.1\0"),
    ("usr/lib/libpython3.so", ELF + b"\x003.12.1\0"),
    ("usr/bin/zstd", ELF + b"\0v1.5.6\0"),
    ("opt/firefox/application.ini", b"[App]\nName=Zotero\nVersion=7.0\n"),
    ("usr/local/go/VERSION", b"not go1.21.3\n"),
    ("usr/bin/elixir", ELF + b"ELIXIR_VERSION=1.12.0"),
]


@pytest.mark.parametrize(("path", "content"), SILENT)
def test_a_name_without_its_evidence_is_neither_a_package_nor_a_gap(path: str, content: bytes) -> None:
    assert read(parse, layer_file(path, content)) == ([], "")


@pytest.mark.parametrize(
    "path",
    [
        "usr/bin/ls",
        "usr/lib/libm.so.6",
        "usr/lib/python3/pytest",
        "opt/VERSION",
        "usr/bin/python",
        "usr/bin/gcc-ranlib",
        "nginx/x",
        "",
        "*",
    ],
)
def test_other_programs_are_not_wanted(path: str) -> None:
    assert not ANALYZER.paths.matches(path, ELF[:8])


@pytest.mark.parametrize("head", [b"", b"#!/bin/sh", b"\x1f\x8b\x08", b"MZ"])
def test_a_program_is_not_wanted_by_its_name_alone(head: bytes) -> None:
    assert not ANALYZER.paths.matches("usr/sbin/nginx", head)


def test_programs_of_windows_have_the_same_names() -> None:
    assert ANALYZER.paths.matches("Files/go/bin/go.exe", b"MZ\x90\0\x03\0\0\0")
    assert purls("Files/go/bin/go.exe", b"MZ\x90\0\0go1.21.3\0").startswith("pkg:generic/go@1.21.3")


def test_the_beginning_of_a_large_file_is_enough() -> None:
    assert ANALYZER.head_bytes == ANALYZER.max_bytes
    (package,) = parse(LayerFile(path="opt/google/chrome/chrome", content=ELF + b"\x00127.0.6533.119\0Default", size=300 * 1024**2))

    assert isinstance(package, Package)


# The table


def test_rules_have_names_of_their_own_and_say_where_they_come_from() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS) > 150
    assert all(row.origin and row.files and (row.patterns or row.module) for row in ROWS)


def test_file_names_are_specific() -> None:
    starts = [name.rpartition("/")[2].partition("*") for row in ROWS for name in row.files]

    assert all(len(start) >= 3 for start, star, _ in starts if star)
    assert all(not (start.startswith("lib") and star) or len(start) >= 4 for start, star, _ in starts)
    assert all("*" not in name for name in ANALYZER.paths.names)


def test_a_text_file_is_wanted_under_every_name_that_the_table_has_for_it() -> None:
    assert all(ANALYZER.paths.matches(f"x/{name}", b"") for row in ROWS if row.kind == "text" for name in row.files if not row.under)


def test_products_are_spelt_as_cpe_names_spell_them() -> None:
    for row in ROWS:
        for cpe in row.cpes:
            assert re.fullmatch(r"[a-z0-9_.-]+:(?:[a-z0-9_.-]|\\.)+", cpe), row.name


@pytest.mark.parametrize(("row", "pattern"), PATTERNS)
def test_a_literal_is_long_enough_to_be_rare(row: ClassRow, pattern: PatternRow) -> None:
    near = _classifier._literal(pattern.near, IN_NAME)

    assert len(near) >= 3 or (not near and row.kind == "text")
    assert row.module or row.kind == "text" or row.requires or len(near) >= 4 or pattern.before or near.startswith(b"\0")


@pytest.mark.parametrize("pattern", ONLY_PATTERNS)
def test_an_expression_needs_its_literal_and_is_bounded(pattern: PatternRow) -> None:
    near = _classifier._literal(pattern.near, IN_NAME)
    expression = _classifier._expression(pattern.match, IN_NAME)
    parsed = import_module("re._parser").parse(expression.pattern, expression.flags & ~re.UNICODE)
    pieces = list(_pieces(parsed))
    longest = parsed.getwidth()[1]

    assert "version" in expression.groupindex
    assert longest <= 2_000
    assert not list(_ambiguous(parsed))
    if not near:
        assert longest <= pattern.after
        return
    befores = [before + text.index(near) for before, text in pieces if near in text]
    assert befores, f"{near!r} is not in every match"
    assert min(befores) <= pattern.before, "a match may begin farther before its literal"
    assert longest - min(befores) - len(near) <= pattern.after, "a match may end farther behind its literal"
    if not pattern.before:
        assert 0 in befores, "without `before` an expression begins with its literal"


def _pieces(parsed: Any) -> Iterator[tuple[int, bytes]]:
    """The literals that every match holds, and how much may stand before each."""
    before, text = 0, b""
    for name, value in _flat(parsed):
        if name == "LITERAL":
            text += bytes([value])
            continue
        if text:
            yield before, text
        before, text = before + len(text) + value, b""
    if text:
        yield before, text


def _flat(parsed: Any) -> Iterator[tuple[str, int]]:
    """Literals, and the greatest widths of all else, with plain groups opened."""
    for operator, argument in parsed:
        if str(operator) == "LITERAL":
            yield "LITERAL", argument
        elif str(operator) == "SUBPATTERN":
            yield from _flat(argument[3])
        elif str(operator) not in {"AT", "ASSERT", "ASSERT_NOT"}:
            yield "OTHER", _width(operator, argument)


def _width(operator: Any, argument: Any) -> int:
    parser = import_module("re._parser")
    if str(operator) == "GROUPREF":
        return 64
    return int(parser.SubPattern(parser.State(), [(operator, argument)]).getwidth()[1])


def _ambiguous(parsed: Any) -> Iterator[str]:
    """Repetitions that are unbounded, or that repeat something repeated which does not begin with a literal: these can take more than linear time."""
    for operator, argument in parsed:
        kind = str(operator)
        if kind in {"MAX_REPEAT", "MIN_REPEAT"}:
            _, most, body = argument
            if most > 1_024:
                yield f"up to {most} times"
            if most > 1 and _has_repeat(body) and str(_first(body)[0]) != "LITERAL":
                yield "a repetition of a repetition"
            yield from _ambiguous(body)
        elif kind == "SUBPATTERN":
            yield from _ambiguous(argument[3])
        elif kind == "BRANCH":
            for branch in argument[1]:
                yield from _ambiguous(branch)


def _first(body: Any) -> Any:
    operator, argument = body[0]
    return _first(argument[3]) if str(operator) == "SUBPATTERN" else (operator, argument)


def _has_repeat(body: Any) -> bool:
    return any(str(op) in {"MAX_REPEAT", "MIN_REPEAT"} or (str(op) == "SUBPATTERN" and _has_repeat(arg[3])) for op, arg in body)


# Hostile files


@pytest.mark.parametrize("pattern", [case for case in ONLY_PATTERNS if case.values[0].before or case.values[0].after > 256])
def test_a_file_that_repeats_a_literal_costs_bounded_time(pattern: PatternRow) -> None:
    content = _classifier._literal(pattern.near, IN_NAME) * 200_000
    start = time.process_time()
    _classifier._find_match(pattern, _classifier._Area(IN_NAME, content, 0, len(content)), is_unanimous=True)

    assert time.process_time() - start < 5  # 0.2 s where nothing else runs


def test_a_file_of_almost_versions_costs_bounded_time() -> None:
    content = ELF + b"\x001.36.4\0" * 500_000
    start = time.process_time()

    assert purls("usr/local/bin/envoy", content) == ""
    assert time.process_time() - start < 20  # 2 s where nothing else runs


CONTENTS = st.one_of(
    st.binary(max_size=300),
    st.tuples(
        st.sampled_from([content for _, _, content, _ in EXAMPLES]), st.binary(max_size=20), st.integers(0, 200), st.integers(0, 40)
    ).map(lambda part: part[0][: part[2]] + part[1] + part[0][part[2] + part[3] :]),
)


@settings(max_examples=300)
@given(path=st.sampled_from([path for _, path, _, _ in EXAMPLES]), content=CONTENTS)
def test_bytes_of_any_kind_give_packages_or_nothing(path: str, content: bytes) -> None:
    for file in (layer_file(path, content), layer_file(path, ELF + content)):
        facts, error = read(parse, file)

        assert error == ""
        assert all(isinstance(fact, Package) and fact.purl and fact.version.isascii() and fact.version.isprintable() for fact in facts)


@given(path=st.text(max_size=60))
def test_paths_of_any_kind_are_answered(path: str) -> None:
    ANALYZER.paths.matches(path, ELF[:8])


@given(name=st.text(alphabet="abl*.", max_size=8), pattern=st.text(alphabet="abl*.", min_size=3, max_size=8))
def test_a_star_stands_for_anything(name: str, pattern: str) -> None:
    row = ClassRow(name="r", files=(pattern,), origin="o", purl="generic/r", patterns=(PatternRow("abc", "abc{xy}"),))
    expected = re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name) is not None
    if len(pattern.partition("*")[0]) >= 3:
        assert Classifier([row]).accepts(name) == expected
