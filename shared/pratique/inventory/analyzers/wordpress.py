"""WordPress, its plugins and themes, wherever `wp-content` and `wp-includes` lie.

Plugins say their version in a header comment of a PHP file, themes in one of their style.css; only the first 8 KB are read, as WordPress does (`get_file_data`).
They are named by their directory, the name under which wordpress.org and advisories know them (`akismet`, not `Akismet Anti-spam`). purl-spec has no type for them:
here `pkg:wordpress/plugin/akismet`, `pkg:wordpress/theme/twentytwentyone`, and `pkg:wordpress/wordpress` for WordPress itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pratique.errors import InvalidRecord
from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._language import below, checked_text, parent
from pratique.inventory.analyzers._wording import known_lines, one_line
from pratique.inventory.package import Package, PackageDetails

HEAD_BYTES = 8192  # what WordPress reads of a plugin or theme

_FILE = re.compile(r"(?:.*/)?wp-content/(?:(plugins|mu-plugins)/(?:([^/]+)/)?([^/]+)\.php|(themes)/(?:[^/]+/)?([^/]+)/style\.css)")
_HEADER = re.compile(
    rb"^(?:[ \t]{0,80}<\?php)?[ \t/*#@]{0,80}(Plugin Name|Theme Name|Version|License|Author)[ \t]{0,20}:([^\n]*)$",
    re.MULTILINE | re.IGNORECASE,
)
_COMMENT_END = re.compile(rb"\*/|\?>")
_CORE_VERSION = re.compile(rb"^[ \t]{0,80}\$wp_version[ \t]{0,20}=[ \t]{0,20}['\"]([^'\"\r\n]{1,100})['\"]", re.MULTILINE)
_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_NAME_FIELDS = {"plugins": b"plugin name", "mu-plugins": b"plugin name", "themes": b"theme name"}


def parse(file: LayerFile) -> Iterator[Package | PackageDetails]:
    """Yield the plugin, the theme or WordPress itself, with what it owns; nothing for the many PHP files that have no such header, or none with a version.

    Raises InvalidRecord for a header whose version or whose directory's name is no word, and for a version.php of WordPress that names no version.
    """
    if file.path.endswith("wp-includes/version.php"):
        yield from _parse_core(file)
        return
    match = _FILE.fullmatch(file.path)
    if match is None:
        return
    kind = match[1] or match[4]
    fields = _read_header(file.content[:HEAD_BYTES])
    if not fields.get(_NAME_FIELDS[kind]) or not fields.get(b"version"):
        return
    package = Package(
        type="wordpress",
        namespace="theme" if kind == "themes" else "plugin",
        name=checked_text(match[5] or match[2] or match[3], f"directory of {kind}", _SLUG),
        version=checked_text(fields[b"version"].split()[0], "Version"),
        vendor=one_line(fields.get(b"author", "")),
        licenses=known_lines([fields.get(b"license", "")]),
    )
    yield package
    alone = kind != "themes" and not match[2]
    yield PackageDetails(
        type="wordpress",
        name=package.name,
        version=package.version,
        files=((file.path, ""),) if alone else (),
        directories=() if alone else (parent(file.path),),
    )


def _read_header(content: bytes) -> dict[bytes, str]:
    """The fields of the header comment; of a repeated one the first counts."""
    fields: dict[bytes, str] = {}
    for match in _HEADER.finditer(content.replace(b"\r", b"\n")):
        fields.setdefault(match[1].lower(), one_line(_COMMENT_END.split(match[2], maxsplit=1)[0]))
    return fields


def _parse_core(file: LayerFile) -> Iterator[Package | PackageDetails]:
    match = _CORE_VERSION.search(file.content[:HEAD_BYTES])
    if match is None:
        raise InvalidRecord("expected $wp_version in WordPress's version.php")
    version = checked_text(match[1].decode("utf-8", "replace"), "$wp_version", re.compile(r"[0-9][0-9A-Za-z.+-]*"))
    root = parent(parent(file.path))
    escaped = re.sub(r"([+-])", r"\\\1", version)
    cpe = f"cpe:2.3:a:wordpress:wordpress:{escaped}:*:*:*:*:*:*:*"
    yield Package(type="wordpress", name="wordpress", version=version, vendor="WordPress", cpes=(cpe,))
    yield PackageDetails(
        type="wordpress", name="wordpress", version=version, directories=(below(root, "wp-includes"), below(root, "wp-admin"))
    )


def _is_wanted(path: str) -> bool:
    if "wp-content/" in path:
        return _FILE.fullmatch(path) is not None
    return f"/{path}".endswith("/wp-includes/version.php")


ANALYZER = Analyzer(
    name="wordpress",
    version=1,
    paths=PathPattern(names=frozenset({"style.css"}), suffixes=(".php",), accept=_is_wanted),
    parse=parse,
    max_bytes=HEAD_BYTES,
    head_bytes=HEAD_BYTES,
)
