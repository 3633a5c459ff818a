"""Java archives and the archives in them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pratique.inventory.analyzer import LayerFile
from pratique.inventory.analyzers._java_archive import MAX_DEPTH
from pratique.inventory.analyzers.java import ANALYZER, parse
from pratique.inventory.package import Package
from tests.support.java_archives import archive, artifacts, manifest, pom_properties, pom_xml
from tests.support.layer_results import read

LANG = archive(pom_properties("org.apache.commons", "commons-lang3", "3.12.0") | {"org/A.class": b"code"})
IO = archive(manifest(Implementation_Version="2.11.0", Bundle_SymbolicName="org.apache.commons.io") | {"org/A.class": b"code"})


def test_an_artifact_is_named_as_osv_names_it() -> None:
    (package,) = parse(LayerFile(path="app/commons-lang3.jar", content=LANG))

    assert isinstance(package, Package)
    assert package.purl == "pkg:maven/org.apache.commons/commons-lang3@3.12.0"
    assert (package.ecosystem, package.matching_name) == ("Maven", "org.apache.commons:commons-lang3")


def test_an_archive_without_maven_s_files_is_named_by_its_manifest_and_file_name() -> None:
    assert artifacts("lib/commons-io-2.11.0.jar", IO) == (["commons-io:commons-io@2.11.0"], "")
    assert artifacts("lib/commons-io.jar", IO) == (["commons-io:commons-io@2.11.0"], "")


def test_only_the_main_section_of_a_manifest_describes_the_archive() -> None:
    text = "Manifest-Version: 1.0\n\nName: org/other\nImplementation-Title: other\nImplementation-Version: 9\n"

    assert artifacts("mine.jar", archive({"META-INF/MANIFEST.MF": text})) == ([], "")


def test_a_shaded_archive_holds_all_that_was_shaded_into_it() -> None:
    own = pom_properties("com.example", "app", "1.0")
    shaded = pom_properties("com.google.guava", "guava", "31.1-jre") | pom_properties("org.yaml", "snakeyaml", "1.30")

    found, problem = artifacts("app-1.0.jar", archive(own | shaded))

    assert sorted(found) == ["com.example:app@1.0", "com.google.guava:guava@31.1-jre", "org.yaml:snakeyaml@1.30"]
    assert problem == ""


def test_what_is_shaded_into_an_archive_is_not_the_archive() -> None:
    shaded = pom_properties("com.google.guava", "guava", "31.1-jre") | pom_properties("org.yaml", "snakeyaml", "1.30")

    found, _ = artifacts("tool-2.0.jar", archive(shaded | manifest(Implementation_Vendor_Id="com.example")))

    assert sorted(found) == ["com.example:tool@2.0", "com.google.guava:guava@31.1-jre", "org.yaml:snakeyaml@1.30"]


def test_a_renamed_application_is_what_its_only_pom_says() -> None:
    content = archive(pom_properties("com.example", "shop", "1.4") | manifest(Implementation_Version="1.4"))

    assert artifacts("app.jar", content) == (["com.example:shop@1.4"], "")


def test_spring_boot_s_libraries_are_found_behind_its_script() -> None:
    members = pom_properties("com.example", "shop", "1.0") | manifest(Start_Class="com.example.Shop", Spring_Boot_Version="2.7.0")
    libraries = {"BOOT-INF/lib/commons-lang3-3.12.0.jar": LANG, "BOOT-INF/lib/spring-core-5.3.20.jar": archive(manifest(A="b"))}
    content = archive(members | libraries, stored=True, prefix=b"#!/bin/bash\nexec java -jar $0\n")

    found, problem = artifacts("app/shop.jar", content)

    assert found == ["com.example:shop@1.0", "org.apache.commons:commons-lang3@3.12.0", "org.springframework:spring-core@5.3.20"]
    assert problem == ""


def test_a_library_of_a_web_application_in_an_enterprise_application_is_found_once() -> None:
    war = archive({"WEB-INF/lib/commons-lang3-3.12.0.jar": LANG, "WEB-INF/lib/commons-io-2.11.0.jar": IO})
    ear = archive({"shop.war": war, "lib/commons-lang3-3.12.0.jar": LANG})

    found, problem = artifacts("opt/shop.ear", ear)

    assert sorted(found) == ["commons-io:commons-io@2.11.0", "org.apache.commons:commons-lang3@3.12.0"]
    assert problem == ""


@pytest.mark.parametrize("name", ["git.hpi", "git.jpi", "renamed.jpi"])
def test_a_jenkins_plugin_is_what_its_manifest_says(name: str) -> None:
    fields = {
        "Group_Id": "org.jenkins-ci.plugins",
        "Short_Name": "git",
        "Plugin_Version": "4.2.0 (private-abc-me)",
        "Extension_Name": "git",
    }
    content = archive(manifest(**fields) | {"WEB-INF/lib/commons-lang3-3.12.0.jar": LANG})

    found, _ = artifacts(f"usr/share/jenkins/ref/plugins/{name}", content)

    assert found == ["org.jenkins-ci.plugins:git@4.2.0", "org.apache.commons:commons-lang3@3.12.0"]


def test_a_pom_xml_describes_what_no_properties_describe() -> None:
    body = """<parent><groupId>com.example</groupId><artifactId>parent</artifactId><version>2.1</version></parent>
        <artifactId>${stem}-core</artifactId><version>${project.parent.version}</version><properties><stem>shop</stem></properties>
        <dependencies><dependency><groupId>no</groupId><artifactId>no</artifactId><version>0</version></dependency></dependencies>
        <licenses><license><name> Apache-2.0\n </name></license><license><name>MIT</name></license></licenses>"""

    (package,) = parse(LayerFile(path="shop-core.jar", content=archive(pom_xml("com.example/shop-core", body))))

    assert isinstance(package, Package)
    assert (package.matching_name, package.version, package.licenses) == ("com.example:shop-core", "2.1", ("Apache-2.0", "MIT"))


def test_a_pom_xml_adds_the_licences_to_the_properties_beside_it() -> None:
    members = pom_properties("a", "b", "1") | pom_xml("a/b", "<licenses><license><name>EPL-2.0</name></license></licenses>")

    (package,) = parse(LayerFile(path="b-1.jar", content=archive(members)))

    assert isinstance(package, Package)
    assert package.licenses == ("EPL-2.0",)


def test_licence_and_vendor_of_a_manifest_are_told() -> None:
    fields = {"Bundle_License": '"Apache-2.0";link="https://apache.org", MIT', "Implementation_Vendor": "Example"}

    (package,) = parse(LayerFile(path="b-1.jar", content=archive(manifest(**fields))))

    assert isinstance(package, Package)
    assert (package.licenses, package.vendor) == (("Apache-2.0", "MIT"), "Example")


@pytest.mark.parametrize(
    "members",
    [
        {"META-INF/maven/a/b/pom.properties": "groupId=${groupId}\nartifactId=b\nversion=1\n"},
        {"META-INF/maven/a/b/pom.properties": "version=1"},
        {"META-INF/maven/a/b/pom.properties": ""},
        pom_xml("a/b", "<groupId>a</groupId><artifactId>b</artifactId><version>${revision}</version>"),
        pom_xml("a/b", "<groupId>a</groupId><artifactId>b</artifactId><version>${v}</version><properties><v>${v}</v></properties>"),
        {"archetype-resources/pom.xml": "<not xml"},
        manifest(Implementation_Version="${project.version}", Bundle_Version="%version"),
        {},
    ],
)
def test_an_application_without_name_or_version_is_neither_a_package_nor_a_gap(members: dict[str, str]) -> None:
    assert artifacts("app.jar", archive(members)) == ([], "")


@pytest.mark.parametrize("name", ["b-1-sources.jar", "b-1-javadoc.jar"])
def test_an_archive_that_nothing_can_run_is_no_package(name: str) -> None:
    members = pom_properties("a", "b", "1")

    assert artifacts(name, archive(members | {"a/B.java": b"", "index.html": b""})) == ([], "")
    assert artifacts(name, archive(members | {"a/B.class": b""})) == (["a:b@1"], "")  # a name does not hide code


def test_instrumentation_that_poses_as_a_library_is_no_package() -> None:
    assert artifacts("spring-webmvc-5.3.jar", archive(manifest(Weave_Classes="a", Implementation_Version="5.3"))) == ([], "")


@pytest.mark.parametrize("path", ["app.jar", "app.war", "x/app.ear", "git.hpi"])
@pytest.mark.parametrize("content", [b"<html>404</html>", LANG[:-5], LANG[: len(LANG) // 2], b"PK\3\4"])
def test_what_is_named_like_an_archive_and_is_none_is_a_gap(path: str, content: bytes) -> None:
    assert artifacts(path, content) == ([], "expected a zip archive: it has no end record")


@pytest.mark.parametrize("path", ["song.kar", "data.rar", "x.nar", "x.sar", "x.par"])
def test_other_formats_of_the_same_name_are_silence(path: str) -> None:
    assert artifacts(path, b"MThd or Rar! or nix-archive-1") == ([], "")
    assert artifacts(path, LANG)[0]


def test_an_empty_file_and_an_empty_archive_are_silence() -> None:
    assert artifacts("app.jar", b"") == ([], "")
    assert artifacts("app.jar", archive()) == ([], "")


def test_a_broken_library_is_a_gap_and_a_broken_resource_is_not() -> None:
    good = {"WEB-INF/lib/commons-lang3-3.12.0.jar": LANG}

    assert artifacts("a.war", archive(good | {"WEB-INF/lib/bad.jar": LANG[:-9]}))[1] == "expected a zip archive: it has no end record"
    assert artifacts("a.war", archive(good | {"org/test/bad.jar": LANG[:-9], "x/empty.jar": b"", "k.kar": b"MThd"}))[1] == ""


def test_a_manifest_of_any_length_is_read_as_far_as_it_matters() -> None:
    entries = "".join(f"Name: a/{number}.class\r\nSHA-256-Digest: {number * 7919:044d}\r\n\r\n" for number in range(60_000))
    text = f"Manifest-Version: 1.0\r\nImplementation-Version: 1.2\r\n\r\n{entries}"

    assert artifacts("signed.jar", archive({"META-INF/MANIFEST.MF": text})) == (["signed:signed@1.2"], "")


def _nested(depth: int) -> bytes:
    content = LANG
    for _ in range(depth):
        content = archive({"lib/a.jar": content}, stored=True)
    return content


def test_archives_nested_too_deep_are_a_gap() -> None:
    assert artifacts("a.jar", _nested(MAX_DEPTH)) == (["org.apache.commons:commons-lang3@3.12.0"], "")
    assert artifacts("a.jar", _nested(100)) == ([], f"archives nested more than {MAX_DEPTH} deep")


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ({"lib/a.jar": b"\0" * 30_000_000}, "a zip member that inflates from"),
        (pom_xml("a/b", " " * 2_000_000), "expected a zip member of at most 1048576 bytes"),
        ({"META-INF/maven/a/b/pom.xml": "<project"}, "expected a pom.xml"),
        ({"META-INF/maven/a/b/pom.xml": "<a>" * 1_000}, "nested too deep"),
        (
            {"META-INF/maven/a/b/pom.xml": '<!DOCTYPE p [<!ENTITY a "x"><!ENTITY b "&a;&a;">]><project><groupId>&b;</groupId></project>'},
            "document type",
        ),
        ({"META-INF/maven/a/b/pom.properties": "#" * 100_000}, "at most 65536 bytes"),
    ],
)
def test_what_is_beyond_a_limit_is_a_gap_beside_all_the_rest(members: dict[str, bytes | str], problem: str) -> None:
    began = time.process_time()

    found, told = artifacts("z-1.ear", archive(members | {"lib/commons-lang3-3.12.0.jar": LANG}))

    assert "org.apache.commons:commons-lang3@3.12.0" in found
    assert problem in told
    assert time.process_time() - began < 2


def test_a_broken_pom_xml_beside_good_properties_is_its_own_business() -> None:
    assert artifacts("b-1.jar", archive(pom_properties("a", "b", "1") | {"META-INF/maven/a/b/pom.xml": "<!DOCTYPE x><x/>"})) == (
        ["a:b@1"],
        "",
    )


def test_problems_are_counted() -> None:
    bad = {f"lib/{number}.jar": b"bad" for number in range(5)}

    assert artifacts("a.ear", archive(bad))[1].endswith("(and 4 more)")


def test_only_archives_of_java_are_wanted() -> None:
    for path in ("app.jar", "a/b.WAR", "git.hpi", "x.ear", "x.lpkg", "ra.rar"):
        assert ANALYZER.paths.matches(path)
    for path in ("jar", "a.jar.md5", "a.zip", "a.jars", "a.jar/x"):
        assert not ANALYZER.paths.matches(path)


SAMPLE = archive(
    pom_properties("a", "b", "1")
    | pom_xml("c/d", "<groupId>c</groupId><artifactId>d</artifactId><version>1</version>")
    | manifest(Bundle_Version="1.0")
    | {"lib/x-1.jar": LANG}
)


@given(content=st.binary(max_size=400), path=st.sampled_from(["a.jar", "a-1.war", "a.kar"]))
def test_any_bytes_are_packages_or_a_gap(content: bytes, path: str) -> None:
    read(parse, LayerFile(path=path, content=content))
    for name in ("META-INF/MANIFEST.MF", "META-INF/maven/a/b/pom.properties", "META-INF/maven/a/b/pom.xml", "lib/a.jar"):
        facts, _ = read(parse, LayerFile(path=path, content=archive({name: content}, stored=True)))
        assert all(fact.purl.startswith("pkg:maven/") for fact in facts if isinstance(fact, Package))


@settings(max_examples=200)
@given(changes=st.lists(st.tuples(st.integers(0, len(SAMPLE) - 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_a_changed_archive_gives_packages_or_a_gap(changes: list[tuple[int, int]]) -> None:
    content = bytearray(SAMPLE)
    for place, value in changes:
        content[place] = value
    read(parse, LayerFile(path="b-1.jar", content=bytes(content)))


@given(text=st.text(alphabet="<>/&;![]\"'= ${}projectgupIdavsn1.\n", max_size=200))
def test_any_pom_xml_is_read_or_a_gap(text: str) -> None:
    read(parse, LayerFile(path="b-1.jar", content=archive({"META-INF/maven/a/b/pom.xml": f"<project>{text}</project>"}, stored=True)))


def test_licences_are_left_out_of_archives_with_very_much_text() -> None:
    filler = "<a>" + " " * 1_000_000 + "</a><licenses><license><name>MIT</name></license></licenses>"
    members: dict[str, bytes | str] = {}
    for number in range(20):
        members |= pom_properties("a", f"b{number}", "1") | pom_xml(f"a/b{number}", filler)

    facts, problem = read(parse, LayerFile(path="x.jar", content=archive(members)))

    licenses = [fact.licenses for fact in facts if isinstance(fact, Package)]
    assert problem == ""
    assert (len(licenses), licenses[0], licenses[-1]) == (20, ("MIT",), ())
