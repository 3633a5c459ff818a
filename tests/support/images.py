"""Small real images for tests, made without an engine: layers from file lists, OCI layouts, a Debian root from its own packages.

`make_image` writes an OCI layout that skopeo and every other client reads; `push` copies one into a registry.
"""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import zstandard

from tests.support.servers import CHECKOUT, find_tool

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"

Compression = Literal["gzip", "zstd", ""]
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_ARCHIVE_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A regular file with more than content."""

    content: bytes
    mode: int = 0o644
    owner: int = 0


@dataclass(frozen=True, slots=True)
class Symlink:
    """A symbolic link."""

    target: str


@dataclass(frozen=True, slots=True)
class HardLink:
    """A hard link to a path that comes before it."""

    target: str


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory; parents of files need not be given."""

    mode: int = 0o755


Entry = bytes | File | Symlink | HardLink | Directory
Files = Mapping[str, Entry]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLayout:
    """An OCI layout folder and the digest of the one manifest or index that `tag` names in it."""

    folder: Path
    tag: str
    digest: str
    layers: tuple[str, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def reference(self) -> str:
        """What pratique and skopeo call it: `oci:DIR:TAG`."""
        return f"oci:{self.folder}:{self.tag}"


def make_layer(files: Files, *, compression: Compression = "gzip") -> bytes:
    """Write the files, in the order given, as a layer blob. The same files give the same bytes. A whiteout is a file named `.wh.NAME`."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, entry in files.items():
            info, content = _member(path, entry)
            archive.addfile(info, io.BytesIO(content))
    tar = buffer.getvalue()
    if compression == "gzip":
        return gzip.compress(tar, mtime=0)
    return zstandard.compress(tar) if compression == "zstd" else tar


def make_image(
    folder: Path,
    layers: Sequence[bytes],
    *,
    config: Mapping[str, Any] | None = None,
    tag: str = "latest",
    manifest: Mapping[str, Any] | None = None,
) -> ImageLayout:
    """Write an OCI layout with one image of these layer blobs.

    `config` is merged over a minimal image config (`{"config": {"User": "app"}}`), `manifest` over the manifest (annotations, subject).
    """
    full_config: dict[str, Any] = {
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [_digest(decompress(layer)) for layer in layers]},
        **(config or {}),
    }
    document: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": _store(folder, _json(full_config), OCI_CONFIG),
        "layers": [_store(folder, layer, _layer_type(layer)) for layer in layers],
        **(manifest or {}),
    }
    descriptor = _store(folder, _json(document), OCI_MANIFEST)
    _finish_layout(folder, descriptor, tag)
    return ImageLayout(
        folder=folder,
        tag=tag,
        digest=descriptor["digest"],
        layers=tuple(layer["digest"] for layer in document["layers"]),
        config=full_config,
    )


def make_index(folder: Path, images: Sequence[ImageLayout], *, tag: str = "latest") -> ImageLayout:
    """Write an index of images that lie in the same layout folder."""
    children = []
    for image in images:
        size = _blob_path(folder, image.digest).stat().st_size
        platform = {key: image.config[key] for key in ("os", "architecture", "variant") if key in image.config}
        children.append({"mediaType": OCI_MANIFEST, "digest": image.digest, "size": size, "platform": platform})
    descriptor = _store(folder, _json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children}), OCI_INDEX)
    _finish_layout(folder, descriptor, tag)
    return ImageLayout(folder=folder, tag=tag, digest=descriptor["digest"])


def debian_files(packages: Mapping[str, str], *, release: str = "11") -> dict[str, Entry]:
    """What a Debian image records of itself: os-release and dpkg's database. `packages` maps names to versions."""
    codename = {"10": "buster", "11": "bullseye", "12": "bookworm", "13": "trixie"}[release]
    os_release = f'PRETTY_NAME="Debian GNU/Linux {release} ({codename})"\nNAME="Debian GNU/Linux"\nVERSION_ID="{release}"\n'
    os_release += f'VERSION="{release} ({codename})"\nVERSION_CODENAME={codename}\nID=debian\n'
    return {
        "etc/os-release": Symlink("../usr/lib/os-release"),
        "usr/lib/os-release": os_release.encode(),
        "var/lib/dpkg/status": "\n".join(_dpkg_record(name, version) for name, version in packages.items()).encode(),
    }


def python_files(packages: Mapping[str, str], *, prefix: str = "usr/local/lib/python3.11/site-packages") -> dict[str, Entry]:
    """What pip records of packages it installed. `packages` maps names to versions."""
    files: dict[str, Entry] = {}
    for name, version in packages.items():
        folder = f"{prefix}/{name.replace('-', '_')}-{version}.dist-info"
        files[f"{folder}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
        files[f"{folder}/INSTALLER"] = b"pip\n"
        files[f"{folder}/RECORD"] = b""
    return files


def debian_rootfs(suite: str = "bullseye") -> Path:
    """A tar of a minimal Debian root as debootstrap makes it (130 MB, 25 s the first time), kept in `.cache` of the checkout."""
    target = CHECKOUT / ".cache" / "rootfs" / f"debian-{suite}.tar"
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test workers may want it at once
        if not target.exists():
            partial = target.with_suffix(".partial.tar")
            command = [find_tool("mmdebstrap"), "--quiet", "--variant=minbase", f"--keyring={_ARCHIVE_KEYRING}", suite, partial]
            subprocess.run([*map(str, command), f"deb {_debian_mirror()} {suite} main"], check=True, timeout=600)
            partial.replace(target)
    return target


def push(layout: ImageLayout, reference: str) -> None:
    """Copy an image, or an index with all its children, to `host:port/repository:tag` over plain HTTP, as skopeo does it."""
    command = [str(find_tool("skopeo")), "copy", "--quiet", "--all", "--insecure-policy", "--dest-tls-verify=false"]
    done = subprocess.run([*command, layout.reference, f"docker://{reference}"], check=False, capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise RuntimeError(f"skopeo ended with {done.returncode}: {done.stderr[-2000:]}")


def decompress(layer: bytes) -> bytes:
    """The tar inside a layer blob."""
    if layer.startswith(_GZIP):
        return gzip.decompress(layer)
    if layer.startswith(_ZSTD):
        return zstandard.ZstdDecompressor().stream_reader(layer, read_across_frames=True).read()
    return layer


def _member(path: str, entry: Entry) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(path)
    match entry:
        case bytes():
            info.size, info.mode = len(entry), 0o644
            return info, entry
        case File():
            info.size, info.mode, info.uid, info.gid = len(entry.content), entry.mode, entry.owner, entry.owner
            return info, entry.content
        case Symlink():
            info.type, info.linkname, info.mode = tarfile.SYMTYPE, entry.target, 0o777
        case HardLink():
            info.type, info.linkname = tarfile.LNKTYPE, entry.target
        case Directory():
            info.type, info.mode = tarfile.DIRTYPE, entry.mode
    return info, b""


def _dpkg_record(name: str, version: str) -> str:
    return f"Package: {name}\nStatus: install ok installed\nMaintainer: Test <test@example.org>\nArchitecture: amd64\nVersion: {version}\nDescription: {name}\n"


def _layer_type(layer: bytes) -> str:
    if layer.startswith(_GZIP):
        return f"{OCI_LAYER}+gzip"
    return f"{OCI_LAYER}+zstd" if layer.startswith(_ZSTD) else OCI_LAYER


def _finish_layout(folder: Path, descriptor: Mapping[str, Any], tag: str) -> None:
    """Name the descriptor in the layout's index, beside what is named there already."""
    (folder / "oci-layout").write_bytes(_json({"imageLayoutVersion": "1.0.0"}))
    path = folder / "index.json"
    index = json.loads(path.read_bytes()) if path.exists() else {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}
    named = {**descriptor, "annotations": {"org.opencontainers.image.ref.name": tag}}
    others = [entry for entry in index["manifests"] if entry["annotations"] != named["annotations"]]
    path.write_bytes(_json({**index, "manifests": [*others, named]}))


def _store(folder: Path, content: bytes, media_type: str) -> dict[str, Any]:
    digest = _digest(content)
    path = _blob_path(folder, digest)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return {"mediaType": media_type, "digest": digest, "size": len(content)}


def _blob_path(folder: Path, digest: str) -> Path:
    return folder / "blobs" / "sha256" / digest.removeprefix("sha256:")


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _json(content: object) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()


def _debian_mirror() -> str:
    """The mirror that the system's apt is set up with."""
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.splitlines()
    return next(line for line in lines if line.rstrip("/").endswith("/debian"))
