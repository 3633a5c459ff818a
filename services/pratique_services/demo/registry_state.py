"""What the handlers of the embedded registry share, and how they read the common parts of a path."""

from __future__ import annotations

from aiohttp import web

from pratique.oci.reference import Reference
from pratique_services.demo.registry_events import EventQueue
from pratique_services.demo.registry_storage import RegistryStorage

STORAGE = web.AppKey("storage", RegistryStorage)
EVENTS = web.AppKey("events", EventQueue)
ALLOW_DELETE = web.AppKey("allow_delete", bool)


def repository_of(request: web.Request) -> str:
    """The repository in the path.

    Raises InvalidReference.
    """
    return Reference(host="localhost", repository=request.match_info["name"]).repository
