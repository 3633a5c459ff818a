"""Java installations, told by their `release` file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.inventory.analyzer import LayerFile
from pratique.inventory.analyzers.jvm_release import ANALYZER, parse
from pratique.inventory.package import Package, PackageDetails
from tests.support.layer_results import ASSETS, asset_file, layer_file, read


def _package(path: str, *lines: str) -> Package:
    (package,) = [fact for fact in parse(layer_file(path, "\n".join(lines))) if isinstance(fact, Package)]
    return package


def test_a_real_installation_is_named_as_syft_names_it() -> None:
    package, details = parse(asset_file("opt/java/openjdk/release", "jvm_release/temurin-25-jdk"))

    assert isinstance(package, Package)
    assert package.purl == "pkg:generic/oracle/openjdk@25.0.3%2B9-LTS?repository_url=https://github.com/adoptium/jdk25u.git"
    assert (package.cpes, package.vendor) == (("cpe:2.3:a:oracle:openjdk:25.0.3:*:*:*:*:*:*:*",), "Eclipse Adoptium")
    assert isinstance(details, PackageDetails)
    assert "opt/java/openjdk/lib" in details.directories
    assert details.files == (("opt/java/openjdk/release", ""),)


def test_a_distribution_s_own_version_is_kept() -> None:
    package, _ = parse(asset_file("usr/lib/jvm/java-17-openjdk-amd64/release", "jvm_release/debian-openjdk-17"))

    assert isinstance(package, Package)
    assert (package.version, package.cpes) == ("17.0.15+6-Debian-1deb12u1", ("cpe:2.3:a:oracle:openjdk:17.0.15:*:*:*:*:*:*:*",))


@pytest.mark.parametrize(
    ("lines", "path", "purl", "cpes"),
    [
        (
            ['JAVA_VERSION="1.8.0_302"', 'FULL_VERSION="1.8.0_302-b08"', 'IMAGE_TYPE="JRE"'],
            "opt/jre/release",
            "pkg:generic/oracle/openjdk@1.8.0_302-b08",
            ["oracle:openjdk:1.8.0:update302"],
        ),
        (['JAVA_VERSION="1.8.0_302"', 'FULL_VERSION="8.0.302+8"'], "opt/jre/release", "pkg:generic/oracle/openjdk@1.8.0_302", None),
        (
            ['IMPLEMENTOR="Oracle Corporation"', 'JAVA_RUNTIME_VERSION="22.0.2+9-70"', 'MODULES="java.base jdk.compiler"'],
            "usr/java/jdk-22/release",
            "pkg:generic/oracle/jdk@22.0.2%2B9-70",
            ["oracle:java_se:22.0.2:*", "oracle:jre:22.0.2:*", "oracle:jdk:22.0.2:*"],
        ),
        (
            ['JAVA_VERSION="1.8.0_411"', 'BUILD_TYPE="commercial"', 'IMAGE_TYPE="JRE"'],
            "usr/java/release",
            "pkg:generic/oracle/jre@1.8.0_411",
            ["oracle:java_se:1.8.0:update411", "oracle:jre:1.8.0:update411"],
        ),
        (
            ['IMPLEMENTOR="Azul Systems, Inc."', 'JAVA_VERSION="21.0.4"'],
            "usr/lib/jvm/z/release",
            "pkg:generic/azul/zulu@21.0.4",
            ["azul:zulu:21.0.4:*", "oracle:openjdk:21.0.4:*"],
        ),
        (
            ['JAVA_VERSION="1.8.0"', 'MODULES="jdk.compiler"'],
            "opt/ibm/java/release",
            "pkg:generic/ibm/java_sdk@1.8.0",
            ["ibm:java_sdk:1.8.0:*"],
        ),
        (
            ['IMPLEMENTOR="Sun Microsystems"', 'JAVA_VERSION="1.6.0"', 'IMAGE_TYPE="jre"'],
            "x/release",
            "pkg:generic/sun/jre@1.6.0",
            ["sun:jre:1.6.0:*"],
        ),
    ],
)
def test_vendor_product_and_version_follow_syft(lines: list[str], path: str, purl: str, cpes: list[str] | None) -> None:
    package = _package(path, *lines)

    assert package.purl == purl
    assert cpes is None or list(package.cpes) == [f"cpe:2.3:a:{cpe}:*:*:*:*:*:*" for cpe in cpes]


@pytest.mark.parametrize(
    "content", ["", "release 1.0\n", "VERSION=1\n", "JAVA_VERSION=\n", "\x7fELF", 'MODULES="java.base"', 'FULL_VERSION="1"']
)
def test_another_program_s_release_is_silence(content: str) -> None:
    assert read(parse, layer_file("etc/release", content)) == ([], "")


def test_a_version_that_can_be_none_is_a_gap() -> None:
    assert read(parse, layer_file("jvm/release", f'JAVA_VERSION="{"1" * 600}"'))[1].startswith("expected a Java version")


@pytest.mark.parametrize("path", ["release", "usr/release", "usr/local/release"])
def test_a_release_file_does_not_claim_the_system_s_directories(path: str) -> None:
    facts, _ = read(parse, layer_file(path, 'JAVA_VERSION="17"'))

    assert [type(fact) for fact in facts] == [Package]


def test_a_large_file_is_another_program_s() -> None:
    assert ANALYZER.head_bytes == ANALYZER.max_bytes
    assert ANALYZER.paths.matches("opt/java/openjdk/release")
    assert not ANALYZER.paths.matches("etc/os-release")


REAL = (ASSETS / "jvm_release" / "temurin-25-jdk").read_bytes()


@given(content=st.binary(max_size=200), place=st.integers(0, len(REAL)))
def test_any_bytes_are_an_installation_or_a_gap(content: bytes, place: int) -> None:
    for raw in (content, b"JAVA_VERSION=" + content, REAL[:place] + content + REAL[place:]):
        facts, _ = read(parse, LayerFile(path="opt/jdk/release", content=raw))
        assert all(fact.purl.startswith("pkg:generic/") for fact in facts if isinstance(fact, Package))
