"""Real wheels, by pip: installed into a directory, or unpacked."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

_SECONDS = 120


def install(target: Path, *requirements: str) -> None:
    """Install these, without their dependencies, as `pip install --target` does."""
    _pip("install", "--target", str(target), *requirements)


def unpack_wheels(target: Path, *requirements: str) -> None:
    """Unpack the wheels of these, without installing anything."""
    _pip("download", "--dest", str(target / "wheels"), *requirements)
    for wheel in (target / "wheels").glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(target)


def _pip(command: str, *arguments: str) -> None:
    whole = [sys.executable, "-m", "pip", command, "-q", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:", *arguments]
    subprocess.run(whole, check=True, capture_output=True, text=True, timeout=_SECONDS)
