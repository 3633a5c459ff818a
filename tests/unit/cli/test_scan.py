"""`pratique scan` and `pratique sbom` on small images: what they say, and the exit code a pipeline goes by."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pratique_services.cli import main
from tests.support.images import ImageLayout, debian_files, make_image, make_index, make_layer, python_files
from tests.support.osv_mirror import make_affected, make_record, write_mirror

Scan = Callable[..., tuple[int, str, str]]
NOW = "2099-01-01T00:00:00Z"  # never out of date, whatever the day of the test


@pytest.fixture(scope="module")
def advisories(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One critical advisory about requests with a fix, one medium about flask without, and one about Debian's openssl."""
    folder = tmp_path_factory.mktemp("advisories")
    critical = [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]
    medium = [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:H/PR:L/UI:R/S:U/C:L/I:L/A:L"}]
    requests = make_affected("PyPI", "requests", {"introduced": "0"}, {"fixed": "2.31.0"})
    flask = make_affected("PyPI", "flask", {"introduced": "0"})
    openssl = make_affected("Debian:12", "openssl", {"introduced": "0"})
    mirror = write_mirror(
        folder / "osv",
        PyPI=[
            make_record("PYSEC-2023-74", requests, aliases=["CVE-2023-32681"], severity=critical, summary="A leak", modified=NOW),
            make_record("PYSEC-2023-62", flask, aliases=["CVE-2023-30861"], severity=medium, summary="A flaw", modified=NOW),
        ],
        Debian=[make_record("DEBIAN-CVE-2023-1", openssl, aliases=["CVE-2023-1"], severity=medium, summary="A flaw", modified=NOW)],
    )
    assert main(["advisories", "build", str(mirror), "-o", str(folder / "advisories.sqlite")]) == 0
    return folder / "advisories.sqlite"


@pytest.fixture
def scan(advisories: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Scan:
    monkeypatch.delenv("PRATIQUE_ADVISORIES", raising=False)

    def run(target: str | ImageLayout, *options: str, with_advisories: bool = True, command: str = "scan") -> tuple[int, str, str]:
        known = ["--advisories", str(advisories)] if with_advisories and command == "scan" else []
        capsys.readouterr()
        code = main([command, target if isinstance(target, str) else target.reference, *known, *options])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run


def _image(folder: Path, *, python: dict[str, str] | None = None, system: dict[str, str] | None = None, **more: Any) -> ImageLayout:
    """An image of a distribution only where `system` is given: one day every distribution's support ends, and is a finding."""
    layers = [make_layer(debian_files(system, release="12"))] if system else []
    layers += [make_layer(python_files(python or {"packaging": "24.0"}))]
    return make_image(folder, layers, config={"config": {"User": "app"}}, **more)


@pytest.fixture
def clean(tmp_path: Path) -> ImageLayout:
    return _image(tmp_path / "clean")


@pytest.fixture
def vulnerable(tmp_path: Path) -> ImageLayout:
    return _image(tmp_path / "vulnerable", python={"requests": "2.19.0"}, system={"openssl": "3.0.9-1"})


def test_a_clean_image_is_0(scan: Scan, clean: ImageLayout) -> None:
    code, out, _ = scan(clean, "--fail-on", "low")
    assert code == 0, out
    assert "Findings: none" in out
    assert "Verdict: pass" in out


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--fail-on", "critical"], 1),
        (["--fail-on", "low"], 1),
        (["--fail-on", "medium", "--fixable-only"], 1),
        ([], 0),  # without a threshold findings are shown and nothing is violated
    ],
)
def test_a_threshold_decides_between_0_and_1(scan: Scan, vulnerable: ImageLayout, options: list[str], code: int) -> None:
    found, out, _ = scan(vulnerable, *options)
    assert found == code, out
    assert "CVE-2023-32681" in out
    assert "requests (pypi)" in out


def test_a_threshold_above_the_findings_and_findings_without_a_fix_are_0(scan: Scan, tmp_path: Path) -> None:
    image = _image(tmp_path / "medium", python={"flask": "2.0"})
    assert scan(image, "--fail-on", "high")[0] == 0
    assert scan(image, "--fail-on", "medium")[0] == 1
    assert scan(image, "--fail-on", "medium", "--fixable-only")[0] == 0


