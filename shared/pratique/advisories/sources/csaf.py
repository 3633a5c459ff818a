"""Reads documents of the Common Security Advisory Framework that rpm distributions publish. Source: CSAF 2.0 (OASIS), profiles 4 and 5.

1. What a product id stands for is looked up in the document's tree (`_csaf_tree`); its platform becomes an ecosystem, its package URL a package.
2. For each package of an ecosystem the statements are joined: a fix counts before all others, then `known_affected`, then `known_not_affected`. Of several
   fixes the highest counts, as not every build of the lower one has it, and each architecture may have its own. A source that is `known_affected` beside fixes of what is
   built of it is affected up to the version that these were built of; one that will not be fixed stays so.
3. What is under investigation says nothing and is left out. So is that one build is not affected (a `known_not_affected` with a version): others may be.

What makes one vendor's documents different from another's is in its `Dialect`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from pratique.advisories.advisory import Advisory, Affected, Event, FixState
from pratique.advisories.sources._csaf_tree import (
    SOURCES,
    Product,
    Products,
    ProductTree,
    RpmName,
    parse_rpm_purl,
    split_full_name,
    whole_name,
)
from pratique.advisories.sources._documents import Document, read_documents
from pratique.advisories.sources._fields import (
    EVERY_VERSION,
    by_version,
    check_density,
    checked_id,
    checked_name,
    fixed_in,
    highest,
    is_cve,
    is_version,
    links,
    title,
    utc_time,
)
from pratique.advisories.sources.source import Problem, SourceLimits, printable, skipped
from pratique.errors import InvalidAdvisory, LimitExceeded

MAX_FLAWS = 5000  # vulnerabilities of one document, a kernel update's are hundreds; protects the alias table
_MAX_VECTORS = 8
_MAX_NOTE = 40  # characters; a publisher's word, and not its prose


class _Text(msgspec.Struct, frozen=True):
    text: str = ""


class _Tracking(msgspec.Struct, frozen=True):
    id: str
    current_release_date: str = ""
    initial_release_date: str = ""
    status: str = ""


class _Link(msgspec.Struct, frozen=True):
    url: str = ""
    category: str = ""


class _Head(msgspec.Struct, frozen=True):
    tracking: _Tracking
    title: str = ""
    aggregate_severity: _Text = _Text()
    references: list[_Link] = []


class _Vector(msgspec.Struct, frozen=True, rename="camel"):
    vector_string: str = ""


class _Score(msgspec.Struct, frozen=True):
    cvss_v2: _Vector | None = None
    cvss_v3: _Vector | None = None
    cvss_v4: _Vector | None = None


class _Remark(msgspec.Struct, frozen=True):
    """A remediation, threat or flag: all of them say something about products."""

    category: str = ""
    label: str = ""
    details: str = ""
    url: str = ""
    product_ids: list[str] = []


class _Status(msgspec.Struct, frozen=True):
    fixed: list[str] = []
    first_fixed: list[str] = []
    recommended: list[str] = []
    known_affected: list[str] = []
    last_affected: list[str] = []
    known_not_affected: list[str] = []


class _Flaw(msgspec.Struct, frozen=True):
    cve: str | None = None
    product_status: _Status = _Status()
    remediations: list[_Remark] = []
    threats: list[_Remark] = []
    flags: list[_Remark] = []
    scores: list[_Score] = []
    release_date: str = ""


class _Csaf(msgspec.Struct, frozen=True):
    document: _Head
    product_tree: ProductTree = ProductTree()
    vulnerabilities: list[_Flaw] = []


_DECODER = msgspec.json.Decoder(_Csaf)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a package is offered: OSV's ecosystem, and the channel where not everybody has it."""

    ecosystem: str
    channel: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One vendor's ways. `prefix` stands before the ids of documents that are named by their CVE alone, as several vendors' are; `place_of` knows its platforms.

    `splits_names` tells that its package URLs may have names in two, as `whole_name` says.
    """

    source: str
    prefix: str
    namespaces: frozenset[str]
    place_of: Callable[[Product], Place | None]
    splits_names: bool = False


@dataclass(frozen=True, slots=True)
class _Key:
    place: Place
    name: str
    module: str


@dataclass(slots=True, kw_only=True)
class _Statements:
    """What a document says, joined for each package of an ecosystem."""

    fixes: dict[_Key, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))  # by architecture
    affected: dict[_Key, tuple[FixState, str]] = field(default_factory=dict)
    not_affected: dict[_Key, str] = field(default_factory=dict)
    sources: dict[_Key, str] = field(default_factory=dict)  # what fixes were built of
    unreadable: int = 0  # fixes that are no versions

    def add_fix(self, key: _Key, architecture: str, version: str) -> None:
        """Note a fix; of two for an architecture the higher one counts."""
        ecosystem = key.place.ecosystem
        if not is_version(ecosystem, version):
            self.unreadable += 1
            self.affected.setdefault(key, (FixState.AFFECTED, "fix with no readable version"))
            return
        fixes = self.fixes[key]
        old = fixes.get(architecture)
        fixes[architecture] = version if old is None or old == version else highest(ecosystem, (old, version))

    def add_source(self, key: _Key, version: str) -> None:
        """Note what a fix was built of; of two versions the higher one counts."""
        if is_version(key.place.ecosystem, version):
            self.sources[key] = highest(key.place.ecosystem, (version, self.sources.get(key, version)))

    def entries(self) -> Iterator[Affected]:
        """All statements, the more telling ones first, each package once for each fix."""
        for key, fixes in self.fixes.items():
            for version, architectures in by_version(fixes):
                yield _entry(key, ranges=fixed_in(version), architectures=architectures)
        for key, (state, note) in self.affected.items():
            if key not in self.fixes:
                is_built = key in self.sources and state is FixState.AFFECTED
                yield _entry(key, ranges=fixed_in(self.sources[key]) if is_built else EVERY_VERSION, state=state, note=note)
        for key, note in self.not_affected.items():
            if key not in self.fixes and key not in self.affected:
                yield _entry(key, ranges=(), state=FixState.NOT_AFFECTED, note=note)


def _entry(
    key: _Key,
    *,
    ranges: tuple[tuple[Event, ...], ...],
    state: FixState = FixState.AFFECTED,
    note: str = "",
    architectures: tuple[str, ...] = (),
) -> Affected:
    return Affected(
        ecosystem=key.place.ecosystem,
        name=key.name,
        ranges=ranges,
        state=state,
        note=note,
        architectures=architectures,
        module=key.module,
        channel=key.place.channel,
    )


def read_csaf(folder: Path, limits: SourceLimits, dialect: Dialect) -> Iterator[Advisory | Problem]:
    """Read a folder of documents, as `read_documents` finds them. A document that cannot be read is a problem."""
    seen: set[str] = set()
    for item in read_documents(folder, dialect.source, limits):
        if isinstance(item, Problem):
            yield item
            continue
        yield from _read_one(item, dialect, seen)


def _read_one(document: Document, dialect: Dialect, seen: set[str]) -> Iterator[Advisory | Problem]:
    try:
        advisory, unreadable = parse_csaf(document.content, dialect)
    except (InvalidAdvisory, LimitExceeded) as error:
        yield skipped(dialect.source, document.name, error)
        return
    if advisory is None:
        return
    if advisory.id in seen:
        yield skipped(dialect.source, document.name, f"{advisory.id} is there twice")
        return
    seen.add(advisory.id)
    yield advisory
    if unreadable:
        yield skipped(dialect.source, advisory.id, f"{unreadable} fixed versions cannot be read: taken for not fixed")


def parse_csaf(content: bytes, dialect: Dialect) -> tuple[Advisory | None, int]:
    """Parse one document: a VEX document about one flaw or an advisory of an update. None for one that is withdrawn or says nothing of packages.

    Answers the number of fixes that are no versions, too. Raises InvalidAdvisory, LimitExceeded.
    """
    check_density(content)
    try:
        document = _DECODER.decode(content)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise InvalidAdvisory(f"not a CSAF document: {error}") from error
    head, flaws = document.document, document.vulnerabilities
    if head.tracking.status in {"deleted", "withdrawn"}:
        return None, 0
    if len(flaws) > MAX_FLAWS:
        raise InvalidAdvisory(f"{len(flaws)} vulnerabilities; the limit is {MAX_FLAWS}")
    modified = utc_time(head.tracking.current_release_date)
    if not modified:
        raise InvalidAdvisory(f"expected a time as current_release_date, got {head.tracking.current_release_date[:64]!r}")
    products = Products(document.product_tree)
    statements = _Statements()
    for flaw in flaws:
        _state(flaw, products, dialect, statements)
    entries = tuple(statements.entries())
    if not entries:
        return None, 0
    return _advisory(document, dialect, modified, entries), statements.unreadable


def _advisory(document: _Csaf, dialect: Dialect, modified: str, entries: tuple[Affected, ...]) -> Advisory:
    head, flaws = document.document, document.vulnerabilities
    cves = tuple(dict.fromkeys(flaw.cve for flaw in flaws if flaw.cve and is_cve(flaw.cve)))
    name = f"{dialect.prefix}{head.tracking.id}" if is_cve(head.tracking.id) else head.tracking.id
    own = (link.url for link in head.references if link.category == "self")
    fixes = (remedy.url for flaw in flaws for remedy in flaw.remediations if remedy.category == "vendor_fix")
    return Advisory(
        id=checked_id(name),
        modified=modified,
        aliases=cves,
        equals=cves if len(cves) == 1 else (),
        title=title(head.title),
        references=links((*own, *fixes)),
        words=_words(head, flaws),
        vectors=_vectors(flaws),
        affected=entries,
        published=utc_time(head.tracking.initial_release_date),
    )


def _words(head: _Head, flaws: Iterable[_Flaw]) -> tuple[str, ...]:
    if head.aggregate_severity.text:
        return (printable(head.aggregate_severity.text, _MAX_NOTE),)
    impacts = (threat.details for flaw in flaws for threat in flaw.threats if threat.category == "impact")
    return tuple(dict.fromkeys(printable(impact, _MAX_NOTE) for impact in impacts))[:_MAX_VECTORS]


def _vectors(flaws: Iterable[_Flaw]) -> tuple[str, ...]:
    scores = [score for flaw in flaws for score in flaw.scores]
    found = [vector.vector_string for score in scores for vector in (score.cvss_v4, score.cvss_v3, score.cvss_v2) if vector]
    return tuple(dict.fromkeys(vector for vector in found if 0 < len(vector) <= 400))[:_MAX_VECTORS]  # noqa: PLR2004 - as of OSV records


def _state(flaw: _Flaw, products: Products, dialect: Dialect, statements: _Statements) -> None:
    """Add what is said about one flaw."""
    status = flaw.product_status
    for product_id in (*status.fixed, *status.first_fixed, *status.recommended):
        _fix(product_id, products, dialect, statements)
    plans = _plans(flaw.remediations)
    for product_id in (*status.known_affected, *status.last_affected):
        if found := _keyed(product_id, products, dialect):
            key, _ = found
            plan = plans.get(product_id, _UNPLANNED)
            statements.affected[key] = max(plan, statements.affected.get(key, plan), key=_rank)
    reasons = {product_id: reason for flag in flaw.flags if (reason := printable(flag.label, _MAX_NOTE)) for product_id in flag.product_ids}
    for product_id in status.known_not_affected:
        if found := _keyed(product_id, products, dialect):
            key, name = found
            if not name.version and name.architecture not in SOURCES:  # of a source nothing follows for each package built from it
                statements.not_affected[key] = reasons.get(product_id, "")


def _fix(product_id: str, products: Products, dialect: Dialect, statements: _Statements) -> None:
    found = _keyed(product_id, products, dialect)
    if found is None:
        return
    key, name = found
    if name.architecture in SOURCES:
        return  # packages are matched by their own names, which are there, too
    version, architecture, plain = name.version, name.architecture, key.name
    if not version:
        plain, version, architecture = split_full_name(plain)
    if version and architecture not in SOURCES:
        statements.add_fix(_Key(key.place, plain, key.module), architecture, version)
    if name.source:
        statements.add_source(_Key(key.place, name.source, key.module), name.source_version)


_UNPLANNED = (FixState.AFFECTED, "")
_RANKS = (FixState.AFFECTED, FixState.DEFERRED, FixState.WILL_NOT_FIX, FixState.END_OF_LIFE)


def _rank(plan: tuple[FixState, str]) -> int:
    """Of two plans for a package, what is promised least counts."""
    return _RANKS.index(plan[0])


def _plans(remedies: Iterable[_Remark]) -> dict[str, tuple[FixState, str]]:
    """What the publisher means to do, by product id."""
    plans: dict[str, tuple[FixState, str]] = {}
    for remedy in remedies:
        plan = _plan(remedy)
        if plan is None:
            continue
        for product_id in remedy.product_ids:
            plans[product_id] = max(plan, plans.get(product_id, plan), key=_rank)
    return plans


def _plan(remedy: _Remark) -> tuple[FixState, str] | None:
    details = remedy.details.lower()
    note = printable(remedy.details, _MAX_NOTE) if 0 < len(remedy.details) <= _MAX_NOTE else remedy.category
    match remedy.category:
        case "no_fix_planned" if "support" in details or "end of life" in details:
            return FixState.END_OF_LIFE, note
        case "no_fix_planned":
            return FixState.WILL_NOT_FIX, note
        case "none_available" | "fix_planned" if "deferred" in details:
            return FixState.DEFERRED, note
        case "none_available" | "fix_planned":
            return FixState.AFFECTED, note
    return None  # a fix or a workaround


def _keyed(product_id: str, products: Products, dialect: Dialect) -> tuple[_Key, RpmName] | None:
    """The package that an id stands for, None for what is none of this vendor's on a platform with an ecosystem."""
    component = products.find(product_id)
    if component is None:
        return None
    package = component.package
    # in documents older than package URLs the id is the name
    name = parse_rpm_purl(package.purl) if package.purl else _rpm(package.product_id)
    if name is None or name.kind != "rpm" or (name.namespace and name.namespace not in dialect.namespaces):
        return None
    place = dialect.place_of(component.platform)
    if place is None:
        return None
    if dialect.splits_names and package.purl:
        name = whole_name(package, name)
    module = name.module or (_module(component.module) if component.module else "")
    return _Key(place, checked_name(name.name), module), name


def _rpm(name: str) -> RpmName:
    return RpmName(kind="rpm", namespace="", name=name, version="", architecture="", module="")


def _module(product: Product) -> str:
    """The stream, of a product that is a module by its URL."""
    module = parse_rpm_purl(product.purl)
    return module.module if module else ""
