"""Verdicts: a policy applied to findings and coverage. Three-valued: what could not be read never passes."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class VerdictStatus(enum.StrEnum):
    """May this image ship?"""

    PASS = "pass"
    FAIL = "fail"
    INCOMPLETE = "incomplete"

    @property
    def rank(self) -> int:
        """0 for what decides first: a violation found in half an image is still one, and half an image without violations is not clean."""
        return (VerdictStatus.FAIL, VerdictStatus.INCOMPLETE, VerdictStatus.PASS).index(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a verdict is what it is: the rule's name, what it says of this image, and how many findings are behind it."""

    rule: str
    message: str
    count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The answer with its reasons. `policy` is the policy's name, `policy_digest` the digest of its canonical content; `waived` counts findings
    that a waiver took out of consideration.
    """

    status: VerdictStatus
    reasons: tuple[Reason, ...]
    policy: str
    policy_digest: str
    waived: int = 0
