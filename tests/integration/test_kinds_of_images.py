"""All platforms, all kinds of layers, all that is no image: made by real clients, in a real registry, read by the command line."""

from __future__ import annotations

import contextlib
import functools
import gzip
import hashlib
import http.server
import json
import os
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pratique.oci.digest import Digest
from pratique.oci.media_types import is_zstd_chunked
from pratique_services.cli import main
from tests.support.images import ImageLayout, debian_files, decompress, make_image, make_index, make_layer, python_files
from tests.support.images import push as copy_image
from tests.support.layer_formats import EMPTY_LAYER, TOC_NAME, make_estargz, make_zstd_chunked
from tests.support.servers import DockerRegistry
from tests.support.services import Bench, deliver

BASE = make_layer(debian_files({"zlib1g": "1:1.2.11"}))
APP = python_files({"six": "1.16.0"})
PURLS = ["pkg:deb/debian/zlib1g@1:1.2.11?arch=amd64&distro=debian-11", "pkg:pypi/six@1.16.0"]
FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
MODULE = b"\0asm\x01\0\0\0" + bytes(range(256)) * 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a command answered."""

    code: int
    report: dict[str, Any]
    errors: str

    @property
    def purls(self) -> list[str]:
        return sorted(package["purl"] for package in self.report["packages"])


Ask = Callable[..., Outcome]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Ask:
    def run(target: str, *options: str, command: str = "sbom", is_cached: bool = False) -> Outcome:
        capsys.readouterr()
        local = [] if target.startswith("oci:") else ["--plain-http"]
        code = main([command, target, "--format", "json", *local, *([] if is_cached else ["--no-cache"]), *options])
        shown = capsys.readouterr()
        return Outcome(code=code, report=json.loads(shown.out or "{}"), errors=shown.err)

    return run


@pytest.fixture
def place(shared_registry: DockerRegistry, repository: str) -> str:
    """Where this test may push to."""
    return f"{shared_registry.host}/{repository}"


def run(program: Path, *arguments: object, folder: Path | None = None, **environment: str) -> str:
    command = [str(part) for part in (program, *arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, cwd=folder, env={**os.environ, **environment})
    assert done.returncode == 0, done.stderr
    return done.stdout


def copy(skopeo: Path, *arguments: object) -> None:
    run(skopeo, "copy", "--quiet", "--insecure-policy", "--src-tls-verify=false", "--dest-tls-verify=false", *arguments)


def make_platforms(folder: Path, *platforms: str) -> list[ImageLayout]:
    """An image for each platform, on one base, each with its own version of one package."""
    images = []
    for number, name in enumerate(platforms):
        os_name, architecture, *variant = name.split("/")
        config = {"os": os_name, "architecture": architecture, **({"variant": variant[0]} if variant else {})}
        layers = [BASE, make_layer(python_files({"six": f"1.{number}"}))]
        images.append(make_image(folder, layers, config=config, tag=name.replace("/", "-")))
    return images


# platforms


PLATFORMS = ("linux/amd64", "linux/arm64", "linux/arm/v7", "linux/arm/v6", "windows/amd64")


def test_an_index_is_scanned_on_all_its_platforms_and_shared_layers_are_fetched_once(
    ask: Ask, place: str, shared_registry: DockerRegistry, tmp_path: Path
) -> None:
    images = make_platforms(tmp_path, *PLATFORMS)
    copy_image(make_index(tmp_path, images, tag="all"), f"{place}:all")
    shared_registry.clear()
    found = ask(f"{place}:all")
    assert found.code == 0, found.errors
    assert [purl for purl in found.purls if "six" in purl] == [f"pkg:pypi/six@1.{number}" for number in range(5)]
    assert found.report["target"]["platform"] == ",".join(PLATFORMS)
    layers = {layer for image in images for layer in image.layers}
    fetched = Counter(
        entry.path.rpartition("/")[2] for entry in shared_registry.requests() if entry.method == "GET" and "/blobs/" in entry.path
    )
    assert {layer: fetched[layer] for layer in layers} == dict.fromkeys(layers, 1)


@pytest.mark.parametrize(
    ("client", "wanted", "number"), [("oras", "linux/arm/v7", 2), ("crane", "linux/arm/v6", 3), ("oras", "linux/arm64/v8", 1)]
)
def test_one_platform_of_an_index_that_a_client_made(
    ask: Ask, place: str, tmp_path: Path, oras: Path, crane: Path, client: str, wanted: str, number: int
) -> None:
    images = make_platforms(tmp_path, *PLATFORMS[:4])
    for image in images:
        copy_image(image, f"{place}:{image.tag}")
    tags = [image.tag for image in images]
    if client == "oras":
        run(oras, "manifest", "index", "create", "--plain-http", f"{place}:all", *tags)
    else:
        named = [part for tag in tags for part in ("-m", f"{place}:{tag}")]
        run(crane, "index", "append", "--insecure", "--docker-empty-base", *named, "-t", f"{place}:all")
    assert len(ask(f"{place}:all").report["target"]["platform"].split(",")) == 4
    found = ask(f"{place}:all", "--platform", wanted)
    assert (found.code, [purl for purl in found.purls if "six" in purl]) == (0, [f"pkg:pypi/six@1.{number}"])


def test_a_platform_that_is_not_there_is_a_wrong_question(ask: Ask, place: str, tmp_path: Path, shared_registry: DockerRegistry) -> None:
    (image,) = make_platforms(tmp_path, "linux/arm64")
    copy_image(image, f"{place}:one")
    shared_registry.clear()
    found = ask(f"{place}:one", "--platform", "linux/amd64")
    assert (found.code, found.report) == (2, {})
    assert "is not for linux/amd64, but for linux/arm64" in found.errors
    assert not [entry for entry in shared_registry.requests() if image.layers[1] in entry.path]


# what is no image


def push_artifact(
    oras: Path, folder: Path, reference: str, *, config: str, layer: str, content: bytes = b"content", kind: str = ""
) -> None:
    (folder / "config.json").write_bytes(b"{}")
    (folder / "file").write_bytes(content)
    options = ["--artifact-type", kind] if kind else []
    options += ["--config", f"config.json:{config}"] if config else []
    run(oras, "push", "--plain-http", *options, reference, f"file:{layer}", folder=folder)


ARTIFACTS = {
    "helm chart": {"config": "application/vnd.cncf.helm.config.v1+json", "layer": "application/vnd.cncf.helm.chart.content.v1.tar+gzip"},
    "wasm module": {"config": "application/vnd.wasm.config.v0+json", "layer": "application/wasm", "content": MODULE},
    "sbom": {"config": "", "layer": "application/spdx+json", "kind": "application/spdx+json"},
    "artifact application/vnd.acme.rocket": {"config": "", "layer": "text/plain", "kind": "application/vnd.acme.rocket"},
}


@pytest.mark.parametrize("kind", ARTIFACTS)
def test_an_artifact_is_called_what_it_is_and_is_a_wrong_target(ask: Ask, place: str, oras: Path, tmp_path: Path, kind: str) -> None:
    push_artifact(oras, tmp_path, f"{place}:1", **ARTIFACTS[kind])  # type: ignore[arg-type]
    found = ask(f"{place}:1", command="scan")
    assert (found.code, found.report) == (2, {})
    assert f"is not an image, but: {kind}; there is nothing to scan in it" in found.errors


def test_what_cosign_hangs_on_an_image_is_called_what_it_is(ask: Ask, place: str, cosign25: Path, tmp_path: Path) -> None:
    image = make_image(tmp_path, [BASE])
    copy_image(image, f"{place}:1")
    secret = {"COSIGN_PASSWORD": ""}
    run(cosign25, "generate-key-pair", "--output-key-prefix", tmp_path / "k", **secret)
    (tmp_path / "statement").write_text("{}")
    (tmp_path / "sbom").write_text('{"spdxVersion": "SPDX-2.3"}')
    flags = ["--allow-http-registry", "--allow-insecure-registry"]
    signing = ["--key", tmp_path / "k.key", "--tlog-upload=false", "-y", *flags]
    reference = f"{place}@{image.digest}"
    run(cosign25, "sign", *signing, reference, **secret)
    run(cosign25, "attest", *signing, "--type", "custom", "--predicate", tmp_path / "statement", reference, **secret)
    run(cosign25, "attach", "sbom", "--sbom", tmp_path / "sbom", "--type", "spdx", "--input-format", "json", *flags, reference, **secret)
    for suffix, kind in (("sig", "signature"), ("att", "attestation"), ("sbom", "sbom")):
        found = ask(f"{place}:{image.digest.replace(':', '-')}.{suffix}")
        assert (found.code, f"but: {kind};" in found.errors) == (2, True), found.errors


def test_an_image_that_calls_itself_an_sbom_is_scanned_all_the_same(ask: Ask, tmp_path: Path) -> None:
    for number, blob in enumerate((make_layer(APP), make_layer(APP, compression="zstd"), make_layer(APP, compression=""))):
        made = make_image(tmp_path / f"{number}", [blob], config={"os": "", "architecture": ""})
        described = json.loads((made.folder / "blobs/sha256" / made.digest.removeprefix("sha256:")).read_bytes())
        layers = [{**layer, "mediaType": "text/spdx+json"} for layer in described["layers"]]
        disguised = make_image(made.folder, [blob], config={"os": "", "architecture": ""}, manifest={"layers": layers})
        found = ask(disguised.reference)
        assert (found.code, found.purls) == (0, PURLS[1:])


async def test_artifacts_are_recorded_as_what_they_are(
    bench: Bench, shared_registry: DockerRegistry, repository: str, oras: Path, tmp_path: Path
) -> None:
    client = bench.registries.client(shared_registry.host)
    worker, kinds = bench.worker(), {}
    for number, (kind, made) in enumerate(ARTIFACTS.items()):
        push_artifact(oras, tmp_path, f"{shared_registry.host}/{repository}:{number}", **made)  # type: ignore[arg-type]
        digest = (await client.resolve_digest(repository, str(number))).digest
        await worker.consume(deliver(await bench.event(shared_registry.host, repository, tag=str(number), digest=digest)))
        kinds[str(digest)] = kind
    rows = await bench.rows("SELECT digest, kind, config FROM image")
    assert {row["digest"]: json.loads(row["config"]) for row in rows} == {digest: {"artifact": kind} for digest, kind in kinds.items()}
    assert {row["kind"] for row in rows} == {"artifact"}


def test_an_image_of_a_webassembly_module_is_judged_and_the_module_is_its_one_executable(
    ask: Ask, place: str, oras: Path, tmp_path: Path
) -> None:
    (tmp_path / "app.wasm").write_bytes(MODULE)
    config = {"os": "wasi", "architecture": "wasm", "config": {}, "rootfs": {"type": "layers", "diff_ids": [str(Digest.of(MODULE))]}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    image_config = "config.json:application/vnd.oci.image.config.v1+json"
    run(oras, "push", "--plain-http", "--config", image_config, f"{place}:1", "app.wasm:application/wasm", folder=tmp_path)
    found = ask(f"{place}:1", command="scan")
    assert found.report["target"]["platform"] == "wasi/wasm"
    (files,) = found.report["files"]
    assert [executable["path"] for executable in files["unknown_executables"]["listed"]] == ["module.wasm"]


# layers


@pytest.fixture
def plain(tmp_path: Path) -> ImageLayout:
    return make_image(tmp_path / "plain", [BASE, make_layer(APP)])


@pytest.mark.parametrize("compression", ["zstd", "zstd:chunked"])
def test_what_skopeo_compresses_anew_holds_the_same(ask: Ask, place: str, skopeo: Path, tmp_path: Path, compression: str) -> None:
    layers = [
        {**debian_files({"zlib1g": "1:1.2.11"}), "etc/x": compression.encode()},
        {**APP, "x": compression.encode()},
    ]  # skopeo remembers
    plain = make_image(tmp_path / "plain", [make_layer(layer, compression="") for layer in layers])
    copy(skopeo, "--dest-compress-format", compression, plain.reference, f"docker://{place}:1")
    manifest = json.loads(run(skopeo, "inspect", "--tls-verify=false", "--raw", f"docker://{place}:1"))
    assert {layer["mediaType"].rpartition("+")[2] for layer in manifest["layers"]} == {"zstd"}
    assert [is_zstd_chunked(layer.get("annotations", {})) for layer in manifest["layers"]] == [compression == "zstd:chunked"] * 2
    found = ask(f"{place}:1")
    assert (found.code, found.purls) == (0, PURLS), found.errors


def test_layers_that_are_read_lazily_elsewhere_empty_ones_and_doubles_hold_what_they_hold(ask: Ask, place: str, tmp_path: Path) -> None:
    layers = [make_zstd_chunked(debian_files({"zlib1g": "1:1.2.11"})), EMPTY_LAYER, make_estargz(APP), EMPTY_LAYER, make_estargz(APP)]
    image = make_image(tmp_path, layers)
    copy_image(image, f"{place}:1")
    found = ask(f"{place}:1", "--files", command="scan")
    assert found.purls == PURLS, found.errors
    (files,) = found.report["files"]
    assert TOC_NAME in [entry["path"] for entry in files["entries"]]
    assert files["unknown_executables"]["count"] == 0


def test_an_image_without_layers_is_read(ask: Ask, tmp_path: Path) -> None:
    found = ask(make_image(tmp_path, []).reference)
    assert (found.code, found.purls) == (0, []), found.errors


# layers elsewhere


class _Places(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A second server, beside the registry, and the folder that it serves."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Places, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        with contextlib.ExitStack() as stack:
            stack.callback(thread.join)
            stack.callback(server.shutdown)
            yield f"http://127.0.0.1:{server.server_port}", folder


def push_with_foreign_layer(crane: Path, place: str, folder: Path, blob: bytes, *urls: str) -> str:
    """Push an image whose upper layer is not pushed along, as crane leaves foreign layers where they are."""
    descriptor = {"mediaType": FOREIGN, "digest": f"sha256:{hashlib.sha256(blob).hexdigest()}", "size": len(blob), "urls": list(urls)}
    base = {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": str(Digest.of(BASE)), "size": len(BASE)}
    image = make_image(folder, [BASE, blob], manifest={"layers": [base, descriptor]})
    index = json.loads((folder / "index.json").read_bytes())
    only = {**index, "manifests": [entry for entry in index["manifests"] if entry["digest"] == image.digest]}
    (folder / "index.json").write_text(json.dumps(only))
    run(crane, "push", "--insecure", folder, f"{place}:foreign")
    return f"{place}:foreign"


def test_a_foreign_layer_is_fetched_from_an_allowed_host_only(
    ask: Ask, place: str, crane: Path, elsewhere: tuple[str, Path], tmp_path: Path
) -> None:
    server, folder = elsewhere
    blob = make_layer(APP)
    (folder / "layer").write_bytes(blob)
    target = push_with_foreign_layer(crane, place, tmp_path / "image", blob, "https://cdn.example/layer", f"{server}/layer")
    closed = ask(target)
    assert (closed.code, closed.purls) == (3, PURLS[:1])
    assert f"on cdn.example or {server}: nothing is fetched from there" in closed.errors
    opened = ask(target, "--foreign-layers", server)
    assert (opened.code, opened.purls) == (0, PURLS), opened.errors
    (folder / "layer").write_bytes(gzip.compress(decompress(blob), 1, mtime=0).ljust(len(blob), b"\0")[: len(blob)])
    changed = ask(target, "--foreign-layers", server)
    assert (changed.code, changed.purls) == (3, PURLS[:1])
    (folder / "layer").unlink()
    gone = ask(target, "--foreign-layers", server)
    assert (gone.code, "404" in gone.errors) == (3, True)
    assert ask(target, "--foreign-layers", "http://cdn.example").code == 2


def test_a_foreign_layer_that_the_registry_has_is_not_asked_for_elsewhere(ask: Ask, tmp_path: Path) -> None:
    blob = make_layer(APP)
    made = make_image(tmp_path, [BASE, blob])
    described = json.loads((tmp_path / "blobs/sha256" / made.digest.removeprefix("sha256:")).read_bytes())
    described["layers"][1].update(urls=["https://cdn.example/layer"])
    image = make_image(tmp_path, [BASE, blob], manifest={"layers": described["layers"]})
    found = ask(image.reference)
    assert (found.code, found.purls) == (0, PURLS), found.errors


# encrypted layers


def make_key(folder: Path, name: str, *options: str) -> Path:
    path = folder / f"{name}.pem"
    run(Path("openssl"), "genpkey", "-quiet", *options, "-out", path)
    run(Path("openssl"), "pkey", "-in", path, "-pubout", "-out", path.with_suffix(".pub"))
    return path


RSA = ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
P256 = ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")


@pytest.mark.parametrize("options", [RSA, P256], ids=["rsa", "p256"])
def test_an_encrypted_image_is_read_by_who_has_its_key_and_is_a_gap_for_everybody_else(
    ask: Ask, place: str, skopeo: Path, plain: ImageLayout, tmp_path: Path, options: tuple[str, ...]
) -> None:
    key, other = make_key(tmp_path, "right", *options), make_key(tmp_path, "other", *options)
    copy(skopeo, "--encryption-key", f"jwe:{key.with_suffix('.pub')}", plain.reference, f"docker://{place}:encrypted")
    opened = ask(f"{place}:encrypted", "--decryption-key", str(other), "--decryption-key", str(key), is_cached=True)
    assert (opened.code, opened.purls) == (0, PURLS), opened.errors
    without = ask(f"{place}:encrypted", is_cached=True)  # what the key revealed is in the cache by now, and stays closed
    assert (without.code, without.purls) == (3, [])
    assert "the layer is encrypted and no key for it is configured" in without.errors
    wrong = ask(f"{place}:encrypted", "--decryption-key", str(other), is_cached=True)
    assert (wrong.code, wrong.purls) == (3, [])
    assert "none of the configured keys opens it" in wrong.errors
    judged = ask(f"{place}:encrypted", command="scan")
    assert (judged.code, judged.report["verdict"]["status"]) == (3, "incomplete")


def test_a_layer_that_was_encrypted_partly_and_for_several_and_compressed_anew_is_read(
    ask: Ask, skopeo: Path, plain: ImageLayout, tmp_path: Path
) -> None:
    first, second = make_key(tmp_path, "first", *RSA), make_key(tmp_path, "second", *P256)
    recipients = [part for key in (first, second) for part in ("--encryption-key", f"jwe:{key.with_suffix('.pub')}")]
    copy(skopeo, "--encrypt-layer", "-1", *recipients, plain.reference, f"oci:{tmp_path / 'partly'}:1")
    target = f"oci:{tmp_path / 'partly'}:1"
    assert ask(target).purls == PURLS[:1]
    for key in (first, second):
        found = ask(target, "--decryption-key", str(key))
        assert (found.code, found.purls) == (0, PURLS), found.errors


def test_a_file_that_is_no_key_is_a_wrong_question(ask: Ask, plain: ImageLayout, tmp_path: Path) -> None:
    (tmp_path / "junk").write_text("junk")
    for name, reason in (("junk", "expected a private key"), ("nothing", "No such file")):
        found = ask(plain.reference, "--decryption-key", str(tmp_path / name))
        assert (found.code, reason in found.errors) == (2, True), found.errors
