"""Joins what several publishers say about one flaw in one package into one finding.

1. Matches that mean the very same flaw are one: one names the other's id as an alias, or both are about the same CVEs (PYSEC and GHSA; a DSA and its
   correction).
2. An update that covers several CVEs is taken up by the findings of those CVEs, if each of them has one; which of its ratings and theirs counts is said in `ratings`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from pratique.advisories.advisory import FixState
from pratique.advisories.publishers import own_prefixes
from pratique.advisories.ratings import MAX_RATINGS, is_rated_by, order_ratings, severity_of
from pratique.advisories.versions import SortKey
from pratique.findings import Rating, Severity

_CACHED_NAMES = 8192  # of an advisory, half a KB each: what its names mean is asked some ten times while its package is matched


class Match(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One advisory that affects one package, as far as a finding needs it.

    `own` are the ratings of the record itself, `others` those of any record about the same CVEs; `ratings` are all of them in the order in which they count, which
    `group_matches` finds where it is not given.

    `fixed_in` is None while there is no fix; with a `channel` (`esm-infra`, `eus-9.2`) only who has that gets it. `state` is what the publisher means to do.
    """

    id: str
    aliases: tuple[str, ...]
    equals: tuple[str, ...]
    title: str
    references: tuple[str, ...]
    fixed_in: str | None
    state: FixState = FixState.AFFECTED
    channel: str = ""
    own: tuple[Rating, ...] = ()
    others: tuple[Rating, ...] = ()
    ratings: tuple[Rating, ...] = ()

    @property
    def cves(self) -> frozenset[str]:
        """The CVEs it is about."""
        return _meaning(self.id, self.aliases).cves

    @property
    def severity(self) -> Severity:
        """The severity that counts."""
        return severity_of(self.ratings)

    @property
    def is_malware(self) -> bool:
        """Tell whether one of its names is that of a report of malware."""
        return _meaning(self.id, self.aliases).is_malware


class _Meaning(NamedTuple):
    """What the names of an advisory mean; `label` is equal for those that are about the same CVEs, empty where there are none."""

    cves: frozenset[str]
    label: str
    is_malware: bool


@lru_cache(maxsize=_CACHED_NAMES)
def _meaning(name: str, aliases: tuple[str, ...]) -> _Meaning:
    names = (name, *aliases)
    cves = frozenset([one for one in names if one.startswith("CVE-")])
    return _Meaning(cves, " ".join(sorted(cves)), any(one.startswith("MAL-") for one in names))


def group_matches(ecosystem: str, matches: Sequence[Match], key: Callable[[str], SortKey]) -> tuple[Match, ...]:
    """Join the matches of one package, worst severity first, then by id. `key` sorts its versions."""
    own = own_prefixes(ecosystem)
    if len(matches) < 2:  # noqa: PLR2004 - one match is its own group; most packages have none
        return tuple(_rated(own, match) for match in matches)
    joined = [_rated(own, _join(own, group, key)) for group in _equal_groups(matches)]
    taken_up = _take_up_updates(own, joined)
    return tuple(sorted(taken_up, key=lambda match: (-match.severity, match.id)))


def without_cves(matches: Iterable[Match], cleared: frozenset[str]) -> list[Match]:
    """The matches without these CVEs; those that are about nothing else are left out."""
    left = []
    for match in matches:
        if match.cves.isdisjoint(cleared):
            left.append(match)
        elif match.cves - cleared:
            aliases, equals = (tuple(name for name in names if name not in cleared) for names in (match.aliases, match.equals))
            left.append(replace(match, aliases=aliases, equals=equals))
    return left


def _equal_groups(matches: Sequence[Match]) -> list[list[Match]]:
    # each match has labels, and matches that share a label are one group
    groups: dict[str, list[Match]] = {}
    for match in matches:
        labels = _labels(match)
        group = [match]
        for other in {id(found): found for label in labels if (found := groups.get(label))}.values():
            group += other
            for member in other:
                labels += _labels(member)
        groups |= dict.fromkeys(labels, group)
    return list({id(group): group for group in groups.values()}.values())


