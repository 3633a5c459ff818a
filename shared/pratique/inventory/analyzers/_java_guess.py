"""Which artifact an archive is when no `pom.properties` says so: its file name, its manifest, where its classes lie, and what is known of widely used ones.

The order follows Syft (`groupIDFromJavaMetadata`, `selectName`) so that package URLs agree, except where that is known to be wrong: OSGi's symbolic names are taken apart
the way maven-bundle-plugin puts them together; files that a distribution has renamed (`spring3-aop-3.x.jar`) are known by their manifest; and where no name tells the
group, the classes do (`io/perfmark/…` in `perfmark-api.jar`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from pratique.inventory.analyzers._java_groups import is_known, known_bundle, known_group
from pratique.inventory.analyzers._java_metadata import Coordinates, is_name
from pratique.inventory.analyzers._java_names import MAX_FILE_NAME, FileName, Manifest, filled, manifest_version

_GROUP = re.compile(r"(?:[a-z]{2,3}|info|name|javax|jakarta)(?:\.[A-Za-z0-9_-]+)+")  # a domain name reversed, or a namespace of Java's
_SCALA = re.compile(r"_[23](?:\.\d+)?$")  # `akka-actor_2.13`: the Scala version is part of the artifact's name
_TOMCAT = re.compile(r"^tomcat\d*-")
_SLOT = re.compile(r"-\d[\d.]*\.x$")  # Debian's `spring3-aop-3.x`: any version of that line
_NUMBERED = re.compile(r"(?P<word>[A-Za-z]+)(?P<number>\d+)(?P<rest>(?:-.*)?)")  # Debian's `tomcat9-jdbc`, `jdom1`
_SPECIFICATION = re.compile(r"(?:javax|jakarta)(?:\.[a-z0-9]+){2,}-api")  # of which the whole is the artifact's name
_TWICE = re.compile(r"(?P<group>[\w-]+(?:\.[\w-]+)+)\.(?P<artifact>(?P=group)(?:[.-].*)?)")  # artifacts that are called as their group
_VAGUE_GROUP_FIELDS = ("extension-name", "specification-vendor", "implementation-vendor", "implementation-title")
_UMBRELLAS = frozenset(
    {"com.google", "com.sun", "org.apache", "org.codehaus", "org.eclipse"}
)  # vendors whose projects have groups of their own
_SPLIT_WORDS = 3  # words of `com.beust.jcommander`, at least

_Names = tuple[str, str]
"""Group (empty where it is to be looked for) and artifact."""


def guess_coordinates(manifest: Manifest, name: FileName, group: str = "", code: str = "") -> Coordinates:
    """The artifact of an archive that only its manifest, its file name and its classes describe; the version is empty where neither of the first two has one.

    `group` is the one that is known otherwise, `code` the Java package that all classes lie in. The group is the artifact's name where nothing hints at another, as in
    Syft: old artifacts (`junit`, `dom4j`) are published that way.
    """
    version = manifest_version(manifest, name)
    if group:
        return Coordinates(group=group, artifact=name.artifact, version=version)
    if filled(manifest, "implementation-title") == "Apache Tomcat" or symbolic_name(manifest).startswith("org.apache.tomcat-"):
        artifact = _tomcat_artifact(name.artifact)
        return Coordinates(group=known_group(artifact) or "org.apache.tomcat", artifact=artifact, version=version)
    group, artifact = _names(manifest, name, version)
    group = group or next((group for group in _groups(manifest, artifact, version) if group), "") or _group_of_code(code, artifact)
    return Coordinates(group=group or artifact, artifact=artifact, version=version)


def symbolic_name(manifest: Manifest) -> str:
    """OSGi's name of the archive, without directives."""
    return filled(manifest, "bundle-symbolicname").partition(";")[0].strip()


def _tomcat_artifact(stem: str) -> str:
    """The published name of a jar of a Tomcat installation, Debian's (`tomcat9-coyote`) too; `bootstrap.jar` stands for the whole of it."""
    if stem == "bootstrap":
        return "tomcat"
    stem = stem.replace("catalina-tribes", "tribes")
    return "tomcat-" + _TOMCAT.sub("", stem)


def _names(manifest: Manifest, name: FileName, version: str) -> _Names:
    """What the first of the readings that has an answer says."""
    if plugin := _jenkins_names(manifest):
        return plugin
    stem = _SLOT.sub("", name.artifact)
    if not is_known(stem):
        for reading in _READINGS:
            if found := reading(manifest, stem, version):
                return found
    title = filled(manifest, "implementation-title")
    return "", stem or (title if is_name(title) else "")


def _jenkins_names(manifest: Manifest) -> _Names | None:
    """A plug-in, which has a field for each and may be called as a library is (`junit.hpi`)."""
    short = filled(manifest, "short-name")
    return (filled(manifest, "group-id"), short) if short and filled(manifest, "plugin-version") else None


def _known_title(manifest: Manifest, stem: str, _version: str) -> _Names | None:
    """`spring3-transaction.jar` with the title `spring-tx`: only a known artifact whose name begins likewise, as applications have titles of all kinds."""
    title = filled(manifest, "implementation-title")
    word = title.partition("-")[0]
    return ("", title) if "-" in title and is_known(title) and stem.partition("-")[0].rstrip("0123456789") == word else None


