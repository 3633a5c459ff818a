"""The list that distroless images have instead of an rpm database."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pratique.inventory.analyzer import LayerFile
from pratique.inventory.analyzers.rpm_manifest import ANALYZER, parse
from pratique.inventory.package import Package
from tests.support.layer_results import layer_file, packages, read

PATH = "var/lib/rpmmanifest/container-manifest-2"
LINE = "mariner-release\t2.0-12.cm2\t1653816591\t1653753130\tMicrosoft Corporation\t(none)\t580\tnoarch\t0\tmariner-release-2.0-12.cm2.src.rpm\n"


def test_a_line_is_a_package() -> None:
    assert ANALYZER.paths.matches(PATH)
    assert list(parse(layer_file(PATH, LINE))) == [
        Package(
            type="rpm",
            name="mariner-release",
            version="2.0-12.cm2",
            architecture="noarch",
            qualifiers={"upstream": "mariner-release-2.0-12.cm2.src.rpm"},
            vendor="Microsoft Corporation",
        )
    ]


def test_the_epoch_and_the_source_package_are_read() -> None:
    (found,) = parse(
        layer_file(PATH, "openssl-libs\t1.1.1k-17.cm2\t1\t1\tMicrosoft Corporation\t3\t1\tx86_64\t3\topenssl-1.1.1k-17.cm2.src.rpm\n")
    )

    assert (found.version, found.source_name, found.source_version) == ("3:1.1.1k-17.cm2", "openssl", None)
    assert found.purl == "pkg:rpm/openssl-libs@1.1.1k-17.cm2?arch=x86_64&epoch=3&upstream=openssl-1.1.1k-17.cm2.src.rpm"


def test_empty_lines_and_keys_are_no_packages() -> None:
    key = "gpg-pubkey\t3135ce90-5e6fda74\t1\t1\t(none)\t(none)\t0\t(none)\t0\t(none)\n"

    assert packages(parse, layer_file(PATH, f"\n{key}\r\n{LINE}")) == (["mariner-release"], "")
    assert packages(parse, layer_file(PATH, "")) == ([], "")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("bash", "expected 10 columns, got 1"),
        ("\t" * 9, "no package name"),
        ("\t" * 10, "expected 10 columns, got 11"),
        ("bash\t5.1\t1\t1\tM\t(none)\t1\tx86_64\t0\tbash.src.rpm", "no release of bash"),
        ("bash\t5.1-1\t1\t1\tM\t(none)\t1\tx86_64\t-1\tbash.src.rpm", "expected an epoch, got b'-1'"),
        ("bash\t5.1-1\t1\t1\tM\t(none)\t1\tx86_64\t" + "9" * 5000 + "\tbash.src.rpm", "expected an epoch, got b'9999"),
        ("b h\t5.1-1\t1\t1\tM\t(none)\t1\tx86_64\t0\tbash.src.rpm", "expected a package name"),
    ],
)
def test_a_broken_line_costs_one_package(line: str, expected: str) -> None:
    found, problem = packages(parse, layer_file(PATH, f"{LINE}{line}\n{LINE}"))

    assert found == ["mariner-release", "mariner-release"]
    assert problem.startswith("1 broken lines, the first at line 2: ")
    assert expected in problem


def test_a_file_of_another_kind_ends_soon() -> None:
    assert packages(parse, layer_file(PATH, "x\n" * 100_000)) == ([], "more than 200000 lines or 1000 broken ones")


@settings(deadline=None)
@given(
    content=st.binary(max_size=500)
    | st.tuples(st.binary(max_size=40), st.integers(0, 120)).map(lambda change: LINE[: change[1]].encode() + change[0])
)
def test_arbitrary_bytes_are_packages_or_an_input_error(content: bytes) -> None:
    found, _ = read(parse, LayerFile(path=PATH, content=content))

    assert all(isinstance(fact, Package) and fact.purl for fact in found)
