"""The fields of tar headers: numbers, names, PAX records, paths. Pure functions over bytes that an attacker wrote."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

from pratique.errors import InvalidLayer

_ADLER_MODULUS = 65521
_USTAR, _STAR_TRAILER = b"ustar\0", b"tar\0"
_SPACE = 0x20
_MAX_NUMBER = 2**63 - 1  # what Go's archive/tar takes as a size
_MAX_DIGITS = 19  # of that number
_PAX_LENGTH_DIGITS = 7  # of one record, whose header is at most a few MiB


def has_valid_checksum(header: bytes) -> bool:
    """Tell whether the header's checksum is right, as unsigned or as signed bytes (old Sun tar).

    Adler-32's low half is the byte sum modulo 65521, which costs a twentieth of `sum`.
    """
    field = header[148:156]
    try:
        expected = int(field[:6], 8) - 256 + sum(field)  # the field counts as eight spaces
    except ValueError:
        return _has_exact_checksum(header)
    return zlib.adler32(header) & 0xFFFF == (expected + 1) % _ADLER_MODULUS or _has_exact_checksum(header)


def _has_exact_checksum(header: bytes) -> bool:
    expected = parse_number(header[148:156])
    rest = header[:148] + header[156:]
    signed = sum(struct.unpack(f"{len(rest)}b", rest))
    return expected in (sum(rest) + 256, signed + 256)


def parse_number(field: bytes) -> int:
    """Parse octal digits, or base-256 as GNU tar writes what does not fit.

    Raises InvalidLayer for anything else, and for numbers below 0 or above 2^63 - 1.
    """
    digits = field[:-1]
    if field[-1] <= _SPACE and digits.isdigit():
        return _octal(digits)
    if field[0] & 0x80:
        bits = 8 * len(field) - 1
        value = int.from_bytes(field, "big") & ((1 << bits) - 1)
        if value >> (bits - 1) or value > _MAX_NUMBER:
            raise InvalidLayer("expected a size of 0 to 2^63 - 1 in a tar header, got a negative or larger base-256 number")
        return value
    digits = field.partition(b"\0")[0].strip(b" ")
    return _octal(digits or field.strip(b"\0 ") or b"0")


def parse_mode(header: bytes) -> int:
    """Return the permission bits of a header, 0 where they are no octal number."""
    try:
        return int(header[100:108].strip(b"\0 ") or b"0", 8) & 0o7777
    except ValueError:
        return 0


def parse_name(header: bytes) -> bytes:
    """Return the name of a header with its prefix, where its dialect has one."""
    name = _text(header, 0, 100)
    if not header[345]:
        return name
    magic = header[257:263]
    if magic == _USTAR:
        prefix = _text(header, 345, 476 if header[508:512] == _STAR_TRAILER else 500)
    elif magic == b"ustar " and not _has_gnu_times(header):
        prefix = _text(header, 345, 500)  # written by old Go programs; every reader takes it so
    else:
        prefix = b""
    return prefix + b"/" + name if prefix else name


def parse_link(header: bytes) -> bytes:
    """Return the link target in a header."""
    return _text(header, 157, 257)


def parse_pax(body: bytes) -> Mapping[bytes, bytes]:
    """Parse the records of a PAX extended header; the last of a keyword wins, as POSIX says.

    Raises InvalidLayer.
    """
    records: dict[bytes, bytes] = {}
    position = 0
    while position < len(body):
        if not body[position] and not body[position:].strip(b"\0"):  # the first look is for time: a header may hold 200,000 records
            break  # some writers pad with zeros
        space = body.find(b" ", position, position + _PAX_LENGTH_DIGITS + 1)
        digits = body[position:space] if space > 0 else b""
        end = position + int(digits) if digits.isdigit() else 0
        keyword, equals, value = body[space + 1 : end - 1].partition(b"=")
        if not equals or not keyword or end > len(body) or body[end - 1 : end] != b"\n":
            raise InvalidLayer(f"malformed PAX record at byte {position} of an extended header")
        records[keyword] = value
        position = end
    return records


def parse_pax_size(value: bytes) -> int:
    """Parse the `size` record of a PAX header.

    Raises InvalidLayer.
    """
    if not value.isdigit() or len(value) > _MAX_DIGITS or int(value) > _MAX_NUMBER:
        raise InvalidLayer(f"expected a PAX size of 0 to 2^63 - 1, got {value[:40]!r}")
    return int(value)


def normalise_path(raw: bytes) -> bytes | None:
    r"""Return the path relative to the root with `/`, without `.`, `..` and empty components, as valid UTF-8; None if it climbs out of the root.

    Bytes that are not UTF-8 become `\xNN`, so that every path can be stored and shown.
    """
    parts: list[bytes] = []
    for part in raw.split(b"/"):
        if part == b"..":
            if not parts:
                return None
            parts.pop()
        elif part not in (b"", b"."):
            parts.append(part)
    return storable(b"/".join(parts))


def storable(raw: bytes) -> bytes:
    r"""Return `raw` with every byte that is not UTF-8 as `\xNN`."""
    return raw if raw.isascii() else raw.decode("utf-8", "backslashreplace").encode()


def _octal(digits: bytes) -> int:
    try:
        if digits.isdigit():  # `int` alone would take signs and underscores
            return int(digits, 8)
    except ValueError:
        pass
    raise InvalidLayer(f"expected octal digits in a tar header, got {digits!r}")


def _text(header: bytes, start: int, end: int) -> bytes:
    stop = header.find(b"\0", start, end)
    return header[start : end if stop < 0 else stop]


def _has_gnu_times(header: bytes) -> bool:
    try:
        parse_number(header[345:357])
        parse_number(header[357:369])
    except InvalidLayer:
        return False
    return True
