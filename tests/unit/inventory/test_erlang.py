"""Erlang and Elixir: OTP applications and Hex packages."""

import time

import pytest
from hypothesis import given

from pratique.inventory.analyzers.erlang import ANALYZER, MAX_DEPTH
from tests.support.language_facts import details_of, packages_of, purls, refusal
from tests.support.layer_results import ASSETS, asset_file, layer_file
from tests.support.mutated import answer_or_refuse, mutated

LIB = "usr/lib/erlang/lib"
APP = f"{LIB}/p1_utils-1.0.25/ebin/p1_utils.app"
HEX = "app/deps/acme_json/hex_metadata.config"


def test_an_application_of_others_is_a_hex_package() -> None:
    (package,) = packages_of(ANALYZER, asset_file(APP, "erlang/p1_utils.app"))

    assert (package.purl, package.ecosystem, package.licenses) == ("pkg:hex/p1_utils@1.0.25", "Hex", ("Apache 2.0",))


@pytest.mark.parametrize(("name", "purl"), [("asn1", "pkg:otp/asn1@5.0.21"), ("logger", "pkg:otp/logger@1.14.0")])
def test_the_applications_of_otp_and_elixir_are_their_own(name: str, purl: str) -> None:
    (package,) = packages_of(ANALYZER, asset_file(f"{LIB}/{name}/ebin/{name}.app", f"erlang/{name}.app"))

    assert (package.purl, package.ecosystem) == (purl, "")


def test_hex_metadata_gives_the_name_of_the_package_and_not_of_its_requirements() -> None:
    (package,) = packages_of(ANALYZER, asset_file(HEX, "erlang/hex_metadata.config"))

    assert (package.purl, package.licenses) == ("pkg:hex/acme_json@1.4.1", ("Apache-2.0", "MIT"))
    assert details_of(ANALYZER, asset_file(HEX, "erlang/hex_metadata.config"))[0].directories == ("app/deps/acme_json",)


def test_an_application_owns_the_directory_that_is_named_for_it_and_no_other() -> None:
    (details,) = details_of(ANALYZER, asset_file(APP, "erlang/p1_utils.app"))

    assert details.directories == (f"{LIB}/p1_utils-1.0.25",)
    assert details_of(ANALYZER, asset_file("app/ebin/p1_utils.app", "erlang/p1_utils.app")) == []


@pytest.mark.parametrize(
    "content",
    [
        '{application, p1_utils, [{vsn, "1.2"}]}.',
        '%% -*- erlang -*-\n{application,\'p1_utils\',[{env,[{vsn,"9"},{c,$"},{m,#{a=>"b"}},{f,1.5}]},{vsn,"1.2"}]} . % end',
        '{application,p1_utils,[{description,"a \\" b {"},\n%{vsn,"9"}\n{vsn,"1.2"}]}.',
    ],
)
def test_terms_are_read_as_erlang_reads_them(content: str) -> None:
    assert purls(ANALYZER, layer_file(APP, content)) == ["pkg:hex/p1_utils@1.2"]


def test_latin_1_is_read_too() -> None:
    assert purls(ANALYZER, layer_file(APP, '{application,a,[{description,"\xe9"},{vsn,"1"}]}.'.encode("latin-1"))) == ["pkg:hex/a@1"]


@pytest.mark.parametrize("vsn", ["", '{vsn,""}'])
def test_an_application_without_version_has_that_of_its_directory_or_is_left_out(vsn: str) -> None:
    content = f"{{application,p1_utils,[{vsn}]}}."

    assert purls(ANALYZER, layer_file(APP, content)) == ["pkg:hex/p1_utils@1.0.25"]
    assert purls(ANALYZER, layer_file("lib/p1_utils/ebin/p1_utils.app", content)) == []


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "expected an application, got ''"),
        ("{applications, a, []}.", "expected an application"),
        ("{application}.", "no name of an application"),
        ("{application, 'a b', []}.", "name of an application"),
        ('{application, a, [{vsn, "1 2"}]}.', "vsn of a"),
        ('{application, a, [{vsn, "1"}', "expected the end of a term"),
        ('{application, a, [{vsn, "1', "expected Erlang terms"),
        ("\x7fELF", "expected Erlang terms"),
        ("}", "one bracket too many"),
        ("{" * (MAX_DEPTH + 1), f"deeper than {MAX_DEPTH}"),
    ],
)
def test_what_erlang_could_not_consult_is_a_gap(content: str, problem: str) -> None:
    assert problem in refusal(ANALYZER, layer_file(APP, content))[1]


def test_metadata_without_version_is_a_gap() -> None:
    assert "no version of a" in refusal(ANALYZER, layer_file(HEX, '{<<"name">>,<<"a">>}.'))[1]


@pytest.mark.parametrize(
    "content", ["% %\t" * 250_000 + "\x01", '<<"' + "a\\" * 500_000, "{" + "a," * 500_000, '{application,a,[{vsn,"1"},' + '"x",' * 250_000]
)
def test_a_megabyte_of_anything_takes_little_time(content: str) -> None:
    start = time.process_time()

    assert refusal(ANALYZER, layer_file(APP, content))
    assert time.process_time() - start < 5


@pytest.mark.parametrize("path", ["Applications/Safari.app", "src/a.app", "lib/a/ebin/a.app.src", "app/metadata.config"])
def test_other_files_of_that_ending_are_not_wanted(path: str) -> None:
    assert not ANALYZER.paths.matches(path)


@given(content=mutated(*((ASSETS / "erlang" / name).read_bytes() for name in ("p1_utils.app", "hex_metadata.config", "logger.app"))))
def test_bytes_of_any_kind_give_facts_or_an_input_error(content: bytes) -> None:
    for path in (APP, HEX):
        answer_or_refuse(ANALYZER.parse, layer_file(path, content))
