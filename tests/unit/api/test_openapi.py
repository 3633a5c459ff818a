from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from aiohttp import web
from jsonschema import Draft202012Validator

from pratique.runtime.settings import Settings
from pratique.storage.engine import Database
from pratique_services.api import documents, inputs
from pratique_services.api.access import Access
from pratique_services.api.app import create_api
from pratique_services.api.commands import Commands
from pratique_services.api.openapi import build_document
from pratique_services.api.operations import OPERATIONS

DOCUMENT: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(build_document(anonymous_read=False)))


@pytest.fixture
def api() -> web.Application:
    settings, database = Settings(), Database("sqlite+aiosqlite:///never-opened.sqlite")
    return create_api(Access(settings=settings, database=database), Commands(settings=settings, database=database, wake=lambda: None))


def test_every_route_is_described_and_every_description_has_its_route(api: web.Application) -> None:
    routed = {
        (route.method, route.resource.canonical) for route in api.router.routes() if route.resource is not None and route.method != "HEAD"
    }
    described = {(method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods}
    assert routed - {("GET", "/openapi.json")} == described


def test_no_two_operations_share_an_address_or_a_name() -> None:
    assert len({(operation.method, operation.path) for operation in OPERATIONS}) == len(OPERATIONS) == len(DOCUMENT["paths"])
    assert len({operation.name for operation in OPERATIONS}) == len(OPERATIONS)


def test_every_reference_in_the_document_leads_somewhere() -> None:
    names = {reference.removeprefix("#/components/schemas/") for reference in find_references(DOCUMENT)}
    assert names <= DOCUMENT["components"]["schemas"].keys()
    assert DOCUMENT["components"]["schemas"].keys() - names == set()


@pytest.mark.parametrize("name", sorted(DOCUMENT["components"]["schemas"]))
def test_every_schema_is_one(name: str) -> None:
    Draft202012Validator.check_schema(DOCUMENT["components"]["schemas"][name])


def test_every_schema_says_what_it_is_and_refuses_what_it_does_not_name() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        assert schema["additionalProperties"] is False, name
    for kind in (*subclasses(documents.Document), *subclasses(inputs.Input)):
        assert kind.__doc__, kind


def test_what_changes_something_always_needs_a_token() -> None:
    document = build_document(anonymous_read=True)
    for operation in OPERATIONS:
        needs_none = {} in document["paths"][operation.path][operation.method.lower()]["security"]
        assert needs_none == (operation.scope == "read")
        assert (operation.method == "GET") == (operation.scope == "read")


def find_references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "$ref":
                yield item
            else:
                yield from find_references(item)
    elif isinstance(value, list):
        for item in value:
            yield from find_references(item)


def subclasses(kind: type) -> Iterator[type]:
    for found in kind.__subclasses__():
        yield found
        yield from subclasses(found)
