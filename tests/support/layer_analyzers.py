"""Analyzers that do on purpose what a real one must not: for tests of whoever runs them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

from pratique.errors import InvalidLayer
from pratique.inventory.analyzer import Analyzer, Fact, LayerFile, PathPattern
from pratique.inventory.package import Package


def parse_lines(file: LayerFile) -> Iterator[Fact]:
    """One package a line; `!` is what cannot be read, `?` a bug."""
    for line in file.content.decode("ascii", "replace").splitlines():
        if line == "!":
            raise InvalidLayer("expected a name, got '!'")
        if line == "?":
            raise KeyError(line)
        yield Package(type="generic", name=line, version="1")


def misbehave(file: LayerFile) -> Iterator[Fact]:
    """Do what the file says."""
    match file.content.decode():
        case "spin":
            while True:
                pass
        case "sleep":
            time.sleep(600)
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "eat":
            hoard = []
            while True:
                hoard.append(bytearray(1024 * 1024))
        case "write":
            with open("/tmp/written-by-a-parser", "wb", buffering=0) as out:  # noqa: PTH123
                out.write(b"x")
        case "print":
            print("among the answers?")
        case "surrogate":
            yield Package(type="generic", name="\udcff", version="1")
        case "environment":
            yield Package(type="generic", name=",".join(sorted(os.environ)), version="1")
    yield Package(type="generic", name="survivor", version=str(os.getpid()))


def refuse_directory(path: str) -> bool:
    return not path.startswith("refused/")


LINES = Analyzer(
    name="lines",
    version=3,
    paths=PathPattern(
        paths=frozenset({"var/lib/db/status", "usr/lib/release", "etc/release"}),
        names=frozenset({"LINES"}),
        directories=frozenset({"var/lib/db/status.d"}),
        suffixes=(".lines", ".list"),
        accept=refuse_directory,
    ),
    parse=parse_lines,
    max_bytes=1000,
)
MISBEHAVING = Analyzer(name="misbehaving", version=1, paths=PathPattern(names=frozenset({"orders"})), parse=misbehave)

ANALYZERS = (LINES, MISBEHAVING)
