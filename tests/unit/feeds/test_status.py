"""`feeds.json`, and the table that is made of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pratique.errors import InvalidAdvisory, MissingError
from pratique.feeds.state import FeedState, FileState, load_states, store_states
from pratique.feeds.update import status_of
from pratique_services.cli import main
from pratique_services.cli.feeds import status_lines

NOW = datetime(2026, 1, 3, 12, tzinfo=UTC)
REASON = (
    "https://feeds.example/AlmaLinux/all.zip: 429 Too Many Requests; it asks to come back in 3600 s and says \x1b[31mnothing else\u202e that would "
    "be of any help to those who read it in a narrow window of their terminal"
)
STATES = {
    "kev": FeedState(last_success="2026-01-03T11:58:59Z", last_attempt="2026-01-03T11:58:59Z", bytes=1_257_565, records=1404, modified="2025-08-25T17:04Z"),
    "osv/AlmaLinux": FeedState(
        last_success="2025-12-24T12:00:00Z", last_attempt="2026-01-03T10:00:00Z", bytes=5_800_000, records=5637, modified="2025-12-23T00:00:00Z",
        error=REASON, consecutive_failures=9,
    ),
    "osv/npm": FeedState(last_attempt="2026-01-03T10:00:00Z", error="not done within its time", consecutive_failures=1),
    "redhat-csaf": FeedState(last_success="2026-01-03T02:00:00Z", last_attempt="2026-01-03T02:00:00Z", bytes=2_100_000_000, skipped=3),
}  # fmt: skip
TABLE_80 = """\
feed            synced     newest  records      size
kev               61 s 2025-08-25     1404    1.3 MB
osv/AlmaLinux     10 d 2025-12-23     5637    5.8 MB
  ! failed 9 times, 2 h ago: https://feeds.example/AlmaLinux/all.zip: 429 Too
    Many Requests; it asks to come back in 3600 s and says ?[31mnothing else?
    that would be of any help to those who read it in a narrow window of their
    terminal
osv/npm          never          -        -         -
  ! failed 2 h ago: not done within its time
redhat-csaf       10 h          -        -    2.1 GB
  3 records could not be read, and were left out
"""
TABLE_140 = """\
  ! failed 9 times, 2 h ago: https://feeds.example/AlmaLinux/all.zip: 429 Too Many Requests; it asks to come back in 3600 s and says
    ?[31mnothing else? that would be of any help to those who read it in a narrow window of their terminal
"""


def rendered(width: int) -> str:
    return "".join(f"{line}\n" for line in status_lines(STATES, width=width, now=NOW)).replace("\N{REPLACEMENT CHARACTER}", "?")


def test_the_table_fits_a_terminal_and_tells_why_feeds_failed() -> None:
    assert rendered(80) == TABLE_80
    assert max(map(len, rendered(80).splitlines())) <= 80


def test_a_wide_terminal_shows_more_of_a_reason_in_a_line() -> None:
    assert TABLE_140 in rendered(140)


def test_states_are_read_as_they_were_stored(tmp_path: Path) -> None:
    state = FeedState(last_success="2026-01-03T11:58:59Z", files={"kev.json": FileState(etag='"x"', bytes=3, records=1)})
    store_states(tmp_path, {"osv": FeedState(), "kev": state})
    first = (tmp_path / "feeds.json").read_bytes()
    assert load_states(tmp_path) == {"kev": state, "osv": FeedState()}
    store_states(tmp_path, {"kev": state, "osv": FeedState()})
    assert (tmp_path / "feeds.json").read_bytes() == first
    assert [path.name for path in tmp_path.iterdir()] == ["feeds.json"]


def test_a_state_tells_of_its_files_together_and_of_failures_in_a_row() -> None:
    files = {"b": FileState(etag='"b"', bytes=1, records=2, modified="2024"), "a": FileState(bytes=10, records=20, modified="2025")}
    fine = FeedState().after(files, errors=(), skipped=1, is_changed=True)
    assert (fine.etag, fine.bytes, fine.records, fine.modified, fine.skipped, list(fine.files)) == ('"b"', 11, 22, "2025", 1, ["a", "b"])
    assert fine.last_success == fine.last_attempt == fine.last_change
    bad = fine.after(files, errors=("one", "two"), skipped=0, is_changed=False).after(
        files, errors=("x" * 5000,), skipped=0, is_changed=False
    )
    assert (bad.last_success, bad.last_change, bad.consecutive_failures) == (fine.last_success, fine.last_change, 2)
    assert len(bad.error) == 600
    assert bad.after(files, errors=(), skipped=0, is_changed=False).consecutive_failures == 0


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"schema_version": 2, "feeds": {}}', b'{"schema_version": 1, "feeds": {"kev": 1}}', b"[" * 9999]
)
def test_a_state_file_of_another_form_is_no_state(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "feeds.json").write_bytes(content)
    with pytest.raises(InvalidAdvisory, match=r"remove it"):
        load_states(tmp_path)


def test_a_folder_that_was_never_synced_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="pratique advisories update"):
        status_of(tmp_path)


def test_the_status_of_a_mirror_is_a_table_or_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store_states(tmp_path, STATES)
    assert main(["advisories", "status", "--mirror", str(tmp_path)]) == 0
    assert "osv/AlmaLinux" in capsys.readouterr().out
    assert main(["advisories", "status", "--mirror", str(tmp_path), "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["feeds"]["kev"]["records"] == 1404
    assert document["feeds"]["osv/AlmaLinux"]["error"] == REASON
    assert main(["advisories", "status", "--mirror", str(tmp_path / "none")]) == 3
