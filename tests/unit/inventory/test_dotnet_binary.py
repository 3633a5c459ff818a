""".NET assemblies, runtimes and single-file applications."""

import time
from struct import pack

import pytest
from hypothesis import given

from pratique.errors import InvalidRecord, LimitExceeded
from pratique.inventory.analyzer import LayerFile
from pratique.inventory.analyzers._pe_resources import read_pe, version_strings
from pratique.inventory.analyzers.dotnet_binary import ANALYZER, choose_version, parse
from pratique.inventory.package import Package, PackageDetails
from tests.support.dotnet_files import assembly, bundled, deps_json, elf_host, resource_section, version_resource
from tests.support.layer_results import layer_file, read
from tests.support.mutated import answer_or_refuse, mutated

STRINGS = {
    "CompanyName": "Newtonsoft",
    "FileDescription": "Json.NET .NET 6.0",
    "FileVersion": "13.0.3.27908",
    "InternalName": "Newtonsoft.Json.dll",
    "OriginalFilename": "Newtonsoft.Json.dll",
    "ProductName": "Json.NET",
    "ProductVersion": "13.0.3+0a2e291c0d",
}
ASSEMBLY = assembly(STRINGS)
DEPS = deps_json({"app/1.0.0": "project", "A/2.0.0": "package"}, {"app/1.0.0": {"runtime": ["app.dll"]}, "A/2.0.0": {"runtime": ["A.dll"]}})


def _purls(path: str, content: bytes) -> list[str]:
    return [fact.purl for fact in parse(layer_file(path, content)) if isinstance(fact, Package)]


@pytest.mark.parametrize("is_64", [False, True])
def test_the_strings_of_a_version_resource_are_read(is_64: bool) -> None:
    executable = read_pe(assembly(STRINGS, is_64=is_64))

    assert executable is not None
    assert executable.is_managed
    assert version_strings(executable) == STRINGS


def test_an_assembly_is_the_package_of_its_name() -> None:
    (package,) = parse(layer_file("app/Newtonsoft.Json.dll", ASSEMBLY))

    assert isinstance(package, Package)
    assert (package.purl, package.ecosystem, package.vendor) == ("pkg:nuget/Newtonsoft.Json@13.0.3.27908", "NuGet", "Newtonsoft")


@pytest.mark.parametrize(
    ("strings", "name"),
    [
        ({"OriginalFilename": "A.B.dll", "ProductName": "Product"}, "A.B"),
        ({"OriginalFilename": "A.B.EXE"}, "A.B"),
        ({"InternalName": "My product", "FileDescription": "System.Text.Json (net8.0)"}, "System.Text.Json"),
        ({"ProductName": "My product"}, "file"),
        ({}, "file"),
    ],
)
def test_the_name_is_the_best_that_could_be_a_packages(strings: dict[str, str], name: str) -> None:
    assert _purls("x/file.dll", assembly({**strings, "ProductVersion": "1.0"})) in (
        [f"pkg:nuget/{name}@1.0"],
        [f"pkg:nuget/{name}@1.2.3.4"],
    )


@pytest.mark.parametrize(
    ("strings", "version"),
    [
        ({"ProductVersion": "3.0.3", "FileVersion": "3.0.3.0"}, "3.0.3.0"),
        ({"ProductVersion": "13.0.3+abc", "FileVersion": "13.0.3.27908"}, "13.0.3.27908"),
        ({"ProductVersion": "2.0.0", "FileVersion": "1.9.0.0"}, "2.0.0"),
        ({"ProductVersion": "8.0.1+bf5e279d92", "FileVersion": "8.0.123.58001", "CompanyName": "Microsoft Corporation"}, "8.0.1"),
        ({"ProductVersion": "4.8.9037.0 built by: NET481REL1", "FileVersion": "4.8.9037.0"}, "4.8.9037.0"),
        ({"ProductVersion": "1.0.0-beta.1+abc", "FileVersion": "1.0.0-alpha"}, "1.0.0-beta.1"),
        ({"ProductVersion": "v1.2.3", "FileVersion": ""}, "1.2.3"),
        ({"ProductVersion": "main", "FileVersion": "1.2.3.4"}, "1.2.3.4"),
        ({"ProductVersion": "1.2.3", "FileVersion": "x86"}, "1.2.3"),
        ({"ProductVersion": "r18", "FileVersion": "r17.x"}, "r17.x"),
        ({}, ""),
    ],
)
def test_the_version_is_the_greater_but_not_microsofts_count_of_builds(strings: dict[str, str], version: str) -> None:
    assert choose_version(strings) == version


