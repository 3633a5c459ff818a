""".NET packages by what applications and projects list."""

import json

import pytest
from hypothesis import given

from pratique.errors import InvalidRecord, LimitExceeded
from pratique.inventory.analyzers.dotnet import ANALYZER, parse
from pratique.inventory.package import Package, PackageDetails
from tests.support.dotnet_files import deps_json
from tests.support.layer_results import layer_file, read
from tests.support.mutated import answer_or_refuse, mutated

PATH = "app/Shop.deps.json"
JSON_NET = "Newtonsoft.Json/13.0.3"
APPLICATION = deps_json(
    {
        "Shop/1.0.0": "project",
        "runtimepack.Microsoft.NETCore.App.Runtime.linux-x64/8.0.1": "runtimepack",
        JSON_NET: "package",
        "Group/2.0.0": "package",
        "Build.Only/1.0.0": "package",
        "SQLite.Native/1.0.0": "package",
        "System.Runtime.Reference/4.0.0.0": "referenceassembly",
    },
    {
        "Shop/1.0.0": {"runtime": ["Shop.dll"]},
        "runtimepack.Microsoft.NETCore.App.Runtime.linux-x64/8.0.1": {
            "runtime": ["System.Private.CoreLib.dll"],
            "native": ["libcoreclr.so"],
        },
        JSON_NET: {"runtime": ["lib/net6.0/Newtonsoft.Json.dll"]},
        "SQLite.Native/1.0.0": {"runtimeTargets": ["runtimes/linux-x64/native/libe_sqlite3.so"]},
    },
    Shop={"Group": "2.0.0", "Build.Only": "1.0.0"},
    Group={"Newtonsoft.Json": "13.0.3"},
)


def _packages(path: str, content: bytes | str) -> dict[str, Package]:
    return {fact.name: fact for fact in parse(layer_file(path, content)) if isinstance(fact, Package)}


def _files(path: str, content: bytes | str) -> dict[str, list[str]]:
    return {fact.name: [file for file, _ in fact.files] for fact in parse(layer_file(path, content)) if isinstance(fact, PackageDetails)}


def test_an_application_brings_what_has_files_at_run_time_and_what_leads_there() -> None:
    packages = _packages(PATH, APPLICATION)

    assert list(packages) == ["Shop", "Microsoft.NETCore.App.Runtime.linux-x64", "Newtonsoft.Json", "Group", "SQLite.Native"]
    assert packages["Newtonsoft.Json"].purl == "pkg:nuget/Newtonsoft.Json@13.0.3"
    assert packages["Newtonsoft.Json"].ecosystem == "NuGet"


def test_files_beside_an_application_are_told_as_they_are_published() -> None:
    files = _files(PATH, APPLICATION)

    assert files["Newtonsoft.Json"] == ["app/Newtonsoft.Json.dll", "app/lib/net6.0/Newtonsoft.Json.dll"]
    assert files["SQLite.Native"] == ["app/libe_sqlite3.so", "app/runtimes/linux-x64/native/libe_sqlite3.so"]
    assert files["Shop"] == ["app/Shop", "app/Shop.exe", "app/Shop.pdb", PATH, "app/Shop.runtimeconfig.json", "app/Shop.dll"]
    assert "Group" not in files


@pytest.mark.parametrize(
    ("library", "cpe"),
    [
        ("runtimepack.Microsoft.NETCore.App.Runtime.linux-x64/8.0.1", "microsoft:.net:8.0.1"),
        ("Microsoft.AspNetCore.App.Runtime.linux-musl-x64/8.0.1", "microsoft:asp.net_core:8.0.1"),
        ("runtime.linux-x64.Microsoft.NETCore.App/2.1.30", "microsoft:.net_core:2.1.30"),
    ],
)
def test_runtimes_are_known_to_the_nvd_as_well(library: str, cpe: str) -> None:
    (package,) = _packages(PATH, deps_json({library: "package"}, {library: {"runtime": ["a.dll"]}})).values()

    assert package.cpes == (f"cpe:2.3:a:{cpe}:*:*:*:*:*:*:*",)


