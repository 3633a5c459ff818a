"""Time the one pass over a layer against its floor: reading and inflating the same bytes on one thread.

    python benchmarks/layer_pass.py DIRECTORY... [--bytes 1000000000] [--rounds 5]

Makes a gzip layer of the directories' files in a temporary folder, then alternates between the floor and a scan through the pool, and prints each
pair, their ratio and the largest resident size of the child. Asserts nothing: a machine with other work on it measures that work too.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import resource
import subprocess
import tarfile
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from pratique.oci.decompress import ChunkReader, open_tar
from pratique.oci.digest import Digest
from pratique.oci.manifest import Descriptor, Layer
from pratique.oci.media_types import OCI_LAYER_GZIP
from pratique.runtime.layer_pool import LayerPool

CHUNK_BYTES = 1024 * 1024


def make_layer(directories: list[Path], limit: int, folder: Path) -> tuple[Layer, Path]:
    plain = folder / "layer.tar"
    size = 0
    with tarfile.open(plain, "w", format=tarfile.GNU_FORMAT) as archive:
        for path in (path for directory in directories for path in sorted(directory.rglob("*"))):
            entry = archive.gettarinfo(path, str(path).lstrip("/"))
            if entry is None or size > limit:
                continue
            size += entry.size
            if entry.isreg():
                with path.open("rb") as content:
                    archive.addfile(entry, content)
            else:
                archive.addfile(entry)
    with plain.open("rb") as content:
        diff_id = hashlib.file_digest(content, "sha256").hexdigest()
    subprocess.run(["gzip", "-6", str(plain)], check=True)
    blob = folder / "layer.tar.gz"
    with blob.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    descriptor = Descriptor(media_type=OCI_LAYER_GZIP, digest=Digest("sha256", digest), size=blob.stat().st_size)
    return Layer(descriptor=descriptor, position=0, diff_id=Digest("sha256", diff_id)), blob


def read(blob: Path) -> Iterator[bytes]:
    with blob.open("rb", buffering=0) as content:
        while chunk := content.read(CHUNK_BYTES):
            yield chunk


async def stream(blob: Path) -> AsyncIterator[bytes]:
    for chunk in read(blob):
        yield chunk


def time_floor(blob: Path) -> float:
    started = time.perf_counter()
    reader, buffer = open_tar(ChunkReader(read(blob))), memoryview(bytearray(CHUNK_BYTES))
    while reader.readinto(buffer):
        pass
    return time.perf_counter() - started


async def measure(layer: Layer, blob: Path, rounds: int) -> None:
    async with LayerPool(workers=1) as pool:
        result = await pool.scan(layer, lambda: stream(blob))
        print(f"{result.bytes_compressed:,} bytes compressed, {result.bytes_uncompressed:,} uncompressed, {result.entries:,} entries")
        print(f"{len(result.files)} files analysed, {len(result.gaps)} gaps")
        for _ in range(rounds):
            floor = time_floor(blob)
            started = time.perf_counter()
            await pool.scan(layer, lambda: stream(blob))
            took = time.perf_counter() - started
            print(f"floor {floor:.2f} s, scan {took:.2f} s, ratio {took / floor:.2f}, load {os.getloadavg()[0]:.1f}")
    own, child = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(f"largest resident size: this process {own.ru_maxrss // 1024} MiB, child {child.ru_maxrss // 1024} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("directories", nargs="+", type=Path)
    parser.add_argument("--bytes", type=int, default=1_000_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        layer, blob = make_layer(arguments.directories, arguments.bytes, Path(folder))
        asyncio.run(measure(layer, blob, arguments.rounds))


if __name__ == "__main__":
    main()
