"""`pratique scan --files`: every file of an image, with what it is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pratique.inventory.file_account import FileAccount, FileEntry, FileState, UnknownExecutable
from pratique.reports.report import ImageFiles
from pratique.reports.table import render_table
from pratique_services.cli import main
from tests.support.images import File, ImageLayout, debian_files, make_image, make_layer
from tests.support.reports import report

Scan = Callable[..., str]
PROGRAM = b"\x7fELF" + bytes(60)
INFO = "var/lib/dpkg/info"


@pytest.fixture
def scan(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Scan:
    monkeypatch.delenv("PRATIQUE_ADVISORIES", raising=False)

    def run(image: ImageLayout, *options: str) -> str:
        capsys.readouterr()
        assert main(["scan", image.reference, "--no-cache", *options]) == 3  # there are no advisories
        return capsys.readouterr().out

    return run


@pytest.fixture
def image(tmp_path: Path) -> ImageLayout:
    base = {
        **debian_files({"bash": "5.1-2+deb11u1"}),
        f"{INFO}/bash.list": b"/.\n/bin\n/bin/bash\n/bin/sh\n/etc/bashrc\n",
        f"{INFO}/bash.md5sums": f"{hashlib.md5(PROGRAM).hexdigest()}  bin/bash\n{hashlib.md5(b'right').hexdigest()}  bin/sh\n".encode(),
        f"{INFO}/bash.postinst": File(content=b"#!/bin/sh\n", mode=0o755),
        "bin/bash": File(content=PROGRAM, mode=0o755),
        "bin/sh": File(content=b"#!/bin/bash\nwrong", mode=0o755),
        "etc/bashrc": b"",
        "srv/data": b"",
    }
    modules = "app/node_modules/@a/b"
    app = {
        f"{modules}/package.json": json.dumps({"name": "@a/b", "version": "1.0.0"}).encode(),
        f"{modules}/index.js": b"",
        "app/run": File(content=b"#!/bin/sh\n", mode=0o755),
        "app/\x1b[31m\u202etool": File(content=PROGRAM, mode=0o755),
    }
    return make_image(tmp_path / "image", [make_layer(base), make_layer(app)], config={"config": {"Entrypoint": ["/app/run"]}})


LISTED = """\
unknown    * app/\N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER}tool
identified   app/node_modules/@a/b/index.js  @a/b 1.0.0 (npm)
identified   app/node_modules/@a/b/package.json  @a/b 1.0.0 (npm)
unknown    * app/run
intact     * bin/bash  bash 5.1-2+deb11u1
modified   * bin/sh  bash 5.1-2+deb11u1
owned        etc/bashrc  bash 5.1-2+deb11u1
unknown      srv/data
identified   usr/lib/os-release
identified   var/lib/dpkg/info/bash.list  bash 5.1-2+deb11u1
identified   var/lib/dpkg/info/bash.md5sums  bash 5.1-2+deb11u1
identified * var/lib/dpkg/info/bash.postinst  bash 5.1-2+deb11u1
identified   var/lib/dpkg/status
"""


TOLD = """\
Executables that no package answers for: 2
  ? app/run (10 bytes, run by the entry point)
  ? app/\N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER}tool (64 bytes)
"""


def test_every_file_is_listed_in_a_line_with_its_state_and_package(scan: Scan, image: ImageLayout) -> None:
    shown = scan(image, "--files")

    assert LISTED in shown
    assert "Files: 13: 1 modified, 1 intact, 1 owned, 7 identified, 3 unknown\n" in shown


@pytest.mark.parametrize("options", [(), ("--files",)])
def test_executables_that_nobody_answers_for_are_told_what_is_run_first(scan: Scan, image: ImageLayout, options: tuple[str, ...]) -> None:
    assert TOLD in scan(image, *options)


@pytest.mark.parametrize("width", [40, 80, 140])
def test_a_path_is_in_one_piece_in_a_terminal_of_any_width(width: int) -> None:
    path = "/".join(["component"] * 30)
    unknown = UnknownExecutable(path=path, layer="sha256:a", size=5_000)
    account = FileAccount(
        counts={state: int(state is FileState.UNKNOWN) * 12_000 for state in FileState},
        is_compared=True,
        unknown_executables=(unknown,) * 12,
        unknown_executable_count=12_000,
    )
    listed = FileEntry(path=path, state=FileState.UNKNOWN, layer="sha256:a")
    images = [
        ImageFiles(digest="sha256:i", platform=platform, account=account, files=(listed,)) for platform in ("linux/amd64", "linux/arm64")
    ]
    shown = render_table(replace(report([]), files=tuple(images)), width=width).decode()

    assert shown.count(f"  ? {path} (5,000 bytes)\n") == 20
    assert shown.count("  ? and 11,990 more\n") == 2
    assert shown.count(f"\nunknown      {path}\n") == 2
    assert "Files of linux/arm64: 12,000: 12,000 unknown" in " ".join(shown.split())


def test_without_the_option_files_are_counted_and_contents_not_compared(scan: Scan, image: ImageLayout) -> None:
    shown = scan(image)

    assert "bin/bash" not in shown
    assert "Files: 13: 3 owned, 7 identified, 3 unknown (contents not compared: --files does)\n" in shown


def test_the_json_report_has_the_same_files_with_whole_names(scan: Scan, image: ImageLayout) -> None:
    (files,) = json.loads(scan(image, "--files", "--format", "json"))["files"]
    by_path = {entry["path"]: entry for entry in files["entries"]}

    assert len(by_path) == 13
    assert by_path["bin/sh"]["state"] == "modified"
    assert by_path["bin/sh"]["owner"] == "pkg:deb/debian/bash@5.1-2%2Bdeb11u1?arch=amd64&distro=debian-11"
    assert by_path["app/\x1b[31m\u202etool"]["layer"] == image.layers[1]
