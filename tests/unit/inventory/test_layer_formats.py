"""Whatever a layer is wrapped in, what is in it is the same."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping

import pytest

from pratique.errors import DigestMismatch, InputError, InvalidLayer
from pratique.inventory.analyzers._every import ANALYZERS
from pratique.inventory.layer_pass import PassPlan, look_at_layer
from pratique.inventory.layer_paths import split_paths
from pratique.inventory.layer_result import LayerResult
from pratique.inventory.limits import LayerLimits
from pratique.oci import media_types
from pratique.oci.digest import Digest
from pratique.oci.manifest import Descriptor, Layer
from tests.support.images import Entry, File, debian_files, decompress, make_layer, python_files
from tests.support.layer_blobs import cut
from tests.support.layer_formats import EMPTY_LAYER, NO_LANDMARK, TOC_NAME, make_estargz, make_zstd_chunked

FILES: dict[str, Entry] = {
    **debian_files({"zlib1g": "1:1.2.11"}),
    **python_files({"six": "1.16.0"}),
    "usr/bin/tool": File(content=b"#!/bin/sh\n" + random.Random(1).randbytes(3_000_000), mode=0o755),
}
CHUNKED = {"io.github.containers.zstd-chunked.manifest-checksum": "sha256:" + "00" * 32}
MODULE = b"\0asm\x01\0\0\0" + random.Random(2).randbytes(2_500_000)


def read(
    blob: bytes,
    *,
    tar: bytes | None = None,
    media_type: str = media_types.OCI_LAYER_GZIP,
    annotations: Mapping[str, str] | None = None,
    compares_contents: bool = False,
) -> LayerResult:
    descriptor = Descriptor(media_type=media_type, digest=Digest.of(blob), size=len(blob), annotations=annotations or {})
    layer = Layer(descriptor=descriptor, position=0, diff_id=None if tar is None else Digest.of(tar))
    plan = PassPlan(analyzers=ANALYZERS, limits=LayerLimits(), compares_contents=compares_contents)
    found = look_at_layer(layer, cut(blob), plan, second_look=())
    assert isinstance(found, LayerResult)
    return found


def packages(result: LayerResult) -> list[str]:
    return sorted(package.purl for file in result.files for package in file.packages)


PLAIN = read(make_layer(FILES, compression=""))


def test_the_plain_layer_has_what_the_others_are_compared_with() -> None:
    assert [name.partition("@")[0] for name in packages(PLAIN)] == ["pkg:deb/zlib1g", "pkg:pypi/six"]
    assert [executable.path for executable in PLAIN.executables] == ["usr/bin/tool"]


@pytest.mark.parametrize("media_type", [media_types.OCI_LAYER_ZSTD, media_types.DOCKER_LAYER_GZIP, "text/plain", ""])
@pytest.mark.parametrize("compression", ["gzip", "zstd", ""])
def test_a_layer_is_what_its_bytes_are_whatever_its_media_type_says(compression: str, media_type: str) -> None:
    blob = make_layer(FILES, compression=compression)  # type: ignore[arg-type]
    found = read(blob, tar=decompress(blob), media_type=media_type)
    assert (packages(found), found.regular, found.executables) == (packages(PLAIN), PLAIN.regular, PLAIN.executables)


def test_zstd_chunked_is_read_as_the_tar_in_front_of_its_table_of_contents() -> None:
    found = read(make_zstd_chunked(FILES), tar=make_layer(FILES, compression=""), annotations=CHUNKED)
    assert (packages(found), found.regular, found.executables) == (packages(PLAIN), PLAIN.regular, PLAIN.executables)


def test_zstd_chunked_without_the_padding_of_its_tar_keeps_its_diff_id() -> None:
    tar = make_layer({"a": b"a"}, compression="")
    cut_off = tar.rstrip(b"\0")
    blob = cut_off + bytes(-len(cut_off) % 512)
    assert len(blob) < len(tar)
    assert split_paths(read(blob, tar=tar, annotations=CHUNKED).regular) == ["a"]
    with pytest.raises(DigestMismatch, match="diff-id"):
        read(blob, tar=tar)
    with pytest.raises(DigestMismatch, match="diff-id"):
        read(blob, tar=make_layer({"a": b"b"}, compression=""), annotations=CHUNKED)


@pytest.mark.parametrize("landmark", [NO_LANDMARK, ".prefetch.landmark"])
def test_estargz_is_a_gzip_layer_whose_table_of_contents_and_landmark_are_files_like_others(landmark: str) -> None:
    blob = make_estargz(FILES, landmark=landmark)
    found = read(blob, tar=decompress(blob), compares_contents=True)
    assert packages(found) == packages(PLAIN)
    assert split_paths(found.regular) == [landmark, *split_paths(PLAIN.regular), TOC_NAME]  # as containerd unpacks it
    assert found.executables == PLAIN.executables
    assert found.gaps == ()


def test_a_layer_without_files_is_read() -> None:
    assert hashlib.sha256(EMPTY_LAYER).hexdigest() == "a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4"
    for blob in (EMPTY_LAYER, bytes(1024), bytes(10240), make_layer({}), make_layer({}, compression="zstd")):
        found = read(blob, tar=decompress(blob))
        assert (found.regular, found.entries, found.gaps) == ("", 0, ())


@pytest.mark.parametrize("compares_contents", [False, True])
def test_a_layer_that_is_a_webassembly_module_is_one_executable_file(compares_contents: bool) -> None:
    found = read(MODULE, tar=MODULE, media_type="application/wasm", compares_contents=compares_contents)
    assert split_paths(found.regular) == ["module.wasm"]
    assert [(executable.path, executable.size) for executable in found.executables] == [("module.wasm", len(MODULE))]
    assert found.entries == 1
    assert bool(found.contents) == compares_contents
    if compares_contents:
        assert hashlib.sha256(MODULE).digest() in found.contents


def test_an_archive_that_begins_like_a_module_is_read_as_the_archive_that_runtimes_unpack() -> None:
    tar = bytearray(make_layer(FILES, compression=""))
    polyglot = bytearray(make_layer({"x": b""}, compression="")[:512])
    polyglot[:8] = b"\0asm\x01\0\0\0"
    polyglot[148:156] = b" " * 8
    polyglot[148:156] = b"%06o\0 " % sum(polyglot)
    blob = bytes(polyglot + tar)
    found = read(blob, media_type="application/wasm")
    assert packages(found) == packages(PLAIN)


@pytest.mark.parametrize("blob", [make_layer({}) + b"x", b"\0asm" + bytes(10), b"{}", b"#!/bin/sh\n" * 100])
def test_what_is_neither_an_archive_nor_a_module_is_refused(blob: bytes) -> None:
    if blob.startswith(b"\0asm"):
        assert split_paths(read(blob).regular) == ["module.wasm"]
        return
    with pytest.raises(InputError):
        read(blob)


def test_a_compressed_module_is_refused() -> None:
    import gzip

    with pytest.raises(InvalidLayer, match="compressed one"):
        read(gzip.compress(MODULE))
