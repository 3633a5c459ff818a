from __future__ import annotations

import pytest

from pratique.runtime.settings import Settings
from pratique.storage.engine import Database
from pratique_services.api.access import ANONYMOUS, Access, Caller
from pratique_services.api.answers import Problem
from pratique_services.api.browsing import is_own_path


def caller(*scopes: str, token: str = "prq_x") -> Caller:
    return Caller(name="ci", scopes=frozenset(scopes), token=token)


def test_admin_implies_every_scope() -> None:
    assert all(caller("admin").may(scope) for scope in ("read", "scan", "release", "admin"))


def test_no_other_scope_implies_another() -> None:
    assert not caller("scan", "release").may("read")
    assert not caller("read").may("scan")


def test_a_refusal_names_the_scope_that_is_missing() -> None:
    with pytest.raises(Problem, match="release") as refusal:
        caller("read").require("release")
    assert refusal.value.status == 403
    assert 'scope="release"' in refusal.value.headers["WWW-Authenticate"]


def test_form_tokens_differ_between_sessions_and_do_not_tell_the_token() -> None:
    assert caller(token="a").form_token != caller(token="b").form_token != ANONYMOUS.form_token
    assert "prq_x" not in caller().form_token


@pytest.mark.parametrize(
    ("url", "name", "is_secure"), [("https://x.example", "__Host-pratique", True), ("http://127.0.0.1:8080", "pratique", False)]
)
def test_cookies_are_kept_to_https_where_people_come_over_https(url: str, name: str, *, is_secure: bool) -> None:
    access = Access(settings=Settings(public_url=url), database=Database("sqlite+aiosqlite:///never-opened.sqlite"))
    assert (access.cookie, access.is_secure, access.origin) == (name, is_secure, url)


@pytest.mark.parametrize("path", ["/", "/images/a%3A5000/b@sha256:00?severity=high", "/where?vulnerability=CVE-1"])
def test_our_own_pages_are_led_back_to(path: str) -> None:
    assert is_own_path(path)


@pytest.mark.parametrize(
    "path", ["", "https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/\t/evil.example", "/a\nb", "evil"]
)
def test_other_sites_are_not_led_to(path: str) -> None:
    assert not is_own_path(path)
