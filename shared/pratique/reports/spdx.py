"""SPDX 2.3 JSON, built directly: the library takes seven times as long and needs a dozen packages; it judges in tests what is written here.

Inventories only: SPDX 2 has no place for vulnerabilities. The image contains its packages, and an OS package the language packages that came in it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from pratique import __version__
from pratique.inventory.package import InstalledPackage
from pratique.reports.report import Report
from pratique.reports.sbom_parts import TOOL, LicenseRefs, created_at, document_id, is_cpe, reference_name, unique_keys
from pratique.sboms.facts import CPE, NAMESPACE, coverage_facts, distribution_facts, package_facts, write_lines

NAMESPACE_ROOT = "https://pratique.dev/spdx"

_DOCUMENT = "SPDXRef-DOCUMENT"
_IMAGE = "SPDXRef-ContainerImage"
_OS = "SPDXRef-OperatingSystem"
_NO_ID = re.compile(r"[^A-Za-z0-9.-]+")
_MAIL = re.compile(r"(?P<name>[^<>()]+?) *<(?P<mail>[^<>()\s@]+@[^<>()\s@]+)>")

_Object = dict[str, Any]


def render_spdx(report: Report) -> bytes:
    """Render the report's inventory as an SPDX 2.3 JSON document. Packages stay in their order; the same report gives the same bytes but for the time."""
    refs = LicenseRefs()
    keys = unique_keys(report.packages)
    ids = [_spdx_id(installed, key) for installed, key in zip(report.packages, keys, strict=True)]
    packages = [_package(installed, one, refs) for installed, one in zip(report.packages, ids, strict=True)]
    document: _Object = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": _DOCUMENT,
        "name": reference_name(report),
        "documentNamespace": f"{NAMESPACE_ROOT}/{document_id(report)}",
        "creationInfo": {"created": created_at(), "creators": [f"Tool: {TOOL}-{__version__}"]},
        "comment": write_lines(coverage_facts(report.coverage)),
        "packages": [_image(report), *_operating_system(report), *packages],
        "relationships": _relationships(report, keys, ids),
    }
    if refs.texts:
        document["hasExtractedLicensingInfos"] = [
            {"licenseId": ref, "name": text, "extractedText": text} for ref, text in sorted(refs.texts.items())
        ]
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def _image(report: Report) -> _Object:
    image = _unanalyzed(_IMAGE, reference_name(report), "CONTAINER")
    digest = report.target.digest or ""
    if digest:
        image["versionInfo"] = digest
    if digest.startswith("sha256:"):
        image["checksums"] = [{"algorithm": "SHA256", "checksumValue": digest.removeprefix("sha256:")}]
    return image


def _operating_system(report: Report) -> list[_Object]:
    distribution = report.target.distribution
    if distribution is None:
        return []
    system = _unanalyzed(_OS, distribution.id, "OPERATING_SYSTEM")
    stated = {"versionInfo": distribution.version_id, "description": distribution.pretty_name}
    return [{**system, **{key: value for key, value in stated.items() if value}, "comment": write_lines(distribution_facts(distribution))}]


def _package(installed: InstalledPackage, spdx_id: str, refs: LicenseRefs) -> _Object:
    package = installed.package
    facts = package_facts(installed)
    if package.namespace and not package.is_os_package:
        facts.append((NAMESPACE, package.namespace))
    cpes = [cpe for cpe in package.cpes if is_cpe(cpe)]
    facts += [(CPE, cpe) for cpe in package.cpes if cpe not in cpes]
    document = _unanalyzed(spdx_id, package.name, "LIBRARY")
    document["versionInfo"] = package.version
    supplier = _actor(package.vendor)
    document["supplier"] = f"Organization: {supplier}" if supplier else "NOASSERTION"
    if package.is_os_package:
        document["sourceInfo"] = f"built package from: {package.matching_name} {package.matching_version}"
    if package.licenses:
        document["licenseDeclared"] = refs.declare(package.licenses)
    document["externalRefs"] = [
        {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": package.purl},
        *({"referenceCategory": "SECURITY", "referenceType": "cpe23Type", "referenceLocator": cpe} for cpe in cpes),
    ]
    document["comment"] = write_lines(facts)
    return document


def _unanalyzed(spdx_id: str, name: str, purpose: str) -> _Object:
    return {
        "SPDXID": spdx_id,
        "name": name,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "primaryPackagePurpose": purpose,
    }


def _spdx_id(installed: InstalledPackage, key: str) -> str:
    package = installed.package
    named = _NO_ID.sub("-", f"{package.type}-{package.name}")[:80]
    return f"SPDXRef-Package-{named}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"


def _actor(vendor: str) -> str:
    """`Name (mail)`; other parentheses would be read as a mail address. Empty for what names nobody: brackets and white space of any kind, which readers strip."""
    line = " ".join(vendor.split())
    if not line.strip("()<> "):
        return ""
    found = _MAIL.fullmatch(line)
    return f"{found['name']} ({found['mail']})" if found else line.replace("(", "[").replace(")", "]")


def _relationships(report: Report, keys: Sequence[str], ids: Sequence[str]) -> list[_Object]:
    by_key = dict(zip(keys, ids, strict=True))
    system = [(_IMAGE, _OS)] if report.target.distribution else []
    parts = [(_owner(installed, one, by_key), one) for installed, one in zip(report.packages, ids, strict=True)]
    return [_relationship(_DOCUMENT, "DESCRIBES", _IMAGE), *_contained(system), *_contained(parts)]


def _owner(installed: InstalledPackage, spdx_id: str, by_key: dict[str, str]) -> str:
    owner = by_key.get(installed.owned_by or "", _IMAGE)
    return _IMAGE if owner == spdx_id else owner


def _contained(pairs: Iterable[tuple[str, str]]) -> list[_Object]:
    return [_relationship(whole, "CONTAINS", part) for whole, part in pairs]


def _relationship(one: str, kind: str, other: str) -> _Object:
    return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}
