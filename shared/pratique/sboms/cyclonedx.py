"""CycloneDX 1.x in JSON. Source: CycloneDX `bom-1.6.schema.json`; fields of other versions that mean the same are read too."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

from pratique.errors import LimitExceeded
from pratique.inventory.analyzers._json_records import decode_json
from pratique.sboms.contents import Component, Document
from pratique.sboms.facts import CPE, LAYER, PATH, PREFIX, group_facts

MAX_COMPONENTS = 100_000  # of one SBOM: twenty times a large image's; each is matched, and a row of a report
MAX_NESTING = 50  # components in components: real ones have 5; each level is a call
_MAX_PROPERTIES = 200  # of one component that are looked at: Syft writes a dozen

_SAME_AS = {
    "aquasecurity:trivy:FilePath": PATH,
    "aquasecurity:trivy:LayerDigest": LAYER,
    "syft:cpe23": CPE,
}
"""Other tools' properties that say what ours say."""
_SYFT_PATH = re.compile(r"syft:location:\d{1,3}:path")
_SOURCE_PROPERTIES = ("SrcEpoch", "SrcVersion", "SrcRelease")


class _License(msgspec.Struct, gc=False):
    id: str | None = None
    name: str | None = None


class _LicenseChoice(msgspec.Struct):
    license: _License | None = None
    expression: str | None = None


class _Property(msgspec.Struct, gc=False):
    name: str | None = None
    value: str | None = None


class _Named(msgspec.Struct, gc=False):
    name: str | None = None


class _Occurrence(msgspec.Struct, gc=False):
    location: str | None = None


class _Evidence(msgspec.Struct):
    occurrences: list[_Occurrence] | None = None


class _Component(msgspec.Struct):
    type: str | None = None
    ref: str | None = msgspec.field(name="bom-ref", default=None)
    name: str | None = None
    group: str | None = None
    version: str | None = None
    description: str | None = None
    purl: str | None = None
    cpe: str | None = None
    scope: str | None = None
    publisher: str | None = None
    supplier: _Named | None = None
    licenses: list[_LicenseChoice] | None = None
    properties: list[_Property] | None = None
    evidence: _Evidence | None = None
    components: list[_Component] | None = None


class _Metadata(msgspec.Struct):
    component: _Component | None = None
    properties: list[_Property] | None = None


class _Composition(msgspec.Struct):
    aggregate: str | None = None
    assemblies: list[str] | None = None


class _Bom(msgspec.Struct):
    metadata: _Metadata | None = None
    components: list[_Component] | None = None
    compositions: list[_Composition] | None = None


_BOMS = msgspec.json.Decoder(_Bom)


def decode_cyclonedx(content: bytes, form: str) -> Document:
    """Decode a document, inner components after the outer; those out of scope (`excluded`: tests, development) are left out.

    Raises InvalidRecord, LimitExceeded.
    """
    bom = decode_json(_BOMS, content, f"a document of {form}")
    metadata = bom.metadata or _Metadata()
    described = metadata.component
    listed = [*((described.components if described else None) or ()), *(bom.components or ())]
    components: list[Component] = []
    for component in _flatten(listed, 0):
        if len(components) >= MAX_COMPONENTS:
            raise LimitExceeded(f"an SBOM of more than {MAX_COMPONENTS} components")
        components.append(_component(component))
    return Document(
        form=form,
        root=_component(described) if described else None,
        components=components,
        facts=group_facts(_facts(metadata.properties)),
        is_incomplete=_is_incomplete(bom.compositions or (), described),
    )


def _flatten(components: Iterable[_Component], depth: int) -> Iterator[_Component]:
    if depth > MAX_NESTING:
        raise LimitExceeded(f"components nested deeper than {MAX_NESTING}")
    for component in components:
        if component.scope == "excluded":
            continue
        yield component
        if component.components:
            yield from _flatten(component.components, depth + 1)


def _component(raw: _Component) -> Component:
    facts = group_facts((*_facts(raw.properties), *_occurrences(raw.evidence)))
    supplier = raw.supplier.name if raw.supplier else None
    return Component(
        kind=(raw.type or "").lower(),
        name=raw.name or "",
        version=raw.version or "",
        namespace=raw.group or "",
        purl=raw.purl or "",
        description=raw.description or "",
        vendor=supplier or raw.publisher or "",
        licenses=tuple(filter(None, map(_license, raw.licenses or ()))),
        cpes=(raw.cpe,) if raw.cpe else (),
        source=_source_by_trivy(raw.properties or ()),
        facts=facts,
    )


def _license(choice: _LicenseChoice) -> str | None:
    if choice.license is not None:
        return choice.license.id or choice.license.name
    return choice.expression


def _facts(properties: list[_Property] | None) -> Iterator[tuple[str, str]]:
    for one in (properties or ())[:_MAX_PROPERTIES]:
        name = _SAME_AS.get(one.name or "", one.name or "")
        name = PATH if _SYFT_PATH.fullmatch(name) else name
        if name.startswith(PREFIX):
            yield name, one.value or ""


def _occurrences(evidence: _Evidence | None) -> Iterator[tuple[str, str]]:
    for occurrence in ((evidence.occurrences if evidence else None) or ())[:_MAX_PROPERTIES]:
        if occurrence.location:
            yield PATH, occurrence.location


def _source_by_trivy(properties: Iterable[_Property]) -> tuple[str, str]:
    """Trivy names the source package in four properties; without it a Debian package would be matched by the wrong name."""
    start = "aquasecurity:trivy:"
    found = {(one.name or "").removeprefix(start): one.value or "" for one in properties if (one.name or "").startswith(start)}
    epoch, version, release = (found.get(name, "") for name in _SOURCE_PROPERTIES)
    full = (f"{epoch}:" if epoch not in {"", "0"} else "") + version + (f"-{release}" if release else "")
    return found.get("SrcName", ""), full


def _is_incomplete(compositions: Iterable[_Composition], described: _Component | None) -> bool:
    """Tell whether the document itself says that it does not list all of what it describes."""
    ref = described.ref if described else None
    return any((one.aggregate or "").startswith("incomplete") and ref in (one.assemblies or ()) for one in compositions)