@pytest.mark.parametrize("library", ["Microsoft.NETCore.App.Runtime.linux-x64/9.0.0-rc.1", "Newtonsoft.Json/13.0.3"])
def test_previews_and_other_packages_have_no_name_there(library: str) -> None:
    (package,) = _packages(PATH, deps_json({library: "package"}, {library: {"runtime": ["a.dll"]}})).values()

    assert package.cpes == ()


def test_everything_counts_where_a_bundler_merged_libraries() -> None:
    content = deps_json({"ILRepack.Lib.MSBuild.Task/2.0.0": "package", "Merged/1.0.0": "package"}, {})

    assert list(_packages(PATH, content)) == ["ILRepack.Lib.MSBuild.Task", "Merged"]


def test_a_library_that_no_target_speaks_of_counts() -> None:
    assert list(_packages(PATH, '{"libraries": {"A/1.0": {"type": "package"}}, "targets": {"x": {}}}')) == ["A"]


def test_libraries_that_depend_on_each_other_in_a_circle_end() -> None:
    content = deps_json(
        {"A/1": "package", "B/1": "package", "C/1": "package"},
        {"A/1": {"runtime": ["a.dll"]}},
        A={"B": "1"},
        B={"A": "1", "C": "1"},
        C={"C": "1"},
    )

    assert list(_packages(PATH, content)) == ["A", "B"]


@pytest.mark.parametrize("name", ["../../../etc/passwd", "/etc/passwd", "a\x1b.dll"])
def test_a_path_that_leads_elsewhere_is_nobodys(name: str) -> None:
    assert _files(PATH, deps_json({"A/1": "package"}, {"A/1": {"runtime": [name]}})) == {}


@pytest.mark.parametrize("key", ["My App/1.0.0", "Büro/1.0.0", "App/"])
def test_a_project_may_be_named_freely_and_is_passed_over(key: str) -> None:
    assert read(parse, layer_file(PATH, deps_json({key: "project"}, {}))) == ([], "")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("", "expected a .deps.json"),
        ("[]", "expected a .deps.json"),
        ('{"libraries": {"A/1": 1}}', "expected a .deps.json"),
        ('{"libraries": {"A B/1": {"type": "package"}}}', "name of a NuGet package"),
        ('{"libraries": {"A": {"type": "package"}}}', "version of A"),
        ('{"libraries": {"A/1 || 2": {"type": "package"}}}', "version of A"),
        ('{"libraries": ' + '{"a":' * 100_000, "expected a .deps.json"),
    ],
)
def test_what_is_no_such_file_is_an_error(content: str, text: str) -> None:
    with pytest.raises(InvalidRecord, match=text):
        list(parse(layer_file(PATH, content)))


def test_readable_libraries_are_told_before_the_error() -> None:
    facts, error = read(
        parse,
        layer_file(PATH, deps_json({"A B/1": "package", "C/1": "package"}, {"C/1": {"runtime": ["C.dll"]}, "A B/1": {"runtime": ["x"]}})),
    )

    assert [fact.name for fact in facts if isinstance(fact, Package)] == ["C"]
    assert "'A B'" in error


def test_other_json_of_that_name_is_an_empty_application() -> None:
    assert list(parse(layer_file(PATH, "{}"))) == []


def test_too_many_libraries_are_refused() -> None:
    with pytest.raises(LimitExceeded, match="more than"):
        list(parse(layer_file(PATH, json.dumps({"libraries": {f"A{n}/1": {} for n in range(50_001)}}))))
    with pytest.raises(LimitExceeded, match="files of libraries"):
        list(parse(layer_file(PATH, json.dumps({"targets": {"x": {"A/1": {"runtime": {str(n): {} for n in range(200_001)}}}}}))))


