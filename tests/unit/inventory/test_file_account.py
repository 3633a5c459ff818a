"""What every file of an image is."""

import hashlib
from dataclasses import replace

import pytest

from pratique.inventory.entry_point import EntryPoint, find_entry_files
from pratique.inventory.file_account import FileAccount, FileEntry, FileState, account_files, list_files, survey_files
from pratique.inventory.image_view import view_image
from pratique.inventory.layer_contents import ALGORITHMS, RECORD_BYTES
from pratique.inventory.layer_paths import join_paths, split_paths
from pratique.inventory.layer_result import Executable, OwnedFiles
from pratique.inventory.layer_stack import ScannedLayer
from pratique.inventory.merge import merge_layers
from pratique.inventory.package import Distribution
from pratique.inventory.path_resolver import PathResolver
from tests.support.layer_results import analyzed, deb, layer, npm

BASE, APP = "sha256:base", "sha256:app"
STATUS = "var/lib/dpkg/status"


def record_of(content: bytes) -> bytes:
    return b"".join(hashlib.new(name, content).digest() for name, _ in ALGORITHMS)


def with_contents(scanned: ScannedLayer, **contents: bytes) -> ScannedLayer:
    """The layer as a pass that compares contents would answer it; a name is a path with `/` as `__`."""
    assert scanned.result is not None
    by_path = {name.replace("__", "/"): record_of(content) for name, content in contents.items()}
    records = [by_path.get(path, bytes(RECORD_BYTES)) for path in split_paths(scanned.result.regular)]
    return replace(scanned, result=replace(scanned.result, contents=b"".join(records)))


def with_executables(scanned: ScannedLayer, *executables: Executable) -> ScannedLayer:
    assert scanned.result is not None
    return replace(scanned, result=replace(scanned.result, executables=executables))


def owned(name: str, *paths: str, digests: tuple[str, ...] = (), kind: str = "deb", directories: tuple[str, ...] = ()) -> OwnedFiles:
    return OwnedFiles(type=kind, name=name, paths=join_paths(paths), digests=join_paths(digests), directories=directories)


def files(*layers: ScannedLayer) -> dict[str, FileEntry]:
    view = view_image(layers)
    return {entry.path: entry for entry in list_files(view, merge_layers(view, []))}


def states(*layers: ScannedLayer) -> dict[str, str]:
    return {path: str(entry.state) for path, entry in files(*layers).items()}


def account(*layers: ScannedLayer, entry_point: EntryPoint | None = None) -> FileAccount:
    view = view_image(layers)
    inventory = merge_layers(view, [])
    found = account_files(list_files(view, inventory), view, entry_point or EntryPoint())
    assert found.is_compared or survey_files(view, inventory, entry_point or EntryPoint()) == found
    return found


def test_every_file_of_the_final_image_is_told_once_with_its_layer() -> None:
    base = layer(BASE, others=["a", "gone", "dir/x", "hidden/y", "file"])
    app = layer(APP, others=["a", "b", "file/now/below"], whiteouts=["gone"], opaque=["hidden"], directories=["file", "file/now", "dir"])

    assert {path: entry.layer for path, entry in files(base, app).items()} == {"a": APP, "b": APP, "dir/x": BASE, "file/now/below": APP}


def test_a_file_below_a_directory_that_is_something_else_now_is_gone() -> None:
    assert set(files(layer(BASE, others=["opt/a/b"]), layer(APP, links={"opt": "usr"}))) == set()


def test_files_are_owned_identified_or_unknown() -> None:
    image = layer(
        BASE,
        analyzed(STATUS, deb("bash"), owned("bash", "bin/bash")),
        analyzed("app/node_modules/a/package.json", npm("a"), owned("a", kind="npm", directories=("app/node_modules/a",)), analyzer="node"),
        others=["bin/bash", "app/node_modules/a/lib/index.js", "app/node_modules/ab/index.js", "srv/data"],
    )

    assert states(image) == {
        STATUS: "identified",
        "bin/bash": "owned",
        "app/node_modules/a/package.json": "identified",
        "app/node_modules/a/lib/index.js": "identified",
        "app/node_modules/ab/index.js": "unknown",
        "srv/data": "unknown",
    }
    assert files(image)["bin/bash"].owner == "pkg:deb/bash@1"
    assert account(image).counts == {"modified": 0, "intact": 0, "owned": 1, "identified": 3, "unknown": 2}
    assert account(image).total == 6


