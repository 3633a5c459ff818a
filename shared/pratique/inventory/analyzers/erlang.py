"""Erlang and Elixir: OTP applications (`ebin/NAME.app`), and packages from Hex (`hex_metadata.config`, which mix and rebar3 leave beside the sources).

A release holds applications only, and nothing in them tells where they came from. Those of Erlang/OTP and of Elixir are known by name and are `pkg:otp`; all others are
taken to be Hex packages of that name, as nearly all are: advisories know them as such, and an application in a release and its sources from Hex are one package. So an
organisation's own application is listed as `pkg:hex` too. Applications in escripts and `.ez` archives are not seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from pratique.errors import InvalidRecord
from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._language import checked_text, parent, unescape
from pratique.inventory.analyzers._wording import MAX_LINES, known_lines
from pratique.inventory.package import Package, PackageDetails

MAX_DEPTH = 100  # terms in terms; an application's environment is free, but nobody nests it that deep

_OWN_NAMES = """
    appmon asn1 common_test compiler cosEvent cosEventDomain cosFileTransfer cosNotification cosProperty cosTime cosTransactions crypto debugger dialyzer diameter
    edoc eldap erl_docgen erl_interface erts et eunit ftp gs hipe ic inets jinterface kernel megaco mnesia observer odbc orber os_mon otp_mibs parsetools percept
    public_key reltool runtime_tools sasl snmp ssh ssl stdlib syntax_tools test_server tftp tools typer webtool wx xmerl
    eex elixir ex_unit iex logger mix
