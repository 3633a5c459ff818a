"""Groups of libraries whose archives do not name them: those built by Gradle, Ant or sbt have no `pom.properties`.

Only what is used widely, has advisories and says nothing better in its manifest; as published at Maven Central.
"""

from __future__ import annotations

from functools import cache

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
    "org.apache.xmlgraphics": "batik-all fop fop-core xmlgraphics-commons",
    "org.apache.poi": "poi poi-ooxml poi-ooxml-full poi-ooxml-lite poi-ooxml-schemas poi-scratchpad",
    "org.apache.xmlbeans": "xmlbeans",
    "org.codehaus.groovy": "groovy groovy-all",
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
    "io.reactivex": "rxjava",
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
    "org.mongodb": "mongo-java-driver mongodb-driver-core mongodb-driver-sync bson",
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
    "org.antlr": "antlr4-runtime antlr-runtime",
    "org.ow2.asm": "asm asm-analysis asm-commons asm-tree asm-util asm-all",
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
    "net.sf.ehcache": "ehcache",
    "com.itextpdf": "itextpdf",
    "com.lowagie": "itext",
    "org.owasp.esapi": "esapi",
    "org.eclipse.jgit": "org.eclipse.jgit",
    "org.eclipse.platform": "org.eclipse.osgi org.eclipse.core.runtime org.eclipse.equinox.common",
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
}
"""Whole artifact names, by group."""

_SAME = """
    commons-beanutils commons-chain commons-cli commons-codec commons-collections commons-configuration commons-daemon commons-dbcp commons-digester
    commons-discovery commons-el commons-fileupload commons-httpclient commons-io commons-jelly commons-jexl commons-jxpath commons-lang
    commons-logging commons-net commons-pool commons-validator dom4j jaxen"""
"""Artifacts of which the group has the same name, although their manifests hint at `org.apache.commons`."""

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
    ("batik-", "org.apache.xmlgraphics"),
    ("kafka_2.", "org.apache.kafka"),
    ("groovy-", "org.codehaus.groovy"),
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
    ("play_2.", "com.typesafe.play"),
)
"""Beginnings of artifact names, the first that fits counts."""


def known_group(artifact: str) -> str:
    """The group that this artifact is published under, empty if it is not a known one."""
    found = _by_artifact().get(artifact, "")
    return found or next((group for beginning, group in _FAMILIES if artifact.startswith(beginning)), "")


@cache
def _by_artifact() -> dict[str, str]:
    groups = {artifact: group for group, artifacts in _ARTIFACTS.items() for artifact in artifacts.split()}
    return groups | {artifact: artifact for artifact in _SAME.split()}
