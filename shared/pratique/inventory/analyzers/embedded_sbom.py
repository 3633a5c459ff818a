"""SBOMs that came with the image's software: CycloneDX (JSON, XML), SPDX 2 (JSON, tag-value), SPDX 3 (JSON), Syft's own JSON, Bitnami's list of components.

An SBOM names packages that no package manager in the image has recorded (statically linked libraries, what was compiled into `/opt`). Found under the names that
their specifications and Trivy, Syft and scalibr use. A file named so that is no SBOM means nothing: `bom.json` is anybody's name, `LICENSE.spdx` holds a
licence. What says that it is an SBOM and cannot be read is a gap, and so is SPDX as RDF or YAML.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from pratique.errors import InvalidRecord, LimitExceeded
from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._purls import package_from_purl
from pratique.inventory.analyzers._sbom_formats import Component, read_bitnami_list, read_json, read_tag_value
from pratique.inventory.analyzers._sbom_xml import read_xml
from pratique.inventory.package import Package, PackageDetails

MAX_COMPONENTS = 100_000  # of one SBOM: twenty times a large image's; each is a row, and is matched
BITNAMI = "opt/bitnami/"

_BITNAMI_LIST = ".bitnami_components.json"
_SUFFIXES = (
    ".spdx",
    ".spdx.json",
    ".cdx",
    ".cdx.json",
    ".bom.json",
    ".sbom.json",
    ".sbom",
    ".syft.json",
    ".spdx.xml",
    ".cdx.xml",
    ".spdx.rdf",
    ".spdx.yaml",
    ".spdx.yml",
)
_NAMES = frozenset({"bom.json", "sbom.json", "sbom", "sbom.xml", "bom.xml", _BITNAMI_LIST})
_PREFIXED = re.compile(r"\.spdx[.-].*\.(?:json|spdx)")  # Docker's hardened images: .spdx.python.json
_HEAD = 64 * 1024  # bytes among which an SBOM says what it is
_JSON_SIGNS = re.compile(
    rb'"(?:bomFormat"\s*:\s*"CycloneDX|spdxVersion"\s*:\s*"SPDX-2|artifactRelationships"\s*:|@context"\s*:\s*"https://spdx\.org/rdf/3)'
)
_XML_SIGN = re.compile(rb"xmlns(?::\w+)?\s*=\s*[\"']http://cyclonedx\.org/schema/bom")
_FOREIGN_SIGNS = re.compile(rb"[\"']http://spdx\.org/rdf/terms#|^spdxVersion:\s*[\"']?SPDX-", re.MULTILINE)


def parse(file: LayerFile) -> Iterator[Package | PackageDetails]:
    """Yield the packages that the SBOM names by package URL, in its order and each once; components without one are files, systems and the like.

    Raises InvalidRecord for an SBOM that cannot be read, or is in a form that is not, and after the others for package URLs that cannot be; LimitExceeded after
    MAX_COMPONENTS.
    """
    name = file.path.rpartition("/")[2]
    if name == _BITNAMI_LIST:
        yield from _packages(read_bitnami_list(file.content), file.path)
        return
    head = file.content[:_HEAD]
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") and _is_json_sbom(file.content, head):
        yield from _packages(read_json(file.content), file.path)
    elif re.search(rb"^SPDXVersion:\s*SPDX-2", head, re.MULTILINE):
        yield from _packages(read_tag_value(file.content), file.path)
    elif _XML_SIGN.search(head):
        yield from _packages((Component(purl=purl, version=version) for purl, version in read_xml(file.content)), file.path)
    elif _FOREIGN_SIGNS.search(head):
        raise InvalidRecord("an SBOM in a form that is not read: SPDX as RDF or YAML")


def _is_json_sbom(content: bytes, head: bytes) -> bool:
    """Keys may stand in any order: Syft's own say what they are at the end."""
    return _JSON_SIGNS.search(head) is not None or _JSON_SIGNS.search(content) is not None


def _packages(components: Iterable[Component], path: str) -> Iterator[Package | PackageDetails]:
    seen: set[tuple[str, str]] = set()
    problem: InvalidRecord | None = None
    for count, component in enumerate(components):
        if count >= MAX_COMPONENTS:
            raise LimitExceeded(f"an SBOM of more than {MAX_COMPONENTS} components")
        key = (component.purl, component.version)
        if key in seen:
            continue
        seen.add(key)
        try:
            package = package_from_purl(component.purl, component.version, component.licenses, component.cpes)
        except InvalidRecord as error:
            problem = problem or error
            continue
        if package is not None:
            yield package
            yield from _bitnami_tree(package, path)
    if problem is not None:
        raise problem


def _bitnami_tree(package: Package, path: str) -> Iterator[PackageDetails]:
    """Bitnami puts an SBOM into the directory of the component that it is about: `opt/bitnami/redis/.spdx-redis.spdx`."""
    directory = path.rpartition("/")[0]
    if package.type == "bitnami" and directory == BITNAMI + package.name:
        yield PackageDetails(
            type="bitnami", name=package.name, version=package.version, architecture=package.architecture, directories=(directory,)
        )


def _is_wanted(path: str) -> bool:
    name = path.rpartition("/")[2]
    return name in _NAMES or name.endswith(_SUFFIXES) or _PREFIXED.fullmatch(name) is not None


ANALYZER = Analyzer(
    name="embedded-sbom",
    version=1,
    paths=PathPattern(names=_NAMES, suffixes=(*_SUFFIXES, ".json"), accept=_is_wanted),
    parse=parse,
    max_bytes=64 * 1024 * 1024,  # those of whole images with 10,000 packages and their files
)