@pytest.mark.parametrize("claimed", ["", "usr", "usr/lib", "usr/local/bin", "var/lib", "link/lib"])
def test_no_package_answers_for_a_directory_that_all_share(claimed: str) -> None:
    record = analyzed("usr/package.json", npm("a"), owned("a", kind="npm", directories=(claimed,)), analyzer="node")
    paths = ["usr/lib/evil", "usr/local/bin/evil", "var/lib/evil"]

    assert set(states(layer(BASE, record, others=paths, links={"link": "usr"})).items()) >= {(path, "unknown") for path in paths}


INFO = "var/lib/dpkg/info"


def test_the_scripts_that_a_package_manager_keeps_with_a_package_are_that_package_s() -> None:
    libc = OwnedFiles(type="deb", name="libc6", architecture="amd64", paths=join_paths(["lib/libc.so"]))
    image = layer(
        BASE,
        analyzed(STATUS, deb("bash"), replace(deb("libc6"), architecture="amd64")),
        analyzed(f"{INFO}/bash.list", owned("bash", "bin/bash")),
        analyzed(f"{INFO}/libc6:amd64.list", libc),
        others=[
            f"{INFO}/{name}"
            for name in ("bash.postinst", "libc6:amd64.preinst", "libc6.preinst", "gone.postinst", "bash.evil", "bash.d/x.postinst")
        ],
    )
    found = files(image)

    assert {path.removeprefix(f"{INFO}/"): (str(found[path].state), found[path].owner) for path in found if path.startswith(INFO)} == {
        "bash.list": ("identified", "pkg:deb/bash@1"),
        "bash.postinst": ("identified", "pkg:deb/bash@1"),
        "libc6:amd64.list": ("identified", "pkg:deb/libc6@1?arch=amd64"),
        "libc6:amd64.preinst": ("identified", "pkg:deb/libc6@1?arch=amd64"),
        "libc6.preinst": ("unknown", None),
        "gone.postinst": ("unknown", None),
        "bash.evil": ("unknown", None),
        "bash.d/x.postinst": ("unknown", None),
    }


def test_a_third_party_s_package_owns_its_files() -> None:
    release = analyzed("etc/os-release", Distribution(id="debian", version_id="12", ecosystem="Debian:12"), analyzer="os-release")
    status = analyzed(STATUS, deb("nodejs", vendor="Ivan <ivan@nodesource.com>"), owned("nodejs", "opt/node"))

    assert states(layer(BASE, release, status, others=["opt/node"]))["opt/node"] == "owned"


def test_the_files_of_a_package_that_was_removed_are_nobodys() -> None:
    base = layer(
        BASE, analyzed(STATUS, deb("bash")), analyzed("var/lib/dpkg/info/bash.list", owned("bash", "bin/bash")), others=["bin/bash"]
    )

    assert states(base)["bin/bash"] == "owned"
    assert states(base, layer(APP, analyzed(STATUS, deb("dash"))))["bin/bash"] == "unknown"


@pytest.mark.parametrize(
    ("digests", "state"),
    [
        (["md5"], "intact"),
        (["sha1"], "intact"),
        (["sha256"], "intact"),
        (["md5", "sha256"], "intact"),
        ([], "owned"),
        (["sha512"], "owned"),
    ],
)
@pytest.mark.parametrize("content", [b"right", b"wrong"])
def test_contents_are_compared_with_what_was_recorded(digests: list[str], state: str, content: bytes) -> None:
    records = [owned("bash", "bin/bash", digests=(f"{name}:{hashlib.new(name, b'right').hexdigest()}",)) for name in digests]
    image = layer(BASE, analyzed(STATUS, deb("bash"), owned("bash", "bin/bash"), *records), others=["bin/bash"])
    compared = with_contents(image, bin__bash=content)

    assert states(compared)["bin/bash"] == ("modified" if content == b"wrong" and state == "intact" else state)
    assert states(image)["bin/bash"] == "owned"
    assert (account(compared).is_compared, account(image).is_compared) == (True, False)


