"""Real servers for tests: docker-registry, RabbitMQ and PostgreSQL, each with its own folder and loopback ports.

A server can be stopped, killed and started again on the same port and data, for tests of faults. Processes die with the thread that started
them (so start them from the main thread), and none of them touches what the system's own services use.
"""

from __future__ import annotations

import ctypes
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import quote
from uuid import uuid4

CHECKOUT = Path(__file__).resolve().parents[2]
_RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # the one in /usr/sbin changes the user, which only root may
_AMQP_HEADER = b"AMQP\0\0\x09\x01"
_PR_SET_PDEATHSIG = 1
_ACCESS_LINE = re.compile(r'"([A-Z]+) (\S+) HTTP/[0-9.]+" ([0-9]{3})')
_libc = ctypes.CDLL(None)


def find_tool(*names: str) -> Path:
    """Find a program on the path or in `.tools/bin`, by the first of its names that is there."""
    path = os.pathsep.join((str(CHECKOUT / ".tools" / "bin"), os.environ.get("PATH", ""), "/usr/sbin"))
    found = next(filter(None, (shutil.which(name, path=path) for name in names)), None)
    if found is None:
        raise FileNotFoundError(f"{' or '.join(names)} is not installed: run `make tools`")
    return Path(found)


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class Server(ABC):
    """A server process with its folder; a context manager that starts it, and in the end stops it and removes the folder."""

    stop_signal = signal.SIGTERM
    start_seconds = 20.0

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / "server.log"
        self.log.touch()
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def _launch(self) -> subprocess.Popen[bytes]:
        """Start the process."""

    @abstractmethod
    def _is_ready(self) -> bool:
        """Tell whether the server answers; may raise OSError for no."""

    def start(self) -> Self:
        """Start, and return when the server answers."""
        deadline = time.monotonic() + self.start_seconds
        self._process = self._launch()
        while not self._answers():
            if time.monotonic() > deadline:
                self.kill()
                raise TimeoutError(f"{type(self).__name__} did not answer within {self.start_seconds} s:\n{self.log.read_text()[-2000:]}")
            if self._process.poll() is not None:  # after a kill, PostgreSQL refuses to start until its old children are gone
                time.sleep(0.2)
                self._process = self._launch()
            time.sleep(0.03)
        return self

    def stop(self) -> None:
        """Stop in good order. Data stays."""
        self._end(self.stop_signal)

    def kill(self) -> None:
        """Kill without warning. Data stays as the server left it."""
        self._end(signal.SIGKILL)

    def restart(self) -> Self:
        """Stop and start on the same port and data."""
        self.stop()
        return self.start()

    def close(self) -> None:
        """Stop, and remove the data."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_details: object) -> None:
        self.close()

    def _answers(self) -> bool:
        with suppress(OSError):
            return self._is_ready()
        return False

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        _signal_group(process, number)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            _signal_group(process, signal.SIGKILL)
            process.wait(15)

    def _popen(self, command: Sequence[str | Path], *, environment: Mapping[str, str], **options: Any) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            output: dict[str, Any] = {"stdout": log, "stderr": log, **options}
            return subprocess.Popen(
                [str(part) for part in command],
                env=dict(environment),
                cwd=self.folder,
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - one system call, no lock taken: safe between fork and exec
                **output,
            )


class AccessEntry(NamedTuple):
    """One line of a registry's access log; `path` includes the query."""

    method: str
    path: str
    status: int


