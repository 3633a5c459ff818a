"""The findings of a Python environment against the reference implementation of its versions."""

from __future__ import annotations

from pathlib import Path

from tests.support.images import debian_files, make_image, make_layer, python_files
from tests.support.osv_mirror import EXTRACT
from tests.support.osv_plainly import is_lower_for_python, normal_python_name, read_stated
from tests.support.scans import scan

INSTALLED = {
    "aiohttp": "3.8.1",
    "certifi": "2022.9.24",
    "cryptography": "3.3.1",
    "Django": "4.0rc1",
    "duckdb": "0.9.3.dev5",
    "Flask": "2.2.5",
    "Jinja2": "2.11.2",
    "langchain": "0.0.200",
    "lxml": "4.6.2",
    "paramiko": "2.4.0",
    "Pillow": "9.0.0+local.1",
    "PyYAML": "5.3.1",
    "requests": "2.25.1",
    "searchor": "2.4.1",
    "six": "1.16.0",
    "SQLAlchemy": "1.3.0b2",
    "urllib3": "1.26.4",
    "Werkzeug": "2.0.0",
}
OTHERS = {"django": "3.2.5", "Pillow": "10.3.0", "urllib3": "2.2.2", "Jinja2": "3.1.4", "requests": "2.32.0", "certifi": "2024.7.4"}


def test_a_python_environment_has_the_findings_that_packaging_says_and_none_else(tmp_path: Path, advisories: Path) -> None:
    files = {
        **debian_files({"bash": "5.1-2+deb11u1"}),
        **python_files(INSTALLED, prefix="opt/venv/lib/python3.11/site-packages"),
        **python_files(OTHERS, prefix="opt/other/lib/python3.9/site-packages"),
    }
    stated = list(read_stated(EXTRACT / "PyPI/all.zip", "PyPI"))
    expected = {
        (one.record, normal_python_name(name), version)
        for name, version in (*INSTALLED.items(), *OTHERS.items())
        for one in stated
        if normal_python_name(one.name) == normal_python_name(name) and one.affects(version, is_lower_for_python)
    }

    done = scan(make_image(tmp_path / "image", [make_layer(files)]).reference, advisories)

    assert (done.code, done.reasons) == (0, "")
    names = {package["purl"]: package["name"] for package in done.report["packages"]}
    found = [finding for finding in done.report["findings"] if finding["kind"] == "vulnerability"]
    told = {  # records about the same flaw are one finding, which names the others as aliases
        (name, names[finding["package"]], finding["installed"])
        for finding in found
        for name in (finding["id"], *finding["aliases"])
        if name.startswith("PYSEC-")
    }
    assert told == expected
    assert {(finding["id"], names[finding["package"]], finding["installed"]) for finding in found} <= expected
    assert len({name for _, name, _ in expected}) >= 12
