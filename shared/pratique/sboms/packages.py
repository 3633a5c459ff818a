"""From the components of an SBOM to packages and a distribution, spelled as a scan spells them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote

from packageurl import PackageURL

from pratique.errors import InvalidRecord
from pratique.inventory.analyzers._purls import MAX_PURL, package_from_purl
from pratique.inventory.analyzers._recorded_paths import text_word
from pratique.inventory.analyzers._wording import known_lines, one_line
from pratique.inventory.distribution import ecosystem_of, other_ecosystems_of, package_type_of
from pratique.inventory.package import OS_PACKAGE_TYPES, Distribution, InstalledPackage, Package
from pratique.oci.digest import Digest
from pratique.sboms import facts
from pratique.sboms.contents import Component, Document, SbomContents

OPERATING_SYSTEM = "operating-system"

_SOFTWARE = frozenset({"", "library", "framework", "application", "firmware", "install"})
"""Kinds of components that are installed software, so that one of them that cannot be identified is a gap; SPDX 2.2 names none."""
_DISTRIBUTION_IDS = {
    "redhat": "rhel",
    "oracle": "ol",
    "amazon": "amzn",
    "alma": "almalinux",
    "cbl-mariner": "mariner",
    "suse linux enterprise server": "sles",
    "suse linux enterprise micro": "sle-micro",
    "opensuse.leap": "opensuse-leap",
    "opensuse.tumbleweed": "opensuse-tumbleweed",
}
"""Trivy's names of distributions, and purl namespaces, that are not the `ID` of os-release."""
_DIGEST = re.compile(r"(?<![0-9a-z])sha256(?::|%3A)([0-9a-f]{64})(?![0-9a-f])", re.IGNORECASE)
_DISTRO = re.compile(r"(?P<id>[a-z][a-z0-9_]*(?:-[a-z][a-z0-9_]*)*)(?:-(?P<version>\d[\w.]*))?", re.ASCII)
_LAYER = re.compile(r"sha(?:256:[0-9a-f]{64}|512:[0-9a-f]{128})")
_MAX_PATHS = 100  # of one package that are kept
_MAX_PATH = 4096  # characters: Linux's own limit
_MAX_NAMED = 5  # components that a problem names
_MAX_GAPS = 20  # of those that a document states about itself
_MAX_CPE = 512
_MAX_CPES = 20  # of one package: Syft guesses that many names


@dataclass(slots=True, kw_only=True)
class _Unread:
    """What was not understood: how many components, and which the first were."""

    what: str
    count: int = 0
    names: list[str] | None = None

    def add(self, name: str) -> None:
        self.count += 1
        self.names = [*(self.names or []), one_line(name, 60)] if self.count <= _MAX_NAMED else self.names

    @property
    def problem(self) -> str:
        more = ", …" if self.count > _MAX_NAMED else ""
        return f"{self.count} {self.what}: {', '.join(self.names or [])}{more}"


def collect_contents(document: Document) -> SbomContents:
    """Make packages of components. What an SBOM calls by a package URL is understood by that alone, and by pratique's own facts where it has them."""
    system = next((one for one in document.components if one.kind == OPERATING_SYSTEM), None)
    distribution = _distribution(system) if system else None
    unknown = _Unread(what="components without a package URL")
    broken = _Unread(what="components with an unreadable package URL, name or version")
    installed: dict[tuple[object, ...], InstalledPackage] = {}
    for component in document.components:
        try:
            found = _installed(component)
        except InvalidRecord:
            broken.add(component.purl or component.name)
            continue
        if found is not None:
            installed.setdefault(_identity(found), found)
        elif _is_unidentified(component):
            unknown.add(f"{component.name} {component.version}")
    distribution = distribution or _distribution_of([one.package for one in installed.values()])
    is_own = facts.COVERAGE in document.facts
    placed = installed.values() if is_own else (_placed(one, distribution) for one in installed.values())
    packages = sorted(_with_owners(list(placed)), key=lambda one: (one.package.purl, one.layer or ""))
    problems = [*(one.problem for one in (broken, unknown) if one.count), *_stated_gaps(document, bool(packages))]
    return SbomContents(
        form=document.form,
        reference=one_line(document.root.name if document.root else "", 500),
        digest=_digest(document.root) if document.root else None,
        distribution=distribution,
        packages=tuple(packages),
        problems=tuple(problems),
    )


