"""The OpenAPI 3.1 document, made from the table of operations and the structs that they take and answer."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import msgspec

from pratique import __version__
from pratique.reports.json import SCHEMA_PATH
from pratique_services.api.documents import Document, Error
from pratique_services.api.operations import OPERATIONS, PREFIX, Operation

_REF = "#/components/schemas/{name}"
_EVERYWHERE = (400, 401, 403, 503)
_MEANINGS = {
    400: "The request makes no sense; the message names the field.",
    401: "A token is missing, unknown, expired or revoked.",
    403: "The token lacks the scope that the message names.",
    404: "pratique has never heard of it.",
    409: "It is in no state for this.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    422: "The registry is not one of this pratique's.",
    503: "The database is away: ask again after as many seconds as `Retry-After` says.",
}


def build_document(*, anonymous_read: bool) -> Mapping[str, Any]:
    """Build the document. `anonymous_read` says that reading needs no token."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "pratique",
            "version": __version__,
            "description": "May this image ship, and if not, why not?",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": PREFIX}],
        "paths": {operation.path: {operation.method.lower(): _describe(operation, anonymous_read)} for operation in OPERATIONS},
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "Made by `pratique tokens create NAME --scope SCOPE`."}
            },
        },
    }


def _describe(operation: Operation, anonymous_read: bool) -> Mapping[str, Any]:
    needs_none: list[dict[str, list[str]]] = [{}] if anonymous_read and operation.scope == "read" else []
    return {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": f"Needs the scope `{operation.scope}`.",
        "security": [{"token": []}, *needs_none],
        **_takes(operation),
        "responses": {str(operation.status): _answer(operation)} | {str(status): _problem(status) for status in _problems(operation)},
    }


def _takes(operation: Operation) -> Mapping[str, Any]:
    if operation.place == "body":
        schema = {"$ref": _REF.format(name=operation.takes.__name__)}
        return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
    _, components = msgspec.json.schema_components([operation.takes], ref_template=_REF)
    schema = components[operation.takes.__name__]
    required = schema.get("required", ())
    return {"parameters": [_parameter(operation, name, field, name in required) for name, field in schema["properties"].items()]}


def _parameter(operation: Operation, name: str, field: Mapping[str, Any], required: bool) -> Mapping[str, Any]:
    """Describe a parameter. One that may be left out is null in the struct, but no text in a query is null."""
    plain = next((choice for choice in field.get("anyOf", ()) if choice != {"type": "null"}), field)
    schema = {key: value for key, value in plain.items() if key not in {"description", "default"} or plain is field}
    description = plain.get("description") or field.get("description")
    schema.pop("description", None)
    return {"name": name, "in": operation.place, "required": required, "schema": schema} | (
        {"description": description} if description else {}
    )


def _answer(operation: Operation) -> Mapping[str, Any]:
    name = operation.answer if isinstance(operation.answer, str) else operation.answer.__name__
    meaning = "The whole report." if isinstance(operation.answer, str) else inspect.getdoc(operation.answer)
    return {"description": meaning, "content": {"application/json": {"schema": {"$ref": _REF.format(name=name)}}}}


def _problems(operation: Operation) -> list[int]:
    of_bodies = (413, 415) if operation.place == "body" else ()
    return sorted({*_EVERYWHERE, *operation.errors, *of_bodies})


def _problem(status: int) -> Mapping[str, Any]:
    headers = {
        401: {"WWW-Authenticate": {"schema": {"type": "string"}}},
        403: {"WWW-Authenticate": {"schema": {"type": "string"}}},
        503: {"Retry-After": {"description": "In seconds.", "schema": {"type": "integer"}}},
    }
    schema = {"$ref": _REF.format(name=Error.__name__)}
    described: dict[str, Any] = {"description": _MEANINGS[status], "content": {"application/json": {"schema": schema}}}
    return described | ({"headers": headers[status]} if status in headers else {})


def _schemas() -> dict[str, Any]:
    """All schemas: of structs, and of the JSON report with the parts that other answers share with it."""
    answers = [operation.answer for operation in OPERATIONS if not isinstance(operation.answer, str)]
    bodies = [operation.takes for operation in OPERATIONS if operation.place == "body"]
    kinds: list[type[Document | msgspec.Struct]] = [*answers, *bodies, Error]
    _, components = msgspec.json.schema_components(list(dict.fromkeys(kinds)), ref_template=_REF)
    return {name: _cleaned(schema) for name, schema in components.items()} | _report_schemas()


def _cleaned(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**schema, "description": inspect.cleandoc(schema["description"])}


def _report_schemas() -> dict[str, Any]:
    report = msgspec.json.decode(SCHEMA_PATH.read_bytes())
    properties = report["properties"]
    verdict = {**properties["verdict"], "type": "object"}
    lists = {"Finding": "findings", "Suppressed": "suppressed", "Package": "packages"}
    parts = {name: properties[listed]["items"] for name, listed in lists.items()} | {"Verdict": verdict}
    return {"Report": {key: value for key, value in report.items() if key not in {"$schema", "$id"}}} | parts
