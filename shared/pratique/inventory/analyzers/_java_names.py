"""What the name of a Java archive, its path and its manifest say by themselves.

Versions are chosen as Syft does (`selectVersion`), except that OSGi's own comes before that of a specification.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pratique.inventory.analyzers._java_metadata import MAX_LICENSE, MAX_LICENSES, is_version

MAX_FILE_NAME = 255  # bytes that file systems allow; names in archives may be 64 KiB, and the patterns try each hyphen

_DASHED = re.compile(r"(?P<name>[A-Za-z].*?)-(?P<version>(?:\d|build\d|rc?\d+(?![a-z0-9])).*)", re.IGNORECASE)
_JOINED = re.compile(r"(?P<name>[A-Za-z].*?)[._](?P<version>\d+\.\d.*)")  # Eclipse's `org.eclipse.osgi_3.10.0.v2014.jar`
_STILL_NAME = re.compile(r"(?P<word>[\d.]+[-_](?:api|spec)|[\d.]+\.x)(?:-(?P<version>\d.*))?")  # `log4j-1.2-api-2.17.1`
_CLASSIFIER = re.compile(
    r"(?P<version>.+?)-(?P<classifier>(?:test-)?sources|(?:test-)?javadoc|tests|jar-with-dependencies|shaded|uber|exec|all|bin"
    r"|(?:linux|osx|windows)-(?:x86_64|aarch_?64|x86_32|ppcle_64|s390_64|riscv64))"
)

_REPOSITORIES = frozenset({"repository", "maven2", "maven-repo", "m2repo", "m2"})
_GRADLE_DEPTH = 5  # `files-2.1`, group, artifact, version, SHA-1

_VERSION_FIELDS = ("implementation-version", "plugin-version", "bundle-version", "specification-version")
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
        artifact, version = stem[: found.start("version")] + more["word"], more["version"] or ""
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


def manifest_licenses(manifest: Manifest) -> tuple[str, ...]:
    """The licences that the manifest states, as it writes them: Jenkins' names, or OSGi's list without its directives."""
    names = [value for name, value in manifest.items() if name.startswith("plugin-license-name")]
    names = names or [entry.partition(";")[0] for entry in manifest.get("bundle-license", "").split(",")]
    words = (name.strip().strip('"')[:MAX_LICENSE] for name in names[:MAX_LICENSES])
    return tuple(dict.fromkeys(word for word in words if word and word != "<<EXTERNAL>>"))


def manifest_vendor(manifest: Manifest) -> str:
    """Who built the archive, as its manifest says."""
    return next((manifest[name][:MAX_LICENSE] for name in ("implementation-vendor", "bundle-vendor") if manifest.get(name)), "")


def manifest_version(manifest: Manifest, name: FileName, *, is_own: bool = False) -> str:
    """The version of an archive; with `is_own` not that of the specification that it implements. Empty where none is stated."""
    fields = _VERSION_FIELDS[:-1] if is_own else _VERSION_FIELDS
    candidates = [name.version, *(filled(manifest, field).partition(" ")[0].removesuffix(".qualifier") for field in fields)]
    return next((version for version in candidates if is_version(version)), "")


def filled(manifest: Manifest, field: str) -> str:
    """A field of the manifest; empty where a template was left as it is."""
    value = manifest.get(field, "")
    return "" if value.startswith(_UNPUBLISHED) else value
