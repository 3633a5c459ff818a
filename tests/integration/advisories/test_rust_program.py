"""The findings of a Rust program with a list of its crates (cargo-auditable), against a plain reading of RustSec's records."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from pathlib import Path

from tests.support.executables import ElfSpec, make_elf
from tests.support.images import File
from tests.support.judged import Told, expected, scan_files, semver_bounds, stated_in, told
from tests.support.osv_plainly import is_lower_for_semver

STATED = stated_in("crates.io")
CRATES = {  # what a web service of the autumn of 2021 was built of
    ("bytes", "1.1.0"),
    ("chrono", "0.4.19"),
    ("crossbeam-deque", "0.8.1"),
    ("futures-util", "0.3.17"),
    ("generic-array", "0.14.4"),
    ("h2", "0.3.6"),
    ("hyper", "0.14.13"),
    ("idna", "0.2.3"),
    ("mio", "0.7.13"),
    ("openssl", "0.10.36"),
    ("regex", "1.5.4"),
    ("ring", "0.16.20"),
    ("rustls", "0.20.0"),
    ("serde", "1.0.130"),
    ("smallvec", "1.7.0"),
    ("thread_local", "1.1.3"),
    ("time", "0.1.43"),
    ("tokio", "1.12.0"),
    ("webpki", "0.22.0"),
}


def assert_same_findings(crates: Iterable[tuple[str, str]], folder: Path, database: Path) -> Told:
    """Compare a scan of a program built of these crates with the plain reading; answer what both say."""
    judged = expected(crates, STATED, is_lower_for_semver)
    listed = {"packages": [{"name": name, "version": version, "source": "crates.io"} for name, version in sorted(crates)], "format": 1}
    content = make_elf(ElfSpec(sections={b".dep-v0": zlib.compress(json.dumps(listed).encode())}))

    done = scan_files(folder, {"usr/local/bin/service": File(content=content, mode=0o755)}, database)

    assert told(done, STATED) == judged
    return judged


def test_a_rust_program_has_the_findings_that_its_crates_have(tmp_path: Path, database: Path) -> None:
    found = assert_same_findings(CRATES, tmp_path, database)

    vulnerable = {name for _, name, _ in found}
    assert {"chrono", "h2", "idna", "openssl", "regex", "ring", "time", "tokio", "webpki"} <= vulnerable
    assert vulnerable.isdisjoint({"serde", "futures-util", "generic-array", "crossbeam-deque"})  # built after the fixes


def test_each_advisory_begins_and_ends_where_semver_says(tmp_path: Path, database: Path) -> None:
    found = assert_same_findings(semver_bounds(STATED), tmp_path, database)

    ranged = {one.name for one in STATED if any(high is not None for _, high in one.ranges)}
    assert ranged <= {name for _, name, _ in found}