def test_one_of_two_recorded_digests_is_enough() -> None:
    records = [owned("bash", "etc/x", digests=(f"md5:{hashlib.md5(content).hexdigest()}",)) for content in (b"old", b"right")]
    image = with_contents(layer(BASE, analyzed(STATUS, deb("bash"), *records), others=["etc/x"]), etc__x=b"right")

    assert states(image)["etc/x"] == "intact"


def test_a_file_is_owned_where_links_lead() -> None:
    image = layer(BASE, analyzed(STATUS, deb("bash"), owned("bash", "bin/bash")), others=["usr/bin/bash"], links={"bin": "usr/bin"})

    assert states(image)["usr/bin/bash"] == "owned"


def test_unknown_executables_are_listed_with_what_the_entry_point_runs_first() -> None:
    image = with_executables(
        layer(BASE, analyzed(STATUS, deb("bash"), owned("bash", "bin/bash")), others=["bin/bash", "opt/a", "opt/run", "opt/py"]),
        Executable(path="bin/bash", size=1),
        Executable(path="opt/a", size=2),
        Executable(path="opt/run", size=3, interpreter="/opt/py"),
        Executable(path="opt/py", size=4),
    )
    found = account(image, entry_point=EntryPoint(command=("run", "--fast"), path="/usr/bin:/opt"))

    assert [(one.path, one.size, one.layer, one.is_entry) for one in found.unknown_executables] == [
        ("opt/py", 4, BASE, True),
        ("opt/run", 3, BASE, True),
        ("opt/a", 2, BASE, False),
    ]
    assert found.unknown_executable_count == 3


@pytest.mark.parametrize(
    ("command", "found"),
    [
        (["/srv/app"], {"srv/app"}),
        (["app"], {"srv/app"}),
        (["./app"], {"srv/app"}),
        (["/link"], {"srv/app"}),
        (["sh", "-c", "exec /srv/app --port 1 && helper"], {"usr/bin/sh", "srv/app", "usr/bin/helper"}),
        (["script"], {"usr/bin/script", "usr/bin/sh"}),
        (["missing"], set()),
        (["/loop"], set()),
        ([""], set()),
        (["a\0b"], set()),
        ([], set()),
    ],
)
def test_an_entry_point_is_found_as_a_kernel_would_find_it(command: list[str], found: set[str]) -> None:
    interpreters = {"srv/app": "", "usr/bin/sh": "", "usr/bin/script": "/bin/sh", "usr/bin/helper": ""}
    resolver = PathResolver({"bin": "usr/bin", "link": "/srv/app", "loop": "loop"})
    entry_point = EntryPoint(command=tuple(command), path="/bin", directory="/srv")

    assert find_entry_files(entry_point, interpreters, resolver) == found


def test_a_path_variable_of_a_million_directories_is_searched_to_a_limit() -> None:
    resolver = PathResolver({f"d{number}": "srv" for number in range(100)})
    many = EntryPoint(command=("app",) * 1000, path=":".join(f"/no{number}" for number in range(1_000_000)), directory="/nowhere")

    assert find_entry_files(many, {"srv/app": ""}, resolver) == set()
    assert find_entry_files(replace(many, path=f"/d1:{many.path}"), {"srv/app": ""}, resolver) == {"srv/app"}


def test_scripts_that_interpret_each_other_end() -> None:
    assert find_entry_files(EntryPoint(command=("/a",)), {"a": "/b", "b": "/a"}, PathResolver({})) == {"a", "b"}


def test_states_have_the_words_that_reports_show() -> None:
    assert [str(state) for state in FileState] == ["modified", "intact", "owned", "identified", "unknown"]
