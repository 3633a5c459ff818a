"""Settings: one YAML file, with the addresses and the file's own place overridable by environment variables.

    PRATIQUE_CONFIG         the settings file (default: none, all defaults)
    PRATIQUE_DATABASE_URL   postgresql://… or sqlite+aiosqlite:///PATH (default: pratique.sqlite in the current directory)
    PRATIQUE_BROKER_URL     amqp://… (default: the embedded queue in the SQLite file)
    PRATIQUE_ADVISORIES     the compiled advisory database
    PRATIQUE_LISTEN         HOST:PORT to serve on, for several services on one machine

Any text in the file may contain `${NAME}`, which is replaced by that environment variable; a missing one is an error, not an empty secret. Everything is
checked at start-up: a process with wrong settings exits instead of running degraded.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import yaml

from pratique.errors import InputError, SettingsError
from pratique.oci.reference import Reference

MIN_SECRET_CHARACTERS = 16  # a webhook secret that can be guessed is none
MAX_SETTINGS_BYTES = 1024 * 1024
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_SOURCE_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_VENDORS_WITHOUT_HOST = frozenset({"zot", "nexus"})
_MAX_PORT = 65535
_Seconds = Annotated[float, msgspec.Meta(gt=0, le=7 * 24 * 3600)]
_Count = Annotated[int, msgspec.Meta(ge=1, le=10_000)]

Vendor = Literal[
    "distribution", "harbor", "quay", "dockerhub", "github", "acr", "ecr", "gar", "zot", "gitea", "artifactory", "nexus", "generic",
]  # fmt: skip
FeedName = Literal[
    "osv", "kev", "epss", "eol", "debian-tracker", "ubuntu-osv", "redhat-csaf", "suse-csaf", "alpine-secdb", "amazon-alas", "wolfi-secdb", "chainguard-secdb",
]  # fmt: skip
ChatEvent = Literal["new_criticals", "exploited", "quarantined", "held", "promoted", "recovered"]


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the settings file; unknown names are refused, because a misspelt setting is a missing one."""

    def __repr__(self) -> str:
        """Name the section only: it holds secrets, and a representation ends in logs and tracebacks."""
        return f"{type(self).__name__}(…)"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return []


class RegistrySettings(_Section, frozen=True, kw_only=True):
    """A registry that pratique may talk to. Without `username`, Docker's config.json and credential helpers are asked.

    `concurrency` bounds requests at once; timeouts are in seconds.
    """

    host: str
    plain_http: bool = False
    username: str | None = None
    password: str | None = None
    ca_file: Path | None = None
    concurrency: _Count = 8
    connect_timeout: _Seconds = 10
    read_timeout: _Seconds = 60


class SourceSettings(_Section, frozen=True, kw_only=True):
    """A webhook sender: `POST /hooks/<name>`. Two secrets may be valid at once, so that they can be rotated.

    `host` overrides the registry host that the payload names: for senders that name none, or that know the registry under another name.
    `ignore_actors` are user names whose pushes start nothing (pratique's own robot account).
    """

    name: str
    vendor: Vendor
    secrets: tuple[str, ...]
    host: str | None = None
    ignore_actors: tuple[str, ...] = ()


class SigningSettings(_Section, frozen=True, kw_only=True):
    """Key files. `key` signs images that passed; `attestation_key` signs verdicts, and must be another key."""

    key: Path | None = None
    password: str = ""
    attestation_key: Path | None = None
    attestation_password: str = ""


class ChannelSettings(_Section, frozen=True, kw_only=True):
    """Where chat messages go: an Apprise URL, or a Slack-compatible `https://` (or loopback `http://`) webhook.

    `repositories` are globs over `host/repository`.
    """

    name: str
    url: str
    events: tuple[ChatEvent, ...] = ("new_criticals", "exploited", "quarantined")
    repositories: tuple[str, ...] = ("*",)


class OwnerSettings(_Section, frozen=True, kw_only=True):
    """Who owns repositories, for messages: a glob over `host/repository` and a name to call."""

    repositories: str
    owner: str


