"""Databases that rpm makes, and what rpm says about them. Needs Debian's `rpm`."""

import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

from pratique.inventory.analyzer import Fact
from pratique.inventory.analyzers.rpm import ANALYZER
from pratique.inventory.package import Package, PackageDetails
from tests.support.debian_packages import read_tree
from tests.support.layer_results import ASSETS
from tests.support.rpm_databases import build_packages, install, query, remove

DATABASE = "var/lib/rpm/rpmdb.sqlite"
QUERY = "%{NAME}\t%{EVR}\t%{ARCH}\t%{SOURCERPM}\t%{VENDOR}\t%{LICENSE}\t%{MODULARITYLABEL}\n"
FILES = "[%{=NAME}\t%{FILENAMES}\t%{FILEDIGESTS}\t%{FILEMODES}\t%{FILEFLAGS:fflags}\n]"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("root")
    (root / "var/lib/rpm").mkdir(parents=True)
    install(build_packages(tmp_path_factory.mktemp("build")), root / "var/lib/rpm")
    return root


@pytest.fixture(scope="module")
def facts(root: Path) -> list[Fact]:
    found, problems = read_tree(root, ANALYZER)
    assert problems == {}
    assert set(found) == {DATABASE}
    return found[DATABASE]


def lines_of(packages: Iterable[Fact]) -> set[str]:
    """What `rpm -qa` would print for these."""
    lines = set()
    for one in packages:
        if isinstance(one, Package):
            source, module = one.qualifiers["upstream"], one.qualifiers.get("rpmmod", "(none)")
            lines.add("\t".join([one.name, one.version, one.architecture, source, one.vendor or "(none)", *one.licenses, module]))
    return lines


def files_of(facts: Iterable[Fact]) -> set[tuple[str, str, str]]:
    return {(fact.name, path, digest) for fact in facts if isinstance(fact, PackageDetails) for path, digest in fact.files}


def files_by_rpm(text: str, algorithm: dict[str, str]) -> set[tuple[str, str, str]]:
    """Files that are neither directories nor ghosts in the answer to FILES."""
    found = set()
    for line in text.splitlines():
        name, path, digest, mode, flags = line.split("\t")
        if int(mode) & 0o170000 != 0o040000 and "g" not in flags:
            found.add((name, path[1:], f"{algorithm.get(name, 'sha256')}:{digest}" if digest else ""))
    return found


def test_the_packages_are_those_that_rpm_lists(root: Path, facts: list[Fact]) -> None:
    listed = set(query(root / "var/lib/rpm", "-a", "--qf", QUERY).splitlines())
    keys = {line for line in listed if line.startswith("gpg-pubkey\t")}

    assert len(listed) == 5
    assert len(keys) == 1
    assert lines_of(facts) == listed - keys


def test_the_files_are_those_that_rpm_lists_but_for_directories_and_ghosts(root: Path, facts: list[Fact]) -> None:
    files = files_of(facts)

    assert files == files_by_rpm(query(root / "var/lib/rpm", "-a", "--qf", FILES), {"old": "md5"})
    assert {path for name, path, _ in files if name == "tide"} == {
        "etc/tide.conf",
        "usr/bin/tide",
        "usr/bin/tide-link",
        "usr/share/doc/tide/README",
        "usr/share/tide/größe und maß",
    }


def test_source_packages_are_told_with_their_own_version(facts: list[Fact]) -> None:
    found = {fact.name: fact for fact in facts if isinstance(fact, Package)}

    assert (found["libtide"].version, found["libtide"].source_name, found["libtide"].source_version) == (
        "0:7-3.el9",
        "tide",
        "0:1.0~rc1-3.el9",
    )
    assert (found["tide-module"].source_name, found["tide-module"].source_version) == ("tide", None)
    assert found["tide-module"].purl.endswith("?arch=noarch&epoch=2&rpmmod=tide:18:9050:rhel9&upstream=tide-1.0~rc1-3.el9.src.rpm")
    assert found["old"].purl == "pkg:rpm/old@0.9-1?arch=noarch&upstream=old-0.9-1.src.rpm"


def test_what_rpm_has_removed_is_gone(root: Path, tmp_path: Path) -> None:
    copy = tmp_path / "var/lib/rpm"
    shutil.copytree(root / "var/lib/rpm", copy)
    query(copy, "-a")  # a reader leaves its shared memory and an empty log behind
    remove(copy, "tide", "old")

    found, problems = read_tree(tmp_path, ANALYZER)

    assert problems == {}
    assert lines_of(found[DATABASE]) == {
        line for line in query(copy, "-a", "--qf", QUERY).splitlines() if not line.startswith("gpg-pubkey")
    }
    assert len(lines_of(found[DATABASE])) == 2


def test_a_berkeley_database_has_the_packages_and_files_that_rpm_lists(tmp_path: Path) -> None:
    copy = tmp_path / "var/lib/rpm"
    copy.mkdir(parents=True)
    shutil.copy(ASSETS / "rpm" / "Packages", copy)

    found, problems = read_tree(tmp_path, ANALYZER)

    assert problems == {}
    assert lines_of(found["var/lib/rpm/Packages"]) == set(query(copy, "-a", "--qf", QUERY, backend="bdb_ro").splitlines())
    assert files_of(found["var/lib/rpm/Packages"]) == files_by_rpm(query(copy, "-a", "--qf", FILES, backend="bdb_ro"), {})
