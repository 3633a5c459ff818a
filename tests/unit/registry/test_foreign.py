"""Layers outside the registry: only from where an operator said, never from a cloud's own addresses, and never with anybody's credentials."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence

import pytest
from aiohttp import web
from yarl import URL

from pratique.errors import DigestMismatch, MissingError, RefusedError, RegistryUnavailable, SettingsError
from pratique.oci.digest import Digest
from pratique.oci.manifest import Descriptor
from pratique.registry.foreign import ForeignHost, ForeignLayers, refuse_address
from tests.support.registry_fakes import serving

FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
CONTENT = random.Random(1).randbytes(3_000_000)


def layer(*urls: str, content: bytes = CONTENT) -> Descriptor:
    return Descriptor(media_type=FOREIGN, digest=Digest.of(content), size=len(content), urls=urls)


async def fetch(foreign: ForeignLayers, descriptor: Descriptor) -> bytes:
    return b"".join([chunk async for chunk in foreign.stream(descriptor)])


class Place:
    """A server of layers. `answers` are given in turn, the last one for ever; None is the content."""

    def __init__(self, *answers: web.StreamResponse | int | str | None) -> None:
        self.answers = list(answers)
        self.seen: list[web.Request] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, str):
            return web.Response(status=302, headers={"Location": answer})
        if isinstance(answer, web.StreamResponse):
            return answer
        if answer is not None and answer < 600:
            return web.Response(status=answer)
        return await self._content(request, answer)

    async def _content(self, request: web.Request, cut_after: int | None) -> web.StreamResponse:
        part = request.http_range
        body = CONTENT[part]
        response = web.StreamResponse(status=206 if part.start else 200)
        if part.start:
            response.headers["Content-Range"] = f"bytes {part.start}-{len(CONTENT) - 1}/{len(CONTENT)}"
        response.content_length = len(body)
        await response.prepare(request)
        await response.write(body[:cut_after])
        if cut_after is not None and request.transport is not None:
            request.transport.close()
        return response


@pytest.mark.parametrize(
    ("text", "admitted", "refused"),
    [
        ("cdn.example", ["https://cdn.example/x", "https://CDN.example:443/x"], ["http://cdn.example/x", "https://cdn.example:444/x", "https://a.cdn.example/", "https://cdn.example.evil/"]),
        ("cdn.example:8443", ["https://cdn.example:8443/x"], ["https://cdn.example/x"]),
        ("*.data.example", ["https://a.data.example/", "https://a.b.data.example/"], ["https://data.example/", "https://adata.example/", "https://a.data.example:80/"]),
        ("http://127.0.0.1:5000", ["http://127.0.0.1:5000/x"], ["https://127.0.0.1:5000/x", "http://127.0.0.1/x"]),
        ("http://localhost:5000", ["http://localhost:5000/x"], ["http://127.0.0.1:5000/x"]),
        ("https://cdn.example", ["https://cdn.example/x"], ["http://cdn.example/x"]),
    ],
)  # fmt: skip
def test_a_host_admits_its_own_addresses_only(text: str, admitted: list[str], refused: list[str]) -> None:
    host = ForeignHost.parse(text)
    assert all(host.admits(URL(url)) for url in admitted)
    assert not any(host.admits(URL(url)) for url in refused)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*.",
        "a/b",
        "http://cdn.example",
        "ftp://cdn.example",
        "https://u:p@cdn.example",
        "https://cdn.example/path",
        "a b:x",
        "2130706433",
        "127.1",
        "*",
    ],
)
def test_what_is_no_host_is_a_wrong_setting(text: str) -> None:
    if text == "*":  # a name like any other: it admits nothing real
        assert not ForeignHost.parse(text).admits(URL("https://cdn.example/"))
        return
    with pytest.raises(SettingsError, match="foreign layers"):
        ForeignHost.parse(text)


@pytest.mark.parametrize(
    "address",
    [
        *("169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "0.0.0.0", "224.0.0.1", "240.0.0.1", "127.0.0.1"),
        *("fe80::1%eth0", "fd00:ec2::254", "::", "::1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "ff02::1"),
    ],
)
def test_an_address_where_no_layer_lies_is_refused_whatever_the_name(address: str) -> None:
    with pytest.raises(RefusedError, match="no layers are fetched from"):
        refuse_address("cdn.example", address)


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("cdn.example", "10.1.2.3"),
        ("cdn.example", "93.184.216.34"),
        ("localhost", "::1"),
        ("127.0.0.1", "127.0.0.1"),
        ("cdn.example", "2606:2800::1"),
    ],
)
def test_a_mirror_within_the_company_and_this_machine_by_its_name_are_not_refused(name: str, address: str) -> None:
    refuse_address(name, address)


@pytest.fixture
async def place() -> AsyncIterator[tuple[Place, str]]:
    found = Place(None)
    async with serving(found.handle) as host:
        yield found, f"http://{host}"


async def test_a_layer_comes_from_an_allowed_host_without_credentials(place: tuple[Place, str]) -> None:
    found, host = place
    async with ForeignLayers([host]) as foreign:
        assert await fetch(foreign, layer("https://cdn.example/x", f"{host}/layer?sig=1")) == CONTENT
    (request,) = found.seen
    assert request.path_qs == "/layer?sig=1"
    assert not {"Authorization", "Cookie", "Referer"} & set(request.headers)


@pytest.mark.parametrize(
    ("urls", "message"),
    [
        ((), "says nowhere where"),
        (("ftp://x/y", "https://user:secret@cdn.example/", "no address", "https://"), "says nowhere where"),
        (("https://cdn.example/x", "https://b.example:8443/x"), "on cdn.example or b.example:8443: nothing is fetched"),
        (("http://cdn.example/x",), "on http://cdn.example: nothing is fetched"),
    ],
)
async def test_a_layer_elsewhere_is_not_asked_for_and_the_host_is_named(urls: Sequence[str], message: str) -> None:
    async with ForeignLayers(["other.example"]) as foreign:
        with pytest.raises(MissingError, match=message):
            await fetch(foreign, layer(*urls))


async def test_a_redirect_is_followed_to_allowed_hosts_only(place: tuple[Place, str]) -> None:
    found, host = place
    first = Place(f"{host}/there")
    async with serving(first.handle) as other:
        async with ForeignLayers([host, f"http://{other}"]) as foreign:
            assert await fetch(foreign, layer(f"http://{other}/x")) == CONTENT
        found.seen.clear()
        async with ForeignLayers([f"http://{other}"]) as foreign:
            with pytest.raises(MissingError, match=r"redirects to http://127\.0\.0\.1.* not allowed"):
                await fetch(foreign, layer(f"http://{other}/x"))
    assert found.seen == []


@pytest.mark.parametrize("target", ["http://169.254.169.254/latest/meta-data", "file:///etc/passwd", "//[", "", "/again"])
async def test_a_redirect_into_nowhere_or_in_a_circle_is_a_gap(target: str) -> None:
    async with serving(Place(target).handle) as host, ForeignLayers([f"http://{host}"]) as foreign:
        with pytest.raises(MissingError, match="redirects"):
            await fetch(foreign, layer(f"http://{host}/x"))


@pytest.mark.parametrize("status", [401, 403, 404, 410, 400])
async def test_a_host_that_refuses_is_asked_once_and_the_next_one_has_it(place: tuple[Place, str], status: int) -> None:
    refusing = Place(status)
    async with serving(refusing.handle) as other:
        async with ForeignLayers([place[1], f"http://{other}"]) as foreign:
            assert await fetch(foreign, layer(f"http://{other}/x", f"{place[1]}/x")) == CONTENT
        async with ForeignLayers([f"http://{other}"]) as foreign:
            with pytest.raises(MissingError, match=str(status)):
                await fetch(foreign, layer(f"http://{other}/x"))
    assert len(refusing.seen) == 2


async def test_a_transfer_that_breaks_goes_on_where_it_was() -> None:
    broken = Place(2_000_000, None)
    async with serving(broken.handle) as host, ForeignLayers([f"http://{host}"]) as foreign:
        assert await fetch(foreign, layer(f"http://{host}/x")) == CONTENT
    first, second = (request.headers.get("Range") for request in broken.seen)
    assert first is None
    assert second is not None


async def test_a_host_that_is_away_is_tried_again_later() -> None:
    away = Place(503)
    async with serving(away.handle) as host, ForeignLayers([f"http://{host}"]) as foreign:
        with pytest.raises(RegistryUnavailable, match="503"):
            await fetch(foreign, layer(f"http://{host}/x"))
    assert len(away.seen) == 2


async def test_content_of_another_size_is_refused(place: tuple[Place, str]) -> None:
    async with ForeignLayers([place[1]]) as foreign:
        with pytest.raises((DigestMismatch, MissingError), match="expected 3 bytes"):
            await fetch(foreign, layer(f"{place[1]}/x", content=b"abc"))


async def test_a_hundred_addresses_are_not_a_hundred_requests() -> None:
    refusing = Place(404)
    async with serving(refusing.handle) as host, ForeignLayers([f"http://{host}"]) as foreign:
        with pytest.raises(MissingError):
            await fetch(foreign, layer(*(f"http://{host}/{number}" for number in range(100))))
    assert len(refusing.seen) == 4


async def test_a_host_that_never_answers_is_given_up() -> None:
    async def hang(_request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(20)
        return web.Response()

    started = time.monotonic()
    async with serving(hang) as host, ForeignLayers([f"http://{host}"], connect_timeout=0.1, read_timeout=0.2) as foreign:
        with pytest.raises(RegistryUnavailable):
            await fetch(foreign, layer(f"http://{host}/x"))
    assert time.monotonic() - started < 5


async def test_a_name_that_leads_to_this_machine_is_refused_unless_it_is_this_machines() -> None:
    async with ForeignLayers(["0x7f.1:5999"]) as foreign:  # resolved without a name server
        with pytest.raises(MissingError, match=r"0x7f\.1 leads to 127\.0\.0\.1"):
            await fetch(foreign, layer("https://0x7f.1:5999/x"))
