"""How one registry is reached: address, credentials, limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from yarl import URL

from pratique.errors import SettingsError

DOCKER_HUB = "docker.io"
_DOCKER_HUB_API = "registry-1.docker.io"  # docker.io itself serves a web site


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryAccess:
    """Settings of one registry. Without `username` the credentials come from Docker's `config.json`.

    `host` is as in a reference (`docker.io`, `registry.example:5000`). Times are in seconds: `connect_timeout` for the connection, `read_timeout` for a
    silence of the registry, `backoff` for the longest first pause between attempts. `concurrency` bounds the requests and, separately, the open
    downloads, so that many workers do not run into the registry's rate limit. `ca_file` (PEM) is trusted in addition to the system's authorities.
    """

    host: str
    plain_http: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    concurrency: int = 8
    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    max_attempts: int = 4
    backoff: float = 0.5
    ca_file: Path | None = None

    def __post_init__(self) -> None:
        if (self.username is None) != (self.password is None):
            raise SettingsError(f"registry {self.host}: username and password belong together, one of them is missing")
        if self.concurrency < 1 or self.max_attempts < 1:
            raise SettingsError(f"registry {self.host}: concurrency and max_attempts must be at least 1")
        if min(self.connect_timeout, self.read_timeout) <= 0 or self.backoff < 0:
            raise SettingsError(f"registry {self.host}: timeouts must be positive")

    @property
    def origin(self) -> URL:
        """Scheme, host and port of the registry's API."""
        host = _DOCKER_HUB_API if self.host == DOCKER_HUB else self.host
        return URL(f"{'http' if self.plain_http else 'https'}://{host}").origin()
