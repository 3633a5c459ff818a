"""The findings of Go programs, against the module list that Go's linker left in them and the order of versions that semver.org states."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.debian_packages import unpack
from tests.support.executables import ElfSpec, make_elf
from tests.support.go_programs import FRAME_END, FRAME_START, MAGIC, inline_record
from tests.support.images import File
from tests.support.judged import Told, expected, scan_files, semver_bounds, stated_in, told
from tests.support.osv_plainly import is_lower_for_semver
from tests.support.wheels import unpack_wheels

STATED = stated_in("Go")
_DEPENDENCY = re.compile(r"^dep\t(\S+)\t(v\S+)", re.MULTILINE)
_GO = re.compile(rb"go(1\.\d+(?:\.\d+)?)")


def modules_in(program: bytes) -> set[tuple[str, str]]:
    """The modules and the Go that a program was built of: text that stands in it, found without knowing the format around it."""
    lines = program.partition(FRAME_START)[2].partition(FRAME_END)[0].decode()
    go = _GO.search(program, program.index(MAGIC))
    assert go is not None
    return {*_DEPENDENCY.findall(lines), ("stdlib", go[1].decode())}


def assert_same_findings(content: bytes, folder: Path, database: Path) -> Told:
    """Compare a scan with the plain reading; answer what both say."""
    judged = expected(modules_in(content), STATED, is_lower_for_semver)

    done = scan_files(folder, {"usr/local/bin/program": File(content=content, mode=0o755)}, database)

    assert told(done, STATED) == judged
    return judged


def test_a_program_of_debians_has_the_findings_of_the_go_that_built_it(tmp_path: Path, database: Path) -> None:
    found = assert_same_findings((unpack("fzf") / "usr/bin/fzf").read_bytes(), tmp_path, database)

    assert {name for _, name, _ in found} == {"stdlib"}
    assert len(found) > 50


@pytest.mark.timeout(300)  # the wheel has 3.5 MB
def test_a_released_program_has_the_findings_of_its_modules(tmp_path: Path, database: Path) -> None:
    unpack_wheels(tmp_path / "wheel", "go-task-bin==3.30.1")
    (program,) = (tmp_path / "wheel").rglob("task")
    assert len(modules_in(program.read_bytes())) == 20

    found = assert_same_findings(program.read_bytes(), tmp_path, database)

    assert {name for _, name, _ in found} == {"golang.org/x/sys", "stdlib"}


def test_each_advisory_begins_and_ends_where_semver_says(tmp_path: Path, database: Path) -> None:
    modules = sorted(semver_bounds((one for one in STATED if one.name not in {"stdlib", "toolchain"}), mark="v"))
    pseudo = [version for _, version in modules if "-0.20" in version or "v0.0.0-20" in version]
    assert len(pseudo) > 100
    lines = "".join(f"dep\t{name}\t{version}\th1:abc=\n" for name, version in modules)
    content = make_elf(ElfSpec(sections={b".go.buildinfo": inline_record("go1.22.1", lines)}))

    found = assert_same_findings(content, tmp_path, database)

    assert {name for _, name, _ in found} == {name for name, _ in modules} | {"stdlib"}
