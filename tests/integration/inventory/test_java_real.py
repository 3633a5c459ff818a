"""Java archives as Debian ships them, and applications put together from them."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from pratique.inventory.analyzers._zip import open_zip
from pratique.inventory.analyzers.java import ANALYZER
from pratique.inventory.package import Package
from tests.support.debian_packages import read_tree, unpack
from tests.support.java_archives import archive, artifacts, manifest, pom_properties

ARTIFACTS = {
    "commons-lang3.jar": "org.apache.commons:commons-lang3@3.12.0",
    "guava.jar": "com.google.guava:guava@31.1-jre",
    "log4j-1.2-api.jar": "org.apache.logging.log4j:log4j-1.2-api@2.19.0",
    "log4j-core.jar": "org.apache.logging.log4j:log4j-core@2.19.0",
    "slf4j-api.jar": "org.slf4j:slf4j-api@1.7.32",
    "slf4j-simple.jar": "org.slf4j:slf4j-simple@1.7.32",
    "tomcat9-catalina-9.0.70.jar": "org.apache.tomcat:tomcat-catalina@9.0.70",
    "tomcat9-coyote-9.0.70.jar": "org.apache.tomcat:tomcat-coyote@9.0.70",
    "tomcat9-servlet-api-9.0.70.jar": "org.apache.tomcat:tomcat-servlet-api@9.0.70",
}


@pytest.fixture(scope="module")
def root() -> Path:
    return unpack("libcommons-lang3-java", "libguava-java", "liblog4j2-java", "libslf4j-java", "libtomcat9-java")


def _jar(root: Path, name: str) -> bytes:
    return (root / "usr/share/java" / name).read_bytes()


def test_debian_s_libraries_are_the_artifacts_they_were_built_from(root: Path) -> None:
    facts, problems = read_tree(root, ANALYZER)

    found = {
        Path(path).name: [f"{fact.matching_name}@{fact.version}" for fact in facts if isinstance(fact, Package)]
        for path, facts in facts.items()
    }
    assert problems == {}
    assert {name: found.get(name) for name in ARTIFACTS} == {name: [artifact] for name, artifact in ARTIFACTS.items()}


def _coordinates(root: Path) -> dict[str, str]:
    """Group and artifact of each jar, as the links of Debian's own Maven repository to it tell."""
    found = {}
    repository = root / "usr/share/maven-repo"
    for link in repository.rglob("*.jar"):
        *group, artifact, _, _ = link.relative_to(repository).parts
        target = link
        while target.is_symlink():
            target = target.parent / target.readlink()
        found[target.resolve().name] = f"{'.'.join(group)}:{artifact}"
    return found


def test_every_jar_of_debian_s_maven_repository_has_its_coordinates(root: Path) -> None:
    facts, _ = read_tree(root, ANALYZER)
    expected = _coordinates(root)

    found = {
        Path(path).name: {fact.matching_name for fact in facts if isinstance(fact, Package)}
        for path, facts in facts.items()
        if Path(path).name in expected
    }
    assert len(expected) > 50
    assert found == {name: {coordinates} for name, coordinates in expected.items()}


def test_every_member_is_what_the_standard_library_reads(root: Path) -> None:
    for path in sorted((root / "usr/share/java").glob("*.jar")):
        mine = open_zip(path.read_bytes())
        with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as theirs:
            assert list(mine.names()) == theirs.namelist()
            assert all(mine.read(name) == theirs.read(name) for name in theirs.namelist()[::9])


def test_an_application_in_spring_boot_s_layout_holds_its_libraries(root: Path) -> None:
    own = pom_properties("com.example", "shop", "1.0") | manifest(Main_Class="org.springframework.boot.loader.JarLauncher")
    libraries = {f"BOOT-INF/lib/{name}": _jar(root, name) for name in ARTIFACTS if not name.startswith("tomcat")}
    content = archive({**own, **libraries}, stored=True, prefix=b"#!/bin/bash\nexit 0\n")

    found, problem = artifacts("app/shop.jar", content)

    assert sorted(found) == sorted(["com.example:shop@1.0", *(value for name, value in ARTIFACTS.items() if not name.startswith("tomcat"))])
    assert problem == ""


def test_libraries_of_web_applications_in_an_enterprise_application_are_found(root: Path) -> None:
    war = archive({f"WEB-INF/lib/{name}": _jar(root, name) for name in ("guava.jar", "commons-lang3.jar")})
    ear = archive({"shop.war": war, "lib/log4j-core.jar": _jar(root, "log4j-core.jar")})

    found, problem = artifacts("opt/shop.ear", ear)

    assert sorted(found) == sorted(ARTIFACTS[name] for name in ("guava.jar", "commons-lang3.jar", "log4j-core.jar"))
    assert problem == ""


def test_libraries_shaded_into_one_archive_are_found(root: Path) -> None:
    members: dict[str, bytes | str] = {}
    for name in ("commons-lang3.jar", "log4j-core.jar"):
        with zipfile.ZipFile(io.BytesIO(_jar(root, name))) as reader:
            members |= {member: reader.read(member) for member in reader.namelist() if member.startswith("META-INF/maven/")}
    own = pom_properties("com.example", "shop", "1.0") | manifest(Implementation_Version="1.0")

    found, _ = artifacts("shop-1.0-all.jar", archive({**members, **own}))

    assert sorted(found) == sorted(["com.example:shop@1.0", ARTIFACTS["commons-lang3.jar"], ARTIFACTS["log4j-core.jar"]])


@pytest.mark.parametrize("cut", [1, 22, 1_000, 100_000])
def test_a_real_archive_that_was_cut_is_a_gap(root: Path, cut: int) -> None:
    assert artifacts("app/commons-lang3.jar", _jar(root, "commons-lang3.jar")[:-cut]) == (
        [],
        "expected a zip archive: it has no end record",
    )
