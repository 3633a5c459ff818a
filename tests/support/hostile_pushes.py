"""Hostile images in a registry, put there as they are."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

from tests.support.hostile_images import DOCUMENTS, LAYERS, Hostile, RawLayout, small_bomb, with_layer

PUSHABLE = {
    name: (LAYERS | DOCUMENTS)[name]
    for name in (
        "a truncated gzip stream",
        "a wrong diff-id",
        "a layer twice, first with a wrong diff-id",
        "a path out of the root",
        "absolute links in a circle",
        "names that are not UTF-8",
        "a dpkg status of random bytes",
        "an encrypted layer",
        "a config that is no JSON",
        "fewer diff-ids than layers",
        "an index that passes an image off as an attestation",
        "a manifest with another list of layers",
    )
} | {"a gzip bomb of 300 MB": Hostile("decompression bomb", with_layer(small_bomb))}
"""What a registry accepts, because it does not look into blobs."""


def push_raw(folder: Path, reference: str) -> str:
    """Copy what a layout holds into a registry as it is, which no client would do; answer the digest."""
    host, _, rest = reference.partition("/")
    repository, _, tag = rest.rpartition(":")
    base = f"http://{host}/v2/{repository}"
    layout = RawLayout(folder)
    root: dict[str, Any] = json.loads((folder / "index.json").read_bytes())["manifests"][0]
    documents = [root]
    for document in documents:
        content = json.loads(layout.path(document["digest"]).read_bytes())
        documents += [child for child in content.get("manifests", ()) if child not in documents]
    for path in (folder / "blobs" / "sha256").iterdir():
        location = _request("POST", f"{base}/blobs/uploads/")
        _request("PUT", f"{location}&digest=sha256:{path.name}", path.read_bytes(), "application/octet-stream")
    for document in reversed(documents):
        name = tag if document is root else document["digest"]
        _request("PUT", f"{base}/manifests/{name}", layout.path(document["digest"]).read_bytes(), document["mediaType"])
    return str(root["digest"])


def _request(method: str, url: str, content: bytes | None = None, media_type: str = "") -> str:
    request = urllib.request.Request(url, content, {"Content-Type": media_type} if media_type else {}, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return str(answer.headers.get("Location", ""))
