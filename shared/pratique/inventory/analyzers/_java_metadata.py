"""What Java's build tools write into an archive about it: `META-INF/MANIFEST.MF`, and Maven's `pom.properties` and `pom.xml`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from pratique.errors import InvalidRecord

MAX_DEPTH = 100  # elements in elements: a project's licences lie four deep
_USED_DEPTH = 4
MAX_LICENSES = 20  # of one package: reports list them all
MAX_LICENSE = 256  # characters of a licence: some write its text there
MAX_PROPERTIES = 10_000  # of one pom.xml: memory
MAX_SUBSTITUTIONS = 5  # `${a}` that stands for `${b}`: cycles
MAX_WORD = 256  # characters of a group, an artifact or a version: the longest at Maven Central have some 120

_MANIFEST_FIELDS = frozenset(
    b"automatic-module-name bundle-license bundle-symbolicname bundle-vendor bundle-version extension-name group-id implementation-title "
    b"implementation-vendor implementation-vendor-id implementation-version plugin-version short-name specification-vendor "
    b"specification-version weave-classes".split()
)
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_VERSION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+~:,^@!-]*")
_REFERENCE = re.compile(r"\$\{([^${}]{1,100})\}")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Coordinates:
    """What Maven calls an artifact; parts that are not known are empty."""

    group: str = ""
    artifact: str = ""
    version: str = ""
    licenses: tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Tell whether all parts are there and are of the characters that Maven allows: templates (`${project.version}`) are not."""
        return is_name(self.group) and is_name(self.artifact) and is_version(self.version)


def is_name(text: str) -> bool:
    """Tell whether Maven takes this for a groupId or an artifactId."""
    return len(text) <= MAX_WORD and _NAME.fullmatch(text) is not None


def is_version(text: str) -> bool:
    """Tell whether this can be a version: no blanks, no slashes, no templates."""
    return len(text) <= MAX_WORD and _VERSION.fullmatch(text) is not None


def parse_manifest(content: bytes) -> Mapping[str, str]:
    """Read what tells an artifact from the main section, which ends at the first empty line: the others describe packages or files inside.

    Names are in lower case; the first of a name counts.

    Lines end with LF, CR or CRLF; one that begins with a blank continues the value before it. Never fails ("JAR File Specification").
    """
    fields: dict[bytes, list[bytes]] = {}
    value: list[bytes] = []
    for line in content.removeprefix(_BYTE_ORDER_MARK).lstrip(b"\r\n").splitlines():
        if not line:
            break
        if line.startswith(b" "):
            value.append(line[1:])
            continue
        name, _, first = line.partition(b":")
        value = [first]
        if (name := name.strip().lower()) in _MANIFEST_FIELDS or name.startswith(b"plugin-license-name"):
            fields.setdefault(name, value)
    return {name.decode("latin-1"): b"".join(parts).decode("utf-8", "replace").strip() for name, parts in fields.items()}


def parse_properties(content: bytes) -> Coordinates:
    """Read Maven's pom.properties: `groupId`, `artifactId` and `version`, in Java's properties format without line continuations. Never fails."""
    fields: dict[str, str] = {}
    for line in content.decode("latin-1").splitlines():
        name, value = _split_property(line.strip())
        if name in ("groupId", "artifactId", "version"):
            fields[name] = value
    return Coordinates(group=fields.get("groupId", ""), artifact=fields.get("artifactId", ""), version=fields.get("version", ""))


def _split_property(line: str) -> tuple[str, str]:
    if line.startswith(("#", "!")):
        return "", ""
    name, _, value = line.partition("=") if "=" in line else line.partition(":")
    return name.strip(), value.strip().replace("\\", "")


@dataclass(slots=True)
class _Project:
    """The texts of a pom.xml that matter, by path below `project`, collected while expat reads."""

    texts: dict[str, str] = field(default_factory=dict)
    licenses: list[str] = field(default_factory=list)
    path: list[str] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)

    def open(self, name: str, _attributes: object) -> None:
        self.path.append(name)
        if len(self.path) > MAX_DEPTH:
            raise InvalidRecord("a pom.xml that is nested too deep")
        if self.pieces:
            self.pieces = []

    def add(self, text: str) -> None:
        self.pieces.append(text)

    def close(self, _name: str) -> None:
        if len(self.path) <= _USED_DEPTH and self.pieces:
            root, *names = (name.rpartition(":")[2] for name in self.path)
            if root == "project":
                self._keep("/".join(names), "".join(self.pieces).strip())
        self.path.pop()
        if self.pieces:
            self.pieces = []

    def _keep(self, path: str, text: str) -> None:
        if path == "licenses/license/name" and len(self.licenses) < MAX_LICENSES:
            self.licenses.append(" ".join(text[:MAX_LICENSE].split()))
        elif len(self.texts) < MAX_PROPERTIES and text:
            self.texts.setdefault(path, text[:MAX_WORD])


def parse_pom(content: bytes) -> Coordinates:
    """Read a pom.xml: group and version from its parent where it has none itself, `${…}` replaced by what the file itself defines; what stays open is empty.

    Raises InvalidRecord for what is no XML, and for a document type: Maven's have none, and it could define entities that grow without end.
    """
    project = _Project()
    _feed_expat(content, project)
    texts = project.texts
    return Coordinates(
        group=_resolved(texts, "groupId") or _resolved(texts, "parent/groupId"),
        artifact=_resolved(texts, "artifactId"),
        version=_resolved(texts, "version") or _resolved(texts, "parent/version"),
        licenses=tuple(dict.fromkeys(project.licenses)),
    )


def _feed_expat(content: bytes, project: _Project) -> None:
    from xml.parsers import expat  # 2 ms, only for archives that have a pom.xml

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = project.open
    parser.EndElementHandler = project.close
    parser.CharacterDataHandler = project.add
    parser.StartDoctypeDeclHandler = _refuse_document_type
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, ValueError, LookupError) as error:  # the last two: an encoding that Python does not have
        raise InvalidRecord(f"expected a pom.xml: {error}") from error


def _refuse_document_type(*_declaration: object) -> None:
    raise InvalidRecord("a pom.xml with a document type")


def _resolved(texts: Mapping[str, str], path: str) -> str:
    """The text at `path` with its references replaced; empty if one of them is defined elsewhere (a parent that is not here)."""
    text = texts.get(path, "")
    for _ in range(MAX_SUBSTITUTIONS):
        if "${" not in text or len(text) > MAX_WORD:
            break
        text = _REFERENCE.sub(lambda match: _referenced(texts, match[1]), text)
    return "" if "${" in text or len(text) > MAX_WORD else text


def _referenced(texts: Mapping[str, str], name: str) -> str:
    inner = name.removeprefix("project.").removeprefix("pom.").replace(".", "/")
    for path in (f"properties/{name}", inner, f"parent/{inner}"):
        if path in texts:
            return texts[path]
    return "${}"
