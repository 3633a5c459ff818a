"""Models in Hugging Face's cache, whatever their format: `models--ORGANIZATION--NAME/refs/main` holds the revision that was fetched.

The models themselves lie there in files that are named by their digests. Source: huggingface_hub's documentation, "Understand caching".
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pratique.errors import InvalidRecord
from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._language import checked_text
from pratique.inventory.package import Package

_PLACE = re.compile(r"(?:.*/)?models--([^/]+)/refs/main")
_REVISION = re.compile(r"[0-9a-f]{40}")


def parse(file: LayerFile) -> Iterator[Package]:
    """Yield the model with its revision. Raises InvalidRecord if the file holds none."""
    place = _PLACE.fullmatch(file.path)
    if place is None:
        return
    organization, separator, name = place[1].partition("--")
    revision = file.content[:80].strip().decode("ascii", "replace")
    if not _REVISION.fullmatch(revision):
        raise InvalidRecord(f"expected a revision, got {revision[:40]!r}")
    yield Package(
        type="huggingface",
        namespace=checked_text(organization, "organization") if separator else "",
        name=checked_text(name if separator else organization, "name of a model"),
        version=revision,
    )


ANALYZER = Analyzer(
    name="hugging-face",
    version=1,
    paths=PathPattern(names=frozenset({"main"}), accept=lambda path: path.endswith("/refs/main") and "models--" in path),
    parse=parse,
    max_bytes=4096,
)
