"""What analyzers of line-based records share: stanzas, checked words, and problems told after all that could be read was yielded."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from pratique.errors import InvalidRecord, LimitExceeded
from pratique.inventory.analyzer import LayerFile

MAX_WORD = 512  # characters of a name or version: real ones stay below 256; longer ones only fill databases and reports
MAX_STANZAS = 200_000  # all of Debian has 70,000 packages; a database of one-line stanzas would fill the memory
MAX_BROKEN = 1_000  # a file with more broken stanzas is no package database: random bytes must not cost time per line

WHOLE_STANZA = b""

# States of dpkg and opkg, which took over dpkg's and added two: files of a package whose script failed are there.
_ON_DISK = frozenset(
    b"installed triggers-pending triggers-awaited half-configured half-installed unpacked post-inst-failed removal-failed".split()
)
_NOT_ON_DISK = frozenset({b"not-installed", b"config-files"})

FactT = TypeVar("FactT")

Fields = Mapping[bytes, bytes]
"""The wanted fields of one stanza: name to raw value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stanza:
    """A run of `name: value` lines. `line` is where it begins, `problem` something in it that is no such line."""

    line: int
    fields: Fields
    problem: str = ""


def checked_word(raw: bytes | None, what: str) -> str:
    """Decode a name or version: printable ASCII without spaces, at most MAX_WORD characters.

    Raises InvalidRecord for anything else, and for a missing or empty one; one of slashes only is empty in a package URL.
    """
    text = (raw or b"").strip().decode("ascii", "replace")
    if not text.strip("/"):
        raise InvalidRecord(f"no {what}")
    if len(text) > MAX_WORD or " " in text or not (text.isascii() and text.isprintable()):
        raise InvalidRecord(f"expected a {what} of printable ASCII, got {text[:40]!r}")
    return text


def is_on_disk(status: bytes | None, name: str) -> bool:
    """Tell from a Status field, whose last word is the state, whether a package's files are there; without the field they are.

    Raises InvalidRecord for an unknown state.
    """
    if status is None:
        return True
    state = status.split()[-1:]
    if state and state[0] in _ON_DISK:
        return True
    if state and state[0] in _NOT_ON_DISK:
        return False
    raise InvalidRecord(f"{name} has the unknown Status {status[:60]!r}")


def parse_stanzas(file: LayerFile, wanted: frozenset[bytes], parse: Callable[[Fields], FactT | None]) -> Iterator[FactT]:
    """Yield what `parse` makes of each stanza of a file. The field without a name, WHOLE_STANZA, is the stanza's text, if that is wanted.

    Raises InvalidRecord, after everything readable was yielded, if any stanza was broken, and LimitExceeded for more than MAX_STANZAS.
    """
    broken = 0
    first = ""
    for number, stanza in enumerate(_read_stanzas(file.content, wanted), 1):
        fact, problem = _parse_stanza(stanza, parse)
        if fact is not None:
            yield fact
        if problem:
            broken += 1
            first = first or f"line {stanza.line}: {problem}"
        if broken > MAX_BROKEN:
            break
        if number >= MAX_STANZAS:
            raise LimitExceeded(f"more than {MAX_STANZAS} stanzas")
    if broken:
        raise InvalidRecord(f"{broken} broken stanzas, the first at {first}")


def _parse_stanza(stanza: Stanza, parse: Callable[[Fields], FactT | None]) -> tuple[FactT | None, str]:
    try:
        return parse(stanza.fields), stanza.problem
    except InvalidRecord as error:
        return None, stanza.problem or str(error)


def _read_stanzas(content: bytes, wanted: frozenset[bytes]) -> Iterator[Stanza]:
    """Split into stanzas at empty lines, LF or CRLF. Lines that begin with a blank continue a value; the wanted ones have one line."""
    fields: dict[bytes, bytes] = {}
    start, problem, begin, end = 0, "", 0, 0
    for number, line in enumerate(io.BytesIO(content), 1):  # lazily: a list of 64 million empty lines would fill the memory
        if line in (b"\n", b"\r\n"):
            if start:
                yield _stanza(start, fields, problem, content[begin:end] if WHOLE_STANZA in wanted else b"")
                fields, start, problem = {}, 0, ""
            begin = end + len(line)
        elif not start or line[0] not in b" \t":
            start = start or number
            problem = _read_field(line, wanted, fields) or problem
        end += len(line)
    if start:
        yield _stanza(start, fields, problem, content[begin:end] if WHOLE_STANZA in wanted else b"")


def _stanza(line: int, fields: dict[bytes, bytes], problem: str, text: bytes) -> Stanza:
    return Stanza(line=line, fields={**fields, WHOLE_STANZA: text} if text else fields, problem=problem)


def _read_field(line: bytes, wanted: frozenset[bytes], fields: dict[bytes, bytes]) -> str:
    """Keep the line's field if it is wanted; answer what is wrong with the line."""
    name, colon, value = line.partition(b":")
    if not colon:
        return f"expected a field, got {line[:40]!r}"
    if name and name in wanted:
        if name in fields:
            return f"{name!r} twice"
        fields[name] = value
    return ""
