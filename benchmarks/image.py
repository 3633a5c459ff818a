"""The image that is measured: packages of Debian 12 in four layers, made from Debian's own archive and kept in `.cache` of the checkout.

1. mmdebstrap unpacks the packages into one root;
2. dpkg's records say which package a file belongs to, and the package's section which layer: system, libraries and runtimes, build tools, application;
3. each layer has the dpkg database as it was at its time, so that every layer above the first replaces it;
4. layers are compressed as Docker's are: gzip, zlib level 6.

A mirror moves on, so two machines have the same image only if they made it from the same state of it. The result says what it is.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.support.images import ImageLayout, _debian_mirror, make_image
from tests.support.servers import CHECKOUT, find_tool

SUITE = "bookworm"
PACKAGES = ("ca-certificates", "default-jre-headless", "g++", "git", "nodejs", "npm", "python3-django", "python3-pip", "python3-scipy")
SMALL_PACKAGES = frozenset({"base-files", "base-passwd", "netbase", "libc6", "libgcc-s1", "gcc-12-base", "ca-certificates", "zlib1g"})
_RECIPE = hashlib.sha256(repr((SUITE, PACKAGES, sorted(SMALL_PACKAGES))).encode()).hexdigest()[:12]
_FOLDER = CHECKOUT / ".cache" / "benchmark" / _RECIPE
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_EPOCH = "1700000000"  # no entry is newer: mmdebstrap's way to give the same tar again
_SYSTEM, _RUNTIMES, _TOOLS, _APPLICATION = range(4)
_LAYERS = {"devel": _TOOLS, "libdevel": _TOOLS, "kernel": _TOOLS, "vcs": _TOOLS}
_LAYERS |= {"javascript": _APPLICATION, "python": _APPLICATION, "web": _APPLICATION}
_STATUS = "var/lib/dpkg/status"
_INFO = "var/lib/dpkg/info/"
_MERGED = ("bin/", "sbin/", "lib/", "lib32/", "lib64/")  # links to usr/… in the root, but dpkg's lists have both


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkImages:
    """The image, one of the size of Alpine's, and what is in the first: counts, and names and versions of its Debian packages. `folder` caches more."""

    folder: Path

    large: ImageLayout
    small: ImageLayout
    packages: Mapping[str, str]
    layers: int
    files: int
    bytes_compressed: int
    bytes_uncompressed: int


def prepare_images() -> BenchmarkImages:
    """Give the images. The first time it takes six minutes, 4 GB of memory and the mirror that apt is set up with."""
    summary = _FOLDER / "summary.json"
    layout = _FOLDER / "image"
    if not summary.exists():
        layout.mkdir(parents=True, exist_ok=True)
        root = _unpack(_FOLDER / "root.tar")
        summary.write_text(json.dumps(_build(root, layout)))
        root.unlink()
    large, small = (ImageLayout(folder=layout, tag=tag, digest="") for tag in ("large", "small"))
    return BenchmarkImages(folder=_FOLDER, large=large, small=small, **json.loads(summary.read_text()))


def _unpack(target: Path) -> Path:
    print(f"unpacking Debian packages into {target.relative_to(CHECKOUT)}", flush=True)
    options = ["--quiet", "--variant=minbase", f"--keyring={_KEYRING}", f"--include={','.join(PACKAGES)}"]
    command = [str(find_tool("mmdebstrap")), *options, SUITE, str(target), f"deb {_debian_mirror()} {SUITE} main"]
    subprocess.run(command, check=True, timeout=1800, env={**os.environ, "SOURCE_DATE_EPOCH": _EPOCH})
    return target


def _build(root: Path, folder: Path) -> Mapping[str, object]:
    print("making layers", flush=True)
    with tarfile.open(root) as archive:
        members = [member for member in archive if _path(member) and not member.isdev()]
        split = _Split(archive, members)
        tars = [split.write(layer) for layer in range(len((_SYSTEM, _RUNTIMES, _TOOLS, _APPLICATION)))]
        small = split.write_small()
    with ThreadPoolExecutor(2) as pool:
        *layers, small = pool.map(lambda tar: gzip.compress(tar, 6, mtime=0), [*tars, small])
    make_image(folder, layers, tag="large")
    make_image(folder, [small], tag="small")
    return {
        "packages": {name: fields["Version"] for name, fields in split.records.items()},
        "layers": len(layers),
        "files": sum(member.isreg() for member in members),
        "bytes_compressed": sum(map(len, layers)),
        "bytes_uncompressed": sum(map(len, tars)),
    }


