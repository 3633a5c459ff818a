"""What is fetched from the publishers of advisories, before it is taken over into a mirror."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import json
import lzma
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

import zstandard

from pratique.errors import InvalidAdvisory
from pratique.feeds.archives import check_csaf_archive, check_osv_archive
from pratique.feeds.checks import Checker, check_debian_tracker, check_epss, check_kev, check_secdb, check_updateinfo
from pratique.feeds.download import parse_modified
from pratique.feeds.eol import convert_eol
from pratique.feeds.osv_records import read_head, read_index, read_zip, rewrite_zip, write_index
from pratique.inventory.eol_dates import decode_dates, parse_dates
from tests.fuzz.trial import Input, Target
from tests.support.feed_server import MODIFIED, epss_file, osv_record, zip_of
from tests.support.layer_blobs import Entry, make_tar

_KEV = {
    "title": "KEV",
    "dateReleased": "2024-05-06T07:08:09Z",
    "count": 1,
    "vulnerabilities": [{"cveID": "CVE-2024-1", "dateAdded": "2024-01-01"}],
}
_SECDB = {"distroversion": "v3.20", "packages": [{"pkg": {"name": "a", "secfixes": {"1-r0": ["CVE-2024-1"]}}}]}
_TRACKER = {"bash": {"CVE-2024-1": {"description": "a", "releases": {"bookworm": {"status": "open", "urgency": "low"}}}}}
_UPDATES = b"<?xml version='1.0'?><updates><update status='final'><id>ALAS-1</id></update></updates>"
_RELEASE = {
    "name": "11",
    "label": "11",
    "codename": "a",
    "isEol": True,
    "eolFrom": "2024-08-14",
    "isEoes": False,
    "eoesFrom": "2026-08-31",
    "latest": {"name": "1", "date": "2024-01-01"},
}
_EOL = {
    "schema_version": "1.2.0",
    "generated_at": "2026-01-01T00:00:00+00:00",
    "result": [{"name": "debian", "label": "Debian", "identifiers": [{"type": "purl", "id": "a"}], "releases": [_RELEASE]}],
}
_DATES = {
    "products": {
        "debian": {"title": "Debian", "cycles": [{"cycle": "11", "eol": "2024-08-14", "eoes": "2026-08-31"}, {"cycle": "12", "eol": False}]}
    }
}
_RECORDS = {name: json.dumps(osv_record(name)).encode() for name in ("PYSEC-1", "PYSEC-2", "PYSEC-3")}
_INDEX = b"2024-01-02T03:04:05Z,PYSEC-1\n2024-01-02T03:04:05.123Z,PYSEC-2\r\n"
_CHECKS: dict[str, Checker] = {
    "kev.json": check_kev, "main.json": check_secdb, "tracker.json": check_debian_tracker, "epss.csv.gz": check_epss, "updateinfo.xml.gz": check_updateinfo,
    "osv-all.tar.xz": check_osv_archive, "csaf.tar.bz2": check_csaf_archive, "csaf.tar.zst": check_csaf_archive,
}  # fmt: skip


_PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": partial(gzip.compress, compresslevel=1),
    ".xz": partial(lzma.compress, preset=0),
    ".bz2": bz2.compress,
    ".zst": zstandard.compress,
}


def feed_targets() -> Iterator[Target]:
    """Return the targets of what a sync takes."""
    checks = {name: _check(name, check) for name, check in _CHECKS.items()}
    plain = dict(_plain())
    packed = {name: [_packed(name, content) for content in contents] for name, contents in plain.items()}
    yield _by_kind("feed-files", {**checks, "products.json": _convert}, {**packed, "products.json": [_json(_EOL)]})
    inside = {name: partial(_check_packed, name) for name in plain if Path(name).suffix in _PACKERS}
    yield _by_kind("feed-contents", inside, {name: plain[name] for name in inside})
    readers = {"head": _read_head, "index": _read_index, "zip": _read_zip, "rewritten": _rewrite}
    zipped = zip_of(_RECORDS)
    seeds = {"head": [_RECORDS["PYSEC-1"]], "index": [_INDEX], "zip": [zipped, zip_of({})], "rewritten": [zipped]}
    yield _by_kind("osv-records", readers, seeds)
    yield _by_kind("eol-dates", {"": _read_dates}, {"": [_json(_DATES)]})
    times = [b"Sat, 02 Mar 2024 01:00:00 GMT", b"Sat Mar  2 01:00:00 2024"]
    yield _by_kind("times", {"": lambda content: parse_modified(content.decode("latin-1"))}, {"": times})


def _plain() -> Iterator[tuple[str, list[bytes]]]:
    """Contents of files before they are packed, as their names say: damage to what is packed ends at the packer's checksum."""
    osv = [
        make_tar([Entry("osv/a.json", _RECORDS["PYSEC-1"]), Entry("osv/b.json", b"{}")], form)
        for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT)
    ]
    csaf = [make_tar([Entry("csaf/index.txt", b"a"), Entry("csaf/a.json", b'{"document": {}}')])]
    yield "kev.json", [_json(_KEV)]
    yield "main.json", [_json(_SECDB)]
    yield "tracker.json", [_json(_TRACKER)]
    yield "epss.csv.gz", [gzip.decompress(epss_file(3))]
    yield "updateinfo.xml.gz", [_UPDATES]
    yield "osv-all.tar.xz", osv
    yield "csaf.tar.bz2", csaf
    yield "csaf.tar.zst", csaf


