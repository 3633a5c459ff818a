"""A whole pratique as processes of its own, on whichever database, broker and registry a test gives it."""

from __future__ import annotations

import asyncio
import http.server
import json
import os
import secrets
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Self

import asyncpg

from tests.support.servers import DockerRegistry, free_port

PRATIQUE = (sys.executable, "-m", "pratique_services.cli")
SERVICES = ("gateway", "scanner", "enforcer", "notifier", "advisor", "api")
PASSWORD = "only for tests"
POLICY = """
version: 1
policies:
  - name: e2e
    rules: {fail_on: critical, fixable_only: true, unknown_severity: ignore, max_feed_age: unlimited, eol: warn}
    actions:
      pass: {attest: true, sign: true, promote: {tag: "{tag}-cleared"}}
      fail: {attest: true, quarantine: {repository: "quarantine/{repository}", remove: true}}
      incomplete: {attest: true}
"""


class ChatReceiver:
    """A Slack-compatible webhook that keeps what it is sent. `answers` are statuses to give first, before 200."""

    def __init__(self, answers: Sequence[int] = ()) -> None:
        self.messages: list[dict[str, Any]] = []
        self.answers = list(answers)
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = receiver.answers.pop(0) if receiver.answers else 200
                if status == 200:
                    receiver.messages.append(json.loads(body))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Keep quiet."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/services/T/B/X"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Deployment:
    """Settings, keys, policy, chat receiver and processes; everything ends with the block."""

    def __init__(
        self,
        folder: Path,
        *,
        database_url: str,
        advisories: Path,
        broker_url: str = "",
        policy: str = POLICY,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.folder = folder
        self.chat = ChatReceiver()
        self.secret = secrets.token_hex(16)
        self.ports = {service: free_port() for service in (*SERVICES, "up")}
        self._advisories = advisories
        self._database_url = database_url
        self._broker_url = broker_url
        self._extra = dict(settings or {})
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.is_embedded = not broker_url
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "policy.yaml").write_text(policy)
        self.run("keys", "generate", "--directory", folder, environment={"PRATIQUE_KEY_PASSWORD": PASSWORD})

    @property
    def webhook(self) -> dict[str, Any]:
        """What to start a docker-registry with so that it tells us of pushes."""
        return {"webhook": f"{self._base('gateway')}/hooks/registry", "headers": {"Authorization": f"Bearer {self.secret}"}}

    @property
    def api(self) -> str:
        return self._base("api")

    @property
    def public_key(self) -> Path:
        return self.folder / "signing.pub"

    def configure(self, *registries: DockerRegistry) -> Self:
        """Write the settings file; the registries are known only after their webhook is."""
        document = {
            "policy": "policy.yaml",
            "public_url": self.api,
            "anonymous_read": True,
            "registries": [{"host": registry.host, "plain_http": True} for registry in registries],
            "sources": [{"name": "registry", "vendor": "distribution", "secrets": [self.secret]}],
            "signing": {
                "key": "signing.key",
                "password": PASSWORD,
                "attestation_key": "attestation.key",
                "attestation_password": PASSWORD,
            },
            "channels": [
                {"name": "security", "url": self.chat.url, "events": ["new_criticals", "exploited", "quarantined", "held", "promoted"]}
            ],
            "owners": [{"repositories": "*/team-a/*", "owner": "@team-a"}],
            "retry": {"max_attempts": 20, "delays": [0.2, 0.5, 1, 2]},
            "reconcile": {"interval": 1, "queued_for": 10},
            "scanner": {"lease": 3, "concurrency": 4, "workers": 2},
            **self._extra,
        }
        (self.folder / "pratique.yaml").write_text(json.dumps(document))
        self.run("migrate")
        return self

    def start(self, *names: str) -> Self:
        """Start services (`up` for all in one process) and wait until they are ready."""
        for name in names:
            command = ["up"] if name == "up" else ["serve", name]
            with (self.folder / f"{name}.log").open("ab") as log:
                self.processes[name] = subprocess.Popen(
                    ["setpriv", "--pdeathsig", "TERM", *PRATIQUE, *command],  # no orphans when pytest is killed
                    env=self._environment({"PRATIQUE_LISTEN": f"127.0.0.1:{self.ports[name]}"}),
                    stdout=log,
                    stderr=log,
                    cwd=self.folder,
                    start_new_session=True,
                )
        for name in names:
            self.wait_for(lambda name=name: self._is_ready(name), f"{name} to be ready", timeout=40)  # type: ignore[misc]
        return self

    def start_all(self) -> Self:
        return self.start("up") if self.is_embedded else self.start(*SERVICES)

    def kill(self, name: str) -> None:
        """SIGKILL a service and its worker processes."""
        os.killpg(self.processes[name].pid, signal.SIGKILL)
        self.processes.pop(name).wait(10)

    def run(self, *arguments: object, environment: Mapping[str, str] | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run one command of the command line to its end."""
        done = subprocess.run(
            [*PRATIQUE, *map(str, arguments)],
            env=self._environment(environment or {}),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"pratique {arguments} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}\n{self.logs()}")
        return done

    def status(self, reference: str, *, timeout: float = 60) -> tuple[int, dict[str, Any]]:
        """`pratique status REF --wait`: its exit code and its document."""
        done = self.run("status", reference, "--wait", "--timeout", timeout, "--format", "json", "--server", self.api, check=False)
        assert done.stdout, f"{done.stderr}\n{self.logs()}"
        return done.returncode, json.loads(done.stdout)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Read from the ledger itself, past all of our own code; while PostgreSQL restarts, there is nothing to read."""
        if self.is_embedded:
            file = self._database_url.removeprefix("sqlite+aiosqlite:///")
            with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10)) as connection:
                return connection.execute(query).fetchall()

        async def read() -> list[tuple[Any, ...]]:
            connection = await asyncpg.connect(self._database_url)
            try:
                return [tuple(row) for row in await connection.fetch(query)]
            finally:
                await connection.close()

        return asyncio.run(read())

    def wait_for(self, condition: Callable[[], bool], what: str, *, timeout: float = 30) -> None:
        end = time.monotonic() + timeout
        while not condition():
            dead = {name: process.returncode for name, process in self.processes.items() if process.poll() is not None}
            if dead or time.monotonic() > end:
                raise AssertionError(f"waited for {what}; ended processes: {dead}\n{self.logs()}")
            time.sleep(0.05)

    def logs(self) -> str:
        return "\n".join(f"--- {path.name}\n{path.read_text()[-3000:]}" for path in sorted(self.folder.glob("*.log")))

    def close(self) -> None:
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(30)  # longer than a process gives its own tasks, so that it can tell which one did not end
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)
        self.chat.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _base(self, service: str) -> str:
        return f"http://127.0.0.1:{self.ports['up' if self.is_embedded else service]}"

    def _environment(self, more: Mapping[str, str]) -> dict[str, str]:
        own = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "PYTHONWARNINGS": "default",
            "PRATIQUE_DATABASE_URL": self._database_url,
            "PRATIQUE_ADVISORIES": str(self._advisories),
        }
        if self._broker_url:
            own["PRATIQUE_BROKER_URL"] = self._broker_url
        if (self.folder / "pratique.yaml").exists():
            own["PRATIQUE_CONFIG"] = str(self.folder / "pratique.yaml")
        return {**own, **more}

    def _is_ready(self, name: str) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[name]}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.HTTPError):
            return False
