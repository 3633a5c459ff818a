"""opkg's records."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.errors import InputError
from pratique.inventory.analyzers.opkg import ANALYZER, parse
from pratique.inventory.package import Package, PackageDetails
from tests.support.layer_results import ASSETS, asset_file, layer_file, packages

STATUS = "usr/lib/opkg/status"
CONTROL = "usr/lib/opkg/info/libopenssl3.control"
LIST = "usr/lib/opkg/info/busybox.list"


def test_the_status_gives_what_is_installed() -> None:
    found = [(fact.name, fact.version, fact.purl) for fact in parse(asset_file(STATUS, "opkg/status")) if isinstance(fact, Package)]

    assert found == [
        ("libopenssl3", "3.0.12-1", "pkg:opkg/libopenssl3@3.0.12-1?arch=x86_64"),
        ("busybox", "1.35.0-5", "pkg:opkg/busybox@1.35.0-5?arch=x86_64"),
    ]


def test_a_control_file_describes_the_same_package_as_the_status() -> None:
    (control,) = parse(asset_file(CONTROL, "opkg/libopenssl3.control"))
    status = next(iter(parse(asset_file(STATUS, "opkg/status"))))

    assert isinstance(control, Package)
    assert isinstance(status, Package)
    assert (control.purl, control.source_name) == (status.purl, status.source_name)
    assert control.vendor == "Eneas U de Queiroz <cotequeiroz@gmail.com>"
    assert control.licenses == ("Apache-2.0",)
    assert control.cpes == ("cpe:2.3:a:openssl:openssl:3.0.12:*:*:*:*:*:*:*",)


@pytest.mark.parametrize(
    ("cpe", "version", "expected"),
    [
        ("cpe:/a:haxx:libcurl", "8.7.1-r1", ("cpe:2.3:a:haxx:libcurl:8.7.1:*:*:*:*:*:*:*",)),
        ("cpe:/a:test:pkg:1.0", "1.0-1", ("cpe:2.3:a:test:pkg:1.0:*:*:*:*:*:*:*",)),
        ("cpe:/a:test", "1.0-1", ()),
        ("openssl", "1.0-1", ()),
        ("cpe:/a:test:pkg", "1:2", ()),
    ],
)
def test_a_cpe_gets_the_version_from_upstream(cpe: str, version: str, expected: tuple[str, ...]) -> None:
    (package,) = parse(layer_file(CONTROL, f"Package: a\nVersion: {version}\nCPE-ID: {cpe}\n"))

    assert isinstance(package, Package)
    assert package.cpes == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [("busybox.list", ["bin/busybox", "bin/ash", "etc/syslog.conf"]), ("yocto-base-files.list", ["etc/", "etc/fstab", "bin/sh"])],
)
def test_lists_are_read_in_both_forms(name: str, expected: list[str]) -> None:
    (details,) = parse(asset_file(LIST, f"opkg/{name}"))

    assert isinstance(details, PackageDetails)
    assert (details.type, details.name, details.version) == ("opkg", "busybox", "")
    assert [path for path, _ in details.files] == expected


def test_an_empty_list_says_nothing() -> None:
    assert list(parse(layer_file(LIST, ""))) == []


@pytest.mark.parametrize("broken", ["Package: b\n", "Version: 1\n", "junk\n", "Package: b\nVersion: 1\nStatus: install ok confused\n"])
def test_a_broken_stanza_is_told_after_all_others_were_read(broken: str) -> None:
    found, error = packages(parse, layer_file(STATUS, f"Package: a\nVersion: 1\n\n{broken}\nPackage: z\nVersion: 3\n"))

    assert (found[0], found[-1]) == ("a", "z")
    assert "1 broken stanzas, the first at line 4" in error


@pytest.mark.parametrize(
    ("path", "is_wanted"),
    [
        (STATUS, True),
        (CONTROL, True),
        (LIST, True),
        ("var/lib/opkg/status", True),
        ("var/lib/opkg/info/base-files.control", True),
        ("opt/lib/opkg/status", True),
        ("usr/lib/opkg/info/busybox.postinst", False),
        ("usr/lib/opkg/lists/base", False),
        ("rom/usr/lib/opkg/status", False),
    ],
)
def test_only_the_live_database_is_wanted(path: str, is_wanted: bool) -> None:
    assert ANALYZER.paths.matches(path) is is_wanted


@given(data=st.data())
def test_changed_bytes_give_facts_or_an_input_error(data: st.DataObject) -> None:
    path, name = data.draw(st.sampled_from([(STATUS, "status"), (CONTROL, "libopenssl3.control"), (LIST, "busybox.list")]))
    content = bytearray((ASSETS / "opkg" / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 10))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        facts = list(parse(layer_file(path, bytes(content))))
    except InputError:
        return
    assert all(isinstance(fact, Package | PackageDetails) for fact in facts)


@given(path=st.sampled_from([STATUS, CONTROL, LIST]), content=st.binary(max_size=500))
def test_any_bytes_give_facts_or_an_input_error(path: str, content: bytes) -> None:
    try:
        list(parse(layer_file(path, content)))
    except InputError:
        return
