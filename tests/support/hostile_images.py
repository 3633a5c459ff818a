"""Images that somebody made to hurt, written as OCI layouts that nothing checks on the way: digests, sizes and counts say what a case wants."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import random
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zstandard
from isal import igzip

from tests.support.hostile_layers import bomb, header, many_entries, pax, pax_record, truncated_gzip
from tests.support.images import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, Files, Symlink, debian_files, decompress, make_layer
from tests.support.layer_blobs import Entry, make_tar

Json = dict[str, Any]
STATUS = "var/lib/dpkg/status"
GOOD = make_layer(debian_files({"bash": "5.1-2+deb11u1", "zlib1g": "1:1.2.11.dfsg-2+deb11u2"}))
"""A layer that by itself makes an image which passes: what is wrong with a hostile image is only what its case adds."""
_UNIT = 64 * 1024**2


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer as a manifest will describe it."""

    descriptor: Json
    diff_id: str


@dataclass(frozen=True, slots=True)
class RawLayout:
    """Writes blobs and documents as they are given; `finish` makes the layout point to one of them."""

    folder: Path

    def put(self, content: bytes | Iterable[bytes], media_type: str = "", **members: Any) -> Json:
        """Store a blob and describe it truthfully, but for `members`, which replace parts of its descriptor."""
        digest, size = hashlib.sha256(), 0
        partial = self.folder / "partial"
        self.folder.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            for chunk in [content] if isinstance(content, bytes) else content:
                digest.update(chunk)
                size += len(chunk)
                file.write(chunk)
        partial.rename(self.path(f"sha256:{digest.hexdigest()}"))
        return {"mediaType": media_type, "digest": f"sha256:{digest.hexdigest()}", "size": size, **members}

    def path(self, digest: str) -> Path:
        """Where a blob lies."""
        path = self.folder / "blobs" / "sha256" / digest.removeprefix("sha256:")
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def layer(self, blob: bytes | Iterable[bytes], diff_id: str | None = None, media_type: str = f"{OCI_LAYER}+gzip") -> Layer:
        """Store a layer; without `diff_id` it gets its true one, which takes unpacking it."""
        known = diff_id or digest_of(decompress(blob if isinstance(blob, bytes) else b"".join(blob)))
        return Layer(self.put(blob, media_type), known)

    def image(self, *layers: Layer, config: Mapping[str, Any] | bytes | None = None, **members: Any) -> Json:
        """Store an image; `config` is merged over a minimal one or, as bytes, replaces it; `members` replace parts of the manifest."""
        facts = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]}}
        content = config if isinstance(config, bytes) else as_json({**facts, **(config or {})})
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": self.put(content, OCI_CONFIG),
            "layers": [layer.descriptor for layer in layers],
        }
        return self.put(as_json({**document, **members}), OCI_MANIFEST)

    def index(self, *children: Json) -> Json:
        """Store an index."""
        return self.put(as_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children}), OCI_INDEX)

    def finish(self, root: Json) -> None:
        """Make `root` what the layout holds."""
        (self.folder / "oci-layout").write_bytes(as_json({"imageLayoutVersion": "1.0.0"}))
        (self.folder / "index.json").write_bytes(as_json({"schemaVersion": 2, "manifests": [root]}))

    @property
    def good(self) -> Layer:
        """The layer that passes."""
        return self.layer(GOOD)


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def as_json(content: object) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()


Build = Callable[[RawLayout], Json]


@dataclass(frozen=True, slots=True)
class Hostile:
    """A hostile image: how it is made, and a word of the reason that its coverage has to give."""

    word: str
    build: Build

    def write(self, folder: Path) -> str:
        """Write it; answer what to scan."""
        layout = RawLayout(folder)
        layout.finish(self.build(layout))
        return f"oci:{folder}"


def with_layer(blob: Callable[[], bytes | Iterable[bytes]], *, diff_id: str | None = None) -> Build:
    """An image of the good layer and, on top, another."""
    return lambda layout: layout.image(layout.good, layout.layer(blob(), diff_id))


def with_files(files: Files) -> Build:
    return with_layer(lambda: make_layer(files))


def with_entries(*entries: Entry) -> Build:
    return with_layer(lambda: gzip.compress(make_tar(entries)))


def with_manifest(**members: Any) -> Build:
    """An image of the good layer whose manifest has other members."""
    return lambda layout: layout.image(layout.good, **members)


def with_config(config: bytes) -> Build:
    return lambda layout: layout.image(layout.good, config=config)


