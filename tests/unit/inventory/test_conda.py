"""Conda's records, in the form of conda 4.4 and later."""

import json

import pytest
from hypothesis import given

from pratique.errors import InputError
from pratique.inventory.analyzers.conda import ANALYZER, parse
from pratique.inventory.package import Package, PackageDetails
from tests.support.layer_results import layer_file, read
from tests.support.mutated import answer_or_refuse, mutated

PATH = "opt/conda/envs/a/conda-meta/openssl-3.3.1-h5eee18b_0.json"
RECORD = {
    "build": "h5eee18b_0",
    "build_number": 0,
    "channel": "https://repo.anaconda.com/pkgs/main/linux-64",
    "constrains": [],
    "depends": ["ca-certificates"],
    "extracted_package_dir": "/opt/conda/pkgs/openssl-3.3.1-h5eee18b_0",
    "files": ["bin/openssl", "lib/libssl.so.3", "lib/libssl.so"],
    "license": "Apache-2.0",
    "name": "openssl",
    "paths_data": {
        "paths": [
            {"_path": "bin/openssl", "path_type": "hardlink", "sha256": "a" * 64, "sha256_in_prefix": "B" * 64, "size_in_bytes": 1},
            {"_path": "lib/libssl.so.3", "path_type": "hardlink", "sha256": "c" * 64},
            {"_path": "../../../etc/passwd", "sha256": "d" * 64},
        ],
        "paths_version": 1,
    },
    "subdir": "linux-64",
    "version": "3.3.1",
}


def record(**changes: object) -> str:
    return json.dumps({**RECORD, **changes})


def test_a_record_gives_the_package_with_channel_and_build() -> None:
    (package, _) = parse(layer_file(PATH, record()))

    assert isinstance(package, Package)
    assert package.purl == "pkg:conda/openssl@3.3.1?build=h5eee18b_0&channel=main&subdir=linux-64"
    assert (package.licenses, package.ecosystem) == (("Apache-2.0",), "")


def test_files_lie_in_the_environment_with_the_digests_that_they_have_there() -> None:
    (_, details) = parse(layer_file(PATH, record()))

    assert isinstance(details, PackageDetails)
    assert (details.name, details.version) == ("openssl", "3.3.1")
    assert dict(details.files) == {
        "opt/conda/envs/a/bin/openssl": "sha256:" + "b" * 64,
        "opt/conda/envs/a/lib/libssl.so.3": "sha256:" + "c" * 64,
        "opt/conda/envs/a/lib/libssl.so": "",
    }


@pytest.mark.parametrize(
    ("channel", "expected"),
    [
        ("conda-forge", "conda-forge"),
        ("https://conda.anaconda.org/conda-forge/linux-64", "conda-forge"),
        ("https://conda.anaconda.org/conda-forge", "conda-forge"),
        ("pkgs/main", "main"),
        ("defaults", "defaults"),
    ],
)
def test_a_channel_goes_by_its_name(channel: str, expected: str) -> None:
    (package, _) = parse(layer_file(PATH, record(channel=channel)))

    assert isinstance(package, Package)
    assert package.qualifiers["channel"] == expected


def test_a_record_without_files_gives_the_package_alone() -> None:
    assert len(read(parse, layer_file(PATH, '{"name": "a", "version": "1", "channel": null, "files": null}'))[0]) == 1


BROKEN = [
    ("", "record of conda's"),
    ("{", "record of conda's"),
    ("[]", "record of conda's"),
    ("{}", "no name"),
    ('{"name": "a"}', "no version of a"),
    ('{"name": "a b", "version": "1"}', "printable ASCII"),
    (record(files={}), "record of conda's"),
    ('{"x": ' + "[" * 100_000, "record of conda's"),
    ('{"files": [' + '"",' * 1_000_001 + '""]}', "more than 1000000 values"),
    (record(files=[f"a/{number}" for number in range(300_001)]), "more than 300000 files"),
]


@pytest.mark.parametrize(("content", "reason"), BROKEN)
def test_what_conda_could_not_read_is_a_gap(content: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        list(parse(layer_file(PATH, content)))


def test_only_records_are_wanted() -> None:
    assert ANALYZER.paths.matches(PATH)
    assert ANALYZER.paths.matches("conda-meta/a-b-1.0-0.json")
    assert not any(map(ANALYZER.paths.matches, ("opt/conda/conda-meta/history", "opt/conda/conda-meta/x.json", "a-1-0.json")))


@given(mutated(record().encode()))
def test_any_bytes_give_facts_or_an_input_error(content: bytes) -> None:
    answer_or_refuse(parse, layer_file(PATH, content))
