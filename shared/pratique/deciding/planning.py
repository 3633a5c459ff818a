"""From a decision to the actions that the policy wants: spelt out into one for each place in a registry. Pure."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, assert_never

from pratique.errors import InvalidReference
from pratique.oci.digest import Digest
from pratique.oci.reference import Reference
from pratique.policy.actions import SAME_REPOSITORY, Action, AttestAction, MarkAction, PromoteAction, QuarantineAction, SignAction
from pratique.policy.policy import Policy
from pratique.policy.subject import Subject
from pratique.policy.verdict import VerdictStatus

Plan = tuple[str, Mapping[str, Any]]
"""An action to plan: its kind and its JSON parameters."""


def plan(policy: Policy | None, status: VerdictStatus, subject: Subject, *, withdraws: bool, copies: Sequence[str]) -> Iterator[Plan]:
    """Spell the policy's actions out into (kind, parameters), one for each place in a registry, in the order to perform them.

    With `withdraws` an image that does not pass loses the signature that it may have from an earlier decision, first of all. What is attested and signed, or taken
    away, is so in the repositories `copies` too, those that it is or was promoted to: the copy there has signature and verdict of its own.
    """
    if withdraws and status is not VerdictStatus.PASS:
        yield "withdraw", {}
        yield from (("withdraw", {"repository": repository}) for repository in copies)
    actions = policy.actions.for_status(status) if policy is not None else ()
    for action in actions:
        named = policy.promotable(subject) if policy is not None and isinstance(action, MarkAction | PromoteAction) else subject
        yield from _plan_action(action, named, _given_tags(policy, subject))
    for action in actions:
        if isinstance(action, AttestAction | SignAction):
            for kind, parameters in _plan_action(action, subject, ()):
                yield from ((kind, {**parameters, "repository": repository}) for repository in copies)


def _plan_action(action: Action, subject: Subject, tags: Sequence[str]) -> Iterator[Plan]:
    match action:
        case AttestAction():
            yield "attest", {"valid_for_s": action.valid_for.total_seconds()}
        case SignAction():
            yield "sign", {}
        case MarkAction():
            yield from _per_tag("mark", action, subject)
        case PromoteAction():
            yield from _per_tag("promote", action, subject)
        case QuarantineAction():
            yield from _quarantine(action, subject, tags)
        case _:
            assert_never(action)


def promoted_to(policy: Policy, subject: Subject) -> Iterator[str]:
    """The other repositories that hold a copy of the image if it ever passed."""
    promote = policy.actions.on_pass.promote
    if promote is None or promote.repository.could_make(subject.repository):
        return
    tags = subject.tags if promote.repository.needs_tag else (None,)
    for repository in sorted({promote.repository.render(subject, tag) for tag in tags} - {subject.repository}):
        with contextlib.suppress(InvalidReference):
            yield Reference(host=subject.host, repository=repository).repository


def _given_tags(policy: Policy | None, subject: Subject) -> tuple[str, ...]:
    """The image's tags but for those that our own actions set: a release does not bring those back."""
    if policy is None:
        return subject.tags
    outcomes = (policy.actions.on_pass, policy.actions.on_fail, policy.actions.on_incomplete)
    templates = [outcome.mark.tag for outcome in outcomes if outcome.mark]
    templates += [outcome.promote.tag for outcome in outcomes if outcome.promote and outcome.promote.repository == SAME_REPOSITORY]
    return tuple(tag for tag in subject.tags if not any(template.could_make(tag) for template in templates))


def _per_tag(kind: str, action: MarkAction | PromoteAction, subject: Subject) -> Iterator[Plan]:
    """One action for each tag: it is done only if that tag still points to the digest when its turn comes."""
    for tag in subject.tags:
        yield from _places(kind, action, replace(subject, tags=(tag,)), {"from_tag": tag})
    if not subject.tags:
        yield from _places(kind, action, subject, {"from_tag": None})


def _quarantine(action: QuarantineAction, subject: Subject, tags: Sequence[str]) -> Iterator[Plan]:
    copies = tuple(_places("quarantine", action, subject, {"tags": list(tags)}))
    yield from copies
    if action.remove and copies:
        yield "remove", {"tags": list(tags), "mark": quarantine_mark(subject.digest)}


def quarantine_mark(digest: Digest) -> str:
    """The tag of an image that should be gone, in a registry that deletes nothing."""
    return f"quarantined-{digest.hex[:12]}"


def _places(kind: str, action: Action, subject: Subject, more: Mapping[str, Any]) -> Iterator[Plan]:
    if isinstance(action, AttestAction | SignAction):
        return
    try:
        targets = action.targets(subject)
    except InvalidReference as error:
        yield kind, {**more, "impossible": str(error)}
        return
    for target in targets:
        yield kind, {**more, "repository": target.repository, "tag": target.tag}