def _with_owners(installed: Sequence[InstalledPackage]) -> Sequence[InstalledPackage]:
    """Believe in owners that are there: what an OS package owns is not matched, since its owner is."""
    if not any(one.owned_by for one in installed):
        return installed
    purls = {one.package.purl for one in installed}
    return [one if one.owned_by in purls else replace(one, owned_by=None) for one in installed]


def _identity(installed: InstalledPackage) -> tuple[object, ...]:
    package = installed.package
    qualifiers = tuple(sorted(package.qualifiers.items()))
    return package.type, package.namespace, package.name, package.version, package.architecture, qualifiers, installed.layer


def _installed(component: Component) -> InstalledPackage | None:
    package = _package(component)
    if package is None:
        return None
    known = component.facts
    layers = [layer for layer in known.get(facts.LAYER, ()) if _LAYER.fullmatch(layer)]
    owners = [purl for purl in known.get(facts.OWNED_BY, ()) if len(purl) <= MAX_PURL and purl.startswith("pkg:")]
    paths = [path.lstrip("/") for path in known.get(facts.PATH, ())[:_MAX_PATHS] if 0 < len(path) <= _MAX_PATH and "\0" not in path]
    return InstalledPackage(
        package=replace(package, vendor=one_line(component.vendor)),
        paths=tuple(dict.fromkeys(paths)),
        layer=layers[0] if layers else None,
        owned_by=owners[0] if owners else None,
    )


def _package(component: Component) -> Package | None:
    if component.kind == OPERATING_SYSTEM:
        return None
    cpes = tuple(dict.fromkeys(cpe for cpe in (*component.cpes, *component.facts.get(facts.CPE, ()))[:_MAX_CPES] if _is_cpe(cpe)))
    licenses = known_lines(component.licenses)
    purl = component.purl
    if not purl and cpes and component.kind in _SOFTWARE and component.name:
        purl = f"pkg:generic/{quote(component.name[:MAX_PURL], safe='')}"
    if not purl:
        return None
    if facts.ECOSYSTEM in component.facts:
        return _own_package(purl, component, licenses, cpes)
    package = package_from_purl(purl, component.version, licenses, cpes)
    return _with_source(package, *component.source) if package is not None else None


def _is_cpe(text: str) -> bool:
    return text.startswith("cpe:2.3:") and len(text) <= _MAX_CPE and text.isprintable()


def _own_package(purl: str, component: Component, licenses: tuple[str, ...], cpes: tuple[str, ...]) -> Package:
    """A package as pratique wrote it: name and version are the component's, where the package URL's canonical form may have changed them."""
    if len(purl) > MAX_PURL:
        raise InvalidRecord(f"a package URL of {len(purl)} characters")
    try:
        url = PackageURL.from_string(purl)
    except (ValueError, UnicodeError) as error:
        raise InvalidRecord(f"expected a package URL, got {purl[:80]!r}") from error
    qualifiers = dict(url.qualifiers) if isinstance(url.qualifiers, dict) else {}
    architecture = qualifiers.pop("arch", "")
    if url.type == "rpm":
        qualifiers.pop("epoch", "")
    name = text_word(component.name, "name")
    namespace = next(iter(component.facts.get(facts.NAMESPACE, ())), component.namespace or url.namespace or "")
    package = Package(
        type=url.type,
        namespace=text_word(namespace, f"namespace of {name}") if namespace else "",
        name=name,
        version=text_word(component.version, f"version of {name}"),
        architecture=text_word(architecture, f"architecture of {name}") if architecture else "",
        ecosystem=one_line(next(iter(component.facts[facts.ECOSYSTEM]), "")),
        qualifiers={key: one_line(value, MAX_PURL) for key, value in qualifiers.items()},
        licenses=licenses,
        cpes=cpes,
    )
    source, _, version = next(iter(component.facts.get(facts.SOURCE, ())), "").rpartition(" ")
    return _with_source(package, source, version)


