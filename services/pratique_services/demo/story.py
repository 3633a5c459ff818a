"""`pratique demo`: from a push to a verdict and its consequences, real end to end in one process, and checked as it goes.

1. Set up what it takes in a temporary directory, and start all services on the embedded default.
2. Push an image that is sound, one with a fixable critical, and one that cannot be read. Follow each to its end, and look in the registry
   and in the chat whether what should have happened did.
3. Push what is known already: no layer is read again, and nobody is told twice.
4. Sum up, and leave the pages open.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pratique.errors import SettingsError
from pratique.runtime.logging import configure_logging
from pratique.runtime.resources import Resources
from pratique_services.cli.main import EXIT_OK, EXIT_UNFINISHED, EXIT_VIOLATED
from pratique_services.cli.serving import SERVICES, serve
from pratique_services.demo.console import Narrator
from pratique_services.demo.following import Follower, NothingCame, Outcome
from pratique_services.demo.scenes import show_again, show_broken, show_clean, show_vulnerable
from pratique_services.demo.seals import list_names
from pratique_services.demo.site import POLICY, Site, open_site

LOG = "demo.log"
_DIGEST = re.compile(r"(sha256:[0-9a-f]{12})[0-9a-f]{52}")


async def run_demo(*, port: int, once: bool, keep: bool = False, policy: Path = POLICY) -> int:
    """Run the demo and answer its exit code: 0 when every check held, 1 when one did not, 3 when it was interrupted before the end.

    `port` is that of the pages, 0 for any; `policy` is the document that images are judged by. The directory it all lies in is removed at the end, unless
    `keep` is set or something went wrong: the log is in it. Raises PratiqueError.
    """
    story = _Story(once=once)
    folder = Path(tempfile.mkdtemp(prefix="pratique-demo-"))
    is_kept = True
    try:
        with _logging_to(folder / LOG):
            code = await story.run(folder, port=port, policy=policy)
        is_kept = keep or code == EXIT_VIOLATED
        return code
    except (asyncio.CancelledError, SettingsError):  # Ctrl-C before the services were there to take it; a port that is taken
        is_kept = keep
        raise
    finally:
        story.narrator.end()
        if is_kept:
            story.narrator.say(f"Kept, with {LOG} in it: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
            story.narrator.say("What the demo made is removed.")


@contextlib.contextmanager
def _logging_to(path: Path) -> Iterator[None]:
    with path.open("a") as stream:
        configure_logging("demo", stream=stream)
        try:
            yield
        finally:
            logging.getLogger().handlers.clear()  # what is said after this is for standard error


class _Story:
    """One telling of it."""

    def __init__(self, *, once: bool) -> None:
        self.narrator = Narrator()
        self._once = once
        self._is_told = False

    async def run(self, folder: Path, *, port: int, policy: Path) -> int:
        """Set up, tell, and answer the exit code."""
        self.narrator.say("pratique demo: from a push to a verdict and its consequences", "bold")
        self.narrator.say(f"Everything is real, and on this machine only. Log: {folder / LOG}")
        self.narrator.begin("Set up")
        async with open_site(folder, self.narrator, port=port, policy=policy) as site:

            async def beside(address: str, resources: Resources) -> None:
                await self._tell(site, resources, address)

            await serve(tuple(SERVICES), site.settings, beside)
        self.narrator.end()
        if not self._is_told:
            self.narrator.say("Interrupted.")
            return EXIT_UNFINISHED
        self.narrator.say("")  # behind the ^C of a terminal
        self.narrator.say("All services have stopped.")
        return EXIT_VIOLATED if self.narrator.failures else EXIT_OK

    async def _tell(self, site: Site, resources: Resources, address: str) -> None:
        self.narrator.fact("services", f"{', '.join(SERVICES)}: all in this process, on {address}")
        follower = Follower(site=site, database=resources.database, narrator=self.narrator)
        outcomes: list[Outcome] = []
        try:
            for show in (show_clean, show_vulnerable, show_broken, show_again):
                outcomes += await show(follower)
        except NothingCame as error:
            self.narrator.fail(str(error))
        await self._sum_up(site, outcomes)
        self._is_told = True
        if not self._once and not self.narrator.failures:
            self.narrator.say(f"Now open {address} - Ctrl-C ends the demo.", "bold")
            await asyncio.Event().wait()

    async def _sum_up(self, site: Site, outcomes: list[Outcome]) -> None:
        self.narrator.begin("Sum up")
        rows = [
            [one.name, str(one.decision.verdict.status), _shorten(one.reason), await _find(site, one), f"{one.seconds:.2f} s"]
            for one in outcomes
        ]
        self.narrator.table(["image", "verdict", "why", "where it is now", "push to decision"], rows)
        self.narrator.end()
        held = self.narrator.checks - self.narrator.failures
        self.narrator.say(f"{held} of {self.narrator.checks} checks held.", "bold red" if self.narrator.failures else "bold green")


def _shorten(reason: str) -> str:
    """Leave out how many findings a reason is about, and cut digests to what tells them apart: all of it was told before."""
    return _DIGEST.sub(r"\1", reason.partition(": ")[2] or reason)


async def _find(site: Site, outcome: Outcome) -> str:
    """The names by which the image can be pulled now."""
    places = (outcome.repository, f"quarantine/{outcome.repository}")
    names = [name for place in places for name in await list_names(site.client, place, outcome.image.digest)]
    return "\n".join(names) or "nowhere"
