"""Which of the artifacts in an archive is the archive itself, and what others in it are: shaded, nested, or of other versions of Java."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.java_archives import archive, artifacts, manifest, pom_properties

CODE = {"org/acme/shop/A.class": b"code"}


@pytest.mark.parametrize(
    ("path", "group", "artifact", "version", "fields"),
    [
        (
            "geronimo-validation-1.1-spec.jar",
            "org.apache.geronimo.specs",
            "geronimo-validation_1.1_spec",
            "1.0",
            {"Bundle_Version": "1.0.0", "Bundle_SymbolicName": "org.apache.geronimo.specs.geronimo-validation_1.1_spec;singleton=true"},
        ),
        ("geronimo-jms_1.1_spec.jar", "org.apache.geronimo.specs", "geronimo-jms_1.1_spec", "1.1.1", {"Bundle_Version": "1.1.0"}),
        ("jline2.jar", "jline", "jline", "2.14.6", {"Bundle_Version": "2.11.0", "Bundle_SymbolicName": "jline"}),
        ("shop-api.jar", "org.acme.shop", "acme.shop-api", "1.0", {"Specification_Version": "0"}),
        ("renamed.jar", "org.acme", "shop", "1.0", {"Bundle_Version": "1.0.0"}),
    ],
)
def test_a_renamed_archive_is_one_package(path: str, group: str, artifact: str, version: str, fields: dict[str, str]) -> None:
    content = archive(pom_properties(group, artifact, version) | manifest(**fields) | CODE)

    assert artifacts(path, content) == ([f"{group}:{artifact}@{version}"], "")


def test_jakarta_s_artifact_with_classes_of_its_old_name_is_one_package() -> None:
    members = pom_properties("jakarta.ws.rs", "jakarta.ws.rs-api", "2.1.2") | manifest(Implementation_Version="2.0.1")

    found, _ = artifacts("jaxrs-api.jar", archive(members | {"javax/ws/rs/GET.class": b"code"}))

    assert found == ["jakarta.ws.rs:jakarta.ws.rs-api@2.1.2"]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("tool-2.0.jar", "org/acme/lib/A.class"),
        ("tool.jar", "org/acme/tool/A.class"),
        ("tool.jar", "META-INF/versions/9/org/acme/lib/A.class"),
    ],
)
def test_the_only_library_shaded_into_an_archive_is_not_the_archive(path: str, code: str) -> None:
    shaded = pom_properties("org.acme.lib", "lib-core", "1.4") | {code: b"code"}

    found, _ = artifacts(path, archive(shaded | manifest(Implementation_Version="2.0", Implementation_Vendor_Id="org.example")))

    assert found == ["org.acme.lib:lib-core@1.4", "org.example:tool@2.0"]


def test_osgi_s_name_tells_the_archive_among_those_shaded_into_it() -> None:
    poms = pom_properties("org.acme", "shop-core", "1.0") | pom_properties("org.yaml", "snakeyaml", "1.30")

    found, _ = artifacts("renamed.jar", archive(poms | manifest(Bundle_SymbolicName="org.acme.shop-core", Bundle_Version="1.0.0")))

    assert found == ["org.acme:shop-core@1.0", "org.yaml:snakeyaml@1.30"]


def test_classes_tell_the_group_where_nothing_else_does() -> None:
    classes = {"io/perfmark/A.class": b"", "io/perfmark/impl/B.class": b"", "module-info.class": b"", "META-INF/versions/9/a/C.class": b""}

    assert artifacts("perfmark-api-0.21.0.jar", archive(classes)) == (["io.perfmark:perfmark-api@0.21.0"], "")


def test_classes_of_several_projects_tell_no_group() -> None:
    classes = {"io/perfmark/A.class": b"", "org/yaml/B.class": b"", "/": b"", "/x/../A.class": b""}

    assert artifacts("perfmark-api-0.21.0.jar", archive(classes)) == (["perfmark-api:perfmark-api@0.21.0"], "")


def test_spring_boot_s_archive_of_a_gradle_build_is_its_libraries_and_itself() -> None:
    library = archive(pom_properties("org.yaml", "snakeyaml", "1.30"))
    members = {
        **manifest(Implementation_Title="spring-web", Implementation_Version="1.0", Start_Class="org.acme.shop.A"),
        "org/springframework/boot/loader/JarLauncher.class": b"code",
        "BOOT-INF/classes/org/acme/shop/A.class": b"code",
        "BOOT-INF/lib/snakeyaml-1.30.jar": library,
    }

    assert artifacts("app/shop.jar", archive(members)) == (["shop:shop@1.0", "org.yaml:snakeyaml@1.30"], "")


def test_a_library_unpacked_into_an_application_is_found() -> None:
    inside = {f"BOOT-INF/classes/{name}": text for name, text in pom_properties("org.yaml", "snakeyaml", "1.30").items()}

    found, _ = artifacts("shop-1.0.jar", archive(inside | manifest(Implementation_Version="1.0")))

    assert found == ["org.yaml:snakeyaml@1.30", "shop:shop@1.0"]


def test_a_jenkins_plugin_and_the_archive_of_its_classes_are_one_package() -> None:
    own = pom_properties("org.jenkins-ci.plugins", "git", "4.2.0")
    fields = {"Group_Id": "org.jenkins-ci.plugins", "Short_Name": "git", "Plugin_Version": "4.2.0", "Implementation_Version": "4.2.0"}
    classes = archive(own | {"hudson/plugins/git/A.class": b"code"})

    found, _ = artifacts("plugins/git.hpi", archive(own | manifest(**fields) | {"WEB-INF/lib/git.jar": classes}))

    assert found == ["org.jenkins-ci.plugins:git@4.2.0"]


def test_what_an_archive_holds_for_other_versions_of_java_is_no_other_package() -> None:
    own = pom_properties("org.acme", "shop", "1.0")
    again = {f"META-INF/versions/11/{name}": text for name, text in own.items()}

    found, problem = artifacts("shop-1.0.jar", archive(own | again | manifest(Multi_Release="true") | CODE))

    assert (found, problem) == (["org.acme:shop@1.0"], "")


def test_a_signature_is_no_gap() -> None:
    signature = {"META-INF/ACME.SF": "Signature-Version: 1.0\r\n", "META-INF/ACME.RSA": b"0\x82", "META-INF/ACME.EC": b"0\x82"}

    found, problem = artifacts("shop-1.0.jar", archive(pom_properties("org.acme", "shop", "1.0") | signature))

    assert (found, problem) == (["org.acme:shop@1.0"], "")


@given(
    names=st.lists(st.text(alphabet="abA./-_é0", max_size=30), max_size=4),
    stem=st.text(alphabet="abA.-_é019", min_size=1, max_size=30),
    value=st.text(alphabet="abA.-_é; ${}%019", max_size=30),
)
def test_any_names_give_packages_or_nothing(names: list[str], stem: str, value: str) -> None:
    fields = {"Bundle_SymbolicName": value, "Implementation_Title": value, "Implementation_Vendor_Id": value, "Implementation_Version": "1"}
    classes = {f"{number}{name}.class": b"" for number, name in enumerate(names)} | {f"{name}/A.class": b"" for name in set(names)}

    found, problem = artifacts(f"{stem}.jar", archive(manifest(**fields) | classes))

    assert len(found) <= 1
    assert problem == ""
