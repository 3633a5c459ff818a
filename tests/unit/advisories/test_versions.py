"""Orders of versions, by curated cases and by the laws every order keeps."""

import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.advisories.versions import SCHEMES, compare, sort_key
from pratique.errors import InvalidVersion

ASCENDING = {
    "Debian:11": "~~ ~~a ~ 0~ 0 0a 1.0~alpha1 1.0~rc1-1 1.0 1.0-0.1 1.0-1~bpo11+1 1.0-1 1.0-1+b1 1.0-1+deb11u1 1.0-1+deb11u2 1.0-1+deb11u10 1.0-2 1.0a 1.0+b 1.0.1"
    " 1.1.1n-0+deb11u3 1.1.1n-0+deb11u4 1.1.2 1.9 1.10 2019a 20210101 1:0.1 1:0.2-1 2:0",
    "Alpine:v3.18": "0 0.1 1_alpha 1_alpha1 1_alpha2 1_beta 1_pre1 1_rc1 1_rc1-r1 1 1-r0 1-r1 1~abc 1_cvs 1_svn 1_git20200101 1_hg 1_p 1_p1 1_p1-r2 1a 1b 1.0"
    " 1.0.1 1.01 1.1 1.2.3-r4 1.2.3-r10 1.2.3_p1 1.2.3a 1.2.10 1.10 2 10",
    "PyPI": "1.dev0 1.0.dev456 1.0a1 1.0a2.dev456 1.0a12 1.0b1.dev456 1.0b2 1.0rc1 1.0 1.0+abc.5 1.0.post456 1.1.dev1 1.1 1!0.1",
    "npm": "0.0.0-0 0.0.1 1.0.0-0 1.0.0-1 1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0 1.0.1 1.2 1.10.0 2",
}
EQUAL = {
    "Debian:11": ["1.0 1.0-0 0:1.0 0:1.0-0 01.0 1.00", "21. 21.0", "a a0"],
    "Alpine:v3.18": ["1 01", "1-r1 1-r01", "1_alpha1 1_alpha01"],
    "PyPI": ["1.0 1 1.0.0 v1.0", "1.0rc1 1.0-c.1 1.0.RC1"],
    "npm": ["1 1.0 1.0.0 v1.0.0 =1.0.0 1.0.0+build.7", "1.0.0-rc.1 1.0.0-rc.1+a"],
}
INVALID = {
    "Debian:11": ["", "-1", "1.0-", ":1", "1:", "a:1", "1_0", "1 0", "3000000000:1", "ü", "1" * 600],
    "Alpine:v3.18": ["", "a", "1.", "1..2", "1_foo", "1-1", "1-r", "1aa", "1a.1", "1~", "1-r1_p1", "1:2", "9" * 600],
    "PyPI": ["", "latest", "1.0-SNAPSHOT", "2004d", "1.0.dev0.x", "1." * 400 + "1"],
    "npm": ["", "x", "1.x", "1.2.3.4", "1.2.3-", "1.2.3-a..b", "file:../x", "git+ssh://x", "1" * 600],
}


@pytest.mark.parametrize("ecosystem", ASCENDING)
def test_versions_sort_as_their_ecosystem_says(ecosystem: str) -> None:
    versions = ASCENDING[ecosystem].split()
    for (i, a), (j, b) in itertools.product(enumerate(versions), repeat=2):
        assert compare(ecosystem, a, b) == (i > j) - (i < j), f"{a} and {b}"


@pytest.mark.parametrize(("ecosystem", "spellings"), [(name, line.split()) for name, lines in EQUAL.items() for line in lines])
def test_spellings_of_one_version_are_equal_and_hash_alike(ecosystem: str, spellings: list[str]) -> None:
    assert len({sort_key(ecosystem, spelling) for spelling in spellings}) == 1


@pytest.mark.parametrize(("ecosystem", "text"), [(name, text) for name, texts in INVALID.items() for text in texts])
def test_what_is_no_version_is_refused(ecosystem: str, text: str) -> None:
    with pytest.raises(InvalidVersion):
        sort_key(ecosystem, text)


def test_an_ecosystem_without_an_order_is_refused() -> None:
    with pytest.raises(InvalidVersion, match="no order of versions is known"):
        compare("Gentoo", "1", "2")


def test_a_release_does_not_change_the_order() -> None:
    assert compare("Debian", "1.0~rc1", "1.0") == compare("Debian:11", "1.0~rc1", "1.0") == -1
    assert {"Debian", "Alpine", "PyPI", "npm"} <= SCHEMES.keys()


_NUMBER = st.integers(0, 12).map(str) | st.sampled_from(["00", "01", "010"])
_DOTTED = st.lists(_NUMBER, min_size=1, max_size=4).map(".".join)
_DEBIAN_TAIL = st.text("01a~+.-Z", max_size=6)
VERSIONS = {
    "Debian": st.builds(lambda epoch, main, tail: f"{epoch}{main}{tail}", st.sampled_from(["", "0:", "1:"]), _DOTTED, _DEBIAN_TAIL).filter(
        lambda text: not text.endswith("-")
    ),
    "Alpine": st.builds(
        lambda main, letter, suffixes, commit, revision: f"{main}{letter}{''.join(suffixes)}{commit}{revision}",
        _DOTTED,
        st.sampled_from(["", "", "a", "b"]),
        st.lists(st.sampled_from(["_alpha", "_beta1", "_pre", "_rc2", "_cvs", "_svn1", "_git", "_hg", "_p", "_p1"]), max_size=2),
        st.sampled_from(["", "", "~ab", "~0"]),
        st.sampled_from(["", "-r0", "-r1", "-r10"]),
    ),
    "PyPI": st.builds(
        lambda epoch, main, pre, post, dev: f"{epoch}{main}{pre}{post}{dev}",
        st.sampled_from(["", "1!"]),
        _DOTTED,
        st.sampled_from(["", "a1", "b2", "rc1"]),
        st.sampled_from(["", ".post1"]),
        st.sampled_from(["", ".dev1"]),
    ),
    "npm": st.builds(
        lambda parts, pre, build: f"{'.'.join(parts)}{pre}{build}",
        st.lists(_NUMBER, min_size=1, max_size=3),
        st.sampled_from(["", "-0", "-1", "-a", "-a.1", "-a.b", "-10"]),
        st.sampled_from(["", "+x"]),
    ),
}


@pytest.mark.parametrize("ecosystem", VERSIONS)
@given(data=st.data())
def test_the_order_is_total_and_keys_agree_with_it(ecosystem: str, data: st.DataObject) -> None:
    a, b, c = (data.draw(VERSIONS[ecosystem]) for _ in range(3))
    assert compare(ecosystem, a, a) == 0
    assert compare(ecosystem, a, b) == -compare(ecosystem, b, a)
    if compare(ecosystem, a, b) <= 0 and compare(ecosystem, b, c) <= 0:
        assert compare(ecosystem, a, c) <= 0
    if compare(ecosystem, a, b) == 0:
        assert hash(sort_key(ecosystem, a)) == hash(sort_key(ecosystem, b))
        assert compare(ecosystem, a, c) == compare(ecosystem, b, c)


@pytest.mark.parametrize("ecosystem", VERSIONS)
@given(text=st.text(max_size=40))
def test_any_text_is_a_version_or_is_refused(ecosystem: str, text: str) -> None:
    with contextlib.suppress(InvalidVersion):
        assert compare(ecosystem, text, text) == 0
