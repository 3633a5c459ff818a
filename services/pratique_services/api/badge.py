"""The badge: an image's verdict as a small picture for a README."""

from __future__ import annotations

_COLOURS = {"pass": "#1a7f37", "fail": "#c62828", "incomplete": "#9a6700"}
_UNKNOWN = "#57606a"
_LABEL = "pratique"
_CHARACTER = 7  # pixels, about, of 11 px Verdana
_SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img" aria-label="{label}: {word}">'
    "<title>{label}: {word}</title>"
    '<rect width="{width}" height="20" rx="3" fill="#24292f"/>'
    '<path d="M{start} 0h{tail}a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3H{start}z" fill="{colour}"/>'
    '<g fill="#fff" font-family="Verdana,Geneva,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">'
    '<text x="{label_at}" y="14">{label}</text><text x="{word_at}" y="14">{word}</text></g></svg>'
)


def render_badge(word: str) -> bytes:
    """Draw one of our own words: a verdict, or `unknown`."""
    start, room = len(_LABEL) * _CHARACTER + 12, len(word) * _CHARACTER + 12
    drawn = _SVG.format(
        width=start + room,
        start=start,
        tail=room - 3,
        colour=_COLOURS.get(word, _UNKNOWN),
        label=_LABEL,
        word=word,
        label_at=start / 2,
        word_at=start + room / 2,
    )
    return drawn.encode()
