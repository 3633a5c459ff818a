"""Our reading of dpkg's status file against dpkg's own."""

import shutil
import subprocess
from pathlib import Path

from pratique.inventory.analyzer import LayerFile
from pratique.inventory.analyzers.dpkg import parse
from pratique.inventory.package import Package
from tests.support.layer_results import ASSETS

FORMAT = "${Package}\t${Version}\t${Architecture}\t${source:Package}\t${source:Version}\t${db:Status-Status}\n"


def _ours(status: Path) -> set[tuple[str, ...]]:
    facts = parse(LayerFile(path="var/lib/dpkg/status", content=status.read_bytes()))
    packages = [fact for fact in facts if isinstance(fact, Package)]
    return {(p.name, p.version, p.architecture, p.matching_name, p.matching_version) for p in packages}


def _dpkgs(directory: Path) -> set[tuple[str, ...]]:
    command = ["dpkg-query", f"--admindir={directory}", "-W", "-f", FORMAT]
    rows = [
        line.split("\t") for line in subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout.splitlines()
    ]
    return {tuple(row[:5]) for row in rows if row[5] not in {"config-files", "not-installed"}}


def test_dpkg_reads_the_same_packages_from_a_debian_root(tmp_path: Path) -> None:
    shutil.copy(ASSETS / "debian-11-status", tmp_path / "status")
    (tmp_path / "info").mkdir()
    (tmp_path / "updates").mkdir()

    assert _ours(tmp_path / "status") == _dpkgs(tmp_path)


def test_dpkg_reads_the_same_packages_from_this_machine() -> None:
    directory = Path("/var/lib/dpkg")

    assert _ours(directory / "status") == _dpkgs(directory)
