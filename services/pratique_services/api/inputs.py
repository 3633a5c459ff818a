"""What callers may send, with every bound. One struct an operation: it parses the request, and it is what the OpenAPI document shows.

Names that no struct has are refused: a misspelt filter is a missing one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from aiohttp import web

from pratique.oci.reference import Reference
from pratique_services.api.answers import Problem

MAX_LIMIT = 200  # entries a page: protects the memory of both sides
_LABELS = "[A-Za-z0-9]+(?:[.-][A-Za-z0-9]+)*"
_HOST = rf"(?:localhost|{_LABELS}\.[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*|\[[0-9a-fA-F:]+\])(?::[0-9]{{1,5}})?|{_LABELS}:[0-9]{{1,5}}"
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
_DIGEST = r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}"
_REGEX = re.compile("`str` matching regex .*(?= - at )")
_InputT = TypeVar("_InputT", bound="Input")

ReferenceText = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=512,
        pattern=rf"^(?:(?:{_HOST})/)?{_COMPONENT}(?:/{_COMPONENT})*(?::{_TAG})?(?:@(?:{_DIGEST}))?$",
        description="An image: `host[:port]/repository`, then `:tag`, `@digest` or both. Neither means `:latest`.",
        examples=["registry.example:5000/team/app:1.4"],
    ),
]
Verdicts = Literal["pass", "fail", "incomplete"]
SeverityWord = Literal["critical", "high", "medium", "low", "negligible", "unknown"]
Limit = Annotated[int, msgspec.Meta(ge=1, le=MAX_LIMIT, description="How many entries at most.")]
IdText = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$", description="32 hex digits.")]
Cursor = Annotated[
    str,
    msgspec.Meta(min_length=1, max_length=2048, pattern="^[A-Za-z0-9_-]+$", description="Go on after here: `next` of the page before."),
]
IdCursor = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$", description="Go on after here: `next` of the page before.")]


class Input(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an operation takes."""


class NothingInput(Input, frozen=True, kw_only=True):
    """Nothing."""


class OfImage(Input, frozen=True, kw_only=True):
    """One image."""

    reference: ReferenceText


class ImagesQuery(Input, frozen=True, kw_only=True):
    """Which images."""

    repository: (
        Annotated[
            str,
            msgspec.Meta(
                min_length=1, max_length=512, pattern=r"^[A-Za-z0-9._:/\[\]-]+$", description="A repository, with or without its host."
            ),
        ]
        | None
    ) = None
    status: (
        Annotated[
            Literal["pass", "fail", "incomplete", "queued", "running", "scanned", "failed"],
            msgspec.Meta(description="A verdict, or the state of the newest scan."),
        ]
        | None
    ) = None
    after: IdCursor | None = None
    limit: Limit = 50


class FindingsQuery(OfImage, frozen=True, kw_only=True):
    """Which findings of an image."""

    severity: Annotated[SeverityWord, msgspec.Meta(description="Only findings of this severity.")] | None = None
    suppressed: Annotated[
        bool, msgspec.Meta(description="Those that VEX takes away, with their statements, instead of those that count.")
    ] = False
    after: Cursor | None = None
    limit: Limit = 100


class ImagePageQuery(Input, frozen=True, kw_only=True):
    """Which findings the page of an image shows."""

    severity: SeverityWord | None = None
    after: Cursor | None = None


class PackagesQuery(OfImage, frozen=True, kw_only=True):
    """Which packages of an image."""

    after: Cursor | None = None
    limit: Limit = 100


class AttemptsQuery(OfImage, frozen=True, kw_only=True):
    """How many scans of an image."""

    limit: Limit = 20


class AuditQuery(Input, frozen=True, kw_only=True):
    """Which lines of the audit trail."""

    subject: (
        Annotated[
            str,
            msgspec.Meta(
                min_length=1, max_length=1024, pattern="^[ -~]+$", description="What was acted on, such as `host/repository@digest`."
            ),
        ]
        | None
    ) = None
    after: IdCursor | None = None
    limit: Limit = 100


class WhereQuery(Input, frozen=True, kw_only=True):
    """Which vulnerability."""

    vulnerability: Annotated[
        str,
        msgspec.Meta(
            min_length=1,
            max_length=200,
            pattern="^[A-Za-z0-9][A-Za-z0-9._:-]*$",
            description="A CVE, or an advisory by any of its names.",
            examples=["CVE-2021-44228"],
        ),
    ]
    after: Cursor | None = None
    limit: Limit = 50


class DecisionPath(Input, frozen=True, kw_only=True):
    """Which decision."""

    id: IdText


def parse_input(kind: type[_InputT], values: Mapping[str, Any]) -> _InputT:
    """Read text values, as queries and paths have them. Raises Problem 400, naming the field."""
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise Problem(400, _explain(error)) from error


def parse_query(kind: type[_InputT], request: web.Request) -> _InputT:
    """Read a query, in which every name may be there once. Raises Problem 400."""
    if len(request.query) != len(set(request.query)):
        raise Problem(400, "expected each parameter of the query once, got one more than once")
    return parse_input(kind, dict(request.query))


async def read_body(kind: type[_InputT], request: web.Request) -> _InputT:
    """Read a JSON body; aiohttp ends one of more than 1 MiB. Raises Problem 400 or 415."""
    if request.content_type != "application/json":
        raise Problem(415, f"expected a body of application/json, got {request.content_type[:100]}")
    try:
        return msgspec.json.decode(await request.read(), type=kind, strict=True)
    except msgspec.DecodeError as error:
        raise Problem(400, _explain(error)) from error
    except UnicodeDecodeError as error:
        raise Problem(400, "expected a body in UTF-8") from error


def _explain(error: msgspec.DecodeError) -> str:
    """Leave regular expressions out: they are in the OpenAPI document, for programs."""
    return _REGEX.sub("text in the form that /api/openapi.json describes", str(error))


def parse_reference(text: str) -> Reference:
    """Parse a reference that `ReferenceText` let through. Raises InvalidReference."""
    return Reference.parse(text)
