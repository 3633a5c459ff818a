"""Keys for versions that are compared as if both went on with zeros for ever: RubyGems' and Conda's.

There `1` equals `1.0`, while a word is lower than 0: `1.0.a` < `1` < `1.0.1`. So the zeros of a version cannot just be compared one by one. What a version
holds that is not 0 is kept with the number of zeros before it: more zeros bring a higher value nearer to the end, and a lower value too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Key = tuple[Any, ...]  # values of one type wherever two keys can meet

_BELOW, _END, _ABOVE = range(3)


def padded(elements: Iterable[tuple[int, Any]]) -> Key:
    """Compute the sort key of (sign, value) elements: sign -1 for a value below zero, 0 for zero and 1 for one above it.

    The values of one sign must be comparable.
    """
    values: list[Any] = []
    zeros = 0
    for sign, value in elements:
        if sign == 0:
            zeros += 1
            continue
        values += (_BELOW, zeros, value) if sign < 0 else (_ABOVE, -zeros, value)
        zeros = 0
    values.append(_END)
    return tuple(values)
