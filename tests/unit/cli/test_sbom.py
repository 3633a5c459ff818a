"""SBOMs in and out of the command line: `sbom:FILE` is judged as the image that it is about, and turned into other formats."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pratique_services.cli import main
from tests.support.images import ImageLayout, debian_files, make_image, make_layer, python_files
from tests.support.osv_mirror import make_affected, make_record, write_mirror
from tests.support.sboms import REAL, attested, cyclonedx, library

Run = Callable[..., tuple[int, str, str]]
FORMATS = ("cyclonedx", "spdx", "spdx3")


@pytest.fixture(scope="module")
def advisories(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Advisories about requests, and about Debian's source packages openssl and zlib."""
    folder = tmp_path_factory.mktemp("advisories")
    modified = "2099-01-01T00:00:00Z"
    severity = [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]
    requests = make_affected("PyPI", "requests", {"introduced": "0"}, {"fixed": "2.31.0"})
    debian = [make_affected(f"Debian:{release}", name, {"introduced": "0"}) for release in (11, 12) for name in ("openssl", "zlib")]
    mirror = write_mirror(
        folder / "osv",
        PyPI=[make_record("PYSEC-2023-74", requests, severity=severity, modified=modified)],
        Debian=[make_record(f"DEBIAN-CVE-2023-{number}", one, severity=severity, modified=modified) for number, one in enumerate(debian)],
    )
    assert main(["advisories", "build", str(mirror), "-o", str(folder / "advisories.sqlite")]) == 0
    return folder / "advisories.sqlite"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: str | Path) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return call


@pytest.fixture
def image(tmp_path: Path) -> ImageLayout:
    system = make_layer(debian_files({"openssl": "3.0.9-1", "zlib": "1.2"}, release="12"))
    return make_image(tmp_path / "image", [system, make_layer(python_files({"requests": "2.19.0"}))])


def _findings(out: str) -> list[tuple[Any, ...]]:
    return [
        (one["id"], one["package"], one["installed"], one["fixed_in"], one["layer"], one["path"]) for one in json.loads(out)["findings"]
    ]


@pytest.mark.parametrize("form", FORMATS)
def test_the_sbom_of_an_image_has_the_findings_of_the_image(
    form: str, run: Run, image: ImageLayout, advisories: Path, tmp_path: Path
) -> None:
    sbom = tmp_path / "sbom.json"
    assert run("sbom", image.reference, "--format", form, "-o", sbom)[0] == 0
    by_image = run("scan", image.reference, "--format", "json", "--advisories", advisories, "--fail-on", "high")
    by_sbom = run("scan", f"sbom:{sbom}", "--format", "json", "--advisories", advisories, "--fail-on", "high")
    assert (by_image[0], by_sbom[0]) == (1, 1)
    found = [one for one in _findings(by_image[1]) if not one[0].startswith("EOL")]
    assert found == [one for one in _findings(by_sbom[1]) if not one[0].startswith("EOL")]
    assert len(found) == 3
    one, other = json.loads(by_image[1]), json.loads(by_sbom[1])
    assert other["packages"] == one["packages"]
    assert other["target"]["os"] == one["target"]["os"]
    assert other["target"]["digest"] == one["target"]["digest"] == image.digest


@pytest.mark.parametrize("name", [name for name in REAL if name != "syft-1.18-cyclonedx-1.2"])
def test_sboms_of_other_tools_are_judged(name: str, run: Run, advisories: Path, tmp_path: Path) -> None:
    path = tmp_path / "sbom.json"
    path.write_bytes(REAL[name])
    code, out, _ = run("scan", f"sbom:{path}", "--format", "json", "--advisories", advisories, "--fail-on", "critical")
    assert code == 1
    vulnerable = {one[1].partition("@")[0] for one in _findings(out) if one[1]}
    assert vulnerable == {"pkg:deb/debian/libssl1.1", "pkg:deb/debian/zlib1g"}  # by their sources, openssl and zlib


