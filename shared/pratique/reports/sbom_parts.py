"""What the SBOM formats share: when and under which number a document was made, and which licences and names they take."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import re
import uuid
from functools import lru_cache

import msgspec
from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from pratique import __version__
from pratique.inventory.package import InstalledPackage
from pratique.reports.report import Report

TOOL = "pratique"

_MAX_EXPRESSION = 500  # characters: parsing takes time and depth, and the longest expressions in use have 200
_MAX_EPOCH = 253_402_300_799  # the last second of the year 9999
_LICENSE_REF = "LicenseRef-"
_WORD = r'(?:\?*|\*?)(?:[a-zA-Z0-9\-._]|\\[\\*?!"#$%&\'()+,/:;<=>@\[\]^`{|}~])+(?:\?*|\*?)'
_CPE = re.compile(
    rf"cpe:2\.3:[aho*\-](?::(?:{_WORD}|[*\-])){{5}}:(?:[a-zA-Z]{{2,3}}(?:-(?:[a-zA-Z]{{2}}|[0-9]{{3}}))?|[*\-])(?::(?:{_WORD}|[*\-])){{4}}"
)
_MAX_CPE = 512
_REF = re.compile(r"LicenseRef-[A-Za-z0-9.-]+")
_NO_REF = re.compile(r"[^A-Za-z0-9.]+")


def created_at() -> str:
    """The time that a document says it was made at: SOURCE_DATE_EPOCH where that is set, so that the same input gives the same bytes."""
    stated = os.environ.get("SOURCE_DATE_EPOCH", "")
    is_usable = stated.isascii() and stated.isdecimal() and len(stated) <= len(str(_MAX_EPOCH)) and int(stated) <= _MAX_EPOCH
    when = dt.datetime.fromtimestamp(int(stated), dt.UTC) if is_usable else dt.datetime.now(dt.UTC)
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def document_id(report: Report) -> uuid.UUID:
    """A number that the same report always gets, and no other: made of its contents, and of the version that writes it."""
    content = msgspec.json.encode([__version__, report.target, report.packages, report.findings, report.suppressed, report.coverage])
    return uuid.uuid5(uuid.NAMESPACE_URL, hashlib.sha256(content).hexdigest())


def reference_name(report: Report) -> str:
    """What the document is about: never empty, which no format takes."""
    return report.target.described or report.target.reference or "unnamed"


def unique_keys(packages: tuple[InstalledPackage, ...]) -> list[str]:
    """A key for each package that no other has: its purl; with a number behind it where several images hold the same package in different layers."""
    counts: dict[str, int] = {}
    keys = []
    for installed in packages:
        purl = installed.package.purl
        counts[purl] = counts.get(purl, 0) + 1
        keys.append(purl if counts[purl] == 1 else f"{purl}#{counts[purl]}")
    return keys


def is_cpe(text: str) -> bool:
    """Tell whether this is a CPE 2.3 name as validators of the formats want it."""
    return len(text) <= _MAX_CPE and _CPE.fullmatch(text) is not None


@lru_cache(maxsize=4096)  # images have some hundred different licences, and thousands of packages
def spdx_expression(text: str) -> str | None:
    """The text as an SPDX licence expression in its canonical form, or None if it is none."""
    if len(text) > _MAX_EXPRESSION:
        return None
    try:
        return canonicalize_license_expression(text)
    except InvalidLicenseExpression:
        return None


def is_license_id(expression: str) -> bool:
    """Tell whether a canonical expression is the id of one licence of SPDX's list."""
    return not expression.startswith(_LICENSE_REF) and not expression.endswith("+") and " " not in expression


class LicenseRefs:
    """Names for licences that SPDX's list does not have, as its expressions want them, collected for one document."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self._declared: dict[tuple[str, ...], str] = {}

    def declare(self, licenses: tuple[str, ...]) -> str:
        """One expression that says that all of these hold; empty for none."""
        if licenses not in self._declared:
            terms = list(dict.fromkeys(map(self._term, licenses)))
            self._declared[licenses] = terms[0] if len(terms) == 1 else " AND ".join(f"({one})" if " OR " in one else one for one in terms)
        return self._declared[licenses]

    def _term(self, text: str) -> str:
        expression = spdx_expression(text)
        if expression is None:
            slug = _NO_REF.sub("-", text).strip("-.")[:40] or "license"
            expression = f"{_LICENSE_REF}{slug}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
            self.texts[expression] = text
            return expression
        for ref in refs_in(expression):
            self.texts.setdefault(ref, ref)
        return expression


def refs_in(expression: str) -> list[str]:
    """The licences that an expression names and SPDX's list does not have."""
    return list(dict.fromkeys(_REF.findall(expression)))
