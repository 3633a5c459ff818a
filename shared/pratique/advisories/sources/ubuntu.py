"""Canonical's own OSV feed: notices (USN) and what Ubuntu says of CVEs (UBUNTU-CVE). Source: https://security-metadata.canonical.com/osv/osv-all.tar.xz.

The records are OSV's, and `parse_advisory` reads them. What is Ubuntu's own is added here.

1. The channel that has a package is in its URL: `distro=esm-infra/xenial`, `distro=trusty/esm`. Ecosystems `Ubuntu:Pro:…` without one have the channel `pro`.
2. The state of what is not fixed, where `ecosystem_specific` or `database_specific` has one. `DNE` (the release does not have the package) and what is being looked into are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec

from pratique.advisories.advisory import Advisory, Affected, EventKind, FixState
from pratique.advisories.osv import parse_advisory
from pratique.advisories.sources._documents import Document, read_documents
from pratique.advisories.sources.source import Problem, Source, SourceLimits, printable, skipped
from pratique.errors import InvalidAdvisory

_NAME = "ubuntu-osv"
_PRO = "Ubuntu:Pro:"
_CHANNEL = re.compile(r"[?&]distro=(?P<channel>[a-z0-9-]{1,40})(?:/|%2[fF])(?P<series>[a-z0-9-]{1,40})")
_MAX_NOTE = 40
_STATES = {
    "needed": FixState.AFFECTED,
    "pending": FixState.AFFECTED,
    "released": FixState.AFFECTED,
    "active": FixState.AFFECTED,
    "vulnerable": FixState.AFFECTED,
    "deferred": FixState.DEFERRED,
    "ignored": FixState.WILL_NOT_FIX,
    "wont-fix": FixState.WILL_NOT_FIX,
    "end-of-life": FixState.END_OF_LIFE,
    "not-affected": FixState.NOT_AFFECTED,
}
_SILENT = frozenset({"dne", "needs-triage", "under_investigation"})


class _Package(msgspec.Struct, frozen=True):
    purl: str | None = None


class _Specific(msgspec.Struct, frozen=True):
    status: object = None
    state: object = None


class _Entry(msgspec.Struct, frozen=True):
    package: _Package | None = None
    ecosystem_specific: _Specific | None = None
    database_specific: _Specific | None = None


class _Record(msgspec.Struct, frozen=True):
    affected: list[_Entry] | None = None


_DECODER = msgspec.json.Decoder(_Record)


def read(folder: Path, limits: SourceLimits) -> Iterator[Advisory | Problem]:
    """Read the archive of all records and those that changed since; withdrawn ones are left out."""
    seen: set[str] = set()
    for item in read_documents(folder, _NAME, limits):
        if isinstance(item, Problem):
            yield item
            continue
        try:
            advisory = parse_ubuntu(item.content)
            if advisory is not None:
                _check_new(advisory, item, seen)
        except InvalidAdvisory as error:
            yield skipped(_NAME, item.name, error)
            continue
        if advisory is not None:
            yield advisory


def _check_new(advisory: Advisory, document: Document, seen: set[str]) -> None:
    if advisory.id in seen:
        raise InvalidAdvisory(f"{advisory.id} is there twice, again in {document.name[:140]!r}")
    seen.add(advisory.id)


def parse_ubuntu(content: bytes) -> Advisory | None:
    """Parse one record; a withdrawn one is None.

    Raises InvalidAdvisory.
    """
    advisory = parse_advisory(content)
    if advisory is None:
        return None
    try:
        record = _DECODER.decode(content)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise InvalidAdvisory(f"not a record of Ubuntu's: {error}") from error
    own = (entry for entry in record.affected or [] if entry.package is not None)
    pairs = zip(advisory.affected, own, strict=True)
    return replace(advisory, affected=tuple(entry for said, raw in pairs if (entry := _completed(said, raw))))


def _completed(said: Affected, raw: _Entry) -> Affected | None:
    channel = _channel(said.ecosystem, raw)
    word = _word(raw)
    status = word.partition(" ")[0].lower()  # `ignored (end of life)`
    if status in _SILENT:
        return None
    is_fixed = any(event.kind is EventKind.FIXED for events in said.ranges for event in events)
    if is_fixed or not status:
        return replace(said, channel=channel)
    state = FixState.END_OF_LIFE if "end of life" in word.lower() else _STATES.get(status, FixState.AFFECTED)
    if state is FixState.NOT_AFFECTED:
        return replace(said, channel=channel, state=state, note=word, ranges=(), versions=())
    return replace(said, channel=channel, state=state, note=word)


def _channel(ecosystem: str, raw: _Entry) -> str:
    match = _CHANNEL.search(raw.package.purl or "") if raw.package else None
    if match is None:
        return "pro" if ecosystem.startswith(_PRO) else ""
    return match["series"] if match["series"].startswith("esm") else match["channel"]  # `trusty/esm`, in older records


def _word(raw: _Entry) -> str:
    """The state as the record has it, empty where it has none."""
    specifics = [specific for specific in (raw.ecosystem_specific, raw.database_specific) if specific]
    values = (value for specific in specifics for value in (specific.status, specific.state))
    return next((printable(value, _MAX_NOTE) for value in values if isinstance(value, str) and value), "")


SOURCE = Source(name=_NAME, ecosystems=("Ubuntu",), read=read)
