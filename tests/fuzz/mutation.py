"""Damage to good content: what a careless tool, a cut download or an attacker does to it. The same random numbers make the same damage."""

from __future__ import annotations

import gzip
import io
import re
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable
from random import Random
from typing import Literal

import zstandard

MAX_CONTENT = 1024 * 1024  # bytes of what comes out: parsers that are slow or greedy show it by then
_MAX_UNPACKED = 2 * 1024 * 1024  # bytes taken out of compressed content
_BLOCK = 512  # of tar

_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 2**63 - 1, 2**63, 2**64 - 1)
_DIGITS = (*b"0 -1 1e999 NaN -0 4294967296 18446744073709551616 0x7fffffff 0.1".split(), b"9" * 25, b"9" * 5000)
_AWKWARD = (
    *rb""".. ../../../../etc/passwd / // . %00 %2f @ # ? \ \ud800 \u0000 &lt; &a; null true [] {} "" ' " <![CDATA[ ----- &a[*a]""".split(),
    *(b"\0", b"\n\n", b"\r", b"\t", b"\x85", b"\xe2\x80\xa8", b"\xff\xfe", b"\xed\xa0\x80", b"\xef\xbb\xbf"),
)
_OPENINGS = (*rb"""[ { {"a": ( <a> a:{i:0; {{ /a a, ' " \ [[ a.""".split(), b"- ", b"  ", b"\n", b"\t")
_WORD = re.compile(rb"[A-Za-z_][\w.:/@+-]{1,40}")
_NUMERAL = re.compile(rb"\d+")

Change = Callable[[Random, bytearray], None]


