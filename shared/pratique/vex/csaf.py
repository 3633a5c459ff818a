"""CSAF 2 in JSON. Source: OASIS "Common Security Advisory Framework Version 2.0", sections 3.2.2 (product tree), 3.2.3 (vulnerabilities), 4.5 (profile VEX)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from pratique.errors import InvalidRecord
from pratique.inventory.analyzers._json_records import decode_json
from pratique.vex.csaf_products import ProductTree, RawProductTree
from pratique.vex.limits import MAX_ALIASES, MAX_COMPONENTS, MAX_STATEMENTS, Budget, name_text, parse_time, prose
from pratique.vex.statement import JUSTIFICATIONS, VexDocument, VexProduct, VexStatement, VexStatus


class _Publisher(msgspec.Struct):
    name: str = ""


class _Tracking(msgspec.Struct):
    status: str = ""
    current_release_date: str | None = None


class _Head(msgspec.Struct):
    csaf_version: str
    publisher: _Publisher = msgspec.field(default_factory=_Publisher)
    tracking: _Tracking = msgspec.field(default_factory=_Tracking)


class _About(msgspec.Struct):
    """Something said about products and groups of them; about all where it names none."""

    product_ids: list[str] = []
    group_ids: list[str] = []
    label: str = ""
    category: str = ""
    details: str = ""


class _Id(msgspec.Struct):
    text: str = ""


class _ProductStatus(msgspec.Struct):
    known_not_affected: list[str] = []
    fixed: list[str] = []
    first_fixed: list[str] = []
    known_affected: list[str] = []
    first_affected: list[str] = []
    last_affected: list[str] = []
    under_investigation: list[str] = []


class _Vulnerability(msgspec.Struct):
    cve: str = ""
    ids: list[_Id] = []
    product_status: _ProductStatus = msgspec.field(default_factory=_ProductStatus)
    flags: list[_About] = []
    threats: list[_About] = []
    remediations: list[_About] = []


class _Document(msgspec.Struct):
    document: _Head
    product_tree: RawProductTree = msgspec.field(default_factory=RawProductTree)
    vulnerabilities: list[_Vulnerability] = []


_DOCUMENTS = msgspec.json.Decoder(_Document)


def decode_csaf(content: bytes, source: str) -> VexDocument:
    """Decode a document; see `read_vex`. A draft says nothing yet.

    Raises InvalidRecord, LimitExceeded.
    """
    document = decode_json(_DOCUMENTS, content, "a CSAF document")
    head = document.document
    if not head.csaf_version.startswith("2."):
        raise InvalidRecord(f"expected CSAF 2, got {head.csaf_version[:40]!r}")
    form = f"CSAF {name_text(head.csaf_version)}"
    if head.tracking.status == "draft":
        return VexDocument(form=form, source=source, statements=(), problems=("it is a draft: only interim and final documents count",))
    reader = _Reader(document, source)
    statements = tuple(one for raw in document.vulnerabilities for one in reader.read(raw))
    return VexDocument(form=form, source=source, statements=statements)


class _Reader:
    """Reads the vulnerabilities of one document: for each of its products what is said of it."""

    def __init__(self, document: _Document, source: str) -> None:
        head = document.document
        self._author = name_text(head.publisher.name)
        self._time = parse_time(head.tracking.current_release_date, "tracking.current_release_date")
        self._source = source
        self._products = Budget(MAX_COMPONENTS, "products with a status")
        self._statements = Budget(MAX_STATEMENTS, "statements")
        self._tree = ProductTree(document.product_tree)

    def read(self, raw: _Vulnerability) -> Iterator[VexStatement]:
        """Make a statement for the products of which the same is said."""
        names = [name_text(name) for name in (raw.cve, *(one.text for one in raw.ids[:MAX_ALIASES])) if name]
        if not names:
            raise InvalidRecord("expected a CVE or another id for each vulnerability of a CSAF document")
        flags = self._said(flag for flag in raw.flags if flag.label in JUSTIFICATIONS)
        impacts = self._said(threat for threat in raw.threats if threat.category == "impact")
        actions = self._said(raw.remediations)
        for status, products in _by_status(raw.product_status):
            groups: dict[tuple[str, str, str], list[VexProduct]] = {}
            for identifier in products:
                self._products.take()
                flag, impact, action = (said.get(identifier) or said.get("") for said in (flags, impacts, actions))
                key = (flag.label if flag else "", impact.details if impact else "", action.details if action else "")
                groups.setdefault(key, []).extend(self._tree.products(identifier))
            for (label, impact_text, action_text), found in groups.items():
                self._statements.take()
                yield VexStatement(
                    vulnerability=names[0],
                    aliases=tuple(names[1:]),
                    products=tuple(found),
                    status=status,
                    justification=label,
                    impact=prose(impact_text),
                    action=prose(action_text),
                    author=self._author,
                    timestamp=self._time,
                    source=self._source,
                )

    def _said(self, entries: Iterable[_About]) -> dict[str, _About]:
        """What is said first of each product; what is said of all stands under the empty name."""
        found: dict[str, _About] = {}
        for entry in entries:
            products = [*entry.product_ids, *self._tree.members(entry.group_ids)]
            if not products and not entry.group_ids:
                found.setdefault("", entry)
            for product in products:
                found.setdefault(product, entry)
        return found


def _by_status(status: _ProductStatus) -> Sequence[tuple[VexStatus, Sequence[str]]]:
    return (
        (VexStatus.NOT_AFFECTED, status.known_not_affected),
        (VexStatus.FIXED, (*status.fixed, *status.first_fixed)),
        (VexStatus.AFFECTED, (*status.known_affected, *status.first_affected, *status.last_affected)),
        (VexStatus.UNDER_INVESTIGATION, status.under_investigation),
    )