def test_a_policy_file_decides(scan: Scan, vulnerable: ImageLayout, clean: ImageLayout, tmp_path: Path) -> None:
    policy = Path(__file__).parents[3] / "deploy/policy.example.yaml"
    code, out, _ = scan(vulnerable, "--policy", str(policy))
    assert code == 1, out
    assert "Verdict: fail" in out
    for number, content in enumerate((None, "nonsense: [", "{}")):
        wrong = tmp_path / f"policy-{number}.yaml"
        if content is not None:
            wrong.write_text(content)
        code, out, err = scan(clean, "--policy", str(wrong))
        assert (code, out) == (2, "")
        assert str(wrong) in err


def test_without_advisories_nothing_is_called_clean(scan: Scan, clean: ImageLayout) -> None:
    code, out, _ = scan(clean, with_advisories=False)
    assert code == 3
    assert "no advisory database" in out
    assert "Verdict: incomplete" in out


def test_a_broken_advisory_database_is_3_or_2_before_anything_is_said(scan: Scan, clean: ImageLayout, tmp_path: Path) -> None:
    broken = tmp_path / "broken.sqlite"
    broken.write_bytes(b"x" * 100)
    for path in (broken, tmp_path / "missing.sqlite"):
        code, out, err = scan(clean, "--advisories", str(path), with_advisories=False)
        assert code in {2, 3}
        assert out == ""
        assert path.name in err
        assert "Traceback" not in err


def test_a_distribution_without_advisories_is_3(scan: Scan, tmp_path: Path) -> None:
    files = {"etc/os-release": b'ID=unknownos\nVERSION_ID="1"\nPRETTY_NAME="Unknown 1"\n'}
    image = make_image(tmp_path / "unknown", [make_layer(files)])
    assert scan(image, "--fail-on", "critical")[0] == 3


def test_a_layer_that_cannot_be_read_is_3(scan: Scan, tmp_path: Path) -> None:
    image = _image(tmp_path / "torn")
    blob = image.folder / "blobs/sha256" / image.layers[0].removeprefix("sha256:")
    blob.write_bytes(blob.read_bytes()[:-20])
    code, out, _ = scan(image, "--fail-on", "critical")
    assert code == 3
    assert "Coverage: " in out
    assert "Verdict: incomplete" in out


@pytest.mark.parametrize(
    "target",
    [
        "oci:/nonexistent",
        "docker-archive:/nonexistent.tar",
        "dir:/nonexistent",
        "oci:",
        "dir:",
        "UPPER/case",
        "",
        "registry.example/app@sha256:00",
        "sbom:/nonexistent.json",
    ],
)
def test_a_target_that_is_none_is_2_with_one_clear_line(scan: Scan, target: str) -> None:
    code, out, err = scan(target)
    assert (code, out) == (2, "")
    assert err.startswith("pratique: ")
    assert err.count("\n") == 1


def test_a_registry_that_is_not_there_is_3(scan: Scan) -> None:
    code, _, err = scan("127.0.0.1:1/app:v1", "--plain-http")
    assert code == 3
    assert "127.0.0.1:1" in err
    assert "Traceback" not in err


def test_a_tag_that_is_not_in_the_layout_is_3_or_2(scan: Scan, clean: ImageLayout) -> None:
    code, _, err = scan(f"oci:{clean.folder}:nosuchtag")
    assert code in {2, 3}
    assert "nosuchtag" in err


def test_a_chart_is_no_image(scan: Scan, tmp_path: Path) -> None:
    config = {"mediaType": "application/vnd.cncf.helm.config.v1+json", "digest": "sha256:" + "00" * 32, "size": 2}
    chart = make_image(tmp_path / "chart", [make_layer({"Chart.yaml": b"name: x\n"})], manifest={"config": config})
    code, _, err = scan(chart)
    assert code == 2
    assert "is not an image, but: helm chart" in err


