"""rpm (Red Hat, Fedora, SUSE, Amazon, Oracle, Photon, Azure Linux …): its database, in each of the three forms that rpm has given it.

What a package is made of stands in its header, which is the same in all three (`_rpm_header`); `_rpm_bdb`, `_rpm_ndb` and `_rpm_sqlite` find the headers.
"""

from __future__ import annotations

from collections.abc import Iterator

from pratique.errors import InvalidRecord
from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.package import Package, PackageDetails

_DIRECTORIES = ("var/lib/rpm", "usr/lib/sysimage/rpm", "usr/share/rpm")  # in the order of their age; the last is rpm-ostree's
_DATABASES = ("Packages", "Packages.db", "rpmdb.sqlite")  # in the order of their age, too
_LOG = "rpmdb.sqlite-wal"


def parse(file: LayerFile) -> Iterator[Package | PackageDetails]:
    """Yield each package, followed by its files, in the order of the database. Public keys, which rpm keeps there too, are none.

    SQLite's write-ahead log beside the database (`rpmdb.sqlite-wal`) is empty unless rpm was killed: what it holds outdates the database, and is not read.

    Raises InvalidRecord, after all packages that can be read, for a database of another form, a damaged one, one with broken headers, and a log that is
    not empty; LimitExceeded for more packages or files than any system has.
    """
    from pratique.inventory.analyzers._rpm_database import read_database  # late: most images have none, and it takes 15 ms
    from pratique.inventory.analyzers._rpm_sqlite import has_frames

    name = file.path.rpartition("/")[2]
    if name != _LOG:
        yield from read_database(name, file.content)
    elif has_frames(file.content):
        raise InvalidRecord("changes to the rpm database that were not written into it")


ANALYZER = Analyzer(
    name="rpm",
    version=2,
    paths=PathPattern(paths=frozenset(f"{directory}/{name}" for directory in _DIRECTORIES for name in (*_DATABASES, _LOG))),
    parse=parse,
    max_bytes=192 * 1024 * 1024,  # 500 packages have 30 to 100 MB; read in place, it leaves room for what is read out of it
)