def _packed(name: str, content: bytes) -> bytes:
    pack = _PACKERS.get(Path(name).suffix)
    return pack(content) if pack else content


def _check_packed(name: str, content: bytes) -> None:
    _check(name, _CHECKS[name])(_packed(name, content))


def _check(name: str, check: Checker) -> Callable[[bytes], None]:
    def run(content: bytes) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, name)
            path.write_bytes(content)
            found = check(path)
            assert found.records >= 0
            found.modified.encode()

    return run


def _convert(content: bytes) -> None:
    """What the conversion takes, the readers of the mirror can read."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "products.json")
        path.write_bytes(content)
        convert_eol(path)
        with contextlib.suppress(InvalidAdvisory):  # of other products
            parse_dates(path.read_bytes())


def _read_dates(content: bytes) -> None:
    dates = parse_dates(content)
    assert decode_dates(dates.encode()) == dates


def _read_head(content: bytes) -> None:
    head = read_head(content)
    assert head is None or all(part.isascii() and part.isprintable() and "/" not in part for part in head)


def _read_index(content: bytes) -> None:
    """What is written of an index is read again as it was."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "modified_id.csv")
        path.write_bytes(content)
        found = read_index(path)
        write_index(path, found)
        assert read_index(path) == found


def _read_zip(content: bytes) -> None:
    """What is read can be put together anew, and holds the same then but for what was changed."""
    with tempfile.TemporaryDirectory() as folder:
        old, new = Path(folder, "Old", "all.zip"), Path(folder, "New", "all.zip")
        for path in (old, new):
            path.parent.mkdir()
        old.write_bytes(content)
        before = read_zip(Path(folder), "Old")
        rewrite_zip(old, new, {"PYSEC-9": json.dumps(osv_record("PYSEC-9")).encode()}, {"PYSEC-1"})
        after = read_zip(Path(folder), "New")
        assert after.index == {name: time for name, time in before.index.items() if name != "PYSEC-1"} | {"PYSEC-9": MODIFIED.rstrip("Z")}


def _rewrite(content: bytes) -> None:
    """A zip of the mirror that rotted since it was read."""
    with tempfile.TemporaryDirectory() as folder:
        old = Path(folder, "all.zip")
        old.write_bytes(content)
        rewrite_zip(old, Path(folder, "new.zip"), {"PYSEC-9": b"{}"}, {"PYSEC-1"})


def _by_kind(name: str, parsers: Mapping[str, Callable[[bytes], object]], seeds: Mapping[str, Iterable[bytes]]) -> Target:
    """Try several readers, told apart by the path of the input."""

    def only_ends(case: Input) -> tuple[()]:
        parsers[case.path](case.content)
        return ()

    inputs = tuple(Input(kind, content) for kind, contents in seeds.items() for content in contents)
    return Target(name=name, seeds=inputs, parse=only_ends, accepts=lambda case: case.path in parsers)


def _json(document: object) -> bytes:
    return json.dumps(document).encode()
