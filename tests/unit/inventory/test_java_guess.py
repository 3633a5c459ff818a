"""Which artifact an archive is whose poms do not tell."""

from __future__ import annotations

import time

import pytest

from pratique.inventory.analyzers._java_groups import known_group
from pratique.inventory.analyzers._java_guess import guess_coordinates
from pratique.inventory.analyzers._java_names import parse_file_name


@pytest.mark.parametrize(
    ("name", "fields", "expected"),
    [
        ("spring-core-5.3.20.jar", {"automatic-module-name": "spring.core"}, "org.springframework:spring-core"),
        ("spring-boot-starter-web-3.1.0.jar", {}, "org.springframework.boot:spring-boot-starter-web"),
        ("commons-fileupload-1.4.jar", {"bundle-symbolicname": "org.apache.commons.fileupload"}, "commons-fileupload:commons-fileupload"),
        ("commons-text-1.9.jar", {"bundle-symbolicname": "org.apache.commons.text"}, "org.apache.commons:commons-text"),
        ("maven-core-3.8.jar", {"bundle-symbolicname": "org.apache.maven.core;singleton:=true"}, "org.apache.maven:maven-core"),
        (
            "jackson-databind-2.14.jar",
            {"bundle-symbolicname": "com.fasterxml.jackson.core.jackson-databind"},
            "com.fasterxml.jackson.core:jackson-databind",
        ),
        ("acme-io-1.jar", {"implementation-vendor-id": "com.acme", "bundle-symbolicname": "org.other"}, "com.acme:acme-io"),
        ("acme-io-1.jar", {"implementation-vendor": "Acme Inc.", "specification-vendor": "com acme"}, "acme-io:acme-io"),
        ("acme-io-1.jar", {"implementation-vendor": "org.acme"}, "org.acme:acme-io"),
        ("com.typesafe.akka.akka-actor_2.13-2.6.20.jar", {}, "com.typesafe.akka:akka-actor_2.13"),
        ("com.squareup.okhttp3.okhttp-4.9.3.jar", {}, "com.squareup.okhttp3:okhttp"),
        (
            "org.apache.felix.framework-7.0.jar",
            {"bundle-symbolicname": "org.apache.felix.framework"},
            "org.apache.felix:org.apache.felix.framework",
        ),
        ("catalina.jar", {"implementation-title": "Apache Tomcat"}, "org.apache.tomcat:tomcat-catalina"),
        ("bootstrap.jar", {"implementation-title": "Apache Tomcat"}, "org.apache.tomcat:tomcat"),
        ("tomcat9-coyote.jar", {"implementation-title": "Apache Tomcat"}, "org.apache.tomcat:tomcat-coyote"),
        ("tomcat-embed-core-9.0.70.jar", {"implementation-title": "Apache Tomcat"}, "org.apache.tomcat.embed:tomcat-embed-core"),
        ("servlet-api.jar", {"bundle-symbolicname": "org.apache.tomcat-servlet-api"}, "org.apache.tomcat:tomcat-servlet-api"),
        ("junit-4.13.jar", {}, "junit:junit"),
    ],
)
def test_a_group_is_guessed(name: str, fields: dict[str, str], expected: str) -> None:
    found = guess_coordinates(fields, parse_file_name(name))

    assert f"{found.group}:{found.artifact}" == expected


@pytest.mark.parametrize(
    ("name", "fields", "expected"),
    [
        ("spring3-aop-3.x.jar", {"implementation-title": "spring-aop"}, "org.springframework:spring-aop"),
        ("spring3-transaction-3.x.jar", {"implementation-title": "spring-tx"}, "org.springframework:spring-tx"),
        (
            "spring3-context.support-3.x.jar",
            {"implementation-title": "spring-context-support"},
            "org.springframework:spring-context-support",
        ),
        ("shop-1.jar", {"implementation-title": "spring-tx"}, "shop:shop"),  # a title that is not its own
        ("spring-shop-1.jar", {"implementation-title": "spring-shop-web"}, "spring-shop:spring-shop"),  # and one that is no known artifact
        ("texhyphj-3.x.jar", {}, "texhyphj:texhyphj"),
        (
            "eclipse-jdt-core-3.32.0.jar",
            {"bundle-symbolicname": "org.eclipse.jdt.core; singleton:=true"},
            "org.eclipse.jdt:org.eclipse.jdt.core",
        ),
        (
            "equinox-common-3.17.jar",
            {"bundle-symbolicname": "org.eclipse.equinox.common"},
            "org.eclipse.platform:org.eclipse.equinox.common",
        ),
        ("eclipse-lsp4j-1.jar", {"bundle-symbolicname": "org.eclipse.lsp4j"}, "org.eclipse.lsp4j:org.eclipse.lsp4j"),
        ("atinject-jsr330-api-1.0.jar", {"bundle-symbolicname": "javax.inject"}, "javax.inject:javax.inject"),
        ("org.apache.commons.io_2.11.0.jar", {"bundle-symbolicname": "org.apache.commons.io"}, "commons-io:commons-io"),
        ("org.apache.commons.text_1.9.0.jar", {"bundle-symbolicname": "org.apache.commons.text"}, "org.apache.commons:commons-text"),
        ("org.objectweb.asm.tree_9.5.0.jar", {"bundle-symbolicname": "org.objectweb.asm.tree"}, "org.ow2.asm:asm-tree"),
        ("thrift-0.16.0.jar", {"bundle-symbolicname": "org.apache.thrift"}, "org.apache.thrift:libthrift"),
        ("commons-logging-api-1.2.jar", {"implementation-vendor-id": "org.apache"}, "commons-logging:commons-logging-api"),
        ("acme-io-1.jar", {"implementation-vendor-id": "org.apache"}, "acme-io:acme-io"),
        ("mongodb-driver-3.6.3.jar", {}, "org.mongodb:mongodb-driver"),
        ("tomcat9-jdbc-9.0.70.jar", {"bundle-symbolicname": "org.apache.tomcat.jdbc"}, "org.apache.tomcat:tomcat-jdbc"),
        ("jdom1-1.1.3.jar", {"bundle-symbolicname": "org.jdom"}, "org.jdom:jdom"),
        ("tomcat9-jdbc-8.5.jar", {}, "tomcat9-jdbc:tomcat9-jdbc"),  # whose number is not its version's
        ("apacheds-jdbm1-2.0.jar", {"bundle-symbolicname": "org.apache.directory.jdbm.jdbm"}, "org.apache.directory.jdbm:apacheds-jdbm1"),
        ("com.beust.jcommander-1.82.jar", {}, "com.beust:jcommander"),
        ("com.acme.one-1.0.jar", {"bundle-symbolicname": "com.acme.one"}, "com.acme:com.acme.one"),
        ("org.osgi.org.osgi.core-6.0.jar", {}, "org.osgi:org.osgi.core"),
        ("javax.servlet.javax.servlet-api-4.0.jar", {}, "javax.servlet:javax.servlet-api"),
        ("jakarta.xml.bind-api-2.3.jar", {}, "jakarta.xml.bind:jakarta.xml.bind-api"),
        ("javax.inject-1.jar", {}, "javax.inject:javax.inject"),
    ],
)
def test_a_renamed_archive_is_what_its_manifest_says(name: str, fields: dict[str, str], expected: str) -> None:
    found = guess_coordinates(fields, parse_file_name(name))

    assert f"{found.group}:{found.artifact}" == expected


