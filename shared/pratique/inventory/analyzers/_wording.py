"""What packages say about themselves in free text (licences, authors), cut down to one printable line."""

from __future__ import annotations

from collections.abc import Iterable

MAX_LINE = (
    200  # characters of a licence or a vendor: the longest SPDX expressions in use; whole licence texts would fill databases and reports
)
MAX_LINES = 50  # licences of one package: no real one has more than a dozen, an attacker's has a million

_UNKNOWN = frozenset({"", "UNKNOWN", "unknown"})  # what setuptools wrote for a field that the author had left out


def one_line(raw: str | bytes | None, limit: int = MAX_LINE) -> str:
    """Return the text with what is not printable replaced by blanks, runs of blanks as one, and at most `limit` characters. Never raises."""
    if raw is None:
        return ""
    head = raw[: 4 * limit]
    text = head.decode("utf-8", "replace") if isinstance(head, bytes) else head
    if not text.isprintable():
        text = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(text.split())[:limit].rstrip()


def known_lines(raw: Iterable[str | bytes | None]) -> tuple[str, ...]:
    """Return what is said there, each once, in its order, without those that say nothing."""
    found: dict[str, None] = {}
    for text in raw:
        line = one_line(text)
        if line not in _UNKNOWN:
            found[line] = None
        if len(found) >= MAX_LINES:
            break
    return tuple(found)
