"""Spack's specs."""

import pytest
from hypothesis import given

from pratique.errors import InputError
from pratique.inventory.analyzers.spack import ANALYZER, parse
from pratique.inventory.package import Package, PackageDetails
from tests.support.layer_results import layer_file
from tests.support.mutated import answer_or_refuse, mutated

PREFIX = "opt/spack/linux-skylake/libelf-0.8.13-dsohcyk45wchbd364rjio7b3sj2bucgc"
PATH = f"{PREFIX}/.spack/spec.json"
SPEC = """{"spec": {"_meta": {"version": 5}, "nodes": [
  {"name": "libelf", "version": "0.8.13", "arch": {"platform": "linux", "platform_os": "ubuntu24.04", "target": {"name": "skylake"}}, "hash": "dsohcyk4"},
  {"name": "gcc", "version": "13.3.0", "arch": {"target": "x86_64"}, "external": {"path": "/usr"}, "hash": "tatt476r"}]}}"""


def test_the_first_node_is_what_the_prefix_holds() -> None:
    package, details = parse(layer_file(PATH, SPEC))

    assert isinstance(package, Package)
    assert package.purl == "pkg:spack/libelf@0.8.13?arch=skylake&hash=dsohcyk4"
    assert isinstance(details, PackageDetails)
    assert details.directories == (PREFIX,)


def test_the_target_may_be_a_word() -> None:
    (package, _) = parse(layer_file(PATH, '{"spec": {"nodes": [{"name": "a", "version": "1", "arch": {"target": "x86_64"}}]}}'))

    assert isinstance(package, Package)
    assert package.purl == "pkg:spack/a@1?arch=x86_64"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "Spack spec"),
        ("{}", "Spack spec"),
        ('{"spec": {"nodes": []}}', "without nodes"),
        ('{"spec": {"nodes": [{}]}}', "no name"),
        ('{"spec": {"nodes": [{"name": "a"}]}}', "no version of a"),
        ('{"spec": {"nodes": [' + "{}," * 2_000_001 + "{}]}}", "more than 2000000 values"),
    ],
)
def test_what_spack_did_not_write_is_a_gap(content: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        list(parse(layer_file(PATH, content)))


def test_only_the_specs_of_prefixes_are_wanted() -> None:
    assert ANALYZER.paths.matches(PATH)
    assert not ANALYZER.paths.matches(".spack/spec.json")
    assert not ANALYZER.paths.matches("app/spec.json")


@given(mutated(SPEC.encode()))
def test_any_bytes_give_facts_or_an_input_error(content: bytes) -> None:
    answer_or_refuse(parse, layer_file(PATH, content))
