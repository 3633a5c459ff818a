"""endoflife.date: its API's one document of all products (v1, https://endoflife.date/docs/api/v1/) turned into the form of `eol.json`."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import msgspec

from pratique.errors import InvalidAdvisory
from pratique.feeds.checks import Found, translated


class _Latest(msgspec.Struct):
    name: str | None = None
    date: str | None = None


class _Release(msgspec.Struct, rename="camel"):
    name: str
    label: str = ""
    codename: str | None = None
    release_date: str | None = None
    is_eol: bool | None = None
    eol_from: dt.date | None = None
    is_eoas: bool | None = None
    eoas_from: dt.date | None = None
    is_eoes: bool | None = None
    eoes_from: dt.date | None = None
    is_lts: bool = False
    lts_from: dt.date | None = None
    latest: _Latest | None = None


class _Product(msgspec.Struct):
    name: str
    label: str
    releases: list[_Release]
    category: str = ""
    identifiers: list[dict[str, str]] = []


class _Answer(msgspec.Struct):
    schema_version: str
    result: list[_Product]
    generated_at: str = ""


class _Cycle(msgspec.Struct, rename="camel", omit_defaults=True):
    cycle: str
    release_label: str = ""
    codename: str = ""
    release_date: str = ""
    eoas: dt.date | bool | None = None
    eol: dt.date | bool | None = None
    eoes: dt.date | bool | None = None
    lts: dt.date | bool | None = None
    latest: str = ""
    latest_release_date: str = ""


# At import: msgspec resolves a type at its first use, and two threads that do so at once crash the interpreter.
_DECODER = msgspec.json.Decoder(_Answer)


def convert_eol(path: Path) -> Found:
    """Replace the API's answer at `path` by a document of the form of `eol.json`: `products.<name>.cycles[]`, sorted. Blocking.

    Raises InvalidAdvisory.
    """
    with translated(path, "endoflife.date's products"):
        answer = _DECODER.decode(path.read_bytes())
    products = {product.name: _product(product) for product in sorted(answer.result, key=lambda product: product.name)}
    cycles = sum(len(product.releases) for product in answer.result)
    if not cycles:
        raise InvalidAdvisory(f"{path.name} holds no release cycle: has its format changed?")
    document = {"source": "https://endoflife.date", "license": "MIT", "products": products}
    path.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n")
    return Found(records=cycles, modified=answer.generated_at[:40])


def _product(product: _Product) -> dict[str, object]:
    return {
        "title": product.label,
        "category": product.category,
        "page": f"https://endoflife.date/{product.name}",
        "identifiers": [{item["type"]: item["id"]} for item in product.identifiers if {"type", "id"} <= item.keys()],
        "cycles": [_cycle(release) for release in product.releases],
    }


def _cycle(release: _Release) -> _Cycle:
    latest = release.latest or _Latest()
    return _Cycle(
        cycle=release.name,
        release_label=release.label,
        codename=release.codename or "",
        release_date=release.release_date or "",
        eoas=release.eoas_from or release.is_eoas,
        eol=release.eol_from or bool(release.is_eol),  # false: not ended, and no date announced
        eoes=release.eoes_from or release.is_eoes,
        lts=release.lts_from or release.is_lts or None,
        latest=latest.name or "",
        latest_release_date=latest.date or "",
    )