def test_one_platform_of_an_index_can_be_chosen_and_a_missing_one_is_not_clean(scan: Scan, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    good = _image(folder, tag="amd64")
    bad = make_image(
        folder,
        [make_layer(debian_files({"base-files": "12.4"}, release="12")), make_layer(python_files({"requests": "2.19.0"}))],
        config={"architecture": "arm64"},
        tag="arm64",
    )
    index = make_index(folder, [good, bad], tag="all")
    assert scan(index, "--fail-on", "critical")[0] == 1
    assert scan(index, "--fail-on", "critical", "--platform", "linux/arm64")[0] == 1
    assert scan(index, "--fail-on", "critical", "--platform", "linux/amd64")[0] == 0
    code, _, err = scan(index, "--platform", "linux/s390x")
    assert code == 2
    assert "is not for linux/s390x, but for linux/amd64, linux/arm64" in err


def test_an_image_without_an_index_is_for_its_own_platform_only(scan: Scan, clean: ImageLayout) -> None:
    assert scan(clean, "--platform", "linux/amd64")[0] == 0
    code, out, err = scan(clean, "--platform", "linux/arm64")
    assert (code, out) == (2, "")
    assert "is not for linux/arm64, but for linux/amd64" in err
    code, _, err = scan(clean, "--platform", "arm64")
    assert code == 2
    assert "expected a platform like linux/arm64" in err


def test_the_json_report_tells_where_a_finding_is(scan: Scan, vulnerable: ImageLayout) -> None:
    code, out, _ = scan(vulnerable, "--format", "json")
    document = json.loads(out)
    assert code == 0
    assert document["target"]["digest"] == vulnerable.digest
    finding = next(one for one in document["findings"] if "CVE-2023-32681" in one["aliases"])
    assert (finding["severity"], finding["fixed_in"], finding["layer"]) == ("critical", "2.31.0", vulnerable.layers[1])
    assert finding["path"].endswith("METADATA")


def test_a_report_goes_into_a_file_and_the_exit_code_stays(scan: Scan, vulnerable: ImageLayout, tmp_path: Path) -> None:
    code, out, _ = scan(vulnerable, "--fail-on", "high", "--format", "cyclonedx", "-o", str(tmp_path / "bom.json"))
    assert (code, out) == (1, "")
    assert json.loads((tmp_path / "bom.json").read_bytes())["vulnerabilities"]
    code, _, err = scan(vulnerable, "--fail-on", "high", "-o", str(tmp_path / "none/report"))
    assert code == 2
    assert "cannot write" in err


def test_a_directory_and_a_path_of_any_bytes_can_be_scanned(scan: Scan, tmp_path: Path) -> None:
    root = tmp_path / "r\udcffoot"
    for path, content in debian_files({"base-files": "12.4"}, release="12").items():
        if isinstance(content, bytes):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)
    for form in ("table", "json", "cyclonedx"):
        code, out, err = scan(f"dir:{root}", "--format", form, "--fail-on", "critical")
        assert code == 0, out + err
        assert "base-files" in out or form == "table"


def test_an_inventory_needs_no_advisories(scan: Scan, vulnerable: ImageLayout) -> None:
    code, out, err = scan(vulnerable, command="sbom")
    assert (code, err) == (0, "")
    document = json.loads(out)
    assert document["bomFormat"] == "CycloneDX"
    assert {component["name"] for component in document["components"]} == {"debian", "requests", "openssl"}
    assert json.loads(scan(vulnerable, "--format", "json", command="sbom")[1])["verdict"] is None


def test_an_inventory_with_a_gap_is_there_and_is_3(scan: Scan, tmp_path: Path) -> None:
    image = _image(tmp_path / "torn", python={"requests": "2.19.0"})
    blob = image.folder / "blobs/sha256" / image.layers[0].removeprefix("sha256:")
    blob.write_bytes(b"\x1f\x8b" + b"x" * 100)
    code, out, err = scan(image, command="sbom")
    assert code == 3
    assert json.loads(out)
    assert "not covered" in err


def test_the_database_says_what_is_in_it(advisories: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRATIQUE_ADVISORIES", str(advisories))
    assert main(["advisories", "status", "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {feed["name"] for feed in document["feeds"]} == {"PyPI", "Debian"}
    assert main(["advisories", "status"]) == 0
    assert document["digest"] in capsys.readouterr().out
    monkeypatch.delenv("PRATIQUE_ADVISORIES")
    assert main(["advisories", "status"]) == 2


def test_records_that_cannot_be_read_make_the_build_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = make_record("PYSEC-1", make_affected("PyPI", "a", {"introduced": "0"}))
    mirror = write_mirror(tmp_path / "osv", PyPI=[good, b"not json"])
    assert main(["advisories", "build", str(mirror), "-o", str(tmp_path / "a.sqlite")]) == 3
    assert "1 skipped" in capsys.readouterr().out
    assert main(["advisories", "build", str(tmp_path / "none"), "-o", str(tmp_path / "b.sqlite")]) in {2, 3}
    assert not (tmp_path / "b.sqlite").exists()
