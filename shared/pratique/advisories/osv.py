"""Reads one OSV record. Source: the OSV schema, https://ossf.github.io/osv-schema/, 1.7.

Strict where a slip would change what matches: types, event objects, names of packages. Aliases and texts that are only shown are cleaned and cut instead
of refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

import msgspec

from pratique.advisories.advisory import MODULE_RELEASE, Advisory, Affected, Event, EventKind
from pratique.errors import InvalidAdvisory

MAX_RECORD_BYTES = 32 * 1024 * 1024  # Ubuntu's kernel records reach some MB; protects memory, which is a small multiple of it
MAX_ALIASES = 2000  # a kernel update names hundreds of CVEs; protects the alias table
MAX_STREAMS = 4  # an update is of one module stream, or two; protects memory
MAX_REFERENCES = 12  # shown in reports; protects their size
MAX_VECTORS = 8  # protects the time that scoring takes
_MAX_REFERENCE_LENGTH = 500
_MAX_TITLE_LENGTH = 200
_MAX_NAME_LENGTH = 512
_MAX_VECTOR_LENGTH = 400

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+-]{0,127}")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?Z")
_UPDATE = re.compile(r"(?:AL|RL|RX)[SBE]A-")
_RATED_TITLE = re.compile(
    r"(Critical|Important|Moderate|Low): "
)  # AlmaLinux and Rocky rate nowhere else: `Important: kernel security update`
_STREAM = re.compile(r"(?<![\w.+-])[A-Za-z][\w.+-]*:[\w.+-]*[A-Za-z0-9]")  # `nodejs:18`, in `Important: nodejs:18 security update`
_URL = re.compile(r"https?://[!-~]+")  # others (javascript:, file:) must not become links


class _Severity(msgspec.Struct, frozen=True):
    type: str
    score: str


class _Specific(msgspec.Struct, frozen=True):
    severity: object = None  # a word, but some publishers put objects here


class _Package(msgspec.Struct, frozen=True):
    ecosystem: str
    name: str


class _Range(msgspec.Struct, frozen=True):
    type: str
    events: list[dict[str, str]] = []


class _Affected(msgspec.Struct, frozen=True):
    package: _Package | None = None
    ranges: list[_Range] | None = None
    versions: list[str] | None = None
    severity: list[_Severity] | None = None
    database_specific: _Specific | None = None
    ecosystem_specific: _Specific | None = None


class _Reference(msgspec.Struct, frozen=True):
    url: str = ""


class _Record(msgspec.Struct, frozen=True):
    id: str
    modified: str
    published: str = ""
    withdrawn: str | None = None
    aliases: list[str] | None = None
    upstream: list[str] | None = None
    related: list[str] | None = None
    summary: str | None = None
    details: str | None = None
    severity: list[_Severity] | None = None
    affected: list[_Affected] | None = None
    references: list[_Reference] | None = None
    database_specific: _Specific | None = None


_DECODER = msgspec.json.Decoder(_Record)


def parse_advisory(content: bytes) -> Advisory | None:
    """Parse one record; a withdrawn one is None.

    Raises InvalidAdvisory.
    """
    if len(content) > MAX_RECORD_BYTES:
        raise InvalidAdvisory(f"record of {len(content)} bytes; the limit is {MAX_RECORD_BYTES}")
    try:
        record = _DECODER.decode(content)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise InvalidAdvisory(f"not an OSV record: {error}") from error
    if record.withdrawn:
        return None
    if not _TIME.fullmatch(record.modified):
        raise InvalidAdvisory(f"expected an RFC 3339 time in UTC as modified, got {record.modified[:64]!r}")
    identifier = _identifier(record.id)
    equals = _unique(record.aliases or [], without=identifier)
    return Advisory(
        id=identifier,
        modified=record.modified,
        aliases=_unique([*equals, *(name for name in _fixed_here(record) if name.startswith("CVE-"))], without=identifier),
        equals=equals,
        title=_title(record),
        references=tuple(reference.url for reference in record.references or [] if _is_link(reference.url))[:MAX_REFERENCES],
        words=_words(record),
        vectors=_vectors(record.severity or ()),
        affected=tuple(_by_stream(record)),
        published=record.published if _TIME.fullmatch(record.published) else "",
    )


def _identifier(text: str) -> str:
    if not _ID.fullmatch(text):
        raise InvalidAdvisory(f"expected a record id of up to 128 letters, digits and ._:+-, got {text[:140]!r}")
    return text


def _unique(names: list[str], *, without: str) -> tuple[str, ...]:
    if len(names) > MAX_ALIASES:
        raise InvalidAdvisory(f"{len(names)} aliases; the limit is {MAX_ALIASES}")
    cleaned = {name.strip(" ,;") for name in names}  # some publishers leave separators in; what is no name after that is no alias
    return tuple(sorted((name for name in cleaned - {without} if _ID.fullmatch(name)), key=_cve_first))


def _fixed_here(record: _Record) -> list[str]:
    """What an update fixes. AlmaLinux and Rocky name it as related, where others name other flaws."""
    return (record.upstream or []) + ((record.related or []) if _UPDATE.match(record.id) else [])


def _cve_first(name: str) -> tuple[bool, str]:
    return not name.startswith("CVE-"), name


def _is_link(url: str) -> bool:
    return len(url) <= _MAX_REFERENCE_LENGTH and _URL.fullmatch(url) is not None


def _title(record: _Record) -> str:
    start = (record.summary or record.details or "")[: 8 * _MAX_TITLE_LENGTH]
    # control and bidirectional characters would let a title rewrite a terminal or a page
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in start).split()).lstrip("# ")
    return text if len(text) <= _MAX_TITLE_LENGTH else f"{text[: _MAX_TITLE_LENGTH - 1]}…"


def _words(record: _Record) -> tuple[str, ...]:
    words = _own_words((record.database_specific,), record.severity or ())
    if words or not _UPDATE.match(record.id):
        return words
    title = _RATED_TITLE.match(record.summary or "")
    return (title[1],) if title else ()


def _own_words(specifics: Iterable[_Specific | None], scores: Iterable[_Severity]) -> tuple[str, ...]:
    words = [specific.severity for specific in specifics if specific is not None and isinstance(specific.severity, str)]
    words += [score.score for score in scores if not score.type.startswith("CVSS")]
    return tuple(dict.fromkeys(word for word in words if word))


def _vectors(scores: Iterable[_Severity]) -> tuple[str, ...]:
    found = (score.score for score in scores if score.type.startswith("CVSS") and len(score.score) <= _MAX_VECTOR_LENGTH)
    return tuple(dict.fromkeys(found))[:MAX_VECTORS]


def _by_stream(record: _Record) -> Iterator[Affected]:
    """The entries of a record. Updates of AlmaLinux and Rocky name the module stream in the title alone; without it they would be about every stream, and about packages of none."""
    streams = _streams(record.summary or "") if _UPDATE.match(record.id) else ()
    for entry in record.affected or []:
        if entry.package is None:
            continue
        affected = _affected(entry.package, entry)
        if streams and any(MODULE_RELEASE in event.version for events in affected.ranges for event in events):
            yield from (replace(affected, module=stream) for stream in streams)
        else:
            yield affected


def _streams(summary: str) -> tuple[str, ...]:
    """The module streams that a title names; none of more than MAX_STREAMS, so that the record is about all."""
    found = tuple(dict.fromkeys(_STREAM.findall(summary[:_MAX_TITLE_LENGTH])))
    return found if len(found) <= MAX_STREAMS else ()


def _affected(package: _Package, entry: _Affected) -> Affected:
    ranges = entry.ranges or []
    return Affected(
        ecosystem=_name(package.ecosystem),
        name=_name(package.name),
        ranges=tuple(_events(range_) for range_ in ranges if range_.type != "GIT"),
        versions=tuple(dict.fromkeys(entry.versions or [])),
        git_ranges=sum(range_.type == "GIT" for range_ in ranges),
        words=_own_words((entry.database_specific, entry.ecosystem_specific), entry.severity or ()),
        vectors=_vectors(entry.severity or ()),
    )


def _name(text: str) -> str:
    if not text or len(text) > _MAX_NAME_LENGTH or not text.isprintable():
        raise InvalidAdvisory(f"expected a printable name of up to {_MAX_NAME_LENGTH} characters, got {text[:140]!r}")
    return text


def _events(range_: _Range) -> tuple[Event, ...]:
    if range_.type not in {"ECOSYSTEM", "SEMVER"}:
        raise InvalidAdvisory(f"expected a range of type ECOSYSTEM, SEMVER or GIT, got {range_.type[:64]!r}")
    return tuple(map(_event, range_.events))


def _event(raw: dict[str, str]) -> Event:
    if len(raw) != 1:
        raise InvalidAdvisory(f"expected exactly one of introduced, fixed, last_affected and limit in an event, got {sorted(raw)[:4]}")
    ((kind, version),) = raw.items()
    try:
        return Event(kind=EventKind(kind), version=version)
    except ValueError as error:
        raise InvalidAdvisory(f"unknown event {kind[:64]!r}") from error
