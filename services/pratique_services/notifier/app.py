"""Composition of the notifier: every receiver's address is checked at start-up."""

from __future__ import annotations

import aiohttp

from pratique.chat.receivers import check_receiver
from pratique.messages import DecisionTaken
from pratique.runtime.concurrency import run_together
from pratique.runtime.consuming import counted
from pratique.runtime.policy_file import load_policy
from pratique.runtime.resources import Resources
from pratique_services.notifier.composing import Composer
from pratique_services.notifier.consumer import Notifier

_PREFETCH = 4


async def run(resources: Resources) -> None:
    """Record and deliver notifications until cancelled."""
    settings = resources.settings
    for channel in settings.channels:
        check_receiver(channel.name, channel.url)
    async with aiohttp.ClientSession() as session:
        notifier = Notifier(
            database=resources.database,
            composer=Composer(settings=settings, document=load_policy(settings), vex=resources.vex),
            addresses={channel.name: channel.url for channel in settings.channels},
            retry=settings.retry,
            session=session,
        )
        consuming = resources.broker.consume(DecisionTaken.queue, counted(notifier.consume), prefetch=_PREFETCH)
        await run_together([consuming, notifier.deliver()])
