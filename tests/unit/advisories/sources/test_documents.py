"""Folders of documents: loose files and archives."""

import contextlib
import io
import lzma
import os
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings

from pratique.advisories.sources._documents import Document, read_documents
from pratique.advisories.sources.source import Problem, SourceLimits
from pratique.errors import InputError, InvalidAdvisory, LimitExceeded
from tests.support.mutated import mutated
from tests.support.vendor_feeds import compress, pack_tar, write_feed

_SUFFIXES = ("zst", "xz", "bz2", "gz")
_DOCUMENTS = [
    ("2024/a.json", b'{"a": 1}'),
    ("2024/changes.csv", b"a"),
    ("2023/b.json", b""),
    ("2023/c.json", b"[" + b"1, " * 300_000 + b"1]"),
]
_PACKED = pack_tar(_DOCUMENTS)


def _read(folder: Path, **limits: int) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for item in read_documents(folder, "s", SourceLimits(**limits)):
        assert isinstance(item, Document)
        assert item.name not in found
        found[item.name] = item.content
    return found


@pytest.mark.parametrize("suffix", _SUFFIXES)
def test_the_documents_of_an_archive_are_read_whole(tmp_path: Path, suffix: str) -> None:
    folder = write_feed(tmp_path, {f"all.tar.{suffix}": compress(_PACKED, suffix)})
    assert _read(folder) == {name.rpartition("/")[2]: content for name, content in _DOCUMENTS if name.endswith(".json")}


@pytest.mark.parametrize("suffix", _SUFFIXES)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.97])
def test_an_archive_that_is_cut_short_is_refused(tmp_path: Path, suffix: str, share: float) -> None:
    content = compress(pack_tar((f"{number}.json", os.urandom(2000)) for number in range(50)), suffix)
    folder = write_feed(tmp_path, {f"all.tar.{suffix}": content[: int(len(content) * share)]})
    with pytest.raises(InvalidAdvisory, match=r"all\.tar\.\w+ cannot be read"):
        _read(folder)


def test_several_streams_of_xz_are_one_file(tmp_path: Path) -> None:
    content = lzma.compress(_PACKED[:5000]) + bytes(8) + lzma.compress(_PACKED[5000:])
    assert len(_read(write_feed(tmp_path, {"all.tar.xz": content}))) == 3


def test_xz_that_asks_for_much_memory_is_refused(tmp_path: Path) -> None:
    # the size of the window is one byte of the header, which has its own checksum
    content = bytearray(lzma.compress(_PACKED))
    content[16] = 40
    content[20:24] = zlib.crc32(content[12:20]).to_bytes(4, "little")
    with pytest.raises(InvalidAdvisory, match="Memory usage limit"):
        _read(write_feed(tmp_path, {"all.tar.xz": bytes(content)}))


def test_what_changed_since_counts_instead_of_the_archive(tmp_path: Path) -> None:
    folder = write_feed(tmp_path, {"all.tar.gz": compress(_PACKED, "gz"), "changed/a.json": b"new"})
    assert _read(folder)["a.json"] == b"new"


def test_a_zip_is_read_too(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("osv/a.json", b"1")
        archive.writestr("readme.txt", b"2")
    assert _read(write_feed(tmp_path, {"feed/all.zip": packed.getvalue()}) / "feed") == {"a.json": b"1"}


def test_a_document_that_is_there_twice_is_a_problem(tmp_path: Path) -> None:
    content = compress(pack_tar([("a.json", b"1"), ("x/a.json", b"2")]), "gz")
    found = list(read_documents(write_feed(tmp_path, {"all.tar.gz": content}), "s", SourceLimits()))
    assert found == [Document(name="a.json", content=b"1"), Problem(source="s", record="a.json", reason="there twice")]


@pytest.mark.parametrize("name", ["all.tar.gz", "big.json"])
def test_a_document_beyond_its_limit_is_a_problem_and_others_are_read(tmp_path: Path, name: str) -> None:
    big = b"1" * 2000
    content = big if name == "big.json" else compress(pack_tar([("big.json", big), ("b.json", b"1")]), "gz")
    folder = write_feed(tmp_path, {name: content, "a.json": b"0"})
    problem, *rest = [item for item in read_documents(folder, "s", SourceLimits(document_bytes=1000)) if isinstance(item, Problem)]
    assert (problem.record, problem.reason, rest) == ("big.json", "2000 bytes; the limit is 1000", [])


@pytest.mark.parametrize("suffix", _SUFFIXES)
def test_a_bomb_is_refused_long_before_its_end(tmp_path: Path, suffix: str) -> None:
    bomb = compress(pack_tar([("a.bin", bytes(90 * 1024**2))]), suffix)
    folder = write_feed(tmp_path, {f"all.tar.{suffix}": bomb})
    with pytest.raises(LimitExceeded, match="expands more than 100 times"):
        _read(folder, ratio=100)
    with pytest.raises(LimitExceeded, match="expands to more than 1000000 bytes"):
        _read(folder, total_bytes=1_000_000)


def test_an_archive_of_too_many_entries_is_refused(tmp_path: Path) -> None:
    content = compress(pack_tar((f"{number}.json", b"1") for number in range(20)), "gz")
    with pytest.raises(LimitExceeded, match="more than 10 entries"):
        _read(write_feed(tmp_path, {"all.tar.gz": content}), files=10)


def test_too_many_or_too_large_files_are_refused(tmp_path: Path) -> None:
    folder = write_feed(tmp_path, {f"{number}.json": b"123" for number in range(5)})
    with pytest.raises(LimitExceeded, match="more than 4 files"):
        _read(folder, files=4)
    with pytest.raises(LimitExceeded, match="has 3 bytes; the limit is 2"):
        _read(folder, file_bytes=2)


def test_an_extended_header_of_a_megabyte_is_refused(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"comment": "x" * 1024**2}) as archive:
        archive.addfile(tarfile.TarInfo("a.json"))
    with pytest.raises(LimitExceeded, match="extended header"):
        _read(write_feed(tmp_path, {"all.tar.gz": compress(packed.getvalue(), "gz")}))


def test_links_are_followed_neither_in_the_folder_nor_in_an_archive(tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_bytes(b"secret")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        link = tarfile.TarInfo("b.json")
        link.type, link.linkname = tarfile.SYMTYPE, str(secret)
        archive.addfile(link)
    folder = write_feed(tmp_path / "feed", {"all.tar.gz": compress(packed.getvalue(), "gz"), "c.json": b"1"})
    (folder / "a.json").symlink_to(secret)
    assert _read(folder) == {"c.json": b"1"}


def test_an_archive_without_documents_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidAdvisory, match="found none"):
        _read(write_feed(tmp_path, {"all.tar.gz": compress(pack_tar([("a.txt", b"1")]), "gz")}))


@pytest.mark.parametrize("suffix", _SUFFIXES)
def test_any_bytes_are_answered_or_refused(suffix: str) -> None:
    small = pack_tar([("a.json", b'{"a": 1}'), ("b.json", b"2" * 700)])

    @settings(max_examples=60, deadline=None)
    @given(mutated(compress(small, suffix), compress(small, suffix)[:-1]))
    def answer(content: bytes) -> None:
        with tempfile.TemporaryDirectory() as folder, contextlib.suppress(InputError):
            for item in read_documents(write_feed(Path(folder), {f"all.tar.{suffix}": content}), "s", SourceLimits()):
                assert item

    answer()
