"""From the layers of an image to what is installed in it.

1. index the analyzed files by path, and which layers hide which of those paths;
2. keep each file's topmost record, if no higher layer hides it;
3. trace each of its packages down to the layer that introduced it;
4. name the distribution, and with it the ecosystem of its packages;
5. attribute language packages to the OS packages that installed them;
6. sum up the coverage: what was not read, or was read and means nothing to us, is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pratique.inventory.analyzer import AnalyzerId
from pratique.inventory.coverage import CoverageItem, CoverageStatus
from pratique.inventory.distribution import choose_distribution, package_type_of
from pratique.inventory.image_view import ImageView
from pratique.inventory.inventory import Inventory
from pratique.inventory.layer_stack import Hidings, History, ScannedLayer
from pratique.inventory.merge_coverage import MERGE_VERSION, sum_coverage
from pratique.inventory.ownership import Guess, attribute_packages, describe_packages, drop_guesses, find_owners
from pratique.inventory.package import OS_PACKAGE_TYPES, Distribution, InstalledPackage, Package

MAX_PACKAGES = 200_000  # distinct ones of one image: ten times the largest real ones; each is a row, and is matched

MAX_CPES = (
    64  # of one package, where several records name some: real ones have up to ten; each is a condition that advisories are asked for
)

_RULED_OUT_BY = {"binaries": OS_PACKAGE_TYPES, "elf-package": OS_PACKAGE_TYPES, "dotnet-binary": OS_PACKAGE_TYPES | {"nuget"}}
"""Analyzers that recognise software in its own bytes, and the types of packages that tell nothing new when found so in one of their files."""

_RETOLD_BY = frozenset({"embedded-sbom"})
"""Analyzers of records about records."""

_MISREAD_BY = {"vscode": "node"}
"""Analyzers that know what a file is, and the one that takes the same file for a package of its own: an extension's `package.json` is no npm package."""


def merge_layers(view: ImageView, analyzers: Sequence[AnalyzerId], *, max_packages: int = MAX_PACKAGES) -> Inventory:
    """Merge the layers of one image. Pure and deterministic; 50,000 packages take about two seconds.

    A file's facts count if it is visible in the final image: not whited out, not below a directory that a higher layer made opaque, not at or below a
    path where a higher layer has something that is not a directory. Markers act on lower layers only (OCI image-spec, "layer.md").
    Of more than `max_packages` distinct packages the first are kept, and the coverage says so.
    """
    distribution = choose_distribution(_distributions(view.histories))
    found, is_cut = _collect_packages(_without_misread(view.histories), view.hidings, max_packages)
    _merge_told_twice(found)
    told, guesses = _tell_guesses(found.values(), distribution, view.layers)
    owners = find_owners(told, guesses, view, distribution)
    packages = (*attribute_packages(told, owners), *drop_guesses(guesses, owners))
    packages = describe_packages(sorted(packages, key=_order), view.owned)
    coverage = sum_coverage(_with_gaps_that_count(view), analyzers, distribution, packages)
    if is_cut:
        reason = f"more than {max_packages} distinct packages: only the first {max_packages} are listed"
        coverage = coverage.with_items([CoverageItem(name="packages", version=MERGE_VERSION, status=CoverageStatus.PARTIAL, reason=reason)])
    return Inventory(distribution=distribution, packages=packages, coverage=coverage)


def _without_misread(histories: Sequence[History]) -> list[History]:
    """The records without those of files that an analyzer which knows better has found a package in."""
    misread = {(one.path, _MISREAD_BY[one.analyzer]) for one in histories if one.analyzer in _MISREAD_BY and one.files[-1].packages}
    return [one for one in histories if (one.path, one.analyzer) not in misread]


def _merge_told_twice(found: dict[_Identity, _Origin]) -> None:
    """Merge what an SBOM inside the image repeats of what the image itself shows: qualifiers, and of OS packages the namespace and the source, are told differently there."""
    known = {_loose_identity(origin.package): origin for origin in found.values() if origin.analyzers - _RETOLD_BY}
    for identity, origin in list(found.items()):
        same = known.get(_loose_identity(origin.package)) if origin.analyzers <= _RETOLD_BY else None
        if same is not None:
            same.paths |= origin.paths
            same.package = _described(same.package, origin.package)
            del found[identity]


def _loose_identity(package: Package) -> _Identity:
    namespace = "" if package.is_os_package else package.namespace
    return (package.type, namespace, package.name, package.version)


