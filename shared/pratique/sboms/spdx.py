"""SPDX 2.2 and 2.3 in JSON. Source: SPDX specification 2.3, clauses 6 to 11, and its JSON schema."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import msgspec

from pratique.errors import LimitExceeded
from pratique.inventory.analyzers._json_records import decode_json
from pratique.sboms.contents import Component, Document
from pratique.sboms.cyclonedx import MAX_COMPONENTS
from pratique.sboms.facts import group_facts, read_lines

_DOCUMENT = "SPDXRef-DOCUMENT"
_SAYS_NOTHING = frozenset({None, "", "NONE", "NOASSERTION"})
_ACTOR = re.compile(r"(?:Organization|Person|Tool): ")
_MAIL = re.compile(r" \(([^()\s@]+@[^()\s@]+)\)$")  # which others, and what packages record, put into angle brackets
_BUILT_FROM = re.compile(r"built package from: (\S+) (\S+)")  # as Trivy writes it, and pratique
_MAX_REFERENCES = 100  # of one package: Syft writes some 20 CPE names
_MAX_EXPRESSION = 4096  # characters of a licence expression: protects time, since thousands of packages may share one of megabytes
_MAX_LICENSES = 50  # of one package


class _Reference(msgspec.Struct, rename="camel", gc=False):
    reference_type: str | None = None
    reference_locator: str | None = None


class _Package(msgspec.Struct, rename="camel"):
    id: str | None = msgspec.field(name="SPDXID", default=None)
    name: str | None = None
    version_info: str | None = None
    description: str | None = None
    supplier: str | None = None
    originator: str | None = None
    source_info: str | None = None
    comment: str | None = None
    primary_package_purpose: str | None = None
    license_declared: str | None = None
    license_concluded: str | None = None
    external_refs: list[_Reference] | None = None


class _Relationship(msgspec.Struct, rename="camel", gc=False):
    spdx_element_id: str | None = None
    relationship_type: str | None = None
    related_spdx_element: str | None = None


class _License(msgspec.Struct, rename="camel", gc=False):
    license_id: str | None = None
    name: str | None = None
    extracted_text: str | None = None


class _Document(msgspec.Struct, rename="camel"):
    comment: str | None = None
    document_describes: list[str] | None = None
    packages: list[_Package] | None = None
    relationships: list[_Relationship] | None = None
    has_extracted_licensing_infos: list[_License] | None = None


_DOCUMENTS = msgspec.json.Decoder(_Document)


def decode_spdx(content: bytes, form: str) -> Document:
    """Decode a document. What it describes, where that is one thing among others, is its root and no package.

    Raises InvalidRecord, LimitExceeded.
    """
    raw = decode_json(_DOCUMENTS, content, f"a document of {form}")
    packages = raw.packages or []
    if len(packages) > MAX_COMPONENTS:
        raise LimitExceeded(f"an SBOM of more than {MAX_COMPONENTS} components")
    described = set(_described(raw))
    roots = [package for package in packages if package.id in described]
    names = {one.license_id: one.name or one.extracted_text or "" for one in raw.has_extracted_licensing_infos or () if one.license_id}
    root = roots[0] if len(roots) == 1 and len(packages) > 1 else None
    return Document(
        form=form,
        root=_component(root, names) if root else None,
        components=[_component(package, names) for package in packages if package is not root],
        facts=group_facts(read_lines(raw.comment or "")),
    )


def _described(raw: _Document) -> Iterator[str | None]:
    yield from raw.document_describes or ()
    for one in raw.relationships or ():
        if one.relationship_type == "DESCRIBES" and one.spdx_element_id == _DOCUMENT:
            yield one.related_spdx_element
        elif one.relationship_type == "DESCRIBED_BY" and one.related_spdx_element == _DOCUMENT:
            yield one.spdx_element_id


def _component(raw: _Package, license_names: Mapping[str, str]) -> Component:
    references = [(one.reference_type or "", one.reference_locator or "") for one in (raw.external_refs or ())[:_MAX_REFERENCES]]
    stated = [text for text in (raw.license_declared, raw.license_concluded) if text not in _SAYS_NOTHING]
    return Component(
        kind=(raw.primary_package_purpose or "").lower().replace("_", "-"),
        name=raw.name or "",
        version=_said(raw.version_info),
        purl=next((locator for kind, locator in references if kind.endswith("purl")), ""),
        description=raw.description or "",
        vendor=_actor(_said(raw.supplier) or _said(raw.originator)),
        licenses=split_expression(stated[0], license_names) if stated and stated[0] else (),
        cpes=tuple(locator for kind, locator in references if kind.endswith("cpe23Type")),
        source=source_of(raw.source_info),
        facts=group_facts(read_lines(raw.comment or "")),
    )


def _actor(text: str) -> str:
    return _MAIL.sub(r" <\1>", _ACTOR.sub("", text[:_MAX_EXPRESSION], count=1))


def source_of(source_info: str | None) -> tuple[str, str]:
    """Name and version of the source package, where `source_info` tells them."""
    found = _BUILT_FROM.match((source_info or "")[:_MAX_EXPRESSION])
    return (found[1], found[2]) if found else ("", "")


def _said(text: str | None) -> str:
    return "" if text is None or text in _SAYS_NOTHING else text


def split_expression(expression: str, names: Mapping[str, str]) -> tuple[str, ...]:
    """The licences that all hold (`A AND B`), those that the document defines itself by their names; an expression of another form stays whole."""
    text = expression[:_MAX_EXPRESSION]
    parts = [text] if "(" in text or " OR " in text else text.split(" AND ", _MAX_LICENSES)
    return tuple(names.get(part) or part for part in parts)
