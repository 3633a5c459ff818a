"""R packages."""

import pytest
from hypothesis import given

from pratique.inventory.analyzers.r import ANALYZER
from tests.support.language_facts import details_of, packages_of, purls, refusal
from tests.support.layer_results import ASSETS, asset_file, layer_file
from tests.support.mutated import answer_or_refuse, mutated

LIBRARY = "usr/lib/R/site-library"
PATH = f"{LIBRARY}/digest/DESCRIPTION"
BUILT = "Built: R 4.2.2; ; 2022-12-12 17:25:54 UTC; unix\n"


def test_a_real_package_gives_name_version_licence_and_maintainer() -> None:
    (package,) = packages_of(ANALYZER, asset_file(PATH, "r/digest-DESCRIPTION"))

    assert (package.purl, package.ecosystem, package.licenses) == ("pkg:cran/digest@0.6.31", "CRAN", ("GPL (>= 2)",))
    assert package.vendor == "Dirk Eddelbuettel <edd@debian.org>"


def test_a_package_owns_its_directory() -> None:
    assert details_of(ANALYZER, asset_file(PATH, "r/digest-DESCRIPTION"))[0].directories == (f"{LIBRARY}/digest",)


def test_a_record_outside_of_a_library_owns_no_directory() -> None:
    assert details_of(ANALYZER, asset_file("DESCRIPTION", "r/digest-DESCRIPTION")) == []


@pytest.mark.parametrize(
    ("more", "purl", "ecosystem"),
    [
        ("Priority: base\n", "pkg:cran/digest@4.2.2", ""),
        ("Priority: recommended\nRepository: CRAN\n", "pkg:cran/digest@4.2.2", "CRAN"),
        ("biocViews: Software\n", "pkg:bioconductor/digest@4.2.2", "Bioconductor"),
        ("biocViews: Software\nRepository: CRAN\n", "pkg:cran/digest@4.2.2", "CRAN"),
        ("Repository: Bioconductor 3.18\n", "pkg:bioconductor/digest@4.2.2", "Bioconductor"),
        ("git_url: https://git.bioconductor.org/packages/digest\n", "pkg:bioconductor/digest@4.2.2", "Bioconductor"),
    ],
)
def test_where_a_package_comes_from_decides_its_ecosystem(more: str, purl: str, ecosystem: str) -> None:
    (package,) = packages_of(ANALYZER, layer_file(PATH, f"Package: digest\nVersion: 4.2.2\n{more}{BUILT}"))

    assert (package.purl, package.ecosystem) == (purl, ecosystem)


def test_alternative_licences_are_told_one_by_one() -> None:
    (package,) = packages_of(ANALYZER, layer_file(PATH, f"Package: a\nVersion: 1-2\nLicense: GPL-2 |\n  file LICENSE\n{BUILT}"))

    assert package.licenses == ("GPL-2", "file LICENSE")


@pytest.mark.parametrize(
    "content", ["", "\x7fELF", "A tool for you", "Package: a\nVersion: 1\n", f"Version: 1\n{BUILT}", "Package: a\nBuilt: today\n"]
)
def test_a_file_of_that_name_without_a_build_of_r_means_nothing(content: str) -> None:
    assert purls(ANALYZER, layer_file(PATH, content)) == []


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ("Package: a\n", "no Version"),
        ("Package: a\nVersion: one\n", "Version"),
        ("Package: a b\nVersion: 1\n", "Package"),
        ("Package: 1a\nVersion: 1\n", "Package"),
    ],
)
def test_an_installed_package_that_r_would_refuse_is_a_gap(fields: str, problem: str) -> None:
    assert problem in refusal(ANALYZER, layer_file(PATH, fields + BUILT))[1]


def test_a_value_of_a_million_lines_takes_no_memory() -> None:
    assert purls(ANALYZER, layer_file(PATH, "Package: a\nVersion: 1\nLicense: x\n" + " y\n" * 300_000 + BUILT)) == ["pkg:cran/a@1"]


@given(content=mutated(*((ASSETS / "r" / f"{name}-DESCRIPTION").read_bytes() for name in ("digest", "R6"))))
def test_bytes_of_any_kind_give_facts_or_an_input_error(content: bytes) -> None:
    answer_or_refuse(ANALYZER.parse, layer_file(PATH, content))
