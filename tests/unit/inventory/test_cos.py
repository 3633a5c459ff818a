"""Container-Optimized OS and Bottlerocket."""

import pytest
from hypothesis import given

from pratique.errors import InputError
from pratique.inventory.analyzers import bottlerocket, cos
from pratique.inventory.package import Package
from tests.support.layer_results import layer_file, read
from tests.support.mutated import answer_or_refuse, mutated

COS_PATH = "etc/cos-package-info.json"
COS = """{"installedPackages": [
  {"category": "sys-libs", "name": "zlib", "version": "17162.336.17", "ebuild_version": "1.2.11-r5"},
  {"name": "docker", "version": "17162.336.18", "ebuild_version": ""}],
 "buildTimePackages": [{"category": "app-admin", "name": "eselect", "version": "1", "ebuild_version": "1"}]}"""
BOTTLEROCKET_PATH = "x86_64-bottlerocket-linux-gnu/sys-root/usr/share/bottlerocket/application-inventory.json"
BOTTLEROCKET = """{"Content": [
  {"Name": "acpid", "Publisher": "Bottlerocket", "Version": "1.19.2", "Release": "29cc92cc", "Architecture": "x86_64", "Summary": "daemon"},
  {"Name": "runc", "Publisher": "Bottlerocket", "Version": "1.3.5", "Release": "1.br1", "Epoch": "1", "Architecture": "x86_64"},
  {"Name": "glibc", "Version": "2.40", "Release": "1.br1", "Epoch": "0"}]}"""


def test_what_is_installed_in_cos_is_listed_and_what_built_it_is_not() -> None:
    found = [fact.purl for fact in cos.parse(layer_file(COS_PATH, COS))]

    assert found == ["pkg:cos/zlib@17162.336.17?category=sys-libs", "pkg:cos/docker@17162.336.18"]


def test_bottlerockets_versions_are_spelled_as_rpm_spells_them() -> None:
    found = list(bottlerocket.parse(layer_file(BOTTLEROCKET_PATH, BOTTLEROCKET)))

    assert [package.version for package in found] == ["1.19.2-29cc92cc", "1:1.3.5-1.br1", "2.40-1.br1"]
    assert (found[0].purl, found[0].vendor) == ("pkg:bottlerocket/acpid@1.19.2-29cc92cc?arch=x86_64", "Bottlerocket")


def test_the_readable_packages_count_though_one_is_broken() -> None:
    facts, error = read(cos.parse, layer_file(COS_PATH, COS.replace('"zlib"', '"z lib"')))

    assert [fact.name for fact in facts if isinstance(fact, Package)] == ["docker"]
    assert "printable ASCII" in error


@pytest.mark.parametrize(
    "content", ["", "[]", "{", '{"installedPackages": 1}', '{"Content": {}}', '{"Content": [{}], "installedPackages": [{}]}']
)
def test_other_documents_are_a_gap(content: str) -> None:
    for parse, path in ((cos.parse, COS_PATH), (bottlerocket.parse, BOTTLEROCKET_PATH)):
        if "Content" not in content or parse is bottlerocket.parse:
            with pytest.raises(InputError, match=r"expected|no name|no Name"):
                list(parse(layer_file(path, content)))


def test_each_has_its_one_file() -> None:
    assert cos.ANALYZER.paths.matches(COS_PATH)
    assert bottlerocket.ANALYZER.paths.matches(BOTTLEROCKET_PATH)
    assert bottlerocket.ANALYZER.paths.matches("usr/share/bottlerocket/application-inventory.json")
    assert not cos.ANALYZER.paths.matches("home/etc/cos-package-info.json")


@given(mutated(COS.encode(), BOTTLEROCKET.encode()))
def test_any_bytes_give_facts_or_an_input_error(content: bytes) -> None:
    answer_or_refuse(cos.parse, layer_file(COS_PATH, content))
    answer_or_refuse(bottlerocket.parse, layer_file(BOTTLEROCKET_PATH, content))
