"""What travels between services: past facts, each a pointer to rows in the database. Pure."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import ClassVar

import msgspec

from pratique.errors import InvalidMessage
from pratique.oci.digest import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class PushEvent:
    """What any vendor's webhook says about one push: a hint, resolved against the registry before anything is believed.

    `source` names the configured webhook source, `event_id` is unique within it. `tag` and `digest` are None where the vendor does not send them;
    at least one is present. `occurred_at` is in UTC.
    """

    source: str
    event_id: str
    host: str
    repository: str
    tag: str | None
    digest: Digest | None
    media_type: str | None = None
    actor: str | None = None
    user_agent: str | None = None
    occurred_at: dt.datetime | None = None


class ImagePushed(msgspec.Struct, frozen=True, kw_only=True, tag="image.pushed"):
    """A scan is wanted. `scan_id` points to its row; `priority` is `push`, `demand` or `rescan`."""

    scan_id: str
    correlation_id: str
    priority: str = "push"

    def __post_init__(self) -> None:
        if self.queue not in SCAN_QUEUES:
            raise ValueError(f"expected a priority of {', '.join(SCAN_QUEUES)}, got {self.priority[:32]!r}")

    @property
    def queue(self) -> str:
        """The queue of this scan's class: classes are kept apart so that re-scans never starve pushes."""
        return f"scan.{self.priority}"


class InventoryRecorded(msgspec.Struct, frozen=True, kw_only=True, tag="inventory.recorded"):
    """A scan's inventory and findings are stored; a decision is due."""

    scan_id: str
    correlation_id: str
    queue: ClassVar[str] = "enforce"


class DecisionRecorded(msgspec.Struct, frozen=True, kw_only=True, tag="decision.recorded"):
    """A decision was taken without a scan, because advisories changed; its actions are to be done."""

    decision_id: str
    correlation_id: str
    queue: ClassVar[str] = "enforce"


class DecisionTaken(msgspec.Struct, frozen=True, kw_only=True, tag="decision.taken"):
    """A decision is stored and its actions are done; chat may hear of it."""

    decision_id: str
    correlation_id: str
    queue: ClassVar[str] = "notify"


class ReleaseRequested(msgspec.Struct, frozen=True, kw_only=True, tag="release.requested"):
    """A person wants an image that a decision quarantined to be put back where it was."""

    decision_id: str
    correlation_id: str
    requested_by: str
    queue: ClassVar[str] = "enforce"


Message = ImagePushed | InventoryRecorded | DecisionRecorded | DecisionTaken | ReleaseRequested

SCAN_QUEUES = ("scan.push", "scan.demand", "scan.rescan")
QUEUES = (*SCAN_QUEUES, InventoryRecorded.queue, DecisionTaken.queue)
"""Every work queue, in order of urgency."""

_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message, strict=True)


def encode_message(message: Message) -> bytes:
    """Serialise to JSON, with the kind in `type`."""
    return _ENCODER.encode(message)


def parse_message(content: bytes) -> Message:
    """Read what `encode_message` wrote.

    Raises InvalidMessage.
    """
    try:
        return _DECODER.decode(content)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise InvalidMessage(f"not a pratique message: {error}") from error
