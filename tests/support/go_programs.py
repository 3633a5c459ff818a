"""What Go's linker leaves in programs, made by hand."""

from __future__ import annotations

from collections.abc import Callable

MAGIC = b"\xff Go buildinf:"
FRAME_START = bytes.fromhex("3077af0c9274080241e1c107e6d618e6")
FRAME_END = bytes.fromhex("f932433186182072008242104116d8f2")

MODULES = (
    "path\texample.org/app/cmd/app\n"
    "mod\texample.org/app\tv1.2.3\th1:abc=\n"
    "dep\tgithub.com/BurntSushi/toml\tv1.3.2\th1:o7IhLm0Msx3BaB+n3Ag7L8EVlByGnpq14C4YWiu/gL8=\n"
    "dep\tgithub.com/docker/docker\tv25.0.0+incompatible\th1:abc=\n"
    "dep\tgithub.com/old/fork\tv1.0.0\n"
    "=>\tgithub.com/new/fork/v2\tv2.1.0\th1:abc=\n"
    "dep\tgolang.org/x/crypto\tv0.0.0-20210921155107-089bfa567519\th1:abc=\n"
    "build\t-compiler=gc\n"
    "build\tGOOS=linux\n"
)
"""Lines as Go 1.18 and later write them."""


def framed(lines: str) -> bytes:
    """The lines between the marks by which they are found."""
    return FRAME_START + lines.encode() + FRAME_END if lines else b""


def inline_record(version: str = "go1.22.1", lines: str = MODULES) -> bytes:
    """The record as since Go 1.18: strings behind a header of 32 bytes."""
    header = MAGIC + bytes([8, 2]) + bytes(16)
    return header + b"".join(_varint(len(text)) + text for text in (version.encode(), framed(lines))) + bytes(16)


def pointer_record(version: str = "go1.17.1", lines: str = MODULES, *, bits: int = 64, order: str = "<") -> Callable[[int], bytes]:
    """The record as before: pointers to strings, which are pairs of address and length. Makes it for an address."""

    def make(address: int) -> bytes:
        text = version.encode(), framed(lines)
        strings_at = address + 32
        first = strings_at + 4 * size
        second = first + len(text[0])
        pairs = number(first) + number(len(text[0])) + number(second) + number(len(text[1]))
        pointers = number(strings_at) + number(strings_at + 2 * size)
        return MAGIC + bytes([size, 1 if order == ">" else 0]) + pointers.ljust(16, b"\0") + pairs + text[0] + text[1]

    def number(value: int) -> bytes:
        return value.to_bytes(size, "big" if order == ">" else "little")

    size = bits // 8
    return make


def _varint(value: int) -> bytes:
    encoded = b""
    while value > 0x7F:
        encoded += bytes([value & 0x7F | 0x80])
        value >>= 7
    return encoded + bytes([value])
