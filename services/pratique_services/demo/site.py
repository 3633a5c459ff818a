"""All that the demo runs on, in one directory and on loopback: advisories, keys, a registry that tells pratique of pushes, a chat channel, a database."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from pratique import __version__
from pratique.advisories.compiler import compile_database
from pratique.errors import SettingsError
from pratique.oci.digest import Digest
from pratique.registry.access import RegistryAccess
from pratique.registry.client import Registries, RegistryClient
from pratique.runtime.concurrency import run_together
from pratique.runtime.settings import Settings, parse_settings
from pratique.signing.keys import SigningKey
from pratique.storage.migrations import migrate
from pratique_services.demo.console import Narrator
from pratique_services.demo.receiver import ChatReceiver
from pratique_services.demo.registry import Webhook, create_registry_app, serve_registry
from pratique_services.demo.seals import PublicKeys

ASSETS = Path(__file__).with_name("assets")
POLICY = ASSETS / "policy.yaml"
OWNERS = {"demo/vulnerable": "@team-shop", "demo/billing": "@team-billing"}
_SOURCE = "demo-registry"


@dataclass(slots=True)
class BlobMeter:
    """Counts what a registry hands out of each blob, in bytes."""

    served: dict[str, int] = field(default_factory=dict)

    def count(self, blob: Digest) -> int:
        """The bytes handed out of a blob so far."""
        return self.served.get(str(blob), 0)

    async def note(self, request: web.Request, response: web.StreamResponse) -> None:
        """Take down an answer that is about to be sent."""
        digest = request.match_info.get("digest", "")
        if request.method == "GET" and "/blobs/" in request.path and response.status in {200, 206}:
            self.served[digest] = self.served.get(digest, 0) + (response.content_length or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where the demo takes place. `client` pushes and reads as a stranger would, without pratique's own user agent."""

    folder: Path
    settings: Settings
    client: RegistryClient
    meter: BlobMeter
    chat: ChatReceiver
    keys: PublicKeys

    @property
    def public_key(self) -> Path:
        """The file with the key that clears images."""
        return self.folder / "signing.pub"


@asynccontextmanager
async def open_site(folder: Path, narrator: Narrator, *, port: int, policy: Path) -> AsyncIterator[Site]:
    """Set up everything in `folder` but the services, and keep registry and chat channel up while the block runs. `port` is the services'; 0 picks one.

    Raises PratiqueError.
    """
    address = f"127.0.0.1:{_choose_port(port)}"
    password = secrets.token_urlsafe(24)
    with narrator.timed("advisories") as told:
        report = await asyncio.to_thread(compile_database, ASSETS / "osv", folder / "advisories.db")
        feeds = ", ".join(feed.name for feed in report.feeds if feed.is_matched)
        told.append(f"{report.advisories} real advisories compiled ({feeds}): an extract to show things by, not current")
    with narrator.timed("keys") as told:
        keys = await _make_keys(folder, password)
        told.append("one clears images, the other signs verdicts of every kind: signing.pub, attestation.pub")
    with narrator.timed("database") as told:
        url = f"sqlite+aiosqlite:///{folder / 'pratique.sqlite'}"
        await migrate(url)
        told.append("SQLite, with the queue in the same file")
    chat, meter, secret = ChatReceiver(), BlobMeter(), secrets.token_urlsafe(24)
    async with contextlib.AsyncExitStack() as stack:
        with narrator.timed("registry") as told:
            await stack.enter_async_context(chat.served())
            webhook = Webhook(url=f"http://{address}/hooks/{_SOURCE}", headers={"Authorization": f"Bearer {secret}"})
            app = create_registry_app(folder / "registry", notify=webhook)
            app.on_response_prepare.append(meter.note)
            host = await stack.enter_async_context(serve_registry(app))
            told.append(f"{host}, which calls {webhook.url} at every push; a chat channel listens, too")
        document = _describe_settings(host, address, chat.url, secret)
        document |= {"database_url": url, "policy": str(policy), "signing": _describe_signing(password)}
        registries = Registries({host: RegistryAccess(host=host, plain_http=True)}, user_agent=f"pratique-demo-client/{__version__}")
        client = (await stack.enter_async_context(registries)).client(host)
        settings = parse_settings(document, {}, base=folder)
        yield Site(folder=folder, settings=settings, client=client, meter=meter, chat=chat, keys=keys)


def _describe_settings(host: str, address: str, chat: str, secret: str) -> dict[str, object]:
    """The settings, as a file would hold them."""
    return {
        "advisories": "advisories.db",
        "listen": address,
        "public_url": f"http://{address}",
        "anonymous_read": True,
        "registries": [{"host": host, "plain_http": True}],
        "sources": [{"name": _SOURCE, "vendor": "distribution", "secrets": [secret]}],
        "channels": [{"name": "security", "url": chat, "events": ["new_criticals"]}],
        "owners": [{"repositories": f"*/{repository}", "owner": owner} for repository, owner in OWNERS.items()],
        "scanner": {"workers": min(2, os.cpu_count() or 1)},
    }


def _describe_signing(password: str) -> dict[str, object]:
    return {"key": "signing.key", "password": password, "attestation_key": "attestation.key", "attestation_password": password}


async def _make_keys(folder: Path, password: str) -> PublicKeys:
    """Make both pairs at once: protecting a key takes time by design."""
    admission, attestation = SigningKey.generate(), SigningKey.generate()
    pairs = {"signing": admission, "attestation": attestation}
    for name, key in pairs.items():
        (folder / f"{name}.pub").write_bytes(key.public_pem())
    await run_together(asyncio.to_thread(key.save_private, folder / f"{name}.key", password.encode()) for name, key in pairs.items())
    return PublicKeys(admission=admission.verifying_key, attestation=attestation.verifying_key)


def _choose_port(wanted: int) -> int:
    """The port, or any that is free for 0: the registry has to be told before the services listen on it.

    Raises SettingsError when it is taken.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: a connection of the last demo may linger
        try:
            probe.bind(("127.0.0.1", wanted))
        except (OSError, OverflowError) as error:
            raise SettingsError(
                f"cannot listen on 127.0.0.1:{wanted} ({error}): choose another port with --port, or any with --port 0"
            ) from error
        number: int = probe.getsockname()[1]
        return number
