"""OCaml packages."""

import pytest
from hypothesis import given

from pratique.inventory.analyzers.ocaml import ANALYZER, MAX_PACKAGES
from tests.support.language_facts import details_of, packages_of, purls, refusal
from tests.support.layer_results import ASSETS, asset_file, layer_file
from tests.support.mutated import answer_or_refuse, mutated

SWITCH = "home/opam/.opam/4.14"
STATE = f"{SWITCH}/.opam-switch/switch-state"
CHANGES = f"{SWITCH}/.opam-switch/install/acme.changes"
OPAM = f"{SWITCH}/.opam-switch/packages/acme.0.9.0/opam"


def test_the_state_of_a_switch_lists_what_is_installed() -> None:
    packages = packages_of(ANALYZER, asset_file(STATE, "ocaml/switch-state"))

    assert [package.purl for package in packages] == [
        "pkg:opam/acme@0.9.0",
        "pkg:opam/base-unix@base",
        "pkg:opam/conf-pkg-config@2",
        "pkg:opam/ocaml-base-compiler@4.14.1",
        "pkg:opam/ocamlfind@1.9.6~preview",
    ]
    assert {package.ecosystem for package in packages} == {"opam"}


def test_the_files_of_a_package_lie_in_the_switch() -> None:
    (details,) = details_of(ANALYZER, asset_file(CHANGES, "ocaml/acme.changes"))

    assert (details.name, details.version) == ("acme", "")
    assert details.files == (
        (f"{SWITCH}/bin/acme", "md5:0cc175b9c0f1b6a831c399e269772661"),
        (f"{SWITCH}/lib/acme/META", ""),
        (f'{SWITCH}/lib/acme/"quoted"', ""),
    )


@pytest.mark.parametrize(
    ("content", "licenses"),
    [
        ('license: "MIT"\n', ("MIT",)),
        ("depends: []\n", None),
        ("license: [nonsense\n", None),
    ],
)
def test_licences_are_told_where_they_can_be_read(content: str, licenses: tuple[str, ...] | None) -> None:
    assert purls(ANALYZER, layer_file(OPAM, content)) == []
    assert [details.licenses for details in details_of(ANALYZER, layer_file(OPAM, content))] == ([licenses] if licenses else [])


def test_the_licences_of_a_package_stand_in_its_opam_file() -> None:
    (details,) = details_of(ANALYZER, asset_file(OPAM, "ocaml/acme.opam"))

    assert (details.name, details.version) == ("acme", "0.9.0")
    assert details.licenses == ("ISC", "LGPL-2.1-or-later WITH OCaml-LGPL-linking-exception")


@pytest.mark.parametrize("content", ['opam-version: "2.0"\n', 'opam-version: "2.0"\ninstalled: []\n'])
def test_an_empty_switch_is_no_gap(content: str) -> None:
    assert purls(ANALYZER, layer_file(STATE, content)) == []


@pytest.mark.parametrize(
    ("content", "count", "problem"),
    [
        ("", 0, "expected the state"),
        ("\x7fELF", 0, "expected the state"),
        ('installed: ["a.1"', 1, "expected a list of strings"),
        ("installed: [a]", 0, "expected a list of strings"),
        ('installed: ["a" "b.2"]', 1, "no version of a"),
        ('installed: ["a b.1" "b.2"]', 1, "name of a package"),
        ("installed: [" + '"a.1" ' * (MAX_PACKAGES + 1) + "]", MAX_PACKAGES, "more than"),
        ('installed: ["' + "\\a" * 500_000, 0, "expected a list of strings"),
    ],
)
def test_what_opam_has_not_written_is_a_gap(content: str, count: int, problem: str) -> None:
    told, error = refusal(ANALYZER, layer_file(STATE, content))

    assert (told, problem in error) == (count, True)


def test_a_list_of_files_that_breaks_off_tells_those_before() -> None:
    file = layer_file(CHANGES, 'added: ["a" {"F:x"} "b"')

    assert "expected a list of strings" in refusal(ANALYZER, file)[1]
    assert [path for path, _ in details_of(ANALYZER, file)[0].files] == [f"{SWITCH}/a", f"{SWITCH}/b"]


@pytest.mark.parametrize(
    "path", ["src/acme.opam", "src/opam", "root/.opam/repo/default/packages/a/a.1/opam", "home/x.changes", "switch-state"]
)
def test_files_of_sources_and_repositories_are_not_wanted(path: str) -> None:
    assert not ANALYZER.paths.matches(path)


@given(content=mutated(*((ASSETS / "ocaml" / name).read_bytes() for name in ("switch-state", "acme.changes", "acme.opam"))))
def test_bytes_of_any_kind_give_facts_or_an_input_error(content: bytes) -> None:
    for path in (STATE, CHANGES, OPAM):
        answer_or_refuse(ANALYZER.parse, layer_file(path, content))
