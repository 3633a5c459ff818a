"""rpm databases as rpm itself makes them, of small packages that rpmbuild made here; and databases around headers, made without rpm."""

from __future__ import annotations

import sqlite3
import struct
import subprocess
from pathlib import Path

_SECONDS = 120
_SPEC = """
Name: tide
Epoch: 2
Version: 1.0~rc1
Release: 3.el9
Summary: Made for a test
License: MIT AND (Apache-2.0 OR BSD-3-Clause)
Vendor: Hafen Bücher
BuildArch: noarch
AutoReqProv: no

%description
Made for a test.

%package -n libtide
Epoch: 0
Version: 7
Summary: Another version than its source has
%description -n libtide
Made for a test.

%package -n tide-module
Summary: Part of a module
ModularityLabel: tide:18:9050:rhel9
%description -n tide-module
Made for a test.

%package -n gpg-pubkey
Summary: What rpm calls its keys
%description -n gpg-pubkey
Made for a test.

%install
mkdir -p %{buildroot}/usr/bin %{buildroot}/etc %{buildroot}/var/log %{buildroot}/usr/share/tide %{buildroot}/usr/share/doc/tide
echo tide > %{buildroot}/usr/bin/tide
ln -s tide %{buildroot}/usr/bin/tide-link
echo config > %{buildroot}/etc/tide.conf
echo ghost > %{buildroot}/var/log/tide.log
echo doc > %{buildroot}/usr/share/doc/tide/README
echo data > "%{buildroot}/usr/share/tide/größe und maß"
echo library > %{buildroot}/usr/share/tide/library

%files
/usr/bin/tide
/usr/bin/tide-link
%config(noreplace) /etc/tide.conf
%ghost /var/log/tide.log
%doc /usr/share/doc/tide/README
%dir /usr/share/tide
"/usr/share/tide/größe und maß"
%files -n libtide
/usr/share/tide/library
%files -n tide-module
%files -n gpg-pubkey
"""
_OLD_SPEC = """
Name: old
Version: 0.9
Release: 1
Summary: With the digests of rpm 4.4
License: GPL
BuildArch: noarch
AutoReqProv: no
%description
Made for a test.
%install
mkdir -p %{buildroot}/opt
echo old > %{buildroot}/opt/old
%files
/opt/old
"""


def build_packages(folder: Path) -> list[Path]:
    """Build five packages: one with everything, a sub-package of another version, one of a module, one named like a key, and one with MD5 digests."""
    return [*build_spec(folder / "tide", _SPEC), *build_spec(folder / "old", _OLD_SPEC, digests=1)]


def build_spec(folder: Path, spec: str, *, digests: int = 8) -> list[Path]:
    """Build the packages of one spec in a folder of their own, with digests of their files by the algorithm of this number (RFC 4880)."""
    folder.mkdir()
    path = folder / "package.spec"
    path.write_text(spec)
    run("rpmbuild", "-bb", "--quiet", *_defines(_topdir=folder, _binary_filedigest_algorithm=digests, _build_id_links="none"), str(path))
    return sorted((folder / "RPMS").rglob("*.rpm"))


def install(packages: list[Path], database: Path) -> None:
    """Write the packages into a database in SQLite as if they were installed."""
    change(database, "--nodeps", "--nosignature", "-i", *map(str, packages))


def remove(database: Path, *names: str) -> None:
    """Take packages out of a database as if they were removed."""
    change(database, "--nodeps", "-e", *names)


def change(database: Path, *arguments: str) -> None:
    run("rpm", "--dbpath", str(database), "--justdb", "--noscripts", *arguments)


def query(database: Path, *arguments: str, backend: str = "sqlite") -> str:
    """What rpm says about a database of that backend (`sqlite`, `bdb_ro`; Debian's rpm reads no ndb)."""
    return run("rpm", "--dbpath", str(database), *_defines(_db_backend=backend), "-q", *arguments)


