"""Our reading of who owns which file against dpkg's own, on this machine and on a Debian 11 root."""

import hashlib
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pratique.inventory.analyzer import Analyzer, LayerFile
from pratique.inventory.analyzers import dpkg, dpkg_copyright, dpkg_files, dpkg_md5sums
from pratique.inventory.package import Package, PackageDetails
from tests.support.debian_packages import read_tree
from tests.support.images import debian_rootfs

HERE = Path("/var/lib/dpkg")
SECONDS_OF_65_000_PATHS = 0.5  # a twentieth of it is usual: this finds time squared, not a busy machine


@pytest.fixture(scope="module")
def bullseye(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """dpkg's database, the copyright files and `usr/bin` of a minimal Debian 11."""
    root = tmp_path_factory.mktemp("bullseye")
    with tarfile.open(debian_rootfs()) as archive:
        wanted = [member for member in archive if _is_wanted(member)]
        archive.extractall(root, wanted, filter="data")
    return root


def _is_wanted(member: tarfile.TarInfo) -> bool:
    name = member.name.removeprefix("./")
    return member.isfile() and (name.startswith(("var/lib/dpkg/", "usr/bin/")) or name.endswith("/copyright"))


def _details(root: Path, analyzer: Analyzer) -> Iterator[PackageDetails]:
    facts, problems = read_tree(root, analyzer)
    assert problems == {}
    return (fact for found in facts.values() for fact in found if isinstance(fact, PackageDetails))


def _query(directory: Path, *arguments: str) -> list[str]:
    command = ["dpkg-query", f"--admindir={directory}", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.splitlines()


def test_dpkg_lists_the_same_files_of_every_package_of_a_debian_root(bullseye: Path) -> None:
    directory = bullseye / "var/lib/dpkg"
    ours = {details.name: set(details.paths) for details in _details(bullseye, dpkg_files.ANALYZER)}
    names = _query(directory, "-W", "-f", "${Package}\n")

    theirs = {name: {line[1:] for line in _query(directory, "-L", name) if line.startswith("/") and line != "/."} for name in names}
    assert len(names) > 80
    assert {name: ours.get(name, set()) for name in names} == theirs


def test_recorded_digests_are_those_of_the_files(bullseye: Path) -> None:
    digests = {path: digest for details in _details(bullseye, dpkg_md5sums.ANALYZER) for path, digest in details.files if digest}
    programs = {path: digest for path, digest in digests.items() if (bullseye / path).is_file() and path.startswith("usr/bin/")}

    assert len(programs) > 150
    for path, digest in programs.items():
        assert digest == f"md5:{hashlib.md5((bullseye / path).read_bytes(), usedforsecurity=False).hexdigest()}"


def test_dpkg_lists_the_same_configuration_files(bullseye: Path) -> None:
    directory = bullseye / "var/lib/dpkg"
    ours = sorted(file for details in _details(bullseye, dpkg.ANALYZER) for file in details.files)

    theirs = [line.split() for line in _query(directory, "-W", "-f", "${Conffiles}\n") if line.startswith(" /")]
    assert len(theirs) > 30
    assert ours == sorted((words[0][1:], f"md5:{words[1]}") for words in theirs)


def test_dpkg_names_the_same_maintainers(bullseye: Path) -> None:
    facts, _ = read_tree(bullseye, dpkg.ANALYZER)
    ours = {(fact.name, fact.vendor) for fact in facts["var/lib/dpkg/status"] if isinstance(fact, Package)}

    assert ours == {
        (name, vendor)
        for name, vendor in (line.split("\t") for line in _query(bullseye / "var/lib/dpkg", "-W", "-f", "${Package}\t${Maintainer}\n"))
    }


def test_most_packages_of_a_debian_root_name_their_licences(bullseye: Path) -> None:
    licenses = {details.name: details.licenses for details in _details(bullseye, dpkg_copyright.ANALYZER)}

    assert len(licenses) > 80
    assert "GPL-2" in licenses["base-files"][0] or "GPL" in licenses["base-files"][0]
    assert licenses["zlib1g"] == ("Zlib",)


def test_the_lists_of_this_machine_are_read_in_time() -> None:
    files = [LayerFile(path=str(path)[1:], content=path.read_bytes()) for path in sorted(HERE.glob("info/*")) if path.is_file()]
    wanted = [file for file in files if dpkg_files.ANALYZER.paths.matches(file.path)]

    started = time.process_time()
    paths = sum(len(fact.paths) for file in wanted for fact in dpkg_files.parse(file))
    seconds = time.process_time() - started

    assert paths > 10_000
    assert seconds < max(SECONDS_OF_65_000_PATHS, paths / 65_000 * SECONDS_OF_65_000_PATHS)