def _labels(match: Match) -> list[str]:
    label = _meaning(match.id, match.aliases).label
    return [match.id, *match.equals, label] if label else [match.id, *match.equals]


def _rated(own: tuple[str, ...], match: Match) -> Match:
    if match.ratings or not (match.own or match.others):
        return match
    return replace(match, ratings=order_ratings(own, (*match.own, *match.others)))


def _join(own: tuple[str, ...], group: Sequence[Match], key: Callable[[str], SortKey]) -> Match:
    if len(group) == 1:
        return group[0]
    ordered = sorted(group, key=lambda match: _preference(own, match.id))
    first = ordered[0]
    fixed_in, channel = _joint_fix(ordered, key)
    return replace(
        first,
        aliases=_names(ordered, without=first.id),
        title=next((match.title for match in ordered if match.title), ""),
        own=tuple(dict.fromkeys(rating for match in ordered for rating in match.own)),
        others=tuple(dict.fromkeys(rating for match in ordered for rating in match.others)),
        ratings=(),
        references=tuple(dict.fromkeys(url for match in ordered for url in match.references)),
        fixed_in=fixed_in,
        channel=channel,
    )


def _joint_fix(matches: Sequence[Match], key: Callable[[str], SortKey]) -> tuple[str | None, str]:
    """The fix, and its channel if not everybody gets one. The publishers disagree at times: the higher one satisfies all."""
    fixes = [(match.fixed_in, match.channel) for match in matches if match.fixed_in is not None]
    public = [fix for fix in fixes if not fix[1]]
    return max(public or fixes, key=lambda fix: key(fix[0]), default=(None, ""))


def _preference(own: tuple[str, ...], name: str) -> tuple[int, str]:
    order = (own, ("GHSA-",), ("CVE-",))
    return next((rank for rank, starts in enumerate(order) if name.startswith(starts)), len(order)), name


def _names(matches: Iterable[Match], *, without: str) -> tuple[str, ...]:
    names = {name for match in matches for name in (match.id, *match.aliases)} - {without}
    return tuple(sorted(names, key=lambda name: (not name.startswith("CVE-"), name)))


def _take_up_updates(own: tuple[str, ...], matches: Sequence[Match]) -> list[Match]:
    singles = {cve: match for match in matches if len(match.cves) == 1 for cve in match.cves}
    kept = []
    for match in sorted(matches, key=lambda match: match.id):
        if len(match.cves) > 1 and match.cves <= singles.keys():
            for cve in match.cves:
                single = singles[cve]
                fixed_in, channel = _own_fix(single, match)
                singles[cve] = replace(
                    single,
                    aliases=tuple(dict.fromkeys((*single.aliases, match.id))),
                    ratings=_with_update(own, single.ratings, match.own),
                    fixed_in=fixed_in,
                    channel=channel,
                )
        elif len(match.cves) != 1:
            kept.append(match)
    return kept + list(singles.values())


def _own_fix(single: Match, update: Match) -> tuple[str | None, str]:
    """The fix of one flaw that an update ends, too: what everybody gets before what only a channel has, what is said of the flaw itself before the update's."""
    fixes = [(match.fixed_in, match.channel) for match in (single, update) if match.fixed_in is not None]
    return min(fixes, key=lambda fix: bool(fix[1]), default=(None, ""))


def _with_update(own: tuple[str, ...], ratings: tuple[Rating, ...], update: tuple[Rating, ...]) -> tuple[Rating, ...]:
    """The ratings of one flaw and of an update that ends it and others, which is rated by the worst of them."""
    more = tuple(rating for rating in update if rating not in ratings)
    is_first = bool(more) and severity_of(more) > severity_of(ratings) and not (ratings and is_rated_by(own, ratings[0]))
    return ((*more[:1], *ratings, *more[1:]) if is_first else (*ratings, *more))[:MAX_RATINGS]
