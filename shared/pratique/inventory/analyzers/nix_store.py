"""Nix's store as it lies there: `nix/store/HASH-NAME-VERSION/`, shown by the programs, libraries, scripts and jars in it.

An analyzer is asked for files, not for directories, so a store path counts where a file in it begins like one of those. Paths that hold only data (certificates, fonts,
Python modules) stay invisible here: Nix's database has them, where there is one (`nix.py`), and Python's own records name the modules.
"""

from __future__ import annotations

from collections.abc import Iterator

from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._nix_names import STORE, parse_store_path
from pratique.inventory.package import Package, PackageDetails


def parse(file: LayerFile) -> Iterator[Package | PackageDetails]:
    """Yield the package whose store path the file lies in, if its name has a version. The content does not matter, and nothing is raised."""
    if file.path.startswith(STORE):
        yield from parse_store_path(file.path) or ()


ANALYZER = Analyzer(
    name="nix-store",
    version=1,
    paths=PathPattern(magics=(b"\x7fELF", b"#!", b"PK\3\4"), accept=lambda path: path.startswith(STORE)),
    parse=parse,
    max_bytes=64,  # nothing of the content is needed
    head_bytes=64,
)
