"""What is new about a decision: findings that a repository was never told of, and the change of advisories that led to it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pratique.findings import Finding
from pratique.policy.cause import Cause
from pratique.policy.verdict import VerdictStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What people have not heard of yet.

    `criticals` and `exploited` are findings that the image's repository was never told of, one a CVE; one may be in both. `before` is the verdict
    on the same image that this decision took the place of, `cause` the change of advisories that led to it; None where there is none.
    """

    criticals: Sequence[Finding] = ()
    exploited: Sequence[Finding] = ()
    before: VerdictStatus | None = None
    cause: Cause | None = None

    def is_recovery(self, status: VerdictStatus) -> bool:
        """Tell whether an image that did not pass does now."""
        return status is VerdictStatus.PASS and self.before not in {None, VerdictStatus.PASS}

    def is_relapse(self, status: VerdictStatus) -> bool:
        """Tell whether an image that passed does not any more."""
        return status is not VerdictStatus.PASS and self.before is VerdictStatus.PASS


NO_NEWS = News()
