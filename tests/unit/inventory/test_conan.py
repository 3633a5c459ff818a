"""Packages in a cache of Conan 1."""

import pytest
from hypothesis import given

from pratique.errors import LimitExceeded
from pratique.inventory.analyzers.conan import ANALYZER, parse
from pratique.inventory.package import Package, PackageDetails
from tests.support.layer_results import layer_file, read
from tests.support.mutated import answer_or_refuse, mutated

ID = "5ab84d6acfe1f23c4fae0ab88f26e3a396351ac9"
PACKAGE = f"root/.conan/data/libpng/1.6.39/_/_/package/{ID}"
INFO = f"""[settings]
    arch=x86_64
    os=Linux

[requires]
    zlib/1.2.Z

[options]
    shared=False

[full_settings]
    arch=x86_64

[full_requires]
    zlib/1.2.13:{ID}
    own/2.0@team/stable#abc:{ID}

[recipe_hash]
    35d2e8dd3b4c1a2d1a2f1c9b6d7e8f90
"""
MANIFEST = "1688112233\nconaninfo.txt: 35d2e8dd3b4c1a2d1a2f1c9b6d7e8f90\nlib/lib: a.a: 45d2e8dd3b4c1a2d1a2f1c9b6d7e8f90\n../x: 55d2e8dd3b4c1a2d1a2f1c9b6d7e8f90\n"


def test_a_package_is_named_by_its_place_and_names_what_it_was_built_with() -> None:
    packages = [fact for fact in parse(layer_file(f"{PACKAGE}/conaninfo.txt", INFO)) if isinstance(fact, Package)]

    assert [package.purl for package in packages] == [
        "pkg:conan/libpng@1.6.39",
        "pkg:conan/zlib@1.2.13",
        "pkg:conan/team/own@2.0?channel=stable",
    ]
    assert {package.ecosystem for package in packages} == {"ConanCenter"}


def test_a_manifest_tells_the_files_of_its_package() -> None:
    (details,) = parse(layer_file(f"{PACKAGE}/conanmanifest.txt", MANIFEST))

    assert details == PackageDetails(
        type="conan",
        name="libpng",
        version="1.6.39",
        files=(
            (f"{PACKAGE}/conanmanifest.txt", ""),
            (f"{PACKAGE}/conaninfo.txt", "md5:35d2e8dd3b4c1a2d1a2f1c9b6d7e8f90"),
            (f"{PACKAGE}/lib/lib: a.a", "md5:45d2e8dd3b4c1a2d1a2f1c9b6d7e8f90"),
        ),
    )


def test_a_package_of_conan_2_is_a_gap() -> None:
    facts, error = read(parse, layer_file("root/.conan2/p/b/zlib8e2a1bc9e1f4b/p/conaninfo.txt", "[settings]\nos=Linux\n"))

    assert facts == []
    assert "expected the path of a package of Conan 1" in error


def test_a_manifest_without_a_name_is_silence() -> None:
    assert list(parse(layer_file("root/.conan2/p/b/zlib8e2a1bc9e1f4b/p/conanmanifest.txt", MANIFEST))) == []


def test_a_broken_requirement_is_an_error_after_the_others() -> None:
    facts, error = read(parse, layer_file(f"{PACKAGE}/conaninfo.txt", "[full_requires]\nzlib\nbzip2/1.0.8\n"))

    assert [fact.name for fact in facts if isinstance(fact, Package)] == ["libpng", "bzip2"]
    assert "'zlib'" in error


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("conaninfo.txt", "[full_requires]\n" + "a/1\n" * 20_000),
        ("conanmanifest.txt", "".join(f"{n}: {'0' * 32}\n" for n in range(100_010))),
    ],
)
def test_what_claims_too_much_is_refused(name: str, content: str) -> None:
    with pytest.raises(LimitExceeded, match="more than"):
        list(parse(layer_file(f"{PACKAGE}/{name}", content)))


def test_only_files_of_packages_are_wanted() -> None:
    assert ANALYZER.paths.matches(f"{PACKAGE}/conaninfo.txt")
    assert not ANALYZER.paths.matches("src/conanfile.txt")


@given(mutated(INFO.encode(), MANIFEST.encode()))
def test_any_bytes_are_answered_or_refused(content: bytes) -> None:
    for name in ("conaninfo.txt", "conanmanifest.txt"):
        answer_or_refuse(parse, layer_file(f"{PACKAGE}/{name}", content))
