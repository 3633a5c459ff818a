"""Policy documents: strict decoding of what people write. docs/policy.md is the reference."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec

from pratique.errors import InvalidDigest, InvalidPolicy
from pratique.findings import FindingKind, Severity
from pratique.oci.digest import Digest
from pratique.policy.actions import (
    BY_DIGEST,
    DEFAULT_VALIDITY,
    SAME_REPOSITORY,
    Actions,
    AttestAction,
    MarkAction,
    OutcomeActions,
    PromoteAction,
    QuarantineAction,
    SignAction,
)
from pratique.policy.document import load_values
from pratique.policy.glob import Glob
from pratique.policy.policy import EndOfLife, Exploited, Policy, PolicyDocument, Rules, Scope, UnknownSeverity, Waiver
from pratique.policy.template import Template

_MAX_POLICIES = 200  # protects the time of a selection, which tries one after the other
_MAX_WAIVERS = 2000  # protects the time of an evaluation
_MAX_PATTERNS = 100  # the same
_DURATION = re.compile(r"([1-9][0-9]{0,4})([hdw])")
_UNITS = {"h": dt.timedelta(hours=1), "d": dt.timedelta(days=1), "w": dt.timedelta(weeks=1)}

_Threshold = Literal["critical", "high", "medium", "low", "negligible", "never"]
_Probability = Annotated[float, msgspec.Meta(gt=0, le=1)]  # of 0 would fail all that has a forecast
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
_Texts = Annotated[list[_Name], msgspec.Meta(max_length=_MAX_PATTERNS)]


class _Strict(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A mapping in which every field is known: a misspelt rule must not be one that never applies."""


class _Match(_Strict):
    registries: _Texts = []
    repositories: _Texts = []
    tags: _Texts = []


class _Rules(_Strict):
    fail_on: _Threshold
    fail_on_kind: dict[FindingKind, _Threshold] = {}
    fixable_only: bool = False
    exploited: Exploited = Exploited.FAIL
    fail_on_epss: _Probability | None = None
    unknown_severity: UnknownSeverity = UnknownSeverity.INCOMPLETE
    deny: _Texts = []
    coverage: Literal["complete"] = "complete"
    tolerated_gaps: _Texts = []
    max_feed_age: str = "7d"
    eol: EndOfLife = EndOfLife.FAIL


class _Waiver(_Strict):
    id: _Name
    owner: _Name
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]
    expires: dt.date
    package: str | None = None
    path: str | None = None
    registries: _Texts = []
    repositories: _Texts = []
    tags: _Texts = []
    digest: str | None = None


class _Attest(_Strict):
    valid_for: str


class _Mark(_Strict):
    tag: str


class _Promote(_Strict):
    tag: str
    repository: str = SAME_REPOSITORY.text


class _Quarantine(_Strict):
    repository: str
    tag: str = BY_DIGEST.text
    remove: bool = False


class _Outcome(_Strict):
    attest: bool | _Attest = False
    sign: bool = False
    mark: _Mark | None = None
    promote: _Promote | None = None
    quarantine: _Quarantine | None = None


class _Actions(_Strict):
    on_pass: _Outcome = msgspec.field(name="pass", default_factory=_Outcome)
    on_fail: _Outcome = msgspec.field(name="fail", default_factory=_Outcome)
    on_incomplete: _Outcome = msgspec.field(name="incomplete", default_factory=_Outcome)


class _Policy(_Strict):
    name: _Name
    rules: _Rules
    match: _Match = msgspec.field(default_factory=_Match)
    waivers: Annotated[list[_Waiver], msgspec.Meta(max_length=_MAX_WAIVERS)] = []
    actions: _Actions = msgspec.field(default_factory=_Actions)


class _Document(_Strict):
    version: Literal[1]
    policies: Annotated[list[_Policy], msgspec.Meta(min_length=1, max_length=_MAX_POLICIES)]
    waivers: Annotated[list[_Waiver], msgspec.Meta(max_length=_MAX_WAIVERS)] = []


# At import: msgspec resolves a type at its first use, and two threads that do so at once crash the interpreter.
msgspec.json.Decoder(_Document)


