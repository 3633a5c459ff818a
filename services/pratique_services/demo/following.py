"""One push and what becomes of it, told as it happens: push, event, scan, verdict, actions."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from pratique.oci import media_types
from pratique.oci.digest import Digest
from pratique.policy.verdict import Verdict, VerdictStatus
from pratique.storage.decisions import DecisionRow
from pratique.storage.engine import Database
from pratique.storage.queries import StatusView, load_status
from pratique_services.demo.console import VERDICT_STYLES, Narrator
from pratique_services.demo.images import SampleImage, push_blobs
from pratique_services.demo.site import Site

PATIENCE = 30.0  # seconds for one push; it takes one on an idle machine
_POLL = 0.1


class NothingCame(Exception):
    """The demo waited for something in vain; the text says for what, and what was there instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a push. `actions` are outcomes by kind, `seconds` the time from push to decision, `fetched` the bytes of layers read for it."""

    repository: str
    tag: str
    image: SampleImage
    decision: DecisionRow
    actions: dict[str, str]
    seconds: float
    fetched: int

    @property
    def name(self) -> str:
        """`repository:tag`."""
        return f"{self.repository}:{self.tag}"

    @property
    def reason(self) -> str:
        """What decided the verdict: the first of its reasons. With a pass, all of them are notes."""
        verdict = self.decision.verdict
        return verdict.reasons[0].message if verdict.status is not VerdictStatus.PASS else "nothing that the policy forbids"


@dataclass(frozen=True, slots=True, kw_only=True)
class Follower:
    """Pushes images and follows them."""

    site: Site
    database: Database
    narrator: Narrator

    async def push(self, repository: str, tag: str, image: SampleImage) -> Outcome:
        """Push an image over the distribution API and tell what happens until its decision is taken and its actions are done.

        Raises NothingCame.
        """
        before = {layer: self.site.meter.count(layer) for layer in image.layer_digests}
        await push_blobs(self.site.client, repository, image)
        pushed_at = dt.datetime.now(dt.UTC)
        await self.site.client.push_document(repository, image.manifest, media_types.OCI_MANIFEST, tag=tag)
        size = sum(map(len, image.layers))
        self.narrator.fact("push", f"{repository}:{tag}  {str(image.digest)[:19]}  {len(image.layers)} layers of {size} bytes", seconds=0)
        telling = _Telling(narrator=self.narrator, pushed_at=pushed_at, layers=len(image.layers))
        async with _patience(f"a decision on {repository}:{tag}", telling):
            while not telling.is_over:
                await asyncio.sleep(_POLL)
                async with self.database.reading() as session:
                    telling.status = await load_status(session, self.site.client.host, repository, digest=image.digest)
                telling.fetched = {layer: size for layer in before if (size := self.site.meter.count(layer) - before[layer])}
                telling.tell()
        decision = telling.decision()
        return Outcome(
            repository=repository,
            tag=tag,
            image=image,
            decision=decision,
            actions=telling.actions(),
            seconds=(decision.created_at - pushed_at).total_seconds(),
            fetched=sum(telling.fetched.values()),
        )


@dataclass(slots=True, kw_only=True)
class _Telling:
    """What is known of a push, and how much of it was told."""

    narrator: Narrator
    pushed_at: dt.datetime
    layers: int
    status: StatusView | None = None
    fetched: dict[Digest, int] = field(default_factory=dict)
    told: int = 0

    @property
    def is_over(self) -> bool:
        """Tell whether the decision is announced (all its actions are done or given up then), or the scan is given up."""
        if self.status is None or self.status.scan is None:
            return False
        decision = self.status.decision
        return self.status.scan.state == "failed" or (decision is not None and decision.announced_at is not None)

    def decision(self) -> DecisionRow:
        """The decision.

        Raises NothingCame before there is one.
        """
        if self.status is None or self.status.decision is None:
            raise NothingCame(f"expected a decision, found {_describe(self.status)}")
        return self.status.decision

    def actions(self) -> dict[str, str]:
        """The outcome of each action, by kind."""
        return {action.kind: action.outcome for action in self.status.actions} if self.status is not None else {}

    def tell(self) -> None:
        """Tell what has come since."""
        lines = self._lines()
        for label, text, at, style in lines[self.told :]:
            self.narrator.fact(label, text, seconds=max(0.0, (at - self.pushed_at).total_seconds()), style=style)
        self.told = len(lines)

    def _lines(self) -> list[tuple[str, str, dt.datetime, str]]:
        """All that can be told so far. Stages come in order, so that what was told before is the beginning of it."""
        status = self.status
        if status is None or status.scan is None:
            return []
        scan = status.scan
        lines = [("event", f"the webhook came in, and the push is in the ledger as scan {scan.scan_id[:13]}", scan.created_at, "")]
        if scan.finished_at is None or status.decision is None:
            return lines
        fetched = f"{sum(self.fetched.values())} layer bytes fetched"
        read = f"{len(self.fetched)} of {self.layers} layers read, {fetched}" if self.fetched else f"{fetched}: every layer is known"
        lines.append(("scan", read, scan.finished_at, ""))
        lines += [(label, text, status.decision.created_at, style) for label, text, style in _describe_verdict(status.decision.verdict)]
        done = [action for action in status.actions if action.outcome != "planned"]
        lines += [(action.kind, f"{action.outcome}: {action.detail}", action.updated_at, "") for action in done]
        return lines


def _describe_verdict(verdict: Verdict) -> list[tuple[str, str, str]]:
    """The verdict, what decided it, and in grey what is only noted; as label, text and style."""
    decided = 0 if verdict.status is VerdictStatus.PASS else 1
    lines = [("verdict", verdict.status.upper(), VERDICT_STYLES[verdict.status])]
    lines += [("because", reason.message, "") for reason in verdict.reasons[:decided]]
    return lines + [("noted", reason.message, "dim") for reason in verdict.reasons[decided:]]


@contextlib.asynccontextmanager
async def _patience(what: str, telling: _Telling) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(PATIENCE):
            yield
    except TimeoutError as error:
        raise NothingCame(f"expected {what} within {PATIENCE:g} s, found {_describe(telling.status)}") from error


def _describe(status: StatusView | None) -> str:
    if status is None or status.scan is None:
        return "no scan"
    trouble = f" ({status.scan.last_error})" if status.scan.last_error else ""
    actions = ", ".join(f"{action.kind} {action.outcome}: {action.detail}" for action in status.actions)
    return f"a scan that is {status.scan.state}{trouble}, {'actions: ' + actions if actions else 'and no decision'}"