def with_document(content: bytes | Callable[[], bytes | Iterable[bytes]], media_type: str = OCI_MANIFEST) -> Build:
    """A manifest of any bytes."""
    return lambda layout: layout.put(content if isinstance(content, bytes) else content(), media_type)


def with_size(size: str) -> Build:
    """An image whose manifest says this of its layer's size, in JSON or what looks like it."""

    def build(layout: RawLayout) -> Json:
        layer = layout.good
        honest = layout.path(layout.image(layer)["digest"]).read_bytes()
        own = b'"digest":"%b","size":' % layer.descriptor["digest"].encode()
        return layout.put(honest.replace(own + b"%d" % layer.descriptor["size"], own + size.encode()), OCI_MANIFEST)

    return build


def with_spelling(name: str) -> Build:
    """An image with a second list of layers, under a name that readers written in Go take for `layers`."""

    def build(layout: RawLayout) -> Json:
        hidden = layout.layer(make_layer({STATUS: b"Package: hidden\n"}))
        members: Json = {name: [hidden.descriptor]}
        return layout.image(layout.good, **members)

    return build


def with_other_bytes(*, is_config: bool = False, more: bytes = b"") -> Build:
    """An image with a blob whose bytes are not those of its digest; `more` changes its size as well."""

    def build(layout: RawLayout) -> Json:
        layer = layout.layer(make_layer({"a": b"some content"}))
        image = layout.image(layout.good, layer)
        digest = json.loads(layout.path(image["digest"]).read_bytes())["config"]["digest"] if is_config else layer.descriptor["digest"]
        content = layout.path(digest).read_bytes()
        other = (
            content.replace(b"linux", b"lunix") if is_config else content[:4] + b"time" + content[8:]
        )  # of gzip's header: reads as before
        layout.path(digest).write_bytes(other + more)
        return image

    return build


def without_blob(*, is_config: bool = False, in_its_place: Callable[[Path], None] = lambda _: None) -> Build:
    """An image with a blob that is not there, or something else in its place."""

    def build(layout: RawLayout) -> Json:
        image = layout.image(layout.good, layout.layer(make_layer({"a": b""})))
        manifest = json.loads(layout.path(image["digest"]).read_bytes())
        path = layout.path((manifest["config"] if is_config else manifest["layers"][1])["digest"])
        path.unlink()
        in_its_place(path)
        return image

    return build


def elsewhere(*urls: str) -> Build:
    """An image with a layer that is not in the layout, but at these addresses."""

    def build(layout: RawLayout) -> Json:
        media_type = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
        descriptor = {"mediaType": media_type, "digest": digest_of(b"elsewhere"), "size": 9, "urls": urls}
        return layout.image(layout.good, Layer(descriptor, ANY_DIFF_ID))

    return build


def twice(*, is_first_wrong: bool) -> Build:
    """An image that has one layer twice, with two diff-ids of which one is wrong."""

    def build(layout: RawLayout) -> Json:
        right, wrong = layout.good, layout.layer(GOOD, digest_of(b"something else"))
        return layout.image(*((wrong, right) if is_first_wrong else (right, wrong)))

    return build


def nested(depth: int) -> Build:
    """An image below so many indexes."""

    def build(layout: RawLayout) -> Json:
        document = layout.image(layout.good)
        for _ in range(depth):
            document = layout.index(document)
        return document

    return build


def wide(count: int) -> Build:
    """An index of so many different images."""
    return lambda layout: layout.index(*(layout.image(layout.good, annotations={"n": str(number)}) for number in range(count)))


def half_broken(layout: RawLayout) -> Json:
    """An index of one image that passes and one manifest that is none."""
    return layout.index(layout.image(layout.good), layout.put(b"{}", OCI_MANIFEST))


def disguised(layout: RawLayout) -> Json:
    """An index of an image that passes and, marked as BuildKit marks attestations, another image."""
    hidden = layout.image(layout.layer(truncated_gzip(), digest_of(b"")))
    return layout.index(layout.image(layout.good), {**hidden, "platform": {"os": "unknown", "architecture": "unknown"}})


def zstd_bomb() -> Iterator[bytes]:
    """Ten gigabytes of zeros behind a tar header, in frames that are each the same."""
    yield zstandard.compress(header(b"zeros", b"\x80" + (160 * _UNIT).to_bytes(11, "big")))
    frame = zstandard.compress(bytes(_UNIT))
    for _ in range(160):
        yield frame


