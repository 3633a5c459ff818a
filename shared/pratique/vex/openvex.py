"""OpenVEX in JSON. Sources: openvex/spec `OPENVEX-SPEC.md`, `openvex_json_schema.json` 0.2.0; go-vex `pkg/vex/compat.go` for 0.0.1, which has plain texts for objects."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from pratique.errors import InvalidRecord
from pratique.inventory.analyzers._json_records import decode_json
from pratique.oci.digest import Digest
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
from pratique.vex.statement import JUSTIFICATIONS, VexComponent, VexDocument, VexProduct, VexStatement, VexStatus

_CONTEXT = re.compile(r"https://openvex\.dev/ns(?:/v(0\.[0-9]{1,3}(?:\.[0-9]{1,3})?))?/?")
_DIGEST = re.compile(r"(?:.*@)?(sha256|sha512):([0-9a-f]+)", re.IGNORECASE)
_MAX_DIGEST_TAIL = 400  # characters looked at: a sha512 has 135


class _Vulnerability(msgspec.Struct):
    name: str = ""
    id: str = msgspec.field(name="@id", default="")
    aliases: list[str] = []


class _Component(msgspec.Struct):
    id: str = msgspec.field(name="@id", default="")
    identifiers: dict[str, str] = {}
    hashes: dict[str, str] = {}


class _Product(_Component):
    subcomponents: list[_Component | str] = []


class _Statement(msgspec.Struct):
    status: VexStatus
    vulnerability: _Vulnerability | str
    products: list[_Product | str] = []
    subcomponents: list[_Component | str] = []
    justification: str = ""
    impact_statement: str = ""
    action_statement: str = ""
    timestamp: str | None = None
    last_updated: str | None = None


class _Document(msgspec.Struct):
    context: str | list[object] = msgspec.field(name="@context")
    statements: list[_Statement]
    author: str = ""
    timestamp: str | None = None


_DOCUMENTS = msgspec.json.Decoder(_Document)


def decode_openvex(content: bytes, source: str, *, about: Digest | None) -> VexDocument:
    """Decode a document; see `read_vex`.

    Raises InvalidRecord, LimitExceeded.
    """
    document = decode_json(_DOCUMENTS, content, "an OpenVEX document")
    form = f"OpenVEX {_version(document.context)}"
    Budget(MAX_STATEMENTS, "statements").take(len(document.statements))
    reader = _Reader(document, source, about)
    statements = tuple(reader.read(raw) for raw in document.statements)
    return VexDocument(form=form, source=source, statements=statements, problems=tuple(_problems(statements)))


def _version(context: str | list[object]) -> str:
    """A later major version may mean other things by the same words."""
    stated = context if isinstance(context, list) else [context]
    for one in stated:
        match = _CONTEXT.fullmatch(one) if isinstance(one, str) else None
        if match:
            return match[1] or "0"
    raise InvalidRecord(f"expected OpenVEX 0.x (@context https://openvex.dev/ns/v0.2.0), got {str(stated[0] if stated else '')[:80]!r}")


class _Reader:
    """Reads the statements of one document: what a statement does not say, it inherits."""

    def __init__(self, document: _Document, source: str, about: Digest | None) -> None:
        self._author = name_text(document.author)
        self._time = parse_time(document.timestamp, "the document's timestamp")
        self._source = source
        self._budget = Budget(MAX_COMPONENTS, "products and subcomponents")
        self._default = (VexProduct(component=VexComponent(digests=(str(about),))),) if about else ()

    def read(self, raw: _Statement) -> VexStatement:
        """Make a statement."""
        vulnerability = _Vulnerability(name=raw.vulnerability) if isinstance(raw.vulnerability, str) else raw.vulnerability
        name = name_text(vulnerability.name or vulnerability.id.rpartition("/")[2])
        if not name:
            raise InvalidRecord("expected a name for each vulnerability of an OpenVEX document")
        return VexStatement(
            vulnerability=name,
            aliases=tuple(name_text(alias) for alias in vulnerability.aliases[:MAX_ALIASES]),
            products=self._products(raw),
            status=raw.status,
            justification=raw.justification if raw.justification in JUSTIFICATIONS else "",
            impact=prose(raw.impact_statement),
            action=prose(raw.action_statement),
            author=self._author,
            timestamp=parse_time(raw.timestamp, "a statement's timestamp") or self._time,
            last_updated=parse_time(raw.last_updated, "a statement's last_updated"),
            source=self._source,
        )

    def _products(self, raw: _Statement) -> tuple[VexProduct, ...]:
        if not raw.products:
            shared = self._components(raw.subcomponents)
            return tuple(VexProduct(component=one.component, subcomponents=shared) for one in self._default)
        return tuple(self._product(one, raw.subcomponents) for one in raw.products)

    def _product(self, raw: _Product | str, shared: Sequence[_Component | str]) -> VexProduct:
        """In 0.0.1 the statement has subcomponents, and they are those of each product."""
        own = raw.subcomponents if isinstance(raw, _Product) else []
        return VexProduct(component=self._component(raw), subcomponents=self._components([*own, *shared]))

    def _components(self, raw: Sequence[_Component | str]) -> tuple[VexComponent, ...]:
        return tuple(self._component(one) for one in raw)

    def _component(self, raw: _Component | str) -> VexComponent:
        self._budget.take()
        component = _Component(id=raw) if isinstance(raw, str) else raw
        digests = [*_digests(component.hashes), _digest_in(component.id)]
        return VexComponent(
            purls=identifiers(component.id, component.identifiers.get("purl")), digests=tuple(digest for digest in digests if digest)
        )


def _digests(hashes: Mapping[str, str]) -> Iterator[str | None]:
    return (digest_text(algorithm, value) for algorithm, value in hashes.items())


def _digest_in(identifier: str) -> str | None:
    """The digest of `sha256:...` or `host/repository@sha256:...`; in a package URL it is the version."""
    match = None if identifier.startswith("pkg:") else _DIGEST.fullmatch(identifier[-_MAX_DIGEST_TAIL:])
    return digest_text(match[1], match[2]) if match else None


def _problems(statements: Sequence[VexStatement]) -> Iterator[str]:
    homeless = [statement.vulnerability for statement in statements if not statement.products]
    for vulnerability in homeless[:MAX_PROBLEMS]:
        yield f"{vulnerability}: the statement names no product"
    if len(homeless) > MAX_PROBLEMS:
        yield f"and {len(homeless) - MAX_PROBLEMS} more"
