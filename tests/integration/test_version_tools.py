"""Our order of RPM versions against rpm itself. (Debian's has a file of its own; other tools' answers are in the unit tests' verified_versions.tsv.)"""

import random
import subprocess
from pathlib import Path

from pratique.advisories.versions import compare
from pratique.errors import InvalidVersion

_PAIRS = 20_000
_SHAPES = """
    1.15.0-6.el9_7 0.6.24-9.el10_2.1 1.35-512.1.el10_0 12.1.5-1.el9_2.1.alma 1:10.9.2-1.22.16.0.2.module_el8.10.0+4028+97ddca84 2:3.10.3-5.el10_1.8
    4.18.0-553.16.1.el8_10 4.18.0-553.rt7.342.el8 1.1.1k-12.el8_9 32:9.11.36-16.el8_10.2 2.28-251.el8_10.1 6.2-4.20200222.el8 0~20210101.git1a2b3c-1.fc33
    1.0~rc1^git20200101.abcdef-0.1.fc40 150400.3.1 5.14.21-150400.24.100.2 20230101-lp154.1.1 3.0.0~beta2-1.azl3 1.2.3-2.ph5 2.2.0-1.mga9 1_2_3-4 1.a-1 a b
    1 01 1.0 1..0 1.0. .1 1~ 1^ 1~~ 1^^ 1~^ 1^~ ~1 ^1 0:1 00:1 1:0 1-1 1-1~ 1-~1 1.0-a 1.a0 1.A 1.z 10 9 9999999999999999999999 10000000000000000000000
"""
_LUA = """%{{lua:
    local answers = {{}}
    for line in io.lines("{path}") do
        local first, second = line:match("^(.-)\\t(.*)$")
        answers[#answers + 1] = rpm.vercmp(first, second)
    end
    print(table.concat(answers, " "))
}}"""


def _neighbour(chance: random.Random, version: str) -> str:
    """The version with one small change: most slips show between near neighbours."""
    place = chance.randrange(len(version) + 1)
    return version[:place] + chance.choice("0129aZ.~^+_-") + version[place + chance.choice((0, 0, 1)) :]


def _pairs() -> list[tuple[str, str]]:
    chance = random.Random(20240229)
    shapes = _SHAPES.split()
    pairs = []
    for _ in range(_PAIRS):
        first = chance.choice(shapes)
        second = _neighbour(chance, first) if chance.random() < 0.7 else chance.choice(shapes)
        if chance.random() < 0.3:
            first = _neighbour(chance, first)
        pairs.append((first, second) if chance.random() < 0.5 else (second, first))
    return pairs


def _ours(pair: tuple[str, str]) -> int | None:
    try:
        return compare("Red Hat:enterprise_linux:9::baseos", *pair)
    except InvalidVersion:
        return None


def test_our_order_is_that_of_rpm(tmp_path: Path) -> None:
    pairs = _pairs()
    path = tmp_path / "pairs"
    path.write_text("".join(f"{first}\t{second}\n" for first, second in pairs))
    done = subprocess.run(["rpm", "--eval", _LUA.format(path=path)], capture_output=True, text=True, check=True, timeout=60)
    ours = [_ours(pair) for pair in pairs]
    differing = [
        (pair, int(theirs), own)
        for pair, theirs, own in zip(pairs, done.stdout.split(), ours, strict=True)
        if own not in {int(theirs), None}
    ]
    assert differing == []
    assert ours.count(None) < _PAIRS * 0.2  # rpm compares what it would not build: an empty version or release, a second colon