def parse_policy(content: bytes) -> PolicyDocument:
    """Parse a policy document (YAML, version 1). The document's own waivers are added to each policy's.

    Raises InvalidPolicy, whose message names field and place, and LimitExceeded.
    """
    try:
        raw = msgspec.convert(load_values(content), _Document)
    except msgspec.ValidationError as error:
        raise InvalidPolicy(f"the policy document is wrong: {error}") from error
    shared = tuple(_waiver(waiver, f"waivers[{index}]") for index, waiver in enumerate(raw.waivers))
    policies = tuple(_policy(policy, f"policies[{index}]").with_waivers(shared) for index, policy in enumerate(raw.policies))
    names = [policy.name for policy in policies]
    for name in names:
        if names.count(name) > 1:
            raise InvalidPolicy(f"expected every policy to have its own name, got {name!r} twice")
    return PolicyDocument(policies=policies)


def _policy(raw: _Policy, place: str) -> Policy:
    with _at(f"{place}.match"):
        match = _scope(raw.match)
    with _at(f"{place}.rules"):
        rules = _rules(raw.rules)
    with _at(f"{place}.actions"):
        actions = Actions(
            on_pass=_outcome(raw.actions.on_pass),
            on_fail=_outcome(raw.actions.on_fail),
            on_incomplete=_outcome(raw.actions.on_incomplete),
        )
    waivers = tuple(_waiver(waiver, f"{place}.waivers[{index}]") for index, waiver in enumerate(raw.waivers))
    return Policy(name=raw.name, match=match, rules=rules, waivers=waivers, actions=actions)


def _scope(raw: _Match | _Waiver) -> Scope:
    return Scope(registries=_globs(raw.registries), repositories=_globs(raw.repositories), tags=_globs(raw.tags))


def _rules(raw: _Rules) -> Rules:
    return Rules(
        fail_on=_threshold(raw.fail_on),
        fail_on_kind={kind: _threshold(word) for kind, word in raw.fail_on_kind.items()},
        fixable_only=raw.fixable_only,
        exploited=raw.exploited,
        fail_on_epss=raw.fail_on_epss,
        unknown_severity=raw.unknown_severity,
        deny=tuple(raw.deny),
        tolerated_gaps=_globs(raw.tolerated_gaps),
        max_feed_age=None if raw.max_feed_age == "unlimited" else _duration(raw.max_feed_age),
        eol=raw.eol,
    )


def _waiver(raw: _Waiver, place: str) -> Waiver:
    with _at(place):
        return Waiver(
            id=raw.id,
            owner=raw.owner,
            reason=raw.reason,
            expires=raw.expires,
            package=None if raw.package is None else Glob(raw.package),
            path=None if raw.path is None else Glob(raw.path),
            scope=_scope(raw),
            digest=None if raw.digest is None else Digest.parse(raw.digest),
        )


def _outcome(raw: _Outcome) -> OutcomeActions:
    quarantine, promote = raw.quarantine, raw.promote
    return OutcomeActions(
        attest=_attest(raw.attest),
        sign=SignAction() if raw.sign else None,
        mark=None if raw.mark is None else MarkAction(tag=Template(raw.mark.tag)),
        promote=None if promote is None else PromoteAction(tag=Template(promote.tag), repository=Template(promote.repository)),
        quarantine=None
        if quarantine is None
        else QuarantineAction(repository=Template(quarantine.repository), tag=Template(quarantine.tag), remove=quarantine.remove),
    )


def _attest(raw: bool | _Attest) -> AttestAction | None:
    if isinstance(raw, _Attest):
        return AttestAction(valid_for=_duration(raw.valid_for))
    return AttestAction(valid_for=DEFAULT_VALIDITY) if raw else None


def _globs(texts: list[str]) -> tuple[Glob, ...]:
    return tuple(map(Glob, texts))


def _threshold(word: _Threshold) -> Severity | None:
    return None if word == "never" else Severity.parse(word)


def _duration(text: str) -> dt.timedelta:
    found = _DURATION.fullmatch(text)
    if found is None:
        raise InvalidPolicy(f"expected a duration such as 12h, 7d or 2w, got {text[:40]!r}")
    return int(found[1]) * _UNITS[found[2]]


@contextlib.contextmanager
def _at(place: str) -> Iterator[None]:
    """Say in which part of the document a value was refused."""
    try:
        yield
    except (InvalidPolicy, InvalidDigest) as error:
        raise InvalidPolicy(f"the policy document is wrong: {error} - at `$.{place}`") from error
