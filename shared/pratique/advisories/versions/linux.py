"""The order of the Linux kernel's versions: `6.1`, `6.1.55`, `2.6.32.71`, `6.12-rc3`.

Source: kernel.org, "Active kernel releases". Only `-rc` comes before its release. What a distribution appends (`6.1.55-gentoo`) has no place in the order:
it names the same release of kernel.org.
"""

from __future__ import annotations

import re

from pratique.advisories.versions.scheme import MAX_VERSION_LENGTH, refused

_VERSION = re.compile(r"v?([0-9]+(?:\.[0-9]+)*)(?:-rc([0-9]+))?(?:[-+~_][0-9A-Za-z.+~_-]*)?")

Key = tuple[tuple[int, ...], bool, int]


def key(version: str) -> Key:
    """Compute the sort key of a kernel's version.

    Raises InvalidVersion.
    """
    match = _VERSION.fullmatch(version) if len(version) <= MAX_VERSION_LENGTH else None
    if match is None:
        raise refused("a version of Linux", version)
    numbers = [int(part) for part in match[1].split(".")]
    while numbers[-1:] == [0]:
        numbers.pop()
    return tuple(numbers), match[2] is None, int(match[2] or 0)
