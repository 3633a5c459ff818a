"""The demo's sample images, made in code: the same bytes, and so the same digests, on every run.

All share one base layer, a small Debian root. What is installed is only recorded, as dpkg and pip record it: scanning needs no more.
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pratique.oci import media_types
from pratique.oci.digest import Digest
from pratique.registry.client import RegistryClient

_DEBIAN = {  # name: (version, source); all of them with the security fixes of Debian 11
    "base-files": ("11.1+deb11u11", ""),
    "dpkg": ("1.20.13", ""),
    "gzip": ("1.10-4+deb11u1", ""),
    "libc6": ("2.31-13+deb11u13", "glibc"),
    "liblzma5": ("5.2.5-2.1~deb11u1", "xz-utils"),
    "libssl1.1": ("1.1.1w-0+deb11u4", "openssl"),
    "zlib1g": ("1:1.2.11.dfsg-2+deb11u2", "zlib"),
}
_SITE_PACKAGES = "usr/local/lib/python3.11/site-packages"
_SOUND = {"jinja2": "3.1.6", "urllib3": "2.5.0"}

VULNERABLE_PACKAGE, VULNERABLE_VERSION, FIXED_VERSION = "searchor", "2.4.1", "2.4.2"
VULNERABILITY = "CVE-2023-43364"
"""PYSEC-2023-262 in the demo's advisories: critical by its own CVSS vector, and fixed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleImage:
    """An image ready to be pushed: its blobs, and the manifest that names them."""

    config: bytes
    layers: tuple[bytes, ...]
    manifest: bytes

    @property
    def digest(self) -> Digest:
        """The digest that it will have in any registry."""
        return Digest.of(self.manifest)

    @property
    def layer_digests(self) -> tuple[Digest, ...]:
        """The digests of its layers, the base first."""
        return tuple(map(Digest.of, self.layers))


def make_clean_image() -> SampleImage:
    """An image in which the demo's advisories find nothing."""
    return _make_image([_base_files(), _python_files(_SOUND)], version="1.0")


def make_vulnerable_image(version: str = "1.0") -> SampleImage:
    """An image with one critical finding that an update ends. `version` is a label: it changes the image's digest, and none of its layers."""
    return _make_image([_base_files(), _python_files({**_SOUND, VULNERABLE_PACKAGE: VULNERABLE_VERSION})], version=version)


def make_broken_image() -> SampleImage:
    """An image whose upper layer ends in the middle of its gzip stream, under the right digest: a registry takes it, and nobody can read it."""
    return _make_image([_base_files(), _python_files({"flask": "3.1.1"})], version="1.0", is_cut=True)


async def push_blobs(client: RegistryClient, repository: str, image: SampleImage) -> None:
    """Push all that the manifest names."""
    for blob in (*image.layers, image.config):
        await client.push_blob(repository, blob)


def _make_image(layers: Sequence[Mapping[str, bytes]], *, version: str, is_cut: bool = False) -> SampleImage:
    tars = [_make_tar(files) for files in layers]
    blobs = [gzip.compress(tar, mtime=0) for tar in tars]
    if is_cut:
        blobs[-1] = blobs[-1][: len(blobs[-1]) // 2]
    config = _encode(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {
                "User": "app",
                "Entrypoint": ["python3", "-m", "app"],
                "Labels": {"org.opencontainers.image.version": version},
            },
            "rootfs": {"type": "layers", "diff_ids": [str(Digest.of(tar)) for tar in tars]},
        }
    )
    document = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_MANIFEST,
        "config": _describe(config, media_types.OCI_CONFIG),
        "layers": [_describe(blob, media_types.OCI_LAYER_GZIP) for blob in blobs],
    }
    return SampleImage(config=config, layers=tuple(blobs), manifest=_encode(document))


def _base_files() -> dict[str, bytes]:
    release = (
        'PRETTY_NAME="Debian GNU/Linux 11 (bullseye)"\nNAME="Debian GNU/Linux"\nID=debian\nVERSION_ID="11"\nVERSION_CODENAME=bullseye\n'
    )
    status = "\n".join(_dpkg_record(name, version, source) for name, (version, source) in _DEBIAN.items())
    return {
        "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/srv/app:/bin/sh\n",
        "usr/lib/os-release": release.encode(),
        "var/lib/dpkg/status": status.encode(),
    }


def _dpkg_record(name: str, version: str, source: str) -> str:
    origin = f"Source: {source}\n" if source else ""
    return f"Package: {name}\nStatus: install ok installed\nArchitecture: amd64\n{origin}Version: {version}\n"


def _python_files(packages: Mapping[str, str]) -> dict[str, bytes]:
    files = {"srv/app/app.py": b'print("hello")\n'}
    for name, version in packages.items():
        files[f"{_SITE_PACKAGES}/{name}-{version}.dist-info/METADATA"] = (
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
        )
        files[f"{_SITE_PACKAGES}/{name}-{version}.dist-info/INSTALLER"] = b"pip\n"
    return files


def _make_tar(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, content in files.items():
            info = tarfile.TarInfo(path)  # owner 0, time 0
            info.size, info.mode = len(content), 0o644
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def _describe(content: bytes, media_type: str) -> dict[str, object]:
    return {"mediaType": media_type, "digest": str(Digest.of(content)), "size": len(content)}


def _encode(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