class DockerRegistry(Server):
    """docker-registry 2.8 on plain HTTP. `webhook` is told of manifest pushes and deletes, with `headers`."""

    def __init__(
        self,
        folder: Path,
        *,
        webhook: str | None = None,
        headers: Mapping[str, str] | None = None,
        allow_delete: bool = True,
        port: int | None = None,
    ) -> None:
        super().__init__(folder)
        self.port = port or free_port()
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.host}"
        self._environment = {"PATH": os.environ["PATH"], "OTEL_TRACES_EXPORTER": "none"}
        self._access_log = folder / "access.log"
        self._config = folder / "config.yml"
        self._config.write_text(json.dumps(self._settings(webhook, headers or {}, allow_delete=allow_delete)))  # JSON is YAML

    def requests(self) -> list[AccessEntry]:
        """What was asked of the registry since the start or the last `clear`, in the order of the answers."""
        found = _ACCESS_LINE.findall(self._access_log.read_text())
        return [AccessEntry(method, path, int(status)) for method, path, status in found]

    def clear(self) -> None:
        """Forget what was asked so far."""
        os.truncate(self._access_log, 0)  # the registry appends, so it goes on at the start

    def _settings(self, webhook: str | None, headers: Mapping[str, str], *, allow_delete: bool) -> dict[str, Any]:
        settings: dict[str, Any] = {
            "version": "0.1",
            "log": {"level": "warn"},
            "storage": {
                "filesystem": {"rootdirectory": str(self.folder / "data")},
                "delete": {"enabled": allow_delete},
                "maintenance": {"uploadpurging": {"enabled": False}},
            },
            "http": {"addr": self.host, "host": self.url, "secret": "only for tests"},
        }
        if webhook:
            endpoint = {
                "name": "receiver",
                "url": webhook,
                "timeout": "1s",
                "threshold": 3,
                "backoff": "200ms",
                "headers": {name: [value] for name, value in headers.items()},
                "ignoredmediatypes": ["application/octet-stream"],
                "ignore": {"actions": ["pull"]},
            }
            settings["notifications"] = {"events": {"includereferences": True}, "endpoints": [endpoint]}
        return settings

    def _launch(self) -> subprocess.Popen[bytes]:
        with self._access_log.open("ab") as access:
            return self._popen([find_tool("docker-registry"), "serve", self._config], environment=self._environment, stdout=access)

    def _is_ready(self) -> bool:
        with urllib.request.urlopen(f"{self.url}/v2/", timeout=1) as answer:
            ready: bool = answer.status == 200
        self.clear()
        return ready


