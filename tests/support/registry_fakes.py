"""Fronts for registry tests: a proxy that breaks what passes through it, and a token server."""

from __future__ import annotations

import base64
import datetime as dt
import json
import time
import uuid
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID

from tests.support.servers import DockerRegistry, free_port

Fault = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """Serve every request with `handler` on a loopback port; yields `host:port`."""
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await runner.cleanup()


class FaultyProxy:
    """Passes requests on to a registry. Each fault in `faults` answers one request to a path that contains `where` instead."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self.where = ""
        self.faults: deque[Fault] = deque()
        self.seen: list[tuple[str, str, dict[str, str]]] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.seen.append((request.method, request.path, dict(request.headers)))
        if self.faults and self.where in request.path:
            return await self.faults.popleft()(request)
        return await self.forward(request)

    async def forward(self, request: web.Request, *, cut_after: int | None = None, drop: tuple[str, ...] = ()) -> web.StreamResponse:
        """Pass one request on; `cut_after` breaks the connection after so many bytes of the answer, `drop` are request headers left out."""
        headers = {key: value for key, value in request.headers.items() if key not in {"Host", *drop}}
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.request(
                request.method,
                f"http://{self._upstream}{request.rel_url}",
                headers=headers,
                data=await request.read(),
                allow_redirects=False,
            ) as upstream,
        ):
            body = await upstream.read()
            kept = {key: value for key, value in upstream.headers.items() if key not in {"Content-Length", "Transfer-Encoding"}}
            answer = web.StreamResponse(status=upstream.status, headers=kept)
            length = upstream.headers.get("Content-Length") if request.method == "HEAD" else str(len(body))
            if length is not None and upstream.status != 204:
                answer.headers["Content-Length"] = length
            await answer.prepare(request)
            if request.method != "HEAD":
                await answer.write(body[:cut_after])
            if cut_after is not None:
                assert request.transport is not None
                request.transport.close()
            return answer


class TokenServer:
    """Issues the JWTs that docker-registry accepts, to one user. `lifetime` is that of the tokens in seconds, of which it always promises 300; `asked` are the queries."""

    def __init__(self, folder: Path, *, lifetime: int = 300) -> None:
        self.lifetime = lifetime
        self.certificate = folder / "token-root.pem"
        self.asked: list[dict[str, Any]] = []
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tokens")])
        now = dt.datetime.now(dt.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(1)
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=2))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        self._chain = [base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.method == "POST":
            form = await request.post()
            scopes = str(form["scope"]).split()
            allowed = form.get("refresh_token") == "identity"
        else:
            scopes = request.query.getall("scope", [])
            allowed = request.headers.get("Authorization") == "Basic " + base64.b64encode(b"bot:pw").decode()
        self.asked.append({"method": request.method, "scopes": scopes})
        if not allowed:
            return web.Response(status=401)
        return web.json_response({"token": self.sign(scopes), "expires_in": 300})

    def sign(self, scopes: list[str]) -> str:
        access = []
        for scope in scopes:
            kind, rest = scope.split(":", 1)
            name, actions = rest.rsplit(":", 1)
            access.append({"type": kind, "name": name, "actions": actions.split(",")})
        now = int(time.time())
        claims = {
            "iss": "tokens",
            "sub": "bot",
            "aud": "registry",
            "nbf": now - 200,
            "iat": now - 200,
            "jti": uuid.uuid4().hex,
            "access": access,
        }
        claims["exp"] = now + self.lifetime
        head = {"typ": "JWT", "alg": "ES256", "x5c": self._chain}
        signed = ".".join(_base64url(json.dumps(part).encode()) for part in (head, claims))
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{_base64url(r.to_bytes(32) + s.to_bytes(32))}"


class TokenRegistry(DockerRegistry):
    """docker-registry that demands tokens of a TokenServer at `realm`."""

    def __init__(self, folder: Path, *, realm: str, certificate: Path) -> None:
        self._auth = {"token": {"realm": realm, "service": "registry", "issuer": "tokens", "rootcertbundle": str(certificate)}}
        super().__init__(folder)

    def _settings(self, *details: Any, **options: Any) -> dict[str, Any]:
        return {**super()._settings(*details, **options), "auth": self._auth}

    def _is_ready(self) -> bool:
        try:
            return super()._is_ready()
        except OSError as error:
            return getattr(error, "code", None) == 401


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
