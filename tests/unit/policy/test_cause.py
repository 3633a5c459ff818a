"""Why a decision was taken without a push or a scan."""

from __future__ import annotations

import pytest

from pratique.policy.cause import AdvisoryChange, describe_change, parse_cause
from pratique.storage.match_changes import ChangeKind


@pytest.mark.parametrize("stored", [None, {"kind": "waiver", "changes": 3}, {}])
def test_no_cause_but_advisories_is_told(stored: dict[str, object] | None) -> None:
    assert parse_cause(stored) is None


def test_every_kind_of_change_has_words() -> None:
    for kind in (*ChangeKind, "exploited"):
        line = describe_change(AdvisoryChange(kind=str(kind), id="CVE-1", severity="low"))
        assert line.startswith("CVE-1 ")
        assert len(line.split()) > 2 or kind == "appeared", line
