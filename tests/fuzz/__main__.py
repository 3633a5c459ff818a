"""Try every parser with damaged input: `make fuzz`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from fnmatch import fnmatch
from pathlib import Path
from random import Random

from tests.fuzz.campaign import Campaign
from tests.fuzz.targets import make_targets
from tests.fuzz.trial import Finding, Input, Trials


def main() -> int:
    """Run what the command line says; 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0, help="for all targets together")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the random numbers; the default is the time")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="parse one kept input again, in this process")
    parser.add_argument("targets", nargs="*", default=["*"], help="names of targets, with wildcards")
    arguments = parser.parse_args()
    if arguments.replay:
        return _replay(arguments.replay)
    os.nice(10)
    chosen = [target for target in make_targets() if any(fnmatch(target.name, wanted) for wanted in arguments.targets)]
    if not chosen:
        parser.error("no such target")
    print(f"{len(chosen)} targets, {arguments.seconds:.0f} s, seed {arguments.seed}")
    print(f"{'target':18} {'seeds':>5} {'trials':>7} {'per s':>6} {'refused':>7} {'lines':>5} {'slowest':>8}  findings", flush=True)
    findings: list[Finding] = []
    start = time.monotonic()
    for target, tally in Campaign(seconds=arguments.seconds, seed=arguments.seed).run(chosen):
        rate = tally.trials / (time.monotonic() - start)
        counts = f"{len(target.seeds):5} {tally.trials:7} {rate:6.0f} {tally.refused:7} {tally.lines:5} {tally.slowest:6.2f} s"
        print(f"{target.name:18} {counts}  {len(tally.findings) or '-'}", flush=True)
        findings += tally.findings
        start = time.monotonic()
    for finding in findings:
        print(f"{finding.target}: {finding.kind}: {finding.place}\n    {sys.executable} -m tests.fuzz --replay {finding.file}")
    print(f"{len(findings) or 'no'} findings")
    return 1 if findings else 0


def _replay(path: Path) -> int:
    """Say what the parser answers; an exception shows its traceback."""
    (target,) = [target for target in make_targets() if target.name == path.parent.name]
    case = Input.decode(path.read_bytes())
    trials = Trials(target=target, random=Random(), folder=path.parent.parent)
    trials.attempt(case)
    print(f"{case.path!r}, {len(case.content)} bytes: {trials.tally.slowest:.2f} s, {trials.tally.findings or 'nothing found'}")
    for fact in target.parse(case):
        print(f"{fact!r:.300}")
    return 1 if trials.tally.findings else 0


if __name__ == "__main__":
    sys.exit(main())
