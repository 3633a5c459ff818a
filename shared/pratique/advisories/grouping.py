"""Joins what several publishers say about one flaw in one package into one finding.

1. Matches that mean the very same flaw are one: one names the other's id as an alias, or both are about the same CVEs (PYSEC and GHSA; a DSA and its
   correction).
2. An update that covers several CVEs is taken up by the findings of those CVEs, if each of them has one; its severity too, where it is the worse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from pratique.advisories.advisory import FixState
from pratique.advisories.versions import SortKey, base_ecosystem
from pratique.findings import Severity

_NATIVE = {
    "Alpine": ("ALPINE-",),
    "Chainguard": ("CGA-",),
    "Debian": ("DEBIAN-", "DSA-", "DLA-", "DTSA-"),
    "Go": ("GO-",),
    "PyPI": ("PYSEC-",),
    "Ubuntu": ("UBUNTU-", "USN-", "LSN-"),
    "Wolfi": ("CGA-",),
    "crates.io": ("RUSTSEC-",),
    "npm": ("GHSA-",),
}
"""How the ids of an ecosystem's own publisher begin: theirs is the id a finding is called by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One advisory that affects one package, as far as a finding needs it.

    `fixed_in` is None while there is no fix; with a `channel` (`esm-infra`, `eus-9.2`) only who has that gets it. `state` is what the publisher means to do.
    """

    id: str
    aliases: tuple[str, ...]
    equals: tuple[str, ...]
    title: str
    severity: Severity
    severity_source: str
    references: tuple[str, ...]
    fixed_in: str | None
    state: FixState = FixState.AFFECTED
    channel: str = ""

    @property
    def is_malware(self) -> bool:
        """Tell whether one of its names is that of a report of malware."""
        return any(name.startswith("MAL-") for name in (self.id, *self.aliases))

    @property
    def cves(self) -> frozenset[str]:
        """The CVEs it is about."""
        return frozenset(name for name in (self.id, *self.aliases) if name.startswith("CVE-"))


def group_matches(ecosystem: str, matches: Sequence[Match], key: Callable[[str], SortKey]) -> tuple[Match, ...]:
    """Join the matches of one package, worst severity first, then by id. `key` sorts its versions."""
    if len(matches) < 2:  # noqa: PLR2004 - one match is its own group; most packages have none
        return tuple(matches)
    groups = _equal_groups(matches)
    joined = [_join(ecosystem, group, key) for group in groups]
    taken_up = _take_up_updates(joined)
    return tuple(sorted(taken_up, key=lambda match: (-match.severity, match.id)))


def _equal_groups(matches: Sequence[Match]) -> list[list[Match]]:
    # each match has labels, and matches that share a label are one group
    groups: dict[str, list[Match]] = {}
    for match in matches:
        labels = {match.id, *match.equals}
        if match.cves:
            labels.add(" ".join(sorted(match.cves)))
        group = [match]
        for other in {id(found): found for label in labels if (found := groups.get(label))}.values():
            group += other
        for member in group:
            labels |= {member.id, *member.equals, *([" ".join(sorted(member.cves))] if member.cves else [])}
        groups |= dict.fromkeys(labels, group)
    return list({id(group): group for group in groups.values()}.values())


def _join(ecosystem: str, group: Sequence[Match], key: Callable[[str], SortKey]) -> Match:
    ordered = sorted(group, key=lambda match: _preference(ecosystem, match.id))
    first = ordered[0]
    worst = max(ordered, key=lambda match: match.severity)
    fixes = [match.fixed_in for match in ordered if match.fixed_in is not None]
    return replace(
        first,
        aliases=_names(ordered, without=first.id),
        title=next((match.title for match in ordered if match.title), ""),
        severity=worst.severity,
        severity_source=worst.severity_source,
        references=tuple(dict.fromkeys(url for match in ordered for url in match.references)),
        fixed_in=max(fixes, key=key, default=None),  # the publishers disagree at times: the higher one satisfies all
    )


def _preference(ecosystem: str, name: str) -> tuple[int, str]:
    order = (_NATIVE.get(base_ecosystem(ecosystem), ()), ("GHSA-",), ("CVE-",))
    return next((rank for rank, starts in enumerate(order) if name.startswith(starts)), len(order)), name


def _names(matches: Iterable[Match], *, without: str) -> tuple[str, ...]:
    names = {name for match in matches for name in (match.id, *match.aliases)} - {without}
    return tuple(sorted(names, key=lambda name: (not name.startswith("CVE-"), name)))


def _take_up_updates(matches: Sequence[Match]) -> list[Match]:
    singles = {cve: match for match in matches if len(match.cves) == 1 for cve in match.cves}
    kept = []
    for match in sorted(matches, key=lambda match: match.id):
        if len(match.cves) > 1 and match.cves <= singles.keys():
            for cve in match.cves:
                single = singles[cve]
                worst = max(single, match, key=lambda each: each.severity)  # the single's own where they agree
                singles[cve] = replace(
                    single,
                    aliases=tuple(dict.fromkeys((*single.aliases, match.id))),
                    severity=worst.severity,
                    severity_source=worst.severity_source,
                    fixed_in=single.fixed_in or match.fixed_in,
                )
        elif len(match.cves) != 1:
            kept.append(match)
    return kept + list(singles.values())
