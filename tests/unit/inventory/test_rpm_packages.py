"""What an rpm header says about a package and its files."""

import struct

import pytest

from pratique.inventory.package import Distribution, Package
from tests.support.rpm_databases import make_header
from tests.support.rpm_headers import SHA, Tag, bash, facts, files, listed, numbers, package, string, strings

# Packages


def test_the_epoch_is_a_qualifier_in_the_package_url() -> None:
    found = package(bash(numbers(1003, 2), string(1022, "x86_64"), string(1044, "bash-5.1.8-6.el9.src.rpm")))

    assert (found.version, found.source_name, found.source_version) == ("2:5.1.8-6.el9", None, None)
    assert found.purl == "pkg:rpm/bash@5.1.8-6.el9?arch=x86_64&epoch=2&upstream=bash-5.1.8-6.el9.src.rpm"
    assert found.in_distribution(Distribution(id="rhel", version_id="9.4")).purl.startswith(
        "pkg:rpm/rhel/bash@5.1.8-6.el9?arch=x86_64&distro=rhel-9.4&epoch=2&"
    )


def test_an_epoch_of_zero_is_recorded_and_none_is_not() -> None:
    assert package(bash(numbers(1003, 0))).version == "0:5.1.8-6.el9"
    assert package(bash()).version == "5.1.8-6.el9"
    assert package(bash()).purl == "pkg:rpm/bash@5.1.8-6.el9"


def test_the_source_package_comes_from_the_name_of_its_file() -> None:
    found = package(bash(string(1044, "gnu-shells-4.0~rc1-1.fc33.src.rpm")))

    assert (found.source_name, found.source_version) == ("gnu-shells", "4.0~rc1-1.fc33")


def test_the_source_package_is_taken_to_have_the_same_epoch() -> None:
    assert package(bash(numbers(1003, 1), string(1044, "shells-4-1.nosrc.rpm"))).source_version == "1:4-1"


@pytest.mark.parametrize("name", ["chromium.src.rpm", "bash-5.1.src.rpm", "--.src.rpm", "bash-5.1-1.x86_64.rpm", "bash", ".rpm"])
def test_a_source_package_of_another_name_says_nothing(name: str) -> None:
    found = package(bash(string(1044, name)))

    assert (found.source_name, found.source_version, found.qualifiers) == (None, None, {"upstream": name})


def test_what_is_none_is_left_out() -> None:
    found = package(bash(string(1044, "(none)"), string(1011, "(none)"), string(1014, "(none)"), string(5096, "(none)"), string(1022, "")))

    assert found == Package(type="rpm", name="bash", version="5.1.8-6.el9")


def test_vendor_licence_and_module_are_kept() -> None:
    found = package(bash(string(1011, "Hafen  Bücher\n\x1b[1m"), string(1014, "GPLv3+ and MIT"), string(5096, "bash:5:8040:ab")))

    assert (found.vendor, found.licenses) == ("Hafen Bücher [1m", ("GPLv3+ and MIT",))
    assert found.purl == "pkg:rpm/bash@5.1.8-6.el9?rpmmod=bash:5:8040:ab"


def test_a_long_licence_is_cut_off() -> None:
    assert len(package(bash(string(1014, "ü" * 100_000))).licenses[0]) == 4096


def test_public_keys_are_no_packages() -> None:
    key = make_header(string(1000, "gpg-pubkey"), string(1001, "fd431d51"), string(1002, "4ae0493b"))

    assert facts(key, bash())[0] == [Package(type="rpm", name="bash", version="5.1.8-6.el9")]


def test_the_later_of_two_values_counts() -> None:
    assert package(bash(string(1001, "5.1.9"))).version == "5.1.9-6.el9"


# Files


def test_files_have_their_directory_and_digest() -> None:
    header = listed(strings(1035, SHA, b"", SHA), numbers(5011, 8))

    assert files(header) == (("usr/bin/a", f"sha256:{SHA.decode()}"), ("etc/b", ""), ("usr/bin/c", f"sha256:{SHA.decode()}"))


@pytest.mark.parametrize(
    ("number", "digest", "expected"),
    [
        (1, "12" * 16, "md5:"),
        (2, "12" * 20, "sha1:"),
        (8, "12" * 32, "sha256:"),
        (9, "12" * 48, "sha384:"),
        (10, "12" * 64, "sha512:"),
        (11, "12" * 28, "sha224:"),
    ],
)
def test_the_digest_names_its_algorithm(number: int, digest: str, expected: str) -> None:
    assert files(listed(strings(1035, digest.encode()), numbers(5011, number), names=(b"a",))) == (("usr/bin/a", expected + digest),)


def test_digests_without_an_algorithm_are_md5() -> None:
    assert files(listed(strings(1035, b"12" * 16), names=(b"a",))) == (("usr/bin/a", "md5:" + "12" * 16),)


def test_digests_of_an_unknown_algorithm_are_left_out() -> None:
    assert files(listed(strings(1035, b"12"), numbers(5011, 77), names=(b"a",))) == (("usr/bin/a", ""),)


def test_a_file_whose_name_is_a_path_is_relative_to_the_root_all_the_same() -> None:
    header = bash(numbers(1116, 0, 0), strings(1117, b"/etc/x", b"//"), strings(1118, b"/"))

    assert files(header) == (("etc/x", ""),)


def test_directories_and_ghosts_are_no_files() -> None:
    modes = (1030, 3, 3, struct.pack(">3H", 0o040755, 0o100644, 0o120777))
    flags = numbers(1037, 0, 64, 1)

    assert files(listed(modes, flags)) == (("usr/bin/c", ""),)


def test_files_that_were_not_installed_are_left_out_and_replaced_ones_have_no_digest() -> None:
    states = (1029, 1, 5, bytes([0, 1, 2, 3, 4]))
    header = listed(states, strings(1035, *[SHA] * 5), numbers(5011, 8), names=(b"a", b"b", b"c", b"d", b"e"))

    assert files(header) == (("usr/bin/a", f"sha256:{SHA.decode()}"), ("etc/b", ""), ("usr/bin/e", ""))


def test_a_path_that_is_not_utf8_is_escaped() -> None:
    assert files(listed(names=(b"gr\xf6\xdfe",))) == (("usr/bin/gr\\xf6\\xdfe", ""),)


def test_a_package_without_files_has_no_details() -> None:
    assert len(facts(bash())[0]) == 1


@pytest.mark.parametrize(
    "more",
    [
        [strings(1035, SHA)],
        [strings(1035, SHA, SHA, b"zz" * 32), numbers(5011, 8)],
        [strings(1035, SHA, SHA, SHA[:-1]), numbers(5011, 8)],
        [(1030, 3, 2, b"\0" * 4)],
        [numbers(1116, 0, 1, 2)],
        [numbers(1116, 0, 1)],
        [strings(1118, b"/a/", b"/b/", b"/c/", b"/d/")],
        [(1117, 4, 3, b"\0" * 12)],
        [(1116, 8, 3, b"\0" * 12)],
    ],
)
def test_file_lists_that_do_not_belong_together_cost_only_themselves(more: list[Tag]) -> None:
    found, problem = facts(listed(*more), bash(string(1022, "x86_64")))

    assert [getattr(fact, "architecture", None) for fact in found] == ["", "x86_64"]
    assert problem.startswith("1 broken packages, the first: ")