def _known_bundle(manifest: Manifest, stem: str, _version: str) -> _Names | None:
    """One that OSGi's name tells. That of Apache's Commons is `org.apache.commons.io`, which its own files are not called."""
    symbol = symbolic_name(manifest)
    project = symbol.removeprefix("org.apache.commons.")
    if stem == symbol != project and project.isalnum():
        return "" if is_known(f"commons-{project}") else "org.apache.commons", f"commons-{project}"
    artifact = known_bundle(symbol)
    return ("", artifact) if artifact else None


def _eclipse(manifest: Manifest, stem: str, _version: str) -> _Names | None:
    """Debian's `eclipse-jdt-core` and `equinox-common`: Eclipse's artifacts are called as the bundles are."""
    symbol = symbolic_name(manifest)
    is_meant = symbol.startswith("org.eclipse.") and f"-{symbol.replace('.', '-')}".endswith(f"-{stem}")
    if not is_meant or not stem.startswith(("eclipse-", "equinox-")):
        return None
    return known_group(symbol) or ".".join(symbol.split(".")[:3]), symbol


def _joined(manifest: Manifest, stem: str, version: str) -> _Names | None:
    """Coursier and sbt put both into the file name: `com.typesafe.akka.akka-actor_2.13-2.6.jar`, `org.osgi.org.osgi.core-6.jar`."""
    plain = _SCALA.sub("", stem)
    words = plain.split(".")
    if twice := _TWICE.fullmatch(stem):
        return twice["group"], twice["artifact"]
    if _SPECIFICATION.fullmatch(plain):
        return plain.removesuffix("-api"), stem
    group = plain.rpartition(".")[0]
    artifact = stem[len(group) + 1 :]
    if not _GROUP.fullmatch(group):
        return None
    is_split = "-" in artifact or known_group(artifact, version) == group
    return (group, artifact) if is_split or (len(words) >= _SPLIT_WORDS and not symbolic_name(manifest)) else None


def _with_vendor(manifest: Manifest, stem: str, _version: str) -> _Names | None:
    vendor = filled(manifest, "implementation-vendor-id")
    return (vendor, stem.removeprefix(vendor + ".")) if vendor and stem.startswith(vendor + ".") else None


def _numbered(_manifest: Manifest, stem: str, version: str) -> _Names | None:
    """Debian's `tomcat9-jdbc` and `jdom1`, whose number is that of the version: known ones, as other names end with numbers of their own."""
    found = _NUMBERED.fullmatch(stem)
    if found is None or not f"{version}.".startswith(f"{found['number']}."):
        return None
    artifact = found["word"] + found["rest"]
    group = known_group(artifact, version)
    return (group, artifact) if group else None


_READINGS: tuple[Callable[[Manifest, str, str], _Names | None], ...] = (
    _known_title,
    _known_bundle,
    _eclipse,
    _joined,
    _with_vendor,
    _numbered,
)
"""What a name that is not a known one may be, the surest first."""


def _groups(manifest: Manifest, artifact: str, version: str) -> Iterator[str]:
    """What may be the group, the best first."""
    if is_name(group := filled(manifest, "group-id")):
        yield group
    yield known_group(artifact, version)
    vendor = filled(manifest, "implementation-vendor-id")  # maven-archiver writes the groupId there
    yield vendor if _GROUP.fullmatch(vendor) and vendor not in _UMBRELLAS else ""
    for name in ("bundle-symbolicname", "automatic-module-name", *_VAGUE_GROUP_FIELDS):
        yield _group_of_symbol(filled(manifest, name).partition(";")[0].strip(), artifact)


def _group_of_symbol(symbol: str, artifact: str) -> str:
    """Undo what maven-bundle-plugin makes of group and artifact: `org.apache.maven` and `maven-core` become `org.apache.maven.core`; empty for what is no such name."""
    if len(symbol) > MAX_FILE_NAME or not _GROUP.fullmatch(symbol):
        return ""
    if symbol == artifact or ("-" in artifact and symbol.endswith("." + artifact)):
        return symbol.removesuffix(artifact).rstrip(".") or symbol.rpartition(".")[0]
    words = symbol.split(".")
    if words[-2:] == [artifact, artifact] or words[-1] == words[-2]:
        return ".".join(words[:-1])
    for end in range(len(words) - 1, 1, -1):
        if artifact == "-".join(words[end - 1 :]):
            return ".".join(words[:end])
    return symbol


def _group_of_code(code: str, artifact: str) -> str:
    """The package of the project that the artifact is a part of: `io.perfmark` of `perfmark-api`, whose classes are all in `io.perfmark.api`.

    Empty for names of one word: half of those are groups of the same name, and of the others half have it once more at the end of their group.
    """
    words = code.split(".")
    project, hyphen, _ = artifact.partition("-")
    if not hyphen or len(code) > MAX_FILE_NAME or project.lower() not in words[1:]:
        return ""
    group = ".".join(words[: words.index(project.lower(), 1) + 1])
    return group if _GROUP.fullmatch(group) else ""
