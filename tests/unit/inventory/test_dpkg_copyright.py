"""Licences of Debian packages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.inventory.analyzers.dpkg_copyright import ANALYZER, MAX_LICENSES, parse
from tests.support.layer_results import layer_file

COPYRIGHT = "usr/share/doc/zlib1g/copyright"
MACHINE_READABLE = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: zlib

Files: *
Copyright: 1995-2013 Jean-loup Gailly and Mark Adler
License: Zlib

Files: debian/*
Copyright: 2000-2017 Mark Brown
License: GPL-2+ or Expat
 On Debian systems see /usr/share/common-licenses/GPL-2.

License: Zlib
 This software is provided 'as-is'
"""


def licenses(content: str | bytes) -> tuple[str, ...]:
    return tuple(name for details in parse(layer_file(COPYRIGHT, content)) for name in details.licenses)


def test_the_machine_readable_format_names_its_licences() -> None:
    (details,) = parse(layer_file(COPYRIGHT, MACHINE_READABLE))

    assert (details.type, details.name, details.version) == ("deb", "zlib1g", "")
    assert details.licenses == ("Zlib", "GPL-2+ or Expat")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("the full text is in `/usr/share/common-licenses/GPL-2'.\n", ("GPL-2",)),
        ("see /usr/share/common-licenses/Apache-2.0.\n", ("Apache-2.0",)),
        (
            "/usr/share/common-licenses/GPL-3 and /usr/share/common-licenses/LGPL-2.1,\n/usr/share/common-licenses/GPL-3",
            ("GPL-3", "LGPL-2.1"),
        ),
        ("all of /usr/share/common-licenses/\n", ()),
    ],
)
def test_other_files_refer_to_common_licences(content: str, expected: tuple[str, ...]) -> None:
    assert licenses(content) == expected


@pytest.mark.parametrize("content", ["", "do what you want\n", "License:\n text\n", "Sub-License: MIT\n", b"\xff\xfe"])
def test_a_file_that_names_none_is_silent(content: str | bytes) -> None:
    assert list(parse(layer_file(COPYRIGHT, content))) == []


def test_licences_are_bounded_text() -> None:
    found = licenses("".join(f"License: {number}\x1b{'x' * 1000}\n" for number in range(1000)))

    assert len(found) <= MAX_LICENSES
    assert all(len(name) <= 200 and name.isprintable() for name in found)


@pytest.mark.parametrize(
    ("path", "is_wanted"),
    [
        (COPYRIGHT, True),
        ("usr/share/doc/ca-certificates/examples/debian/copyright", False),
        ("usr/share/doc/copyright", False),
        ("opt/usr/share/doc/a/copyright", False),
        ("usr/share/doc/zlib1g/README", False),
    ],
)
def test_only_the_packages_own_file_is_wanted(path: str, is_wanted: bool) -> None:
    assert ANALYZER.paths.matches(path) is is_wanted


@given(content=st.binary(max_size=300) | st.text(alphabet="License: \n/usr/share/common-licenses/GPL-2+.", max_size=300))
def test_any_bytes_are_read(content: bytes | str) -> None:
    assert len(list(parse(layer_file(COPYRIGHT, content)))) <= 1
