"""Lua rocks."""

import pytest
from hypothesis import given

from pratique.inventory.analyzers.lua import ANALYZER, MAX_DEPTH
from tests.support.language_facts import details_of, packages_of, refusal
from tests.support.layer_results import ASSETS, asset_file, layer_file
from tests.support.mutated import answer_or_refuse, mutated

ROCK = "usr/local/lib/luarocks/rocks-5.1/acme/1.2.0-1"
SPEC = asset_file(f"{ROCK}/acme-1.2.0-1.rockspec", "lua/acme-1.2.0-1.rockspec")
MANIFEST = asset_file(f"{ROCK}/rock_manifest", "lua/rock_manifest")


def test_a_rock_has_the_name_and_version_of_its_directories() -> None:
    (package,) = packages_of(ANALYZER, SPEC)

    assert (package.purl, package.ecosystem, package.licenses) == ("pkg:luarocks/acme@1.2.0-1", "", ("MIT/X11",))
    assert details_of(ANALYZER, SPEC)[0].directories == (ROCK,)


def test_the_files_of_a_rock_lie_where_luarocks_puts_them() -> None:
    (details,) = details_of(ANALYZER, MANIFEST)

    assert (details.name, details.version) == ("acme", "1.2.0-1")
    assert [path for path, _ in details.files] == [
        "usr/local/bin/acme-http",
        f"{ROCK}/doc/README.md",
        "usr/local/lib/lua/5.1/acme_core.so",
        "usr/local/share/lua/5.1/acme.lua",
        "usr/local/share/lua/5.1/http/client.lua",
        'usr/local/share/lua/5.1/http/v1/a"b.lua',
        f"{ROCK}/acme-1.2.0-1.rockspec",
    ]
    assert details.files[2][1] == "md5:0cc175b9c0f1b6a831c399e269772661"


def test_a_tree_without_version_has_modules_in_the_rock_itself() -> None:
    (details,) = details_of(ANALYZER, layer_file("opt/rocks/a/1-1/rock_manifest", 'rock_manifest = {lua = {["a.lua"] = "x"}}'))

    assert details.files == (("opt/rocks/a/1-1/lua/a.lua", ""),)


@pytest.mark.parametrize(
    ("content", "told", "problem"),
    [
        ("", 0, "expected a rock_manifest"),
        ("\x7fELF", 0, "expected a rock_manifest"),
        ("rock_manifest = {", 0, "expected a rock_manifest"),
        ('rock_manifest = {["a"] = "b", c = os.exit()}', 1, "expected a rock_manifest, got ' c = os.exit()}'"),
        ('rock_manifest = {["a"] = "b"} x', 1, "expected a rock_manifest"),
        ('a = "b"', 0, "expected a rock_manifest"),
        ("rock_manifest = {" + "a = {" * (MAX_DEPTH + 1), 0, f"deeper than {MAX_DEPTH}"),
        ('rock_manifest = {["' + "a" * 1_000_000, 0, "expected a rock_manifest"),
    ],
)
def test_a_manifest_that_luarocks_has_not_written_is_a_gap(content: str, told: int, problem: str) -> None:
    file = layer_file(MANIFEST.path, content)
    assert problem in refusal(ANALYZER, file)[1]
    assert len(details_of(ANALYZER, file)) == told


def test_files_in_a_very_long_directory_are_bounded_together() -> None:
    directory = "d" * 3_900
    files = ", ".join(['a="x"'] * 20_000)
    content = f"rock_manifest = {{{directory} = {{{files}}}}}"

    assert "characters of paths" in refusal(ANALYZER, layer_file(MANIFEST.path, content))[1]


@pytest.mark.parametrize("path", [f"{ROCK}/doc/x.rockspec", "src/acme-1.2.0-1.rockspec", "rocks-5.1/a/1-1/b-1-1.rockspec", "rock_manifest"])
def test_rockspecs_outside_of_a_tree_are_not_wanted(path: str) -> None:
    assert not ANALYZER.paths.matches(path)


@pytest.mark.parametrize("path", ["lib/luarocks/rocks/a b/1-1/rock_manifest", "lib/luarocks/rocks/a/x/rock_manifest"])
def test_a_directory_that_luarocks_would_not_make_is_a_gap(path: str) -> None:
    assert "of a rock" in refusal(ANALYZER, layer_file(path, MANIFEST.content))[1]


@given(content=mutated(*((ASSETS / "lua" / name).read_bytes() for name in ("rock_manifest", "acme-1.2.0-1.rockspec"))))
def test_bytes_of_any_kind_give_facts_or_an_input_error(content: bytes) -> None:
    for path in (SPEC.path, MANIFEST.path):
        answer_or_refuse(ANALYZER.parse, layer_file(path, content))
