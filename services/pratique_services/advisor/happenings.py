"""What became of matches in images, and what of it people want to hear."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from pratique.deciding.decider import Judgement
from pratique.deciding.relevance import NEWS_OF_CRITICALS
from pratique.findings import Severity
from pratique.policy.evaluate import standing_findings
from pratique.storage.holdings import Holding
from pratique.storage.match_changes import ChangeKind
from pratique.storage.notifications import load_claimed
from pratique.storage.rejudgements import EventRow, RejudgedImage, load_events

_TOLD_CHANGES = 20  # in a decision's cause: the rest is counted

Key = tuple[int, str]
"""An image and the repository that it is in (RejudgedImage.key)."""


@dataclass(slots=True, kw_only=True)
class Happenings:
    """The events of positions of the advisory state, loaded once: there are as many as matches changed, however many images hold them."""

    by_position: dict[int, Mapping[int, Sequence[EventRow]]] = field(default_factory=dict)

    async def inside(
        self, session: AsyncSession, images: Sequence[RejudgedImage], holdings: Mapping[str, Holding]
    ) -> Mapping[Key, Sequence[EventRow]]:
        """Load what happened in each image at the position that it was ordered for; `holdings` are by digest."""
        found: dict[Key, Sequence[EventRow]] = {}
        for image in images:
            events = await self._load(session, image.position)
            changed = (package for package in holdings[image.digest].package_ids if package in events)
            found[image.key] = [event for package in changed for event in events[package]]
        return found

    async def _load(self, session: AsyncSession, position: int) -> Mapping[int, Sequence[EventRow]]:
        if position not in self.by_position:
            self.by_position[position] = await load_events(session, position)
        return self.by_position[position]


def cause_of(events: Iterable[EventRow], position: int, database: str) -> Mapping[str, Any]:
    """What a decision that newer advisories led to says of them, worst first."""
    worst = sorted(events, key=lambda event: (-event.severity, event.advisory, event.package))
    return {
        "kind": "advisories",
        "position": position,
        "database": database,
        "changes": [
            {"kind": event.kind, "id": event.cve, "package": event.package, "severity": str(Severity(event.severity))}
            for event in worst[:_TOLD_CHANGES]
        ],
        "more": max(0, len(worst) - _TOLD_CHANGES),
    }


async def find_news(session: AsyncSession, images: Sequence[RejudgedImage], events: Mapping[Key, Sequence[EventRow]]) -> frozenset[Key]:
    """Tell in which images something happened that their repositories were not told of."""
    pairs = {image.key: {(f"{image.host}/{image.repository}", key) for key in map(key_of, events[image.key]) if key} for image in images}
    claimed = await load_claimed(session, (pair for of_image in pairs.values() for pair in of_image))
    return frozenset(key for key, of_image in pairs.items() if not of_image <= claimed)


def key_of(event: EventRow) -> str:
    """The key by which chat tells of it once; empty where it does not."""
    if event.kind == ChangeKind.EXPLOITED:
        return f"exploited:{event.cve}"
    return event.cve if event.kind in NEWS_OF_CRITICALS and event.severity == Severity.CRITICAL else ""


def has_news(judged: Judgement, events: Sequence[EventRow]) -> bool:
    """Tell whether what happened stands, where a tag points to the image: a waiver may cover it."""
    names = {event.advisory for event in events if key_of(event)}
    concerned = [finding for finding in judged.evidence.findings if finding.id in names]
    return bool(judged.subject.tags) and bool(standing_findings(judged.policy, concerned, judged.subject, dt.datetime.now(dt.UTC)))
