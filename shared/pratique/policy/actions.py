"""What a decision causes in the registry. Values only: the enforcer performs them, repeatedly until they hold, in the order given here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

from pratique.errors import InvalidPolicy, InvalidReference
from pratique.oci.reference import Reference
from pratique.policy.subject import Subject
from pratique.policy.template import Template, require_fixed_folder, require_valid_names
from pratique.policy.verdict import VerdictStatus

SAME_REPOSITORY = Template("{repository}")
BY_DIGEST = Template("{digest_short}")  # the default in quarantine: two failing images must not fight for one name
DEFAULT_VALIDITY = dt.timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttestAction:
    """Attach a signed verdict to the image that expires after `valid_for`; older ones are removed."""

    valid_for: dt.timedelta = DEFAULT_VALIDITY

    def __post_init__(self) -> None:
        if self.valid_for <= dt.timedelta():
            raise InvalidPolicy("expected attest to be valid for some time, got none")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignAction:
    """Sign the image with the admission key. Only a `pass` can have this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkAction:
    """Give the image one more tag in its own repository that tells its state; no tag is moved away from another image's."""

    tag: Template

    def __post_init__(self) -> None:
        _require_move(SAME_REPOSITORY, self.tag, "mark")

    def targets(self, subject: Subject) -> tuple[Reference, ...]:
        """The tags to set: one for each of the image's, none that was itself set by this action."""
        return tuple(_targets(SAME_REPOSITORY, self.tag, subject))


@dataclass(frozen=True, slots=True, kw_only=True)
class PromoteAction:
    """Give the image a name that deployments use. Only a `pass` can have this."""

    tag: Template
    repository: Template = SAME_REPOSITORY

    def __post_init__(self) -> None:
        _require_move(self.repository, self.tag, "promote")
        if self.repository != SAME_REPOSITORY:
            require_fixed_folder(self.repository, "promote.repository")

    def targets(self, subject: Subject) -> tuple[Reference, ...]:
        """Where to copy the image: one place for each of its tags, none for what was itself promoted. Sorted.

        Raises InvalidReference where a name becomes too long for a registry.
        """
        return tuple(_targets(self.repository, self.tag, subject))


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineAction:
    """Copy the image into another repository and, with `remove`, delete it from its own."""

    repository: Template
    tag: Template = BY_DIGEST
    remove: bool = False

    def __post_init__(self) -> None:
        require_valid_names(self.repository, self.tag)
        if "repository" not in self.repository.fields or self.repository.text == SAME_REPOSITORY.text:
            raise InvalidPolicy(
                f"expected quarantine.repository to hold {{repository}} and more, as in quarantine/{{repository}}: got {self.repository.text!r}"
            )
        require_fixed_folder(self.repository, "quarantine.repository")

    def targets(self, subject: Subject) -> tuple[Reference, ...]:
        """Where to copy the image; nowhere for what lies in quarantine already. Sorted.

        A tag that makes a name too long is passed over. Where none is left, or the image has none, its short digest stands for the tag: an image that
        fails always has a place. Raises InvalidReference where even that is too long for a registry.
        """
        found: set[Reference] = set()
        each: list[tuple[str, ...]] = [(tag,) for tag in subject.tags]
        for tags in each or [()]:
            with suppress(InvalidReference):
                found.update(_targets(self.repository, self.tag, replace(subject, tags=tags)))
        if not found and not self.repository.could_make(subject.repository):
            path = self.repository.render(subject, BY_DIGEST.render(subject, None))
            found.add(Reference(host=subject.host, repository=path, tag=BY_DIGEST.render(subject, None)))
        return tuple(sorted(found, key=str))


Action = AttestAction | SignAction | MarkAction | PromoteAction | QuarantineAction


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeActions:
    """What one status of a verdict causes."""

    attest: AttestAction | None = None
    sign: SignAction | None = None
    mark: MarkAction | None = None
    promote: PromoteAction | None = None
    quarantine: QuarantineAction | None = None

    @property
    def in_order(self) -> tuple[Action, ...]:
        """What is to be done, in order: a promoted name never shows an image whose signature is still to come."""
        every = (self.attest, self.sign, self.mark, self.promote, self.quarantine)
        return tuple(action for action in every if action is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Actions:
    """What each status causes. Nothing, unless the policy says so.

    Raises InvalidPolicy when an image that did not pass would be signed or promoted, or one that passed quarantined.
    """

    on_pass: OutcomeActions = OutcomeActions()
    on_fail: OutcomeActions = OutcomeActions()
    on_incomplete: OutcomeActions = OutcomeActions()

    def __post_init__(self) -> None:
        if self.on_pass.quarantine is not None:
            raise InvalidPolicy("expected no quarantine for images that pass")
        for name, outcome in (("fail", self.on_fail), ("incomplete", self.on_incomplete)):
            if outcome.sign is not None or outcome.promote is not None:
                raise InvalidPolicy(f"expected neither sign nor promote on {name}: only an image that passed may be cleared")

    def for_status(self, status: VerdictStatus) -> tuple[Action, ...]:
        """The actions of a verdict, in the order in which to perform them."""
        match status:
            case VerdictStatus.PASS:
                return self.on_pass.in_order
            case VerdictStatus.FAIL:
                return self.on_fail.in_order
            case VerdictStatus.INCOMPLETE:
                return self.on_incomplete.in_order


NO_ACTIONS = Actions()


def _require_move(repository: Template, tag: Template, action: str) -> None:
    require_valid_names(repository, tag)
    if (repository.text, tag.text) == (SAME_REPOSITORY.text, "{tag}"):
        raise InvalidPolicy(f"expected {action} to give another name, got the image's own")


def _targets(repository: Template, tag: Template, subject: Subject) -> Iterator[Reference]:
    """Two steps: tags that count (those this very action made do not), then one name for each."""
    if repository.text != SAME_REPOSITORY.text and repository.could_make(subject.repository):
        return
    moves_in_place = repository.text == SAME_REPOSITORY.text
    tags = [name for name in subject.tags if not (moves_in_place and tag.could_make(name))]
    if not tag.needs_tag and not repository.needs_tag:
        sources: list[str | None] = [None]
    else:
        sources = [*sorted(tags)]
    names = {(repository.render(subject, source), tag.render(subject, source)) for source in sources}
    for path, name in sorted(names):
        yield Reference(host=subject.host, repository=path, tag=name)
