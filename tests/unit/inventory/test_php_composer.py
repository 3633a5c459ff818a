"""PHP packages that Composer installed."""

import json

import pytest
from hypothesis import given

from pratique.inventory.analyzers.php_composer import ANALYZER, MAX_PACKAGES
from tests.support.language_facts import details_of, packages_of, purls, refusal
from tests.support.layer_results import ASSETS, asset_file, layer_file
from tests.support.mutated import answer_or_refuse, mutated

PATH = "app/vendor/composer/installed.json"
TWO = asset_file(PATH, "php_composer/installed-2.json")
ONE = asset_file(PATH, "php_composer/installed-1.json")


def test_the_packages_of_composer_2_are_told_without_the_v_of_their_tags() -> None:
    assert purls(ANALYZER, TWO) == ["pkg:composer/acme/console@6.4.1", "pkg:composer/acme/all@1.0.0", "pkg:composer/acme/cms@dev-main"]
    package = packages_of(ANALYZER, TWO)[0]
    assert (package.ecosystem, package.matching_name, package.licenses) == ("Packagist", "acme/console", ("MIT", "Apache-2.0"))


def test_a_package_owns_the_directory_it_was_installed_into() -> None:
    assert [(details.name, details.directories) for details in details_of(ANALYZER, TWO)] == [
        ("console", ("app/vendor/acme/console",)),
        ("cms", ("app/web/cms",)),
    ]


def test_the_list_of_composer_1_is_read_too() -> None:
    assert purls(ANALYZER, ONE) == ["pkg:composer/acme/log@1.1.4"]
    assert details_of(ANALYZER, ONE)[0].directories == ("app/vendor/acme/log",)


@pytest.mark.parametrize("path", ["../..", "../../", "..", ".", "/", "/app", "../../../../..", "a\0b"])
def test_no_package_takes_in_the_directory_of_all_packages(path: str) -> None:
    file = layer_file(PATH, json.dumps([{"name": "a/b", "version": "1", "install-path": path}]))

    assert (purls(ANALYZER, file), details_of(ANALYZER, file)) == (["pkg:composer/a/b@1"], [])


def test_an_empty_vendor_directory_is_no_gap() -> None:
    assert purls(ANALYZER, layer_file(PATH, '{"packages": [], "dev": true, "dev-package-names": []}')) == []
    assert purls(ANALYZER, layer_file(PATH, "[]")) == []


@pytest.mark.parametrize(
    "content", ["", "{", "{}", '"a"', "[1", "\x7fELF", "[" * 100_000, '{"packages": {}}', "[0" + ",0" * 2_000_001 + "]"]
)
def test_what_is_no_installed_json_is_a_gap(content: str) -> None:
    assert refusal(ANALYZER, layer_file(PATH, content))[0] == 0


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("1", "expected a package"),
        ('{"name": "a/c"}', "version"),
        ('{"name": "", "version": "1"}', "no name"),
        ('{"name": "a/<x>", "version": "1"}', "name of a package"),
        ('{"name": "a/b/c", "version": "1"}', "name of a package"),
        ('{"name": "a/c", "version": "1 2"}', "version of a package"),
    ],
)
def test_a_broken_package_is_a_gap_and_the_others_are_told(entry: str, problem: str) -> None:
    count, error = refusal(ANALYZER, layer_file(PATH, f'[{entry}, {{"name": "a/b", "version": "1"}}]'))

    assert count == 1
    assert error.startswith("1 broken entries")
    assert problem in error


def test_more_packages_than_any_application_has_are_refused() -> None:
    entry = '{"name":"a/b","version":"1"}'
    count, error = refusal(ANALYZER, layer_file(PATH, f"[{','.join([entry] * (MAX_PACKAGES + 1))}]"))

    assert (count, error) == (MAX_PACKAGES, f"more than {MAX_PACKAGES} packages")


def test_only_composers_own_file_is_wanted() -> None:
    assert ANALYZER.paths.matches("composer/installed.json")
    assert not ANALYZER.paths.matches("app/vendor/other/installed.json")
    assert not ANALYZER.paths.matches("app/vendor/mycomposer/installed.json")


@given(content=mutated(*((ASSETS / "php_composer" / f"installed-{number}.json").read_bytes() for number in (1, 2))))
def test_bytes_of_any_kind_give_facts_or_an_input_error(content: bytes) -> None:
    answer_or_refuse(ANALYZER.parse, layer_file(PATH, content))
