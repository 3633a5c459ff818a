"""Compare what pratique, Trivy and Syft list of the large image: `python -m benchmarks.accuracy`.

Packages are compared by (type, name, version) as `benchmarks.bills` writes them. Every difference has to have a reason in `benchmarks.reasons`; one without ends the program
with 1. With `--write`, the counts and lists in docs/accuracy.md are renewed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.bills import Bill, Key, read_bill
from benchmarks.contenders import Command, prepare_contenders
from benchmarks.coordinates import Coordinates, judge, known_coordinates
from benchmarks.image import BenchmarkImages, prepare_images
from benchmarks.processes import run
from benchmarks.reasons import ALONE, MISSED, Difference, Reason
from benchmarks.tasks import REPOSITORY, Bench
from tests.support.images import push
from tests.support.servers import CHECKOUT, DockerRegistry

_DOCUMENT = CHECKOUT / "docs" / "accuracy.md"
_BEGIN, _END = "<!-- written by `python -m benchmarks.accuracy --write` -->", "<!-- until here -->"
_TOOLS = ("pratique", "trivy", "syft")
_TITLES = {"pratique": "pratique", "trivy": "Trivy", "syft": "Syft"}
_FEW = 3  # packages of one file: a jar may name itself and what it was made of
_SHOWN = 12  # packages that a long list shows of each reason


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.accuracy", description="Compare the inventories of pratique, Trivy and Syft."
    )
    parser.add_argument("--again", action="store_true", help="run Trivy and Syft again, too, and not pratique alone")
    parser.add_argument("--write", action="store_true", help="renew docs/accuracy.md")
    options = parser.parse_args()
    images = prepare_images()
    bills = {tool: read_bill(path) for tool, path in _lists(images, again=options.again).items()}
    text = "\n".join([*_report(bills), *_coordinates(bills, known_coordinates(images))])
    print(text)
    if options.write:
        before, _, rest = _DOCUMENT.read_text().partition(_BEGIN)
        _DOCUMENT.write_text(f"{before}{_BEGIN}\n\n{text}\n{_END}{rest.partition(_END)[2]}")
    if any(not reason for reason, _ in _explained(_missed(bills), MISSED)):
        sys.exit(1)


def _lists(images: BenchmarkImages, *, again: bool) -> Mapping[str, Path]:
    """Run the tools, each once; what Trivy and Syft say of an image does not change, so it is kept."""
    folder = images.folder / "lists"
    folder.mkdir(exist_ok=True)
    outputs = {tool: folder / f"{tool}.json" for tool in _TOOLS}
    with tempfile.TemporaryDirectory() as name, DockerRegistry(Path(name) / "registry") as registry:
        push(images.large, f"{registry.host}/{REPOSITORY}:large")
        bench = Bench(host=registry.host, database=Path(), contenders=prepare_contenders(), folder=folder, warm_cache=Path())
        for tool, command in _commands(bench).items():
            if again or tool == "pratique" or not outputs[tool].exists():
                _run(tool, command)
    return outputs


def _commands(bench: Bench) -> Mapping[str, Command]:
    return {"pratique": bench.sbom("large"), "trivy": bench.trivy("large"), "syft": bench.syft("large")}


def _run(tool: str, command: Command) -> None:
    print(f"running {tool}", file=sys.stderr, flush=True)
    command.prepare()
    done = run(command.arguments, command.environment)
    if done.status not in command.statuses:
        sys.exit(f"{tool} ended with {done.status}")


def _report(bills: Mapping[str, Bill]) -> Iterator[str]:
    yield "| type | " + " | ".join(_TITLES[tool] for tool in _TOOLS) + " |"
    yield "|---|" + "--:|" * len(_TOOLS)
    for kind in sorted({key[0] for bill in bills.values() for key in bill.packages}):
        yield f"| {kind} | " + " | ".join(f"{bills[tool].count(kind):,}" for tool in _TOOLS) + " |"
    missed, alone = list(_missed(bills)), list(_alone(bills))
    yield f"\n### Listed by Trivy or Syft, and not by pratique: {len(missed)}\n"
    yield from _groups(missed, MISSED, _missed_line)
    yield f"### Listed by pratique alone: {len(alone)}\n"
    yield from _groups(alone, ALONE, _alone_line, limit=_SHOWN)


def _missed(bills: Mapping[str, Bill]) -> Iterator[Difference]:
    """What a peer lists and pratique does not, each with what pratique lists of the same files and the peers do not."""
    own = bills["pratique"].packages
    by_path = _by_path(own)
    for key in sorted({key for peer in ("trivy", "syft") for key in bills[peer].packages} - own.keys()):
        peers = [peer for peer in ("trivy", "syft") if key in bills[peer].packages]
        paths = tuple(dict.fromkeys(path for peer in peers for path in bills[peer].packages[key]))
        yield Difference(key=key, paths=paths, tools=tuple(_TITLES[peer] for peer in peers), instead=_instead(key, paths, by_path))


def _alone(bills: Mapping[str, Bill]) -> Iterator[Difference]:
    """What pratique alone lists, each with what the peers list of the same files and pratique does not."""
    own = bills["pratique"].packages
    others: dict[Key, tuple[str, ...]] = {}
    for peer in ("trivy", "syft"):
        others |= {key: paths for key, paths in bills[peer].packages.items() if key not in own}
    by_path = _by_path(others)
    for key in sorted(own.keys() - {key for peer in ("trivy", "syft") for key in bills[peer].packages}):
        yield Difference(key=key, paths=own[key], tools=("pratique",), instead=_instead(key, own[key], by_path))


def _instead(key: Key, paths: Sequence[str], by_path: Mapping[str, Sequence[Key]]) -> tuple[Key, ...]:
    """What the other side lists of the same files. Of a Go binary that is the program: its modules have names of their own."""
    others = dict.fromkeys(other for path in paths for other in by_path.get(path, ()) if other[0] == key[0])
    return tuple(other for other in others if key[0] != "golang" or other[1] == key[1])


def _by_path(packages: Mapping[Key, tuple[str, ...]]) -> dict[str, list[Key]]:
    """Turn around which paths packages have. A file that holds many packages does not tell which is which, so it is left out."""
    found: dict[str, list[Key]] = {}
    for key, paths in packages.items():
        for path in paths:
            found.setdefault(path, []).append(key)
    return {path: keys for path, keys in found.items() if len(keys) <= _FEW}


def _explained(differences: Iterable[Difference], reasons: Sequence[Reason]) -> Iterator[tuple[str, Difference]]:
    for difference in differences:
        yield next((reason.text for reason in reasons if reason.fits(difference)), ""), difference


def _groups(
    differences: Iterable[Difference], reasons: Sequence[Reason], line: Callable[[Difference], str], *, limit: int = sys.maxsize
) -> Iterator[str]:
    explained = list(_explained(differences, reasons))
    for text in (*(reason.text for reason in reasons), ""):
        held = [difference for reason, difference in explained if reason == text]
        if not held:
            continue
        yield f"**{len(held)}: {text or 'NOT EXPLAINED'}**\n"
        yield from (line(difference) for difference in held[:limit])
        if len(held) > limit:
            yield f"- … and {len(held) - limit} more"
        yield ""


def _coordinates(bills: Mapping[str, Bill], known: Coordinates) -> Iterator[str]:
    yield f"### Coordinates of {len(known)} jars that Debian's Maven repository names\n"
    judged = {tool: judge(bill, known) for tool, bill in bills.items()}
    yield "| | right | otherwise | not listed |"
    yield "|---|--:|--:|--:|"
    for tool, (right, wrong, absent) in judged.items():
        yield f"| {_TITLES[tool]} | {right} | {len(wrong)} | {absent} |"
    if judged["pratique"][1]:
        yield "\nNamed otherwise by pratique:\n"
        yield from (f"- {line}" for line in judged["pratique"][1])


def _missed_line(difference: Difference) -> str:
    instead = f"; pratique: {', '.join(f'`{_name(other)}`' for other in difference.instead)}" if difference.instead else ""
    return f"- `{_name(difference.key)}` ({', '.join(difference.tools)}; `{_place(difference)}`{instead})"


def _alone_line(difference: Difference) -> str:
    return f"- `{_name(difference.key)}` (`{_place(difference)}`)"


def _place(difference: Difference) -> str:
    """The path that says most: not the archive of archives, if there is another."""
    return next((path for path in difference.paths if not path.endswith("/orders.jar")), next(iter(difference.paths), "no path"))


def _name(key: Key) -> str:
    kind, name, version = key
    return f"{kind} {name} {version}".strip()


if __name__ == "__main__":
    main()
