"""The findings of an AlmaLinux root whose packages rpm installed, against rpm's own reading of its database and its own order of versions."""

from __future__ import annotations

from pathlib import Path

from tests.support.almalinux import assert_same_findings, install

SOURCES = {  # name, epoch, version and release of a source: what is built of it
    "bash 0 4.4.20 1.el8_4": "",
    "bind 32 9.11.36 11.el8_9": "bind-utils bind-libs",
    "curl 0 7.61.1 22.el8_6.3": "libcurl",
    "expat 0 2.2.5 16.el8_10": "expat-devel",
    "openssl 1 1.1.1k 14.el8_6": "openssl-libs",
    "sudo 0 1.9.5p2 1.el8_10.1": "",
    "zlib 0 1.2.11 18.el8_5": "zlib-devel",
}
FIXED = {
    "bash 0 4.4.20 6.el8_5": "",
    "curl 0 7.61.1 34.el8_10.13": "libcurl",
    "expat 0 2.5.0 2.el8_10": "expat-devel",
    "openssl 1 1.1.1k 17.el8_6": "openssl-libs",
    "zlib 0 1.2.11 25.el8": "zlib-devel",
}


def test_an_almalinux_root_has_the_findings_that_rpm_says_and_none_else(tmp_path: Path, database: Path) -> None:
    found = assert_same_findings(install(SOURCES, tmp_path), tmp_path, database)

    assert {name for _, name, _ in found} >= {
        "bind",
        "bind-utils",
        "curl",
        "libcurl",
        "expat",
        "expat-devel",
        "openssl-libs",
        "sudo",
        "zlib",
    }


def test_an_almalinux_root_that_is_up_to_date_has_no_findings(tmp_path: Path, database: Path) -> None:
    assert assert_same_findings(install(FIXED, tmp_path), tmp_path, database) == set()
