"""What is new in a newer database."""

from pathlib import Path
from typing import Any

import pytest

from pratique.advisories.compiler import compile_database
from pratique.advisories.delta import Delta, compare_databases
from pratique.errors import InvalidAdvisory, SettingsError
from tests.support.osv_mirror import make_affected, make_record, write_mirror

CATALOGUE = '{"dateReleased": "2024-02-03T10:00:00Z", "vulnerabilities": [{"cveID": "CVE-2024-0001", "dateAdded": "2024-02-01"}]}'


def npm(identifier: str, name: str, fix: str = "1.0.0", **fields: Any) -> dict[str, Any]:
    return make_record(identifier, make_affected("npm", name, {"introduced": "0"}, {"fixed": fix}), **fields)


def deb(identifier: str, release: str, name: str) -> dict[str, Any]:
    return make_record(identifier, make_affected(release, name, {"introduced": "0"}, {"fixed": "1"}))


def compiled(folder: Path, name: str, *, kev: str = "", **feeds: list[Any]) -> Path:
    mirror = write_mirror(folder / f"mirror-{name}", **feeds)
    if kev:
        (mirror / "kev.json").write_text(kev)
    compile_database(mirror, folder / name)
    return folder / name


def test_equal_databases_have_no_delta(tmp_path: Path) -> None:
    records = [npm("GHSA-1", "a"), npm("GHSA-2", "b")]
    touched = [npm("GHSA-1", "a", modified="2025-01-01T00:00:00Z"), records[1]]
    old, new = compiled(tmp_path, "old", npm=records), compiled(tmp_path, "new", npm=touched)
    delta = compare_databases(old, new)
    assert delta == Delta(packages=frozenset(), ecosystems=frozenset(), exploited={})
    assert delta.is_empty


def test_only_packages_of_which_something_else_is_said_are_in_the_delta(tmp_path: Path) -> None:
    old = compiled(tmp_path, "old", npm=[npm("GHSA-1", "a"), npm("GHSA-2", "b"), npm("GHSA-3", "c"), npm("GHSA-4", "d")])
    critical = [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]
    records = [npm("GHSA-1", "a"), npm("GHSA-2", "b", "2.0.0"), npm("GHSA-3", "c", severity=critical), npm("GHSA-5", "E")]
    delta = compare_databases(old, compiled(tmp_path, "new", npm=records))
    assert delta.packages == {("npm", "b"), ("npm", "c"), ("npm", "d"), ("npm", "E")}
    assert not delta.ecosystems


def test_a_release_that_came_or_went_is_told_as_a_whole(tmp_path: Path) -> None:
    old = compiled(tmp_path, "old", Debian=[deb("DSA-1", "Debian:11", "bash"), deb("DSA-2", "Debian:12", "bash")])
    new = compiled(tmp_path, "new", Debian=[deb("DSA-2", "Debian:12", "bash"), deb("DSA-3", "Debian:13", "bash")])
    delta = compare_databases(old, new)
    assert delta.ecosystems == {"Debian:11", "Debian:13"}
    assert not delta.packages


def test_what_became_known_as_exploited_is_told_apart(tmp_path: Path) -> None:
    records = [npm("GHSA-1", "a", aliases=["CVE-2024-0001"])]
    old, new = compiled(tmp_path, "old", npm=records), compiled(tmp_path, "new", npm=records, kev=CATALOGUE)
    delta = compare_databases(old, new)
    assert delta == Delta(packages=frozenset(), ecosystems=frozenset(), exploited={"CVE-2024-0001": "2024-02-01"})
    assert not delta.is_empty
    assert compare_databases(new, old).is_empty


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    good = compiled(tmp_path, "good", npm=[npm("GHSA-1", "a")])
    (tmp_path / "bad").write_bytes(b"not a database")
    with pytest.raises(InvalidAdvisory):
        compare_databases(tmp_path / "bad", good)
    with pytest.raises(SettingsError, match="found none"):
        compare_databases(good, tmp_path / "missing")
