"""Ruby gems."""

import pytest
from hypothesis import given

from pratique.inventory.analyzers.ruby import ANALYZER
from tests.support.language_facts import details_of, packages_of, purls, refusal
from tests.support.layer_results import ASSETS, asset_file, layer_file
from tests.support.mutated import answer_or_refuse, mutated

GEMS = "usr/local/bundle"
NOKOGIRI = f"{GEMS}/specifications/nokogiri-1.13.10.gemspec"
CHECKOUT = f"{GEMS}/bundler/gems/rails-0123abcd"


def _gemspec(name: str = '"a".freeze', version: str = '"1.2.3"', more: str = "") -> str:
    return f"# -*- encoding: utf-8 -*-\nGem::Specification.new do |s|\n  s.name = {name}\n  s.version = {version}\n{more}\nend\n"


def test_a_real_gem_gives_its_name_version_and_licence() -> None:
    (package,) = packages_of(ANALYZER, asset_file(NOKOGIRI, "ruby/nokogiri-1.13.10.gemspec"))

    assert (package.purl, package.ecosystem, package.licenses) == ("pkg:gem/nokogiri@1.13.10", "RubyGems", ("MIT",))


def test_several_licences_are_told_in_their_order() -> None:
    (package,) = packages_of(ANALYZER, asset_file(f"{GEMS}/specifications/debug-1.6.3.gemspec", "ruby/debug-1.6.3.gemspec"))

    assert package.licenses == ("Ruby", "BSD-2-Clause")


@pytest.mark.parametrize("path", [NOKOGIRI, f"{GEMS}/specifications/default/nokogiri-1.13.10.gemspec"])
def test_a_gem_owns_its_directory_its_record_and_its_cached_archive(path: str) -> None:
    (details,) = details_of(ANALYZER, asset_file(path, "ruby/nokogiri-1.13.10.gemspec"))

    assert details.directories == (f"{GEMS}/gems/nokogiri-1.13.10",)
    assert details.files == ((path, ""), (f"{GEMS}/cache/nokogiri-1.13.10.gem", ""))


@pytest.mark.parametrize(
    ("name", "version"),
    [('"a"', '"1.2.3"'), ("'a'", "'1.2.3'"), ("%q<a>.freeze", "%q<1.2.3>"), ('"a".freeze', 'Gem::Version.new("1.2.3".freeze)')],
)
def test_every_way_of_writing_a_literal_is_read(name: str, version: str) -> None:
    assert purls(ANALYZER, layer_file(NOKOGIRI, _gemspec(name, version))) == ["pkg:gem/a@1.2.3"]


@pytest.mark.parametrize("platform", ['"x86_64-linux".freeze', 'Gem::Platform.new(["x86_64".freeze, "linux".freeze, nil])'])
def test_a_gem_for_a_platform_says_so_and_lies_in_a_directory_of_that_name(platform: str) -> None:
    file = layer_file(NOKOGIRI, _gemspec(more=f"  s.platform = {platform}"))

    assert purls(ANALYZER, file) == ["pkg:gem/a@1.2.3?platform=x86_64-linux"]
    assert details_of(ANALYZER, file)[0].directories == (f"{GEMS}/gems/a-1.2.3-x86_64-linux",)


def test_a_description_that_mentions_an_assignment_changes_nothing() -> None:
    file = layer_file(NOKOGIRI, _gemspec(more='  s.description = "s.name = \\"b\\"\\ns.version = \\"9\\""'))

    assert purls(ANALYZER, file) == ["pkg:gem/a@1.2.3"]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "\x7fELF",
        _gemspec(name="NAME"),
        _gemspec(version="Rack.release"),
        _gemspec(name='"a b"'),
        _gemspec(name='"#{x}"'),
        _gemspec(version='">= 0"'),
        _gemspec(name='"' + "a" * 700 + '"'),
    ],
)
def test_a_gemspec_that_names_no_gem_is_a_gap(content: str) -> None:
    count, error = refusal(ANALYZER, layer_file(NOKOGIRI, content))

    assert count == 0
    assert "of a gem" in error


def test_gems_that_bundler_checked_out_from_git_count_and_are_their_directory() -> None:
    file = layer_file(f"{CHECKOUT}/activerecord/activerecord.gemspec", _gemspec())

    assert purls(ANALYZER, file) == ["pkg:gem/a@1.2.3"]
    assert details_of(ANALYZER, file)[0].directories == (f"{CHECKOUT}/activerecord",)


def test_an_unreadable_gemspec_deep_in_a_checkout_is_a_file_of_it_and_no_gap() -> None:
    broken = _gemspec(version="version")

    assert purls(ANALYZER, layer_file(f"{CHECKOUT}/test/x.gemspec", broken)) == []
    assert "version of a gem" in refusal(ANALYZER, layer_file(f"{CHECKOUT}/x.gemspec", broken))[1]


@pytest.mark.parametrize("path", [f"{GEMS}/gems/rack-2/rack.gemspec", "app/a.gemspec", "a.gemspec", f"{GEMS}/specifications/x.rb"])
def test_gemspecs_of_sources_are_not_wanted(path: str) -> None:
    assert not ANALYZER.paths.matches(path)


@given(content=mutated((ASSETS / "ruby" / "debug-1.6.3.gemspec").read_bytes(), _gemspec().encode()))
def test_bytes_of_any_kind_give_facts_or_an_input_error(content: bytes) -> None:
    answer_or_refuse(ANALYZER.parse, layer_file(NOKOGIRI, content))
