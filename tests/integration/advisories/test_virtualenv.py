"""The findings of virtual environments that pip filled, against Python's own reading of them and the reference implementation of its versions."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from tests.support.judged import expected, files_below, scan_files, stated_in, told
from tests.support.osv_plainly import is_lower_for_python, normal_python_name

INSTALLED = (
    "bleach==3.1.0 certifi==2022.9.24 Flask==2.2.4 httplib2==0.18.1 idna==3.6 Mako==1.2.1 markdown2==2.4.0 mistune==0.8.4 oauthlib==3.2.0 py==1.11.0 PyJWT==2.3.0"
    " requests==2.30.0 rsa==4.6 six==1.16.0 sqlparse==0.4.3 starlette==0.26.1 urllib3==1.26.17 uvicorn==0.11.6 Werkzeug==2.2.2 wheel==0.37.1"
)
LATER = "requests==2.32.3 urllib3==2.2.2 werkzeug==3.0.1 idna==3.7 wheel==0.38.1 pygments==2.14.0"
_SECONDS = 300


def make_virtualenv(folder: Path, requirements: str) -> Path:
    """An environment with these packages, without their dependencies, installed by pip."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, capture_output=True, timeout=_SECONDS)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin/python"), "--disable-pip-version-check"]
    command = [*pip, "install", "-q", "--no-deps", "--no-compile", "--only-binary", ":all:", *requirements.split()]
    subprocess.run(command, check=True, capture_output=True, timeout=_SECONDS)
    return folder


def installed_in(virtualenv: Path) -> set[tuple[str, str]]:
    """What Python itself finds there."""
    (packages,) = virtualenv.glob("lib/python3*/site-packages")
    return {(normal_python_name(one.metadata["Name"]), one.version) for one in metadata.distributions(path=[str(packages)])}


@pytest.mark.timeout(600)  # pip downloads 26 wheels
def test_virtualenvs_have_the_findings_that_packaging_says_and_none_else(tmp_path: Path, database: Path) -> None:
    virtualenvs = {"srv/app": make_virtualenv(tmp_path / "app", INSTALLED), "opt/job": make_virtualenv(tmp_path / "job", LATER)}
    installed: set[tuple[str, str]] = set().union(*map(installed_in, virtualenvs.values()))
    assert len(installed) == len(INSTALLED.split()) + len(LATER.split())
    files = {path: entry for prefix, virtualenv in virtualenvs.items() for path, entry in files_below(virtualenv, prefix).items()}
    stated = stated_in("PyPI")
    judged = expected(installed, stated, is_lower_for_python)

    done = scan_files(tmp_path, files, database)

    assert told(done, stated) == judged
    vulnerable = {(name, version) for _, name, version in judged}
    assert {
        ("requests", "2.30.0"),
        ("urllib3", "1.26.17"),
        ("werkzeug", "2.2.2"),
        ("pygments", "2.14.0"),
        ("starlette", "0.26.1"),
    } <= vulnerable
    assert vulnerable.isdisjoint({("six", "1.16.0"), ("requests", "2.32.3"), ("urllib3", "2.2.2"), ("idna", "3.7"), ("wheel", "0.38.1")})
