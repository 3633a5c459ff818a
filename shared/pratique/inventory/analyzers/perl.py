"""Perl distributions from CPAN, as far as their installers leave a trace.

- `.meta/DISTRIBUTION/install.json` and `MYMETA.json` are cpanm's, exact;
- `perllocal.pod` is MakeMaker's diary: the last entry of a module is the one installed. It knows the main module only, whose name with `-` for `::` is nearly always the
  distribution's;
- `META.json` at the root of what cpan or cpanm built (`.cpan/build/*`, `.cpanm/work/*/*`), as in scalibr;
- `auto/MODULE/.packlist` lists the installed files; Perl's own lies beside `auto`.

What a distribution's package manager installed has none of these. OSV knows no ecosystem of CPAN. cpanm keeps the records of versions that it replaced.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

import msgspec

from pratique.errors import InvalidRecord
from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._json_records import decode_json
from pratique.inventory.analyzers._language import Problems, checked_text, resolve_path, with_files
from pratique.inventory.analyzers._wording import known_lines
from pratique.inventory.package import Package, PackageDetails

MAX_MODULES = 50_000  # modules in one perllocal.pod: CPAN has 40,000 distributions
_MAX_LINE = 1024  # bytes of a line of perllocal.pod that are looked at

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_+.-]*")
_VERSION = re.compile(r"v?[0-9][A-Za-z0-9._+-]*|v?\.[0-9][A-Za-z0-9._+-]*")
_DISTRIBUTION = re.compile(r"(.+?)-(v?\.?[0-9][^-]*(?:-TRIAL[0-9]*)?)")
_PACKLIST = re.compile(r"(?:.*/)?auto/(.+)/\.packlist")
_PERL_PACKLIST = re.compile(r"(?:.*/)?perl5?/(?:[^/]+/)?(5\.[0-9]+\.[0-9]+)/(?:[^/]+/)?\.packlist")
_META = re.compile(r"(?:.*/)?\.meta/([^/]+)/(?:install|MYMETA)\.json")
_BUILT = re.compile(r"(?:.*/)?(?:\.cpan/build/[^/]+|\.cpanm/work/[^/]+/[^/]+)/META\.json")
_ATTRIBUTES = re.compile(rb" \w+=")
_MODULE_LINE = re.compile(rb"=head2 .*C<Module> L<([\w:']+)")
_VERSION_LINE = re.compile(rb"C<VERSION: ([^>]*)>")
_RENAMED = {  # main modules of much used distributions that have another name
    "Cwd": "PathTools",
    "LWP": "libwww-perl",
    "List-Util": "Scalar-List-Utils",
    "Mail": "MailTools",
    "Net": "libnet",
    "Template": "Template-Toolkit",
}


class _Install(msgspec.Struct):
    dist: str
    version: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)


class _Metadata(msgspec.Struct):
    name: str
    version: msgspec.Raw  # a number may stand there, of which every digit counts: 1.10 is not 1.1
    license: list[str] | str | None = None


_INSTALL = msgspec.json.Decoder(_Install)
_METADATA = msgspec.json.Decoder(_Metadata)


def parse(file: LayerFile) -> Iterator[Package | PackageDetails]:
    """Yield the distributions, or the files of one.

    Raises InvalidRecord for a record that its installer has not written, after what could be read of it.
    """
    match file.path.rpartition("/")[2]:
        case "install.json":
            yield _parse_install(file.content)
        case "MYMETA.json" | "META.json":
            yield _parse_metadata(file.content)
        case "perllocal.pod":
            yield from _parse_diary(file.content)
        case _:
            yield from _parse_packlist(file)


def _parse_install(content: bytes) -> Package:
    found = decode_json(_INSTALL, content, "cpanm's install.json")
    match = _DISTRIBUTION.fullmatch(found.dist)
    if match is None:
        return _make(found.dist, _literal(found.version))
    return _make(match[1], match[2])


def _parse_metadata(content: bytes) -> Package:
    found = decode_json(_METADATA, content, "the metadata of a distribution")
    return _make(found.name, _literal(found.version), (found.license,) if isinstance(found.license, str) else tuple(found.license or ()))


def _literal(raw: msgspec.Raw) -> str:
    return bytes(raw).decode("utf-8", "replace").strip('"')


def _parse_diary(content: bytes) -> Iterator[Package]:
    problems = Problems()
    for module, version in _read_diary(content).items():
        name = module.replace("'", "::").replace("::", "-")
        try:
            yield _make(_RENAMED.get(name, name), version)
        except InvalidRecord as error:
            problems.add(error)
    problems.raise_any()


def _read_diary(content: bytes) -> dict[str, str]:
    """The version of each module as last installed. A module without version was installed too, but nothing can be said of it."""
    versions: dict[str, str] = {}
    module = ""
    for line in io.BytesIO(content):
        head = line[:_MAX_LINE]
        if found := _MODULE_LINE.match(head):
            module = found[1].decode("ascii", "replace")
        elif module and (found := _VERSION_LINE.search(head)):
            version = found[1].strip().decode("utf-8", "replace")
            if version:
                versions[module] = version
            module = ""
        if len(versions) > MAX_MODULES:
            break
    return versions


def _make(name: str, version: str, raw_licenses: tuple[str, ...] = ()) -> Package:
    return Package(
        type="cpan",
        name=checked_text(name, "name of a distribution", _NAME),
        version=checked_text(version, f"version of {name[:80]}", _VERSION),
        licenses=known_lines(raw_licenses),
    )


def _parse_packlist(file: LayerFile) -> Iterator[PackageDetails]:
    match = _PACKLIST.fullmatch(file.path)
    if match is None:
        details = PackageDetails(type="generic", name="perl")  # the interpreter itself, which others find in its binary
    else:
        name = match[1].rpartition("/auto/")[2].replace("/", "-")
        details = PackageDetails(type="cpan", name=_RENAMED.get(name, name))
    yield from with_files(details, _read_packlist(file.content))


def _read_packlist(content: bytes) -> Iterator[tuple[str, str]]:
    """Lines are absolute paths, with attributes behind them (ExtUtils::Packlist): `/usr/local/bin/x type=file`."""
    problems = Problems()
    for line in io.BytesIO(content):
        text = _ATTRIBUTES.split(line.rstrip(b"\r\n"), maxsplit=1)[0].decode("utf-8", "replace")
        path = resolve_path("", text) if text.startswith("/") else ""
        if path:
            yield path, ""
        elif text:
            problems.add(InvalidRecord(f"expected the path of a file, got {text[:40]!r}"))
    problems.raise_any()


def _is_wanted(path: str) -> bool:
    match path.rpartition("/")[2]:
        case ".packlist":
            return _PACKLIST.fullmatch(path) is not None or _PERL_PACKLIST.fullmatch(path) is not None
        case "META.json":
            return _BUILT.fullmatch(path) is not None
        case "perllocal.pod":
            return True
        case _:
            return _META.fullmatch(path) is not None


ANALYZER = Analyzer(
    name="perl",
    version=1,
    paths=PathPattern(names=frozenset({".packlist", "perllocal.pod", "install.json", "MYMETA.json", "META.json"}), accept=_is_wanted),
    parse=parse,
    max_bytes=8 * 1024 * 1024,  # Perl's own packlist has 300 KB
)
