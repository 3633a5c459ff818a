"""Which artifact an archive is when no `pom.properties` says so: its file name, its manifest, and what is known of widely used ones.

The order follows Syft (`groupIDFromJavaMetadata`, `selectName`, `selectVersion`) so that package URLs agree, except where that is known to be wrong: OSGi's symbolic
names are taken apart the way maven-bundle-plugin puts them together, and OSGi's own version comes before that of a specification.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pratique.inventory.analyzers._java_groups import known_group
from pratique.inventory.analyzers._java_metadata import MAX_LICENSE, MAX_LICENSES, Coordinates, is_name, is_version

MAX_FILE_NAME = 255  # bytes that file systems allow; names in archives may be 64 KiB, and the patterns try each hyphen

_DASHED = re.compile(r"(?P<name>[A-Za-z].*?)-(?P<version>(?:\d|build\d|rc?\d+(?![a-z0-9])).*)", re.IGNORECASE)
_JOINED = re.compile(r"(?P<name>[A-Za-z].*?)[._](?P<version>\d+\.\d.*)")  # Eclipse's `org.eclipse.osgi_3.10.0.v2014.jar`
_STILL_NAME = re.compile(r"(?P<word>[\d.]+-(?:api|spec)|[\d.]+\.x)(?:-(?P<version>\d.*))?")  # `log4j-1.2-api-2.17.1`
_CLASSIFIER = re.compile(
    r"(?P<version>.+?)-(?P<classifier>(?:test-)?sources|(?:test-)?javadoc|tests|jar-with-dependencies|shaded|uber|exec|all|bin"
    r"|(?:linux|osx|windows)-(?:x86_64|aarch_?64|x86_32|ppcle_64|s390_64|riscv64))"
)
_SCALA = re.compile(r"_[23](?:\.\d+)?$")  # `akka-actor_2.13`: the Scala version is part of the artifact's name
_TOMCAT = re.compile(r"^tomcat\d*-")
_GROUP = re.compile(r"(?:[a-z]{2,3}|info|name|javax|jakarta)(?:\.[A-Za-z0-9_-]+)+")  # a domain name reversed, or a namespace of Java's

_REPOSITORIES = frozenset({"repository", "maven2", "maven-repo", "m2repo", "m2"})
_GRADLE_DEPTH = 5  # `files-2.1`, group, artifact, version, SHA-1

_VERSION_FIELDS = ("implementation-version", "plugin-version", "bundle-version", "specification-version")
_VAGUE_GROUP_FIELDS = ("extension-name", "specification-vendor", "implementation-vendor", "implementation-title")
_UNPUBLISHED = ("%", "$", "@")  # `%bundleName`, `${project.version}`, `@VERSION@`: what nobody has filled in

Manifest = Mapping[str, str]
"""The main section of a manifest, names in lower case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileName:
    """What the base name of an archive says; `version` and `classifier` may be empty."""

    artifact: str
    version: str = ""
    classifier: str = ""


def parse_file_name(name: str) -> FileName:
    """Take `commons-io-2.11.0-sources.jar` apart: the version begins with the first word that can be one."""
    stem = name.rpartition("/")[2][-MAX_FILE_NAME:].rpartition(".")[0]
    found = _DASHED.fullmatch(stem) or _JOINED.fullmatch(stem)
    if found is None:
        artifact, _, classifier = stem.rpartition("-")
        return (
            FileName(artifact=artifact, classifier=classifier)
            if artifact and classifier in ("sources", "javadoc")
            else FileName(artifact=stem)
        )
    artifact, version = found["name"], found["version"]
    if more := _STILL_NAME.fullmatch(version):
        artifact, version = f"{artifact}-{more['word']}", more["version"] or ""
    if classified := _CLASSIFIER.fullmatch(version):
        return FileName(artifact=artifact, version=classified["version"], classifier=classified["classifier"])
    return FileName(artifact=artifact, version=version)


def group_of_path(path: str, name: FileName) -> str:
    """The group of an archive in a repository of Maven's (`…/repository/org/slf4j/slf4j-api/2.0.7/slf4j-api-2.0.7.jar`) or in Gradle's cache; empty elsewhere."""
    *directories, _ = path.split("/")
    cached = directories[-5:]
    if len(cached) == _GRADLE_DEPTH and cached[0] == "files-2.1" and cached[2:4] == [name.artifact, name.version]:
        return cached[1]
    if directories[-2:] != [name.artifact, name.version] or not set(directories) & _REPOSITORIES:
        return ""
    root = max(place for place, directory in enumerate(directories) if directory in _REPOSITORIES)
    return ".".join(directories[root + 1 : -2])


