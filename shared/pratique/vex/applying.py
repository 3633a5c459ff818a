"""Apply what VEX documents say to findings. Pure.

1. Of what one author says of a vulnerability in a package of the image, the latest counts; of several at the same time, one that suppresses nothing.
2. Of several authors the one counts whose document the user gave first. Who says otherwise is told.
3. Not affected, with a reason, and fixed suppress a finding. A finding about several CVEs is suppressed where each is, or where a statement names the advisory itself and none of
   the CVEs is said to be open: an accepted CVE does not hide the others.
4. What affects the image is kept, with the action that is recommended.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from pratique.findings import Finding, FindingKind
from pratique.vex.matching import ProductMatcher, VexImage
from pratique.vex.statement import VexDocument, VexStatement, VexStatus

MAX_NOTES = 100  # told one by one: a document may contradict another in thousands of places


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressedFinding:
    """A finding that does not count, and the statements that say so: one, or one for each of its CVEs."""

    finding: Finding
    statements: tuple[VexStatement, ...]


class StatementIndex:
    """The statements of one document by the names of their vulnerabilities: built once, asked for each image. `names` are all of those, in capitals."""

    __slots__ = ("_by_name", "authors", "document", "names")

    def __init__(self, document: VexDocument) -> None:
        self.document = document
        self.authors = tuple(dict.fromkeys(_author(document, statement) for statement in document.statements))
        self._by_name: dict[str, list[VexStatement]] = {}
        for statement in document.statements:
            for name in {_key(name) for name in statement.names}:
                self._by_name.setdefault(name, []).append(statement)
        self.names = frozenset(self._by_name)

    def about(self, key: str) -> Sequence[VexStatement]:
        """The statements about a vulnerability, by its name in capitals, in their order."""
        return self._by_name.get(key, ())


@dataclass(frozen=True, slots=True, kw_only=True)
class VexOutcome:
    """The findings that stand and those that are suppressed, in their order, and what people should know of the statements."""

    findings: tuple[Finding, ...]
    suppressed: tuple[SuppressedFinding, ...] = ()
    notes: tuple[str, ...] = ()


def apply_vex(findings: Iterable[Finding], documents: Sequence[VexDocument], image: VexImage) -> VexOutcome:
    """Judge findings of an image by documents, in the order in which the user trusts them. Without documents, all stand."""
    return apply_statements(findings, tuple(map(StatementIndex, documents)), image)


def apply_statements(findings: Iterable[Finding], statements: Sequence[StatementIndex], image: VexImage) -> VexOutcome:
    """Do the same with documents that are indexed already: what one more image costs does not grow with what is said of others."""
    if not statements:
        return VexOutcome(findings=tuple(findings))
    judge = _Judge(statements, image)
    standing: list[Finding] = []
    suppressed: list[SuppressedFinding] = []
    for finding in findings:
        said = judge.judge(finding)
        if isinstance(said, SuppressedFinding):
            suppressed.append(said)
        else:
            standing.append(said)
    problems = [f"{one.document.source}: {problem}" for one in statements for problem in one.document.problems]
    return VexOutcome(findings=tuple(standing), suppressed=tuple(suppressed), notes=_bounded([*problems, *judge.notes]))


class _Judge:
    """Finds what counts of each finding. The package URLs of a statement are parsed when they are asked for first."""

    def __init__(self, statements: Sequence[StatementIndex], image: VexImage) -> None:
        self._statements = statements
        self._known = [one.names for one in statements]
        self._image = image
        self._matchers: dict[int, ProductMatcher] = {}
        self._notes: dict[str, None] = {}
        self._ranks: dict[tuple[str, str], int] = {}
        for author in (author for one in statements for author in one.authors):
            self._ranks.setdefault(author, len(self._ranks))

    @property
    def notes(self) -> Sequence[str]:
        """What people should know."""
        return tuple(self._notes)

    def judge(self, finding: Finding) -> Finding | SuppressedFinding:
        """Say what becomes of a finding."""
        if finding.kind is not FindingKind.VULNERABILITY or finding.package is None or not self._is_known(finding):
            return finding
        counting = self._counting(finding, finding.package)
        statements = tuple({id(one): one for one in counting if one is not None}.values())
        if _is_suppressed(counting):
            return SuppressedFinding(finding=finding, statements=statements)
        actions = [one.action for one in statements if one.status is VexStatus.AFFECTED and one.action]
        return replace(finding, recommendation="; ".join([*actions, *filter(None, [finding.recommendation])])) if actions else finding

    def _is_known(self, finding: Finding) -> bool:
        """Tell whether any document says anything of it: few findings are, and a fleet has many."""
        names = {_key(finding.id), *map(_key, finding.aliases)}
        return not all(names.isdisjoint(known) for known in self._known)

    def _counting(self, finding: Finding, package: str) -> tuple[VexStatement | None, ...]:
        """The statement that counts for the advisory as a whole, then for each of its CVEs where it is about several."""
        names = tuple(dict.fromkeys(_key(name) for name in (finding.id, *finding.aliases)))
        cves = tuple(name for name in names if name.startswith("CVE-"))
        if len(cves) <= 1:
            return (self._winner(package, names),)
        identifier = _key(finding.id)
        whole = self._winner(package, (identifier,), only=identifier)
        return (whole, *(self._winner(package, (cve,)) for cve in cves))

    def _winner(self, package: str, names: Iterable[str], *, only: str | None = None) -> VexStatement | None:
        """What counts of all that is said of a vulnerability in a package; with `only`, of what is said of that name itself, not of something that has it as an alias."""
        by_author: dict[int, VexStatement] = {}
        for rank, statement in self._said(package, names):
            if only is None or _key(statement.vulnerability) == only:
                by_author[rank] = _later(by_author.get(rank, statement), statement)
        ranked = [by_author[rank] for rank in sorted(by_author)]
        if not ranked:
            return None
        self._tell(package, ranked)
        return ranked[0]

    def _said(self, package: str, names: Iterable[str]) -> Iterator[tuple[int, VexStatement]]:
        """What is said of a package under any of the names, with the rank of who says it in the user's order."""
        for name in names:
            for one in self._statements:
                for statement in one.about(name):
                    if self._matcher(statement).covers(package):
                        yield self._ranks[_author(one.document, statement)], statement

    def _matcher(self, statement: VexStatement) -> ProductMatcher:
        found = self._matchers.get(id(statement))
        if found is None:
            found = self._matchers[id(statement)] = ProductMatcher(statement.products, self._image)
        return found

    def _tell(self, package: str, ranked: Sequence[VexStatement]) -> None:
        first, *others = ranked
        notes = []
        if first.status is VexStatus.NOT_AFFECTED and not first.suppresses:
            notes.append(
                f"{_who(first)}: {first.vulnerability} is not_affected, without a known justification or an impact statement: ignored"
            )
        for other in others:
            if other.suppresses != first.suppresses:
                said = f"{_who(first)} says {first.status}, {_who(other)} says {other.status}"
                notes.append(f"{first.vulnerability} in {package}: {said}: the one given first counts")
        if len(self._notes) <= MAX_NOTES:
            self._notes.update(dict.fromkeys(notes))


def _is_suppressed(counting: Sequence[VexStatement | None]) -> bool:
    whole, *parts = counting
    if any(one is not None and not one.suppresses for one in counting):
        return False
    return whole is not None or (bool(parts) and None not in parts)


def _later(one: VexStatement, other: VexStatement) -> VexStatement:
    if one.holds_since != other.holds_since:
        return max(one, other, key=lambda statement: statement.holds_since)
    return one if not one.suppresses else other


def _author(document: VexDocument, statement: VexStatement) -> tuple[str, str]:
    """Who says it, and who answers for that being them. Without an author, a document speaks for itself."""
    return document.voucher, statement.author or f"\0{statement.source}"


def _key(name: str) -> str:
    return name.upper()


def _who(statement: VexStatement) -> str:
    return f"{statement.author} ({statement.source})" if statement.author else statement.source


def _bounded(notes: Sequence[str]) -> tuple[str, ...]:
    more = len(notes) - MAX_NOTES
    return tuple(notes) if more <= 0 else (*notes[:MAX_NOTES], f"and {more} more")
