"""The policy of the fleet: two of them, the stricter one for production."""

from __future__ import annotations

from pratique.policy.parse import parse_policy
from pratique.policy.policy import PolicyDocument

_DOCUMENT = b"""
version: 1
policies:
  - name: production
    match: {repositories: ["prod/**"]}
    rules: {fail_on: high, fixable_only: true, exploited: fail, unknown_severity: ignore, max_feed_age: unlimited}
    actions:
      pass: {attest: true, sign: true, promote: {repository: "cleared/{repository}", tag: "{tag}"}}
      fail: {attest: true, quarantine: {repository: "quarantine/{repository}"}}
  - name: everything-else
    rules: {fail_on: critical, fixable_only: true, exploited: fail, unknown_severity: ignore, max_feed_age: unlimited}
    actions:
      pass: {attest: true, sign: true}
      fail: {attest: true, mark: {tag: "{tag}-rejected"}}
"""


def fleet_policy() -> PolicyDocument:
    """Feeds may be of any age: the data is kept, and the records' times are invented."""
    return parse_policy(_DOCUMENT)
