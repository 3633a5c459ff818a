"""Which names and module streams of rpm packages advisories speak about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pratique.advisories.compiler import compile_database
from pratique.advisories.database import AdvisoryDatabase
from pratique.inventory.package import Package
from tests.support.osv_mirror import make_affected, make_record, write_mirror

ALMA, ROCKY = "AlmaLinux:8", "Rocky Linux:8"


def fixed(ecosystem: str, name: str, version: str) -> dict[str, Any]:
    return make_affected(ecosystem, name, {"introduced": "0"}, {"fixed": version})


def rpm(name: str, version: str, *, source: tuple[str, str] | None = None, ecosystem: str = ALMA, module: str = "") -> Package:
    source_name, source_version = source or (None, None)
    qualifiers = {"rpmmod": module} if module else {}
    return Package(
        type="rpm",
        name=name,
        version=version,
        source_name=source_name,
        source_version=source_version,
        ecosystem=ecosystem,
        qualifiers=qualifiers,
    )


def found(folder: Path, package: Package, *records: dict[str, Any]) -> list[tuple[str, str | None]]:
    mirror = write_mirror(folder / "mirror", **{ALMA.partition(":")[0]: list(records), ROCKY.partition(":")[0]: list(records)})
    compile_database(mirror, folder / "a.db")
    with AdvisoryDatabase.open(folder / "a.db") as database:
        return [(finding.id, finding.fixed_in) for finding in database.match(package)]


@pytest.mark.parametrize(("release", "fix"), [("422.el8", "0:1.28-423.el8"), ("423.el8", None)])
def test_what_is_said_of_an_rpm_itself_counts_and_its_source_is_not_asked(tmp_path: Path, release: str, fix: str | None) -> None:
    update = make_record("ALSA-2024:1", fixed(ALMA, "perl", "4:5.26.3-423.el8"), fixed(ALMA, "perl-Errno", "0:1.28-423.el8"))
    errno = rpm("perl-Errno", f"0:1.28-{release}", source=("perl", f"0:5.26.3-{release}"))  # the source's epoch is 4, and not recorded
    assert found(tmp_path, errno, update) == ([("ALSA-2024:1", fix)] if fix else [])


def test_publishers_that_name_sources_only_are_heard_by_the_source(tmp_path: Path) -> None:
    update = make_record("RLSA-2024:1", fixed(ROCKY, "openssl", "1:1.1.1k-12.el8"))
    libraries = rpm("openssl-libs", "1:1.1.1k-9.el8", source=("openssl", "1:1.1.1k-9.el8"), ecosystem=ROCKY)
    assert found(tmp_path, libraries, update) == [("RLSA-2024:1", "1:1.1.1k-12.el8")]


def test_another_advisory_may_still_speak_of_the_source(tmp_path: Path) -> None:
    own = make_record("ALSA-2024:1", fixed(ALMA, "perl-Errno", "0:1.28-400.el8"))
    of_source = make_record("ALSA-2024:2", fixed(ALMA, "perl", "0:5.26.3-423.el8"))
    errno = rpm("perl-Errno", "0:1.28-422.el8", source=("perl", "0:5.26.3-422.el8"))
    assert found(tmp_path, errno, own, of_source) == [("ALSA-2024:2", "0:5.26.3-423.el8")]


UPDATE = make_record(
    "ALSA-2024:2780",
    fixed(ALMA, "nodejs", "1:18.20.2-1.module_el8.9.0+3775+d8460d35"),
    fixed(ALMA, "nodejs-plain", "1:18.20.2-1.el8"),
    summary="Important: nodejs:18 security update",
)
IN_STREAM = "1:16.20.2-8.module_el8.9.0+3731+490e3ce6"


@pytest.mark.parametrize(
    ("version", "module", "is_found"),
    [
        (IN_STREAM, "nodejs:18:8090020240301110609:rhel8", True),
        (IN_STREAM, "nodejs:16:8090020240301110609:rhel8", False),
        (IN_STREAM, "", True),
        ("1:16.20.2-8.el8", "", False),
    ],
)
def test_almalinux_names_the_module_stream_in_the_title(tmp_path: Path, version: str, module: str, is_found: bool) -> None:
    assert bool(found(tmp_path, rpm("nodejs", version, module=module), UPDATE)) is is_found


def test_what_a_module_update_fixes_outside_of_the_stream_is_for_all(tmp_path: Path) -> None:
    assert found(tmp_path, rpm("nodejs-plain", "1:18.1-1.el8"), UPDATE) == [("ALSA-2024:2780", "1:18.20.2-1.el8")]


@pytest.mark.parametrize("title", ["Important: nodejs security update", "Important: a:1 b:1 c:1 d:1 e:1 security update"])
def test_a_module_update_that_names_no_stream_or_very_many_is_for_all(tmp_path: Path, title: str) -> None:
    for module in ("nodejs:16:1", ""):
        assert found(tmp_path, rpm("nodejs", IN_STREAM, module=module), {**UPDATE, "summary": title})
