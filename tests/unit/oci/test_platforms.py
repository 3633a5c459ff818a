"""A platform that somebody asked for, and those that answer to it."""

from __future__ import annotations

import pytest

from pratique.errors import InvalidReference
from pratique.oci.manifest import Platform
from pratique.oci.platforms import PlatformChoice


def platform(text: str) -> Platform:
    os, architecture, *variant = text.split("/")
    return Platform(os=os, architecture=architecture, variant=variant[0] if variant else None)


@pytest.mark.parametrize(
    ("chosen", "accepted", "refused"),
    [
        ("linux/amd64", ["linux/amd64", "linux/amd64/v2", "linux/x86_64"], ["linux/arm64", "windows/amd64", "linux/386"]),
        ("linux/arm64", ["linux/arm64", "linux/arm64/v8", "linux/aarch64"], ["linux/arm", "linux/arm/v8"]),
        ("linux/arm64/v8", ["linux/arm64", "linux/arm64/v8"], ["linux/arm64/v9"]),
        ("linux/arm/v7", ["linux/arm/v7", "linux/arm"], ["linux/arm/v6", "linux/arm/v5"]),
        ("linux/arm/v6", ["linux/arm/v6"], ["linux/arm", "linux/arm/v7"]),
        ("linux/arm", ["linux/arm", "linux/arm/v6", "linux/arm/v7"], ["linux/arm64"]),
        ("Linux/X86_64", ["linux/amd64"], ["linux/arm64"]),
        ("linux/armhf", ["linux/arm/v7"], ["linux/arm/v6"]),
        ("wasi/wasm", ["wasi/wasm"], ["linux/wasm"]),
        ("all", ["linux/amd64", "unknown/unknown"], []),
    ],
)
def test_a_choice_accepts_what_is_meant_by_it(chosen: str, accepted: list[str], refused: list[str]) -> None:
    choice = PlatformChoice.parse(chosen)
    assert choice.is_all == (chosen == "all")
    assert [text for text in accepted if not choice.accepts(platform(text))] == []
    assert [text for text in refused if choice.accepts(platform(text))] == []
    assert choice.accepts(None)


def test_what_does_not_say_what_it_is_for_may_be_for_it() -> None:
    assert PlatformChoice.parse("linux/arm64").accepts(platform("linux/unknown"))
    assert not PlatformChoice.parse("linux/arm64").accepts(platform("windows/unknown"))


@pytest.mark.parametrize("text", ["", "arm64", "linux/", "/arm64", "linux/arm/v7/x", "linux//v7", "linux", "ALL"])
def test_what_is_no_platform_is_said_at_once(text: str) -> None:
    with pytest.raises(InvalidReference, match="expected a platform"):
        PlatformChoice.parse(text)
