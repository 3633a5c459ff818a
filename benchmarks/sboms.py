"""The bill of the large image's materials, and Trivy with nothing to look up in it.

Trivy's vulnerability database is not in a package registry. With an empty one it reads the same bill, asks for every package and finds nothing: the least that `trivy sbom` can take.
"""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from pathlib import Path

from benchmarks.contenders import Command, Contenders
from benchmarks.image import BenchmarkImages
from benchmarks.tasks import PRATIQUE

_PAGE = 4096
_NOWHERE = "http://127.0.0.1:9"  # nobody listens there
_TIMES = {"NextUpdate": "2099-01-01T00:00:00Z", "UpdatedAt": "2024-01-01T00:00:00Z", "DownloadedAt": "2024-01-01T00:00:00Z"}


def prepare_sbom(images: BenchmarkImages) -> Path:
    """Give the bill in CycloneDX 1.5, as `pratique sbom` makes it but for `metadata.tools`, which this Trivy cannot read in its newer form."""
    target = images.folder / "large.cdx.json"
    if not target.exists():
        print("listing the large image", flush=True)
        made = target.with_suffix(".partial")
        command = [PRATIQUE, "sbom", "--no-cache", "-o", str(made), f"oci:{images.large.folder}:{images.large.tag}"]
        subprocess.run(command, check=True, timeout=600)
        bill = json.loads(made.read_bytes())
        made.write_text(json.dumps({**bill, "specVersion": "1.5", "metadata": {"component": bill["metadata"]["component"]}}))
        made.rename(target)
    return target


def prepare_trivy_state(contenders: Contenders) -> Path:
    """Give a folder for Trivy with a vulnerability database that is empty and never too old."""
    target = contenders.trivy_state.with_name("trivy-state-empty")
    if not target.exists():
        partial = target.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(contenders.trivy_state, partial)
        (partial / "db").mkdir()
        (partial / "db" / "trivy.db").write_bytes(_empty_bolt())
        (partial / "db" / "metadata.json").write_text(json.dumps({"Version": 2, **_TIMES}))
        partial.rename(target)
    return target


def trivy_sbom(contenders: Contenders, state: Path, sbom: Path, output: Path) -> Command:
    """Look for vulnerabilities of what a bill lists."""
    command = [
        str(contenders.trivy),
        "sbom",
        "--cache-dir",
        str(state),
        "--quiet",
        "--skip-db-update",
        "--skip-java-db-update",
        "--offline-scan",
    ]
    return Command(
        arguments=[*command, "--format", "json", "--output", str(output), str(sbom)],
        environment={"HTTP_PROXY": _NOWHERE, "HTTPS_PROXY": _NOWHERE},
    )


def _empty_bolt() -> bytes:
    """A file of bbolt (go.etcd.io/bbolt, format 2) without buckets: two meta pages, a list of free pages, and an empty leaf."""
    return _meta(0) + _meta(1) + _page(2, 0x10) + _page(3, 0x02)


def _page(number: int, kind: int, content: bytes = b"") -> bytes:
    return (struct.pack("<QHHI", number, kind, 0, 0) + content).ljust(_PAGE, b"\0")


def _meta(number: int) -> bytes:
    fields = struct.pack("<IIIIQQQQQ", 0xED0CDAED, 2, _PAGE, 0, 3, 0, 2, 4, number)
    return _page(number, 0x04, fields + struct.pack("<Q", _fnv(fields)))


def _fnv(content: bytes) -> int:
    """FNV-1a, 64 bits."""
    value = 0xCBF29CE484222325
    for byte in content:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value
