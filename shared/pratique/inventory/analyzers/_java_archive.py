"""Reads one Java archive and the archives in it; what counts is told in `java.py`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import takewhile

from pratique.errors import InputError, InvalidRecord, LimitExceeded
from pratique.inventory.analyzers._java_files import MUST_BE_ARCHIVES, SUFFIXES, ZIP_MAGICS
from pratique.inventory.analyzers._java_guess import guess_coordinates, symbolic_name
from pratique.inventory.analyzers._java_metadata import Coordinates, parse_manifest, parse_pom, parse_properties
from pratique.inventory.analyzers._java_names import (
    FileName,
    Manifest,
    group_of_path,
    manifest_licenses,
    manifest_vendor,
    manifest_version,
    parse_file_name,
)
from pratique.inventory.analyzers._zip import ZipArchive, ZipBudget, ZipLimits, open_zip
from pratique.inventory.package import Package

MAX_HELD = 352 * 1024**2  # of an archive and of inflated archives in it, held at one time: the scanner's process has 512 MB
MAX_DEPTH = 6  # archives in archives: a library in a plug-in in a web application in an enterprise application makes four
MAX_ARCHIVES = 10_000  # in one file: time; the largest installers have 2,000
MAX_POM_BYTES = 1024**2  # of one pom.xml: the largest published ones have 300 kB
MAX_PROPERTIES_BYTES = 64 * 1024  # of one pom.properties: they have 100 bytes
MAX_TEXT_BYTES = 32 * 1024**2  # of all of these and of manifests in one file: expat takes up to nine seconds
MAX_LICENSE_BYTES = 8 * 1024**2  # of text, after which no pom.xml is read for its licences alone: 300 libraries have that much
MANIFEST_BYTES = 1024**2  # of a manifest that are read: signed ones are longer, but their main section comes first

_LIBRARY_DIRECTORIES = ("", "lib", "BOOT-INF/lib", "WEB-INF/lib", "APP-INF/lib", "WEB-INF/plugins", "WEB-INF/detached-plugins")
_MANIFEST = "META-INF/MANIFEST.MF"
_MAVEN = "META-INF/maven/"
_POM_FILES = ("pom.properties", "pom.xml")
_WITHOUT_CODE = frozenset({"sources", "test-sources", "javadoc", "test-javadoc"})


@dataclass(slots=True)
class ArchiveReading:
    """One file of an image: what reading it has cost so far, and what could not be read."""

    budget: ZipBudget = field(default_factory=ZipBudget)
    archives: int = 0
    text_bytes: int = 0
    problems: int = 0
    first: tuple[type[InputError], str] | None = None

    def packages(self, content: bytes, path: str) -> Iterator[Package]:
        """Yield the artifacts of a file, in its order, some of them more than once."""
        yield from self.read(memoryview(content), path, depth=0, room=MAX_HELD - len(content))

    def note(self, problem: InputError) -> None:
        """Keep a problem for later, so that the rest is still read."""
        self.problems += 1
        self.first = self.first or (type(problem), str(problem))  # not the error itself: its frames would keep what was inflated

    def raise_problems(self) -> None:
        """Raise the first problem, if there was one, with the number of the others."""
        if self.first is not None:
            more = f" (and {self.problems - 1} more)" if self.problems > 1 else ""
            kind, text = self.first
            raise kind(f"{text}{more}")

    def read(self, content: memoryview, path: str, *, depth: int, room: int) -> Iterator[Package]:
        """Yield the artifacts of an archive; `room` is how many bytes may be inflated out of it at one time."""
        self.archives += 1
        contents = _Contents()
        try:
            if self.archives > MAX_ARCHIVES:
                raise LimitExceeded(f"more than {MAX_ARCHIVES} archives in one")
            archive = open_zip(content, ZipLimits(member_bytes=max(0, room)), budget=self.budget, wanted=contents.wants)
        except InputError as error:
            if depth == 0 or isinstance(error, LimitExceeded) or _is_library(path):
                self.note(error)
            return
        name = parse_file_name(path)
        if contents.has_classes or name.classifier not in _WITHOUT_CODE:
            yield from self._describe(archive, name, group_of_path(path, name), contents.code)
        yield from self._read_nested(archive, depth=depth, room=room)

    def _read_nested(self, archive: ZipArchive, *, depth: int, room: int) -> Iterator[Package]:
        for name in archive.names():
            member = archive.members[name]
            if not member.size or not _may_be_archive(name):
                continue
            try:
                content = self._open_nested(archive, name, depth)
            except InputError as error:
                self.note(error)
                continue
            if name.endswith(MUST_BE_ARCHIVES) or bytes(content[:4]) in ZIP_MAGICS:
                yield from self.read(content, name, depth=depth + 1, room=room - (0 if member.is_stored else member.size))
            del content  # before the next one is inflated

    def _open_nested(self, archive: ZipArchive, name: str, depth: int) -> memoryview:
        if depth >= MAX_DEPTH:
            raise LimitExceeded(f"archives nested more than {MAX_DEPTH} deep")
        return archive.view(name)

    def _describe(self, archive: ZipArchive, name: FileName, group: str, code: str) -> Iterator[Package]:
        """Yield the artifacts that the archive itself holds; `group` is empty unless its path tells, `code` is the Java package that all classes lie in."""
        manifest = self._read_manifest(archive)
        if "weave-classes" in manifest:
            return  # New Relic's instrumentation of a library, which poses as that library
        artifacts = list(self._read_poms(archive))
        own = _own(artifacts, manifest, name, code)
        if own is None:
            own = guess_coordinates(manifest, name, group, code)
            artifacts.append(own)
        for artifact in artifacts:
            if artifact.is_complete:
                yield _package(artifact, manifest if artifact is own else {})

    def _read_manifest(self, archive: ZipArchive) -> Manifest:
        name = next((name for name in archive.names() if name.upper() == _MANIFEST), "")
        if not name:
            return {}
        try:
            self._count_text(min(archive.members[name].size, MANIFEST_BYTES))
            return parse_manifest(archive.head(name, MANIFEST_BYTES))
        except InputError as error:
            self.note(error)
            return {}

    def _read_poms(self, archive: ZipArchive) -> Iterator[Coordinates]:
        """Yield what each directory with a pom.properties or a pom.xml describes; the former leads, the latter adds licences."""
        for directory in dict.fromkeys(name.rpartition("/")[0] for name in archive.names() if name.endswith(_POM_FILES)):
            try:
                artifact = self._read_pom(archive, directory)
            except InputError as error:
                self.note(error)
                continue
            if artifact.is_complete:
                yield artifact

    def _read_pom(self, archive: ZipArchive, directory: str) -> Coordinates:
        prefix = directory + "/" if directory else ""
        found = Coordinates()
        if prefix + "pom.properties" in archive:
            found = parse_properties(self._text(archive, prefix + "pom.properties", MAX_PROPERTIES_BYTES))
        if prefix + "pom.xml" not in archive or (found.is_complete and self.text_bytes > MAX_LICENSE_BYTES):
            return found
        try:
            pom = parse_pom(self._text(archive, prefix + "pom.xml", MAX_POM_BYTES))
        except InvalidRecord:
            if found.is_complete:
                return found  # only its licences are lost
            raise
        if found.is_complete:
            return replace(found, licenses=pom.licenses)
        return replace(pom, group=found.group or pom.group, artifact=found.artifact or pom.artifact, version=found.version or pom.version)

    def _text(self, archive: ZipArchive, name: str, max_bytes: int) -> bytes:
        self._count_text(archive.members[name].size)
        return archive.read(name, max_bytes)

    def _count_text(self, size: int) -> None:
        self.text_bytes += size
        if self.text_bytes > MAX_TEXT_BYTES:
            raise LimitExceeded("too much text in manifests and pom files")


@dataclass(slots=True)
class _Contents:
    """Chooses the entries of an archive that are read, and notes whether there is code among the others."""

    has_classes: bool = False
    first: str = ""
    last: str = ""

    @property
    def code(self) -> str:
        """The Java package that all classes lie in, `org.apache.commons.io`; empty where they have none in common."""
        pairs = zip(self.first.split("/")[:-1], self.last.split("/")[:-1], strict=False)
        return ".".join(word for word, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))

    def wants(self, name: str) -> bool:
        if name.endswith(".class"):
            self.has_classes = True
            if "/" in name and not name.startswith(
                "META-INF/"
            ):  # there lie other versions of the same, and the module's description lies above
                self.first = min(self.first or name, name)
                self.last = max(self.last, name)
            return False
        if _may_be_archive(name):
            return True
        base = name.rpartition("/")[2]
        return base == "pom.properties" or (base == "pom.xml" and _MAVEN in name) or name.upper() == _MANIFEST


def _may_be_archive(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def _is_library(name: str) -> bool:
    """Tell whether an application loads this nested archive: others are resources, where test data and templates have such names, too."""
    return name.endswith(MUST_BE_ARCHIVES) and name.rpartition("/")[0] in _LIBRARY_DIRECTORIES


def _own(artifacts: list[Coordinates], manifest: Manifest, name: FileName, code: str) -> Coordinates | None:
    """The artifact among those of the poms that is the archive itself and not shaded into it; None if it is another."""
    fitting = [artifact for artifact in artifacts if _fits(artifact, name)]
    if fitting:
        exact = [artifact for artifact in fitting if artifact.artifact == name.artifact]
        return max(exact or fitting, key=lambda artifact: (artifact.version == name.version, len(artifact.artifact)))
    symbol = _squashed(symbolic_name(manifest))
    for artifact in artifacts:
        if symbol in (_squashed(artifact.artifact), _squashed(f"{artifact.group}.{artifact.artifact}")):
            return artifact
    return artifacts[0] if len(artifacts) == 1 and _is_renamed(artifacts[0], manifest, name, code) else None


def _fits(artifact: Coordinates, name: FileName) -> bool:
    """Tell whether a file of that name holds that artifact: `akka-actor.jar`, or `com.typesafe.akka.akka-actor-2.6.jar` of a version that is not another."""
    stem, known = _squashed(name.artifact), _squashed(artifact.artifact)
    if stem == known:
        return True
    is_end = name.artifact.endswith((f".{artifact.artifact}", f"-{artifact.artifact}"))
    return is_end and (not name.version or artifact.version.startswith(name.version) or name.version.startswith(artifact.version))


def _is_renamed(artifact: Coordinates, manifest: Manifest, name: FileName, code: str) -> bool:
    """Tell whether the only artifact of an archive is that archive under another name: by its version, or as all classes are its group's."""
    version = manifest_version(manifest, name, is_own=True)
    if not version or version == artifact.version:
        return True
    groups = (artifact.group, artifact.group.replace("jakarta.", "javax."))  # Jakarta EE 8 has new groups and the old packages
    return not name.version and "." in artifact.group and any(f"{code}.".startswith(f"{group}.") for group in groups)


def _squashed(name: str) -> str:
    """What is left of a name after file systems, OSGi and distributions have replaced its separators."""
    return name.replace("-", "").replace("_", "").replace(".", "")


def _package(artifact: Coordinates, manifest: Manifest) -> Package:
    return Package(
        type="maven",
        namespace=artifact.group,
        name=artifact.artifact,
        version=artifact.version,
        ecosystem="Maven",
        vendor=manifest_vendor(manifest),
        licenses=artifact.licenses or manifest_licenses(manifest),
    )