def test_an_sbom_with_gaps_is_3(run: Run, advisories: Path, tmp_path: Path) -> None:
    path = tmp_path / "sbom.json"
    path.write_bytes(cyclonedx(library("pkg:npm/a@1"), {"type": "library", "name": "b", "version": "1"}))
    code, out, _ = run("scan", f"sbom:{path}", "--advisories", advisories, "--fail-on", "critical")
    assert code == 3
    assert "1 components without a package URL" in out
    code, out, err = run("sbom", f"sbom:{path}", "--format", "spdx")
    assert code == 3
    assert json.loads(out)
    assert "not covered: sbom" in err


@pytest.mark.parametrize(("content", "code"), [(b"{}", 3), (b"\0" * 100, 3), (None, 2)])
def test_what_is_no_sbom_ends_with_one_clear_line(content: bytes | None, code: int, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "sbom.json"
    if content is not None:
        path.write_bytes(content)
    found, out, err = run("scan", f"sbom:{path}")
    assert (found, out) == (code, "")
    assert err.startswith("pratique: ")
    assert err.count("\n") == 1
    assert run("scan", "sbom:")[0] == 2
    assert run("scan", f"sbom:{tmp_path}")[0] == 2


@pytest.mark.parametrize("form", FORMATS)
def test_an_sbom_is_turned_into_another_format(form: str, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "sbom.json"
    path.write_bytes(REAL["trivy-spdx-2.3"])
    code, out, _ = run("sbom", f"sbom:{path}", "--format", form)
    assert code == 0
    again = tmp_path / "again.json"
    again.write_text(out)
    one, other = (json.loads(run("sbom", f"sbom:{file}", "--format", "json")[1]) for file in (path, again))
    plain = [[{**package, "vendor": "", "licenses": []} for package in document["packages"]] for document in (one, other)]
    assert plain[0] == plain[1]
    assert '"vm"' in out  # what the SBOM is about, not the file's name


@pytest.mark.parametrize("form", ["spdx", "spdx3"])
def test_a_scan_can_be_written_as_spdx_too(form: str, run: Run, image: ImageLayout, advisories: Path) -> None:
    code, out, _ = run("scan", image.reference, "--format", form, "--advisories", advisories, "--fail-on", "high")
    assert code == 1
    assert "pkg:pypi/requests@2.19.0" in out


def test_the_same_image_gives_the_same_bytes(run: Run, image: ImageLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    for form in FORMATS:
        assert run("sbom", image.reference, "--format", form) == run("sbom", image.reference, "--format", form, "--no-cache")


def test_attestations_of_buildkit_are_read_when_asked_for(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "built"
    built = make_image(folder, [make_layer(python_files({"requests": "2.19.0"}))], tag="image")
    layout = attested(built, {"pkg:pypi/requests@2.19.0", "pkg:npm/compiled-in@1"})
    code, out, _ = run("sbom", layout, "--format", "json", "--sbom-sources", "oci")
    document = json.loads(out)
    assert code == 0
    assert [package["purl"] for package in document["packages"]] == ["pkg:npm/compiled-in@1", "pkg:pypi/requests@2.19.0"]
    assert any(item["name"] == "sbom" and "1 of them found nowhere else" in item["reason"] for item in document["coverage"]["items"])
    assert len(json.loads(run("sbom", layout, "--format", "json")[1])["packages"]) == 1


def test_an_attestation_about_something_else_is_a_gap(run: Run, tmp_path: Path) -> None:
    built = make_image(tmp_path / "built", [make_layer(python_files({"requests": "2.19.0"}))], tag="image")
    layout = attested(built, {"pkg:npm/a@1"}, subject=[{"name": "x", "digest": {"sha256": "00" * 32}}])
    code, _, err = run("sbom", layout, "--sbom-sources", "oci")
    assert code == 3
    assert "a statement about something else than this image" in err


def test_provenance_is_no_sbom_and_no_gap(run: Run, tmp_path: Path) -> None:
    built = make_image(tmp_path / "built", [make_layer(python_files({"requests": "2.19.0"}))], tag="image")
    layout = attested(built, set(), predicateType="https://slsa.dev/provenance/v0.2")
    code, out, _ = run("sbom", layout, "--sbom-sources", "oci", "--format", "json")
    assert code == 0
    assert f"no SBOM is attached to {built.digest}" in out
