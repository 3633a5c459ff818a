"""When distributions' releases end: dates of endoflife.date (MIT), built in, or newer ones of a mirror laid over them.

The document built in (`eol.json`; origin and date stand in it) is an extract of a few products. A mirror's, as `pratique advisories update` keeps it, has all products in a form of its
own; what it says counts, and what it does not name stays as built in: no document takes a known end away by leaving it out.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType

import msgspec

from pratique.errors import InvalidAdvisory, LimitExceeded

EOL_FILE = "eol.json"
"""A mirror's document, in its folder."""
MAX_BYTES = 32 * 1024 * 1024  # 2 MB today; protects memory
_MAX_CYCLES = 1000  # of a product; protects memory, as the dates are kept


class Cycle(msgspec.Struct, frozen=True):
    """A release's ends: `eol` is a date, or whether it has passed where no date is known; `extended` is a date, or None where there is none."""

    eol: date | bool
    extended: date | None = None


Products = Mapping[str, Mapping[str, Cycle]]


@dataclass(frozen=True, slots=True)
class EolDates:
    """Cycles by endoflife.date's names of product and release (`debian`, `11`)."""

    products: Products

    def cycles_of(self, product: str) -> Mapping[str, Cycle]:
        """The releases of a product; none for one that is not known."""
        return self.products.get(product, MappingProxyType({}))

    def encode(self) -> bytes:
        """Write them in the form of the document built in, the same bytes for the same dates."""
        return msgspec.json.encode({"products": self.products}, order="sorted")


class _Builtin(msgspec.Struct):
    products: dict[str, dict[str, Cycle]]


class _MirrorCycle(msgspec.Struct):
    cycle: str
    eol: date | bool | None = None
    eoes: date | bool | None = None


class _MirrorProduct(msgspec.Struct):
    cycles: list[_MirrorCycle]


class _Mirror(msgspec.Struct):
    products: dict[str, msgspec.Raw]


# At import: msgspec resolves a type at its first use, and two threads that do so at once crash the interpreter.
_BUILTIN = msgspec.json.Decoder(_Builtin)
_MIRROR = msgspec.json.Decoder(_Mirror)
_PRODUCT = msgspec.json.Decoder(_MirrorProduct)


@functools.cache
def builtin_dates() -> EolDates:
    """The dates that this release of pratique brings along."""
    return EolDates(_BUILTIN.decode(Path(__file__).with_name("eol.json").read_bytes()).products)


def decode_dates(content: bytes) -> EolDates:
    """Read what `EolDates.encode` wrote.

    Raises InvalidAdvisory.
    """
    if len(content) > MAX_BYTES:
        raise InvalidAdvisory(f"ends of life of more than {MAX_BYTES} bytes")
    with _translated():
        return EolDates(_BUILTIN.decode(content).products)


def parse_dates(content: bytes) -> EolDates:
    """Read a mirror's document, `products.<name>.cycles[]`, laid over the dates built in. Only products of which some are built in are kept.

    Raises InvalidAdvisory for another form, LimitExceeded.
    """
    if len(content) > MAX_BYTES:
        raise LimitExceeded(f"{EOL_FILE} is larger than {MAX_BYTES} bytes")
    builtin = builtin_dates().products
    with _translated():
        found = _MIRROR.decode(content).products
        newer = {name: _PRODUCT.decode(found[name]).cycles for name in builtin if name in found}
    if not newer:
        raise InvalidAdvisory(f"{EOL_FILE} has none of the distributions: has its format changed?")
    return EolDates({name: {**cycles, **_cycles(newer.get(name, []))} for name, cycles in builtin.items()})


def load_dates(mirror: Path) -> EolDates | None:
    """Read the document of a mirror folder; None where it has none. Blocking.

    Raises InvalidAdvisory for another form or a file that cannot be read, LimitExceeded.
    """
    try:
        with (mirror / EOL_FILE).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InvalidAdvisory(f"{EOL_FILE} of the mirror cannot be read: {error.strerror}") from error
    return parse_dates(content)


def _cycles(cycles: list[_MirrorCycle]) -> dict[str, Cycle]:
    if len(cycles) > _MAX_CYCLES:
        raise LimitExceeded(f"{EOL_FILE} has a product with more than {_MAX_CYCLES} releases")
    return {one.cycle: Cycle(one.eol, one.eoes if isinstance(one.eoes, date) else None) for one in cycles if one.eol is not None}


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidAdvisory(f"{EOL_FILE}: expected products with their cycles: {error}") from error
