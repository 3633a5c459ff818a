"""What the file name and the manifest of a Java archive say about it."""

from __future__ import annotations

import time

import pytest

from pratique.inventory.analyzers._java_metadata import parse_manifest, parse_properties
from pratique.inventory.analyzers._java_names import group_of_path, manifest_version, parse_file_name


@pytest.mark.parametrize(
    ("name", "artifact", "version", "classifier"),
    [
        ("pkg-maven-4.3.2.jar", "pkg-maven", "4.3.2", ""),
        ("pkg-maven_4.3.2.jar", "pkg-maven", "4.3.2", ""),
        ("pkg-maven.4.3.2.jar", "pkg-maven", "4.3.2", ""),
        ("liferay-package.lpkg", "liferay-package", "", ""),
        ("commons-io.jar", "commons-io", "", ""),
        ("lib/pkg-extra-field-4.3.2-rc1.ear", "pkg-extra-field", "4.3.2-rc1", ""),
        ("wagon-webdav-1.0.2-beta-2.2.3a-hudson.jar", "wagon-webdav", "1.0.2-beta-2.2.3a-hudson", ""),
        ("jtidy-4aug2000r7-dev-hudson-1.jar", "jtidy", "4aug2000r7-dev-hudson-1", ""),
        ("trilead-ssh2-build212-hudson-5.jar", "trilead-ssh2", "build212-hudson-5", ""),
        ("guava-r06.jar", "guava", "r06", ""),
        ("spring-data-r2dbc-1.1.0.RELEASE.jar", "spring-data-r2dbc", "1.1.0.RELEASE", ""),
        ("jboss-saaj-api_1.4_spec-1.0.2.Final.jar", "jboss-saaj-api_1.4_spec", "1.0.2.Final", ""),
        ("kafka_2.13-3.4.0.jar", "kafka_2.13", "3.4.0", ""),
        ("log4j-1.2-api-2.17.1.jar", "log4j-1.2-api", "2.17.1", ""),
        ("log4j-1.2-api.jar", "log4j-1.2-api", "", ""),
        ("guava-31.1-jre.jar", "guava", "31.1-jre", ""),
        ("geronimo-jms_1.1_spec.jar", "geronimo-jms_1.1_spec", "", ""),
        ("geronimo-jms_1.1_spec-1.1.1.jar", "geronimo-jms_1.1_spec", "1.1.1", ""),
        ("geronimo-validation-1.1-spec.jar", "geronimo-validation-1.1-spec", "", ""),
        ("org.eclipse.osgi_3.10.0.v2014.jar", "org.eclipse.osgi", "3.10.0.v2014", ""),
        ("a-1.0-sources.jar", "a", "1.0", "sources"),
        ("a-sources.jar", "a", "", "sources"),
        ("a-1.0-SNAPSHOT-jar-with-dependencies.jar", "a", "1.0-SNAPSHOT", "jar-with-dependencies"),
        ("netty-transport-native-epoll-4.1.94.Final-linux-x86_64.jar", "netty-transport-native-epoll", "4.1.94.Final", "linux-x86_64"),
        (".jar", "", "", ""),
    ],
)
def test_a_file_name_is_taken_apart(name: str, artifact: str, version: str, classifier: str) -> None:
    found = parse_file_name(name)

    assert (found.artifact, found.version, found.classifier) == (artifact, version, classifier)


def test_a_file_name_that_only_looks_like_many_versions_is_taken_apart_in_time() -> None:
    began = time.process_time()
    for name in ("a" * 60_000 + ".jar", "a-" * 30_000 + ".jar", "a-1.2-api" * 5_000, "a_1." * 10_000):
        parse_file_name(name)

    assert time.process_time() - began < 0.5


@pytest.mark.parametrize(
    ("path", "group"),
    [
        ("root/.m2/repository/org/slf4j/slf4j-api/2.0.7/slf4j-api-2.0.7.jar", "org.slf4j"),
        ("root/.gradle/caches/modules-2/files-2.1/org.slf4j/slf4j-api/2.0.7/f3ab/slf4j-api-2.0.7.jar", "org.slf4j"),
        ("root/.m2/repository/org/slf4j/slf4j-api/2.0.8/slf4j-api-2.0.7.jar", ""),
        ("app/org/slf4j/slf4j-api/2.0.7/slf4j-api-2.0.7.jar", ""),
        ("repository/slf4j-api-2.0.7.jar", ""),
        ("slf4j-api-2.0.7.jar", ""),
    ],
)
def test_a_repository_s_layout_tells_the_group(path: str, group: str) -> None:
    assert group_of_path(path, parse_file_name(path)) == group


def test_a_version_comes_from_the_manifest_where_the_file_name_has_none() -> None:
    fields = {"implementation-version": "${project.version}", "bundle-version": "1.2.3", "specification-version": "1.2"}

    assert manifest_version(fields, parse_file_name("a.jar")) == "1.2.3"
    assert manifest_version(fields, parse_file_name("a-1.3.jar")) == "1.3"
    assert manifest_version({"implementation-version": "${project.version}"}, parse_file_name("a.jar")) == ""


def test_the_version_of_a_specification_is_not_the_archive_s_own() -> None:
    fields = {"specification-version": "1.2"}

    assert manifest_version(fields, parse_file_name("a.jar")) == "1.2"
    assert manifest_version(fields, parse_file_name("a.jar"), is_own=True) == ""


def test_eclipse_s_template_is_no_part_of_a_version() -> None:
    assert manifest_version({"bundle-version": "3.32.0.qualifier"}, parse_file_name("a.jar")) == "3.32.0"


@pytest.mark.parametrize("newline", ["\n", "\r", "\r\n"])
def test_long_lines_of_a_manifest_are_joined(newline: str) -> None:
    lines = [
        "\ufeffBundle-SymbolicName: org.exam",
        " ple.long",
        "bundle-version:1",
        "Bundle-Version: 2",
        "",
        "A: b",
        "",
    ]

    found = parse_manifest(newline.join(lines).encode())

    assert found == {"bundle-symbolicname": "org.example.long", "bundle-version": "1"}


def test_properties_are_read_as_java_writes_them() -> None:
    found = parse_properties(b"#comment=1\n! version=0\n version : 1\\:2\r\ngroupId = a.b \nartifactId=c\nversion2=3\nnonsense\n")

    assert (found.group, found.artifact, found.version) == ("a.b", "c", "1:2")
