"""References: what distribution's own tests hold valid and invalid, and that text and value say the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.errors import InputError, InvalidReference
from pratique.oci.digest import Digest
from pratique.oci.reference import Reference

SHA256 = "sha256:" + "ff" * 32
SHA512 = "sha512:" + "ab" * 64

VALID = [
    ("debian", "docker.io", "library/debian", "latest", None),
    ("debian:11", "docker.io", "library/debian", "11", None),
    ("team/app", "docker.io", "team/app", "latest", None),
    ("docker.io/debian", "docker.io", "library/debian", "latest", None),
    ("index.docker.io/debian:11", "docker.io", "library/debian", "11", None),
    ("docker.io/library/debian", "docker.io", "library/debian", "latest", None),
    ("test.com/repo:tag", "test.com", "repo", "tag", None),
    ("test:5000/repo", "test:5000", "repo", "latest", None),
    ("test:5000/repo:tag", "test:5000", "repo", "tag", None),
    (f"test:5000/repo@{SHA256}", "test:5000", "repo", None, SHA256),
    (f"test:5000/repo:tag@{SHA256}", "test:5000", "repo", "tag", SHA256),
    (f"test:5000/repo@{SHA512}", "test:5000", "repo", None, SHA512),
    ("lowercase:Uppercase", "docker.io", "library/lowercase", "Uppercase", None),
    ("localhost/app", "localhost", "app", "latest", None),
    ("foo_bar.com:8080", "docker.io", "library/foo_bar.com", "8080", None),
    ("foo/foo_bar.com:8080", "docker.io", "foo/foo_bar.com", "8080", None),
    ("sub-dom1.foo.com/bar/baz/quux:some-long-tag", "sub-dom1.foo.com", "bar/baz/quux", "some-long-tag", None),
    ("xn--n3h.com/myimage:xn--n3h.com", "xn--n3h.com", "myimage", "xn--n3h.com", None),
    ("192.168.1.1/repo", "192.168.1.1", "repo", "latest", None),
    ("192.168.1.1:5000/repo:tag", "192.168.1.1:5000", "repo", "tag", None),
    ("[2001:db8::1]/repo", "[2001:db8::1]", "repo", "latest", None),
    ("[2001:db8::1]:5000/repo:tag", "[2001:db8::1]:5000", "repo", "tag", None),
    ("[::1]:5000/a/b", "[::1]:5000", "a/b", "latest", None),
    ("reg.example/a--b/c__d.e_f", "reg.example", "a--b/c__d.e_f", "latest", None),
    ("reg.example/" + "a/" * 120 + "a", "reg.example", "a/" * 120 + "a", "latest", None),
    ("reg.example/app:" + "t" * 128, "reg.example", "app", "t" * 128, None),
]

INVALID = [
    "",
    ":justtag",
    f"@{SHA256}",
    "repo@sha256:ffff",
    f"repo@md5:{'a' * 32}",
    f"repo@{SHA256.upper()}",
    f"repo@{SHA256}0",
    f"repo@{SHA256}\n",
    f"validname@invaliddigest:{'ff' * 64}",
    "Uppercase:tag",
    "test:5000/Uppercase/lowercase:tag",
    "reg.example/",
    "/repo",
    "reg.example//repo",
    "reg.example/repo/",
    "reg.example/repo:",
    "reg.example/repo:a:b",
    "reg.example/repo:" + "t" * 129,
    "reg.example/repo:-tag",
    "reg.example/repo:ta g",
    "reg.example/repo:tag\n",
    "aa/asdf$$^/aa",
    "-foo/bar",
    "foo/-bar",
    "foo/bar-",
    "foo___bar",
    "foo/.bar",
    "foo/../bar",
    "reg..example/app",
    "-reg.example/app",
    "reg.example-/app",
    "reg.example:/app",
    "reg.example:port/app",
    "reg.example:123456/app",
    "user@reg.example/app",
    "https://reg.example/app",
    "[fe80::1%eth0]:5000/repo",
    "[2001:db8::1]",
    "[2001:db8::1/repo",
    "reg.example/" + "a/" * 128 + "a:tag",
    "ünïcode/app",
    "reg.example/app\x00",
    "a" * 2000,
]

_label = st.from_regex(r"[a-z0-9](?:[a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
_port = st.just("") | st.integers(1, 65535).map(lambda port: f":{port}")
_hosts = st.builds("{}.{}{}".format, _label, _label, _port) | st.builds("{}:{}".format, _label, st.integers(1, 65535))
_repositories = st.lists(st.from_regex(r"[a-z0-9]{1,5}(?:(?:\.|_|__|-{1,3})[a-z0-9]{1,5}){0,2}", fullmatch=True), min_size=1, max_size=4)
_tags = st.none() | st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,20}", fullmatch=True)
_digests = st.none() | st.binary().map(Digest.of)


@pytest.mark.parametrize(("text", "host", "repository", "tag", "digest"), VALID)
def test_what_distribution_holds_valid_is_read(text: str, host: str, repository: str, tag: str | None, digest: str | None) -> None:
    found = Reference.parse(text)
    assert (found.host, found.repository, found.tag, str(found.digest) if found.digest else None) == (host, repository, tag, digest)
    assert Reference.parse(str(found)) == found


@pytest.mark.parametrize("text", INVALID)
def test_what_distribution_holds_invalid_is_refused(text: str) -> None:
    with pytest.raises(InvalidReference):
        Reference.parse(text)


@given(host=_hosts, repository=_repositories.map("/".join), tag=_tags, digest=_digests)
def test_a_reference_is_what_its_text_says(host: str, repository: str, tag: str | None, digest: Digest | None) -> None:
    reference = Reference(host=host, repository=repository, tag=tag, digest=digest)
    expected = reference if tag or digest else reference.with_tag("latest")
    assert Reference.parse(str(reference)) == expected


@given(st.text(max_size=80))
def test_any_text_is_a_reference_or_refused_and_then_says_the_same_again(text: str) -> None:
    try:
        found = Reference.parse(text)
    except InputError:
        return
    assert Reference.parse(str(found)) == found


def test_a_digest_is_asked_for_before_a_tag() -> None:
    reference = Reference.parse(f"reg.example/app:v1@{SHA256}")
    assert reference.locator == SHA256
    assert reference.with_tag("v2").locator == "v2"
    assert str(reference.with_digest(Digest.parse(SHA512))) == f"reg.example/app@{SHA512}"
    assert str(reference.with_repository("other")) == f"reg.example/other:v1@{SHA256}"
    assert reference.name == "reg.example/app"
    assert Reference(host="reg.example", repository="app").locator == "latest"


@pytest.mark.parametrize(
    "change", [{"host": "reg.example/x"}, {"repository": "../app"}, {"repository": "App"}, {"tag": "a/b"}, {"tag": ""}, {"host": ""}]
)
def test_no_reference_can_be_built_that_leads_elsewhere(change: dict[str, str]) -> None:
    with pytest.raises(InvalidReference):
        Reference(**({"host": "reg.example", "repository": "app", "tag": "v1"} | change))  # type: ignore[arg-type]
