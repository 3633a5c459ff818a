"""dpkg's status file."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.errors import InputError
from pratique.inventory.analyzers.dpkg import ANALYZER, parse
from pratique.inventory.package import Package, PackageDetails
from tests.support.layer_results import ASSETS, asset_file, layer_file, packages

STATUS = "var/lib/dpkg/status"


def names(content: str) -> list[str]:
    return [fact.name for fact in parse(layer_file(STATUS, content)) if isinstance(fact, Package)]


def conffiles(content: str) -> tuple[tuple[str, str], ...]:
    return tuple(file for fact in parse(layer_file(STATUS, content)) if isinstance(fact, PackageDetails) for file in fact.files)


def test_a_real_status_file_gives_its_packages_in_order() -> None:
    found = [fact for fact in parse(asset_file(STATUS, "debian-11-status")) if isinstance(fact, Package)]

    assert len(found) == 21
    assert [package.name for package in found[:4]] == ["adduser", "apt", "base-files", "bash"]
    assert {package.architecture for package in found} == {"all", "amd64"}


@pytest.mark.parametrize(
    ("name", "version", "source", "source_version"),
    [
        ("bash", "5.1-2+deb11u1", "bash", "5.1-2+deb11u1"),
        ("libc6", "2.31-13+deb11u11", "glibc", "2.31-13+deb11u11"),
        ("coreutils", "8.32-4+b1", "coreutils", "8.32-4"),
        ("libsemanage1", "3.1-1+b2", "libsemanage", "3.1-1"),
        ("bsdutils", "1:2.36.1-8+deb11u2", "util-linux", "2.36.1-8+deb11u2"),
    ],
)
def test_advisories_are_matched_on_the_source_package(name: str, version: str, source: str, source_version: str) -> None:
    package = next(fact for fact in parse(asset_file(STATUS, "debian-11-status")) if isinstance(fact, Package) and fact.name == name)

    assert (package.version, package.matching_name, package.matching_version) == (version, source, source_version)
    assert package.ecosystem == ""


@pytest.mark.parametrize(
    ("status", "is_there"),
    [
        ("install ok installed", True),
        ("deinstall ok installed", True),
        ("hold ok installed", True),
        ("install ok half-configured", True),
        ("install reinstreq half-installed", True),
        ("install ok unpacked", True),
        ("install ok triggers-pending", True),
        ("deinstall ok config-files", False),
        ("purge ok not-installed", False),
    ],
)
def test_a_package_counts_while_its_files_are_on_disk(status: str, is_there: bool) -> None:
    assert bool(names(f"Package: a\nStatus: {status}\nVersion: 1\n")) is is_there


def test_a_stanza_without_status_is_installed() -> None:
    assert names("Package: base\nVersion: 1\n") == ["base"]


def test_a_package_that_is_not_installed_needs_no_version() -> None:
    assert names("Package: a\nStatus: unknown ok not-installed\nPriority: extra\n") == []


def test_windows_line_ends_and_continuation_lines_are_read() -> None:
    content = "Package: a\r\nVersion: 1\r\nDescription: x\r\n Package: not this\r\n\tVersion: 9\r\n\r\n\r\nPackage: b\r\nVersion: 2"

    assert [(fact.name, fact.version) for fact in parse(layer_file(STATUS, content))] == [("a", "1"), ("b", "2")]


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("Package: b\n", "line 4: no Version of b"),
        ("Version: 1\n", "line 4: no Package"),
        ("Package: b\nVersion: 1\nStatus: install ok confused\n", "unknown Status"),
        ("Package: b\nVersion: 1\nVersion: 2\n", "b'Version' twice"),
        ("\x00\x01\x02\n", "expected a field"),
        (" continues nothing\n", "expected a field"),
        ("Package: b\nVersion: 1\nSource: c (\n", "no version of Source"),
    ],
)
def test_a_broken_stanza_is_told_after_all_others_were_read(broken: str, reason: str) -> None:
    found, error = packages(parse, layer_file(STATUS, f"Package: a\nVersion: 1\n\n{broken}\nPackage: z\nVersion: 3\n"))

    assert (found[0], found[-1]) == ("a", "z")
    assert "1 broken stanzas" in error
    assert reason in error


def test_a_readable_package_in_a_stanza_with_a_junk_line_is_not_lost() -> None:
    found, error = packages(parse, layer_file(STATUS, "Package: a\njunk\nVersion: 1\n"))

    assert found == ["a"]
    assert error


def test_a_cut_off_file_is_an_error() -> None:
    found, error = packages(parse, layer_file(STATUS, "Package: a\nVersion: 1\n\nPackage: b\nVer"))

    assert found == ["a"]
    assert "line 4: expected a field" in error


def test_an_empty_file_holds_no_packages() -> None:
    assert names("") == []


@pytest.mark.parametrize(
    ("path", "is_wanted"),
    [
        (STATUS, True),
        ("var/lib/dpkg/status.d/libssl3", True),
        ("var/lib/dpkg/status.d/libssl3.md5sums", False),
        ("var/lib/dpkg/status-old", False),
        ("var/lib/dpkg/status.d/deeper/libssl3", False),
        ("backup/var/lib/dpkg/status", False),
    ],
)
def test_only_the_live_database_is_wanted(path: str, is_wanted: bool) -> None:
    assert ANALYZER.paths.matches(path) is is_wanted


def test_the_maintainer_is_the_vendor() -> None:
    vendors = {fact.name: fact.vendor for fact in parse(asset_file(STATUS, "debian-11-status")) if isinstance(fact, Package)}

    assert vendors["bash"] == "Matthias Klose <doko@debian.org>"
    assert all(vendors.values())


def test_a_vendor_is_cut_and_has_no_control_characters() -> None:
    (package,) = parse(layer_file(STATUS, "Package: a\nVersion: 1\nMaintainer: J\u00f6rg \x1b[31m" + "x" * 5000 + "\n"))

    assert isinstance(package, Package)
    assert package.vendor.startswith("J\u00f6rg [31mxxx")
    assert len(package.vendor) == 199


def test_configuration_files_follow_their_package() -> None:
    found = list(parse(asset_file(STATUS, "debian-11-status")))
    adduser = next(index for index, fact in enumerate(found) if fact.name == "adduser")

    assert found[adduser + 1] == PackageDetails(
        type="deb",
        name="adduser",
        version="3.118+deb11u1",
        architecture="all",
        files=(("etc/deluser.conf", "md5:773fb95e98a27947de4a95abb3d3f2a2"),),
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f"/etc/a {'0' * 32}", ("etc/a", f"md5:{'0' * 32}")),
        (f"/etc/a b {'0' * 32}", ("etc/a b", f"md5:{'0' * 32}")),
        (f"/etc/a {'0' * 32} obsolete", ("etc/a", f"md5:{'0' * 32}")),
        (f"/etc/a {'0' * 32} obsolete remove-on-upgrade", ("etc/a", f"md5:{'0' * 32}")),
        ("/etc/a newconffile", ("etc/a", "")),
        (f"/etc/a {'z' * 32}", ("etc/a", "")),
    ],
)
def test_conffiles_are_read_with_their_digests(line: str, expected: tuple[str, str]) -> None:
    assert conffiles(f"Package: a\nVersion: 1\nConffiles:\n {line}\nDescription: x\n /etc/not-this 1\n") == (expected,)


def test_the_conffiles_of_a_removed_package_are_not_its_files() -> None:
    assert conffiles(f"Package: a\nVersion: 1\nStatus: deinstall ok config-files\nConffiles:\n /etc/a {'0' * 32}\n") == ()


def test_more_files_than_any_system_has_are_not_kept() -> None:
    content = "Package: a\nVersion: 1\nConffiles:\n" + " /a b\n" * 600_001 + "\nPackage: z\nVersion: 1\n"

    found, error = packages(parse, layer_file(STATUS, content))

    assert found == ["a", "z"]
    assert "more than 600000 files" in error


@given(data=st.data())
def test_changed_bytes_give_facts_or_an_input_error(data: st.DataObject) -> None:
    content = bytearray((ASSETS / "debian-11-status").read_bytes()[:4000])
    for _ in range(data.draw(st.integers(1, 10))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        facts = list(parse(layer_file(STATUS, bytes(content))))
    except InputError:
        return
    assert all(isinstance(fact, Package | PackageDetails) for fact in facts)