@pytest.mark.parametrize(
    ("name", "code", "group"),
    [
        ("perfmark-api-0.21.jar", "io.perfmark", "io.perfmark"),
        ("perfmark-api-0.21.jar", "io.perfmark.api", "io.perfmark"),
        ("jxmpp-stringprep-icu4j-1.jar", "org.jxmpp.stringprep.icu4j", "org.jxmpp"),
        ("Acme-io-1.jar", "com.acme.io", "com.acme"),
        ("acme-io-1.jar", "com.other.io", "acme-io"),
        ("acme-io-1.jar", "acme.io", "acme-io"),
        ("acme-io-1.jar", "BOOT-INF.classes.com.acme", "acme-io"),
        ("acme-io-1.jar", "com", "acme-io"),
        ("acme-io-1.jar", "", "acme-io"),
        ("aopalliance-1.0.jar", "org.aopalliance", "aopalliance"),
    ],
)
def test_the_classes_tell_the_group_of_a_part_of_a_project(name: str, code: str, group: str) -> None:
    assert guess_coordinates({}, parse_file_name(name), code=code).group == group


def test_a_jenkins_plugin_may_be_called_as_a_library_is() -> None:
    fields = {"short-name": "junit", "plugin-version": "1.60", "group-id": "org.jenkins-ci.plugins"}

    found = guess_coordinates(fields, parse_file_name("ant.hpi"))

    assert (found.group, found.artifact, found.version) == ("org.jenkins-ci.plugins", "junit", "1.60")


def test_a_manifest_s_hint_comes_before_the_classes() -> None:
    fields = {"implementation-vendor-id": "org.codehaus.castor"}

    assert guess_coordinates(fields, parse_file_name("acme-ddlgen-1.3.jar"), code="org.acme.ddlgen").group == "org.codehaus.castor"


@pytest.mark.parametrize(
    ("artifact", "version", "group"),
    [
        ("c3p0", "0.9.1.2", "c3p0"),
        ("c3p0", "0.9.5.5", "com.mchange"),
        ("groovy-json", "3.0.9", "org.codehaus.groovy"),
        ("groovy-json", "4.0.0", "org.apache.groovy"),
        ("hibernate-core", "5.6.9.Final", "org.hibernate"),
        ("hibernate-core", "6.2.0.Final", "org.hibernate.orm"),
        ("hibernate-validator", "6.0.1.Final", "org.hibernate.validator"),
        ("okhttp", "2.7.5", "com.squareup.okhttp"),
        ("rxjava", "1.3.8", "io.reactivex"),
        ("rxjava", "2.2.21", "io.reactivex.rxjava2"),
        ("rxjava", "3.1.5", "io.reactivex.rxjava3"),
        ("netty", "3.2.10.Final", "org.jboss.netty"),
        ("netty-common", "3.9", "io.netty"),
        ("play_2.13", "2.8.20", "com.typesafe.play"),
        ("okhttp", "unknown", "com.squareup.okhttp3"),
        ("okhttp", "", "com.squareup.okhttp3"),
        ("unheard-of", "1", ""),
    ],
)
def test_a_project_that_has_moved_is_known_by_version(artifact: str, version: str, group: str) -> None:
    assert known_group(artifact, version) == group


def test_names_of_any_length_are_guessed_in_time() -> None:
    began = time.process_time()
    for stem in ("a." * 30_000, "com" + ".a" * 30_000, "a1-" * 20_000, "javax.a" * 9_000 + "-api", "-1.x" * 20_000):
        fields = {"bundle-symbolicname": "com." + stem, "implementation-title": stem, "implementation-vendor-id": stem}
        guess_coordinates(fields, parse_file_name(f"{stem}.jar"), code=stem)

    assert time.process_time() - began < 0.5
