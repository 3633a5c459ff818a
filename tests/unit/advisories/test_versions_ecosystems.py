"""The laws that every order of versions keeps, whatever the text, and the table of ecosystems."""

import contextlib
import random
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pratique.advisories import versions
from pratique.advisories.versions import MAX_VERSION_LENGTH, SCHEMES, WITHOUT_ORDER, compare, scheme_of, sort_key
from pratique.errors import InputError, InvalidVersion
from tests.support.osv_mirror import EXTRACT, read_extract

_OF_OSV = """
    AlmaLinux, Alpaquita, Alpine, Android, Azure Linux, BellSoft Hardened Containers, Bioconductor, Bitnami, CRAN, Chainguard, CleanStart, ConanCenter, Debian,
    Docker Hardened Images, Echo, FreeBSD, GHC, GIT, GitHub Actions, Go, Hackage, Hex, Julia, Kubernetes, Linux, Mageia, Maven, MinimOS, NuGet, OSS-Fuzz,
    Packagist, Photon OS, Pub, PyPI, Red Hat, Rocky Linux, Root, RubyGems, SUSE, SwiftURL, TuxCare, Ubuntu, VSCode, Wolfi, crates.io, npm, openEuler, openSUSE,
    opam
"""
_BY_SCHEME = {scheme.name: name for name, scheme in SCHEMES.items() if name not in {"Root", "TuxCare"}}
_ONE_OF_EACH = [*sorted(_BY_SCHEME.values()), "Root:npm", "Root:Debian:12"]


def test_every_ecosystem_of_osv_has_an_order_or_a_reason_to_have_none() -> None:
    assert {name.strip() for name in _OF_OSV.split(",")} <= SCHEMES.keys() | WITHOUT_ORDER.keys()
    assert SCHEMES.keys() & WITHOUT_ORDER.keys() == set()


def test_every_module_of_a_scheme_is_in_the_table() -> None:
    shared = {"__init__", "ecosystems", "padded", "scheme"}
    modules = {path.stem for path in Path(versions.__file__).parent.glob("*.py")} - shared
    assert {scheme.name for scheme in SCHEMES.values()} == modules | {"by_release"}


@pytest.mark.parametrize(
    ("ecosystem", "scheme"),
    [
        ("Red Hat:enterprise_linux:9::baseos", "rpm"),
        ("Red Hat:rhel_aus:8.4::appstream", "rpm"),
        ("SUSE:Linux Enterprise Server 15 SP5", "rpm"),
        ("openSUSE:Leap 15.6", "rpm"),
        ("openEuler:24.03-LTS-SP1", "rpm"),
        ("Rocky Linux:9", "rpm"),
        ("Photon OS:5.0", "rpm"),
        ("Azure Linux:3", "rpm"),
        ("Ubuntu:Pro:18.04:LTS", "dpkg"),
        ("Alpaquita:stream", "apk"),
        ("BellSoft Hardened Containers:23", "apk"),
        ("CleanStart", "apk"),
        ("Maven:https://maven.google.com", "maven"),
        ("Packagist:https://packages.drupal.org/8", "composer"),
        ("VSCode:https://open-vsx.org", "semver"),
        ("Docker Hardened Images", "semver"),
        ("Echo", "dpkg"),
        ("Echo:PyPI", "pep440"),
        ("Echo:Maven", "maven"),
        ("Root:Alpine:3.18", "root_apk"),
        ("Root:pypi", "root_pep440"),
        ("TuxCare:Red Hat", "rpm"),
        ("TuxCare:Alpine:v3.16", "apk"),
        ("TuxCare:Echo:npm", "semver_build"),
    ],
)
def test_the_order_is_that_of_the_base_ecosystem(ecosystem: str, scheme: str) -> None:
    found = scheme_of(ecosystem)
    assert found is not None
    assert found.name == scheme


@pytest.mark.parametrize(
    "ecosystem", [*WITHOUT_ORDER, "Nowhere", "", ":", "TuxCare:", "TuxCare:TuxCare:npm", "Root:", "Root:TuxCare:npm", "debian"]
)
def test_no_order_is_invented(ecosystem: str) -> None:
    with pytest.raises(InvalidVersion):
        compare(ecosystem, "1", "1")