class DecryptionKeySettings(_Section, frozen=True, kw_only=True):
    """A private key (PEM or DER; RSA or elliptic curve) for which layers are encrypted as ocicrypt does, scheme `jwe`."""

    key: Path
    password: str = ""


class ScannerSettings(_Section, frozen=True, kw_only=True):
    """`concurrency` scans at once per process; `workers` processes that read layers (0: one a core); `timeout` and `lease` in seconds.

    `compare_files` hashes every file and compares it with what package managers recorded: modified files are told then, and a layer takes twice as long once.
    `foreign_layer_hosts` (`HOST[:PORT]`, `*.HOST`) may be asked for layers that lie outside the registry; without them such layers are gaps. `decryption_keys` open
    encrypted layers: what is in them is then shown to everybody who may read reports.
    """

    compare_files: bool = False
    concurrency: _Count = 4
    workers: Annotated[int, msgspec.Meta(ge=0, le=1024)] = 0
    timeout: _Seconds = 1800
    lease: _Seconds = 60
    max_attempts: _Count = 8
    foreign_layer_hosts: tuple[str, ...] = ()
    decryption_keys: tuple[DecryptionKeySettings, ...] = ()


class FeedsSettings(_Section, frozen=True, kw_only=True):
    """Which advisory feeds are kept in the folder `mirror`, and from where. `enabled` None: all that need no opting in; no `ecosystems`: all of OSV's.

    `urls` moves a feed to another address (`https://`, or `http://` on loopback) or to a directory of the same layout; `redirect_hosts` may be redirected to.
    A file that loses more than `max_shrink` of its records (a share of 1) is refused. `timeout` bounds a whole sync, `interval` is from one to the next; in seconds.
    """

    mirror: Path | None = None
    interval: _Seconds = 3600
    enabled: tuple[FeedName, ...] | None = None
    ecosystems: tuple[str, ...] = ()
    urls: dict[FeedName, str] = {}
    redirect_hosts: tuple[str, ...] = ()
    max_shrink: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.2
    timeout: _Seconds = 3600
    concurrency: _Count = 4


class VexSettings(_Section, frozen=True, kw_only=True):
    """What takes findings away. `documents` are files, or folders of `*.json`, that count for all images; `keys` are public keys (PEM): what they signed and hangs on an image counts for that."""

    documents: tuple[Path, ...] = ()
    keys: tuple[Path, ...] = ()


class RetrySettings(_Section, frozen=True, kw_only=True):
    """How often failed work comes back and after how many seconds."""

    max_attempts: _Count = 8
    delays: Annotated[tuple[_Seconds, ...], msgspec.Meta(min_length=1)] = (1, 5, 15, 60, 300)


class ReconcileSettings(_Section, frozen=True, kw_only=True):
    """How often stuck work is looked for, and how long a queued scan may wait before its message is sent again; in seconds."""

    interval: _Seconds = 30
    queued_for: _Seconds = 300


class RescanSettings(_Section, frozen=True, kw_only=True):
    """Scanning again what changed analyzers would read otherwise, or what was not read completely: `interval` from one search to the next, in seconds.

    At most `max_in_flight` re-scans wait or run. An image is not scanned again more often than once in `retry_after` seconds.
    """

    enabled: bool = True
    interval: _Seconds = 300
    max_in_flight: _Count = 4
    retry_after: _Seconds = 86400


