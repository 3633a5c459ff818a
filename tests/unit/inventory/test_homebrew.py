"""Homebrew's Cellar and Caskroom."""

import pytest
from hypothesis import given

from pratique.errors import InvalidRecord
from pratique.inventory.analyzers.homebrew import ANALYZER, parse
from pratique.inventory.package import Package, PackageDetails
from tests.support.layer_results import layer_file
from tests.support.mutated import answer_or_refuse, mutated

PREFIX = "home/linuxbrew/.linuxbrew"
KEG = f"{PREFIX}/Cellar/openssl@3/3.3.1_1"
CASK = f"{PREFIX}/Caskroom/some-app/.metadata/1.2.3,45/20240101120000.123/Casks/some-app.json"
FORMULA = 'class OpensslAT3 < Formula\n  desc "Cryptography"\n  license "Apache-2.0"\n  head "https://example.org/a.git"\nend\n'


@pytest.mark.parametrize("path", [f"{KEG}/INSTALL_RECEIPT.json", f"{KEG}/.brew/openssl@3.rb"])
def test_a_keg_is_named_by_its_directory(path: str) -> None:
    package, details = parse(layer_file(path, FORMULA))

    assert isinstance(package, Package)
    assert package.purl == "pkg:brew/openssl%403@3.3.1_1"
    assert isinstance(details, PackageDetails)
    assert (details.name, details.version, details.directories) == ("openssl@3", "3.3.1_1", (KEG,))


def test_a_formula_tells_the_licence() -> None:
    package, _ = parse(layer_file(f"{KEG}/.brew/openssl@3.rb", FORMULA))

    assert isinstance(package, Package)
    assert package.licenses == ("Apache-2.0",)


def test_a_cask_is_named_by_what_homebrew_keeps_of_it() -> None:
    package, details = parse(layer_file(CASK, "{}"))

    assert isinstance(package, Package)
    assert (package.name, package.version) == ("some-app", "1.2.3,45")
    assert isinstance(details, PackageDetails)
    assert details.directories == (f"{PREFIX}/Caskroom/some-app",)


def test_a_directory_that_names_no_version_is_a_gap() -> None:
    with pytest.raises(InvalidRecord, match="version of a"):
        list(parse(layer_file("opt/Cellar/a/1 2/INSTALL_RECEIPT.json", "{}")))


def test_formulas_that_could_be_installed_are_not_wanted() -> None:
    assert all(map(ANALYZER.paths.matches, (f"{KEG}/INSTALL_RECEIPT.json", f"{KEG}/.brew/openssl@3.rb", CASK)))
    others = (
        f"{PREFIX}/Library/Taps/a/b/Formula/c.rb",
        f"{KEG}/lib/a.rb",
        f"{KEG}/x/INSTALL_RECEIPT.json",
        f"{KEG}/.brew/other.rb",
        "a.json",
    )
    assert not any(map(ANALYZER.paths.matches, others))


@given(mutated(FORMULA.encode()))
def test_any_bytes_give_facts_or_an_input_error(content: bytes) -> None:
    for path in (f"{KEG}/INSTALL_RECEIPT.json", f"{KEG}/.brew/openssl@3.rb", CASK):
        answer_or_refuse(parse, layer_file(path, content))
