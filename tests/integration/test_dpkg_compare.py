"""Our order of Debian versions against the tool that defines it."""

import random
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

from pratique.advisories.versions import compare
from pratique.errors import InvalidVersion
from tests.support.osv_mirror import read_extract

_NASTY = [
    *(
        "0",
        "00",
        "0-0",
        "0:0",
        "0~",
        "0~~",
        "0~-~",
        "1",
        "1.",
        "1.0",
        "1.00",
        "1-0",
        "1-1",
        "1~",
        "1~-1",
        "1-~",
        "1-1~",
        "1+",
        "1+-+",
        "1a",
        "1A",
        "1.a",
        "1-a",
    ),
    *(
        "1:0",
        "1:1",
        "2:0-1",
        "1:2:3-4",
        "1-1-1",
        "1.0-1+b1",
        "1.0-1~bpo1",
        "1.0+really0.9",
        "1.0+dfsg",
        "1.0.dfsg",
        "1.0~dfsg",
        "a",
        "a0",
        "z",
        "Z",
        "~",
        "+",
        ".",
    ),
    *(
        "9999999999",
        "10000000000",
        "1.1.1n-0+deb11u3",
        "1.1.1n-0+deb11u4",
        "1.1.1n-0+deb11u10",
        "2.31-13+deb11u5",
        "2.31-13",
        "2.31-13~deb11u5",
    ),
]
_PAIRS = 1500


def _dpkg(pair: tuple[str, str]) -> int | None:
    """What dpkg says of two versions: -1, 0, 1, or None where it refuses one of them."""
    for relation, answer in (("lt", -1), ("eq", 0)):
        done = subprocess.run(["dpkg", "--compare-versions", pair[0], relation, pair[1]], capture_output=True, text=True, check=False)
        if "error" in done.stderr:
            return None
        if done.returncode == 0:
            return answer
    return 1


def _ours(pair: tuple[str, str]) -> int | None:
    try:
        return compare("Debian", *pair)
    except InvalidVersion:
        return None


def _real_versions() -> list[str]:
    events = (
        event
        for record in read_extract("Debian")
        for entry in record["affected"]
        for range_ in entry["ranges"]
        for event in range_["events"]
    )
    return sorted({version for event in events for version in event.values() if version != "0"})


def _neighbour(chance: random.Random, version: str) -> str:
    """The version with one small change: most slips show between near neighbours."""
    place = chance.randrange(len(version) + 1)
    changed = version[:place] + chance.choice("0129a~+.-Z:") + version[place + chance.choice((0, 0, 1)) :]
    return re.sub(r"-$", "", changed) or "0"


def _pairs() -> list[tuple[str, str]]:
    chance = random.Random(20240229)
    pool = [*_NASTY, *_real_versions()]
    pairs = []
    while len(pairs) < _PAIRS:
        first = chance.choice(pool)
        second = _neighbour(chance, first) if chance.random() < 0.6 else chance.choice(_NASTY)
        pairs.append((first, second) if chance.random() < 0.5 else (second, first))
    return pairs


def test_our_order_is_that_of_dpkg() -> None:
    pairs = _pairs()
    with ThreadPoolExecutor(2) as pool:
        theirs = list(pool.map(_dpkg, pairs))
    assert sum(answer is not None for answer in theirs) > _PAIRS * 0.8
    assert [(pair, answer, _ours(pair)) for pair, answer in zip(pairs, theirs, strict=True) if _ours(pair) != answer] == []