_NUMBERS = ["0", "00", "01", "1", "2", "9", "10", "010", "99999999999999999999", "20200101"]
_WORDS = [
    "a",
    "b",
    "rc",
    "RC",
    "alpha",
    "beta",
    "pre",
    "dev",
    "post",
    "p",
    "x",
    "SNAPSHOT",
    "final",
    "sp",
    "ga",
    "git",
    "cci",
    "v",
    "dev-master",
]
_MIXED = ["el8", "r1", "deb12u1", "1a", "a1", "_rc1", "_p", "_alpha", "-r1", "root.io.1"]
_ATOMS = [*_NUMBERS, *_WORDS, *_MIXED]
_SEPARATORS = [".", ".", ".", "-", "", "~", "^", "+", "_", ":", "!", "..", "-."]
_SHAPED = st.lists(st.tuples(st.sampled_from(_ATOMS), st.sampled_from(_SEPARATORS)), min_size=1, max_size=6).map(
    lambda pieces: "".join(part for piece in pieces for part in piece)[: -len(pieces[-1][1]) or None]
)
_DOTTED = st.lists(st.sampled_from([*_NUMBERS, *_WORDS[:6]]), min_size=1, max_size=4).map(".".join)
_TEXTS = st.one_of(_SHAPED, _DOTTED)


def _is_version(ecosystem: str, text: str) -> bool:
    try:
        sort_key(ecosystem, text)
    except InvalidVersion:
        return False
    return True


def _check_laws(ecosystem: str, a: str, b: str, c: str) -> None:
    assert compare(ecosystem, a, a) == 0
    assert compare(ecosystem, a, b) == -compare(ecosystem, b, a)
    if compare(ecosystem, a, b) <= 0 and compare(ecosystem, b, c) <= 0:
        assert compare(ecosystem, a, c) <= 0
    same = compare(ecosystem, a, b) == 0
    assert same == (sort_key(ecosystem, a) == sort_key(ecosystem, b))
    if same:
        assert hash(sort_key(ecosystem, a)) == hash(sort_key(ecosystem, b))
        assert compare(ecosystem, a, c) == compare(ecosystem, b, c)


@pytest.mark.parametrize("ecosystem", _ONE_OF_EACH)
@settings(max_examples=50)
@given(texts=st.lists(_TEXTS, min_size=8, max_size=24))
def test_the_order_is_total_and_keys_agree_with_it(ecosystem: str, texts: list[str]) -> None:
    readable = [text for text in texts if _is_version(ecosystem, text)]
    ordered = sorted(readable, key=lambda text: sort_key(ecosystem, text))
    for a, b, c in zip(readable, ordered[1:] + ordered[:1], ordered, strict=True):
        _check_laws(ecosystem, a, b, c)
    assert all(compare(ecosystem, a, b) <= 0 for place, a in enumerate(ordered) for b in ordered[place:])


@pytest.mark.parametrize("ecosystem", sorted(path.name for path in EXTRACT.iterdir() if (path / "all.zip").exists()))
def test_the_order_of_real_versions_is_total(ecosystem: str) -> None:
    entries = [
        entry
        for record in read_extract(ecosystem)
        for entry in record["affected"]
        if entry["package"]["ecosystem"].split(":")[0] == ecosystem
    ]
    events = [event for entry in entries for range_ in entry.get("ranges", ()) if range_["type"] != "GIT" for event in range_["events"]]
    readable = sorted({version for event in events for version in event.values() if _is_version(ecosystem, version)})
    chance = random.Random(20240229)
    for _ in range(500):
        _check_laws(ecosystem, *(chance.choice(readable) for _ in range(3)))


@pytest.mark.parametrize("ecosystem", _ONE_OF_EACH)
@settings(max_examples=60)
@given(text=st.one_of(st.text(max_size=40), st.text("019azAZ.-_+~^:!*@=v \n", max_size=40)))
def test_any_text_is_a_version_or_is_refused(ecosystem: str, text: str) -> None:
    with contextlib.suppress(InputError):
        assert compare(ecosystem, text, text) == 0


_HOSTILE = (
    "1",
    "0",
    "a",
    ".",
    "-",
    "~",
    "1.",
    "1-",
    "0.",
    "a.",
    "1a",
    "-r1",
    "_p",
    "1_",
    "1:",
    "9",
    "v",
    "=",
    " ",
    "+a",
    "1.0-",
    ".0a",
    "dev",
    "2010-01",
)


@pytest.mark.parametrize("ecosystem", _ONE_OF_EACH)
def test_long_texts_take_linear_time(ecosystem: str) -> None:
    started = time.process_time()
    for unit in _HOSTILE:
        for length in (MAX_VERSION_LENGTH, 10_000):
            for head, tail in (("", ""), ("1", ""), ("1.0-", "!"), ("", "\n")):
                text = head + unit * ((length - len(head + tail)) // len(unit)) + tail
                with contextlib.suppress(InputError):
                    assert compare(ecosystem, text, text[:-1] + "1") in {-1, 0, 1}
    assert time.process_time() - started < 2  # 192 texts: quadratic time at 10,000 characters, or in numbers of 1,000 digits, takes minutes
