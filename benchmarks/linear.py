"""Images from 0.25 to 4 GB of the same composition, to see that cost grows with size and no faster.

Layers of some 270 MB are made of the large image's files, an eighth of them each; the second eight have them again under another folder. Small files stay
beside those of their directory, so that packages are whole.
An image of 2^n layers has the first 2^n of them.
"""

from __future__ import annotations

import json
import shutil
import tarfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.image import BenchmarkImages
from benchmarks.layers import Layer, LayoutWriter, Members, layers_from, layers_to
from tests.support.images import ImageLayout

LAYERS = (1, 2, 4, 8, 16)
_PARTS = 8
_LARGE = 64 * 1024  # bytes: files above go by themselves, so that layers are of one size
_DISTRIBUTION = "usr/lib/os-release"  # is in every layer, at its place: binaries that say which package of Debian they belong to need one


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearImage:
    """An image and the layers it has."""

    layout: ImageLayout
    layers: tuple[Layer, ...]

    @property
    def bytes_uncompressed(self) -> int:
        return sum(layer.uncompressed for layer in self.layers)


def prepare_linear(images: BenchmarkImages) -> tuple[LinearImage, ...]:
    """Give the images, the smallest first. The first time it takes five minutes and 1.5 GB of disk; memory stays small."""
    folder = images.folder / "linear"
    summary = folder / "summary.json"
    if not summary.exists():
        shutil.rmtree(folder, ignore_errors=True)
        print("making images of 0.25 to 4 GB", flush=True)
        writer = LayoutWriter(folder)
        blobs = [images.large.folder / "blobs" / "sha256" / layer.digest.removeprefix("sha256:") for layer in images.layers]
        with ThreadPoolExecutor(2) as pool:
            layers = list(pool.map(lambda number: writer.write_layer(_part(blobs, number), f"part-{number}"), range(LAYERS[-1])))
        for count in LAYERS:
            writer.write_image(layers[:count], f"layers-{count}")
        summary.write_text(json.dumps(layers_to(layers)))
    made = layers_from(json.loads(summary.read_text()))
    return tuple(LinearImage(layout=ImageLayout(folder=folder, tag=f"layers-{count}", digest=""), layers=made[:count]) for count in LAYERS)


def _part(blobs: list[Path], number: int) -> Members:
    """Stream through the whole image, and give an eighth of its files and symbolic links."""
    prefix, part = f"copy-{number // _PARTS}/", number % _PARTS
    for blob in blobs:
        with tarfile.open(blob, "r|gz") as archive:
            for member in archive:
                archive.members = []  # type: ignore[attr-defined] # the module remembers every member otherwise
                if member.name == _DISTRIBUTION:
                    yield member, archive.extractfile(member)  # type: ignore[misc]
                elif (member.isreg() or member.issym()) and _part_of(member) == part:
                    content = archive.extractfile(member) if member.isreg() else None
                    yield _moved(member, prefix), content  # type: ignore[misc]


def _moved(member: tarfile.TarInfo, prefix: str) -> tarfile.TarInfo:
    """The entry below another folder. A long name is in a PAX header too, which would have priority over the new one."""
    moved = member.replace(name=prefix + member.name.removeprefix("./"), deep=False)
    moved.pax_headers = {key: value for key, value in member.pax_headers.items() if key != "path"}
    return moved


def _part_of(member: tarfile.TarInfo) -> int:
    key = member.name if member.size > _LARGE else member.name.rpartition("/")[0]
    return zlib.crc32(key.encode()) % _PARTS
