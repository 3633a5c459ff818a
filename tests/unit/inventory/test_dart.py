"""Dart packages."""

import pytest
from hypothesis import given

from pratique.inventory.analyzers.dart import ANALYZER
from tests.support.language_facts import details_of, packages_of, purls, refusal
from tests.support.layer_results import ASSETS, asset_file, layer_file
from tests.support.mutated import answer_or_refuse, mutated

CACHE = "root/.pub-cache/hosted"
PATH = f"{CACHE}/pub.dev/acme_http-1.2.0+3/pubspec.yaml"


@pytest.mark.parametrize("host", ["pub.dev", "pub.dartlang.org"])
def test_a_cached_package_has_the_name_and_version_of_its_directory(host: str) -> None:
    file = asset_file(f"{CACHE}/{host}/acme_http-1.2.0+3/pubspec.yaml", "dart/pubspec.yaml")
    (package,) = packages_of(ANALYZER, file)

    assert (package.purl, package.version, package.ecosystem) == ("pkg:pub/acme_http@1.2.0%2B3", "1.2.0+3", "Pub")
    assert details_of(ANALYZER, file)[0].directories == (f"{CACHE}/{host}/acme_http-1.2.0+3",)


def test_a_package_from_another_host_names_it() -> None:
    file = asset_file(f"{CACHE}/mirror.example%47pub/acme_http-1.2.0+3/pubspec.yaml", "dart/pubspec.yaml")

    assert purls(ANALYZER, file) == ["pkg:pub/acme_http@1.2.0%2B3?repository_url=https://mirror.example/pub"]


@pytest.mark.parametrize(
    ("path", "content", "problem"),
    [
        (PATH, "", "expected the pubspec of acme_http"),
        (PATH, "name: other\n", "expected the pubspec of acme_http, got b'other'"),
        (PATH, "\x7fELF", "expected the pubspec"),
        (f"{CACHE}/pub.dev/a-1 2/pubspec.yaml", "name: a\n", "version of a"),
        (f"{CACHE}/pub dev/a-1.0.0/pubspec.yaml", "name: a\n", "host"),
    ],
)
def test_a_cache_that_pub_has_not_written_is_a_gap(path: str, content: str, problem: str) -> None:
    assert problem in refusal(ANALYZER, layer_file(path, content))[1]


@pytest.mark.parametrize(
    "path", ["app/pubspec.yaml", f"{CACHE}/pub.dev/a-1.0.0/example/pubspec.yaml", "root/.pub-cache/git/a-0123/pubspec.yaml"]
)
def test_other_pubspecs_are_not_wanted(path: str) -> None:
    assert not ANALYZER.paths.matches(path)


@given(content=mutated((ASSETS / "dart" / "pubspec.yaml").read_bytes()))
def test_bytes_of_any_kind_give_facts_or_an_input_error(content: bytes) -> None:
    answer_or_refuse(ANALYZER.parse, layer_file(PATH, content))
