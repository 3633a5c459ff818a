"""What the enforcer does with one `inventory.recorded`.

1. decide: verdict, decision, planned actions and audit in one transaction; a scan that has its decision keeps it;
2. perform what is still open, in order; each outcome is recorded before the next begins. What is unavailable comes back with the message; what is open when a
   later decision on the image is taken is left to that one;
3. announce the decision, once.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from weakref import WeakValueDictionary

import structlog

from pratique.deciding.decider import Case, Decider
from pratique.errors import InputError, InvalidMessage, MissingError, RefusedError, UnavailableError
from pratique.messages import DecisionRecorded, InventoryRecorded, ReleaseRequested, parse_message
from pratique.messaging.interface import Delivery
from pratique.oci.digest import Digest
from pratique.runtime.logging import bound_correlation
from pratique.runtime.metrics import ACTIONS, DECISIONS, PUSH_TO_DECISION
from pratique.storage.advisory_state import StateRow, hold_state
from pratique.storage.audit import record_audit
from pratique.storage.decisions import (
    ActionRow,
    DecisionRow,
    finish_decision,
    load_actions,
    load_decision,
    load_latest_decision,
    load_open_actions,
    plan_actions,
    record_action,
)
from pratique.storage.engine import Database
from pratique.storage.images import load_image
from pratique.storage.scans import ScanRow, load_scan
from pratique_services.enforcer.performing import Performer, Skipped, require_ready

MAX_ACTION_S = (
    600.0  # one action: a registry that answers drop by drop must not hold the enforcer; a copy goes on where it was when it comes again
)

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Enforcer:
    """Decides and performs. `wake` tells the outbox relay of a commit. `locks` are of the images at work: there is one enforcer process."""

    database: Database
    decider: Decider
    performer: Performer
    wake: Callable[[], None]
    max_action_s: float = MAX_ACTION_S
    locks: WeakValueDictionary[tuple[str, str, str], asyncio.Lock] = field(default_factory=WeakValueDictionary)

    async def consume(self, delivery: Delivery) -> None:
        """Do one delivery. Raises UnavailableError when an action has to be tried again."""
        message = parse_message(delivery.body)
        with bound_correlation(message.correlation_id):
            match message:
                case InventoryRecorded():
                    decision = await self._decide(message.scan_id)
                case DecisionRecorded():
                    decision = await self._load_decision(message.decision_id)
                case ReleaseRequested():
                    decision = await self._plan_release(message)
                case _:
                    raise InvalidMessage(
                        f"expected inventory.recorded, decision.recorded or release.requested, got {type(message).__name__}"
                    )
            if decision is not None:
                await self._perform_all(decision)

    async def _decide(self, scan_id: str) -> DecisionRow | None:
        async with self.database.transaction() as session:
            scan = await load_scan(session, scan_id)
            if scan is None or scan.image_digest is None:
                _log.info("decision.passed_over", scan_id=scan_id, reason="no such scan, or it has no image")
                return None
            image = await load_image(session, scan.image_digest)
            if image is not None and image.kind == "artifact":
                _log.info("decision.passed_over", scan_id=scan_id, reason="not an image")
                return None
            state = await hold_state(session)  # no change of advisories comes between the reading of matches and the decision
            judgements = await self.decider.judge(session, [as_case(scan, scan.image_digest, state)])
            (decision,) = await self.decider.adopt(session, judgements)
        if decision.created:
            DECISIONS.labels(verdict=str(decision.verdict.status)).inc()
            PUSH_TO_DECISION.observe((dt.datetime.now(dt.UTC) - scan.created_at).total_seconds())
            _log.info("decision.taken", decision_id=decision.id, verdict=str(decision.verdict.status), repository=decision.repository)
        return decision

    async def _load_decision(self, decision_id: str) -> DecisionRow | None:
        async with self.database.reading() as session:
            return await load_decision(session, decision_id)

    async def _plan_release(self, message: ReleaseRequested) -> DecisionRow | None:
        async with self.database.transaction() as session:
            decision = await load_decision(session, message.decision_id)
            if decision is None:
                return None
            actions = await load_actions(session, decision.id)
            quarantined = next((action for action in actions if action.kind == "quarantine" and action.outcome == "done"), None)
            if quarantined is None:
                _log.info("release.passed_over", decision_id=decision.id, reason="nothing of it is in quarantine")
                return None
            parameters = {"from_repository": quarantined.parameters["repository"], "tags": quarantined.parameters.get("tags", [])}
            await plan_actions(
                session, decision.id, [("release", {**parameters, "requested_by": message.requested_by, "request": message.correlation_id})]
            )
        return decision

    async def _perform_all(self, decision: DecisionRow) -> None:
        """Perform what is open and announce; one at a time for an image, or a signature could be made while a later decision takes it away."""
        place = (decision.host, decision.repository, decision.image_digest)
        async with self.locks.setdefault(place, asyncio.Lock()):
            async with self.database.reading() as session:
                actions = await load_actions(session, decision.id)
                still_open = {action.id for action in await load_open_actions(session, decision.id)}
            earlier: list[ActionRow] = []
            for action in actions:
                outcome = await self._perform(decision, action, earlier) if action.id in still_open else action.outcome
                earlier.append(replace(action, outcome=outcome))
            async with self.database.transaction() as session:
                await finish_decision(session, decision.id)
        self.wake()

    async def _perform(self, decision: DecisionRow, action: ActionRow, earlier: Sequence[ActionRow]) -> str:
        try:
            await self._require_current(decision, action)
            require_ready(action, earlier)
            outcome, detail = "done", await self._perform_in_time(decision, action)
        except UnavailableError as error:
            await self._record(decision, action, "failed", str(error))
            raise
        except (Skipped, MissingError) as error:
            outcome, detail = "skipped", str(error)
        except (RefusedError, InputError) as error:
            outcome, detail = "refused", str(error)
        await self._record(decision, action, outcome, detail)
        return outcome

    async def _perform_in_time(self, decision: DecisionRow, action: ActionRow) -> str:
        try:
            async with asyncio.timeout(self.max_action_s):
                return await self.performer.perform(decision, action)
        except TimeoutError as error:
            raise UnavailableError(f"{action.kind} took longer than {self.max_action_s:g} s") from error

    async def _require_current(self, decision: DecisionRow, action: ActionRow) -> None:
        """Raise Skipped where a later decision stands: what was clean when this one was taken is not signed after it turned out otherwise."""
        if action.kind == "release":  # a person's wish
            return
        async with self.database.reading() as session:
            latest = await load_latest_decision(session, decision.host, decision.repository, digest=decision.image_digest)
        if latest is not None and latest.id != decision.id:
            raise Skipped("a later decision on this image stands")

    async def _record(self, decision: DecisionRow, action: ActionRow, outcome: str, detail: str) -> None:
        async with self.database.transaction() as session:
            await record_action(session, action.id, outcome=outcome, detail=detail, attempt=action.attempts + 1)
            await record_audit(
                session,
                actor=str(action.parameters.get("requested_by", "pratique")),
                verb=action.kind,
                subject=f"{decision.host}/{decision.repository}@{decision.image_digest}",
                detail={"outcome": outcome, "detail": detail, "decision_id": decision.id},
                correlation_id=decision.correlation_id,
            )
        ACTIONS.labels(kind=action.kind, outcome=outcome).inc()
        _log.info("action.performed", kind=action.kind, outcome=outcome, detail=detail)


def as_case(scan: ScanRow, image_digest: str, state: StateRow | None) -> Case:
    """What to judge after a scan, with the advisories that the fleet is at."""
    return Case(
        scan_id=scan.scan_id,
        repository_id=scan.repository_id,
        host=scan.host,
        repository=scan.repository,
        tag=scan.tag,
        digest=Digest.parse(image_digest),
        feed_snapshot=scan.feed_snapshot if state is None else state.digest,
    )