class PostgreSQL(Server):
    """PostgreSQL that syncs nothing to disk: what was committed survives `kill`, but not a power cut."""

    stop_signal = signal.SIGINT  # "fast": does not wait for clients

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.port = free_port()
        self._programs = _postgresql_programs()
        self._user: dict[str, Any] = {}
        self._environment = {"PATH": f"{self._programs}:/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            account = pwd.getpwnam("postgres")
            _let_in(folder, account.pw_uid, account.pw_gid)
            self._user = {"user": "postgres", "group": "postgres", "extra_groups": []}
        self._run("initdb", "-D", folder / "data", "-U", "test", "-A", "trust", "-E", "UTF8", "--no-sync", "--no-instructions")

    @property
    def url(self) -> str:
        """A URL of the database that is there from the start, without a driver's name."""
        return self.database_url("postgres")

    def database_url(self, name: str) -> str:
        """A URL of the database `name`, without a driver's name."""
        return f"postgresql://test@127.0.0.1:{self.port}/{name}"

    def create_database(self) -> str:
        """Create an empty database and answer its URL."""
        name = f"test_{uuid4().hex}"
        self._run("psql", "-qX", "-h", "127.0.0.1", "-p", self.port, "-U", "test", "-d", "postgres", "-c", f'CREATE DATABASE "{name}"')
        return self.database_url(name)

    def _run(self, program: str, *arguments: object) -> None:
        command = [str(self._programs / program), *map(str, arguments)]
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=self._environment, cwd=self.folder, **self._user)
        if done.returncode:
            raise RuntimeError(f"{program} ended with {done.returncode}:\n{done.stderr[-2000:]}")

    def _launch(self) -> subprocess.Popen[bytes]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
            "full_page_writes": "off",
            "shared_buffers": "64MB",
            "jit": "off",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command: list[str | Path] = [self._programs / "postgres", "-D", self.folder / "data", "-p", str(self.port), *options]
        return self._popen(command, environment=self._environment, **self._user)

    def _is_ready(self) -> bool:
        command = [str(self._programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(command, check=False, env=self._environment).returncode == 0


class RabbitMQ(Server):
    """RabbitMQ with its management API.

    Mnesia writes late: what was declared less than `late_write_seconds` before a `kill` is gone afterwards, confirmed messages in it included.
    """

    late_write_seconds = 2.5
    start_seconds = 90.0

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.port, self._epmd_port, self._distribution_port, self._api_port = (free_port() for _ in range(4))
        self.api = f"http://127.0.0.1:{self._api_port}/api"
        self._epmd: subprocess.Popen[bytes] | None = None
        settings = {
            "listeners.tcp.1": f"127.0.0.1:{self.port}",
            "management.tcp.ip": "127.0.0.1",
            "management.tcp.port": self._api_port,
            "log.file": "false",
            "log.console": "true",
            "log.console.level": "warning",
            "vm_memory_high_watermark.absolute": "512MB",
            "disk_free_limit.absolute": "50MB",
        }
        (folder / "rabbitmq.conf").write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
        (folder / "enabled_plugins").write_text("[rabbitmq_management].")
        (folder / "environment.conf").touch()

    @property
    def url(self) -> str:
        """A URL of the default virtual host."""
        return self._vhost_url("/")

    def create_vhost(self) -> str:
        """Create an empty virtual host, which no other test shares, and answer its URL."""
        name = f"test-{uuid4().hex}"
        self.ask("PUT", f"/vhosts/{name}")
        self.ask("PUT", f"/permissions/{name}/guest", {"configure": ".*", "write": ".*", "read": ".*"})
        return self._vhost_url(name)

    def ask(self, method: str, path: str, content: object = None) -> Any:
        """Call the management API; `path` starts after `/api`. Answers the decoded body, or None."""
        body = None if content is None else json.dumps(content).encode()
        headers = {"Authorization": "Basic Z3Vlc3Q6Z3Vlc3Q=", "Content-Type": "application/json"}  # guest:guest
        request = urllib.request.Request(f"{self.api}{path}", data=body, method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def close(self) -> None:
        """Kill, which is faster than an orderly stop by seconds, remove the data, and end the name server."""
        self.kill()
        super().close()
        if self._epmd is not None:
            _signal_group(self._epmd, signal.SIGKILL)
            self._epmd.wait(5)
            self._epmd = None

    def _vhost_url(self, name: str) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}/{quote(name, safe='')}"

    def _launch(self) -> subprocess.Popen[bytes]:
        environment = self._environment()
        if self._epmd is None:  # a node without one starts a daemon that nobody would end
            command: list[str | Path] = [find_tool("epmd"), "-port", str(self._epmd_port), "-address", "127.0.0.1"]
            self._epmd = self._popen(command, environment=environment)
        return self._popen([_RABBITMQ], environment=environment)

    def _environment(self) -> dict[str, str]:
        folder = self.folder
        return {
            "PATH": f"{os.environ['PATH']}:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            "HOME": str(folder),
            "RABBITMQ_NODENAME": f"test{self.port}@localhost",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "environment.conf"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "generated"),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none"  # no busy waiting
            ),
        }

    def _is_ready(self) -> bool:
        with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
            connection.settimeout(3)
            connection.sendall(_AMQP_HEADER)
            has_protocol = connection.recv(1) == b"\x01"  # the frame of Connection.Start
        try:
            return has_protocol and self.ask("GET", "/overview") is not None
        except urllib.error.URLError:
            return False


def _die_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)


def _postgresql_programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    return find_tool("postgres").parent


def _let_in(folder: Path, user: int, group: int) -> None:
    """Give the folder to the account, and let it walk through pytest's private parents."""
    os.chown(folder, user, group)
    for parent in folder.parents:
        if parent.stat().st_uid == os.geteuid() and not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o011)
