"""Small XML documents as a flat run of elements: no tree is built, and what makes XML dangerous is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from xml.parsers import expat

from pratique.errors import InvalidRecord

MAX_DEPTH = 64  # elements in elements; project files have four, and each costs memory until it ends


def visit_elements(content: bytes, visit: Callable[[tuple[str, ...], Mapping[str, str]], None]) -> None:
    """Call `visit` at the start of each element with the names from the root to it, and its attributes. Names are as written, with prefix.

    Raises InvalidRecord for what is no well-formed document, is nested deeper than MAX_DEPTH, or has a document type, in which entities could be declared that
    expand without end (expat's own protection against those depends on its version).
    """
    parser = expat.ParserCreate()
    open_elements: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        open_elements.append(name)
        if len(open_elements) > MAX_DEPTH:
            raise InvalidRecord(f"XML elements more than {MAX_DEPTH} deep")
        visit(tuple(open_elements), attributes)

    def end(name: str) -> None:
        del name
        open_elements.pop()

    def refuse(*declaration: object) -> None:
        del declaration
        raise InvalidRecord("XML with a document type")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, ValueError, LookupError) as error:  # the last two: an encoding that expat asks Python for
        raise InvalidRecord(f"expected XML: {error}") from error
