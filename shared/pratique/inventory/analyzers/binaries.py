"""Software that no package manager installed: programs, libraries and a few scripts that are known by what they contain.

What is known, and from where, stands in `classifiers.json`: official images unpack Node, Redis, PostgreSQL or a kubelet from an archive, and no record
tells. A file of a known name in which no version is found is neither a package nor a gap: it stays an executable that nobody accounts for.
Files that a distribution's package owns are yielded as well: who owns a file is decided later.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._classifier import BINARY_MAGICS, Classifier, load_rows
from pratique.inventory.package import Package

MAX_BYTES = 128 * 1024 * 1024  # of larger files (Chrome, mongod) this much is read: their texts stand in front of their code and debug data

CLASSIFIER = Classifier(load_rows(Path(__file__).with_name("classifiers.json").read_bytes()))


def parse(file: LayerFile) -> Iterator[Package]:
    """Yield what the file is, if the table knows it and a version stands in it. Raises nothing, whatever the bytes are."""
    return CLASSIFIER.identify(file)


ANALYZER = Analyzer(
    name="binaries",
    version=2,
    paths=PathPattern(names=CLASSIFIER.text_names, magics=BINARY_MAGICS, accept=CLASSIFIER.accepts),
    parse=parse,
    max_bytes=MAX_BYTES,
    head_bytes=MAX_BYTES,
)
