"""Swift packages."""

import json

import pytest
from hypothesis import given

from pratique.inventory.analyzers.swift import ANALYZER
from tests.support.language_facts import details_of, packages_of, purls, refusal
from tests.support.layer_results import ASSETS, asset_file, layer_file
from tests.support.mutated import answer_or_refuse, mutated

PATH = "app/Package.resolved"
STATE = "app/.build/workspace-state.json"


def _resolved(*pins: object, version: int = 2) -> str:
    return json.dumps({"pins": pins, "version": version})


def _pin(location: str, version: str = "1.0.0", kind: str = "remoteSourceControl") -> object:
    return {"identity": "x", "kind": kind, "location": location, "state": {"version": version}}


def test_the_first_format_names_packages_by_their_repository() -> None:
    (package,) = packages_of(ANALYZER, asset_file(PATH, "swift/Package-1.resolved"))

    assert (package.purl, package.ecosystem) == ("pkg:swift/github.com/apple/swift-nio@2.33.0", "SwiftURL")
    assert package.matching_name == "github.com/apple/swift-nio"


def test_the_third_format_is_read_without_what_belongs_to_the_project() -> None:
    packages = packages_of(ANALYZER, asset_file(PATH, "swift/Package-3.resolved"))

    assert [(package.purl, package.ecosystem) for package in packages] == [
        ("pkg:swift/github.com/apple/swift-nio@2.33.0", "SwiftURL"),
        ("pkg:swift/github.com/Acme/AcmeKit@0123456789abcdef0123456789abcdef01234567", "SwiftURL"),
        ("pkg:swift/mona/linkedlist@1.1.0", ""),
    ]


def test_a_workspace_tells_what_was_checked_out_and_where() -> None:
    file = asset_file(STATE, "swift/workspace-state.json")

    assert purls(ANALYZER, file) == ["pkg:swift/github.com/apple/swift-nio@2.33.0", "pkg:swift/mona/linkedlist@1.1.0"]
    assert details_of(ANALYZER, file)[0].directories == ("app/.build/checkouts/swift-nio",)


def test_a_workspace_of_old_has_addresses_as_paths() -> None:
    dependency = {
        "packageRef": {"identity": "nio", "kind": "remote", "name": "nio", "path": "https://github.com/apple/nio.git"},
        "state": {"name": "checkout", "checkoutState": {"version": "1.0.0", "revision": "0a"}},
        "subpath": "../../..",
    }
    file = layer_file(STATE, json.dumps({"object": {"artifacts": [], "dependencies": [dependency]}, "version": 4}))

    assert purls(ANALYZER, file) == ["pkg:swift/github.com/apple/nio@1.0.0"]
    assert details_of(ANALYZER, file) == []


@pytest.mark.parametrize(
    "location",
    [
        "https://github.com/a/b",
        "https://github.com/a/b.git",
        "https://user:secret@github.com/a/b.git/",
        "ssh://git@github.com:22/a/b.git",
        "git@github.com:a/b.git",
        "git+ssh://git@GITHUB.com/a/b",
        "http://github.com/a/b",
    ],
)
def test_every_address_of_a_repository_gives_the_same_name(location: str) -> None:
    assert purls(ANALYZER, layer_file(PATH, _resolved(_pin(location)))) == ["pkg:swift/github.com/a/b@1.0.0"]


@pytest.mark.parametrize("pin", [_pin("/src/b", kind="fileSystem"), _pin("../b", kind=""), _pin("https://a/b/c", version="")])
def test_what_has_no_version_of_its_own_is_left_out(pin: object) -> None:
    assert purls(ANALYZER, layer_file(PATH, _resolved(pin))) == []


@pytest.mark.parametrize(
    "content",
    ["", "{}", "[]", '{"version": 4, "pins": []}', '{"version": 1}', '{"version": 2}', '{"version": "2", "pins": []}', "[" * 99_999],
)
def test_a_format_that_is_not_known_is_a_gap(content: str) -> None:
    assert "Package.resolved" in refusal(ANALYZER, layer_file(PATH, content))[1]


@pytest.mark.parametrize(
    "pin", [1, {"state": 1}, _pin(""), _pin("https://"), _pin("https://github.com/a/b c"), _pin("https://a/b/c", version="1 2")]
)
def test_a_broken_pin_is_a_gap_and_the_others_are_told(pin: object) -> None:
    count, error = refusal(ANALYZER, layer_file(PATH, _resolved(pin, _pin("https://github.com/a/b"))))

    assert count == 1
    assert error.startswith("1 broken entries")


@pytest.mark.parametrize("path", ["app/.build/checkouts/nio/Package.resolved", "app/workspace-state.json", "app/My-Package.resolved"])
def test_files_of_dependencies_and_of_others_are_not_wanted(path: str) -> None:
    assert not ANALYZER.paths.matches(path)


@given(
    content=mutated(
        *((ASSETS / "swift" / name).read_bytes() for name in ("Package-1.resolved", "Package-3.resolved", "workspace-state.json"))
    )
)
def test_bytes_of_any_kind_give_facts_or_an_input_error(content: bytes) -> None:
    for path in (PATH, STATE):
        answer_or_refuse(ANALYZER.parse, layer_file(path, content))
