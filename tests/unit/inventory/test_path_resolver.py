"""Where paths lead in an image."""

import pytest

from pratique.inventory.path_resolver import MAX_HOPS, PathResolver, links_of_image
from tests.support.layer_results import layer, unreadable

LINKS = {
    "lib": "usr/lib",
    "a": "b",
    "b": "a",
    "x": "/y/../z/w",
    "z": "lib",
    "up": "../../../etc",
    "deep/l": "../x/q",
    "self": "self/self",
    "dot": ".",
}


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("lib", "usr/lib"),
        ("lib/f", "usr/lib/f"),
        ("lib/../f", "usr/f"),
        ("x", "usr/lib/w"),
        ("up/passwd", "etc/passwd"),
        ("deep/l/m", "usr/lib/w/q/m"),
        ("dot/dot/lib", "usr/lib"),
        ("nothing/here", "nothing/here"),
        ("", ""),
        ("a", None),
        ("b/f", None),
        ("self", None),
    ],
)
def test_links_are_followed_as_a_kernel_does(path: str, target: str | None) -> None:
    assert PathResolver(LINKS).follow(path) == target


def test_the_last_component_is_not_resolved_and_a_circle_leads_to_the_path_itself() -> None:
    resolver = PathResolver(LINKS)

    assert [resolver.resolve(path) for path in ("lib", "z/x", "a/f", "f")] == ["lib", "usr/lib/x", "a/f", "f"]


def test_a_file_is_known_by_the_links_to_its_directories() -> None:
    assert list(PathResolver(LINKS).names_of("z/w/q")) == ["z/w/q", "usr/lib/w/q", "x/q", "lib/w/q", "z/w/q"]


def test_more_links_than_a_kernel_follows_lead_nowhere() -> None:
    resolver = PathResolver({f"l{number}": f"l{number + 1}" for number in range(2 * MAX_HOPS)})

    assert resolver.follow(f"l{MAX_HOPS}") == f"l{2 * MAX_HOPS}"
    assert resolver.follow(f"l{MAX_HOPS - 1}") is None


@pytest.mark.parametrize(
    "links",
    [
        {f"l{number}": f"l{(number + 1) % 100_000}" for number in range(100_000)},
        {f"l{number}": f"l{number + 1}" for number in range(100_000)},
        {f"l{number}": "/".join(["d"] * 2000) for number in range(2_000)},
        {f"l{number}": "l0/../l1" if number > 1 else "/".join(["d"] * 60) for number in range(100_000)},
        {f"l{number}": "d" for number in range(100_000)},
        {f"l{number}": "d" * 4000 for number in range(2_000)},
        {f"l{number}": f"{'d' * 1000}/x{number}" for number in range(2)} | {f"m{number}": f"l0/{number}" for number in range(100_000)},
    ],
    ids=["circle", "chain", "deep", "through others", "one target", "long names", "long ways"],
)
def test_each_link_is_followed_once(links: dict[str, str]) -> None:
    walks = 0

    class Counted(PathResolver):
        def _walk(self, directory: str, path: str) -> object:  # type: ignore[override]
            nonlocal walks
            walks += 1
            return super()._walk(directory, path)

    resolver = Counted(links)
    names = list(resolver.names_of("d/x/y"))

    assert len(names) <= 10
    assert walks <= 3 * len(links) + 2
    assert sum(len(end.path or "") for end in resolver._ends.values()) <= 64 * 1024 * 1024


def test_only_links_that_are_left_in_the_final_image_count() -> None:
    below = layer("a", links={"gone": "x", "file": "x", "directory": "x", "kept": "x", "other": "x"})
    above = layer("b", whiteouts=["gone"], others=["file"], directories=["directory"], links={"other": "y"})

    assert links_of_image([below, unreadable("u"), above]) == {"kept": "x", "other": "y"}
