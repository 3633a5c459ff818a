"""The fuzz run tries what it says, and tells what it finds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from pratique.errors import InvalidRecord
from pratique.inventory.analyzer import Analyzer, Fact, LayerFile, PathPattern
from pratique.inventory.analyzers._every import ANALYZERS
from pratique.inventory.package import Package, PackageDetails
from tests.fuzz.campaign import Campaign
from tests.fuzz.mutation import Mutator
from tests.fuzz.targets import analyzer_target, make_targets
from tests.fuzz.trial import Input, Tally, Target, Trials

SEED = Input("etc/planted", b"name: a\nversion: 1\n")


def test_every_target_has_seeds_and_stands_some_damage(tmp_path: Path) -> None:
    targets = make_targets()
    assert {analyzer.name for analyzer in ANALYZERS} <= {target.name for target in targets}
    assert [target.name for target in targets if not target.seeds or not all(map(target.accepts, target.seeds))] == []

    few = [replace(target, seeds=target.seeds[:3]) for target in targets]
    tallies = [Trials(target=target, random=Random(1), folder=tmp_path).run(0.01) for target in few]
    assert [finding for tally in tallies for finding in tally.findings] == []
    assert sum(tally.trials for tally in tallies) > 3 * len(targets)


def test_the_same_seed_makes_the_same_inputs() -> None:
    def inputs(number: int) -> list[bytes]:
        random, mutator = Random(number), Mutator([SEED.content])
        return [mutator.mutate(random, SEED.content, b"other: b\n") for _ in range(100)]

    assert inputs(1) == inputs(1) != inputs(2)


def planted(parse: Callable[[bytes], Iterator[Fact]]) -> Target:
    analyzer = Analyzer(name="planted", version=1, paths=PathPattern(paths=frozenset({SEED.path})), parse=lambda file: parse(file.content))
    return analyzer_target(analyzer, [SEED])


def raises(content: bytes) -> Iterator[Fact]:
    yield Package(type="generic", name={b"name: a": "a"}[content.partition(b"\n")[0]], version="1")


def loops(content: bytes) -> Iterator[Fact]:
    while not content.startswith(b"name: a"):
        pass
    return iter(())


def eats_memory(content: bytes) -> Iterator[Fact]:
    if not content.startswith(b"name: a"):
        bytearray(2**30)
    return iter(())


def is_quadratic(content: bytes) -> Iterator[Fact]:
    for _ in content:
        content.count(b"never there")
    return iter(())


def tells_too_much(content: bytes) -> Iterator[Fact]:
    yield Package(type="generic", name="a", version="1" * 1_000_000, licenses=(content[:9].hex(),))


def tells_other_types(content: bytes) -> Iterator[Fact]:
    yield Package(type="generic", name="a", version=len(content))  # type: ignore[arg-type]


def tells_what_cannot_be_stored(content: bytes) -> Iterator[Fact]:
    yield Package(type="generic", name=content.decode("utf-8", "surrogateescape"), version="1")


def claims_the_root(content: bytes) -> Iterator[Fact]:
    yield PackageDetails(type="generic", name=str(len(content)), directories=("",))


@pytest.mark.parametrize(
    ("parse", "kind"),
    [
        (raises, "KeyError"),
        (loops, "died"),
        (eats_memory, "MemoryError"),
        (is_quadratic, "died"),
        (tells_too_much, "bad facts"),
        (tells_other_types, "bad facts"),
        (tells_what_cannot_be_stored, "bad facts"),
        (claims_the_root, "bad facts"),
    ],
)
def test_a_planted_bug_is_found_and_its_input_kept(parse: Callable[[bytes], Iterator[Fact]], kind: str, tmp_path: Path) -> None:
    started = time.monotonic()
    campaign = Campaign(seconds=0.3, seed=1, folder=tmp_path, cpu_seconds=0.4)
    ((target, tally),) = campaign.run([planted(parse)])

    assert kind in {finding.kind for finding in tally.findings}
    kept = Path(tally.findings[0].file)
    assert kept.parent == tmp_path / target.name
    assert target.accepts(Input.decode(kept.read_bytes()))
    assert time.monotonic() - started < 10


def test_what_a_parser_refuses_is_no_finding(tmp_path: Path) -> None:
    def refuses(content: bytes) -> Iterator[Fact]:
        raise InvalidRecord(f"{len(content)} bytes")

    ((_, tally),) = Campaign(seconds=0.3, seed=1, folder=tmp_path).run([planted(refuses)])

    assert tally.trials > 10
    assert tally.refused >= tally.trials
    assert tally == Tally(trials=tally.trials, refused=tally.refused, lines=tally.lines, slowest=tally.slowest)


def test_what_reaches_new_lines_is_damaged_further(tmp_path: Path) -> None:
    perl = next(analyzer for analyzer in ANALYZERS if analyzer.name == "perl")
    seed, other = (Input(f"usr/lib/perl5/auto/{name}/.packlist", f"/usr/share/perl5/{name}.pm\n".encode()) for name in "ab")
    trials = Trials(target=analyzer_target(perl, [seed]), random=Random(1), folder=tmp_path)

    assert trials.attempt(seed, is_traced=True)
    assert not trials.attempt(other, is_traced=True)
    assert trials.attempt(Input(seed.path, b"\xff"), is_traced=True)


def test_a_kept_file_names_its_path_and_content(tmp_path: Path) -> None:
    file = Input("a/é\nb", b"\0\xff").keep(tmp_path)

    assert Input.decode(file.read_bytes()) == Input("a/é\nb", b"\0\xff")
    assert LayerFile(path="a", content=b"").is_whole
