"""Layouts, archives and directories on disk."""

from __future__ import annotations

import hashlib
import io
import json
import os
import socket
import tarfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from pratique.errors import DigestMismatch, InputError, InvalidManifest, InvalidReference, LimitExceeded, MissingError
from pratique.oci import media_types
from pratique.oci.digest import Digest
from pratique.oci.manifest import Descriptor, Index, Manifest, pair_layers, parse_config
from pratique.registry.client import Registries
from pratique.registry.interface import ImageSource
from pratique.registry.targets import open_source
from tests.support.images import ImageLayout, decompress, make_image, make_index, make_layer

LAYERS = [make_layer({"etc/hostname": b"one"}), make_layer({"big": bytes(3 * 1024 * 1024 + 5)}, compression="")]


@pytest.fixture
async def registries() -> AsyncIterator[Registries]:
    async with Registries() as made:
        yield made


@pytest.fixture
def layout(tmp_path: Path) -> ImageLayout:
    return make_image(tmp_path / "layout", LAYERS, tag="1")


async def read_layers(source: ImageSource, document: Manifest | Index) -> list[bytes]:
    """Read all layers, checked as the layer pass does it, and the config's diff-ids against them."""
    assert isinstance(document, Manifest)
    config = parse_config(await source.fetch_blob(document.config, limit=1_000_000))
    contents = []
    for layer in pair_layers(document, config):
        content = b"".join([chunk async for chunk in source.stream_blob(layer.descriptor)])
        assert layer.descriptor.digest.matches(content)
        assert layer.descriptor.size == len(content)
        contents.append(content)
    return contents


def write_tar(path: Path, files: Mapping[str, bytes | str]) -> Path:
    """Write a tar; a `str` is the target of a symbolic link."""
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return path


def saved(layers: Mapping[str, bytes | str], diff_ids: list[bytes], names: list[str] | None = None) -> dict[str, bytes | str]:
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [str(Digest.of(content)) for content in diff_ids]},
        }
    ).encode()
    entries = [{"Config": "config.json", "RepoTags": names or ["a/b:1"], "Layers": list(layers)}]
    return {**layers, "config.json": config, "manifest.json": json.dumps(entries).encode()}


# layouts


@pytest.mark.parametrize("suffix", ["", ":1"])
async def test_a_layout_is_read_with_and_without_its_tag(layout: ImageLayout, registries: Registries, suffix: str) -> None:
    text = f"oci:{layout.folder}{suffix}"
    source = open_source(text, registries)
    assert source.reference == text
    document = await source.fetch_root()
    assert str(document.descriptor.digest) == layout.digest
    assert await read_layers(source, document) == LAYERS
    await source.close()


async def test_an_index_in_a_layout_leads_to_its_children(layout: ImageLayout, registries: Registries) -> None:
    index = make_index(layout.folder, [layout], tag="multi")
    source = open_source(index.reference, registries)
    document = await source.fetch_root()
    assert isinstance(document, Index)
    child = await source.fetch_document(document.manifests[0])
    assert str(child.descriptor.digest) == layout.digest


async def test_an_ambiguous_layout_asks_for_a_tag(layout: ImageLayout, registries: Registries) -> None:
    make_image(layout.folder, LAYERS[:1], tag="2")
    for text in (f"oci:{layout.folder}", f"oci:{layout.folder}:3"):
        with pytest.raises(InvalidReference, match="1, 2"):
            await open_source(text, registries).fetch_root()


async def test_a_blob_of_a_layout_that_is_another_is_found_out(layout: ImageLayout, registries: Registries) -> None:
    source = open_source(layout.reference, registries)
    document = await source.fetch_root()
    assert isinstance(document, Manifest)
    path = layout.folder / "blobs" / "sha256" / document.config.digest.hex
    path.write_bytes(bytes(document.config.size))
    with pytest.raises(DigestMismatch):
        await source.fetch_blob(document.config, limit=10_000)
    path.write_bytes(b"short")
    with pytest.raises(DigestMismatch):
        await anext(aiter(source.stream_blob(document.config)))
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(MissingError):
        await source.fetch_blob(document.config, limit=10_000)
    path.unlink()
    with pytest.raises(MissingError):
        await anext(aiter(source.stream_blob(document.config)))
    with pytest.raises(LimitExceeded):
        await source.fetch_blob(document.config, limit=1)


# archives