def _tell_guesses(
    origins: Iterable[_Origin], distribution: Distribution | None, layers: Sequence[ScannedLayer]
) -> tuple[list[InstalledPackage], list[Guess]]:
    """Install what was found, and set apart what nothing but its own bytes tells of."""
    told: list[InstalledPackage] = []
    guesses: list[Guess] = []
    for origin in origins:
        installed = _install(origin, distribution, layers)
        if origin.analyzers <= _RULED_OUT_BY.keys():
            ruling = frozenset.union(*(_RULED_OUT_BY[analyzer] for analyzer in origin.analyzers))
            guesses.append(Guess(installed=installed, ruled_out_by=ruling))
        else:
            told.append(installed)
    return told, guesses


def _with_gaps_that_count(view: ImageView) -> list[ScannedLayer]:
    """A file that could not be read, and that a higher layer removes or replaces, is no gap in the image; one that only the whole image leads to is."""
    unread: dict[int, list[CoverageItem]] = {}
    for position, gap in view.unread:
        unread.setdefault(position, []).append(gap)
    kept = []
    for position, layer in enumerate(view.layers):
        result = layer.result
        if result is not None and (result.gaps or position in unread):
            gaps = [gap for gap in result.gaps if not gap.path or view.hidings.first_after(gap.path, position) is None]
            layer = replace(layer, result=replace(result, gaps=(*gaps, *unread.get(position, ()))))  # noqa: PLW2901 - the same layer
        kept.append(layer)
    return kept


_Identity = tuple[object, ...]


@dataclass(slots=True, kw_only=True)
class _Origin:
    package: Package
    paths: set[str]
    analyzers: set[str]
    layer: int


def _identity(package: Package) -> _Identity:
    """What makes two records the same package. The source belongs to it: advisories speak about that."""
    qualifiers = tuple(sorted(package.qualifiers.items())) if package.qualifiers else ()
    return (
        *(package.type, package.namespace, package.name, package.version, package.architecture),
        *(package.source_name or "", package.source_version or "", qualifiers),
    )


def _collect_packages(visible: Iterable[History], hidings: Hidings, limit: int) -> tuple[dict[_Identity, _Origin], bool]:
    """The first `limit` distinct packages, and whether there are more."""
    found: dict[_Identity, _Origin] = {}
    is_cut = False
    for history in visible:
        for identity, (package, layer) in _trace_packages(history, hidings).items():
            origin = found.get(identity)
            if origin is None and len(found) >= limit:
                is_cut = True
            elif origin is None:
                found[identity] = _Origin(package=package, paths={history.path}, analyzers={history.analyzer}, layer=layer)
            else:
                origin.paths.add(history.path)
                origin.analyzers.add(history.analyzer)
                origin.package = _described(origin.package, package)
                origin.layer = min(origin.layer, layer)
    return found, is_cut


def _described(package: Package, other: Package) -> Package:
    """The package with what only another record of it describes."""
    more = {name: value for name in ("vendor", "licenses") if not getattr(package, name) and (value := getattr(other, name))}
    if not set(other.cpes) <= set(package.cpes):
        more["cpes"] = tuple(sorted({*package.cpes, *other.cpes})[:MAX_CPES]) if package.cpes else other.cpes
    return replace(package, **more) if more else package


def _trace_packages(history: History, hidings: Hidings) -> Mapping[_Identity, tuple[Package, int]]:
    """Find for each package of the topmost record the lowest layer from which on every state of the image has had it in this file."""
    traced = {_identity(package): (package, history.layers[-1]) for package in history.files[-1].packages}
    unbroken = set(traced)
    for index in range(len(history.layers) - 2, -1, -1):
        layer = history.layers[index]
        if not unbroken or hidings.first_after(history.path, layer) != history.layers[index + 1]:
            break
        unbroken &= {_identity(package) for package in history.files[index].packages}
        traced.update((identity, (traced[identity][0], layer)) for identity in unbroken)
    return traced


def _distributions(visible: Iterable[History]) -> Iterator[Distribution]:
    for history in visible:
        distribution = history.files[-1].distribution
        if distribution is not None:
            yield replace(distribution, path=history.path)


def _install(origin: _Origin, distribution: Distribution | None, layers: Sequence[ScannedLayer]) -> InstalledPackage:
    """A package of another package manager than the distribution's (dpkg's on Alpine) is not the distribution's: its ecosystem stays unknown."""
    package = origin.package
    if distribution is not None and package_type_of(distribution) in {None, package.type}:
        package = package.in_distribution(distribution)
    return InstalledPackage(package=package, paths=tuple(sorted(origin.paths)), layer=layers[origin.layer].digest)


def _order(installed: InstalledPackage) -> tuple[object, ...]:
    return (installed.package.purl, installed.package.source_name or "", installed.package.source_version or "")
