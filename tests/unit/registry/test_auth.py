from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.errors import InputError, RefusedError, SettingsError
from pratique.registry.access import RegistryAccess
from pratique.registry.auth import (
    Authenticator,
    Challenge,
    TokenRequest,
    build_token_request,
    normalise_scopes,
    parse_challenges,
    parse_token,
)
from pratique.registry.credentials import Credentials

ACCESS = RegistryAccess(host="registry.example")
BEARER = (
    'Bearer realm="https://auth.example/token",service="registry",scope="repository:a/b:pull,push repository:c:pull",error="invalid_token"'
)
BOT = Credentials(username="bot", password="secret-word")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class World:
    """A token server and a store of credentials that answer what they are told to."""

    def __init__(self, credentials: Credentials | None = BOT) -> None:
        self.credentials = credentials
        self.asked: list[TokenRequest] = []
        self.lifetime = 300
        self.clock = Clock()
        self.authenticator = Authenticator(ACCESS, self.ask, self.load, self.clock)

    async def ask(self, request: TokenRequest) -> bytes:
        self.asked.append(request)
        return f'{{"token":"t{len(self.asked)}","expires_in":{self.lifetime}}}'.encode()

    async def load(self, _: RegistryAccess) -> Credentials | None:
        return self.credentials


def test_a_bearer_challenge_is_read() -> None:
    (challenge,) = parse_challenges([BEARER])
    assert challenge.scheme == "bearer"
    assert challenge.parameters["realm"] == "https://auth.example/token"
    assert challenge.scopes == ("repository:a/b:pull,push", "repository:c:pull")


def test_several_challenges_in_one_header_are_told_apart() -> None:
    found = parse_challenges(['Bearer realm="x, \\"y\\"",service=z, Basic realm="q"', "Negotiate"])
    assert [(challenge.scheme, dict(challenge.parameters)) for challenge in found] == [
        ("bearer", {"realm": 'x, "y"', "service": "z"}),
        ("basic", {"realm": "q"}),
        ("negotiate", {}),
    ]


@given(st.lists(st.text(max_size=200)))
def test_no_header_breaks_the_parser(values: list[str]) -> None:
    assert all(challenge.scheme for challenge in parse_challenges(values))


def test_equal_scopes_are_equal_however_they_are_written() -> None:
    assert normalise_scopes(["repository:b:push,pull", "repository:a:pull"]) == normalise_scopes(
        ["repository:a:pull", "repository:b:pull", "repository:b:push"]
    )


@pytest.mark.parametrize(
    "realm", ["http://auth.example/token", "ftp://auth.example/", "/token", "", "https://user@auth.example/", "https://["]
)
def test_credentials_are_not_sent_to_a_realm_without_tls(realm: str) -> None:
    with pytest.raises(RefusedError):
        build_token_request(ACCESS, Challenge(scheme="bearer", parameters={"realm": realm}), (), BOT)


def test_an_identity_token_is_posted_and_a_password_is_not() -> None:
    (challenge,) = parse_challenges([BEARER])
    posted = build_token_request(ACCESS, challenge, challenge.scopes, Credentials(username="", identity_token="idt"))
    assert posted.method == "POST"
    assert posted.authorization is None
    assert ("refresh_token", "idt") in posted.parameters
    asked = build_token_request(ACCESS, challenge, challenge.scopes, BOT)
    assert (asked.method, asked.authorization) == ("GET", BOT.basic)
    assert [value for key, value in asked.parameters if key == "scope"] == list(challenge.scopes)
    assert build_token_request(ACCESS, challenge, (), None).authorization is None


def test_secrets_are_not_in_any_repr() -> None:
    (challenge,) = parse_challenges([BEARER])
    values = (
        BOT,
        RegistryAccess(host="h", username="bot", password="secret-word"),
        build_token_request(ACCESS, challenge, (), BOT),
        build_token_request(ACCESS, challenge, (), Credentials(username="", identity_token="secret-word")),
        parse_token(b'{"token":"secret-word"}', 0.0),
    )
    for value in values:
        assert "secret-word" not in repr(value)
        assert BOT.basic not in repr(value)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"token":""}', b'{"token":"a\\nb"}', b'{"token":5}', b'{"a":' + b"[" * 9999, '{"token":"é"}'.encode()]
)
def test_an_unusable_token_is_refused_without_being_shown(content: bytes) -> None:
    with pytest.raises(InputError):
        parse_token(content, 0.0)


async def test_nothing_is_sent_before_the_registry_asks() -> None:
    world = World()
    assert await world.authenticator.authorization(("repository:a:pull",)) is None
    assert world.asked == []


async def test_a_token_is_kept_until_shortly_before_its_end() -> None:
    world = World()
    scopes = ("repository:a/b:pull",)
    first = await world.authenticator.renew(['Bearer realm="https://auth.example/"'], scopes, None)
    assert first == "Bearer t1"
    world.clock.now += 280
    assert await world.authenticator.authorization(scopes) == first
    world.clock.now += 15
    assert await world.authenticator.authorization(scopes) == "Bearer t2"


async def test_a_refused_token_is_not_given_again_but_a_newer_one_is() -> None:
    world = World()
    challenges = ['Bearer realm="https://auth.example/"']
    first = await world.authenticator.renew(challenges, ("s:a:pull",), None)
    second = await world.authenticator.renew(challenges, ("s:a:pull",), first)
    assert second == "Bearer t2"
    assert await world.authenticator.renew(challenges, ("s:a:pull",), first) == second
    assert len(world.asked) == 2


async def test_a_scope_that_the_registry_demands_is_asked_for() -> None:
    world = World()
    await world.authenticator.renew([BEARER], ("repository:a/b:pull",), None)
    assert [value for key, value in world.asked[0].parameters if key == "scope"] == ["repository:a/b:pull,push", "repository:c:pull"]


async def test_basic_authorization_is_given_once_and_a_refused_password_ends_it() -> None:
    world = World()
    given = await world.authenticator.renew(['Basic realm="x"'], (), None)
    assert given == BOT.basic
    assert await world.authenticator.authorization(("anything",)) == given
    with pytest.raises(RefusedError) as caught:
        await world.authenticator.renew(['Basic realm="x"'], (), given)
    assert "secret-word" not in str(caught.value)
    world.credentials = Credentials(username="bot", password="renewed")
    assert await world.authenticator.renew(['Basic realm="x"'], (), given) == world.credentials.basic


@pytest.mark.parametrize("challenges", [[], ["Negotiate"], ['Basic realm="x"']])
async def test_no_way_in_is_a_refusal(challenges: list[str]) -> None:
    with pytest.raises(RefusedError):
        await World(credentials=None).authenticator.renew(challenges, (), None)


def test_half_a_login_is_a_settings_error() -> None:
    with pytest.raises(SettingsError):
        RegistryAccess(host="h", username="bot")
    with pytest.raises(SettingsError):
        RegistryAccess(host="h", read_timeout=0)
    with pytest.raises(SettingsError):
        RegistryAccess(host="h", concurrency=0)


def test_docker_hub_is_reached_at_its_api() -> None:
    assert str(RegistryAccess(host="docker.io").origin) == "https://registry-1.docker.io"
    assert str(RegistryAccess(host="r:5000", plain_http=True).origin) == "http://r:5000"