class Mutator:
    """Damages content of one kind. Words of all its seeds may end up in any of them."""

    def __init__(self, seeds: Iterable[bytes]) -> None:
        words = {word for seed in seeds for word in _WORD.findall(seed[:65536])}
        self._words = (*sorted(words)[:3000], *_AWKWARD)
        words_in = (self._add_word, self._replace_word, self._replace_word)
        self._changes: tuple[Change, ...] = (
            _flip,
            _write_number,
            _write_number,
            _write_digits,
            _drop,
            _repeat,
            _repeat_line,
            _nest,
            *words_in,
        )

    def mutate(self, random: Random, content: bytes, other: bytes) -> bytes:
        """Return a damaged copy, which may go on like `other`. Packed content is mostly damaged inside, so that more than a checksum is tried."""
        if random.random() < 0.8:
            repacked = self._repack(random, content, other)
            if repacked is not None:
                return repacked[:MAX_CONTENT]
        damaged = bytearray(content[:MAX_CONTENT])
        if random.random() < 0.15:
            damaged[random.randrange(len(damaged) + 1) :] = other[random.randrange(len(other) + 1) :]
        for _ in range(1 << random.randrange(5)):
            random.choice(self._changes)(random, damaged)
        return bytes(damaged[:MAX_CONTENT])

    def _repack(self, random: Random, content: bytes, other: bytes) -> bytes | None:
        try:
            if content.startswith(b"\x1f\x8b"):
                plain = zlib.decompressobj(31).decompress(content, _MAX_UNPACKED)
                return gzip.compress(self.mutate(random, plain, other), 1, mtime=0)
            if content.startswith(b"\x28\xb5\x2f\xfd"):
                plain = zstandard.ZstdDecompressor(max_window_size=2**23).stream_reader(io.BytesIO(content)).read(_MAX_UNPACKED)
                return zstandard.compress(self.mutate(random, plain, other), 1)
            if content[257:262] == b"ustar":
                return self._damage_blocks(random, content)
            if content.startswith(b"PK\3\4"):
                return self._damage_member(random, content)
        except Exception:  # noqa: BLE001 # it was damaged before, in whatever way
            pass
        return None

    def _damage_blocks(self, random: Random, content: bytes) -> bytes:
        """Damage, lose or repeat blocks of a tar, with checksums that fit: nothing behind a wrong one is looked at."""
        damaged = bytearray(content[:MAX_CONTENT])
        for _ in range(random.randrange(1, 4)):
            at = random.randrange(len(damaged) // _BLOCK + 1) * _BLOCK
            block = damaged[at : at + _BLOCK]
            random.choice((_flip, _write_number, _write_digits, self._replace_word))(random, block)
            whole = bytes(block[:_BLOCK].ljust(_BLOCK, b"\0"))
            damaged[at : at + _BLOCK] = random.choice((whole, whole, whole, whole + whole, b""))
        for at in range(0, len(damaged) - _BLOCK + 1, _BLOCK):
            if damaged[at + 257 : at + 262] == b"ustar":
                damaged[at + 148 : at + 156] = b" " * 8
                damaged[at + 148 : at + 156] = b"%06o\0 " % sum(damaged[at : at + _BLOCK])
        return bytes(damaged)

    def _damage_member(self, random: Random, content: bytes) -> bytes | None:
        """Damage a file of a zip, or its name, and repeat its files at times."""
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            infos = [info for info in archive.infolist()[:200] if info.file_size <= _MAX_UNPACKED]
            members = [(info.filename, archive.read(info)) for info in infos]
        if not members:
            return None
        chosen = random.randrange(len(members))
        name, body = members[chosen]
        if random.random() < 0.2:
            name = self.mutate(random, name.encode(), b"").decode("utf-8", "replace")[:2000] or "a"
        members[chosen] = (name, self.mutate(random, body, random.choice(members)[1]))
        members *= random.choice((1, 1, 1, 1, 1, 1, 1, 10))
        stream = io.BytesIO()
        method = random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
        with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(stream, "w", method, compresslevel=1) as archive:
            for name, body in members:
                archive.writestr(zipfile.ZipInfo(name), body, method)
        return stream.getvalue()

    def _add_word(self, random: Random, content: bytearray) -> None:
        at = random.randrange(len(content) + 1)
        content[at:at] = random.choice(self._words)

    def _replace_word(self, random: Random, content: bytearray) -> None:
        found = _WORD.search(content, random.randrange(len(content) + 1))
        if found:
            content[found.start() : found.end()] = random.choice(self._words)


def _flip(random: Random, content: bytearray) -> None:
    if content:
        content[random.randrange(len(content))] ^= 1 << random.randrange(8)


def _write_number(random: Random, content: bytearray) -> None:
    """Set what may be a length, count or offset to an extreme, or to a little beside what it was."""
    size = random.choice((1, 2, 4, 8))
    order: Literal["little", "big"] = random.choice(("little", "big"))
    at = random.randrange(len(content) + 1)
    near = int.from_bytes(content[at : at + size], order) + random.choice((-1, 1, 8, -8, 256, 4096))
    number = random.choice((near, random.choice(_NUMBERS)))
    content[at : at + size] = (number % 256**size).to_bytes(size, order)


def _write_digits(random: Random, content: bytearray) -> None:
    found = _NUMERAL.search(content, random.randrange(len(content) + 1))
    if found:
        content[found.start() : found.end()] = random.choice(_DIGITS)


def _drop(random: Random, content: bytearray) -> None:
    at = random.randrange(len(content) + 1)
    del content[at : at + random.choice((1, 2, 8, 64, 512, 4096, MAX_CONTENT))]


def _times(random: Random, piece: bytes) -> int:
    """How often to repeat a piece: seldom as often as there is room, for such inputs take long."""
    return min(random.choice((1, 1, 2, 20, 50)) if random.random() < 0.98 else MAX_CONTENT, MAX_CONTENT // (len(piece) or 1))


def _repeat(random: Random, content: bytearray) -> None:
    at = random.randrange(len(content) + 1)
    piece = bytes(content[at : at + random.choice((1, 4, 32, 256, 4096))])
    content[at:at] = piece * _times(random, piece)


def _repeat_line(random: Random, content: bytearray) -> None:
    """Repeat a line, or what stands before a comma, elsewhere, each time with another number in it: entries that differ."""
    end = random.choice((b"\n", b"\n", b","))
    pieces = bytes(content).split(end)
    piece = random.choice(pieces) + end
    middle = random.randrange(len(piece))
    at = content.index(random.choice(pieces))
    content[at:at] = b"".join(b"%b%d%b" % (piece[:middle], number, piece[middle:]) for number in range(_times(random, piece)))


def _nest(random: Random, content: bytearray) -> None:
    piece = random.choice(_OPENINGS)
    at = random.randrange(len(content) + 1)
    content[at:at] = piece * 10 * _times(random, piece * 10)
