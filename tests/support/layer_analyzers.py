"""Analyzers that do on purpose what a real one must not: for tests of whoever runs them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

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


def spin() -> None:
    while True:
        pass


def eat() -> None:
    hoard = []
    while True:
        hoard.append(bytearray(1024 * 1024))


def write() -> None:
    path = Path(f"/dev/shm/written-by-a-parser-{os.getpid()}")
    try:
        path.write_bytes(b"x")
    finally:
        path.unlink()


ORDERS: dict[str, Callable[[], object]] = {
    "spin": spin,
    "sleep": lambda: time.sleep(600),
    "die": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "eat": eat,
    "write": write,
    "print": lambda: print("among the answers?"),
    "surrogate": lambda: "\udcff",
    "environment": lambda: ",".join(sorted(os.environ)),
}


def misbehave(file: LayerFile) -> Iterator[Fact]:
    """Do what the file says; a text that comes of it is a package's name."""
    said = ORDERS.get(file.content.decode(), lambda: None)()
    if isinstance(said, str):
        yield Package(type="generic", name=said, version="1")
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