"""
_OWN = frozenset(_OWN_NAMES.split())  # Erlang/OTP's applications of all releases, and Elixir's
_ATOM = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]*")
_BLANKS = re.compile(r"(?:[\s,.|:=>/~+-]++|%[^\n]*+)*+")  # with what separates, and comments
_TOKEN = re.compile(
    r"""(?P<open>[{\[(]|\#\{)|(?P<close>[}\])])"""
    r"""|<<"(?P<binary>(?:[^"\\]++|\\.){0,99999}+)"(?:/utf8)?>>|"(?P<string>(?:[^"\\]++|\\.){0,99999}+)"|'(?P<quoted>(?:[^'\\]++|\\.){0,99999}+)'"""
    r"""|(?P<word>[\w@]+)|(?P<other>\#\w*|\$\\?.|<<)""",
    re.DOTALL,
)
_HEAD_WORDS = 2  # `application`, and its name
_APP_KEYS_DEPTH = 3  # {application, NAME, [{key, value}]}
_HEX_KEYS_DEPTH = 1  # {<<"key">>, value}.


@dataclass(slots=True, kw_only=True)
class _Terms:
    """A walk through a file of terms, that keeps what is wanted: the first two words, and the texts in tuples at `keys_depth` behind a wanted key."""

    keys_depth: int
    wanted: frozenset[str]
    head: list[str] = field(default_factory=list)
    values: dict[str, list[str]] = field(default_factory=dict)
    depth: int = 0
    key: str = ""
    is_first: bool = False

    def open(self) -> None:
        """Enter a tuple, list or map."""
        self.depth += 1
        self.is_first = self.depth == self.keys_depth
        if self.depth > MAX_DEPTH:
            raise InvalidRecord(f"terms nested deeper than {MAX_DEPTH}")

    def close(self) -> None:
        """Leave it."""
        self.depth -= 1
        if self.depth < self.keys_depth:
            self.key = ""
        if self.depth < 0:
            raise InvalidRecord("expected Erlang terms, got one bracket too many")

    def add(self, text: str) -> None:
        """Take a string, a binary or a word."""
        if self.depth == 1 and len(self.head) < _HEAD_WORDS:
            self.head.append(text)
        if self.is_first:
            self.key, self.is_first = text, False
        elif self.key in self.wanted and len(found := self.values.setdefault(self.key, [])) < MAX_LINES:
            found.append(text)

    def first(self, key: str) -> str:
        """Return the first text behind the key, or nothing."""
        return next(iter(self.values.get(key, ())), "")


def parse(file: LayerFile) -> Iterator[Package | PackageDetails]:
    """Yield the application or the package, and its directory.

    An application without `vsn` (OTP allows it) has the version that its directory is named with, and is left out if there is none.

    Raises InvalidRecord for what Erlang could not consult, and for a file that is no description of an application or of a package.
    """
    package = _parse_metadata(file) if file.path.endswith("hex_metadata.config") else _parse_application(file)
    if package is None:
        return
    yield package
    directory = parent(file.path) if file.path.endswith("hex_metadata.config") else parent(parent(file.path))
    if directory.rpartition("/")[2] in {
        package.name,
        f"{package.name}-{package.version}",
    }:  # not the application's whole tree, if it was built in place
        yield PackageDetails(type=package.type, name=package.name, version=package.version, directories=(directory,))


def _parse_application(file: LayerFile) -> Package | None:
    terms = _read_terms(file.content, _APP_KEYS_DEPTH, frozenset({"vsn", "licenses"}))
    if not terms.head or terms.head[0] != "application":
        raise InvalidRecord(f"expected an application, got {' '.join(terms.head)[:40]!r}")
    name = checked_text(terms.head[1] if len(terms.head) > 1 else "", "name of an application", _ATOM)
    version = terms.first("vsn") or _version_of(parent(parent(file.path)), name)
    if not version:
        return None
    is_own = name in _OWN
    return Package(
        type="otp" if is_own else "hex",
        name=name.lower(),
        version=checked_text(version, f"vsn of {name}"),
        ecosystem="" if is_own else "Hex",
        licenses=known_lines(terms.values.get("licenses", ())),
    )


def _parse_metadata(file: LayerFile) -> Package:
    terms = _read_terms(file.content, _HEX_KEYS_DEPTH, frozenset({"name", "app", "version", "licenses"}))
    name = terms.first("name") or terms.first("app")
    return Package(
        type="hex",
        name=checked_text(name.lower(), "name of a package", _ATOM),
        version=checked_text(terms.first("version"), f"version of {name}"),
        ecosystem="Hex",
        licenses=known_lines(terms.values.get("licenses", ())),
    )


def _version_of(directory: str, name: str) -> str:
    base = directory.rpartition("/")[2]
    return base.removeprefix(f"{name}-") if base.startswith(f"{name}-") else ""


def _read_terms(content: bytes, keys_depth: int, wanted: frozenset[str]) -> _Terms:
    terms = _Terms(keys_depth=keys_depth, wanted=wanted)
    for kind, text in _tokens(content):
        match kind:
            case "open":
                terms.open()
            case "close":
                terms.close()
            case "text":
                terms.add(text)
    if terms.depth:
        raise InvalidRecord("expected the end of a term, got the end of the file")
    return terms


def _tokens(content: bytes) -> Iterator[tuple[str, str]]:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = content.decode("latin-1")  # what Erlang read before OTP 17, and with "%% coding: latin-1"
    position = _end_of_blanks(text, 0)
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise InvalidRecord(f"expected Erlang terms, got {text[position : position + 40]!r}")
        position = _end_of_blanks(text, match.end())
        kind = match.lastgroup or ""
        if kind in {"binary", "string", "quoted", "word"}:
            yield "text", unescape(match[kind])
        else:
            yield kind, ""


def _end_of_blanks(text: str, position: int) -> int:
    blanks = _BLANKS.match(text, position)
    return blanks.end() if blanks else position


ANALYZER = Analyzer(
    name="erlang",
    version=1,
    paths=PathPattern(
        names=frozenset({"hex_metadata.config"}),
        suffixes=(".app",),
        accept=lambda path: path.endswith("/hex_metadata.config") or path == "hex_metadata.config" or f"/{parent(path)}".endswith("/ebin"),
    ),
    parse=parse,
    max_bytes=1024 * 1024,  # the largest application lists 2,000 modules in 60 KB
)
