"""AlmaLinux roots whose packages rpm installed, and their findings beside rpm's own reading of its database and its own order of versions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from tests.support.images import Entry
from tests.support.judged import MIRROR, Told, expected, read_records, scan_files, stated_in, told
from tests.support.osv_plainly import Compare, Stated, order_of_rpm
from tests.support.rpm_databases import build_spec, change, query

STATED = stated_in("AlmaLinux", "8")
TITLES = {record["id"]: record["summary"] for record in read_records(MIRROR / "AlmaLinux/all.zip")}
_OS_RELEASE = b'NAME="AlmaLinux"\nVERSION="8.10 (Cerulean Leopard)"\nID="almalinux"\nID_LIKE="rhel centos fedora"\nVERSION_ID="8.10"\nPLATFORM_ID="platform:el8"\n'
_QUERY = "%{NAME} %{EPOCHNUM}:%{VERSION}-%{RELEASE} %{MODULARITYLABEL}\n"
_MODULE = ".module_el"  # in the release of every package that was built in a module stream
_STREAM = re.compile(r"[\w.-]+:\w[\w.-]*")  # `nodejs:18`


def install(sources: Mapping[str, str], folder: Path) -> Path:
    """Build empty packages and have rpm note them as installed; answer the folder of its database.

    `sources` maps `NAME EPOCH VERSION RELEASE [MODULE:STREAM:REST]` to what else is built of that source: `NAME`, or with a version of its own `NAME=EPOCH:VERSION`.
    """
    (database := folder / "root/var/lib/rpm").mkdir(parents=True)
    for number, (source, built) in enumerate(sources.items()):
        packages = build_spec(folder / str(number), "\n".join(_spec(*source.split(), built=built.split())))
        change(database, "--nodeps", "--nosignature", "-i", *map(str, packages))
    return database


def assert_same_findings(rpm: Path, folder: Path, database: Path) -> Told:
    """Compare a scan of a root with this rpm database with rpm's reading; answer what both say.

    The plain reading: an update of a module stream, which its title names, is about packages of that stream, any other about those of none.
    """
    installed = {(name, version, label) for name, version, label in map(str.split, query(rpm, "-a", "--qf", _QUERY).splitlines())}
    order = order_of_rpm(
        (version, fixed) for one in STATED for _, fixed in one.ranges if fixed for name, version, _ in installed if name == one.name
    )
    judged = set().union(*(_judge(name, version, label, order) for name, version, label in installed))
    files: dict[str, Entry] = {"etc/os-release": _OS_RELEASE, "var/lib/rpm/rpmdb.sqlite": (rpm / "rpmdb.sqlite").read_bytes()}

    done = scan_files(folder, files, database)

    assert {(record, name, version if ":" in version else f"0:{version}") for record, name, version in told(done, STATED)} == judged
    return judged


def _judge(name: str, version: str, label: str, order: Compare) -> Told:
    return expected({(name, version)}, (one for one in STATED if one.name == name and _is_about(one, label)), order)


def _is_about(stated: Stated, label: str) -> bool:
    if not any(_MODULE in fixed for _, fixed in stated.ranges if fixed):
        return label == "(none)"
    return ":".join(label.split(":")[:2]) in _STREAM.findall(TITLES[stated.record])


def _spec(name: str, epoch: str, version: str, release: str, label: str = "", *, built: Iterable[str]) -> Iterator[str]:
    module = [f"ModularityLabel: {label}"] if label else []
    yield from (f"Name: {name}", f"Epoch: {epoch}", f"Version: {version}", f"Release: {release}", "Summary: Made for a test", *module)
    yield from ("License: MIT", "Vendor: AlmaLinux", "BuildArch: noarch", "AutoReqProv: no", "%description", "Empty.", "%files")
    for one in built:
        package, _, own = one.partition("=")
        own_epoch, _, own_version = own.partition(":")
        versions = [f"Epoch: {own_epoch}", f"Version: {own_version}"] if own else []
        yield from (f"%package -n {package}", "Summary: Made for a test", *versions, *module)
        yield from (f"%description -n {package}", "Empty.", f"%files -n {package}")
