"""The way from failures to exit codes, and a quick start."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pratique import __version__
from pratique_services.cli import main
from pratique_services.cli.main import build_parser

PROGRAM = [sys.executable, "-m", "pratique_services.cli"]


def _run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PRATIQUE_")}
    return subprocess.run([*PROGRAM, *arguments], capture_output=True, text=True, timeout=60, check=False, env=clean | environment)


def test_the_version_is_said_without_loading_what_services_need() -> None:
    code = (
        "import sys\nfrom pratique_services.cli import main\n"
        "try: main(['--version'])\nexcept SystemExit as end: assert end.code == 0\n"
        "heavy = {'sqlalchemy', 'aiohttp', 'aio_pika', 'apprise', 'rich', 'cryptography', 'oras', 'yaml', 'msgspec'} & sys.modules.keys()\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"pratique {__version__}\n", "")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nosuchcommand"],
        ["scan"],
        ["scan", "x", "--format", "pdf"],
        ["scan", "x", "--fail-on", "worst"],
        ["scan", "x", "--fail-on", "high", "--policy", "p"],
        ["advisories"],
        ["serve", "nosuchservice"],
        ["tokens", "create", "ci"],
        ["tokens", "create", "ci", "--scope", "root"],
        ["status", "x", "--timeout", "soon"],
    ],
)
def test_wrong_usage_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: pratique" in capsys.readouterr().err


def test_every_command_leads_to_a_function() -> None:
    import importlib

    commands = set()
    pending = [build_parser()]
    while pending:
        parser = pending.pop()
        commands.add(parser.get_default("command"))
        for action in parser._actions:
            pending += list(action.choices.values()) if isinstance(action.choices, dict) else []
    for command in commands - {None}:
        module, function = command.split(":")
        assert callable(getattr(importlib.import_module(f"pratique_services.cli.{module}"), function))


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"PRATIQUE_CONFIG": "/nonexistent/pratique.yaml"}, "cannot read the settings file"),
        ({"PRATIQUE_DATABASE_URL": "mysql://h/d", "PRATIQUE_BROKER_URL": "amqp://h"}, "postgresql or sqlite"),
        ({"PRATIQUE_DATABASE_URL": "postgresql://h/d"}, "queue of its own"),
        ({"PRATIQUE_LISTEN": "nowhere"}, "listen: expected HOST:PORT"),
    ],
)
def test_wrong_settings_are_2_and_one_line(environment: dict[str, str], message: str) -> None:
    done = _run("migrate", **environment)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.startswith("pratique: ")
    assert done.stderr.count("\n") == 1


def test_a_reader_that_leaves_early_does_not_hear_that_all_is_well(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as output:
        done = subprocess.run(
            [*PROGRAM, "scan", f"dir:{tmp_path / 'root'}"], stdout=output, stderr=subprocess.PIPE, text=True, timeout=60, check=False
        )
    assert done.returncode == 3
    assert "Traceback" not in done.stderr


def test_a_bug_is_3_and_not_taken_for_a_violated_policy(tmp_path: Path) -> None:
    # a broken installation: the module of a command cannot be imported
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['pratique.storage.migrations'] = None\n")
    done = _run("migrate", PYTHONPATH=str(tmp_path))
    assert done.returncode == 3
    assert "this is a bug in pratique" in done.stderr