class _Split:
    """Which layer each member of a root belongs to."""

    def __init__(self, archive: tarfile.TarFile, members: Iterable[tarfile.TarInfo]) -> None:
        self._archive = archive
        self._members = {_path(member): member for member in members}
        self._stanzas = self._text(_STATUS).strip().split("\n\n")
        self.records = {fields["Package"]: fields for fields in map(_fields, self._stanzas)}
        self._owners = dict(self._owned())

    def write(self, layer: int) -> bytes:
        """Write one layer. A directory is in every layer that has something in it."""
        own = {path for path in self._members if self._layer_of(path) == layer and not self._members[path].isdir()}
        folders = {folder for path in own for folder in _parents(path)}
        stanzas = [stanza for stanza in self._stanzas if self._layer_of_package(_fields(stanza)["Package"]) <= layer]
        return self._write([path for path in self._members if path in own | folders and path != _STATUS], stanzas)

    def write_small(self) -> bytes:
        """Write an image of a few packages in one layer."""
        own = {path for path, owner in self._owners.items() if owner in SMALL_PACKAGES and path in self._members}
        stanzas = [stanza for stanza in self._stanzas if _fields(stanza)["Package"] in SMALL_PACKAGES]
        return self._write(sorted(own), stanzas)

    def _write(self, paths: Iterable[str], stanzas: list[str]) -> bytes:
        output = io.BytesIO()
        with tarfile.open(fileobj=output, mode="w", format=tarfile.PAX_FORMAT) as target:
            for path in paths:
                member = self._members[path].replace(name=path, deep=False)
                member.linkname = member.linkname.removeprefix("./") if member.islnk() else member.linkname
                target.addfile(member, self._archive.extractfile(self._members[path]) if member.isreg() else None)
            status = ("\n\n".join(stanzas) + "\n").encode()
            member = self._members[_STATUS].replace(name=_STATUS, deep=False)
            member.size = len(status)
            target.addfile(member, io.BytesIO(status))
        return output.getvalue()

    def _layer_of(self, path: str) -> int:
        """The layer of the package that owns the path, or the nearest directory above it; of a hard link, that of its target."""
        if (member := self._members[path]).islnk():
            return self._layer_of(member.linkname.removeprefix("./"))
        if path.startswith(_INFO):
            return self._layer_of_package(path.removeprefix(_INFO).rpartition(".")[0].partition(":")[0])
        owner = next((self._owners[place] for place in (path, *_parents(path)) if place in self._owners), "")
        return self._layer_of_package(owner)

    def _layer_of_package(self, name: str) -> int:
        fields = self.records.get(name, {})
        if fields.get("Priority", "required") == "required" or name in SMALL_PACKAGES:
            return _SYSTEM
        return _LAYERS.get(fields.get("Section", ""), _RUNTIMES)

    def _owned(self) -> Iterator[tuple[str, str]]:
        for path in self._members:
            if path.startswith(_INFO) and path.endswith(".list"):
                owner = path.removeprefix(_INFO).removesuffix(".list").partition(":")[0]
                for line in self._text(path).splitlines():
                    listed = line.strip("/")
                    yield (f"usr/{listed}" if listed.startswith(_MERGED) else listed), owner

    def _text(self, path: str) -> str:
        content = self._archive.extractfile(self._members[path])
        if content is None:
            raise FileNotFoundError(path)
        return content.read().decode()


def _path(member: tarfile.TarInfo) -> str:
    return member.name.removeprefix(".").strip("/")


def _parents(path: str) -> Iterator[str]:
    while path := path.rpartition("/")[0]:
        yield path


def _fields(stanza: str) -> Mapping[str, str]:
    lines = (line.partition(": ") for line in stanza.splitlines() if not line.startswith(" "))
    return {key: value for key, _, value in lines}
