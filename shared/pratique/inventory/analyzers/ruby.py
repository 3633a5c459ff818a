r"""Ruby gems: the `*.gemspec` files that RubyGems and Bundler write where they install (`specifications/`, `specifications/default/`, `bundler/gems/*/`).

An installed gemspec is Ruby code, but generated (`Gem::Specification#to_ruby`): one assignment of a literal a line, which is what is read, as in Syft and Trivy.
Gemspecs elsewhere are sources, which compute their values, and say nothing of what is installed. Bundler rewrites those of a checkout from git in the generated form.
A Gemfile.lock says what should be installed and is not read, as by the peers in images.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pratique.errors import InvalidRecord
from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._language import below, checked_text, parent
from pratique.inventory.analyzers._wording import MAX_LINES, known_lines
from pratique.inventory.package import Package, PackageDetails

_LITERAL = rb"""(?:%q<([^>\r\n]{0,600})>|"([^"\r\n]{0,600})"|'([^'\r\n]{0,600})')"""
_ASSIGNMENT = re.compile(
    rb"^[ \t]*\w{1,40}\.(name|version|platform)[ \t]*=[ \t]*(?:Gem::Version\.new[ \t(]{1,4})?" + _LITERAL, re.MULTILINE
)
_PLATFORM = re.compile(rb"^[ \t]*\w{1,40}\.platform[ \t]*=[ \t]*Gem::Platform\.new\(\[([^\]\r\n]{0,600})\]", re.MULTILINE)
_LICENSES = re.compile(rb"^[ \t]*\w{1,40}\.licenses?[ \t]*=[ \t]*([^\r\n]{0,10000})", re.MULTILINE)
_QUOTED = re.compile(_LITERAL)
_NAME = re.compile(r"[A-Za-z0-9._-]+")  # Gem::Specification::VALID_NAME_PATTERN
_VERSION = re.compile(r"[0-9][0-9A-Za-z.-]*")  # Gem::Version::VERSION_PATTERN
_PLATFORM_NAME = re.compile(r"[A-Za-z0-9._-]+")
_CHECKOUT = re.compile(r"(?:.*/)?bundler/gems/[^/]+/(?:[^/]+/){0,2}[^/]+\.gemspec")
_CHECKOUT_ROOT = re.compile(r"(?:.*/)?bundler/gems/[^/]+/[^/]+\.gemspec")


def parse(file: LayerFile) -> Iterator[Package | PackageDetails]:
    """Yield the gem, and the directory that holds its files.

    Raises InvalidRecord if it names no name or no version: RubyGems complains of such a gemspec too. Deeper inside a git checkout it may be a test's, and means nothing.
    """
    try:
        package = _parse_gem(file.content)
    except InvalidRecord:
        if _is_checkout(file.path) and not _CHECKOUT_ROOT.fullmatch(file.path):
            return
        raise
    yield package
    yield _describe(package, file.path)


def _parse_gem(content: bytes) -> Package:
    found: dict[bytes, str] = {}
    for match in _ASSIGNMENT.finditer(content):
        found.setdefault(match[1], _literal(match, 2))
    spelled = _PLATFORM.search(content)
    if spelled and b"platform" not in found:
        found[b"platform"] = "-".join(filter(None, (_literal(part, 1) for part in _QUOTED.finditer(spelled[1]))))
    platform = found.get(b"platform", "ruby") or "ruby"
    return Package(
        type="gem",
        name=checked_text(found.get(b"name"), "name of a gem", _NAME),
        version=checked_text(found.get(b"version"), "version of a gem", _VERSION),
        ecosystem="RubyGems",
        qualifiers={"platform": checked_text(platform, "platform of a gem", _PLATFORM_NAME)} if platform != "ruby" else {},
        licenses=known_lines(_read_licenses(content)),
    )


def _read_licenses(content: bytes) -> Iterator[str]:
    match = _LICENSES.search(content)
    for count, part in enumerate(_QUOTED.finditer(match[1]) if match else ()):
        if count >= MAX_LINES:
            return
        yield _literal(part, 1)


def _literal(match: re.Match[bytes], group: int) -> str:
    return next((text for text in match.groups()[group - 1 :] if text is not None), b"").decode("utf-8", "replace")


def _describe(package: Package, path: str) -> PackageDetails:
    """The gem lies in `gems/FULL-NAME` beside `specifications`, its archive in `cache`; a checkout is its own directory."""
    if _is_checkout(path):
        return PackageDetails(type="gem", name=package.name, version=package.version, directories=(parent(path),))
    root = parent(path)
    if root.endswith("/default"):
        root = parent(root)
    root = parent(root)
    full_name = "-".join(filter(None, (package.name, package.version, package.qualifiers.get("platform", ""))))
    return PackageDetails(
        type="gem",
        name=package.name,
        version=package.version,
        files=((path, ""), (below(root, f"cache/{full_name}.gem"), "")),
        directories=(below(root, f"gems/{full_name}"),),
    )


def _is_checkout(path: str) -> bool:
    return not _is_specification(path)


def _is_specification(path: str) -> bool:
    return f"/{parent(path)}".endswith(("/specifications", "/specifications/default"))


ANALYZER = Analyzer(
    name="ruby",
    version=1,
    paths=PathPattern(
        suffixes=(".gemspec",),
        accept=lambda path: _is_specification(path) or ("bundler/gems/" in path and _CHECKOUT.fullmatch(path) is not None),
    ),
    parse=parse,
    max_bytes=4 * 1024 * 1024,  # it may list all files of the gem: the largest real ones have 300 KB
)
