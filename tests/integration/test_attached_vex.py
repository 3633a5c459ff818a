"""VEX attached to an image in a real registry by the tools that people attach it with: cosign 2, cosign 3 and oras. Only what a trusted key signed counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pratique.oci.digest import Digest
from pratique.registry.attached_vex import MAX_DOCUMENTS, OPENVEX, AttachedVex
from pratique.registry.client import RegistryClient
from pratique_services.cli import main
from tests.support.attached_vex import OFFLINE, REQUESTS, VEX, Pushed, attest, sign
from tests.support.images import make_image, make_layer, push
from tests.support.servers import DockerRegistry
from tests.support.vex import analysed, cyclonedx_vex, openvex, said

SBOM = json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": []}).encode()


@pytest.fixture
def image(shared_registry: DockerRegistry, tmp_path: Path, cosign25: Path) -> Pushed:
    return Pushed(shared_registry, tmp_path, cosign25)


@pytest.fixture(params=["cosign25", "cosign31"])
def cosign(request: pytest.FixtureRequest) -> tuple[str | Path, ...]:
    return (request.getfixturevalue(request.param), *OFFLINE[request.param])


def applied(found: list[AttachedVex]) -> list[str]:
    return [statement.vulnerability for one in found if one.document for statement in one.document.statements]


def test_what_cosign_attests_counts_by_the_right_key_alone(image: Pushed, cosign: tuple[str | Path, ...]) -> None:
    attest(image, cosign, VEX)
    assert applied(image.find("ours")) == applied(image.find("theirs", "ours")) == ["CVE-2018-18074"]
    (refused,) = image.find("theirs")
    assert refused.document is None
    assert refused.problem.startswith("refused: none of the envelope's 1 signatures is one by the key")
    assert str(image.digest) in refused.origin


def test_cyclonedx_may_be_attested_and_an_sbom_is_none_of_our_business(image: Pushed, cosign: tuple[str | Path, ...]) -> None:
    attest(image, cosign, SBOM, kind="cyclonedx", key="theirs")
    assert image.find() == []
    attest(image, cosign, cyclonedx_vex(analysed("CVE-1", REQUESTS)), kind="cyclonedx")
    assert applied(image.find()) == ["CVE-1"]


def test_a_statement_without_product_is_about_the_image(image: Pushed, cosign: tuple[str | Path, ...]) -> None:
    attest(image, cosign, openvex({**said(), "products": []}))
    (found,) = image.find()
    assert found.document is not None
    assert found.document.statements[0].products[0].component.digests == (str(image.digest),)


def test_a_plain_document_counts_when_its_manifest_is_signed(image: Pushed, cosign: tuple[str | Path, ...]) -> None:
    reference = image.attach(VEX)
    (refused,) = image.find()
    assert (refused.document, refused.problem) == (None, "refused: it is not signed by a trusted key")
    sign(image, cosign, reference, key="theirs")
    assert applied(image.find()) == []
    sign(image, cosign, reference)
    assert applied(image.find()) == ["CVE-2018-18074"]


def test_a_signature_of_the_image_is_none_of_what_hangs_on_it(image: Pushed, cosign: tuple[str | Path, ...]) -> None:
    image.attach(VEX)
    sign(image, cosign, image.by_digest)
    assert applied(image.find()) == []


def test_what_oras_attaches_is_found(image: Pushed, oras: Path) -> None:
    image.write(VEX)
    image.run(oras, "attach", "--plain-http", "--artifact-type", OPENVEX, image.by_digest, "vex.json")
    assert [one.problem for one in image.find()] == ["refused: it is not signed by a trusted key"]


def test_an_attestation_of_another_image_does_not_count_here(image: Pushed, tmp_path: Path, cosign25: Path) -> None:
    attest(image, (cosign25, *OFFLINE["cosign25"]), VEX)
    other = make_image(tmp_path / "other", [make_layer({"x": b"y"})])
    push(other, f"{image.host}/{image.repository}:other")

    async def move(client: RegistryClient) -> None:
        manifest = await client.fetch_document(image.repository, f"{image.digest.tag_prefix}.att")
        tag = f"{Digest.parse(other.digest).tag_prefix}.att"
        await client.push_document(image.repository, manifest.raw, manifest.descriptor.media_type, tag=tag)

    image.call(move)
    image.layout = other
    (refused,) = image.find()
    assert refused.problem == f"refused: expected a statement about {other.digest}, got one about something else"


def test_a_signed_document_of_another_image_cannot_be_put_under_a_tag(image: Pushed, tmp_path: Path, cosign25: Path) -> None:
    reference = image.attach(VEX)
    sign(image, (cosign25, *OFFLINE["cosign25"]), reference)
    other = make_image(tmp_path / "other", [make_layer({"x": b"y"})])
    push(other, f"{image.host}/{image.repository}:other")

    async def move(client: RegistryClient) -> None:
        manifest = await client.fetch_document(image.repository, Digest.parse(reference.partition("@")[2]))
        tag = f"{Digest.parse(other.digest).tag_prefix}.att"
        await client.push_document(image.repository, manifest.raw, manifest.descriptor.media_type, tag=tag)

    image.call(move)
    image.layout = other
    assert image.find() == []


@pytest.mark.parametrize(
    ("content", "media_type", "problem"),
    [
        (b"{}", OPENVEX, "expected a VEX document in JSON"),
        (b"\0", "application/vnd.in-toto+json", "expected an in-toto statement"),
        (b'{"payload": "e30=", "payloadType": "x", "signatures": []}', "application/vnd.dsse.envelope.v1+json", ""),
        (
            json.dumps({"predicateType": "https://openvex.dev/ns", "predicate": json.loads(VEX)}).encode(),
            "application/vnd.in-toto+json",
            "refused: the statement is in no signed envelope",
        ),
    ],
)
def test_a_broken_or_unsigned_one_is_told_and_hides_no_other(
    content: bytes, media_type: str, problem: str, image: Pushed, cosign25: Path
) -> None:
    image.attach(content, artifact_type=media_type, media_type=media_type)
    attest(image, (cosign25, *OFFLINE["cosign25"]), VEX)
    found = image.find()
    assert applied(found) == ["CVE-2018-18074"]
    assert [problem in one.problem for one in found if one.document is None] == ([True] if problem else [])


def test_no_more_than_so_many_are_read(image: Pushed) -> None:
    image.attach(*(openvex(said(f"CVE-{number}")) for number in range(MAX_DOCUMENTS + 2)))
    found = image.find()
    assert applied(found) == []
    assert found[-1].problem == f"more than {MAX_DOCUMENTS} documents: the others were not read"


def test_the_command_line_applies_what_the_key_signed_and_tells_what_it_refused(
    image: Pushed, cosign: tuple[str | Path, ...], extract: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def scan(*options: str) -> tuple[list[str], list[str], list[str]]:
        capsys.readouterr()
        command = ["scan", image.reference, "--plain-http", "--advisories", str(extract), "--format", "json", *options]
        assert main(command) in {0, 3}
        document = json.loads(capsys.readouterr().out)
        names = [{finding["id"], *finding["aliases"]} for finding in document["findings"]]
        hidden = [{one["finding"]["id"], *one["finding"]["aliases"]} for one in document["suppressed"]]
        known = ["CVE-2018-18074"]
        return (
            [name for name in known for one in names if name in one],
            [name for name in known for one in hidden if name in one],
            document["notes"],
        )

    key = ["--vex", "oci", "--vex-key", str(image.folder / "ours.pub")]
    assert scan() == (["CVE-2018-18074"], [], [])
    assert scan(*key)[2] == [f"attached to {image.host}/{image.repository}: no VEX is attached to this image"]
    attest(image, cosign, VEX)
    assert scan(*key) == ([], ["CVE-2018-18074"], [])
    found, hidden, notes = scan("--vex", "oci", "--vex-key", str(image.folder / "theirs.pub"))
    assert (found, hidden) == (["CVE-2018-18074"], [])
    assert "refused: none of the envelope's 1 signatures is one by the key" in notes[0]
