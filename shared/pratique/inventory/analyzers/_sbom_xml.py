"""Components of CycloneDX documents in XML."""

from __future__ import annotations

from collections.abc import Iterator

from pratique.errors import InvalidRecord, LimitExceeded

MAX_DEPTH = 200  # elements: components nested 50 deep have 100; each takes memory
MAX_FOUND = 200_000  # components: each takes memory
_MAX_TEXT = 4_096  # characters of a package URL or version

_SEPARATOR = " "


def read_xml(content: bytes) -> Iterator[tuple[str, str]]:
    """Yield package URL and version of each component, outer before inner, without the one that the document describes and `excluded` ones.

    Raises InvalidRecord for what is no XML or has a document type (entities multiply), LimitExceeded for MAX_DEPTH and MAX_FOUND.
    """
    from xml.parsers import expat

    document = _Document()
    parser = expat.ParserCreate(namespace_separator=_SEPARATOR)
    parser.StartDoctypeDeclHandler = document.refuse
    parser.StartElementHandler = document.start
    parser.EndElementHandler = document.end
    parser.CharacterDataHandler = document.text
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise InvalidRecord(f"expected XML: {error}") from error
    for component in document.found:
        if component.get("purl"):
            yield component["purl"].strip(), component.get("version", "").strip()


class _Document:
    """What expat tells: the open elements, and the components in the order of their beginnings."""

    def __init__(self) -> None:
        self.found: list[dict[str, str]] = []
        self._elements: list[str] = []
        self._components: list[dict[str, str]] = []

    def refuse(self, name: str, *rest: object) -> None:
        """No SBOM has a document type."""
        del rest
        raise InvalidRecord(f"expected XML without a document type, got {name[:40]!r}")

    def start(self, qualified: str, attributes: dict[str, str]) -> None:
        """Note an element, and a component where it is one."""
        del attributes
        name = qualified.rpartition(_SEPARATOR)[2]
        self._elements.append(name)
        if len(self._elements) > MAX_DEPTH or len(self.found) > MAX_FOUND:
            raise LimitExceeded(f"XML of more than {MAX_FOUND} components or deeper than {MAX_DEPTH}")
        if name == "component":
            self._components.append({})
            if "metadata" not in self._elements:
                self.found.append(self._components[-1])

    def end(self, qualified: str) -> None:
        """Forget the element, and what `excluded` covers."""
        del qualified
        if self._elements.pop() == "component":
            component = self._components.pop()
            if component.get("scope", "").strip() == "excluded":
                component.clear()

    def text(self, text: str) -> None:
        """Keep the text of a component's own `purl`, `version` and `scope`."""
        if self._elements[-2:-1] == ["component"] and self._elements[-1] in {"purl", "version", "scope"}:
            component = self._components[-1]
            component[self._elements[-1]] = (component.get(self._elements[-1], "") + text)[:_MAX_TEXT]
