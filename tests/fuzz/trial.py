"""The trials of one target: damage an input, have it parsed, judge what comes of it."""

from __future__ import annotations

import hashlib
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any

import msgspec

from pratique.errors import InputError
from pratique.inventory.package import Package, PackageDetails
from tests.fuzz.mutation import Mutator

SLOW_SECONDS = 2.0  # of CPU for one input, which has a megabyte at most: what takes longer is not linear
_MAX_FACTOR = 50  # bytes of facts for a byte of input
_FREE_BYTES = 256 * 1024  # of facts, whatever the size of the input
_PATH_BYTES = 48 * 1024**2  # of facts, where records name files relative to where they lie themselves: a long path for each short name
_MAX_KEPT = 400  # inputs that reached new lines, and are damaged further
_TRACED_SHARE = 0.3  # of inputs that are parsed once more, to see which lines they reach
_TRACED_BYTES = 32 * 1024  # larger inputs take too long for that


@dataclass(frozen=True, slots=True)
class Input:
    """A file of a layer, or a document, whose path is empty or says of which kind it is."""

    path: str
    content: bytes

    def encode(self) -> bytes:
        """The path, a NUL, the content: how it is kept in a file."""
        return self.path.encode() + b"\0" + self.content

    @classmethod
    def decode(cls, raw: bytes) -> Input:
        path, _, content = raw.partition(b"\0")
        return cls(path.decode(), content)

    def keep(self, folder: Path) -> Path:
        """Write it to a file that is named for its content."""
        path = folder / hashlib.sha256(self.encode()).hexdigest()[:16]
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.encode())
        return path


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A parser. `parse` answers facts and raises InputError, last of all, for what it cannot read; it only gets inputs that it `accepts`."""

    name: str
    seeds: tuple[Input, ...]
    parse: Callable[[Input], Iterable[object]]
    accepts: Callable[[Input], bool] = lambda _: True
    is_packed: bool = False
    """Compressed content may tell much more than it takes."""


class Finding(msgspec.Struct, frozen=True):
    """Something that no input may cause, and the file with the input. `place` tells findings of one kind apart."""

    target: str
    kind: str
    place: str
    file: str


class Tally(msgspec.Struct):
    """What came of the trials. `lines` of the parser were reached, `slowest` is the CPU time of one input."""

    trials: int = 0
    refused: int = 0
    lines: int = 0
    slowest: float = 0.0
    findings: list[Finding] = []


@dataclass(slots=True, kw_only=True)
class Trials:
    """Tries one target. `announce` learns of each input before it is parsed; what is found is kept in `folder`, one input for each place."""

    target: Target
    random: Random
    folder: Path
    announce: Callable[[Input], None] = lambda _: None
    tally: Tally = field(default_factory=Tally)
    _lines: set[tuple[str, int]] = field(default_factory=set)

    def run(self, seconds: float) -> Tally:
        """Try the seeds, then damaged copies of them and of what reached new lines, until `seconds` are over."""
        end = time.monotonic() + seconds
        known = list(self.target.seeds)
        mutator = Mutator(seed.content for seed in known)
        for seed in known:
            self.attempt(seed, is_traced=True)
        while time.monotonic() < end:
            case = self._damage(mutator, known)
            is_new = self.attempt(case, is_traced=self.random.random() < _TRACED_SHARE)
            if is_new and len(known) < len(self.target.seeds) + _MAX_KEPT:
                known.append(case)
        self.tally.lines = len(self._lines)
        return self.tally

    def attempt(self, case: Input, *, is_traced: bool = False) -> bool:
        """Parse one input and judge what comes; answer whether it reached lines that none has reached before, as far as that was traced."""
        self.announce(case)
        start = time.perf_counter()
        facts = self._parse(case)
        spent = time.perf_counter() - start
        if spent > SLOW_SECONDS:  # of a busy machine, perhaps; asking for the CPU time always would take longer than most parsers
            start = time.process_time()
            self._parse(case)
            spent = time.process_time() - start
            if spent > SLOW_SECONDS:
                self._report(case, "slow", f"more than {SLOW_SECONDS:.0f} s")
        self.tally.trials += 1
        self.tally.slowest = max(self.tally.slowest, spent)
        problem = check_facts(facts, sys.maxsize if self.target.is_packed else allowed_bytes(case))
        if problem:
            self._report(case, "bad facts", problem)
        if not is_traced or len(case.content) > _TRACED_BYTES:
            return False
        known = len(self._lines)
        sys.settrace(self._trace)
        self._parse(case)
        sys.settrace(None)
        return len(self._lines) > known

    def _parse(self, case: Input) -> list[object]:
        facts: list[object] = []
        try:
            facts.extend(self.target.parse(case))
        except InputError:
            self.tally.refused += 1
        except Exception as error:  # noqa: BLE001 # whatever else comes out of a parser is what is looked for
            frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/pratique" in frame.filename]
            self._report(
                case, type(error).__name__, f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else f"{error!r:.80}"
            )
        return facts

    def _damage(self, mutator: Mutator, known: list[Input]) -> Input:
        seed, other = self.random.choice(known), self.random.choice(known)
        content = mutator.mutate(self.random, seed.content, other.content)
        path = self.random.choice((other.path, damage_path(mutator, self.random, seed.path))) if self.random.random() < 0.15 else seed.path
        case = Input(path, content)
        return case if self.target.accepts(case) else Input(seed.path, content)

    def _trace(self, frame: FrameType, _event: str, _argument: object) -> Any:
        if "/pratique" not in frame.f_code.co_filename:
            return None
        self._lines.add((frame.f_code.co_filename, frame.f_lineno))
        return self._trace

    def _report(self, case: Input, kind: str, place: str) -> None:
        if all((known.kind, known.place) != (kind, place) for known in self.tally.findings):
            self.tally.findings.append(Finding(self.target.name, kind, place, str(case.keep(self.folder / self.target.name))))


def allowed_bytes(case: Input) -> int:
    """Return what the facts of an input may take."""
    return _FREE_BYTES + _MAX_FACTOR * len(case.content) + min(len(case.content) * len(case.path), _PATH_BYTES)


def check_facts(facts: Iterable[object], most_bytes: int) -> str:
    """Say how facts break their contract: other types than declared, text that cannot be stored, no purl, paths that are not relative, far more than was read."""
    size = 0
    for fact in facts:
        try:
            stored = msgspec.msgpack.encode(fact)
            if msgspec.msgpack.decode(stored, type=type(fact)) != fact or (isinstance(fact, Package) and not fact.purl):
                return f"{type(fact).__name__} with other types than declared"
        except (ValueError, TypeError) as error:
            return f"{type(fact).__name__}: {error!r:.80}"
        if isinstance(fact, PackageDetails) and any(
            path[:1] in {"", "/"} for path in (*fact.directories, *fact.paths, *(path for path, _ in fact.files))
        ):
            return "a path that is empty or absolute"
        size += len(stored)
    return f"more than {_MAX_FACTOR} bytes for each that was read" if size > most_bytes else ""


def damage_path(mutator: Mutator, random: Random, path: str) -> str:
    """Change a path to another that a layer may have: normal, relative to the root, valid UTF-8, at most 4,096 bytes."""
    parts = path.split("/")
    at = random.randrange(len(parts))
    broken = mutator.mutate(random, parts[at].encode(), b"")[:250].decode("utf-8", "replace")
    parts[at : at + 1] = random.choice(([], [broken], ["d" * 250] * random.randrange(1, 15) + parts[at : at + 1]))
    normal = "/".join(part for part in "/".join(parts).split("/") if part not in {"", ".", ".."})
    return normal.replace("\0", "").encode()[:4000].decode("utf-8", "ignore").strip("/")
