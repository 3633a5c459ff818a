"""The coverage of merged layers: one item per analyzer, and one for each reason why the inventory may say less than the image holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from pratique.inventory.analyzer import AnalyzerId
from pratique.inventory.coverage import Coverage, CoverageItem, CoverageStatus
from pratique.inventory.distribution import package_type_of
from pratique.inventory.layer_records import LAYER_GAP
from pratique.inventory.package import Distribution, InstalledPackage

if TYPE_CHECKING:
    from pratique.inventory.layer_stack import ScannedLayer

MERGE_VERSION = "1"

MAX_REASONS = 5  # reasons told of one item: an image with 10,000 broken files would fill every report
MAX_REASON = 300  # characters of one reason: it quotes paths, which the image chooses


def sum_coverage(
    layers: Sequence[ScannedLayer], analyzers: Sequence[AnalyzerId], distribution: Distribution | None, packages: Sequence[InstalledPackage]
) -> Coverage:
    """Sum up what the layers' scans left out and what the merge could not place."""
    gaps = [gap for layer in layers if layer.result is not None for gap in layer.result.gaps]
    items = [_analyzer_item(analyzer, gaps, layers) for analyzer in analyzers]
    items.extend(_other_items(gaps, {LAYER_GAP, *(analyzer.name for analyzer in analyzers)}))
    for layer in layers:
        items.extend(_layer_items(layer))
    for name, reason in (("distribution", _distribution_gap(distribution, packages)), ("packages", _packages_gap(layers, packages))):
        if reason:
            items.append(CoverageItem(name=name, version=MERGE_VERSION, status=CoverageStatus.PARTIAL, reason=reason))
    return Coverage(items=tuple(items))


def _analyzer_item(analyzer: AnalyzerId, gaps: Iterable[CoverageItem], layers: Sequence[ScannedLayer]) -> CoverageItem:
    """`failed` means that nothing this analyzer looked at could be read; with anything read it is `partial`."""
    version = str(analyzer.version)
    if layers and all(layer.result is None for layer in layers):
        return CoverageItem(name=analyzer.name, version=version, status=CoverageStatus.FAILED, reason="no layer could be read")
    own = [gap for gap in gaps if gap.name == analyzer.name]
    if not own:
        return CoverageItem(name=analyzer.name, version=version, status=CoverageStatus.COMPLETE)
    status = CoverageStatus.PARTIAL if _has_facts(analyzer, layers) else _worst(own)
    return CoverageItem(name=analyzer.name, version=version, status=status, reason=_join_reasons(own))


def _has_facts(analyzer: AnalyzerId, layers: Iterable[ScannedLayer]) -> bool:
    files = (file for layer in layers if layer.result is not None for file in layer.result.files)
    return any(file.analyzer == analyzer.name and (file.packages or file.distribution) for file in files)


def _other_items(gaps: Iterable[CoverageItem], told: set[str]) -> Iterator[CoverageItem]:
    """Gaps that are told nowhere else (other inspections'), one item a name."""
    by_name: dict[str, list[CoverageItem]] = {}
    for gap in gaps:
        if gap.name not in told:
            by_name.setdefault(gap.name, []).append(gap)
    for name in sorted(by_name):
        own = by_name[name]
        if all(gap.status is CoverageStatus.COMPLETE for gap in own):
            continue
        yield CoverageItem(name=name, version=own[0].version, status=_worst(own), reason=_join_reasons(own))


def _layer_items(layer: ScannedLayer) -> Iterator[CoverageItem]:
    """At most one item: why the layer could not be read, or what the pass over it left out on behalf of no analyzer."""
    own = [layer.gap] if layer.gap is not None else []
    own.extend(gap for gap in (layer.result.gaps if layer.result is not None else ()) if gap.name == LAYER_GAP)
    if own:
        reason = _join_reasons(own)
        text = reason if layer.digest in reason else f"{layer.digest}: {reason}"
        yield CoverageItem(name=LAYER_GAP, version=own[0].version, status=_worst(own), reason=text)


def _worst(gaps: Iterable[CoverageItem]) -> CoverageStatus:
    failed = all(gap.status is CoverageStatus.FAILED for gap in gaps)
    return CoverageStatus.FAILED if failed else CoverageStatus.PARTIAL


def _join_reasons(gaps: Iterable[CoverageItem]) -> str:
    reasons = list(dict.fromkeys(_cut(gap.reason) for gap in gaps if gap.reason))
    told = reasons[:MAX_REASONS]
    if len(reasons) > MAX_REASONS:
        told.append(f"and {len(reasons) - MAX_REASONS} more")
    return "; ".join(told) or "no reason was recorded"


def _cut(reason: str) -> str:
    return reason if len(reason) <= MAX_REASON else f"{reason[: MAX_REASON - 1]}…"


def _distribution_gap(distribution: Distribution | None, packages: Iterable[InstalledPackage]) -> str:
    """Say why OS packages meet no advisories, or why a distribution has none of its packages here; empty if all is well."""
    counts: dict[str, int] = {}
    for installed in packages:
        if installed.package.is_os_package:
            counts[installed.package.type] = counts.get(installed.package.type, 0) + 1
    total = sum(counts.values())
    if distribution is None:
        return f"no file names the distribution: {total} {_types(counts)} packages cannot be matched" if total else ""
    expected = package_type_of(distribution)
    strangers = {name: count for name, count in counts.items() if expected not in {None, name}}
    if strangers:
        return f"{sum(strangers.values())} {_types(strangers)} packages are not {distribution.label}'s and cannot be matched"
    if not total:
        return f"no package of {distribution.label} itself was found: its package database is missing, or of a kind that is not read"
    if distribution.ecosystem is None:
        return f"no advisories are published for {distribution.label}: {total} {_types(counts)} packages cannot be matched"
    return ""


def _types(counts: Iterable[str]) -> str:
    return " and ".join(sorted(counts))


def _packages_gap(layers: Iterable[ScannedLayer], packages: Sequence[InstalledPackage]) -> str:
    """An image that has files but no package we know (a static binary on scratch) is not clean but unknown; an empty one is complete."""
    if packages:
        return ""
    files = sum(layer.result.regular.count(chr(0)) for layer in layers if layer.result is not None)
    return f"no package was recognised: what the {files} files of the image are is not known" if files else ""