class Settings(_Section, frozen=True, kw_only=True):
    """The whole of it. `listen` is `HOST:PORT`; `public_url` is where people open the pages, for links in messages."""

    database_url: str = "sqlite+aiosqlite:///pratique.sqlite"
    broker_url: str = ""
    advisories: Path | None = None
    policy: Path | None = None
    listen: str = "127.0.0.1:8080"
    public_url: str = "http://127.0.0.1:8080"
    anonymous_read: bool = False
    registries: tuple[RegistrySettings, ...] = ()
    sources: tuple[SourceSettings, ...] = ()
    signing: SigningSettings = SigningSettings()
    channels: tuple[ChannelSettings, ...] = ()
    owners: tuple[OwnerSettings, ...] = ()
    scanner: ScannerSettings = ScannerSettings()
    feeds: FeedsSettings = FeedsSettings()
    vex: VexSettings = VexSettings()
    retry: RetrySettings = RetrySettings()
    reconcile: ReconcileSettings = ReconcileSettings()
    rescans: RescanSettings = RescanSettings()

    @property
    def is_embedded(self) -> bool:
        """Tell whether the embedded queue is in use."""
        return not self.broker_url or self.broker_url.startswith("sqlite")

    @property
    def instance_token(self) -> str:
        """What pratique's own requests carry in `User-Agent`, so that its own pushes are known; not to be guessed by those who lack the secrets."""
        secrets = "\0".join(secret for source in self.sources for secret in source.secrets)
        return hashlib.sha256(f"instance\0{self.database_url}\0{secrets}".encode()).hexdigest()[:16]

    @property
    def effective_broker_url(self) -> str:
        """The broker's address: the database file itself for the embedded queue."""
        return self.broker_url or self.database_url

    @property
    def listen_address(self) -> tuple[str, int]:
        """Host and port to bind."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings file that `PRATIQUE_CONFIG` names and apply the environment.

    Raises SettingsError naming the field that is wrong.
    """
    environment = os.environ if environment is None else environment
    config = environment.get("PRATIQUE_CONFIG")
    raw = _read(Path(config)) if config else {}
    overrides = {
        "database_url": environment.get("PRATIQUE_DATABASE_URL"),
        "broker_url": environment.get("PRATIQUE_BROKER_URL"),
        "advisories": environment.get("PRATIQUE_ADVISORIES"),
        "listen": environment.get("PRATIQUE_LISTEN"),
    }
    raw |= {name: value for name, value in overrides.items() if value}
    return parse_settings(raw, environment, base=Path(config).resolve().parent if config else Path.cwd())


def parse_settings(raw: Mapping[str, object], environment: Mapping[str, str], *, base: Path) -> Settings:
    """Decode and check settings; relative paths are taken from `base`.

    Raises SettingsError.
    """
    try:
        settings = msgspec.convert(_expand(raw, environment), Settings, strict=True, dec_hook=_decode_path)
    except msgspec.ValidationError as error:
        raise SettingsError(f"settings: {error}") from error
    except RecursionError as error:
        raise SettingsError("settings are nested too deeply") from error
    _check(settings)
    return _absolute(settings, base)


def _read(path: Path) -> dict[str, object]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"cannot read the settings file {path}: {error.strerror}") from error
    if len(content) > MAX_SETTINGS_BYTES:
        raise SettingsError(f"settings file {path} is larger than {MAX_SETTINGS_BYTES} bytes")
    try:
        raw = yaml.safe_load(content)
    except (yaml.YAMLError, RecursionError) as error:
        raise SettingsError(f"settings file {path} is not YAML: {error}") from error
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise SettingsError(f"expected settings file {path} to be a mapping, got {type(raw).__name__}")
    return raw


def _expand(value: object, environment: Mapping[str, str]) -> object:
    match value:
        case str():
            return _VARIABLE.sub(lambda found: _variable(found[1], environment), value)
        case Mapping():
            return {name: _expand(item, environment) for name, item in value.items()}
        case list() | tuple():
            return [_expand(item, environment) for item in value]
        case _:
            return value


def _variable(name: str, environment: Mapping[str, str]) -> str:
    value = environment.get(name)
    if not value:
        raise SettingsError(f"settings name the environment variable {name}, which is not set")
    return value


def _decode_path(kind: type, value: object) -> Path:
    if kind is not Path or not isinstance(value, str) or not value:
        raise ValueError(f"expected a path, got {value!r}")
    return Path(value)


