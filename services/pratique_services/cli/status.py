"""`pratique status` and `pratique release`: questions to a running pratique over its API."""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any

from pratique.errors import MissingError, PratiqueError, UnavailableError
from pratique.oci.reference import Reference
from pratique.reports.durations import duration
from pratique.reports.printable import printable
from pratique_services.cli.main import EXIT_OK, EXIT_UNFINISHED, EXIT_VIOLATED
from pratique_services.cli.server import ask

_POLL_SECONDS = 1.0
_EXITS = {"pass": EXIT_OK, "fail": EXIT_VIOLATED, "incomplete": EXIT_UNFINISHED}


def status(options: argparse.Namespace) -> int:
    """Print what is known about a reference; exit by its verdict."""
    reference = Reference.parse(options.reference)
    document = asyncio.run(_wait(options, reference) if options.wait else _ask(options, "GET", reference))
    if options.format == "json":
        print(json.dumps(document, indent=2))
    else:
        _print(document)
    decision = document.get("decision")
    return _EXITS.get(decision["verdict"]["status"], EXIT_UNFINISHED) if decision else EXIT_UNFINISHED


def release(options: argparse.Namespace) -> int:
    """Ask for a quarantined image to be put back."""
    document = asyncio.run(_ask(options, "POST", Reference.parse(options.reference)))
    print(f"release of {document['reference']} is requested: `pratique status` shows when it is done")
    return EXIT_OK


async def _wait(options: argparse.Namespace, reference: Reference) -> Mapping[str, Any]:
    """Ask until there is a finished decision on the newest push. A reference that nobody has heard of yet counts as not decided."""
    deadline = time.monotonic() + options.timeout
    while True:
        try:
            document = await _ask(options, "GET", reference)
            if document["is_settled"]:
                return document
            problem: PratiqueError = UnavailableError(f"no decision within {options.timeout:g} s: {_state_line(document)}")
        except (MissingError, UnavailableError) as error:
            problem = error
        if time.monotonic() + _POLL_SECONDS > deadline:
            raise problem
        await asyncio.sleep(_POLL_SECONDS)


async def _ask(options: argparse.Namespace, method: str, reference: Reference) -> Mapping[str, Any]:
    if method == "GET":
        return await ask(options, "GET", "status", params={"reference": str(reference)})
    return await ask(options, "POST", "releases", json={"reference": str(reference)})


def _print(document: Mapping[str, Any]) -> None:
    print(f"{document['reference']}  {document['digest'] or 'not resolved yet'}")
    print(f"scan:     {_state_line(document)}")
    decision = document.get("decision")
    if decision is None:
        artifact = document.get("artifact")
        print(f"decision: none, for this is no image, but: {printable(artifact)}" if artifact else "decision: none yet")
        return
    verdict = decision["verdict"]
    print(f"decision: {verdict['status']} by policy {verdict['policy']} at {decision['decided_at']}, {duration(decision['age_s'])} ago")
    if (document.get("scan") or {}).get("state") in {"queued", "running"}:
        print("          it stands until the scan above is judged")
    for reason in verdict["reasons"]:
        print(f"          - {printable(reason['message'])}")
    for action in document["actions"]:
        print(f"action:   {action['kind']}: {action['outcome']} ({printable(action['detail'] or 'not begun')})")
    for told in document["notifications"]:
        problem = f" ({printable(told['detail'])})" if told["detail"] else ""
        print(f"chat:     {printable(told['channel'])}: {told['state']}{problem}")


def _state_line(document: Mapping[str, Any]) -> str:
    scan = document.get("scan")
    if scan is None:
        return "none"
    age = f", waiting for {scan['queue_age_s']:.0f} s" if scan.get("queue_age_s") is not None else ""
    error = f", last error: {printable(scan['last_error'])}" if scan.get("last_error") else ""
    return f"{scan['state']}, attempt {scan['attempt']}{age}{error}"
