"""The records of an ecosystem: its index, and its zip put together anew."""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.errors import InputError, InvalidAdvisory
from pratique.feeds.osv_records import read_head, read_index, read_zip, rewrite_zip, write_index
from tests.support.feed_server import osv_record, zip_of

NAMES = st.text("ABC-:1.", min_size=1, max_size=4).map(lambda text: f"X{text}")


def read_all(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == sorted(archive.namelist())
        return {name.removesuffix(".json"): archive.read(name) for name in archive.namelist()}


@given(old=st.dictionaries(NAMES, st.binary(max_size=50)), changed=st.dictionaries(NAMES, st.binary(max_size=50)), removed=st.sets(NAMES))
def test_a_rewritten_zip_holds_the_old_records_with_the_changes(
    tmp_path_factory: pytest.TempPathFactory, old: dict[str, bytes], changed: dict[str, bytes], removed: set[str]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    (folder / "old.zip").write_bytes(zip_of(old))
    rewrite_zip(folder / "old.zip", folder / "new.zip", changed, removed)
    assert read_all(folder / "new.zip") == {name: content for name, content in old.items() if name not in removed} | changed
    rewrite_zip(folder / "old.zip", folder / "again.zip", changed, removed)
    assert (folder / "again.zip").read_bytes() == (folder / "new.zip").read_bytes()


def test_more_records_than_a_plain_zip_can_count_are_copied(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "old.zip", "w") as archive:
        for number in range(66_000):
            archive.writestr(f"X-{number:05}.json", b"{}")
    rewrite_zip(tmp_path / "old.zip", tmp_path / "new.zip", {"Y": b"[]"}, {"X-00000"})
    assert len(read_all(tmp_path / "new.zip")) == 66_000


class _Unseekable(io.RawIOBase):
    """What makes zipfile write sizes behind the data, as servers that stream a zip do."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb", buffering=0)

    def writable(self) -> bool:
        return True

    def write(self, content: object) -> int:
        return self._file.write(content)  # type: ignore[arg-type]

    def close(self) -> None:
        self._file.close()
        super().close()


def test_a_zip_with_sizes_behind_the_data_is_copied(tmp_path: Path) -> None:
    with _Unseekable(tmp_path / "old.zip") as stream, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("A", "B\u00e9"):
            archive.writestr(f"{name}.json", name.encode() * 100)
    rewrite_zip(tmp_path / "old.zip", tmp_path / "new.zip", {"C": b"c"}, ())
    assert read_all(tmp_path / "new.zip") == {"A": b"A" * 100, "B\u00e9": "B\u00e9".encode() * 100, "C": b"c"}


def test_a_zip_packed_in_another_way_is_not_copied(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "old.zip", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("A.json", b"{}")
    with pytest.raises(InvalidAdvisory, match="not copied"):
        rewrite_zip(tmp_path / "old.zip", tmp_path / "new.zip", {"B": b"{}"}, ())


@given(data=st.data())
def test_a_damaged_zip_is_copied_or_refused(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    damaged = bytearray(zip_of({"A": b"a" * 30, "B": b"b"}))
    for position in data.draw(st.lists(st.integers(0, len(damaged) - 1), min_size=1, max_size=4)):
        damaged[position] = data.draw(st.integers(0, 255))
    folder = tmp_path_factory.getbasetemp()
    (folder / "old.zip").write_bytes(damaged)
    with contextlib.suppress(InputError):
        rewrite_zip(folder / "old.zip", folder / "new.zip", {"C": b"c"}, {"B"})


def test_an_index_is_newest_first_and_read_as_it_was_written(tmp_path: Path) -> None:
    index = {"B": "2024-01-02T03:04:05", "A": "2024-01-02T03:04:05", "C:1": "2025-01-02T03:04:05"}
    write_index(tmp_path / "modified_id.csv", index)
    text = "2025-01-02T03:04:05Z,C:1\n2024-01-02T03:04:05Z,A\n2024-01-02T03:04:05Z,B\n"
    assert (tmp_path / "modified_id.csv").read_text() == text
    assert read_index(tmp_path / "modified_id.csv") == index


ODD = [b"x", b"2024-01-02,A", b"2024-01-02T03:04:05Z,../A", b"2024-01-02T03:04:05Z,A/B", b"2024-01-02T03:04:05Z,A\xff", b"A" * 500]


@pytest.mark.parametrize("row", ODD)
def test_rows_that_are_none_are_passed_over_until_they_are_most(tmp_path: Path, row: bytes) -> None:
    good = b"2024-01-02T03:04:05.123456789Z,A\n2024-01-02T03:04:05+00:00,B\r\n"
    (tmp_path / "modified_id.csv").write_bytes(good + row + b"\n")
    assert read_index(tmp_path / "modified_id.csv") == {"A": "2024-01-02T03:04:05", "B": "2024-01-02T03:04:05"}
    (tmp_path / "modified_id.csv").write_bytes(good + 3 * (row + b"\n"))
    with pytest.raises(InvalidAdvisory, match="rows of `modified,id`"):
        read_index(tmp_path / "modified_id.csv")


@given(identifier=st.text(max_size=5), modified=st.text(max_size=5) | st.just("2024-01-02T03:04:05Z"))
def test_a_record_that_no_index_could_list_is_no_record(tmp_path_factory: pytest.TempPathFactory, identifier: str, modified: str) -> None:
    head = read_head(json.dumps({"id": identifier, "modified": modified}).encode())
    if head is not None:
        path = tmp_path_factory.getbasetemp() / "modified_id.csv"
        write_index(path, {head[0]: head[1]})
        assert read_index(path) == {identifier: "2024-01-02T03:04:05"}


def test_a_zip_is_read_to_its_end_and_its_strays_are_counted(tmp_path: Path) -> None:
    records = {f"A-{number}": json.dumps(osv_record(f"A-{number}", f"2024-01-0{number}T00:00:00.123Z")).encode() for number in range(1, 5)}
    (tmp_path / "Go").mkdir()
    (tmp_path / "Go/all.zip").write_bytes(zip_of({**records, "broken": b"{", "renamed": records["A-1"]}))
    found = read_zip(tmp_path, "Go")
    assert found.index == {f"A-{number}": f"2024-01-0{number}T00:00:00" for number in range(1, 5)}
    assert (found.skipped, found.modified) == (2, "2024-01-04T00:00:00Z")
