"""Package URLs of packages: most are put together here, and come out as the library makes them."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from packageurl import PackageURL

from pratique.inventory.package import Package

TYPES = ("apk", "cargo", "cpan", "deb", "gem", "generic", "golang", "hex", "maven", "npm", "nuget", "pub", "pypi", "rpm")
_NAMES = st.one_of(st.from_regex(r"[a-zA-Z0-9._+~-]{1,8}", fullmatch=True), st.text(min_size=1, max_size=8))
_NAMESPACES = st.one_of(st.just(""), st.from_regex(r"@?[a-zA-Z0-9.-]{1,8}(/[a-z0-9.@-]{0,8}){0,3}", fullmatch=True), st.text(max_size=8))
_VERSIONS = st.one_of(st.just(""), st.from_regex(r"[a-zA-Z0-9._:+~%/-]{1,8}", fullmatch=True), st.text(max_size=8))
_QUALIFIERS = st.dictionaries(st.sampled_from(["arch", "distro", "vcs_url", "Upper", "a.b"]), _VERSIONS, max_size=3)


def by_the_library(package: Package) -> str | None:
    try:
        return PackageURL(
            package.type, package.namespace or None, package.name, package.version, dict(package.qualifiers) or None
        ).to_string()
    except ValueError:
        return None


@given(st.sampled_from(TYPES), _NAMESPACES, _NAMES, _VERSIONS, _QUALIFIERS)
@example("npm", "@angular", "core", "17.0.0-rc.1", {})
@example("golang", "github.com/a-b/c", "d", "v1.0.0+incompatible", {})
@example("deb", "debian", "libc6", "1:2.36-9+deb12u1~x", {"arch": "amd64", "distro": "debian-12"})
@example("generic", "", "a", "1\n", {})
@example("generic", "", "a\n", "1", {})
@example("generic", "a\n", "a", "1", {"arch": "x\n"})
def test_a_package_url_is_what_the_library_makes(kind: str, namespace: str, name: str, version: str, qualifiers: dict[str, str]) -> None:
    if kind == "rpm":
        version = version.replace(":", "")  # the epoch is a qualifier
    package = Package(type=kind, namespace=namespace, name=name, version=version, qualifiers=qualifiers)
    expected = by_the_library(package)
    if expected is None:
        with pytest.raises(ValueError, match=r"."):
            _ = package.purl
    else:
        assert package.purl == expected
