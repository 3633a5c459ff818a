"""Components of SBOMs: CycloneDX in JSON and XML, SPDX 2 and 3 in JSON, SPDX 2 tag-value, Syft's own JSON, Bitnami's list."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

import msgspec

from pratique.errors import InvalidRecord, LimitExceeded
from pratique.inventory.analyzers._json_records import decode_json
from pratique.inventory.analyzers._wording import known_lines

MAX_LISTED = 100_000  # values in Bitnami's list: real ones have 100; each entry takes memory twice
MAX_NESTING = 50  # components in components: real ones have 5; each level is a call
_SOURCE = frozenset({"SOURCE", "CONTAINER", "OPERATING-SYSTEM", "OPERATING_SYSTEM", "DEVICE", "FIRMWARE"})
_NOT_STATED = frozenset({None, "NONE", "NOASSERTION"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """What an SBOM says of a package: `version` beside a package URL without one."""

    purl: str
    version: str = ""
    licenses: tuple[str, ...] = ()
    cpes: tuple[str, ...] = ()


class _License(msgspec.Struct, gc=False):
    id: str | None = None
    name: str | None = None


class _LicenseChoice(msgspec.Struct):
    license: _License | None = None
    expression: str | None = None


class _CdxComponent(msgspec.Struct):
    type: str | None = None
    name: str | None = None
    purl: str | None = None
    version: str | None = None
    scope: str | None = None
    cpe: str | None = None
    licenses: list[_LicenseChoice] | None = None
    components: list[_CdxComponent] | None = None


class _SpdxReference(msgspec.Struct, rename="camel", gc=False):
    reference_type: str | None = None
    reference_locator: str | None = None


class _SpdxPackage(msgspec.Struct, rename="camel"):
    name: str | None = None
    version_info: str | None = None
    primary_package_purpose: str | None = None
    license_declared: str | None = None
    license_concluded: str | None = None
    external_refs: list[_SpdxReference] | None = None


class _SyftArtifact(msgspec.Struct, gc=False):
    purl: str | None = None
    version: str | None = None


class _Spdx3Element(msgspec.Struct, gc=False):
    purl: str | None = msgspec.field(name="software_packageUrl", default=None)
    version: str | None = msgspec.field(name="software_packageVersion", default=None)
    purpose: str | None = msgspec.field(name="software_primaryPurpose", default=None)


class _Document(msgspec.Struct):
    components: list[_CdxComponent] | None = None
    packages: list[_SpdxPackage] | None = None
    artifacts: list[_SyftArtifact] | None = None
    graph: list[_Spdx3Element] | None = msgspec.field(name="@graph", default=None)


class _BitnamiEntry(msgspec.Struct):
    version: str | None = None
    arch: str | None = None


_DOCUMENTS = msgspec.json.Decoder(_Document)
_BITNAMI = msgspec.json.Decoder(dict[str, _BitnamiEntry])


def read_json(content: bytes) -> Iterator[Component]:
    """Yield the components with package URLs of a CycloneDX, SPDX 2, SPDX 3 or Syft document, outer before inner.

    Left out: what CycloneDX calls `excluded` (tests, development), what SPDX calls sources or containers, and what the document itself describes in `metadata`.

    Raises InvalidRecord for other documents, LimitExceeded for too many values or components nested too deeply.
    """
    document = decode_json(_DOCUMENTS, content, "an SBOM")
    yield from _cyclonedx(document.components or [], 0)
    for package in document.packages or ():
        yield from _spdx(package)
    for artifact in document.artifacts or ():
        if artifact.purl:
            yield Component(purl=artifact.purl, version=artifact.version or "")
    for element in document.graph or ():
        if element.purl and (element.purpose or "").upper() not in _SOURCE:
            yield Component(purl=element.purl, version=element.version or "")


def _cyclonedx(components: list[_CdxComponent], depth: int) -> Iterator[Component]:
    if depth > MAX_NESTING:
        raise LimitExceeded(f"components nested deeper than {MAX_NESTING}")
    for component in components:
        if component.scope == "excluded":
            continue
        cpes = _cpes(component.cpe)
        purl = component.purl or _generic_purl(component.name, cpes, component.type)
        if purl:
            yield Component(
                purl=purl,
                version=component.version or "",
                licenses=known_lines(_choice(choice) for choice in component.licenses or ()),
                cpes=cpes,
            )
        yield from _cyclonedx(component.components or [], depth + 1)


def _choice(choice: _LicenseChoice) -> str | None:
    if choice.license is not None:
        return choice.license.id or choice.license.name
    return choice.expression


def _spdx(package: _SpdxPackage) -> Iterator[Component]:
    if (package.primary_package_purpose or "").upper() in _SOURCE:
        return
    references = [(reference.reference_type or "", reference.reference_locator or "") for reference in package.external_refs or ()]
    stated = [text for text in (package.license_declared, package.license_concluded) if text not in _NOT_STATED]
    cpes = _cpes(*(locator for kind, locator in references if kind.endswith("cpe23Type")))
    purls = [locator for kind, locator in references if kind.endswith("purl")]
    for purl in purls or [_generic_purl(package.name, cpes)]:
        if purl:
            yield Component(
                purl=purl,
                version=package.version_info if package.version_info not in _NOT_STATED and package.version_info else "",
                licenses=known_lines(stated[:1]),
                cpes=cpes,
            )


def _generic_purl(name: str | None, cpes: tuple[str, ...], kind: str | None = None) -> str:
    """A package URL for software that is told by its CPE name alone."""
    return f"pkg:generic/{quote(name, safe='')}" if name and cpes and (kind or "").upper() not in _SOURCE else ""


def _cpes(*found: str | None) -> tuple[str, ...]:
    return tuple(cpe for cpe in found[:20] if cpe and cpe.startswith("cpe:2.3:") and len(cpe) <= 512 and cpe.isprintable())  # noqa: PLR2004 - as MAX_WORD


def read_tag_value(content: bytes) -> Iterator[Component]:
    """Yield the package URLs of an SPDX 2 document in tag-value form: `ExternalRef: PACKAGE-MANAGER purl pkg:…` below `PackageVersion:`."""
    version = ""
    for line in io.BytesIO(content):
        tag, _, value = line[:4096].decode("utf-8", "replace").partition(":")
        words = value.split()
        if tag == "PackageName":
            version = ""
        elif tag == "PackageVersion":
            version = words[0] if words and words[0] not in _NOT_STATED else ""
        elif tag == "ExternalRef" and len(words) >= 3 and words[1].endswith("purl"):  # noqa: PLR2004 - category, type, locator
            yield Component(purl=words[2], version=version)


def read_bitnami_list(content: bytes) -> Iterator[Component]:
    """Yield the components of `.bitnami_components.json`, which older images have: names to `version`, `arch`, `distro`. Raises InvalidRecord."""
    for name, entry in decode_json(_BITNAMI, content, "Bitnami's list of components", MAX_LISTED).items():
        if not entry.version:
            raise InvalidRecord(f"no version of {name[:80]}")
        architecture = f"?arch={quote(entry.arch, safe='')}" if entry.arch else ""
        yield Component(purl=f"pkg:bitnami/{quote(name, safe='')}@{quote(entry.version, safe='')}{architecture}")