def test_the_version_may_stand_in_the_numbers_only() -> None:
    assert _purls("A.dll", assembly({"OriginalFilename": "A.dll"})) == ["pkg:nuget/A@1.2.3.4"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"MZ",
        b"MZ" + b"\0" * 58 + b"\xff" * 4,
        ASSEMBLY[:0x90],
        ASSEMBLY[:0x180],
        assembly(STRINGS, is_managed=False),
        assembly(resources=b""),
        assembly(resources=b"\0" * 16),
        assembly(resources=pack("<LLHHHH", 0, 0, 0, 0, 0xFFFF, 0xFFFF)),
        assembly(resources=pack("<LLHHHHLL", 0, 0, 0, 0, 0, 1, 16, 1 << 31)),
        assembly(resources=resource_section(b"\xff" * 100)),
        assembly(resources=resource_section(b"\6\0\0\0\0\0" * 10_000)),
        assembly(resources=resource_section(version_resource(STRINGS)[:30])),
        b"#!/bin/sh\n",
    ],
)
def test_what_has_no_dotnet_code_or_no_version_is_silence(content: bytes) -> None:
    assert read(parse, layer_file("x/file.dll", content)) == ([], "")


def test_a_resource_directory_in_a_circle_ends() -> None:
    circle = pack("<LLHHHH", 0, 0, 0, 0, 0, 4000) + pack("<LL", 16, 1 << 31) * 4000
    started = time.process_time()

    assert list(parse(layer_file("x.dll", assembly(resources=circle)))) == []
    assert time.process_time() - started < 1


def test_a_version_resource_of_many_strings_ends() -> None:
    content = assembly({f"key{number}": "1" for number in range(2_000)})
    started = time.process_time()

    list(parse(layer_file("x.dll", content)))
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    "path",
    ["app/de/A.resources.dll", "usr/share/dotnet/packs/Microsoft.NETCore.App.Ref/8.0.1/ref/net8.0/System.Text.Json.dll"],
)
def test_what_holds_no_code_is_silence(path: str) -> None:
    assert _purls(path, ASSEMBLY) == []


@pytest.mark.parametrize(
    ("path", "purls"),
    [
        ("usr/share/dotnet/shared/Microsoft.NETCore.App/8.0.1/System.Private.CoreLib.dll", ["pkg:nuget/Microsoft.NETCore.App@8.0.1"]),
        (
            "usr/share/dotnet/shared/Microsoft.NETCore.App/9.0.0-rc.1.2/System.Private.CoreLib.dll",
            ["pkg:nuget/Microsoft.NETCore.App@9.0.0-rc.1.2"],
        ),
        ("opt/Microsoft.AspNetCore.App/8.0.1/Microsoft.AspNetCore.dll", ["pkg:nuget/Microsoft.AspNetCore.App@8.0.1"]),
        ("usr/share/dotnet/shared/Microsoft.NETCore.App/8.0.1/System.Text.Json.dll", []),
    ],
)
def test_a_shared_runtime_is_one_package(path: str, purls: list[str]) -> None:
    assert _purls(path, ASSEMBLY) == purls


@pytest.mark.parametrize("major", [1, 2, 6])
@pytest.mark.parametrize(
    "host", [elf_host(), elf_host(is_64=False), assembly(is_managed=False, resources=resource_section(elf_host()[1024:1064]))]
)
def test_a_single_file_application_holds_its_packages(host: bytes, major: int) -> None:
    facts = list(parse(layer_file("srv/app", bundled(host, DEPS, major))))

    assert [fact.purl for fact in facts if isinstance(fact, Package)] == ["pkg:nuget/app@1.0.0", "pkg:nuget/A@2.0.0"]
    assert [fact for fact in facts if isinstance(fact, PackageDetails)] == [
        PackageDetails(type="nuget", name="app", version="1.0.0", files=(("srv/app", ""),))
    ]


