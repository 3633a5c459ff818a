"""By which names and parts of ecosystems packages are looked up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pratique.advisories.compiler import compile_database
from pratique.advisories.database import AdvisoryDatabase
from pratique.inventory.package import Package
from tests.support.osv_mirror import make_affected, make_record, write_mirror

OPEN_MARKET = "VSCode:https://market.example"


def below(identifier: str, ecosystem: str, name: str, fix: str) -> dict[str, Any]:
    return make_record(identifier, make_affected(ecosystem, name, {"introduced": "0"}, {"fixed": fix}))


def ids(folder: Path, package: Package, **feeds: Any) -> list[str]:
    compile_database(write_mirror(folder / "mirror", **feeds), folder / "a.db")
    with AdvisoryDatabase.open(folder / "a.db") as database:
        assert database.covers(package.ecosystem)
        return [finding.id for finding in database.match(package)]


def rpm(name: str, version: str, source: str | None = None, source_version: str | None = None) -> Package:
    return Package(
        type="rpm",
        name=name,
        version=version,
        source_name=source,
        source_version=source_version,
        architecture="x86_64",
        ecosystem="AlmaLinux:9",
    )


@pytest.mark.parametrize("named", ["python3-libs", "python3.9"])
def test_an_rpm_is_found_by_its_own_name_and_by_that_of_its_source(tmp_path: Path, named: str) -> None:
    installed = rpm("python3-libs", "3.9.16-1.el9", "python3.9")
    assert ids(tmp_path, installed, AlmaLinux=[below("ALSA-1", "AlmaLinux:9", named, "3.9.18-1.el9")]) == ["ALSA-1"]


def test_each_name_of_an_rpm_is_compared_with_its_own_version(tmp_path: Path) -> None:
    installed = rpm("perl-Encode", "4:3.08-1.el9", "perl", "4:5.32.1-1.el9")
    records = [below("ALSA-1", "AlmaLinux:9", "perl-Encode", "4:3.07-1.el9"), below("ALSA-2", "AlmaLinux:9", "perl", "4:5.32.1-2.el9")]
    assert ids(tmp_path, installed, AlmaLinux=records) == ["ALSA-2"]


def test_an_advisory_that_names_both_is_one_finding(tmp_path: Path) -> None:
    both = [make_affected("AlmaLinux:9", name, {"introduced": "0"}, {"fixed": "3.9.18-1.el9"}) for name in ("python3-libs", "python3.9")]
    assert ids(tmp_path, rpm("python3-libs", "3.9.16-1.el9", "python3.9"), AlmaLinux=[make_record("ALSA-1", *both)]) == ["ALSA-1"]


def test_a_deb_is_found_by_its_source_alone(tmp_path: Path) -> None:
    installed = Package(type="deb", name="libssl1.1", version="1.1.1k-1", source_name="openssl", ecosystem="Debian:11")
    records = [below("DSA-1", "Debian:11", "openssl", "1.1.1n-0"), below("DSA-2", "Debian:11", "libssl1.1", "9")]
    assert ids(tmp_path, installed, Debian=records) == ["DSA-1"]


def test_an_extension_is_found_in_every_marketplace(tmp_path: Path) -> None:
    installed = Package(type="vscode-extension", namespace="Sample", name="Lint", version="1.0.0", ecosystem="VSCode")
    records = [below("MAL-1", "VSCode", "sample.lint", "2.0.0"), below("MAL-2", OPEN_MARKET, "Sample.Lint", "2.0.0")]
    assert ids(tmp_path, installed, VSCode=records) == ["MAL-1", "MAL-2"]


@pytest.mark.parametrize(("kind", "ecosystem"), [("nuget", "NuGet"), ("composer", "Packagist")])
def test_case_does_not_count_where_registries_do_not_count_it(tmp_path: Path, kind: str, ecosystem: str) -> None:
    installed = Package(type=kind, name="Newtonsoft.Json", version="1.0.0", ecosystem=ecosystem)
    assert ids(tmp_path, installed, **{ecosystem: [below("GHSA-1", ecosystem, "newtonsoft.JSON", "2.0.0")]}) == ["GHSA-1"]
