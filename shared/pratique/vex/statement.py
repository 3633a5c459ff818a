"""What a VEX document says, whatever its format. Source: CISA "Minimum Requirements for VEX" (2023)."""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass


class VexStatus(enum.StrEnum):
    """What a vulnerability means for a product."""

    NOT_AFFECTED = "not_affected"
    AFFECTED = "affected"
    FIXED = "fixed"
    UNDER_INVESTIGATION = "under_investigation"


JUSTIFICATIONS = frozenset(
    {
        "component_not_present",
        "vulnerable_code_not_present",
        "vulnerable_code_not_in_execute_path",
        "vulnerable_code_cannot_be_controlled_by_adversary",
        "inline_mitigations_already_exist",
    }
)
"""Why a product is not affected, in CISA's words, which OpenVEX and CSAF share."""

CYCLONEDX_JUSTIFICATIONS = {
    "code_not_present": "vulnerable_code_not_present",
    "code_not_reachable": "vulnerable_code_not_in_execute_path",
    "requires_configuration": "vulnerable_code_cannot_be_controlled_by_adversary",
    "requires_dependency": "component_not_present",
    "requires_environment": "vulnerable_code_cannot_be_controlled_by_adversary",
    "protected_by_compiler": "inline_mitigations_already_exist",
    "protected_at_runtime": "inline_mitigations_already_exist",
    "protected_at_perimeter": "inline_mitigations_already_exist",
    "protected_by_mitigating_control": "inline_mitigations_already_exist",
}
"""CycloneDX's words for the same, and those of CISA that come nearest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VexComponent:
    """Software by its identifiers, any of which is enough: package URLs, digests (`sha256:hex`), and BOM-Links: `urn:cdx:SERIAL/VERSION` of whole SBOMs, with `#REF` of what they list."""

    purls: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    boms: tuple[str, ...] = ()

    @property
    def is_known(self) -> bool:
        """Tell whether there is any identifier that can be matched."""
        return bool(self.purls or self.digests or self.boms)


@dataclass(frozen=True, slots=True, kw_only=True)
class VexProduct:
    """What a statement is about: a component as a whole, or, where there are `subcomponents`, those of them alone that are in it."""

    component: VexComponent
    subcomponents: tuple[VexComponent, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VexStatement:
    """One vulnerability in one or more products has this status.

    `justification` is a label of CISA's or CycloneDX's, `impact` says the same in prose; `action` is what to do about it. Texts are one printable line each. `timestamp` is when it was
    known to be true, `last_updated` when it was changed; both have a zone. `author` is who says so, by the document's own word, and `source` where the document came from.
    """

    vulnerability: str
    products: tuple[VexProduct, ...]
    status: VexStatus
    source: str
    aliases: tuple[str, ...] = ()
    justification: str = ""
    impact: str = ""
    action: str = ""
    author: str = ""
    timestamp: dt.datetime | None = None
    last_updated: dt.datetime | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """All names of the vulnerability."""
        return (self.vulnerability, *self.aliases)

    @property
    def suppresses(self) -> bool:
        """Tell whether it takes a finding away. Not affected without saying why does not (OpenVEX 0.2.0, "Status Justifications")."""
        if self.status is VexStatus.NOT_AFFECTED:
            return bool(self.justification or self.impact)
        return self.status is VexStatus.FIXED

    @property
    def holds_since(self) -> dt.datetime:
        """When it was last said; without a time it is older than any other."""
        times = [time for time in (self.timestamp, self.last_updated) if time is not None]
        return max(times, default=_BEFORE_ALL)


_BEFORE_ALL = dt.datetime.min.replace(tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class VexDocument:
    """The statements of one document in their order. `form` is its format (`OpenVEX 0.2.0`); `problems` are what of it says nothing that could be applied.

    `voucher` is who answers for what it says of its author, if not the user who gave it: the same author vouched for by another is another.
    """

    form: str
    source: str
    statements: tuple[VexStatement, ...]
    problems: tuple[str, ...] = ()
    voucher: str = ""
