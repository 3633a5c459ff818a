"""Orders of versions, by curated cases and by the laws every order keeps."""

import itertools
from pathlib import Path

import pytest

from pratique.advisories.advisory import Affected, Event, EventKind
from pratique.advisories.ranges import VersionSet, evaluate_affected
from pratique.advisories.versions import MAX_VERSION_LENGTH, SCHEMES, compare, sort_key
from pratique.errors import InvalidVersion

_TOO_LONG = "1" * (MAX_VERSION_LENGTH + 1)

ASCENDING = {
    "Debian:11": "~~ ~~a ~ 0~ 0 0a 1.0~alpha1 1.0~rc1-1 1.0 1.0-0.1 1.0-1~bpo11+1 1.0-1 1.0-1+b1 1.0-1+deb11u1 1.0-1+deb11u2 1.0-1+deb11u10 1.0-2 1.0a 1.0+b 1.0.1"
    " 1.1.1n-0+deb11u3 1.1.1n-0+deb11u4 1.1.2 1.9 1.10 2019a 20210101 1:0.1 1:0.2-1 2:0",
    "Alpine:v3.18": "0 0.1 1_alpha 1_alpha1 1_alpha2 1_beta 1_pre1 1_rc1 1_rc1-r1 1 1-r0 1-r1 1~abc 1_cvs 1_svn 1_git20200101 1_hg 1_p 1_p1 1_p1-r2 1a 1b 1.0"
    " 1.0.1 1.01 1.1 1.2.3-r4 1.2.3-r10 1.2.3_p1 1.2.3a 1.2.10 1.10 2 10",
    "Red Hat:enterprise_linux:9::baseos": "~a a 0~ 0 1~rc1 1~rc1-1 1 1-1~rc1 1-1 1-1^git1 1-1.el8 1-1.el8_4.2 1-1.el8_4.10 1-1.el8_10 1-1.el9 1-1.1 1-2 1^20200101 1a"
    " 1.0 1.0a 1.0.1 1.1 10 2019a 1:0 2:0.1-1",
    "PyPI": "1.dev0 1.0.dev456 1.0a1 1.0a2.dev456 1.0a12 1.0b1.dev456 1.0b2 1.0rc1 1.0 1.0+abc.5 1.0+abc.10 1.0+5 1.0.post456 1.1.dev1 1.1 1!0.1",
    "npm": "0.0.0-0 0.0.1 1.0.0-0 1.0.0-1 1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0 1.0.1 1.2 1.10.0 2",
    "Go": "v0.0.0-20190101000000-abcdef123456 v0.0.0-20200101000000-abcdef123456 v0.1.0 v1.2.3-0.20191231000000-000000000000"
    " v1.2.3-0.20200101000000-abcdef123456 v1.2.3-pre.0.20200101000000-abcdef123456 v1.2.3-rc.1 v1.2.3 v1.2.4-0.20200101000000-abcdef123456 1.2.4"
    " v2.0.0+incompatible v10.0.0",
    "Maven": "1-alpha 1-alpha-1 1-alpha-2 1-alpha-10 1.0-beta-1 1.0-milestone1 1.0-rc-1-SNAPSHOT 1.0-rc1 1.0.rc.2 1-SNAPSHOT 1 1-sp 1.0-jre 1-xyz 1-1 1-2 1.0.1 1.1 1.10 2",
    "RubyGems": "1.0.a 1.0.a.2 1.0.a10 1.0.b1 1.0-x86 1.0.pre 1.0.rc1 1.0.rc2 1.0 1.0.0.1 1.0.1.pre 1.0.1 1.9 1.10 2.0.0.beta 2",
    "NuGet": "1.0.0-1 1.0.0-2 1.0.0-10 1.0.0-ALPHA 1.0.0-alpha.1 1.0.0-Beta 1.0 1.0.0.1-rc 1.0.0.1 1.0.1 1.2 1.10 2",
    "Packagist": "dev-feature dev-master 1.0.0-dev 1.0.0-alpha1 1.0-alpha2 1.0.0-beta 1.0b2 1.0.0-RC1-dev 1.0.0-RC1 1.0 1.0.0-patch1 1.0-p2 1.0.0.1 1.0.1 1.2 1.10 1.x-dev"
    " 2.0 2010-01-02 2010.01.03",
    "Pub": "1.0.0-pre 1.0.0-pre+1 1.0.0 1.0.0+1 1.0.0+2 1.0.0+10 1.0.0+a 1.0.1",
    "Julia": "4.3.0 4.3.1-rc1 4.3.1 4.3.1+0 4.3.1+1 4.4.0",
    "CRAN": "0.9 0.9-1 0.9.2 0.10 1.0 1.0.0 1.0-1 1.1",
    "Hackage": "0 0.0 0.1 0.1.0 0.2 0.10 1 2023.1",
    "Bitnami": "1.2.2-9 1.2.3-rc1 1.2.3 1.2.4-0 1.10.0-debian-11",
    "Linux": "2.6.32 2.6.32.71 3.0-rc7 3.0 6.1-rc1 6.1-rc10 6.1 6.1.1 6.1.55 6.12-rc3 6.12",
    "ConanCenter": "0 1-a 1-b 1 1.0.1 1.1-alpha.2 1.1-alpha.10 1.1 1.1+1 1.1a.0 2 10 cci.20200101 cci.20210101",
    "Conda": "0.4 0.4.1.rc 0.4.1 0.5a1 0.5b3 0.5C1 0.5 0.9.6 0.960923 1.0 1.1dev1 1.1_ 1.1a1 1.1.0dev1 1.1.a1 1.1.0rc1 1.1+a 1.1.0 1.1+1 1.1.0post1 1.1post1 1996.07.12 1!0.4.1 1!3.1.1.6 2!0.4.1",
    "Gentoo": "1_alpha 1_alpha_p1 1_alpha2 1_beta 1_pre1 1_rc1 1_rc1-r1 1 1-r1 1_p 1_p1 1a 1b 1.0 1.01 1.010_p1 1.1 1.2b 1.2.3 1.2.10 10",
    "Arch Linux": "1.0a 1.0beta 1.0p 1.0pre 1.0rc-1 1.0rc-2 1.0 1.0-1 1.0-1.1 1.0-2 1.0.a 1.0.1 1.0..1 1.1 1:0-1",
    "opam": "0~ 0 0.1~rc1 0.1 0.1-1 0.1.0 v0.9 v0.14.1 v0.14.10",
    "Root:PyPI": "1.0rc1 1.0 1.0+root.io.1 1.0+root.io.2 1.0+root.io.10 1.0.1",
    "Root:Alpine:3.18": "1.0.0-r1 1.0.0-r10071 1.0.0-r10072 1.0.1-r0",
    "Root:Debian:12": "1.0-1 1.0-1.root.io.1 1.0-1.root.io.2 1.0-1+deb12u1",
    "Echo:npm": "1.2.3-rc 1.2.3 1.2.3+echo.1 1.2.3+echo.2 1.2.4",
    "Echo": "1.2-3 1.2-3+e1 1.2-3+e2",
}
EQUAL = {
    "Debian:11": ["1.0 1.0-0 0:1.0 0:1.0-0 01.0 1.00", "21. 21.0", "a a0"],
    "Alpine:v3.18": ["1 01", "1-r1 1-r01", "1_alpha1 1_alpha01"],
    "SUSE:Linux Enterprise Server 15 SP5": ["0:1.0-1 1.0-1 1..0-1 1_0-01 1.0.-1 00:1+0-1"],
    "PyPI": ["1.0 1 1.0.0 v1.0", "1.0rc1 1.0-c.1 1.0.RC1", "1.0+ABC.1 1.0+abc-1"],
    "npm": ["1 1.0 1.0.0 v1.0.0 =1.0.0 1.0.0+build.7", "1.0.0-rc.1 1.0.0-rc.1+a", "1.2.3beta =v1.2.3-beta"],
    "Go": ["v2.0.0+incompatible v2.0.0 2.0.0", "v1.2 1.2.0"],
    "Maven": [
        "1 1.0 1.0.0 1-ga 1.0.Final 1.0.RELEASE 1-0 1.0-FINAL",
        "1.0-rc1 1.0-cr1 1.0.RC1 1-RC-01",
        "1a1 1.0-alpha-1",
        "1-SNAPSHOT 1.0-snapshot",
    ],
    "RubyGems": ["1 1.0 1.0.0", "1.0.a 1.a 1.0.0.a.0", "1.0-1 1.0.pre.1"],
    "NuGet": ["1 1.0 1.0.0 1.0.0.0 1.0.0+sha", "1.0.0-BETA 1.0.0-beta 01.0.0-beta+x"],
    "Packagist": [
        "1 v1.0 1.0.0 1.0.0.0 1.0.0-stable 1.0.0+build 1.0@dev",
        "1.0-b1 1.0beta1 1.0.0.0-BETA1",
        "dev-master master",
        "1.x-dev 1.x.x-dev",
    ],
    "CRAN": ["1.0-1 1.0.1 1.00.01"],
    "Bioconductor": ["1.2-3 1.2.3"],
    "Bitnami": ["1.2.3 1.2.3-0 1.2.3-4 1.2.3-10-r5"],
    "Linux": ["6.1 6.1.0 6.1.0-13-amd64 v6.1 6.1-gentoo", "6.1-rc3 6.1.0-rc3+"],
    "ConanCenter": ["1 1.0 1.0.0", "1-a 1.0-a.0"],
    "Conda": ["0.4.1.rc 0.4.1.RC", "1.1 1.1.0 1.1.0.0", "1.1.0dev1 1.1.dev1", "1-1 1_1 1.1"],
    "Gentoo": ["1 1-r0 01", "1.0 1.00", "1_p 1_p0"],
    "Arch Linux": ["0:1.0-1 1.0-1 01.00-1"],
    "Echo:PyPI": ["1 1.0"],
    "TuxCare:npm": ["v1.0.0 1.0.0"],
    "TuxCare:Alpine:v3.16": ["1-r1 1-r01"],
}
INVALID = {
    "Debian:11": ["", "-1", "1.0-", ":1", "1:", "1:-1", "a:1", "1_0", "1 0", "3000000000:1", "ü", _TOO_LONG],
    "Alpine:v3.18": ["", "a", "1.", "1..2", "1_foo", "1-1", "1-r", "1aa", "1a.1", "1~", "1-r1_p1", "1:2", "1.1.0-r1-r0", _TOO_LONG],
    "AlmaLinux:9": ["", "-1", "1-", ":1", "1:", "a:1", "1 0", "1:2:3", "5000000000:1", "é", "1\n", _TOO_LONG],
    "PyPI": ["", "latest", "1.0-SNAPSHOT", "2004d", "1.0.dev0.x", "1." * (MAX_VERSION_LENGTH // 2) + "1"],
    "npm": ["", "x", "1.x", "1.2.3.4", "1.2.3-", "1.2.3-a..b", "1.0.0-*", "file:../x", "git+ssh://x", _TOO_LONG],
    "Go": ["", "(devel)", "go1.2.3", "master", "v1.2.3.4", "\u0661.\u0662", _TOO_LONG],
    "Maven": ["", "${project.version}", "[1,2)", "1 0", "1/2", "1:2", _TOO_LONG],
    "RubyGems": ["", "a", ".1", "1.", "1..2", "1_2", ">= 1", _TOO_LONG],
    "NuGet": ["", "a", "1.2.3.4.5", "1.*", "1.0-", "[1.0]", _TOO_LONG],
    "Packagist": ["", "a", "^1.0", "1.0 as 2.0", "1.0-foo", "dev-", "12345.0.x", "1.x", _TOO_LONG],
    "CRAN": ["", "a", "1.a", "1..2", "1_2", "-1", _TOO_LONG],
    "Hackage": ["", "1-2", "1.a", "1.", _TOO_LONG],
    "Bitnami": ["", "nightly.2026-03-10.0", "1.2.3.4", _TOO_LONG],
    "Linux": ["", "linux", "6.", "6.1rc1", _TOO_LONG],
    "ConanCenter": ["", "1-", "[>1]", "1 2", _TOO_LONG],
    "Conda": ["", "1..2", "a!1", "1+", "+1", "1!2!3", "1+2+3", "_1", "1 2", _TOO_LONG],
    "Gentoo": ["", "a", "1_foo", "1.", "1ab", "1-1", _TOO_LONG],
    "Arch Linux": ["", "1:", "a:1", "1 2", _TOO_LONG],
    "opam": ["", "1:2", "1 2", _TOO_LONG],
    "Root": ["1"],
    "Root:Nowhere": ["1"],
    "TuxCare": ["1"],
    "TuxCare:TuxCare:npm": ["1"],
    "Android:12": ["12L:2022-06-05"],
    "": ["1"],
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


def _verified() -> list[tuple[str, str, str, str]]:
    lines = (Path(__file__).parent / "verified_versions.tsv").read_text(encoding="utf-8").splitlines()
    return [(ecosystem, a, relation, b) for ecosystem, a, relation, b in (line.split("\t") for line in lines if line[0] != "#")]


def test_versions_compare_as_the_ecosystems_own_tools_compare_them() -> None:
    relations = {-1: "<", 0: "=", 1: ">"}
    assert [(*case, found) for case in _verified() if (found := relations[compare(case[0], case[1], case[3])]) != case[2]] == []


def test_an_ecosystem_without_an_order_is_refused() -> None:
    with pytest.raises(InvalidVersion, match="no order of versions is known for 'OSS-Fuzz'"):
        compare("OSS-Fuzz", "1", "2")


def test_zero_is_a_version_of_every_scheme_since_events_name_it() -> None:
    assert {name for name in SCHEMES.keys() - {"Root", "TuxCare"} if compare(name, "0", "0") != 0} == set()


def test_a_range_that_begins_at_zero_holds_what_comes_before_the_version_zero() -> None:
    for ecosystem, version in (("npm", "0.0.0-alpha"), ("Debian:12", "0~~"), ("PyPI", "0.dev1"), ("RubyGems", "0.a")):
        assert compare(ecosystem, version, "0") == -1
        events = (Event(kind=EventKind.INTRODUCED, version="0"), Event(kind=EventKind.FIXED, version="1"))
        affected, _ = evaluate_affected([Affected(ecosystem=ecosystem, name="a", ranges=(events,), versions=(), git_ranges=0)])
        assert VersionSet(ecosystem, affected).holds(sort_key(ecosystem, version))


def test_a_release_does_not_change_the_order() -> None:
    assert compare("Debian", "1.0~rc1", "1.0") == compare("Debian:11", "1.0~rc1", "1.0") == -1
    assert {"Debian", "Alpine", "PyPI", "npm"} <= SCHEMES.keys()
