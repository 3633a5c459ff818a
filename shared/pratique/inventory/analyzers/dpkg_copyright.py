"""Licences of Debian packages: `usr/share/doc/PACKAGE/copyright`.

Where the file is in the machine-readable format, the short names behind `License:` count, as they stand there (`GPL-2+ or Expat`). Elsewhere the references to
`/usr/share/common-licenses/GPL-2` do: not beside the former, since the text of `GPL-2+` refers to `GPL-2` too. A `usr/share/doc/PACKAGE` that is a link to
another package's directory has no file of its own. Source: "Machine-readable debian/copyright file", Debian Policy 12.5.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._owned_files import MAX_TEXT, licenses_of
from pratique.inventory.package import PackageDetails

MAX_LICENSES = 200  # of one package, counted before equal ones are joined away: the kernel's has 50

_PATH = re.compile(r"usr/share/doc/([a-z0-9][a-z0-9+.-]{0,200})/copyright")
_FIELD = b"\nLicense:"
_REFERENCE = b"/usr/share/common-licenses/"
_REFERENCED = re.compile(rb"[0-9A-Za-z_.+-]{0,60}[0-9A-Za-z+]")


def parse(file: LayerFile) -> Iterator[PackageDetails]:
    """Yield the licences of the package that the directory is called after, if the file names any. It raises nothing: it is text for people."""
    match = _PATH.fullmatch(file.path)
    if match is None:
        return
    content = b"\n" + file.content
    licenses = licenses_of(part[:MAX_TEXT].partition(b"\n")[0] for part in _behind(content, _FIELD))
    if not licenses:
        references = (_REFERENCED.match(part) for part in _behind(content, _REFERENCE))
        licenses = licenses_of(reference.group().rstrip(b".") for reference in references if reference)
    if licenses:
        yield PackageDetails(type="deb", name=match.group(1), licenses=licenses)


def _behind(content: bytes, mark: bytes) -> list[bytes]:
    """What follows each of the marks. Splitting is the quickest search: images have some 600 such files of 10 KB."""
    return content.split(mark, MAX_LICENSES)[1:]


ANALYZER = Analyzer(
    name="dpkg-copyright",
    version=1,
    paths=PathPattern(names=frozenset({"copyright"}), accept=lambda path: _PATH.fullmatch(path) is not None),
    parse=parse,
    max_bytes=1024 * 1024,
    head_bytes=1024 * 1024,  # what a browser bundles takes more, and names the same licences again
)
