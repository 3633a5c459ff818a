"""Text that a terminal shows and does not obey."""

from __future__ import annotations


def printable(text: str) -> str:
    """Replace what a terminal would act upon: line breaks and tabs by spaces; escapes, control and direction-changing characters by U+FFFD."""
    return text if text.isprintable() else "".join(map(_shown, text))


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    return " " if character.isspace() else "\ufffd"
