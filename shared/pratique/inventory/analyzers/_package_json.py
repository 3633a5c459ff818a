"""npm's `package.json`: name, version, licence and author, in all the forms that these have had."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from pratique.errors import InvalidRecord
from pratique.inventory.analyzers._records import checked_word
from pratique.inventory.analyzers._wording import known_lines, one_line
from pratique.inventory.package import Package

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # npm ignores it, JSON forbids it
_TEMPLATE = re.compile(
    r"[{}<>%$]"
)  # `{{name}}`, `<%= name %>`, `${version}`: a generator's file, to be filled in; no registry ever took such a name or version
_ADDRESS = re.compile(r"\s*[<(].*", re.DOTALL)
_MAX_SMALL = 16 * 1024  # bytes of a licence or an author; more is no such thing, and is not decoded


class _PackageJson(msgspec.Struct):
    name: str | None = None
    version: str | None = None
    license: msgspec.Raw = msgspec.Raw(b"")
    licenses: msgspec.Raw = msgspec.Raw(b"")
    author: msgspec.Raw = msgspec.Raw(b"")


_DECODER = msgspec.json.Decoder(_PackageJson)
_ANY = msgspec.json.Decoder()
_PLAIN = re.compile(rb'"[^"\\]*"')


def parse_package_json(content: bytes) -> Package | None:
    """Return the package that the file describes, or None for a marker without name or version, and for a template.

    Licence and author that are of no known form are left out. Raises InvalidRecord for what is no JSON object, and for a name or version that npm would refuse.
    """
    try:
        found = _DECODER.decode(content.removeprefix(_BYTE_ORDER_MARK))
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:  # msgspec bounds the depth by the interpreter's recursion limit
        raise InvalidRecord(f"expected a package.json: {error}") from error
    if not found.name or not found.version or _TEMPLATE.search(found.name) or _TEMPLATE.search(found.version):
        return None
    scope, slash, name = found.name.rpartition("/")
    if slash and (not scope.startswith("@") or "/" in scope):
        raise InvalidRecord(f"expected a package name, got {found.name[:40]!r}")
    return Package(
        type="npm",
        namespace=_checked(scope, "scope") if slash else "",
        name=_checked(name, "name"),
        version=_checked(found.version, "version"),
        ecosystem="npm",
        vendor=_vendor(found.author),
        licenses=_licenses(found),
    )


def _checked(text: str, what: str) -> str:
    return checked_word(text.encode("utf-8", "backslashreplace"), what)


def _licenses(found: _PackageJson) -> tuple[str, ...]:
    """`license` is an SPDX expression; it used to be an object with a type, and `licenses` a list of such."""
    if _PLAIN.fullmatch(found.license):  # nine in ten
        return known_lines([bytes(found.license)[1:-1]])
    return known_lines([*_license_types(_decode(found.license)), *_license_types(_decode(found.licenses))])


def _license_types(value: object) -> Iterator[str]:
    for item in value if isinstance(value, list) else [value]:
        kind = (item.get("type") or item.get("name")) if isinstance(item, dict) else item
        if isinstance(kind, str):
            yield kind


def _vendor(raw: msgspec.Raw) -> str:
    """`Isaac Z. Schlueter <i@izs.me> (http://blog.izs.me)` or an object; the name alone, or the address where there is no name."""
    value = _decode(raw)
    if isinstance(value, dict):
        value = value.get("name") or value.get("email")
    if not isinstance(value, str):
        return ""
    return one_line(_ADDRESS.sub("", value[:_MAX_SMALL]) or value)


def _decode(raw: msgspec.Raw) -> object:
    """Decode what was found valid, and skipped, before."""
    if not raw or len(raw) > _MAX_SMALL:
        return None
    try:
        return _ANY.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return None
