"""Groups of libraries whose archives do not name them: those built by Gradle, Ant or sbt have no `pom.properties`.

Only what is used widely, has advisories and says nothing better in its manifest; as published at Maven Central, whose names advisories use. Collected for this project.
"""

from __future__ import annotations

import re
from functools import cache

_MAX_VERSION = 100  # characters that are searched for numbers

_ARTIFACTS = {
    "org.springframework": """
        spring spring-aop spring-aspects spring-beans spring-context spring-context-indexer spring-context-support spring-core spring-core-test
        spring-expression spring-instrument spring-jcl spring-jdbc spring-jms spring-messaging spring-orm spring-oxm spring-r2dbc spring-test spring-tx
        spring-web spring-webflux spring-webmvc spring-webmvc-portlet spring-websocket""",
    "org.springframework.amqp": "spring-amqp spring-rabbit spring-rabbit-stream",
    "org.springframework.hateoas": "spring-hateoas",
    "org.springframework.kafka": "spring-kafka",
    "org.springframework.retry": "spring-retry",
    "org.springframework.plugin": "spring-plugin-core spring-plugin-metadata",
    "org.apache.ant": "ant",
    "ant-contrib": "ant-contrib",
    "org.apache.kafka": "kafka-clients kafka-streams kafka-server kafka-metadata kafka-raft connect-api connect-json connect-runtime",
    "org.apache.zookeeper": "zookeeper zookeeper-jute",
    "org.apache.cassandra": "apache-cassandra cassandra-all",
    "org.apache.solr": "solr-core solr-solrj",
    "org.apache.velocity": "velocity velocity-engine-core velocity-tools",
    "org.apache.struts": "struts2-core struts-core",
    "struts": "struts",
    "org.apache.thrift": "libthrift",
    "org.apache.xmlgraphics": "batik-all fop fop-core xmlgraphics-commons",
    "org.apache.poi": "poi poi-ooxml poi-ooxml-full poi-ooxml-lite poi-ooxml-schemas poi-scratchpad",
    "org.apache.xmlbeans": "xmlbeans",
    "org.apache.groovy": "groovy groovy-all",
    "org.codehaus.jettison": "jettison",
    "org.codehaus.jackson": "jackson-core-asl jackson-mapper-asl",
    "xerces": "xercesImpl",
    "xalan": "xalan serializer",
    "xml-apis": "xml-apis",
    "com.squareup.okhttp3": "okhttp okhttp-sse okhttp-urlconnection logging-interceptor mockwebserver",
    "com.squareup.okhttp": "okhttp-ws",
    "com.squareup.okio": "okio okio-jvm",
    "com.squareup.retrofit2": "retrofit",
    "io.github.oshai": "kotlin-logging kotlin-logging-jvm",
    "org.scala-lang": "scala-library scala-reflect scala-compiler scala3-library_3",
    "io.projectreactor": "reactor-core reactor-test reactor-tools",
    "io.projectreactor.netty": "reactor-netty reactor-netty-core reactor-netty-http",
    "io.reactivex.rxjava3": "rxjava",
    "org.reactivestreams": "reactive-streams",
    "io.rsocket": "rsocket-core",
    "com.google.protobuf": "protobuf-java protobuf-java-util protobuf-javalite protobuf-kotlin",
    "com.google.code.gson": "gson",
    "com.google.guava": "guava",
    "com.google.inject": "guice",
    "com.h2database": "h2",
    "org.hsqldb": "hsqldb",
    "org.postgresql": "postgresql",
    "mysql": "mysql-connector-java",
    "com.mysql": "mysql-connector-j",
    "org.mariadb.jdbc": "mariadb-java-client",
    "org.xerial": "sqlite-jdbc",
    "org.xerial.snappy": "snappy-java",
    "org.mongodb": "mongo-java-driver mongodb-driver bson",
    "org.lz4": "lz4-java",
    "net.jpountz.lz4": "lz4",
    "com.github.luben": "zstd-jni",
    "org.elasticsearch": "elasticsearch elasticsearch-core elasticsearch-x-content",
    "org.elasticsearch.client": "elasticsearch-rest-client elasticsearch-rest-high-level-client",
    "org.opensearch": "opensearch opensearch-core",
    "net.minidev": "json-smart accessors-smart",
    "com.jayway.jsonpath": "json-path",
    "org.json": "json",
    "org.yaml": "snakeyaml",
    "antlr": "antlr",
    "org.antlr": "antlr4 antlr4-runtime antlr-runtime stringtemplate ST4",
    "org.ow2.asm": "asm asm-analysis asm-commons asm-tree asm-util asm-all",
    "org.hibernate.orm": """
        hibernate-core hibernate-envers hibernate-spatial hibernate-jcache hibernate-c3p0 hibernate-hikaricp hibernate-agroal hibernate-micrometer
        hibernate-community-dialects hibernate-testing""",
    "org.hibernate": "hibernate-entitymanager",
    "org.hibernate.validator": "hibernate-validator",
    "org.jboss.logging": "jboss-logging",
    "io.undertow": "undertow-core undertow-servlet",
    "com.thoughtworks.xstream": "xstream",
    "org.mozilla": "rhino",
    "org.quartz-scheduler": "quartz",
    "com.mchange": "c3p0 mchange-commons-java",
    "org.apache.shiro": "shiro-core shiro-web shiro-spring",
    "com.graphql-java": "graphql-java",
    "com.auth0": "java-jwt jwks-rsa",
    "io.jsonwebtoken": "jjwt jjwt-api jjwt-impl",
    "com.nimbusds": "nimbus-jose-jwt oauth2-oidc-sdk",
    "org.bitbucket.b_c": "jose4j",
    "org.ehcache": "ehcache",
    "com.itextpdf": "itextpdf",
    "com.lowagie": "itext itext-rtf",
    "org.owasp.esapi": "esapi",
    "org.eclipse.jgit": "org.eclipse.jgit",
    "org.eclipse.platform": "org.eclipse.compare org.eclipse.osgi org.eclipse.search org.eclipse.swt org.eclipse.text org.eclipse.ui org.eclipse.urischeme",
    "net.bytebuddy": "byte-buddy byte-buddy-agent",
    "junit": "junit",
    "log4j": "log4j",
    "ch.qos.logback": "logback-classic logback-core",
    "org.slf4j": "slf4j-api slf4j-log4j12 slf4j-simple jcl-over-slf4j jul-to-slf4j log4j-over-slf4j",
    "org.hamcrest": "hamcrest hamcrest-core hamcrest-library hamcrest-all",
    "org.mockito": "mockito-core mockito-all mockito-inline",
    "org.jdom": "jdom jdom2",
    "org.tukaani": "xz",
    "org.jetbrains": "annotations",
    "org.checkerframework": "checker-qual checker-compat-qual",
    "com.google.code.findbugs": "jsr305 findbugs-annotations",
    "com.google.re2j": "re2j",
    "info.picocli": "picocli",
    "net.java.dev.jna": "jna jna-platform",
    "net.jcip": "jcip-annotations",
    "org.roaringbitmap": "RoaringBitmap",
    "org.pcollections": "pcollections",
    "org.functionaljava": "functionaljava",
    "org.jetbrains.intellij.deps": "trove4j",
    "com.zaxxer": "HikariCP",
    "javax.mail": "mail",
    "com.sun.mail": "javax.mail",
    "javax.servlet": "servlet-api javax.servlet-api jstl",
    "javax.inject": "javax.inject",
    "javax.ws.rs": "jsr311-api javax.ws.rs-api",
    "commons-logging": "commons-logging-api commons-logging-adapters",
    "com.beust": "jcommander",
    "com.github.jnr": "jffi",
    "io.netty": "netty",
    "org.mindrot": "jbcrypt",
}
"""Whole artifact names, by group."""

