"""`pratique scan --vex`: what it takes from the verdict, what it shows, and that a document that cannot be read is an error."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from pratique.runtime.vex_files import MAX_FILES
from pratique_services.cli import main
from tests.support.images import ImageLayout, make_image, make_index, make_layer, python_files
from tests.support.osv_mirror import make_affected, make_record, write_mirror
from tests.support.vex import SERIAL, analysed, cyclonedx_vex, image_product, openvex, said

Scan = Callable[..., tuple[int, str, str]]
REQUESTS = "pkg:pypi/requests@2.19.0"
FINE = openvex(said("CVE-2023-32681", {"@id": REQUESTS}))
SCHEMA = Path(__file__).parents[2] / "assets/vex/openvex-0.2.0.schema.json"


@pytest.fixture(scope="module")
def advisories(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("advisories")
    critical = [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]
    affected = make_affected("PyPI", "requests", {"introduced": "0"}, {"fixed": "2.31.0"})
    record = make_record("PYSEC-2023-74", affected, aliases=["CVE-2023-32681"], severity=critical, modified="2099-01-01T00:00:00Z")
    assert main(["advisories", "build", str(write_mirror(folder / "osv", PyPI=[record])), "-o", str(folder / "a.sqlite")]) == 0
    return folder / "a.sqlite"


@pytest.fixture
def image(tmp_path: Path) -> ImageLayout:
    return make_image(tmp_path / "image", [make_layer(python_files({"requests": "2.19.0"}))], config={"config": {"User": "app"}})


@pytest.fixture
def scan(advisories: Path, image: ImageLayout, capsys: pytest.CaptureFixture[str]) -> Scan:
    def run(*options: str | Path, target: str = "") -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(["scan", target or image.reference, "--advisories", str(advisories), "--fail-on", "high", *map(str, options)])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(content: bytes, name: str = "vex.json") -> Path:
        path = tmp_path / "vex" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    return write


def read(shown: tuple[int, str, str]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(shown[1])
    return document


def test_the_policy_judges_what_vex_leaves(scan: Scan, write: Callable[..., Path]) -> None:
    assert scan()[0] == 1
    code, out, _ = scan("--vex", write(FINE))
    assert code == 0
    assert "Suppressed by VEX: 1 (--show-suppressed lists them)" in out
    assert "CVE-2023-32681 in pypi/requests@2.19.0: not_affected" in scan("--vex", write(FINE), "--show-suppressed")[1]


def test_the_report_keeps_what_was_suppressed(scan: Scan, write: Callable[..., Path]) -> None:
    path = write(FINE)
    document = read(scan("--vex", path, "--format", "json"))
    assert document["findings"] == []
    assert document["suppressed"][0]["finding"]["id"] == "PYSEC-2023-74"
    assert document["suppressed"][0]["statements"][0]["source"] == str(path)


def test_an_image_is_named_by_its_digest(scan: Scan, write: Callable[..., Path], image: ImageLayout) -> None:
    def about(digest: str) -> bytes:
        return openvex(said("CVE-2023-32681", image_product(REQUESTS, identifier=f"pkg:oci/app@{digest.replace(':', '%3A')}")))

    assert scan("--vex", write(about(image.digest)))[0] == 0
    assert scan("--vex", write(about("sha256:" + "0" * 64)))[0] == 1


def test_of_an_index_one_image_does_not_speak_for_the_others(scan: Scan, write: Callable[..., Path], tmp_path: Path) -> None:
    layers = [make_layer(python_files({"requests": "2.19.0"}))]
    one = make_image(tmp_path / "index", layers, tag="amd64")
    other = make_image(tmp_path / "index", layers, tag="arm64", config={"architecture": "arm64"})
    index = make_index(tmp_path / "index", [one, other], tag="both")

    def about(digest: str) -> Path:
        return write(openvex(said("CVE-2023-32681", {"@id": f"pkg:oci/app@{digest.replace(':', '%3A')}"})))

    assert scan("--vex", about(one.digest), target=index.reference)[0] == 1
    assert scan("--vex", about(index.digest), target=index.reference)[0] == 0
    assert scan("--vex", about(one.digest), "--platform", "linux/amd64", target=index.reference)[0] == 0
    assert scan("--vex", about(one.digest), "--platform", "linux/arm64", target=index.reference)[0] == 1


def test_an_sbom_is_what_bom_links_point_to(scan: Scan, write: Callable[..., Path]) -> None:
    component = {"type": "library", "name": "requests", "version": "2.19.0", "purl": REQUESTS, "bom-ref": "r"}
    other = {"type": "library", "name": "other", "version": "1", "purl": "pkg:pypi/other@1", "bom-ref": "o"}
    described = {"component": {"type": "application", "name": "app", "bom-ref": "app"}}
    head = {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 3, "serialNumber": f"urn:uuid:{SERIAL}", "metadata": described}
    target = f"sbom:{write(json.dumps({**head, 'components': [component, other]}).encode(), 'sbom.cdx')}"
    for link, code in (
        (f"3#{REQUESTS}", 0),
        ("3#r", 0),
        ("3", 0),
        ("3#app", 0),
        (f"2#{REQUESTS}", 1),
        ("2#r", 1),
        ("2", 1),
        ("3#o", 1),
        ("3#x", 1),
    ):
        path = write(cyclonedx_vex(analysed("CVE-2023-32681", f"urn:cdx:{SERIAL}/{link}"), serialNumber=None))
        assert scan("--vex", path, target=target)[0] == code, link


def test_what_is_given_first_counts(scan: Scan, write: Callable[..., Path]) -> None:
    fine = write(FINE, "fine.json")
    open_ = write(openvex(said("CVE-2023-32681", {"@id": REQUESTS}, status="under_investigation"), author="Other"), "open.json")
    code, out, _ = scan("--vex", fine, "--vex", open_, "--format", "json")
    assert code == 0
    assert "says not_affected" in json.loads(out)["notes"][0]
    assert scan("--vex", open_, "--vex", fine)[0] == 1


def test_a_folder_is_read_whole_and_a_broken_document_in_it_is_told(scan: Scan, write: Callable[..., Path]) -> None:
    path = write(FINE, "deep/er/fine.json")
    write(b"{}", "broken.json")
    write(b"not for us", "README.md")
    (path.parents[2] / "loop").symlink_to(path.parents[2])
    (path.parents[2] / "dangling.json").symlink_to("nowhere")
    code, out, _ = scan("--vex", path.parents[2], "--format", "json")
    assert code == 0
    notes = json.loads(out)["notes"]
    assert ["broken.json" in note for note in notes] == [True, False]
    assert "expected a VEX document in JSON" in notes[0]


def test_a_folder_may_not_be_too_large(scan: Scan, write: Callable[..., Path]) -> None:
    for number in range(MAX_FILES + 1):
        path = write(b"{}", f"{number}.json")
    code, _, err = scan("--vex", path.parent)
    assert (code, f"more than {MAX_FILES} files" in err) == (3, True)


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        (None, 2, "cannot read the VEX document"),
        (b"", 3, "expected a VEX document in JSON"),
        (openvex(said(status="harmless")), 3, "Invalid enum value 'harmless'"),
    ],
)
def test_a_document_that_cannot_be_read_is_an_error(
    content: bytes | None, code: int, message: str, scan: Scan, write: Callable[..., Path], tmp_path: Path
) -> None:
    path = tmp_path / "missing.json" if content is None else write(content)
    ended, _, err = scan("--vex", path)
    assert (ended, message in err, path.name in err) == (code, True, True)


def test_attached_vex_needs_a_registry_and_a_key(scan: Scan, write: Callable[..., Path]) -> None:
    assert scan("--vex", "oci")[0] == 2
    code, _, err = scan("--vex", "oci", target="localhost:1/app:1")
    assert (code, "--vex-key" in err) == (2, True)
    code, _, err = scan("--vex", "oci", "--vex-key", write(b"no key"), target="localhost:1/app:1")
    assert (code, "key file" in err) == (2, True)
    code, _, err = scan("--vex", "oci", "--vex-key", "nowhere.pub", target="localhost:1/app:1")
    assert (code, "cannot read the key" in err) == (2, True)


def test_openvex_is_written_and_understood(scan: Scan, write: Callable[..., Path]) -> None:
    code, out, _ = scan("--format", "openvex")
    assert code == 1
    Draft202012Validator(json.loads(SCHEMA.read_bytes())).validate(json.loads(out))
    document = json.loads(out)
    statement = document["statements"][0]
    assert (statement["vulnerability"]["name"], statement["status"]) == ("CVE-2023-32681", "affected")
    del statement["action_statement"]
    statement |= {"status": "not_affected", "justification": "component_not_present"}
    assert scan("--vex", write(json.dumps(document).encode()))[0] == 0
