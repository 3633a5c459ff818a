"""rpm headers from what a test cares about, and what the analyzer reads out of them."""

from __future__ import annotations

import struct

from pratique.inventory.analyzer import Fact
from pratique.inventory.analyzers.rpm import parse
from pratique.inventory.package import Package, PackageDetails
from tests.support.layer_results import layer_file, read
from tests.support.rpm_databases import make_header, make_ndb

NDB = "usr/lib/sysimage/rpm/Packages.db"
SHA = b"ab" * 32

Tag = tuple[int, int, int, bytes]


def string(tag: int, text: str | bytes) -> Tag:
    return tag, 6, 1, (text.encode() if isinstance(text, str) else text) + b"\0"


def strings(tag: int, *texts: bytes) -> Tag:
    return tag, 8, len(texts), b"".join(text + b"\0" for text in texts)


def numbers(tag: int, *values: int) -> Tag:
    return tag, 4, len(values), struct.pack(f">{len(values)}I", *values)


def bash(*more: Tag) -> bytes:
    return make_header(string(1000, "bash"), string(1001, "5.1.8"), string(1002, "6.el9"), *more)


def facts(*headers: bytes) -> tuple[list[Fact], str]:
    return read(parse, layer_file(NDB, make_ndb(*headers)))


def package(header: bytes) -> Package:
    found, problem = facts(header)
    assert problem == ""
    assert isinstance(found[0], Package)
    return found[0]


def files(header: bytes) -> tuple[tuple[str, str], ...]:
    found, problem = facts(header)
    assert problem == ""
    return found[1].files if isinstance(found[-1], PackageDetails) else ()


def listed(*more: Tag, names: tuple[bytes, ...] = (b"a", b"b", b"c")) -> bytes:
    indexes = numbers(1116, *[index % 2 for index in range(len(names))])
    return bash(indexes, strings(1117, *names), strings(1118, *(b"/usr/bin/", b"/etc/")[: len(names)]), *more)
