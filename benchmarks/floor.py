"""The floor: download the layers of an image and inflate them, and nothing else. The least that any scanner of the same bytes does.

    python -m benchmarks.floor HOST REPOSITORY TAG THREADS

Standard library's HTTP with reads of 1 MiB, and igzip: of the plain ways tried the fastest. No digest is verified and no tar is walked.
"""

from __future__ import annotations

import http.client
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from isal import isal_zlib

READ_BYTES = 1024 * 1024
_GZIP = 31  # window bits that say "with a gzip header"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def read_layers(host: str, repository: str, tag: str) -> list[str]:
    connection = http.client.HTTPConnection(host, timeout=60)
    connection.request("GET", f"/v2/{repository}/manifests/{tag}", headers={"Accept": _MANIFEST})
    layers = json.load(connection.getresponse())["layers"]
    connection.close()
    return [layer["digest"] for layer in sorted(layers, key=lambda layer: -layer["size"])]


def inflate(host: str, repository: str, digest: str) -> int:
    connection = http.client.HTTPConnection(host, timeout=60)
    connection.request("GET", f"/v2/{repository}/blobs/{digest}")
    answer = connection.getresponse()
    buffer = memoryview(bytearray(READ_BYTES))
    inflater = isal_zlib.decompressobj(_GZIP)
    size = 0
    while count := answer.readinto(buffer):
        size += len(inflater.decompress(buffer[:count]))
    connection.close()
    if not inflater.eof:
        raise EOFError(f"{digest} is no whole gzip stream")
    return size


def main(arguments: Sequence[str]) -> None:
    host, repository, tag, threads = arguments
    layers = read_layers(host, repository, tag)
    with ThreadPoolExecutor(int(threads)) as pool:
        print(sum(pool.map(lambda digest: inflate(host, repository, digest), layers)))


if __name__ == "__main__":
    main(sys.argv[1:])
