"""`pratique demo` as a person runs it: a process, its output and its exit code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pratique_services.demo.site import POLICY

DEMO = (sys.executable, "-m", "pratique_services.cli", "demo", "--port", "0")
TIMEOUT = 150  # seconds; it takes ten on an idle machine

WITH_POLICY = """
import asyncio, sys
from pathlib import Path
from pratique_services.demo.story import run_demo
sys.exit(asyncio.run(run_demo(port=0, once=True, policy=Path(sys.argv[1]))))
"""


def environment(folder: Path) -> dict[str, str]:
    """The demo's directory is made in `folder`; cosign is not asked, whatever is installed."""
    return {"PATH": str(folder), "HOME": str(folder), "TMPDIR": str(folder), "PYTHONWARNINGS": "default", "PYTHONUTF8": "1"}


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=environment(folder), cwd=folder, capture_output=True, text=True, timeout=TIMEOUT, check=False)


@contextmanager
def running(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """The demo, left open after its last step."""
    process = subprocess.Popen(
        DEMO, env=environment(folder), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_every_check_of_the_demo_holds_and_it_leaves_nothing_behind(tmp_path: Path) -> None:
    done = run(tmp_path, *DEMO, "--once")

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert "FAILED" not in done.stdout
    assert "\x1b" not in done.stdout, "plain text where there is no terminal"
    for said in (
        "1.0-cleared points to the digest that was judged",
        "the signature in cosign 2's layout (.sig) verifies",
        "the signature in cosign 3's layout (bundle) verifies",
        "it is gone from demo/vulnerable",
        "one message about demo/vulnerable is in the chat",
        "coverage is the reason",
        "0 layer bytes fetched",
        "nobody was told of CVE-2023-43364 in demo/vulnerable a second time",
        "checks held.",
    ):
        assert said in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_step_that_does_not_come_true_fails_the_demo_and_says_what_was_there(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY.read_text().replace("fail_on: critical", "fail_on: never", 1))

    done = run(tmp_path, sys.executable, "-c", textwrap.dedent(WITH_POLICY), str(policy))

    assert done.returncode == 1, done.stdout + done.stderr
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    failed = lines.index("FAILED the verdict on demo/vulnerable:1.0 is fail")
    assert lines[failed + 1 : failed + 3] == ["expected: fail", "found: pass"]
    assert [path.name for path in tmp_path.glob("pratique-demo-*/demo.log")] == ["demo.log"], "the log is kept"


def test_the_pages_stay_open_until_ctrl_c_which_ends_the_demo_cleanly(tmp_path: Path) -> None:
    with running(tmp_path) as demo:
        assert demo.stdout is not None
        said = ""
        for line in demo.stdout:
            said += line
            if line.startswith("Now open"):
                break
        assert "Now open" in said, said
        with urllib.request.urlopen(line.split()[2], timeout=10) as page:
            assert page.status == 200
        demo.send_signal(signal.SIGINT)
        rest, errors = demo.communicate(timeout=40)

        assert demo.returncode == 0, rest + errors
        assert errors == ""
        assert "All services have stopped." in rest
        assert list(tmp_path.iterdir()) == []


def test_a_taken_port_is_said_at_once(tmp_path: Path) -> None:
    with running(tmp_path) as demo:
        assert demo.stdout is not None
        address = next(line for line in demo.stdout if "all in this process, on" in line) + next(demo.stdout)
        port = address.split("http://127.0.0.1:")[1].split()[0]
        done = run(tmp_path, *DEMO[:-1], port, "--once")

    assert done.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr
    assert "--port" in done.stderr
