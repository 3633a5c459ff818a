"""Gentoo's package database."""

import pytest
from hypothesis import given

from pratique.errors import InputError
from pratique.inventory.analyzers.portage import ANALYZER, parse
from pratique.inventory.package import Distribution, Package, PackageDetails
from tests.support.layer_results import layer_file, read
from tests.support.mutated import answer_or_refuse, mutated

DIRECTORY = "var/db/pkg/app-containers/skopeo-1.5.1-r2"
CONTENTS = (
    b"dir /usr\ndir /usr/bin\nobj /usr/bin/skopeo 376c02bd3b22804df8fdfdc895e7dbfb 1649284374\n"
    b"obj /usr/share/a b c 00000000000000000000000000000001 1649284374\n"
    b"sym /usr/bin/sk -> skopeo 1649284374\nsym /usr/x y -> a b 1649284374\nfif /run/pipe\ndev /dev/null\n"
)


def test_contents_give_the_package_and_its_files() -> None:
    package, details = parse(layer_file(f"{DIRECTORY}/CONTENTS", CONTENTS))

    assert isinstance(package, Package)
    assert (package.type, package.name, package.version) == ("ebuild", "app-containers/skopeo", "1.5.1-r2")
    assert isinstance(details, PackageDetails)
    assert (details.name, details.version) == (package.name, package.version)
    assert details.files == (
        ("usr/bin/skopeo", "md5:376c02bd3b22804df8fdfdc895e7dbfb"),
        ("usr/share/a b c", "md5:00000000000000000000000000000001"),
        ("usr/bin/sk", ""),
        ("usr/x y", ""),
        ("run/pipe", ""),
        ("dev/null", ""),
    )


def test_its_package_url_names_category_and_distribution() -> None:
    (package,) = parse(layer_file(f"{DIRECTORY}/PF", "skopeo-1.5.1-r2\n"))

    assert isinstance(package, Package)
    assert package.in_distribution(Distribution(id="gentoo")).purl == "pkg:ebuild/gentoo/app-containers/skopeo@1.5.1-r2?distro=gentoo"


@pytest.mark.parametrize(
    ("directory", "name", "version"),
    [
        ("dev-perl/Getopt-Long-2.580.0", "dev-perl/Getopt-Long", "2.580.0"),
        ("media-fonts/font-adobe-100dpi-1.0.4", "media-fonts/font-adobe-100dpi", "1.0.4"),
        ("sys-libs/ncurses-6.4_p20230424", "sys-libs/ncurses", "6.4_p20230424"),
        ("dev-libs/openssl-1.1.1q_beta2_p1-r10", "dev-libs/openssl", "1.1.1q_beta2_p1-r10"),
        ("x11-libs/gtk+-3.24.41", "x11-libs/gtk+", "3.24.41"),
        ("virtual/libc-1-r1", "virtual/libc", "1-r1"),
    ],
)
def test_names_and_versions_are_split_as_the_specification_says(directory: str, name: str, version: str) -> None:
    (package,) = parse(layer_file(f"var/db/pkg/{directory}/CONTENTS", ""))

    assert isinstance(package, Package)
    assert (package.name, package.version) == (name, version)


def test_the_licence_stands_in_a_file_of_its_own() -> None:
    (details,) = parse(layer_file(f"{DIRECTORY}/LICENSE", "|| ( GPL-2 MIT )\n"))

    assert isinstance(details, PackageDetails)
    assert details.licenses == ("|| ( GPL-2 MIT )",)


def test_a_sysroot_owns_its_own_files() -> None:
    facts, _ = read(parse, layer_file(f"usr/aarch64-gnu/{DIRECTORY}/CONTENTS", "obj /bin/a 376c02bd3b22804df8fdfdc895e7dbfb 1\n"))

    assert isinstance(facts[1], PackageDetails)
    assert facts[1].files[0][0] == "usr/aarch64-gnu/bin/a"


BROKEN = [
    ("var/db/pkg/app-misc/nameonly/CONTENTS", b"", "NAME-VERSION"),
    ("var/db/pkg/app-misc/a-1.2.3dpi/PF", b"", "NAME-VERSION"),
    (f"{DIRECTORY}/CONTENTS", b"obj /usr/bin/a nodigest 1\n", "1 lines"),
    (f"{DIRECTORY}/CONTENTS", b"obj /usr/bin/a\nsym /a\nwhat\n\x7fELF\n", "4 lines"),
]


@pytest.mark.parametrize(("path", "content", "reason"), BROKEN)
def test_what_portage_could_not_read_is_a_gap(path: str, content: bytes, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        list(parse(layer_file(path, content)))


def test_the_package_counts_though_its_contents_are_broken() -> None:
    facts, error = read(parse, layer_file(f"{DIRECTORY}/CONTENTS", b"obj /a 376c02bd3b22804df8fdfdc895e7dbfb 1\nwhat\n"))

    assert [type(fact) for fact in facts] == [Package, PackageDetails]
    assert "1 lines" in error


def test_millions_of_empty_lines_take_no_memory() -> None:
    facts, error = read(parse, layer_file(f"{DIRECTORY}/CONTENTS", b"\n" * 8_000_000))

    assert (len(facts), error) == (1, "")


def test_unfinished_installations_and_other_databases_are_not_wanted() -> None:
    assert ANALYZER.paths.matches(f"{DIRECTORY}/CONTENTS")
    assert not ANALYZER.paths.matches("var/db/pkg/app-misc/-MERGING-a-1.0/CONTENTS")
    assert not ANALYZER.paths.matches("var/db/pkg/app-misc/a-1.0/files/LICENSE")
    assert not ANALYZER.paths.matches("usr/share/doc/LICENSE")


@given(mutated(CONTENTS))
def test_any_bytes_give_facts_or_an_input_error(content: bytes) -> None:
    for name in ("CONTENTS", "PF", "LICENSE"):
        answer_or_refuse(parse, layer_file(f"{DIRECTORY}/{name}", content))