def small_bomb(size: int = 300 * 1024**2) -> bytes:
    """A gzip member of zeros that is a whole valid tar: small enough that it can be unpacked to know its diff-id."""
    buffer = io.BytesIO()
    with gzip.open(buffer, "wb", 9) as file:
        file.write(header(b"zeros", b"%011o\0" % size))
        for _ in range(size // _UNIT):
            file.write(bytes(_UNIT))
        file.write(bytes(size % _UNIT + 1024))
    return buffer.getvalue()


def compressed(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """A gzip member, made as it is written."""
    buffer = io.BytesIO()
    with igzip.IGzipFile(fileobj=buffer, mode="wb", compresslevel=1) as file:
        for chunk in chunks:
            file.write(chunk)
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def pax_of_many_records() -> bytes:
    """A megabyte of the shortest PAX records before one file: costs whoever looks at the rest of the header for each of them."""
    return pax(pax_record(b"path", b"a") + b"5 a=\n" * (1024**2 // 5 - 10)) + header(b"a")


def repeated(content: bytes, count: int) -> Iterator[bytes]:
    for _ in range(count):
        yield content


def random_bytes(count: int) -> bytes:
    return random.Random(7).randbytes(count)


def link_cycle(*, is_absolute: bool) -> Files:
    slash = "/" if is_absolute else "../../../"
    return {STATUS: Symlink(f"{slash}a/b"), "a/b": Symlink(f"{'/' if is_absolute else '../'}{STATUS}")}


ANY_DIFF_ID = digest_of(b"")
LAYERS = {
    "a truncated gzip stream": Hostile("gzip stream is broken", with_layer(truncated_gzip, diff_id=ANY_DIFF_ID)),
    "a wrong blob digest": Hostile("with digest", with_other_bytes()),
    "a wrong blob size": Hostile("bytes", with_other_bytes(more=b"more")),
    "a wrong diff-id": Hostile("with diff-id", with_layer(lambda: make_layer({"a": b""}), diff_id=ANY_DIFF_ID)),
    "a layer twice, first with a wrong diff-id": Hostile("with diff-id", twice(is_first_wrong=True)),
    "a layer twice, then with a wrong diff-id": Hostile("with diff-id", twice(is_first_wrong=False)),
    "a gzip bomb of 10 GB": Hostile("decompression bomb", with_layer(bomb, diff_id=ANY_DIFF_ID)),
    "a zstd bomb of 10 GB": Hostile("decompression bomb", with_layer(zstd_bomb, diff_id=ANY_DIFF_ID)),
    "more than two million entries": Hostile("more than 2000000 entries", with_layer(lambda: compressed(many_entries(2_100_000)), diff_id=ANY_DIFF_ID)),
    "a path out of the root": Hostile("climbs out of the root", with_entries(Entry("../../etc/passwd", b"root::0:0"))),
    "an absolute link out of the image": Hostile("no file of this layer", with_files({STATUS: Symlink("/proc/self/environ")})),
    "a relative link out of the image": Hostile("no file of this layer", with_files({STATUS: Symlink("../../../../../../../etc/shadow")})),
    "a hard link out of the root": Hostile("climbs out of the root", with_entries(Entry(STATUS, kind=tarfile.LNKTYPE, target="../../etc/shadow"))),
    "absolute links in a circle": Hostile("circle", with_files(link_cycle(is_absolute=True))),
    "relative links in a circle": Hostile("circle", with_files(link_cycle(is_absolute=False))),
    "a link to itself": Hostile("circle", with_files({STATUS: Symlink("status")})),
    "a directory that links to itself": Hostile("dpkg|package", with_files({"var/lib/dpkg": Symlink("dpkg")})),
    "names that are not UTF-8": Hostile("UTF-8", with_layer(lambda: gzip.compress(header(b"caf\xe9") + header(b"\xff\xfe/METADATA") + bytes(1024)))),
    "a dpkg status of random bytes": Hostile("broken stanzas", with_files({STATUS: random_bytes(200_000)})),
    "a dpkg status of nothing": Hostile("package database is missing", with_files({STATUS: b""})),
    "a dpkg status that is too large": Hostile("the limit is", with_files({STATUS: bytes(_UNIT)})),
    "a device for a dpkg status": Hostile("dpkg|package", with_layer(lambda: gzip.compress(header(STATUS.encode(), kind=b"3") + bytes(1024)))),
    "an extended header of gigabytes": Hostile("extended header", with_layer(lambda: gzip.compress(header(b"x", b"\x80\0\0\0\0\0\0\x7f" + bytes(4), b"x")), diff_id=ANY_DIFF_ID)),
    "a size beyond all numbers": Hostile("truncated|size", with_layer(lambda: gzip.compress(header(b"a", b"\x80\0\0\0\x7f" + b"\xff" * 7)))),
    "random bytes": Hostile("tar header", with_layer(lambda: random_bytes(5000))),
    "an encrypted layer": Hostile("encrypted", lambda layout: layout.image(layout.good, layout.layer(random_bytes(5000), ANY_DIFF_ID, f"{OCI_LAYER}+gzip+encrypted"))),
    "a layer in a cloud's own services": Hostile("169.254.169.254: nothing is fetched", elsewhere("http://169.254.169.254/latest/meta-data", "file:///etc/passwd")),
    "a layer that lies nowhere": Hostile("says nowhere where", elsewhere()),
    "a missing layer": Hostile("No such file", without_blob()),
    "a pipe for a layer": Hostile("regular file", without_blob(in_its_place=os.mkfifo)),
    "a device for a layer": Hostile("regular file", without_blob(in_its_place=lambda path: path.symlink_to("/dev/zero"))),
}  # fmt: skip
"""Layers that cannot be read, or not whole."""

DOCUMENTS = {
    "an image below a hundred indexes": Hostile("nested more than", nested(100)),
    "an index of 150 images": Hostile("more than 128", wide(150)),
    "an index of an image and of garbage": Hostile("without config", half_broken),
    "an index that passes an image off as an attestation": Hostile("gzip stream is broken", disguised),
    "a manifest of 100 MB": Hostile("more than 4194304 bytes", with_document(lambda: repeated(b"x" * 1024**2, 100))),
    "a manifest of random bytes": Hostile("not JSON", with_document(random_bytes(1000))),
    "a manifest of a million brackets": Hostile("not JSON", with_document(b"[" * 1_000_000)),
    "a manifest that is a list": Hostile("JSON object", with_document(b"[]")),
    "a manifest with 10,000 layers": Hostile("10000 entries", lambda layout: layout.image(*[layout.good] * 10_000)),
    "a manifest of another kind": Hostile("ambiguous|media type", with_manifest(manifests=[])),
    "a manifest with another list of layers": Hostile("ambiguous", with_spelling("Layers")),
    "a manifest with another list of layers in Unicode": Hostile("ambiguous", with_spelling("layer\u017f")),
    "a manifest without a digest": Hostile("digest", with_manifest(layers=[{"mediaType": OCI_LAYER, "size": 1}])),
    "a manifest with a path for a digest": Hostile("expected algorithm:hex", with_manifest(layers=[{"mediaType": OCI_LAYER, "size": 1, "digest": "../../../../../etc/passwd"}])),
    "a size that is not a number": Hostile("not JSON", with_size("NaN")),
    "a size without end": Hostile("whole number|not JSON", with_size("1e999")),
    "a size below zero": Hostile("at least 0", with_size("-1")),
    "a size beyond 63 bits": Hostile("more than|whole number", with_size("9223372036854775808")),
    "a size that is a fraction": Hostile("whole number", with_size("1.5")),
    "a size that is not the blob's": Hostile("bytes", with_size("1")),
    "an unpaired surrogate": Hostile("not JSON", with_document(b'{"schemaVersion":2,"mediaType":"\\ud800"}')),
    "a config of the wrong shape": Hostile("rootfs", with_config(b'{"os":"linux","architecture":"amd64","rootfs":5}')),
    "a config that is no JSON": Hostile("not JSON", with_config(b"\x7fELF")),
    "a config that is a list": Hostile("JSON object", with_config(b"[]")),
    "a config of 10 MB": Hostile("the limit is", with_config(b'{"a":"' + b"x" * 10 * 1024**2 + b'"}')),
    "a config with another list of diff-ids": Hostile("ambiguous", lambda layout: layout.image(layout.good, config={"Rootfs": {}})),
    "fewer diff-ids than layers": Hostile("diff-ids", lambda layout: layout.image(layout.good, config={"rootfs": {"type": "layers", "diff_ids": []}})),
    "a config of other bytes": Hostile("expected sha256", with_other_bytes(is_config=True)),
    "a missing config": Hostile("No such file", without_blob(is_config=True)),
}  # fmt: skip
"""Documents that cannot be trusted."""

COSTLY: dict[str, Build] = {
    "a million entries": with_layer(lambda: b"".join(compressed(many_entries(1_000_000)))),
    "extended headers of 200,000 records": with_layer(lambda: b"".join(compressed(repeated(pax_of_many_records(), 10)))),
    "a hundred layers": lambda layout: layout.image(
        layout.good, *[layout.layer(make_layer({"a": b"%d" % number})) for number in range(100)]
    ),
}
"""Images that take work, and are whole."""