async def test_an_archive_of_docker_save_is_read(tmp_path: Path, registries: Registries) -> None:
    plain = make_layer({"a": b"a"}, compression="")
    packed = make_layer({"b": b"b"})
    files = saved({"1/layer.tar": plain, "2/layer.tar": "../1/layer.tar", "3.tar.gz": packed}, [plain, plain, decompress(packed)])
    path = write_tar(tmp_path / "image.tar", files)
    source = open_source(f"docker-archive:{path}", registries)
    document = await source.fetch_root()
    assert await read_layers(source, document) == [plain, plain, packed]
    assert isinstance(document, Manifest)
    assert [layer.media_type for layer in document.layers] == [media_types.DOCKER_LAYER] * 2 + [media_types.DOCKER_LAYER_GZIP]
    assert (await source.fetch_root()).descriptor == document.descriptor


async def test_an_archive_that_holds_a_layout_is_read_as_one(layout: ImageLayout, tmp_path: Path, registries: Registries) -> None:
    files = {path.relative_to(layout.folder).as_posix(): path.read_bytes() for path in sorted(layout.folder.rglob("*")) if path.is_file()}
    source = open_source(f"docker-archive:{write_tar(tmp_path / 'image.tar', files)}", registries)
    document = await source.fetch_root()
    assert str(document.descriptor.digest) == layout.digest
    assert await read_layers(source, document) == LAYERS


async def test_one_of_several_images_of_an_archive_is_named(tmp_path: Path, registries: Registries) -> None:
    layer = make_layer({"a": b"a"}, compression="")
    files = saved({"1.tar": layer}, [layer], ["a/b:1"])
    entries = [*json.loads(files["manifest.json"]), {"Config": "none", "RepoTags": None, "Layers": []}]
    path = write_tar(tmp_path / "image.tar", {**files, "manifest.json": json.dumps(entries).encode()})
    assert await open_source(f"docker-archive:{path}:a/b:1", registries).fetch_root()
    for suffix in ("", ":c/d:2"):
        with pytest.raises(InvalidReference, match="a/b:1"):
            await open_source(f"docker-archive:{path}{suffix}", registries).fetch_root()


@pytest.mark.parametrize(
    ("files", "error"),
    [
        ({}, MissingError),
        ({"manifest.json": b"{}"}, InvalidManifest),
        ({"manifest.json": b"[" * 100_000}, InvalidManifest),
        ({"manifest.json": b'[{"a":' + b"[" * 100_000}, InvalidManifest),
        ({"manifest.json": b'[{"Config":"../../etc/passwd","Layers":[]}]'}, MissingError),
        ({"manifest.json": b'[{"Config":"/etc/passwd","Layers":[]}]'}, MissingError),
        ({"manifest.json": b'[{"Config":"a","Layers":[]}]', "a": "b", "b": "a"}, MissingError),
        ({"manifest.json": b'[{"Config":"a","Layers":[]}]', "a": "/etc/passwd"}, MissingError),
        (saved({"1.tar": b"x"}, []), InvalidManifest),
        (saved({}, [b"x"]), InvalidManifest),
    ],
)
async def test_a_hostile_archive_is_refused(
    tmp_path: Path, registries: Registries, files: Mapping[str, bytes | str], error: type[Exception]
) -> None:
    path = write_tar(tmp_path / "image.tar", files)
    with pytest.raises(error):
        await open_source(f"docker-archive:{path}", registries).fetch_root()


async def test_a_layer_under_a_name_that_lies_is_found_by_its_digest(tmp_path: Path, registries: Registries) -> None:
    path = write_tar(tmp_path / "image.tar", saved({"1.tar": b"other content"}, [b"promised content"]))
    source = open_source(f"docker-archive:{path}", registries)
    document = await source.fetch_root()
    assert isinstance(document, Manifest)
    content = b"".join([chunk async for chunk in source.stream_blob(document.layers[0])])
    assert not document.layers[0].digest.matches(content)  # which the layer pass checks


async def test_a_tar_header_that_claims_to_be_huge_is_not_read(tmp_path: Path, registries: Registries) -> None:
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, 4 * 1024**3
    path = tmp_path / "image.tar"
    path.write_bytes(info.tobuf() + bytes(10_240))
    with pytest.raises(LimitExceeded):
        await open_source(f"docker-archive:{path}", registries).fetch_root()


@pytest.mark.parametrize("content", [b"", b"\x1f\x8b\x08\x00", b"no tar at all" * 100])
async def test_what_is_no_tar_is_refused(tmp_path: Path, registries: Registries, content: bytes) -> None:
    (tmp_path / "image.tar").write_bytes(content)
    with pytest.raises((InputError, MissingError)):
        await open_source(f"docker-archive:{tmp_path / 'image.tar'}", registries).fetch_root()


