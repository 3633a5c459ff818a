"""CycloneDX in JSON, 1.4 to 1.7: `vulnerabilities` with an `analysis`, in a VEX document or in an SBOM.

Sources: CycloneDX `bom-1.6.schema.json`; the guide "CycloneDX VEX" and "BOM-Link" (`urn:cdx:SERIAL/VERSION#REF`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from urllib.parse import quote, unquote

import msgspec

from pratique.errors import InvalidRecord, LimitExceeded
from pratique.inventory.analyzers._json_records import decode_json
from pratique.vex.limits import (
    MAX_ALIASES,
    MAX_COMPONENTS,
    MAX_PROBLEMS,
    MAX_STATEMENTS,
    Budget,
    digest_text,
    identifiers,
    name_text,
    parse_time,
    prose,
)
from pratique.vex.statement import CYCLONEDX_JUSTIFICATIONS, VexComponent, VexDocument, VexProduct, VexStatement, VexStatus

_MAX_NESTING = 50  # components in components: real ones have 5; each level is a call
_STATES = {
    "resolved": VexStatus.FIXED,
    "resolved_with_pedigree": VexStatus.FIXED,
    "exploitable": VexStatus.AFFECTED,
    "in_triage": VexStatus.UNDER_INVESTIGATION,
    "false_positive": VexStatus.NOT_AFFECTED,
    "not_affected": VexStatus.NOT_AFFECTED,
}
_LINK = re.compile(r"urn:cdx:([0-9a-fA-F-]{36})/([0-9]{1,9})(?:#(.*))?", re.DOTALL)
_SERIAL = re.compile(r"urn:uuid:([0-9a-fA-F-]{36})")
_VERSION = re.compile(r"1\.([0-9]{1,2})")
_FIRST_WITH_VULNERABILITIES, _LAST_KNOWN = 4, 7


class _Hash(msgspec.Struct, gc=False):
    alg: str = ""
    content: str = ""


class _Component(msgspec.Struct):
    ref: str | None = msgspec.field(name="bom-ref", default=None)
    type: str | None = None
    version: str | None = None
    purl: str | None = None
    hashes: list[_Hash] | None = None
    components: list[_Component] | None = None


class _Named(msgspec.Struct, gc=False):
    name: str | None = None


class _Metadata(msgspec.Struct):
    timestamp: str | None = None
    component: _Component | None = None
    authors: list[_Named] | None = None
    supplier: _Named | None = None
    manufacturer: _Named | None = None
    manufacture: _Named | None = None


class _Analysis(msgspec.Struct, rename="camel"):
    state: str | None = None
    justification: str | None = None
    detail: str | None = None
    first_issued: str | None = None
    last_updated: str | None = None


class _AffectedVersion(msgspec.Struct, gc=False):
    version: str | None = None
    range: str | None = None
    status: str | None = None


class _Affects(msgspec.Struct):
    ref: str
    versions: list[_AffectedVersion] | None = None


class _Reference(msgspec.Struct, gc=False):
    id: str | None = None


class _Vulnerability(msgspec.Struct):
    id: str | None = None
    references: list[_Reference] | None = None
    recommendation: str | None = None
    workaround: str | None = None
    analysis: _Analysis | None = None
    affects: list[_Affects] | None = None


class _Bom(msgspec.Struct, rename="camel"):
    spec_version: str
    serial_number: str | None = None
    version: int = 1
    metadata: _Metadata | None = None
    components: list[_Component] | None = None
    vulnerabilities: list[_Vulnerability] | None = None


_BOMS = msgspec.json.Decoder(_Bom)


def decode_cyclonedx_vex(content: bytes, source: str) -> VexDocument:
    """Decode a document; see `read_vex`. Vulnerabilities without an analysis say nothing.

    Raises InvalidRecord, LimitExceeded.
    """
    bom = decode_json(_BOMS, content, "a CycloneDX document")
    match = _VERSION.fullmatch(bom.spec_version)
    if not match or not _FIRST_WITH_VULNERABILITIES <= int(match[1]) <= _LAST_KNOWN:
        raise InvalidRecord(f"expected CycloneDX 1.4 to 1.{_LAST_KNOWN}, got {bom.spec_version[:40]!r}")
    Budget(MAX_STATEMENTS, "statements").take(len(bom.vulnerabilities or ()))
    reader = _Reader(bom, source)
    statements = tuple(reader.read_all())
    return VexDocument(form=f"CycloneDX {bom.spec_version}", source=source, statements=statements, problems=reader.problems)


def bom_links(content: bytes) -> Mapping[str, str]:
    """What BOM-Links into this CycloneDX document mean: package URLs by link, and nothing for links to the document itself and to what it describes as a whole.

    It is empty where the document has no serial number. Raises InvalidRecord, LimitExceeded.
    """
    bom = decode_json(_BOMS, content, "a CycloneDX document")
    identity = _identity(bom)
    if identity is None:
        return {}
    root = bom.metadata.component if bom.metadata else None
    inner = _flatten([*(root.components or () if root else ()), *(bom.components or ())], 0)
    links = {f"{identity}#{one.ref}": one.purl for one in inner if one.ref and one.purl}
    return {**links, identity: "", **({f"{identity}#{root.ref}": ""} if root and root.ref else {})}


def _identity(bom: _Bom) -> str | None:
    match = _SERIAL.fullmatch(bom.serial_number or "")
    return f"urn:cdx:{match[1].lower()}/{bom.version}" if match else None


class _Reader:
    """Reads the vulnerabilities of one document."""

    def __init__(self, bom: _Bom, source: str) -> None:
        metadata = bom.metadata or _Metadata()
        self._vulnerabilities = bom.vulnerabilities or []
        self._source = source
        self._identity = _identity(bom)
        self._time = parse_time(metadata.timestamp, "metadata.timestamp")
        self._author = _author(metadata)
        self._budget = Budget(MAX_COMPONENTS, "affected components")
        root = metadata.component
        listed = [*([root] if root else ()), *(bom.components or ())]
        self._components = {one.ref: one for one in _flatten(listed, 0) if one.ref}
        self._root = _component(root) if root else VexComponent()
        self._root_ref = root.ref if root else None
        self._problems: list[str] = []

    @property
    def problems(self) -> tuple[str, ...]:
        """What was met that says nothing that could be applied."""
        more = len(self._problems) - MAX_PROBLEMS
        return (*self._problems[:MAX_PROBLEMS], *([f"and {more} more"] if more > 0 else ()))

    def read_all(self) -> Iterator[VexStatement]:
        """Make the statements."""
        for raw in self._vulnerabilities:
            if raw.analysis is not None and raw.analysis.state is not None:
                yield self._read(raw, raw.analysis, raw.analysis.state)

    def _read(self, raw: _Vulnerability, analysis: _Analysis, state: str) -> VexStatement:
        name, status = name_text(raw.id), _STATES.get(state)
        if not name or status is None:
            raise InvalidRecord(f"expected an id and one of {', '.join(_STATES)} for each vulnerability, got {name!r} and {state[:40]!r}")
        stated = "false_positive" if state == "false_positive" else analysis.justification or ""
        return VexStatement(
            vulnerability=name,
            aliases=tuple(name_text(one.id) for one in (raw.references or ())[:MAX_ALIASES] if one.id),
            products=tuple(product for affects in raw.affects or () for product in self._products(name, affects, status)),
            status=status,
            justification=stated if stated in CYCLONEDX_JUSTIFICATIONS or stated == state else "",
            impact=prose(analysis.detail),
            action=prose(raw.recommendation or raw.workaround),
            author=self._author,
            timestamp=parse_time(analysis.first_issued, "analysis.firstIssued") or self._time,
            last_updated=parse_time(analysis.last_updated, "analysis.lastUpdated"),
            source=self._source,
        )

    def _products(self, vulnerability: str, affects: _Affects, status: VexStatus) -> Iterator[VexProduct]:
        """The component itself or, where the document is about something larger that is known, the component in that."""
        self._budget.take()
        scope, component = self._resolve(affects.ref)
        if not component.is_known:
            self._problems.append(f"{vulnerability}: nothing is known of what {name_text(affects.ref)!r} refers to")
            return
        for one in self._versions(vulnerability, component, affects, status):
            yield VexProduct(component=scope, subcomponents=(one,)) if scope.is_known else VexProduct(component=one)

    def _resolve(self, ref: str) -> tuple[VexComponent, VexComponent]:
        """What the component is in, and the component."""
        link = _LINK.fullmatch(ref)
        if link:
            bom = f"urn:cdx:{link[1].lower()}/{int(link[2])}"
            inner = link[3] or ""
            ref = inner if inner.startswith("pkg:") or inner in self._components else unquote(inner)
            if bom != self._identity:
                return _elsewhere(bom, ref)
        if ref == self._root_ref:
            return VexComponent(), self._root
        found = self._components.get(ref)
        return self._root, _component(found) if found else VexComponent(purls=identifiers(ref))

    def _versions(self, vulnerability: str, component: VexComponent, affects: _Affects, status: VexStatus) -> Iterator[VexComponent]:
        """The component in the versions that the statement holds for: of `fixed`, those that it calls unaffected. One that has a version is held to that."""
        listed = affects.versions or []
        if not listed:
            yield component
            return
        self._budget.take(len(listed))
        meant = [one for one in listed if status is not VexStatus.FIXED or one.status == "unaffected"]
        for purl in component.purls:
            yield from (VexComponent(purls=(narrowed,)) for narrowed in self._narrow(vulnerability, purl, listed, meant))
        if (component.digests or component.boms) and len(meant) == len(listed):
            yield VexComponent(digests=component.digests, boms=component.boms)

    def _narrow(
        self, vulnerability: str, purl: str, listed: Sequence[_AffectedVersion], meant: Sequence[_AffectedVersion]
    ) -> Iterator[str]:
        stated = _version_of(purl)
        if stated is not None:
            is_listed = any(one.version == stated for one in listed)
            if any(one.version == stated for one in meant) if is_listed else len(meant) == len(listed):
                yield purl
            return
        for one in meant:
            if one.version is None:
                self._problems.append(f"{vulnerability}: ranges of versions are not read ({name_text(one.range)})")
            else:
                yield _at(purl, one.version)


def _elsewhere(bom: str, ref: str) -> tuple[VexComponent, VexComponent]:
    """What another document lists: what a reference means is said there alone, unless it is a package URL, as those of most tools are."""
    package = VexComponent(purls=identifiers(ref))
    if package.is_known:
        return VexComponent(boms=(bom,)), package
    return VexComponent(), VexComponent(boms=(f"{bom}#{ref}" if ref else bom,))


def _version_of(purl: str) -> str | None:
    _, at, stated = purl.partition("?")[0].rpartition("/")[2].partition("@")
    return unquote(stated) if at else None


def _at(purl: str, version: str) -> str:
    head, mark, tail = purl.partition("?")
    return f"{head}@{quote(version, safe='')}{mark}{tail}"


def _flatten(components: Iterable[_Component], depth: int) -> Iterator[_Component]:
    if depth > _MAX_NESTING:
        raise LimitExceeded(f"components nested deeper than {_MAX_NESTING}")
    for component in components:
        yield component
        if component.components:
            yield from _flatten(component.components, depth + 1)


def _component(raw: _Component) -> VexComponent:
    digests = [digest_text(one.alg, one.content) for one in raw.hashes or ()]
    if raw.type == "container":
        algorithm, _, value = (raw.version or "").partition(":")
        digests.append(digest_text(algorithm, value))
    return VexComponent(purls=identifiers(raw.purl), digests=tuple(digest for digest in digests if digest))


def _author(metadata: _Metadata) -> str:
    stated = [*(metadata.authors or ())[:1], metadata.supplier, metadata.manufacturer, metadata.manufacture]
    return next((name_text(one.name) for one in stated if one is not None and one.name), "")