@pytest.mark.parametrize(
    "content", [elf_host(), elf_host() + b"appended", elf_host(header_at=4000), b"\x7fELF", b"\x7fELF\2" + b"\xff" * 100]
)
def test_other_programs_are_silence(content: bytes) -> None:
    assert read(parse, layer_file("bin/sh", content)) == ([], "")


def test_an_application_without_a_list_is_silence() -> None:
    assert list(parse(layer_file("app", bundled(elf_host(), b"", 6)))) == []


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (elf_host(header_at=1 << 63) + b"x", "ends early"),
        (elf_host(header_at=4090) + b"x", "ends early"),
        (elf_host(header_at=4096) + pack("<LLl", 6, 0, 2) + b"\xff" * 9, "broken string"),
        (elf_host(header_at=4096) + pack("<LLl", 6, 0, 2) + b"\0" + pack("<qqqqQ", 1, 1 << 20, 0, 0, 0), "outside of it"),
        (elf_host(header_at=4096) + pack("<LLl", 6, 0, 2) + b"\0" + pack("<qqqqQ", -5, 3, 0, 0, 0), "outside of it"),
        (elf_host(header_at=4096) + pack("<LLl", 1, 0, 9) + b"\0" + b"\0" * 40, "ends early"),
        (bundled(elf_host(), b"{"), "expected a .deps.json"),
    ],
)
def test_a_bundle_that_cannot_be_read_is_a_gap(content: bytes, text: str) -> None:
    with pytest.raises(InvalidRecord, match=text):
        list(parse(layer_file("app", content)))


@pytest.mark.parametrize(
    "places", [pack("<LLl", 1, 0, 1 << 30) + b"\0", pack("<LLl", 2, 0, 1) + b"\0" + pack("<qqqqQ", 1, 1 << 40, 0, 0, 0)]
)
def test_a_bundle_of_absurd_size_is_refused(places: bytes) -> None:
    with pytest.raises(LimitExceeded, match="single-file"):
        list(parse(layer_file("app", elf_host(header_at=4096) + places)))


def test_what_is_too_large_to_be_read_is_a_gap_if_it_is_dotnets() -> None:
    single = bundled(elf_host(), DEPS)
    for path, content in (("app", single[:4096]), ("A.dll", ASSEMBLY[:0x400])):
        with pytest.raises(InvalidRecord, match="too large to be read"):
            list(parse(LayerFile(path=path, content=content, size=1 << 30)))
    for path, content in (("app", elf_host()), ("A.dll", assembly(is_managed=False)[:0x400])):
        assert list(parse(LayerFile(path=path, content=content, size=1 << 30))) == []


def test_other_programs_cost_microseconds() -> None:
    program = layer_file("usr/lib/libx.so", elf_host(size=16 * 1024 * 1024))
    started = time.process_time()
    for _ in range(1_000):
        assert list(parse(program)) == []

    assert time.process_time() - started < 0.5


@pytest.mark.parametrize(
    ("path", "head", "is_wanted"),
    [
        ("app/A.dll", b"MZ", True),
        ("app/A.EXE", b"MZ", True),
        ("usr/bin/app", b"\x7fELF\2\1\1\0", True),
        ("usr/bin/app", b"#!/bin/s", False),
    ],
)
def test_assemblies_and_programs_are_wanted(path: str, head: bytes, is_wanted: bool) -> None:
    assert ANALYZER.paths.matches(path, head) is is_wanted


@given(mutated(ASSEMBLY, bundled(elf_host(size=1200), DEPS, 6), bundled(elf_host(size=1200), DEPS, 1)))
def test_any_bytes_are_answered_or_refused(content: bytes) -> None:
    answer_or_refuse(parse, layer_file("app/x.dll", content))
