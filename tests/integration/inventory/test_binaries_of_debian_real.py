"""Real executables: Go programs and packaging notes of Debian, and what objcopy adds to a program."""

import gzip
import json
import os
import re
import subprocess
import time
import zlib
from pathlib import Path

import pytest

from pratique.inventory.analyzer import Analyzer, LayerFile
from pratique.inventory.analyzers import elf_package, go_binary, native_image, rust_binary
from pratique.inventory.package import Package
from tests.support.debian_packages import read_tree, unpack
from tests.support.layer_results import read

ANALYZERS = (go_binary.ANALYZER, rust_binary.ANALYZER, elf_package.ANALYZER, native_image.ANALYZER)
TOOLS = Path(__file__).parents[3] / ".tools" / "bin"
PROGRAM = Path("/bin/true")


def file(path: Path) -> LayerFile:
    content = path.read_bytes()
    return LayerFile(path=str(path).lstrip("/"), content=content, size=len(content))


def purls(analyzer: Analyzer, content: LayerFile) -> tuple[list[str], str]:
    facts, problem = read(analyzer.parse, content)
    return [fact.purl for fact in facts if isinstance(fact, Package)], problem


@pytest.mark.parametrize(
    ("path", "program"),
    [
        (Path("/usr/bin/umoci"), "github.com/opencontainers/umoci/cmd/umoci"),
        (TOOLS / "crane", "github.com/google/go-containerregistry/cmd/crane"),
        (TOOLS / "oras", "oras.land/oras/cmd/oras"),
    ],
)
def test_a_stripped_go_program_tells_its_path_and_toolchain(path: Path, program: str) -> None:
    content = file(path.resolve())
    go = re.search(rb"\xff Go buildinf:.{18}.go([0-9.]+)", content.content, re.DOTALL)

    assert go is not None
    assert purls(go_binary.ANALYZER, content) == ([f"pkg:golang/{program}", f"pkg:golang/stdlib@{go[1].decode()}"], "")


def test_every_cut_in_the_headers_of_a_real_go_program_is_silence_or_a_gap() -> None:
    content = Path("/usr/bin/umoci").read_bytes()
    for size in range(0, 2048, 3):
        for analyzer in ANALYZERS:
            assert purls(analyzer, LayerFile(path="umoci", content=content[:size]))[0] == []


def test_a_real_go_program_that_is_too_large_is_told_by_its_head() -> None:
    head = LayerFile(path="umoci", content=Path("/usr/bin/umoci").read_bytes()[: go_binary.HEAD_BYTES], size=500_000_000)

    assert "a Go program of 500000000 bytes" in purls(go_binary.ANALYZER, head)[1]
    assert purls(elf_package.ANALYZER, head) == ([], "")


def test_systemd_says_in_its_programs_which_package_they_are() -> None:
    facts, problems = read_tree(unpack("systemd-timesyncd"), elf_package.ANALYZER)

    assert problems == {}
    (name,) = {(fact.type, fact.namespace, fact.name) for found in facts.values() for fact in found if isinstance(fact, Package)}
    assert name == ("deb", "debian", "systemd")


def add_section(folder: Path, name: str, data: bytes) -> LayerFile:
    """What objcopy makes of a program: a copy of it with one more section."""
    tools = unpack("binutils-x86-64-linux-gnu", "libbinutils")
    (folder / "data").write_bytes(data)
    command = [
        str(tools / "usr/bin/x86_64-linux-gnu-objcopy"),
        "--add-section",
        f"{name}={folder / 'data'}",
        str(PROGRAM),
        str(folder / "program"),
    ]
    environment = {**os.environ, "LD_LIBRARY_PATH": str(tools / "usr/lib/x86_64-linux-gnu")}
    subprocess.run(command, check=True, env=environment, capture_output=True, timeout=60)
    return file(folder / "program")


def test_a_list_of_crates_is_read_from_a_real_program(tmp_path: Path) -> None:
    crates = {"packages": [{"name": "ripgrep", "version": "14.1.0", "source": "local", "root": True}]}

    assert purls(rust_binary.ANALYZER, add_section(tmp_path, ".dep-v0", zlib.compress(json.dumps(crates).encode()))) == (
        ["pkg:cargo/ripgrep@14.1.0"],
        "",
    )


def test_a_native_image_without_a_bill_of_materials_is_silence(tmp_path: Path) -> None:
    assert purls(native_image.ANALYZER, add_section(tmp_path, ".svm_heap", gzip.compress(b"{}"))) == ([], "")


def test_programs_of_other_languages_are_refused_within_microseconds() -> None:
    files = [file(path) for path in sorted(Path("/usr/bin").iterdir())[:300] if path.is_file() and path.read_bytes()[:4] == b"\x7fELF"]

    assert len(files) > 50
    for analyzer in ANALYZERS:
        started = time.process_time()
        for content in files:
            list(analyzer.parse(content))
        assert (time.process_time() - started) / len(files) < 0.0005  # 10 microseconds on a quiet machine
