"""Hostile images end in `incomplete` with a reason, never in a crash or a pass."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.hostile_images import DOCUMENTS, GOOD, LAYERS, Hostile, with_layer, compressed
from tests.support.hostile_layers import many_entries
from tests.support.scans import Scan, scan

CASES = LAYERS | DOCUMENTS
MAX_SECONDS = 30
MAX_BYTES = 600 * 1024**2


def assert_bounded(done: Scan) -> None:
    assert "Traceback" not in done.errors
    assert done.seconds < MAX_SECONDS
    assert done.peak_bytes < MAX_BYTES


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_image_is_incomplete_for_a_reason_that_names_what_is_wrong(name: str, tmp_path: Path, advisories: Path) -> None:
    case = CASES[name]

    done = scan(case.write(tmp_path / "image"), advisories, "--fail-on", "critical")

    assert done.code == 3, (done.output, done.errors)
    assert_bounded(done)
    assert done.report["verdict"]["status"] == "incomplete"
    assert done.report["coverage"]["status"] in {"partial", "failed"}
    assert re.search(case.word, done.reasons), done.reasons
    reasons = [reason["message"] for reason in done.report["verdict"]["reasons"] if reason["rule"] == "coverage"]
    assert any(re.search(case.word, reason) for reason in reasons), reasons
    print(name, f"{done.seconds:.1f} s {done.peak_bytes >> 20} MB", done.reasons)
