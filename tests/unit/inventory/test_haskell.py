"""Haskell packages."""

import pytest
from hypothesis import given

from pratique.inventory.analyzers.haskell import ANALYZER
from tests.support.language_facts import details_of, packages_of, purls, refusal
from tests.support.layer_results import ASSETS, asset_file, layer_file
from tests.support.mutated import answer_or_refuse, mutated

PATH = "var/lib/ghc/package.conf.d/aeson-2.0.3.0.conf"
STORE = "root/.cabal/store/ghc-9.2.8/package.db/a.conf"


def test_a_real_library_gives_name_version_and_licence() -> None:
    (package,) = packages_of(ANALYZER, asset_file(PATH, "haskell/aeson.conf"))

    assert (package.purl, package.ecosystem, package.licenses) == ("pkg:hackage/aeson@2.0.3.0", "Hackage", ("BSD-3-Clause",))


def test_a_library_owns_its_record_and_the_directories_named_for_it() -> None:
    (details,) = details_of(ANALYZER, asset_file(PATH, "haskell/aeson.conf"))

    assert details.files == ((PATH, ""),)
    assert details.directories == ("usr/lib/haskell-packages/ghc/lib/x86_64-linux-ghc-9.0.2/aeson-2.0.3.0-H8BOQwtT8HYFvWPR1b6zvB",)


def test_directories_may_be_relative_to_the_database() -> None:
    file = layer_file(STORE, 'name: a-b\nversion: 1.2\nimport-dirs:\n    "${pkgroot}/a-b-1.2-0f/lib"\n    ${pkgroot}/lib\n    /usr/lib\n')

    assert details_of(ANALYZER, file)[0].directories == ("root/.cabal/store/ghc-9.2.8/a-b-1.2-0f",)


def test_an_internal_library_belongs_to_its_package() -> None:
    content = "name: z-attoparsec-z-internal\nversion: 0.14.4\npackage-name: attoparsec\nlib-name: internal\n"

    assert purls(ANALYZER, layer_file(PATH, content)) == ["pkg:hackage/attoparsec@0.14.4"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "no name of a package"),
        ("\x7fELF", "no name of a package"),
        ("name: a\n", "no version"),
        ("name: a b\nversion: 1\n", "name of a package"),
        ("name: a\nversion: 1.x\n", "version of a package"),
        ("name: a\nversion:\n", "no version"),
    ],
)
def test_what_ghc_pkg_would_refuse_is_a_gap(content: str, problem: str) -> None:
    assert problem in refusal(ANALYZER, layer_file(PATH, content))[1]


@pytest.mark.parametrize("path", [STORE, "app/.stack-work/install/x/pkgdb/a.conf", PATH])
def test_every_database_is_wanted(path: str) -> None:
    assert ANALYZER.paths.matches(path)


@pytest.mark.parametrize("path", ["etc/ld.so.conf.d/a.conf", "etc/a.conf", "var/lib/ghc/package.conf.d/package.cache", "my-pkgdb/a.conf"])
def test_other_configurations_are_not_wanted(path: str) -> None:
    assert not ANALYZER.paths.matches(path)


@given(content=mutated((ASSETS / "haskell" / "aeson.conf").read_bytes()))
def test_bytes_of_any_kind_give_facts_or_an_input_error(content: bytes) -> None:
    answer_or_refuse(ANALYZER.parse, layer_file(PATH, content))