def guess_coordinates(manifest: Manifest, name: FileName, group: str = "") -> Coordinates:
    """The artifact of an archive that only its manifest and its file name describe; the version is empty where neither has one.

    `group` is the one that is known otherwise. It is the artifact's name where nothing hints at another, as in Syft: old artifacts (`junit`, `dom4j`) are published that way.
    """
    version = _version(manifest, name)
    if group:
        return Coordinates(group=group, artifact=name.artifact, version=version)
    if _filled(manifest, "implementation-title") == "Apache Tomcat" or _filled(manifest, "bundle-symbolicname").startswith(
        "org.apache.tomcat-"
    ):
        artifact = _tomcat_artifact(name.artifact)
        return Coordinates(group=known_group(artifact) or "org.apache.tomcat", artifact=artifact, version=version)
    group, artifact = _split_artifact(manifest, name)
    return Coordinates(group=group or _group(manifest, artifact) or artifact, artifact=artifact, version=version)


def manifest_licenses(manifest: Manifest) -> tuple[str, ...]:
    """The licences that the manifest states, as it writes them: Jenkins' names, or OSGi's list without its directives."""
    names = [value for name, value in manifest.items() if name.startswith("plugin-license-name")]
    names = names or [entry.partition(";")[0] for entry in manifest.get("bundle-license", "").split(",")]
    words = (name.strip().strip('"')[:MAX_LICENSE] for name in names[:MAX_LICENSES])
    return tuple(dict.fromkeys(word for word in words if word and word != "<<EXTERNAL>>"))


def manifest_vendor(manifest: Manifest) -> str:
    """Who built the archive, as its manifest says."""
    return next((manifest[name][:MAX_LICENSE] for name in ("implementation-vendor", "bundle-vendor") if manifest.get(name)), "")


def _version(manifest: Manifest, name: FileName) -> str:
    candidates = [name.version, *(_filled(manifest, field).partition(" ")[0] for field in _VERSION_FIELDS)]
    return next((version for version in candidates if is_version(version)), "")


def _filled(manifest: Manifest, field: str) -> str:
    value = manifest.get(field, "")
    return "" if value.startswith(_UNPUBLISHED) else value


def _tomcat_artifact(stem: str) -> str:
    """The published name of a jar of a Tomcat installation, Debian's (`tomcat9-coyote`) too; `bootstrap.jar` stands for the whole of it."""
    if stem == "bootstrap":
        return "tomcat"
    stem = stem.replace("catalina-tribes", "tribes")
    return "tomcat-" + _TOMCAT.sub("", stem)


def _split_artifact(manifest: Manifest, name: FileName) -> tuple[str, str]:
    """Group (empty if not here) and artifact. sbt and coursier put both into the file name: `com.typesafe.akka.akka-actor_2.13-2.6.jar`; Jenkins has a field each."""
    short = _filled(manifest, "short-name")
    if short and _filled(manifest, "plugin-version"):
        return _filled(manifest, "group-id"), short
    group = _SCALA.sub("", name.artifact).rpartition(".")[0]
    artifact = name.artifact[len(group) + 1 :]
    if _GROUP.fullmatch(group) and ("-" in artifact or known_group(artifact) == group):
        return group, artifact
    vendor = _filled(manifest, "implementation-vendor-id")
    if vendor and name.artifact.startswith(vendor + "."):
        return vendor, name.artifact.removeprefix(vendor + ".")
    title = _filled(manifest, "implementation-title")
    return "", name.artifact or (title if is_name(title) else "")


def _group(manifest: Manifest, artifact: str) -> str:
    return next((group for group in _groups(manifest, artifact) if group), "")


def _groups(manifest: Manifest, artifact: str) -> Iterator[str]:
    """What may be the group, the best first."""
    if is_name(group := _filled(manifest, "group-id")):
        yield group
    yield known_group(artifact)
    vendor = _filled(manifest, "implementation-vendor-id")  # maven-archiver writes the groupId there
    yield vendor if _GROUP.fullmatch(vendor) else ""
    for name in ("bundle-symbolicname", "automatic-module-name", *_VAGUE_GROUP_FIELDS):
        yield _group_of(_filled(manifest, name).partition(";")[0].strip(), artifact)


def _group_of(symbol: str, artifact: str) -> str:
    """Undo what maven-bundle-plugin makes of group and artifact: `org.apache.maven` and `maven-core` become `org.apache.maven.core`; empty for what is no such name."""
    if len(symbol) > MAX_FILE_NAME or not _GROUP.fullmatch(symbol):
        return ""
    if symbol == artifact or ("-" in artifact and symbol.endswith("." + artifact)):
        return symbol.removesuffix(artifact).rstrip(".") or symbol.rpartition(".")[0]
    words = symbol.split(".")
    if words[-2:] == [artifact, artifact]:
        return ".".join(words[:-1])
    for end in range(len(words) - 1, 1, -1):
        if artifact == "-".join(words[end - 1 :]):
            return ".".join(words[:end])
    return symbol
