from __future__ import annotations

from pratique.policy.verdict import VerdictStatus
from pratique.storage.decision_history import load_status_before
from pratique.storage.decisions import NewDecision, record_decision
from pratique.storage.engine import Database
from tests.support.stored import decide, digest_of, verdict


async def test_what_stood_before_a_decision_is_the_newest_older_one_on_the_same_image(db: Database) -> None:
    async with db.transaction() as session:
        first = await decide(session, "a", VerdictStatus.FAIL)
        other = await decide(session, "b", VerdictStatus.INCOMPLETE)
        new = NewDecision(scan_id=first.scan_id, image_digest=digest_of("a"), verdict=verdict(VerdictStatus.PASS), revision=7)
        second = await record_decision(session, new)
        new = NewDecision(scan_id=first.scan_id, image_digest=digest_of("a"), verdict=verdict(VerdictStatus.INCOMPLETE), revision=8)
        third = await record_decision(session, new)
        found = [await load_status_before(session, decision) for decision in (first, other, second, third)]
    assert found == [None, None, VerdictStatus.FAIL, VerdictStatus.PASS]