_SAME = """
    commons-beanutils commons-chain commons-cli commons-codec commons-collections commons-configuration commons-daemon commons-dbcp commons-digester
    commons-discovery commons-el commons-fileupload commons-httpclient commons-io commons-jelly commons-jexl commons-jxpath commons-lang
    commons-logging commons-net commons-pool commons-validator dom4j jaxen oro xml-resolver xom"""
"""Artifacts of which the group has the same name, although their manifests hint at another (`org.apache.commons`)."""

_FAMILIES = (
    ("spring-boot", "org.springframework.boot"),
    ("spring-cloud-", "org.springframework.cloud"),
    ("spring-security-", "org.springframework.security"),
    ("spring-data-", "org.springframework.data"),
    ("spring-integration-", "org.springframework.integration"),
    ("spring-session-", "org.springframework.session"),
    ("spring-batch-", "org.springframework.batch"),
    ("spring-ldap-", "org.springframework.ldap"),
    ("spring-vault-", "org.springframework.vault"),
    ("spring-ws-", "org.springframework.ws"),
    ("spring-ai-", "org.springframework.ai"),
    ("tomcat-embed-", "org.apache.tomcat.embed"),
    ("tomcat-", "org.apache.tomcat"),
    ("lucene-", "org.apache.lucene"),
    ("log4j-", "org.apache.logging.log4j"),
    ("ant-", "org.apache.ant"),
    ("mongodb-driver-", "org.mongodb"),
    ("jnr-", "com.github.jnr"),
    ("castor-", "org.codehaus.castor"),
    ("batik-", "org.apache.xmlgraphics"),
    ("kafka_2.", "org.apache.kafka"),
    ("groovy-", "org.apache.groovy"),
    ("junit-jupiter", "org.junit.jupiter"),
    ("junit-platform-", "org.junit.platform"),
    ("junit-vintage-", "org.junit.vintage"),
    ("opentelemetry-semconv", "io.opentelemetry.semconv"),
    ("opentelemetry-instrumentation-", "io.opentelemetry.instrumentation"),
    ("kotlin-", "org.jetbrains.kotlin"),
    ("kotlinx-coroutines-", "org.jetbrains.kotlinx"),
    ("kotlinx-serialization-", "org.jetbrains.kotlinx"),
    ("ktor-", "io.ktor"),
    ("grpc-", "io.grpc"),
    ("netty-", "io.netty"),
    ("micrometer-", "io.micrometer"),
    ("micronaut-", "io.micronaut"),
    ("opentelemetry-", "io.opentelemetry"),
    ("hibernate-", "org.hibernate"),
    ("bcprov-", "org.bouncycastle"),
    ("bcpkix-", "org.bouncycastle"),
    ("bcutil-", "org.bouncycastle"),
    ("bcpg-", "org.bouncycastle"),
    ("bcmail-", "org.bouncycastle"),
    ("bctls-", "org.bouncycastle"),
    ("bc-fips", "org.bouncycastle"),
    ("jetty-", "org.eclipse.jetty"),
    ("jackson-dataformat-", "com.fasterxml.jackson.dataformat"),
    ("jackson-datatype-", "com.fasterxml.jackson.datatype"),
    ("jackson-module-", "com.fasterxml.jackson.module"),
    ("hadoop-", "org.apache.hadoop"),
    ("akka-", "com.typesafe.akka"),
    ("play_2.", "org.playframework"),
    ("org.eclipse.jdt.", "org.eclipse.jdt"),
    ("org.eclipse.emf.", "org.eclipse.emf"),
    ("org.eclipse.compare.", "org.eclipse.platform"),
    ("org.eclipse.core.", "org.eclipse.platform"),
    ("org.eclipse.debug.", "org.eclipse.platform"),
    ("org.eclipse.e4.", "org.eclipse.platform"),
    ("org.eclipse.equinox.", "org.eclipse.platform"),
    ("org.eclipse.help.", "org.eclipse.platform"),
    ("org.eclipse.jface", "org.eclipse.platform"),
    ("org.eclipse.jsch.", "org.eclipse.platform"),
    ("org.eclipse.ltk.", "org.eclipse.platform"),
    ("org.eclipse.osgi.", "org.eclipse.platform"),
    ("org.eclipse.swt.", "org.eclipse.platform"),
    ("org.eclipse.team.", "org.eclipse.platform"),
    ("org.eclipse.ui.", "org.eclipse.platform"),
)
"""Beginnings of artifact names, the first that fits counts."""