def _with_source(package: Package, name: str, version: str) -> Package:
    if not name or package.type not in OS_PACKAGE_TYPES:
        return package
    version = text_word(version, f"source version of {package.name}") if version else package.version
    return replace(
        package,
        source_name=None if name == package.name else text_word(name, f"source of {package.name}"),
        source_version=None if version == package.version else version,
    )


def _is_unidentified(component: Component) -> bool:
    """Tell whether this is installed software that nothing identifies. Lock files and the like have no version."""
    return component.kind in _SOFTWARE and bool(component.version) and not component.purl


def _distribution(system: Component) -> Distribution | None:
    name = one_line(system.name, 80).lower()
    identifier = _DISTRIBUTION_IDS.get(name, name)
    version, pretty = one_line(system.version, 80), one_line(system.description)
    if not identifier:
        return None
    if facts.ECOSYSTEM in system.facts:
        ecosystem: str | None = one_line(system.facts[facts.ECOSYSTEM][0]) or None
        others = known_lines(system.facts.get(facts.OTHER_ECOSYSTEM, ()))
    else:
        ecosystem, others = ecosystem_of(identifier, version, pretty), other_ecosystems_of(identifier, version)
    return Distribution(id=identifier, version_id=version, pretty_name=pretty, ecosystem=ecosystem, other_ecosystems=others)


def _distribution_of(packages: Iterable[Package]) -> Distribution | None:
    """The distribution that most OS packages name in their package URLs, for SBOMs that list no operating system (Syft's SPDX)."""
    named = Counter(package.qualifiers["distro"] for package in packages if package.is_os_package and "distro" in package.qualifiers)
    for distro, _ in named.most_common(1):
        found = _DISTRO.fullmatch(distro)
        if found:
            identifier, version = _DISTRIBUTION_IDS.get(found["id"], found["id"]), found["version"] or ""
            return Distribution(
                id=identifier,
                version_id=version,
                ecosystem=ecosystem_of(identifier, version),
                other_ecosystems=other_ecosystems_of(identifier, version),
            )
    return None


def _placed(installed: InstalledPackage, distribution: Distribution | None) -> InstalledPackage:
    """A package of the distribution's own package manager that names no other distribution is the distribution's."""
    package = installed.package
    if distribution is None or package.type != package_type_of(distribution) or package.ecosystem not in {"", distribution.ecosystem}:
        return installed
    if _DISTRIBUTION_IDS.get(package.namespace, package.namespace) not in {"", distribution.id}:
        return installed
    return replace(installed, package=replace(package, namespace="").in_distribution(distribution))


def _digest(root: Component) -> Digest | None:
    for text in (root.version, root.purl):
        found = _DIGEST.search(text[:MAX_PURL])
        if found:
            return Digest("sha256", found[1].lower())
    return None


def _stated_gaps(document: Document, has_packages: bool) -> Sequence[str]:
    """What the document says is missing from it. One that lists nothing, and does not say that this is all, is no statement that nothing is there."""
    status = next(iter(document.facts.get(facts.COVERAGE, ())), "")
    gaps = [one_line(gap, 500) for gap in document.facts.get(facts.GAP, ())[:_MAX_GAPS]]
    if gaps:
        return [f"the SBOM says it lacks something: {gap}" for gap in gaps]
    if status not in {"", "complete"} or document.is_incomplete:
        return ["the SBOM says that it is incomplete"]
    if not has_packages and not status:
        return ["the SBOM lists no package"]
    return ()
