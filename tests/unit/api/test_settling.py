from __future__ import annotations

import datetime as dt

import pytest

from pratique.policy.verdict import Verdict, VerdictStatus
from pratique.storage.actions import ActionRow
from pratique.storage.decisions import DecisionRow
from pratique.storage.queries import StatusView
from pratique.storage.scans import ScanRow
from pratique_services.api.settling import is_settled
from pratique_services.api.words import answer, newer_scan_line

NOW = dt.datetime.now(dt.UTC)
DIGEST = "sha256:" + "a" * 64


def scan(state: str = "scanned", scan_id: str = "s1", **more: object) -> ScanRow:
    values: dict[str, object] = {
        "scan_id": scan_id, "correlation_id": "c", "repository_id": "r", "host": "h", "repository": "a", "tag": "1", "digest": None, "state": state,
        "priority": "push", "attempt": 1, "worker": None, "lease_until": None, "last_error": None, "requested_by": "x", "image_digest": None,
        "feed_snapshot": None, "created_at": NOW, "queued_at": NOW, "started_at": NOW, "finished_at": None,
    }  # fmt: skip
    return ScanRow(**(values | more))  # type: ignore[arg-type]


def decision(status: VerdictStatus = VerdictStatus.PASS, *, announced: bool = True, waived: int = 0) -> DecisionRow:
    return DecisionRow(
        id="d", scan_id="s1", correlation_id="c", repository_id="r", host="h", repository="a", tag="1", image_digest=DIGEST,
        verdict=Verdict(status=status, reasons=(), policy="production", policy_digest="", waived=waived), feed_snapshot=None, inventory_digest=None,
        waivers_digest=None, counts={}, created_at=NOW, announced_at=NOW if announced else None,
    )  # fmt: skip


def action(outcome: str) -> ActionRow:
    return ActionRow(id="1", decision_id="d", kind="sign", parameters={}, outcome=outcome, detail="", attempts=0, updated_at=NOW)


def view(newest: ScanRow | None, decided: DecisionRow | None = None, *outcomes: str) -> StatusView:
    return StatusView(
        host="h",
        repository="a",
        tag="1",
        digest=DIGEST,
        tags=("1",),
        scan=newest,
        queue_age=None,
        decision=decided,
        actions=tuple(map(action, outcomes)),
    )


@pytest.mark.parametrize(
    ("status", "settled"),
    [
        (view(scan(), decision()), True),
        (view(scan(), decision(), "done", "skipped", "refused"), True),
        (view(scan(), decision(announced=False)), False),
        (view(scan(), decision(), "done", "planned"), False),
        (view(scan(), decision(), "failed"), False),
        (view(scan("queued", "s2"), decision()), False),
        (view(scan("running", "s2"), decision()), False),
        (view(scan("scanned", "s2"), decision()), False),
        (view(scan("failed", "s2"), decision()), True),
        (view(scan("failed")), True),
        (view(scan("scanned")), False),
        (view(None, decision()), True),
        (view(None), False),
    ],
)
def test_waiting_ends_when_the_newest_scan_has_had_its_effect(status: StatusView, *, settled: bool) -> None:
    assert is_settled(status, is_artifact=False) == settled


def test_waiting_for_a_verdict_on_an_artifact_ends_with_its_scan() -> None:
    assert is_settled(view(scan("scanned")), is_artifact=True)
    assert not is_settled(view(scan("running")), is_artifact=True)


@pytest.mark.parametrize(
    ("status", "word"),
    [(VerdictStatus.PASS, "Yes."), (VerdictStatus.FAIL, "No, because"), (VerdictStatus.INCOMPLETE, "Not as it stands, because")],
)
def test_the_verdict_is_answered_in_words(status: VerdictStatus, word: str) -> None:
    said = answer(view(scan(), decision(status, waived=2)))
    assert (said.word, said.headline) == (str(status), word)
    assert "production" in said.explanation
    assert "2 findings are waived" in said.explanation


def test_without_a_verdict_the_reason_is_said() -> None:
    assert "HTML" in answer(view(scan("failed", last_error="got HTML"))).explanation
    assert "waiting for" in answer(view(scan("queued", last_error="503"))).explanation
    assert answer(view(scan()), artifact="helm chart").explanation == "This is no image, but: helm chart."


def test_the_last_verdict_stands_while_a_newer_scan_runs() -> None:
    assert "stands" in newer_scan_line(view(scan("running", "s2"), decision()))
    assert "stands" in newer_scan_line(view(scan("failed", "s2", last_error="gone"), decision()))
    assert newer_scan_line(view(scan(), decision())) == ""