_EARLIER = (
    ("c3p0", (0, 9, 2), "c3p0"),
    ("ehcache", (3,), "net.sf.ehcache"),
    ("groovy", (4,), "org.codehaus.groovy"),
    ("groovy-", (4,), "org.codehaus.groovy"),
    ("hibernate-", (6,), "org.hibernate"),
    ("jetty-", (7,), "org.mortbay.jetty"),
    ("netty", (3, 3), "org.jboss.netty"),
    ("okhttp", (3,), "com.squareup.okhttp"),
    ("play_2.", (3,), "com.typesafe.play"),
    ("rxjava", (2,), "io.reactivex"),
    ("rxjava", (3,), "io.reactivex.rxjava2"),
)
"""Artifacts, or beginnings of their names with a hyphen or dot at the end, that were published under another group before that version; the first that fits counts.

Only moves of which advisories name both groups, or after which the project went on as another: old versions of others (`ant`, `quartz`) are known by the later group.
"""

_BUNDLES = {
    "ch.qos.logback.classic": "logback-classic",
    "ch.qos.logback.core": "logback-core",
    "com.google.gson": "gson",
    "com.google.guava": "guava",
    "com.sun.jna": "jna",
    "com.sun.jna.platform": "jna-platform",
    "javax.inject": "javax.inject",
    "org.antlr.runtime": "antlr-runtime",
    "org.apache.oro": "oro",
    "org.apache.thrift": "libthrift",
    "org.apache.xerces": "xercesImpl",
    "org.apache.xml.resolver": "xml-resolver",
    "org.dom4j": "dom4j",
    "org.hamcrest.core": "hamcrest-core",
    "org.jdom": "jdom",
    "org.jdom2": "jdom2",
    "org.junit": "junit",
    "org.mozilla.rhino": "rhino",
    "org.objectweb.asm": "asm",
    "org.objectweb.asm.commons": "asm-commons",
    "org.objectweb.asm.tree": "asm-tree",
    "org.objectweb.asm.util": "asm-util",
    "org.slf4j.api": "slf4j-api",
    "org.tukaani.xz": "xz",
    "org.yaml.snakeyaml": "snakeyaml",
    "slf4j.api": "slf4j-api",
}
"""Artifacts by OSGi's symbolic name, where this does not tell it and the file's name often is another: Eclipse's and distributions' copies."""

_NUMBER = re.compile(r"\d{1,9}")


def known_group(artifact: str, version: str = "") -> str:
    """The group that this version of an artifact is published under (without a version, the newest), empty if it is not a known one."""
    found = _by_artifact().get(artifact) or next((group for beginning, group in _FAMILIES if artifact.startswith(beginning)), "")
    number = tuple(int(digits) for digits in _NUMBER.findall(version[:_MAX_VERSION])[:3])
    if not found or not number:
        return found
    return next((group for known, before, group in _EARLIER if number < before and _is_meant(known, artifact)), found)


def is_known(artifact: str) -> bool:
    """Tell whether this very artifact is a known one, and not only the beginning of its name."""
    return artifact in _by_artifact()


def known_bundle(symbol: str) -> str:
    """The artifact that OSGi knows by this symbolic name, empty if it is not a known one."""
    return _BUNDLES.get(symbol, "")


def _is_meant(known: str, artifact: str) -> bool:
    return artifact == known or (known.endswith(("-", ".")) and artifact.startswith(known))


@cache
def _by_artifact() -> dict[str, str]:
    groups = {artifact: group for group, artifacts in _ARTIFACTS.items() for artifact in artifacts.split()}
    return groups | {artifact: artifact for artifact in _SAME.split()}
