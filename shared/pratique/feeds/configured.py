"""The plan that the settings mean."""

from __future__ import annotations

from pratique.feeds.plan import FeedPlan, SyncLimits
from pratique.runtime.settings import FeedsSettings


def plan_of(settings: FeedsSettings) -> FeedPlan:
    """Give the plan for a sync. What is wrong in it is told by `update_mirror`, before anything is asked for."""
    return FeedPlan(
        feeds=settings.enabled,
        ecosystems=settings.ecosystems,
        urls={str(name): url for name, url in settings.urls.items()},
        redirect_hosts=frozenset(settings.redirect_hosts),
        max_shrink=settings.max_shrink,
        concurrency=settings.concurrency,
        limits=SyncLimits(total_seconds=settings.timeout),
    )
