"""Fifty pushes while workers are killed and servers restarted: each ends in one decision, one write-back and one message."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from tests.support.deployment import Deployment
from tests.support.images import debian_files, make_image, make_layer, push, python_files
from tests.support.servers import DockerRegistry, PostgreSQL, RabbitMQ

PUSHES = 50


@pytest.mark.timeout(420)
def test_fifty_pushes_survive_killed_workers_and_restarted_servers(
    deploy: Callable[..., Deployment], docker_registry: Callable[..., DockerRegistry], servers_folder: Path, tmp_path: Path
) -> None:
    with RabbitMQ(servers_folder / "rabbitmq-faults") as rabbitmq, PostgreSQL(servers_folder / "postgresql-faults") as postgres:
        pratique = deploy("servers", rabbitmq=rabbitmq, postgres=postgres)
        registry = docker_registry(**pratique.webhook)
        pratique.configure(registry).start_all()
        layouts = [
            make_image(
                tmp_path / f"image-{number}",
                [
                    make_layer(
                        {
                            **debian_files({"zlib1g": "1:1.2.11.dfsg-2+deb11u2"}),
                            **python_files({"searchor": "2.4.1"} if number % 2 else {"six": "1.16.0"}),
                            "number": b"%d" % number,
                        }
                    )
                ],
            )
            for number in range(PUSHES)
        ]

        def push_all() -> None:
            for number, layout in enumerate(layouts):
                push(layout, f"{registry.host}/batch/app-{number}:1")

        pushing = threading.Thread(target=push_all)
        pushing.start()
        for fault in (_kill_scanner, lambda _: rabbitmq.restart(), _kill_scanner, lambda _: postgres.restart()):
            time.sleep(1.5)
            fault(pratique)
        pushing.join()

        def settled() -> bool:
            rows = pratique.rows("SELECT count(*) FROM decision WHERE announced_at IS NOT NULL")
            return rows[0][0] >= PUSHES and len(pratique.chat.messages) >= PUSHES

        pratique.wait_for(settled, "all decisions and messages", timeout=150)
        time.sleep(3)  # whatever would come twice has the time to come

        decisions = pratique.rows(
            "SELECT r.name, v.status FROM decision d JOIN repository r ON r.id = d.repository_id JOIN verdict v ON v.id = d.verdict_id"
        )
        by_repository = Counter(name for name, _ in decisions if not name.startswith("quarantine/"))
        assert by_repository == {f"batch/app-{number}": 1 for number in range(PUSHES)}
        assert Counter(status for _, status in decisions) == {"pass": PUSHES // 2, "fail": PUSHES // 2}
        actions = pratique.rows("SELECT kind, outcome, count(*) FROM action GROUP BY kind, outcome")
        assert {(kind, count) for kind, outcome, count in actions if outcome == "done" and kind in {"promote", "quarantine"}} == {
            ("promote", PUSHES // 2),
            ("quarantine", PUSHES // 2),
        }, actions
        assert {outcome for _, outcome, _ in actions} == {"done"}
        told = Counter(message["blocks"][0]["text"]["text"].partition("batch/")[2].partition(":")[0] for message in pratique.chat.messages)
        assert told == {f"app-{number}": 1 for number in range(PUSHES)}
        assert pratique.rows("SELECT count(*) FROM scan WHERE attempt > 1")[0][0] >= 2, "two scans were cut off and taken up again"
        open_scans = pratique.rows("SELECT count(*) FROM scan WHERE state IN ('queued', 'running')")
        assert open_scans == [(0,)]
        for queue in ("scan.push", "enforce", "notify"):
            listed = pratique.run("queue", "list").stdout
            assert f"{queue:<14}      0 waiting      0 dead" in listed, listed


def _kill_scanner(pratique: Deployment) -> None:
    """SIGKILL the scanner while the ledger says that it holds a scan: one that had ended just before does not count, and is tried again."""
    for _ in range(40):
        pratique.wait_for(lambda: _running(pratique) > 0, "a scan to be running", timeout=60)
        pratique.kill("scanner")
        was_mid_scan = _running(pratique) > 0
        pratique.start("scanner")
        if was_mid_scan:
            return
    raise AssertionError("no scan was running when the scanner was killed")


def _running(pratique: Deployment) -> int:
    try:
        return int(pratique.rows("SELECT count(*) FROM scan WHERE state = 'running'")[0][0])
    except (OSError, asyncpg.PostgresError):
        return 0  # PostgreSQL restarts
