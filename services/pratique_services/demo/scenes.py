"""The scenes of the demo: each pushes, follows, and checks in registry and chat what should have become of it."""

from __future__ import annotations

import aiohttp

from pratique.errors import UnavailableError
from pratique.policy.verdict import VerdictStatus
from pratique_services.demo.following import Follower, Outcome
from pratique_services.demo.images import (
    FIXED_VERSION,
    VULNERABILITY,
    VULNERABLE_PACKAGE,
    make_broken_image,
    make_clean_image,
    make_vulnerable_image,
)
from pratique_services.demo.seals import find_seals, find_tag, list_names, verify_by_cosign
from pratique_services.demo.site import OWNERS

_CHAT_SECONDS = 10.0
_PAGE_SECONDS = 5.0


async def show_clean(follower: Follower) -> list[Outcome]:
    """A sound image is promoted, signed and attested."""
    follower.narrator.begin("Push an image that is sound")
    narrator, site, client = follower.narrator, follower.site, follower.site.client
    outcome = await follower.push("demo/clean", "1.0", make_clean_image())
    digest = outcome.image.digest
    _check_verdict(follower, outcome, VerdictStatus.PASS)
    narrator.check("attest, sign and promote are done", {"attest": "done", "sign": "done", "promote": "done"}, outcome.actions)
    narrator.check("1.0-cleared points to the digest that was judged", digest, await find_tag(client, outcome.repository, "1.0-cleared"))
    await _check_seals(follower, outcome.repository, outcome, is_signed=True)
    answer = await verify_by_cosign(site.public_key, f"{client.host}/{outcome.repository}@{digest}")
    if answer is None:
        narrator.fact("", "cosign is not on PATH, so it was not asked; it would verify with signing.pub", style="dim")
    else:
        narrator.check("cosign verifies it, too", "verified", answer)
    return [outcome]


async def show_vulnerable(follower: Follower) -> list[Outcome]:
    """An image with a fixable critical is quarantined, and its owner is told."""
    follower.narrator.begin("Push an image with a critical that an update would end")
    narrator, client = follower.narrator, follower.site.client
    outcome = await follower.push("demo/vulnerable", "1.0", make_vulnerable_image())
    digest, quarantine = outcome.image.digest, f"quarantine/{outcome.repository}"
    _check_verdict(follower, outcome, VerdictStatus.FAIL)
    narrator.check_parts(
        f"the reason names {VULNERABILITY} and its fix", [VULNERABILITY, VULNERABLE_PACKAGE, FIXED_VERSION], outcome.reason
    )
    narrator.check(f"it is in {quarantine}", digest, await find_tag(client, quarantine, str(digest)))
    narrator.check(f"it is gone from {outcome.repository}", None, await find_tag(client, outcome.repository, str(digest)))
    narrator.check(f"{outcome.name} is no name any more", [], await list_names(client, outcome.repository, digest))
    await _check_seals(follower, quarantine, outcome, is_signed=False)
    await _check_chat(follower, outcome, is_first=True)
    return [outcome]


async def show_broken(follower: Follower) -> list[Outcome]:
    """An image that cannot be read is neither good nor bad: it stays where it is, and is not cleared."""
    follower.narrator.begin("Push an image with a layer that cannot be read")
    narrator, client = follower.narrator, follower.site.client
    outcome = await follower.push("demo/broken", "1.0", make_broken_image())
    _check_verdict(follower, outcome, VerdictStatus.INCOMPLETE)
    rules = [reason.rule for reason in outcome.decision.verdict.reasons]
    narrator.check_parts("coverage is the reason", ["coverage"], " ".join(rules))
    narrator.check_parts("the reason names the layer", [str(outcome.image.layer_digests[-1])], outcome.reason)
    names = await list_names(client, outcome.repository, outcome.image.digest)
    narrator.check("it has its own name only: it is not promoted, and not taken away", [outcome.name], names)
    await _check_seals(follower, outcome.repository, outcome, is_signed=False)
    return [outcome]


async def show_again(follower: Follower) -> list[Outcome]:
    """What is known is not read again, and who was told is not told again."""
    follower.narrator.begin("Push what is known already: a rebuild, and the same image for another team")
    narrator, chat, host = follower.narrator, follower.site.chat, follower.site.client.host
    rebuilt = await follower.push("demo/vulnerable", "1.1", make_vulnerable_image("1.1"))
    elsewhere = await follower.push("demo/billing", "1.0", make_vulnerable_image())
    for outcome in (rebuilt, elsewhere):
        _check_verdict(follower, outcome, VerdictStatus.FAIL)
        narrator.check(f"{outcome.name} took 0 layer bytes from the registry", 0, outcome.fetched)
    await _check_chat(follower, elsewhere, is_first=False)
    # The rebuild was announced before the other image was pushed, whose message is here: one about the rebuild would be, too.
    told = chat.about(f"{host}/{rebuilt.repository}")
    narrator.check(f"nobody was told of {VULNERABILITY} in {rebuilt.repository} a second time", 1, len(told))
    return [rebuilt, elsewhere]


def _check_verdict(follower: Follower, outcome: Outcome, expected: VerdictStatus) -> None:
    follower.narrator.check(f"the verdict on {outcome.name} is {expected}", str(expected), str(outcome.decision.verdict.status))


async def _check_seals(follower: Follower, repository: str, outcome: Outcome, *, is_signed: bool) -> None:
    """Check signature, bundle and attestation with the public keys."""
    narrator = follower.narrator
    seals = await find_seals(follower.site.client, repository, outcome.image.digest, follower.site.keys)
    signed, not_signed = ("the {} verifies", "there is no {}")
    text = signed if is_signed else not_signed
    narrator.check(text.format("signature in cosign 2's layout (.sig)"), is_signed, seals.signature)
    narrator.check(text.format("signature in cosign 3's layout (bundle)"), is_signed, seals.bundle)
    verdict = outcome.decision.verdict.status
    narrator.check(f"an attestation that holds now says {verdict}, signed by the other key", verdict, seals.verdict)


async def _check_chat(follower: Follower, outcome: Outcome, *, is_first: bool) -> None:
    """Check that one message came, that it has all that its reader needs, and that its link leads somewhere."""
    narrator, site = follower.narrator, follower.site
    messages = await site.chat.wait_for(f"{site.client.host}/{outcome.repository}", timeout=_CHAT_SECONDS)
    for message in messages:
        narrator.quote("chat", message if is_first else message.partition("\n")[0])
    narrator.check(f"one message about {outcome.repository} is in the chat", 1, len(messages))
    text = " ".join(" ".join(messages).split())
    pages = f"{site.settings.public_url}/images/"
    parts = [VULNERABILITY, VULNERABLE_PACKAGE, FIXED_VERSION, OWNERS[outcome.repository], pages]
    narrator.check_parts("it names CVE, package, fix, owner and page", parts, text)
    for link in [word for word in text.split() if word.startswith(pages)]:
        narrator.check("its link opens", 200, await _open(link))


async def _open(link: str) -> int:
    """Open a page as a browser would, and answer the status."""
    timeout = aiohttp.ClientTimeout(total=_PAGE_SECONDS)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(link) as response:
            return response.status
    except (aiohttp.ClientError, TimeoutError) as error:
        raise UnavailableError(f"{link} does not answer: {type(error).__name__}") from error