LOCK = json.dumps(
    {
        "version": 1,
        "dependencies": {
            "net6.0": {"A": {"type": "Direct", "requested": "[1.0, )", "resolved": "1.0.0"}, "Shop.Core": {"type": "Project"}},
            "net8.0": {"A": {"type": "Direct", "resolved": "1.0.0"}, "B": {"type": "Transitive", "resolved": "2.0.0-rc.1"}},
        },
    }
)
CONFIG = """\ufeff<?xml version="1.0" encoding="utf-8"?>
<packages>
  <package id="A" version="1.0.0" targetFramework="net45" />
  <package id="B" version="2.0.0-rc.1" targetFramework="net45" />
  <package id="Tool" version="3.0" developmentDependency="true" />
</packages>"""
PROPS = """<Project xmlns="http://schemas.microsoft.com/developer/msbuild/2003">
  <PropertyGroup><V>1</V></PropertyGroup>
  <ItemGroup Condition="'$(X)' == ''">
    <PackageVersion Include="A" Version=" 1.0.0 " />
    <PackageReference Update="B" Version="[2.0.0-rc.1]" />
    <PackageVersion Include="C" Version="$(V)" />
    <PackageVersion Include="D" Version="1.*" />
    <PackageVersion Include="E" Version="[1.0,2.0)" />
    <PackageVersion Include="F" />
    <Other Include="G" Version="1.0" />
  </ItemGroup>
</Project>"""


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("src/packages.lock.json", LOCK),
        ("src/packages.config", CONFIG),
        ("src/Directory.Packages.props", PROPS),
        ("src/packages.props", PROPS),
    ],
)
def test_a_project_lists_its_packages(path: str, content: str) -> None:
    facts, error = read(parse, layer_file(path, content))

    assert [(fact.name, fact.version, fact.type, fact.ecosystem) for fact in facts if isinstance(fact, Package)] == [
        ("A", "1.0.0", "nuget", "NuGet"),
        ("B", "2.0.0-rc.1", "nuget", "NuGet"),
    ]
    assert error == ""


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("", "expected XML"),
        ("{}", "expected XML"),
        ("<packages><package", "expected XML"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><packages/>', "document type"),
        ("<a>" * 100_000, "deep"),
        ('<?xml version="1.0" encoding="x-no"?><packages/>', "expected XML"),
        ('<packages><package id="A B" version="1"/></packages>', "name of a NuGet package"),
    ],
)
def test_what_is_no_packages_config_is_an_error(content: str, text: str) -> None:
    with pytest.raises(InvalidRecord, match=text):
        list(parse(layer_file("packages.config", content)))


@pytest.mark.parametrize("path", ["packages.lock.json", "libman.json"])
@pytest.mark.parametrize("content", ["", "[]", '{"dependencies": [], "libraries": {}}', '{"x": ' + "[" * 100_000])
def test_broken_json_is_an_error(path: str, content: str) -> None:
    with pytest.raises(InvalidRecord, match=f"expected a {path}"):
        list(parse(layer_file(path, content)))


def test_libraries_for_browsers_are_npm_packages() -> None:
    content = {
        "defaultProvider": "cdnjs",
        "libraries": [
            {"library": "jquery@3.3.1", "files": ["a.js"]},
            {"library": "@aspnet/signalr@1.0.4", "provider": "unpkg"},
            {"library": "js/mine@1", "provider": "filesystem"},
            {"library": "unversioned"},
        ],
    }

    assert [package.purl for package in _packages("app/libman.json", json.dumps(content)).values()] == [
        "pkg:npm/jquery@3.3.1",
        "pkg:npm/%40aspnet/signalr@1.0.4",
    ]


@pytest.mark.parametrize(
    ("path", "is_wanted"),
    [
        (PATH, True),
        ("src/Directory.Packages.props", True),
        ("src/packages.lock.json", True),
        ("app/package-lock.json", False),
        ("app/Shop.runtimeconfig.json", False),
    ],
)
def test_only_files_that_list_packages_are_wanted(path: str, is_wanted: bool) -> None:
    assert ANALYZER.paths.matches(path) is is_wanted


@given(mutated(APPLICATION, LOCK.encode(), CONFIG.encode(), PROPS.encode(), b'{"libraries": [{"library": "a@1"}]}'))
def test_any_bytes_are_answered_or_refused(content: bytes) -> None:
    for path in (PATH, "packages.lock.json", "packages.config", "Packages.props", "libman.json"):
        answer_or_refuse(parse, layer_file(path, content))
