"""From layers to an inventory."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pratique.inventory.analyzers import REGISTERED
from pratique.inventory.coverage import CoverageItem, CoverageStatus
from pratique.inventory.image_view import view_image
from pratique.inventory.inventory import Inventory
from pratique.inventory.layer_paths import join_paths
from pratique.inventory.layer_result import OwnedFiles
from pratique.inventory.layer_stack import MAX_DEPTH, ScannedLayer
from pratique.inventory.merge import merge_layers
from pratique.inventory.package import Distribution, Package
from tests.support.layer_results import analyzed, deb, failed, layer, npm, unreadable

BASE, APP = "sha256:base", "sha256:app"
STATUS = "var/lib/dpkg/status"
SIX = "usr/lib/python3/dist-packages/six-1.16.0.egg-info/PKG-INFO"
LODASH = "app/node_modules/lodash/package.json"
DEBIAN = analyzed(
    "etc/os-release", Distribution(id="debian", version_id="11", ecosystem="Debian:11", path="etc/os-release"), analyzer="os-release"
)


def merge(*layers: ScannedLayer) -> Inventory:
    return merge_layers(view_image(layers), REGISTERED)


def found(*layers: ScannedLayer) -> dict[str, tuple[str | None, tuple[str, ...]]]:
    return {p.package.name: (p.layer, p.paths) for p in merge(*layers).packages}


def gaps(*layers: ScannedLayer) -> dict[str, tuple[str, str]]:
    return {item.name: (str(item.status), item.reason) for item in merge(*layers).coverage.gaps}


# What is visible


@pytest.mark.parametrize(
    "upper",
    [
        layer("b", whiteouts=[LODASH]),
        layer("b", whiteouts=["app/node_modules"]),
        layer("b", whiteouts=["app"]),
        layer("b", opaque=["app/node_modules/lodash"]),
        layer("b", opaque=["app"]),
        layer("b", opaque=[""]),
        layer("b", others=[LODASH]),
        layer("b", others=["app/node_modules"]),
        layer("b", others=["app"]),
        layer("b", analyzed(LODASH, analyzer="node")),
    ],
)
def test_a_file_that_a_higher_layer_hides_does_not_count(upper: ScannedLayer) -> None:
    assert found(layer("a", analyzed(LODASH, npm("lodash"), analyzer="node")), upper) == {}


@pytest.mark.parametrize(
    "upper",
    [
        layer("b", whiteouts=["app/node_modules/lodas", "app/node_modules/lodash/package", "ap"]),
        layer("b", opaque=[LODASH, "other", "app/node"]),
        layer("b", others=["app/other", "lodash/package.json"]),
        layer("b"),
        unreadable("b"),
    ],
)
def test_a_file_that_no_higher_layer_hides_counts(upper: ScannedLayer) -> None:
    assert found(layer("a", analyzed(LODASH, npm("lodash"), analyzer="node")), upper) == {"lodash": ("a", (LODASH,))}


def test_markers_do_not_act_on_their_own_layer() -> None:
    upper = layer("b", analyzed(LODASH, npm("lodash", "2.0.0"), analyzer="node"), whiteouts=[LODASH, "app"], opaque=["app", ""])
    (package,) = merge(layer("a", analyzed(LODASH, npm("lodash"), analyzer="node")), upper).packages

    assert (package.package.version, package.layer) == ("2.0.0", "b")


def test_the_last_of_two_entries_of_one_path_counts() -> None:
    assert set(found(layer("a", analyzed(STATUS, deb("old")), analyzed(STATUS, deb("new"))))) == {"new"}


def test_a_path_deeper_than_the_limit_is_still_hidden_by_what_lies_above_it() -> None:
    path = "/".join(["d"] * 3 * MAX_DEPTH + ["node_modules/x/package.json"])
    base = layer("a", analyzed(path, npm("x"), analyzer="node"))

    assert found(base, layer("b", whiteouts=["d/d/d"])) == {}
    assert found(base, layer("b", whiteouts=[path])) == {}
    assert set(found(base)) == {"x"}


READ_THROUGH_LINK = layer("a", DEBIAN, analyzed(STATUS, deb("x")), links={STATUS: "/data/status"}, others=["data/status"])


@pytest.mark.parametrize(
    ("upper", "is_there", "is_gap"),
    [
        (layer("b"), True, False),
        (layer("b", others=["data/x"]), True, False),
        (layer("b", others=["data/status"]), False, True),
        (layer("b", others=["data/status"], opaque=["data"]), False, True),
        (layer("b", whiteouts=["data/status"]), False, False),
        (layer("b", opaque=["data"]), False, False),
        (layer("b", analyzed("data/status", deb("y"))), False, False),
    ],
)
def test_a_record_that_was_read_through_a_link_counts_while_that_leads_to_the_same_file(
    upper: ScannedLayer, is_there: bool, is_gap: bool
) -> None:
    below = replace(READ_THROUGH_LINK, result=replace(READ_THROUGH_LINK.result, regular=join_paths(["etc/os-release", "data/status"])))
    told = gaps(below, upper).get("dpkg")

    assert ("x" in found(below, upper)) is is_there
    assert told == (("partial", f"{STATUS}: links to data/status, which another layer has replaced") if is_gap else None)
    assert gaps(below, upper, layer("c", whiteouts=["data"])).get("dpkg") is None


def test_a_link_that_takes_a_directory_s_place_leads_to_a_file_that_was_not_read() -> None:
    base = layer("a", DEBIAN, analyzed(STATUS, deb("x")), others=["data/status"])
    linked = layer("b", links={"var/lib/dpkg": "../../data"})

    assert gaps(base, linked)["dpkg"][1] == f"{STATUS}: links to data/status, which another layer has replaced"
    assert "dpkg" not in gaps(base, layer("b", links={"var/lib/dpkg": "../../nowhere"}))
    assert "dpkg" not in gaps(base, linked, layer("c", directories=["var/lib/dpkg"]))


# Who introduced it


def test_a_package_is_introduced_by_the_first_layer_that_records_it() -> None:
    layers = [
        layer("a", analyzed(STATUS, deb("libc"), deb("bash"))),
        layer("b", others=["tmp/x"]),
        layer("c", analyzed(STATUS, deb("libc"), deb("bash", "2"), deb("curl"))),
        layer("d", analyzed(STATUS, deb("libc"), deb("bash", "2"), deb("curl"), deb("git"))),
    ]

    assert {name: layer for name, (layer, _) in found(*layers).items()} == {"libc": "a", "bash": "c", "curl": "c", "git": "d"}


def test_a_package_that_was_away_is_introduced_again() -> None:
    layers = [
        layer("a", analyzed(STATUS, deb("x"))),
        layer("b", analyzed(STATUS, deb("y"))),
        layer("c", analyzed(STATUS, deb("x"), deb("y"))),
    ]

    assert {name: layer for name, (layer, _) in found(*layers).items()} == {"x": "c", "y": "b"}


@pytest.mark.parametrize("between", [layer("b", whiteouts=["var/lib"]), layer("b", opaque=["var"]), layer("b", others=["var"])])
def test_a_record_that_was_hidden_in_between_breaks_the_line(between: ScannedLayer) -> None:
    record = analyzed(STATUS, deb("x"))

    assert found(layer("a", record), between, layer("c", record))["x"] == ("c", (STATUS,))


def test_a_record_replaced_together_with_its_directory_is_unbroken() -> None:
    record = analyzed(STATUS, deb("x"))

    assert found(layer("a", record), layer("b", record, opaque=["var/lib"], whiteouts=["var"]))["x"] == ("a", (STATUS,))


def test_one_package_in_several_files_is_listed_once_with_all_paths() -> None:
    one, two = analyzed("b/package.json", npm("x"), analyzer="node"), analyzed("a/package.json", npm("x"), analyzer="node")

    assert found(layer("a", two), layer("b", one)) == {"x": ("a", ("a/package.json", "b/package.json"))}


def test_packages_that_differ_in_anything_advisories_ask_for_are_kept_apart() -> None:
    packages = [
        Package(type="deb", name="x", version="1", architecture="amd64"),
        Package(type="deb", name="x", version="1", architecture="i386"),
        Package(type="deb", name="x", version="2", architecture="amd64"),
        Package(type="deb", name="x", version="2", architecture="amd64", source_name="y"),
    ]

    assert len(merge(layer("a", analyzed(STATUS, *packages, packages[0]))).packages) == 4


def test_packages_are_sorted_by_purl_whatever_the_order_of_files() -> None:
    files = [analyzed(f"{name}/package.json", npm(name), analyzer="node") for name in "cabd"]
    purls = [package.package.purl for package in merge(layer("a", *files)).packages]

    assert purls == sorted(purls)
    assert merge(layer("a", *files)).packages == merge(layer("a", *reversed(files))).packages


# The distribution


def test_os_packages_are_placed_in_their_distribution() -> None:
    inventory = merge(layer("a", DEBIAN, analyzed(STATUS, deb("libc6"))), layer("b", analyzed(LODASH, npm("lodash"), analyzer="node")))

    assert [p.package.purl for p in inventory.packages] == ["pkg:deb/debian/libc6@1?distro=debian-11", "pkg:npm/lodash@1.0.0"]
    assert [p.package.ecosystem for p in inventory.packages] == ["Debian:11", "npm"]
    assert inventory.distribution is not None
    assert inventory.coverage.status is CoverageStatus.COMPLETE


def test_a_hidden_os_release_names_nothing() -> None:
    inventory = merge(layer("a", DEBIAN, analyzed(STATUS, deb("libc6"))), layer("b", whiteouts=["etc"]))

    assert inventory.distribution is None
    assert [item.name for item in inventory.coverage.gaps] == ["distribution"]


def in_distribution(distribution_id: str, ecosystem: str | None, *packages: Package) -> ScannedLayer:
    distribution = Distribution(id=distribution_id, version_id="1", ecosystem=ecosystem, path="etc/os-release")
    return layer("a", analyzed("etc/os-release", distribution, analyzer="os-release"), analyzed("db", *packages))


@pytest.mark.parametrize(
    ("scanned", "reason"),
    [
        (layer("a", analyzed(STATUS, deb("x"))), "no file names the distribution: 1 deb packages cannot be matched"),
        (in_distribution("debian", None, deb("x")), "no advisories are published for debian-1: 1 deb packages cannot be matched"),
        (in_distribution("alpine", "Alpine:v3.18", deb("x")), "1 deb packages are not alpine-1's"),
        (in_distribution("almalinux", "AlmaLinux:9", npm("x")), "no package of almalinux-1 itself was found"),
        (in_distribution("buildroot", None, npm("x")), "no package of buildroot-1 itself was found"),
    ],
)
def test_os_packages_that_meet_no_advisories_are_told(scanned: ScannedLayer, reason: str) -> None:
    status, told = gaps(scanned)["distribution"]

    assert status == "partial"
    assert told.startswith(reason)


def test_a_package_of_another_package_manager_gets_no_ecosystem() -> None:
    (package,) = merge(in_distribution("alpine", "Alpine:v3.18", deb("x"))).packages

    assert (package.package.ecosystem, package.package.namespace) == ("", "")


# Coverage


def test_every_analyzer_is_accounted_for() -> None:
    coverage = merge(layer("a", DEBIAN, analyzed(STATUS, deb("x")))).coverage

    assert [(item.name, item.version, item.status) for item in coverage.items] == [(a.name, str(a.version), "complete") for a in REGISTERED]


def test_an_image_without_layers_or_files_is_complete() -> None:
    assert merge().coverage.status is CoverageStatus.COMPLETE
    assert merge(layer("a"), layer("b", whiteouts=["x"])).coverage.status is CoverageStatus.COMPLETE


def test_files_without_any_known_package_are_not_clean() -> None:
    assert gaps(layer("a", others=["app", "etc/passwd"])) == {
        "packages": ("partial", "no package was recognised: what the 2 files of the image are is not known")
    }


def test_an_unreadable_layer_is_told_with_its_digest() -> None:
    told = gaps(layer("a", DEBIAN, analyzed(STATUS, deb("x"))), unreadable("sha256:b", "not gzip"))

    assert told == {"layer": ("failed", "sha256:b: not gzip")}
    assert gaps(layer("a", DEBIAN, analyzed(STATUS, deb("x"))), unreadable("sha256:b", "sha256:b: x")) == {
        "layer": ("failed", "sha256:b: x")
    }


def test_nothing_is_covered_when_no_layer_could_be_read() -> None:
    coverage = merge(unreadable("a"), unreadable("b")).coverage

    assert coverage.status is CoverageStatus.FAILED
    assert [item.name for item in coverage.items].count("layer") == 2


def test_an_analyzer_that_read_something_is_partial_and_one_that_read_nothing_failed() -> None:
    scanned = layer(
        "a", DEBIAN, analyzed(STATUS, deb("x")), gaps=[failed("dpkg", "cut off"), failed("python", "no Name"), failed("python", "no Name")]
    )

    assert gaps(scanned) == {"dpkg": ("partial", "cut off"), "python": ("failed", "no Name")}


def test_gaps_of_no_analyzer_are_kept() -> None:
    assert gaps(layer("a", DEBIAN, analyzed(STATUS, deb("x")), gaps=[failed("pass", "too many entries")])) == {
        "pass": ("failed", "too many entries")
    }


def test_what_the_pass_left_out_is_told_with_the_layer() -> None:
    scanned = layer("sha256:a", DEBIAN, analyzed(STATUS, deb("x")), gaps=[failed("layer", "one"), failed("layer", "two")])

    assert gaps(scanned) == {"layer": ("failed", "sha256:a: one; two")}


def test_reasons_are_bounded_in_number_and_length() -> None:
    many = [failed("node", f"{number}:" + "x" * 10_000) for number in range(1000)]
    _, reason = gaps(layer("a", gaps=many))["node"]

    assert len(reason) < 2000
    assert reason.endswith("; and 995 more")


def test_a_layer_without_result_needs_a_reason() -> None:
    with pytest.raises(ValueError, match="neither a result nor a reason"):
        ScannedLayer(digest="a", result=None, gap=None)


def test_coverage_of_a_partly_read_layer_is_told() -> None:
    gap = CoverageItem(name="layer", version="1", status=CoverageStatus.PARTIAL, reason="cut off")
    scanned = layer("a", DEBIAN, analyzed(STATUS, deb("x")))

    assert gaps(ScannedLayer(digest="a", result=scanned.result, gap=gap)) == {"layer": ("partial", "a: cut off")}


# Against a file system


@dataclass
class _Change:
    """What a layer does: markers first, then entries; `None` is an entry without facts."""

    whiteouts: list[str]
    opaque: list[str]
    entries: dict[str, tuple[str, ...] | None] = field(default_factory=dict)


DIRECTORIES = ["", "a", "b", "a/a", "a/b", "b/a", "a/a/a"]
FILES = [f"{directory}/{name}".lstrip("/") for directory in DIRECTORIES for name in ("f", "g")]

changes = st.builds(
    _Change,
    whiteouts=st.lists(st.sampled_from([*FILES, *DIRECTORIES[1:]]), max_size=2),
    opaque=st.lists(st.sampled_from(DIRECTORIES), max_size=1),
    entries=st.one_of(
        st.dictionaries(st.sampled_from(FILES), st.one_of(st.none(), st.lists(st.sampled_from("xyz"), max_size=3).map(tuple)), max_size=4),
        st.dictionaries(st.sampled_from([*FILES, *DIRECTORIES[1:]]), st.none(), max_size=2),
    ),
)


def _is_below(path: str, directory: str) -> bool:
    return not directory or path.startswith(f"{directory}/")


def _apply(state: dict[str, tuple[str, ...] | None], change: _Change) -> dict[str, tuple[str, ...] | None]:
    kept = {
        path: facts
        for path, facts in state.items()
        if not any(path == gone or _is_below(path, gone) for gone in [*change.whiteouts, *change.entries])
        and not any(_is_below(path, directory) for directory in change.opaque)
    }
    return {**kept, **change.entries}


def _expected(history: Sequence[_Change]) -> dict[str, tuple[str, tuple[str, ...]]]:
    states: list[dict[str, tuple[str, ...] | None]] = []
    for change in history:
        states.append(_apply(states[-1] if states else {}, change))
    expected: dict[str, tuple[int, set[str]]] = {}
    for path, facts in (states[-1] if states else {}).items():
        for name in facts or ():
            first = len(states) - 1
            while first and name in (states[first - 1].get(path) or ()):
                first -= 1
            lowest, paths = expected.get(name, (first, set()))
            expected[name] = (min(lowest, first), paths | {path})
    return {name: (str(first), tuple(sorted(paths))) for name, (first, paths) in expected.items()}


def _as_layer(position: int, change: _Change) -> ScannedLayer:
    files = [analyzed(path, *map(npm, facts), analyzer="node") for path, facts in change.entries.items() if facts is not None]
    others = [path for path, facts in change.entries.items() if facts is None]
    return layer(str(position), *files, whiteouts=change.whiteouts, opaque=change.opaque, others=others)


@settings(max_examples=400)
@given(st.lists(changes, max_size=6))
def test_merging_equals_unpacking_one_layer_after_the_other(history: list[_Change]) -> None:
    assert found(*(_as_layer(position, change) for position, change in enumerate(history))) == _expected(history)


def test_of_too_many_packages_the_first_are_kept_and_the_rest_is_a_gap() -> None:
    layers = [layer("a", analyzed(LODASH, npm("one"), npm("two"), npm("three"), analyzer="node"))]
    cut = merge_layers(view_image(layers), REGISTERED, max_packages=2)
    assert {each.package.name for each in cut.packages} == {"one", "two"}
    assert [(gap.name, gap.reason) for gap in cut.coverage.gaps] == [
        ("packages", "more than 2 distinct packages: only the first 2 are listed")
    ]
    assert not merge_layers(view_image(layers), REGISTERED, max_packages=3).coverage.gaps


def test_a_directory_ends_the_file_that_it_replaces() -> None:
    below = [layer(BASE, analyzed(STATUS, deb("a"))), layer(APP, directories=[STATUS])]

    assert merge_layers(view_image(below), []).packages == ()


def test_a_directory_does_not_end_what_lies_in_that_directory() -> None:
    stack = [layer(BASE, analyzed(STATUS, deb("a"))), layer(APP, directories=["var/lib/dpkg", "var"])]

    assert [found.package.name for found in merge_layers(view_image(stack), []).packages] == ["a"]


@pytest.mark.parametrize("change", [{"whiteouts": ["opt/x"]}, {"others": ["opt/x"]}, {"opaque": ["opt"]}, {"directories": ["opt/x"]}])
def test_a_file_that_could_not_be_read_is_no_gap_once_a_higher_layer_removes_it(change: dict[str, list[str]]) -> None:
    gap = CoverageItem(name="node", version="1", status=CoverageStatus.PARTIAL, reason="opt/x: broken", path="opt/x")
    base = layer(BASE, analyzed(STATUS, deb("a")), gaps=[gap], others=["opt/x"])

    assert "opt/x: broken" in [item.reason for item in merge_layers(view_image([base]), []).coverage.items]
    assert "opt/x: broken" not in [item.reason for item in merge_layers(view_image([base, layer(APP, **change)]), []).coverage.items]


PYPI_SIX = Package(type="pypi", name="six", version="1.16.0", ecosystem="PyPI")
RELEASE = Distribution(id="debian", version_id="12", ecosystem="Debian:12")


def debians(version: str = "1") -> Package:
    return deb("python3-six", version, vendor="Debian Python Team <team+python@tracker.debian.org>")


def owner(paths: list[str], **more: str) -> OwnedFiles:
    return OwnedFiles(type="deb", name="python3-six", paths=join_paths(paths), **more)


def merged(*facts: OwnedFiles, six: str = SIX, links: dict[str, str] | None = None) -> Inventory:
    base = layer(
        BASE,
        analyzed("etc/os-release", RELEASE, analyzer="os-release"),
        analyzed(STATUS, debians("1.16.0-4"), *facts),
        analyzed(six, Package(type="pypi", name="six", version="1.16.0", ecosystem="PyPI"), analyzer="python"),
        links=links or {},
    )
    return merge_layers(view_image([base]), [])


def test_a_language_package_in_files_of_an_os_package_is_attributed_to_it() -> None:
    found = {installed.package.name: installed.owned_by for installed in merged(owner([SIX])).packages}

    assert found == {"six": "pkg:deb/debian/python3-six@1.16.0-4?distro=debian-12", "python3-six": None}


@pytest.mark.parametrize(
    "facts", [[], [owner(["elsewhere"])], [owner([SIX], version="2")], [OwnedFiles(type="deb", name="gone", paths=join_paths([SIX]))]]
)
def test_a_language_package_that_no_installed_os_package_owns_is_nobodys(facts: list[OwnedFiles]) -> None:
    assert [installed.owned_by for installed in merged(*facts).packages] == [None, None]


def test_owned_paths_are_compared_where_links_lead() -> None:
    found = merged(
        owner(["lib/python3/six-1.16.0.egg-info/PKG-INFO"]), six="usr/lib/python3/six-1.16.0.egg-info/PKG-INFO", links={"lib": "usr/lib"}
    )

    assert [installed.owned_by is None for installed in found.packages] == [True, False]


def test_a_package_that_is_also_found_outside_of_os_packages_is_its_own() -> None:
    both = layer(
        BASE,
        analyzed(STATUS, deb("python3-six"), owner([SIX])),
        *(analyzed(path, Package(type="pypi", name="six", version="1"), analyzer="python") for path in (SIX, "opt/six.egg-info")),
    )

    assert [installed.owned_by for installed in merge_layers(view_image([both]), []).packages] == [None, None]


def test_software_recognised_by_its_bytes_in_a_file_of_an_os_package_is_not_told_twice() -> None:
    bash = Package(type="generic", name="bash", version="5.2")
    facts = [analyzed(STATUS, deb("bash"), OwnedFiles(type="deb", name="bash", paths=join_paths(["bin/bash"])))]
    image = layer(BASE, *facts, analyzed("bin/bash", bash, analyzer="binaries"))
    other = layer(BASE, *facts, analyzed("opt/bash", bash, analyzer="binaries"))

    assert [installed.package.type for installed in merge_layers(view_image([image]), []).packages] == ["deb"]
    assert [installed.package.type for installed in merge_layers(view_image([other]), []).packages] == ["deb", "generic"]


def test_licences_of_other_records_describe_the_package() -> None:
    facts = [
        analyzed(STATUS, deb("bash")),
        analyzed("usr/share/doc/bash/copyright", OwnedFiles(type="deb", name="bash", licenses=("GPL-3.0",))),
    ]

    assert merge_layers(view_image([layer(BASE, *facts)]), []).packages[0].package.licenses == ("GPL-3.0",)


def attributed(*layers: ScannedLayer) -> list[bool]:
    return [one.owned_by is not None for one in merge(*layers).packages if one.package.type == "pypi"]


def test_a_language_package_that_a_higher_layer_wrote_over_the_files_of_an_os_package_is_its_own() -> None:
    release = analyzed("etc/os-release", RELEASE, analyzer="os-release")
    base = layer(BASE, release, analyzed(STATUS, debians(), owner([SIX])), analyzed(SIX, PYPI_SIX, analyzer="python"))
    newer = analyzed(SIX, Package(type="pypi", name="six", version="1.17.0", ecosystem="PyPI"), analyzer="python")

    assert attributed(base) == [True]
    assert attributed(base, layer(APP, newer)) == [False]
    assert attributed(base, layer(APP, newer, analyzed(STATUS, debians("2"), owner([SIX])))) == [True]


@pytest.mark.parametrize("place", ["opt/agent", "usr/local/lib", "srv", "home/me", "root", "app"])
def test_a_language_package_where_distributions_install_nothing_is_its_own(place: str) -> None:
    path = f"{place}/six.egg-info"
    release = analyzed("etc/os-release", RELEASE, analyzer="os-release")

    assert attributed(layer(BASE, release, analyzed(STATUS, debians(), owner([path])), analyzed(path, PYPI_SIX, analyzer="python"))) == [
        False
    ]


def test_without_advisories_for_the_os_package_a_language_package_is_its_own() -> None:
    assert attributed(layer(BASE, analyzed(STATUS, debians(), owner([SIX])), analyzed(SIX, PYPI_SIX, analyzer="python"))) == [False]
