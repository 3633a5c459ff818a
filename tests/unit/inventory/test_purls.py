"""Packages from the package URLs of other tools."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.errors import InputError, InvalidRecord
from pratique.inventory.analyzers._purls import package_from_purl
from pratique.inventory.package import Package


def named(purl: str, version: str = "") -> Package:
    package = package_from_purl(purl, version)
    assert package is not None
    return package


@pytest.mark.parametrize(
    ("purl", "ecosystem", "name", "matching_name"),
    [
        ("pkg:pypi/Foo.Bar_x@1", "PyPI", "foo-bar-x", "foo-bar-x"),
        ("pkg:npm/%40angular/core@17.0.0?checksum=sha1:0&vcs_url=git", "npm", "core", "@angular/core"),
        ("pkg:golang/github.com/BurntSushi/toml@v1.2.3", "Go", "toml", "github.com/BurntSushi/toml"),
        ("pkg:maven/org.apache.commons/commons-text@1.9?type=jar", "Maven", "commons-text", "org.apache.commons:commons-text"),
        ("pkg:gem/rails@7.0.0?platform=java", "RubyGems", "rails", "rails"),
        ("pkg:cargo/serde@1.0.0", "crates.io", "serde", "serde"),
        ("pkg:bitnami/redis@7.4.0-0?arch=arm64&distro=debian-12", "Bitnami", "redis", "redis"),
        ("pkg:generic/openssl@1.1.1", "", "openssl", "openssl"),
    ],
)
def test_software_is_named_as_the_analyzers_name_it(purl: str, ecosystem: str, name: str, matching_name: str) -> None:
    package = named(purl)

    assert (package.ecosystem, package.name, package.matching_name) == (ecosystem, name, matching_name)
    assert dict(package.qualifiers) == {}


@pytest.mark.parametrize(
    ("purl", "ecosystem", "version", "source"),
    [
        ("pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=debian-12&upstream=glibc", "Debian:12", "2.36-9", ("glibc", None)),
        ("pkg:deb/debian/libgcc-s1@12.2.0-14?distro=debian-12&upstream=gcc-12%4012.2.0-14", "Debian:12", "12.2.0-14", ("gcc-12", None)),
        ("pkg:deb/debian/zutty@1%2Bb1?distro=debian-12&upstream=zutty%401", "Debian:12", "1+b1", (None, "1")),
        ("pkg:apk/wolfi/openssl@3.1-r0?arch=x86_64", "Wolfi", "3.1-r0", (None, None)),
        ("pkg:apk/alpine/openssl@3.1-r0?distro=alpine-3.18.4", "Alpine:v3.18", "3.1-r0", (None, None)),
        (
            "pkg:rpm/almalinux/openssl-libs@1.1.1k-9.el8?distro=almalinux-8.8&epoch=1&upstream=openssl.src.rpm",
            "AlmaLinux:8",
            "1:1.1.1k-9.el8",
            (None, None),
        ),
        ("pkg:deb/debian/a@1", "", "1", (None, None)),
    ],
)
def test_os_packages_keep_the_distribution_that_they_come_from(
    purl: str, ecosystem: str, version: str, source: tuple[str | None, str | None]
) -> None:
    package = named(purl)

    assert (package.ecosystem, package.version) == (ecosystem, version)
    assert (package.source_name, package.source_version) == source
    assert package.namespace == purl.split("/")[1]


def test_the_version_beside_a_package_url_counts_where_it_has_none() -> None:
    assert named("pkg:npm/a", "1.2.3").version == "1.2.3"
    assert named("pkg:npm/a@2", "1.2.3").version == "2"
    assert package_from_purl("pkg:npm/a") is None


@pytest.mark.parametrize(
    "purl", ["pkg:oci/a@sha256:0", "pkg:github/a/b@1", "pkg:swid/a%20b@1", "pkg:generic/a%20b@1", "pkg:x y/z@1", "", "no purl"]
)
def test_what_is_no_installed_software_is_nothing(purl: str) -> None:
    assert package_from_purl(purl) is None


@pytest.mark.parametrize(
    "purl", ["pkg:npm/", "pkg:npm/a@1?x", "pkg:pypi/a%20b@1", "pkg:deb/debian/a@1%202", f"pkg:npm/{'a' * 3000}@1", "pkg:npm/a%00@1"]
)
def test_an_unreadable_package_url_of_matched_software_is_a_gap(purl: str) -> None:
    with pytest.raises(InvalidRecord):
        package_from_purl(purl)


@given(
    st.one_of(st.text(), st.text().map("pkg:deb/debian/".__add__), st.text(alphabet="pkg:/@?&=%#.-_0aé\0 ").map("pkg:npm/".__add__)),
    st.text(),
)
def test_any_text_gives_a_package_or_an_input_error(purl: str, version: str) -> None:
    try:
        package = package_from_purl(purl, version)
    except InputError:
        return
    assert package is None or package.purl