async def test_a_truncated_archive_is_found_out(tmp_path: Path, registries: Registries) -> None:
    layer = make_layer({"a": bytes(100_000)}, compression="")
    files = saved({"1.tar": layer}, [layer])
    path = write_tar(tmp_path / "image.tar", {"config.json": files["config.json"], "manifest.json": files["manifest.json"], "1.tar": layer})
    source = open_source(f"docker-archive:{path}", registries)
    document = await source.fetch_root()
    assert isinstance(document, Manifest)
    os.truncate(path, 50_000)
    with pytest.raises(DigestMismatch):
        _ = [chunk async for chunk in source.stream_blob(document.layers[0])]


# directories


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    root = tmp_path / "rootfs"
    (root / "etc").mkdir(parents=True)
    (root / "etc" / "os-release").write_text("ID=debian\n")
    (root / "big").write_bytes(os.urandom(2 * 1024 * 1024 + 7))
    (root / "outside").symlink_to("/etc/passwd")
    (root / "loop").symlink_to(".")
    (root / "setuid").write_bytes(b"x")
    (root / "setuid").chmod(0o4755)
    os.mkfifo(root / "pipe")
    (root / ("n" * 200)).mkdir()
    (root / ("n" * 200) / os.fsdecode(b"latin-\xe9")).write_bytes(b"y")
    return root


async def test_a_directory_becomes_one_layer_that_is_the_same_every_time(rootfs: Path, registries: Registries) -> None:
    sources = [open_source(f"dir:{rootfs}", registries) for _ in range(2)]
    documents = [await source.fetch_root() for source in sources]
    assert documents[0].descriptor == documents[1].descriptor
    (content,) = await read_layers(sources[0], documents[0])
    with tarfile.open(fileobj=io.BytesIO(content), errors="surrogateescape") as archive:
        found = {member.name: member for member in archive}
        assert archive.extractfile("big").read() == (rootfs / "big").read_bytes()  # type: ignore[union-attr]
    assert list(found) == sorted(found, key=lambda name: (name.count("/"), os.fsencode(name)))
    assert (found["outside"].issym(), found["outside"].linkname) == (True, "/etc/passwd")
    assert found["loop"].issym()
    assert found["pipe"].isfifo()
    assert found["setuid"].mode == 0o4755
    assert "n" * 200 + "/" + os.fsdecode(b"latin-\xe9") in found
    os.utime(rootfs / "big", (0, 0))
    assert (await sources[0].fetch_root()).descriptor == documents[1].descriptor


async def test_a_directory_that_changes_has_another_digest(rootfs: Path, registries: Registries) -> None:
    source = open_source(f"dir:{rootfs}", registries)
    document = await source.fetch_root()
    assert isinstance(document, Manifest)
    (rootfs / "etc" / "os-release").write_text("ID=fedora\n")
    content = b"".join([chunk async for chunk in source.stream_blob(document.layers[0])])
    assert hashlib.sha256(content).hexdigest() != document.layers[0].digest.hex


async def test_a_socket_is_left_out_and_unknown_blobs_are_missing(tmp_path: Path, registries: Registries) -> None:
    root = tmp_path / "r"
    root.mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "s"))
        source = open_source(f"dir:{root}", registries)
        document = await source.fetch_root()
        (content,) = await read_layers(source, document)
    assert not content.strip(b"\0")
    unknown = Descriptor(media_type="", digest=Digest.of(b"x"), size=1)
    for operation in (source.fetch_blob(unknown, limit=1), anext(aiter(source.stream_blob(unknown))), source.fetch_document(unknown)):
        with pytest.raises(MissingError):
            await operation


async def test_a_directory_nested_too_deep_is_refused(tmp_path: Path, registries: Registries) -> None:
    path = tmp_path / "deep"
    (path / "/".join("d" * 300)).mkdir(parents=True)
    with pytest.raises(LimitExceeded):
        await open_source(f"dir:{path}", registries).fetch_root()


# targets


async def test_a_reference_is_taken_for_a_registry(registries: Registries) -> None:
    assert open_source("debian", registries).reference == "docker.io/library/debian:latest"
    assert open_source("localhost:5000/a:1", registries).reference == "localhost:5000/a:1"


@pytest.mark.parametrize(
    "text", ["oci:", "oci:/no/such", "docker-archive:/no/such", "docker-archive:/", "dir:/no/such", "dir:", "sbom:x", "oci:/", "", "A B"]
)
async def test_what_is_not_there_is_said_at_once(text: str, registries: Registries) -> None:
    with pytest.raises(InvalidReference):
        open_source(text, registries)
