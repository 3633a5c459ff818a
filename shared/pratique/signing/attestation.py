"""Attest verdicts: signed, expiring statements of what was decided about an image and from what. docs/policy.md describes the predicate."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from pratique.errors import InvalidSignature, LimitExceeded
from pratique.oci import media_types
from pratique.oci.digest import Digest
from pratique.oci.manifest import Descriptor, Manifest
from pratique.policy.verdict import Reason, Verdict, VerdictStatus
from pratique.signing.bundle import BundleReferrer, attest_bundle, verify_bundle
from pratique.signing.dsse import Statement, StatementVersion, parse_envelope, sign_statement, verify_statement
from pratique.signing.keys import SigningKeys, VerifyingKey
from pratique.signing.legacy import SIGNATURE_ANNOTATION, Blob, LegacyEntry, LegacyPublication, attestation_tag, merge_entry

VERDICT_PREDICATE = "https://pratique.dev/verdict/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictAttestation:
    """A verdict with what it came from and how long it holds.

    `feed_digest` names the advisory snapshot, `inventory_digest` the inventory; `findings` counts by severity. Times are in UTC.
    """

    verdict: Verdict
    feed_digest: str
    inventory_digest: str
    findings: Mapping[str, int]
    decided_at: dt.datetime
    expires_at: dt.datetime

    def __post_init__(self) -> None:
        if self.decided_at.tzinfo is None or self.expires_at.tzinfo is None:
            raise ValueError("expected times with a zone")
        if self.expires_at <= self.decided_at:
            raise ValueError(f"expected the verdict of {self.decided_at} to expire later, got {self.expires_at}")

    def is_current(self, now: dt.datetime) -> bool:
        """Tell whether the verdict holds at `now`."""
        return self.decided_at <= now < self.expires_at


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedVerdict:
    """A verdict attestation in both layouts: `.att` for cosign 2, a bundle for cosign 3."""

    entry: LegacyEntry
    bundle: BundleReferrer


class _Reason(msgspec.Struct):
    rule: str
    message: str
    count: int = 0


class _Policy(msgspec.Struct):
    name: str
    digest: str


class _Inputs(msgspec.Struct):
    feeds: str
    inventory: str


class _Predicate(msgspec.Struct, rename="camel"):
    status: VerdictStatus
    reasons: list[_Reason]
    policy: _Policy
    inputs: _Inputs
    findings: dict[str, int]
    waived: int
    decided_at: dt.datetime
    expires_at: dt.datetime


def attest_verdict(keys: SigningKeys, attestation: VerdictAttestation, name: str, digest: Digest) -> SignedVerdict:
    """Sign a verdict of any status about `digest` in `name` (`host/repository`) with the attestation key, never the admission key."""
    key = keys.attestation.key
    predicate = msgspec.to_builtins(_encode(attestation))
    v01, v1 = (
        Statement(version=version, name=name, digest=digest, predicate_type=VERDICT_PREDICATE, predicate=predicate)
        for version in (StatementVersion.V0_1, StatementVersion.V1)
    )
    envelope = Blob(media_type=media_types.DSSE_ENVELOPE, content=msgspec.json.encode(sign_statement(key, v01)))
    entry = LegacyEntry(blob=envelope, annotations={SIGNATURE_ANNOTATION: "", "predicateType": VERDICT_PREDICATE})
    return SignedVerdict(entry=entry, bundle=attest_bundle(keys.attestation, v1, attestation.decided_at))


def verify_verdict(bundle: bytes, key: VerifyingKey, digest: Digest) -> VerdictAttestation:
    """Read the verdict about `digest` from a bundle signed by `key`. The caller asks `is_current`.

    Raises InvalidSignature, LimitExceeded.
    """
    return _decode(verify_bundle(bundle, key, digest=digest, predicate_type=VERDICT_PREDICATE))


def verify_verdict_envelope(envelope: bytes, key: VerifyingKey, digest: Digest) -> VerdictAttestation:
    """Read the verdict about `digest` from a layer of `.att`, as `verify_verdict` does from a bundle."""
    return _decode(verify_statement(parse_envelope(envelope), key, digest=digest, predicate_type=VERDICT_PREDICATE))


def merge_attestation(
    entry: LegacyEntry, digest: Digest, key: VerifyingKey, existing: Manifest | None, payloads: Mapping[Digest, bytes]
) -> LegacyPublication | None:
    """Put our verdict about `digest` into the `.att` manifest: others' attestations stay, our former verdicts are superseded.

    Parameters, result and errors as of `merge_signature`.
    """
    return merge_entry(attestation_tag(digest), entry, existing, lambda layer: _is_verdict_by(key, layer, payloads, digest))


def _is_verdict_by(key: VerifyingKey, layer: Descriptor, payloads: Mapping[Digest, bytes], digest: Digest) -> bool:
    payload = payloads.get(layer.digest)
    if layer.media_type != media_types.DSSE_ENVELOPE or payload is None or not layer.digest.matches(payload):
        return False
    try:
        verify_statement(parse_envelope(payload), key, digest=digest, predicate_type=VERDICT_PREDICATE)
    except (InvalidSignature, LimitExceeded):
        return False
    return True


def _encode(attestation: VerdictAttestation) -> _Predicate:
    verdict = attestation.verdict
    return _Predicate(
        status=verdict.status,
        reasons=[_Reason(rule=reason.rule, message=reason.message, count=reason.count) for reason in verdict.reasons],
        policy=_Policy(name=verdict.policy, digest=verdict.policy_digest),
        inputs=_Inputs(feeds=attestation.feed_digest, inventory=attestation.inventory_digest),
        findings=dict(attestation.findings),
        waived=verdict.waived,
        decided_at=attestation.decided_at.astimezone(dt.UTC),
        expires_at=attestation.expires_at.astimezone(dt.UTC),
    )


def _decode(statement: Statement) -> VerdictAttestation:
    try:
        raw = msgspec.convert(statement.predicate, _Predicate)
        reasons = tuple(Reason(rule=reason.rule, message=reason.message, count=reason.count) for reason in raw.reasons)
        return VerdictAttestation(
            verdict=Verdict(status=raw.status, reasons=reasons, policy=raw.policy.name, policy_digest=raw.policy.digest, waived=raw.waived),
            feed_digest=raw.inputs.feeds,
            inventory_digest=raw.inputs.inventory,
            findings=raw.findings,
            decided_at=raw.decided_at,
            expires_at=raw.expires_at,
        )
    except (msgspec.ValidationError, ValueError) as error:
        raise InvalidSignature(f"the verdict's predicate is malformed: {error}") from error