def _check(settings: Settings) -> None:
    host, _, port = settings.listen.rpartition(":")
    if not host or not (port.isascii() and port.isdigit()) or int(port) > _MAX_PORT:
        raise SettingsError(f"listen: expected HOST:PORT, got {settings.listen!r}")
    _check_unique("sources", [source.name for source in settings.sources])
    _check_unique("registries", [registry.host for registry in settings.registries])
    _check_unique("channels", [channel.name for channel in settings.channels])
    for registry in settings.registries:
        _check_registry(registry)
    for source in settings.sources:
        _check_source(source, {registry.host for registry in settings.registries})
    _check_feeds(settings.feeds)
    signing = settings.signing
    if signing.key is not None and signing.key == signing.attestation_key:
        raise SettingsError("signing.attestation_key must not be signing.key: a signed failing verdict would verify as a signature")
    if settings.is_embedded and not settings.effective_broker_url.startswith("sqlite"):
        raise SettingsError("broker_url: only an SQLite database comes with a queue of its own, set PRATIQUE_BROKER_URL to amqp://…")


def _check_feeds(feeds: FeedsSettings) -> None:
    if feeds.mirror is None and feeds.interval != FeedsSettings().interval:
        raise SettingsError("feeds.interval: nothing is synced without feeds.mirror; set that to a folder for feeds, or leave interval out")


def _check_registry(registry: RegistrySettings) -> None:
    try:
        Reference(host=registry.host, repository="any")
    except InputError as error:
        raise SettingsError(f"registries: expected HOST[:PORT] without scheme and path, got {registry.host[:140]!r}") from error
    if registry.host != registry.host.lower():
        raise SettingsError(f"registries: expected a host in lower case, got {registry.host!r}")
    if (registry.username is None) != (registry.password is None):
        raise SettingsError(f"registries.{registry.host}: username and password belong together, one of them is missing")


def _check_source(source: SourceSettings, hosts: set[str]) -> None:
    if not _SOURCE_NAME.fullmatch(source.name):
        raise SettingsError(f"sources: expected a name of letters, digits, '.', '_' and '-', as part of a URL, got {source.name[:80]!r}")
    if source.host is None and source.vendor in _VENDORS_WITHOUT_HOST:
        raise SettingsError(f"sources.{source.name}: {source.vendor} does not say which registry it is, `host` is needed")
    if source.host is not None and source.host not in hosts:
        raise SettingsError(f"sources.{source.name}: host {source.host[:140]!r} is not among the registries")
    if not 1 <= len(source.secrets) <= 2:  # noqa: PLR2004 - the current and the next one
        raise SettingsError(f"sources.{source.name}: expected one secret, or two during rotation, got {len(source.secrets)}")
    if min(map(len, source.secrets)) < MIN_SECRET_CHARACTERS:
        raise SettingsError(
            f"sources.{source.name}: a secret is shorter than {MIN_SECRET_CHARACTERS} characters; try `openssl rand -hex 24`"
        )


def _check_unique(section: str, names: list[str]) -> None:
    doubles = sorted({name for name in names if names.count(name) > 1})
    if doubles:
        raise SettingsError(f"{section}: {', '.join(doubles)} is there more than once")


def _absolute(settings: Settings, base: Path) -> Settings:
    def resolve(path: Path | None) -> Path | None:
        try:
            return None if path is None else base / path.expanduser()
        except RuntimeError as error:
            raise SettingsError(f"{path}: there is no such user") from error

    def resolve_all(paths: tuple[Path, ...]) -> tuple[Path, ...]:
        return tuple(found for found in map(resolve, paths) if found is not None)

    signing, scanner, feeds = settings.signing, settings.scanner, settings.feeds
    keys = tuple(msgspec.structs.replace(item, key=resolve(item.key)) for item in scanner.decryption_keys)
    return msgspec.structs.replace(
        settings,
        advisories=resolve(settings.advisories),
        policy=resolve(settings.policy),
        signing=msgspec.structs.replace(signing, key=resolve(signing.key), attestation_key=resolve(signing.attestation_key)),
        scanner=msgspec.structs.replace(scanner, decryption_keys=keys),
        feeds=msgspec.structs.replace(
            feeds,
            mirror=resolve(feeds.mirror),
            urls={name: url if "://" in url or url.startswith("file:") else str(resolve(Path(url))) for name, url in feeds.urls.items()},
        ),
        vex=VexSettings(documents=resolve_all(settings.vex.documents), keys=resolve_all(settings.vex.keys)),
        registries=tuple(msgspec.structs.replace(item, ca_file=resolve(item.ca_file)) for item in settings.registries),
    )