def run(*command: str) -> str:
    return subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=_SECONDS, env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"}
    ).stdout


def _defines(**macros: object) -> list[str]:
    return [word for name, value in macros.items() for word in ("--define", f"{name} {value}")]


def make_header(*tags: tuple[int, int, int, bytes]) -> bytes:
    """A header of these tags: number, type, count, value."""
    index, store = b"", b""
    for tag, kind, count, value in tags:
        index += struct.pack(">4I", tag, kind, len(store), count)
        store += value
    return struct.pack(">II", len(tags), len(store)) + index + store


def make_sqlite(folder: Path, *headers: bytes, page_size: int = 4096) -> bytes:
    """A database as rpm makes it, written by SQLite."""
    path = folder / "rpmdb.sqlite"
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(f"PRAGMA page_size = {page_size}")
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN")
    connection.execute("CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT,blob BLOB NOT NULL)")
    connection.execute("CREATE TABLE 'Name' (key 'TEXT' NOT NULL, hnum INTEGER NOT NULL, idx INTEGER NOT NULL)")
    connection.executemany("INSERT INTO Packages (blob) VALUES (?)", [(header,) for header in headers])
    connection.execute("COMMIT")
    connection.close()
    return path.read_bytes()


def make_ndb(*headers: bytes) -> bytes:
    """A database in rpm's own format, with one page of slots."""
    slots, blobs = b"", b""
    for number, header in enumerate(headers, 1):
        used = 16 + len(header) + 12
        blocks = -(-used // 16)
        slots += struct.pack("<4s3I", b"Slot", number, 256 + len(blobs) // 16, blocks)
        blobs += struct.pack("<4s3I", b"BlbS", number, 1, len(header)) + header + bytes(blocks * 16 - used)
        blobs += struct.pack("<II4s", 0, len(header), b"BlbE")
    free = struct.pack("<4s3I", b"Slot", 0, 0, 0) * (254 - len(headers))
    return struct.pack("<4s7I", b"RpmP", 0, 1, 1, len(headers) + 1, 0, 0, 0) + slots + free + blobs


def make_bdb(*headers: bytes, order: str = "<", page_size: int = 512) -> bytes:
    """A database in Berkeley DB's hash format of either byte order (`<`, `>`), all packages in one bucket; short headers lie in its page."""
    number = struct.Struct(f"{order}I")
    items, overflow = [b"\x01" + number.pack(0), b"\x01" + number.pack(len(headers))], b""
    for key, header in enumerate(headers, 1):
        items.append(b"\x01" + number.pack(key))
        if len(header) <= page_size // 4:
            items.append(b"\x01" + header)
            continue
        first = 2 + len(overflow) // page_size
        pieces = [header[start : start + page_size - 26] for start in range(0, len(header), page_size - 26)]
        items.append(b"\x03\0\0\0" + struct.pack(f"{order}II", first, len(header)))
        for index, piece in enumerate(pieces):
            following = first + index + 1 if index + 1 < len(pieces) else 0
            overflow += _bdb_page(order, first + index, 7, (1, len(piece)), following) + piece.ljust(page_size - 26, b"\0")
    offsets = [page_size - sum(map(len, items[: index + 1])) for index in range(len(items))]
    bucket = _bdb_page(order, 1, 13, (len(items), offsets[-1]), 0) + struct.pack(f"{order}{len(offsets)}H", *offsets)
    last = 1 + len(overflow) // page_size
    meta = struct.pack(f"{order}8x4I4B2I", 0, 0x061561, 9, page_size, 0, 8, 0, 0, 0, last)
    return meta.ljust(page_size, b"\0") + bucket.ljust(offsets[-1], b"\0") + b"".join(reversed(items)) + overflow


def _bdb_page(order: str, number: int, kind: int, counts: tuple[int, int], following: int) -> bytes:
    return struct.pack(f"{order}8x3I2H2B", number, 0, following, *counts, 0, kind)
