"""SPDX 3.0 in JSON-LD, in the one form that the specification's context allows. Source: SPDX 3.0.1 model (Core, Software, SimpleLicensing, Extension)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from pratique.errors import LimitExceeded
from pratique.inventory.analyzers._json_records import decode_json
from pratique.sboms.contents import Component, Document, Facts
from pratique.sboms.cyclonedx import MAX_COMPONENTS
from pratique.sboms.facts import PREFIX, group_facts
from pratique.sboms.spdx import source_of, split_expression

_MAX_VALUES = 200  # identifiers or properties of one element that are looked at
_MAX_LICENSES = 50  # of one package
_LINKS = frozenset({"hasDeclaredLicense", "hasConcludedLicense"})
_KINDS = {"operatingSystem": "operating-system"}


class _Identifier(msgspec.Struct, rename="camel", gc=False):
    external_identifier_type: str | None = None
    identifier: str | None = None


class _Entry(msgspec.Struct, gc=False):
    name: str | None = msgspec.field(name="extension_cdxPropName", default=None)
    value: str | None = msgspec.field(name="extension_cdxPropValue", default=None)


class _Extension(msgspec.Struct):
    entries: list[_Entry] | None = msgspec.field(name="extension_cdxProperty", default=None)


class _Custom(msgspec.Struct, gc=False):
    key: str | None = None
    value: str | None = None


class _Element(msgspec.Struct, rename="camel"):
    """Any element: one struct for all types, since an element's type is told only by one of its fields."""

    type: str | None = None
    other_type: str | None = msgspec.field(name="@type", default=None)
    spdx_id: str | None = None
    other_id: str | None = msgspec.field(name="@id", default=None)
    name: str | None = None
    description: str | None = None
    root_element: list[str] | None = None
    supplied_by: object = None
    external_identifier: list[_Identifier] | None = None
    extension: list[_Extension] | None = None
    version: str | None = msgspec.field(name="software_packageVersion", default=None)
    purl: str | None = msgspec.field(name="software_packageUrl", default=None)
    purpose: str | None = msgspec.field(name="software_primaryPurpose", default=None)
    source_info: str | None = msgspec.field(name="software_sourceInfo", default=None)
    source: str | None = msgspec.field(name="from", default=None)
    to: list[str] | None = None
    relationship_type: str | None = None
    expression: str | None = msgspec.field(name="simplelicensing_licenseExpression", default=None)
    custom: list[_Custom] | None = msgspec.field(name="simplelicensing_customIdToUri", default=None)
    license_text: str | None = msgspec.field(name="simplelicensing_licenseText", default=None)

    @property
    def kind(self) -> str:
        return self.type or self.other_type or ""

    @property
    def id(self) -> str:
        return self.spdx_id or self.other_id or ""


class _Graph(msgspec.Struct):
    elements: list[_Element] | None = msgspec.field(name="@graph", default=None)


_GRAPHS = msgspec.json.Decoder(_Graph)


def decode_spdx3(content: bytes) -> Document:
    """Decode a document: its packages, with licences and suppliers from the elements that they refer to.

    Raises InvalidRecord, LimitExceeded.
    """
    elements = decode_json(_GRAPHS, content, "a document of SPDX 3").elements or []
    known = {element.id: element for element in elements if element.id}
    licenses = _licenses(elements, known)
    described = {ref for element in elements if element.kind == "software_Sbom" for ref in element.root_element or ()}
    packages = [element for element in elements if element.kind == "software_Package"]
    if len(packages) > MAX_COMPONENTS:
        raise LimitExceeded(f"an SBOM of more than {MAX_COMPONENTS} components")
    roots = [package for package in packages if package.id in described]
    root = roots[0] if len(roots) == 1 and len(packages) > 1 else None
    about = next((element for element in elements if element.kind == "software_Sbom"), None)
    return Document(
        form="SPDX 3.0",
        root=_component(root, known, licenses) if root else None,
        components=[_component(package, known, licenses) for package in packages if package is not root],
        facts=_facts(about.extension) if about else {},
    )


def _component(raw: _Element, known: Mapping[str, _Element], licenses: Mapping[str, tuple[str, ...]]) -> Component:
    identifiers = [(one.external_identifier_type, one.identifier or "") for one in (raw.external_identifier or ())[:_MAX_VALUES]]
    named_purls = [identifier for kind, identifier in identifiers if kind in {"packageUrl", "purl"}]
    supplier = known.get(raw.supplied_by) if isinstance(raw.supplied_by, str) else None
    purpose = raw.purpose or ""
    return Component(
        kind=_KINDS.get(purpose, purpose.lower()),
        name=raw.name or "",
        version=raw.version or "",
        purl=raw.purl or next(iter(named_purls), ""),
        description=raw.description or "",
        vendor=(supplier.name or "") if supplier else "",
        licenses=licenses.get(raw.id, ()),
        cpes=tuple(identifier for kind, identifier in identifiers if kind == "cpe23"),
        source=source_of(raw.source_info),
        facts=_facts(raw.extension),
    )


def _facts(extensions: Iterable[_Extension] | None) -> Facts:
    entries = (entry for extension in extensions or () for entry in (extension.entries or ())[:_MAX_VALUES])
    return group_facts((entry.name, entry.value or "") for entry in entries if entry.name and entry.name.startswith(PREFIX))


def _licenses(elements: Iterable[_Element], known: Mapping[str, _Element]) -> Mapping[str, tuple[str, ...]]:
    """The licences of each package by its id; what is declared wins over what somebody concluded."""
    expressed = {element.id: _expressed(element, known) for element in elements if element.expression}
    found: dict[str, tuple[str, ...]] = {}
    for element in elements:
        if (
            element.relationship_type in _LINKS
            and element.source
            and (element.source not in found or "Declared" in element.relationship_type)
        ):
            found[element.source] = tuple(text for ref in (element.to or ())[:_MAX_LICENSES] for text in expressed.get(ref, ()))
    return found


def _expressed(license_element: _Element, known: Mapping[str, _Element]) -> tuple[str, ...]:
    names = {}
    for one in (license_element.custom or ())[:_MAX_VALUES]:
        text = known.get(one.value or "")
        if one.key and text is not None:
            names[one.key] = text.name or text.license_text or ""
    return split_expression(license_element.expression or "", names)
