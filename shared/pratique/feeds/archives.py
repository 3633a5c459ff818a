"""Tell whether a packed tar of JSON documents is plausible, by its first documents: all of it would take minutes, and is read when it is compiled."""

from __future__ import annotations

import bz2
import lzma
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import msgspec
import zstandard

from pratique.errors import InvalidAdvisory
from pratique.feeds.checks import BoundedReader, Found

_SAMPLE = 50  # documents that are looked at
_SAMPLE_BYTES = 256 * 1024 * 1024  # unpacked, for them; protects time
_MAX_DOCUMENT = 64 * 1024 * 1024  # protects memory; CSAF documents of a kernel update reach 20 MB
_MAX_WINDOW = 128 * 1024 * 1024  # that unpacking may keep in memory


# At import: msgspec resolves a type at its first use, and two threads that do so at once crash the interpreter.
_DECODER = msgspec.json.Decoder(dict[str, msgspec.Raw])


def check_osv_archive(path: Path) -> Found:
    """OSV records in a tar, each with `id` and `affected`."""
    return _check(path, ("id", "affected"))


def check_csaf_archive(path: Path) -> Found:
    """CSAF documents in a tar, each with `document`."""
    return _check(path, ("document",))


def _check(path: Path, fields: tuple[str, ...]) -> Found:
    seen = 0
    with _translated(path), path.open("rb") as file, tarfile.open(fileobj=_unpacked(file, path), mode="r|") as archive:
        for member in archive:
            if not member.isreg() or not member.name.endswith(".json"):
                continue
            content = archive.extractfile(member)
            if content is None or member.size > _MAX_DOCUMENT:
                raise InvalidAdvisory(f"{path.name}: {member.name[:140]!r} of {member.size} bytes cannot be looked at")
            document = _DECODER.decode(content.read())
            if missing := [field for field in fields if field not in document]:
                raise InvalidAdvisory(f"{path.name}: {member.name[:140]!r} has no {missing[0]!r}: has its format changed?")
            seen += 1
            if seen == _SAMPLE:
                break
    if not seen:
        raise InvalidAdvisory(f"{path.name} holds no JSON document")
    return Found(records=0)


def _unpacked(file: BinaryIO, path: Path) -> BinaryIO:
    match path.suffix:
        case ".xz":
            stream: object = lzma.LZMAFile(file)  # noqa: SIM115 - closes nothing: the file is the caller's
        case ".bz2":
            stream = bz2.BZ2File(file)
        case ".zst":
            stream = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW).stream_reader(file)
        case suffix:
            raise InvalidAdvisory(f"{path.name}: a tar packed as {suffix!r} is not known")
    return cast("BinaryIO", BoundedReader(cast("BinaryIO", stream), _SAMPLE_BYTES, path.name))


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidAdvisory(f"{path.name}: a document is not JSON of the expected form: {error}") from error
    except (tarfile.TarError, lzma.LZMAError, zstandard.ZstdError, zlib.error, EOFError, ValueError, OSError) as error:
        raise InvalidAdvisory(f"{path.name}: expected a packed tar: {error}") from error
