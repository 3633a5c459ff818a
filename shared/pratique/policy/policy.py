"""Policies: which images they are for, what they require, what is accepted, what follows."""

from __future__ import annotations

import datetime as dt
import enum
import functools
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import msgspec
from packageurl import PackageURL

from pratique.errors import InvalidPolicy
from pratique.findings import Finding, FindingKind, Severity
from pratique.oci.digest import Digest
from pratique.policy.actions import NO_ACTIONS, Actions
from pratique.policy.glob import Glob, matches_any
from pratique.policy.subject import Subject

DEFAULT_FEED_AGE = dt.timedelta(days=7)


class UnknownSeverity(enum.StrEnum):
    """What a finding without a severity does to a verdict."""

    FAIL = "fail"
    INCOMPLETE = "incomplete"
    IGNORE = "ignore"


class Exploited(enum.StrEnum):
    """What a vulnerability that is known to be exploited does to a verdict."""

    FAIL = "fail"
    WARN = "warn"
    IGNORE = "ignore"


class EndOfLife(enum.StrEnum):
    """What a distribution without security support does to a verdict."""

    FAIL = "fail"
    WARN = "warn"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which images something is for. An empty tuple does not restrict; with tag globs, an image without tags is out."""

    registries: tuple[Glob, ...] = ()
    repositories: tuple[Glob, ...] = ()
    tags: tuple[Glob, ...] = ()

    def covers(self, host: str, repository: str, tags: tuple[str, ...]) -> bool:
        """Tell whether an image is in scope: one of its tags is enough."""
        return matches_any(self.registries, (host,)) and matches_any(self.repositories, (repository,)) and matches_any(self.tags, tags)

    def covers_wholly(self, host: str, repository: str, tags: tuple[str, ...]) -> bool:
        """Tell whether an image is in scope under every one of its tags: whoever pushes it may add one that is."""
        return self.covers(host, repository, tags) and all(matches_any(self.tags, (tag,)) for tag in tags)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What an image must fulfil; docs/policy.md gives each rule's meaning.

    `fail_on` None judges no finding by severity; `fail_on_kind` replaces it for single kinds. `deny` holds ids that always count.
    `fail_on_epss` is the least probability (0 to 1) that fails an image, None if none does. `max_feed_age` None accepts any age.
    """

    fail_on: Severity | None
    fail_on_kind: Mapping[FindingKind, Severity | None] = field(default_factory=dict)
    fixable_only: bool = False
    exploited: Exploited = Exploited.FAIL
    fail_on_epss: float | None = None
    unknown_severity: UnknownSeverity = UnknownSeverity.INCOMPLETE
    deny: tuple[str, ...] = ()
    tolerated_gaps: tuple[Glob, ...] = ()
    max_feed_age: dt.timedelta | None = DEFAULT_FEED_AGE
    eol: EndOfLife = EndOfLife.FAIL

    def threshold(self, kind: FindingKind) -> Severity | None:
        """The severity from which findings of `kind` fail an image; None if none does."""
        return self.fail_on_kind.get(kind, self.fail_on)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """An accepted finding: until the end of the day `expires` (UTC), `owner` answers for it.

    `package` is a glob over the purl (with or without version and qualifiers) or over the name (`openssl`, `@angular/core`); `path` one over the
    finding's file. What is None or empty does not restrict. Raises InvalidPolicy.
    """

    id: str
    owner: str
    reason: str
    expires: dt.date
    package: Glob | None = None
    path: Glob | None = None
    scope: Scope = Scope()
    digest: Digest | None = None

    def __post_init__(self) -> None:
        for name, text in (("id", self.id), ("owner", self.owner), ("reason", self.reason)):
            if not text.strip():
                raise InvalidPolicy(f"expected a waiver's {name}, got an empty text")
        if "*" in self.id:
            raise InvalidPolicy(f"expected one id in a waiver, got the pattern {self.id!r}: a waiver accepts what somebody looked at")

    def is_active(self, now: dt.datetime) -> bool:
        """Tell whether the waiver still counts."""
        return now.astimezone(dt.UTC).date() <= self.expires

    def covers_image(self, subject: Subject) -> bool:
        """Tell whether the waiver is for this image, under all of its tags."""
        is_digest = self.digest is None or self.digest == subject.digest
        return is_digest and self.scope.covers_wholly(subject.host, subject.repository, subject.tags)

    def covers_place(self, finding: Finding) -> bool:
        """Tell whether the finding's package and file are in the waiver's scope; its ids are not looked at."""
        is_package = self.package is None or matches_any((self.package,), _package_names(finding.package))
        return is_package and (self.path is None or (finding.path is not None and self.path.matches(finding.path)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """An ordered set of rules for some images, with its waivers and actions."""

    name: str
    match: Scope
    rules: Rules
    waivers: tuple[Waiver, ...] = ()
    actions: Actions = NO_ACTIONS

    def with_waivers(self, waivers: Iterable[Waiver]) -> Policy:
        """The same policy with more waivers: those recorded in the database."""
        return replace(self, waivers=(*self.waivers, *waivers))

    def promotable(self, subject: Subject) -> Subject:
        """The image under those tags only that the policy is for: a tag that it does not judge gets no name by its verdict."""
        return replace(subject, tags=tuple(tag for tag in subject.tags if matches_any(self.match.tags, (tag,))))

    @property
    def digest(self) -> str:
        """`sha256:…` of the canonical content: rules, waivers (in any order) and actions, not layout and comments."""
        canonical = replace(self, waivers=tuple(sorted(set(self.waivers), key=_canonical)))
        return f"sha256:{hashlib.sha256(_canonical(canonical)).hexdigest()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDocument:
    """Policies in order of precedence."""

    policies: tuple[Policy, ...]


def select_policy(document: PolicyDocument, *, host: str, repository: str, tags: tuple[str, ...]) -> Policy | None:
    """The first policy that matches. None means no policy does, which `evaluate` answers with `incomplete`."""
    return next((policy for policy in document.policies if policy.match.covers(host, repository, tags)), None)


def default_policy(fail_on: Severity | None, *, fixable_only: bool = False, max_feed_age: dt.timedelta | None = None) -> Policy:
    """The policy of `pratique scan --fail-on`: the threshold and complete coverage.

    Known exploitation, end of life and unknown severities are reported and do not decide: who names a severity on a command line asks about that
    severity. The age of the feeds does not decide unless `max_feed_age` is given.
    """
    rules = Rules(
        fail_on=fail_on,
        fixable_only=fixable_only,
        exploited=Exploited.WARN,
        unknown_severity=UnknownSeverity.IGNORE,
        max_feed_age=max_feed_age,
        eol=EndOfLife.WARN,
    )
    return Policy(name="command-line", match=Scope(), rules=rules)


@functools.lru_cache(maxsize=1024)  # many waivers of one id ask about the same package in turn
def _package_names(purl: str | None) -> tuple[str, ...]:
    if purl is None:
        return ()
    versioned = purl.partition("?")[0]
    bare = versioned.rpartition("@")[0] or versioned
    try:
        parsed = PackageURL.from_string(purl)
    except ValueError:  # not a purl after all: its text is all there is
        return (purl, versioned, bare)
    is_scoped = parsed.namespace and parsed.type not in {"deb", "apk", "rpm"}  # there the namespace is the distribution
    return (purl, versioned, bare, f"{parsed.namespace}/{parsed.name}" if is_scoped else parsed.name)


def _canonical(value: object) -> bytes:
    return msgspec.json.encode(value, order="sorted")
