"""Why a decision was taken without a push or a scan: what newer advisories changed in the image. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvisoryChange:
    """What became of one advisory for one package (a purl) of the image.

    `kind` is a word of `storage.match_changes.ChangeKind`, or `exploited`; `severity` the word that counts now.
    """

    kind: str
    id: str
    package: str = ""
    severity: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Newer advisories that led to a decision without a push or a scan: what they changed in the image, worst first, and how many changes `more`."""

    changes: Sequence[AdvisoryChange] = ()
    more: int = 0


# At import: msgspec resolves a type at its first use, and two threads that do so at once crash the interpreter.
msgspec.json.Decoder(Cause)


def parse_cause(stored: Mapping[str, Any] | None) -> Cause | None:
    """Read what is stored with a decision; None for a scan's own decision, and for causes other than advisories."""
    if stored is None or stored.get("kind") != "advisories":
        return None
    return msgspec.convert(stored, Cause)


def describe_change(change: AdvisoryChange) -> str:
    """Say in one line what became of an advisory: `CVE-2026-1 in pkg:deb/debian/zlib@1.2 appeared (critical)`."""
    where = f" in {change.package.partition('?')[0]}" if change.package else ""
    happened = _HAPPENED.get(change.kind, change.kind)
    severity = "" if change.kind in _ENDED or not change.severity else f" ({change.severity})"
    return f"{change.id}{where} {happened}{severity}"


_HAPPENED = {
    "appeared": "appeared",
    "worsened": "is now rated worse",
    "eased": "is now rated less severe",
    "exploited": "became known to be exploited",
    "fix-available": "has a fix now",
    "resolved": "was resolved: it does not affect this version any more",
    "retracted": "was retracted by its publisher",
    "reopened": "affects it again",
    "renamed": "goes by this name now",
}
_ENDED = frozenset({"resolved", "retracted"})  # its severity does not matter any more
