"""Julia packages."""

import time

import pytest
from hypothesis import given

from pratique.inventory.analyzers.julia import ANALYZER, MAX_DOTS, MAX_LINE, MAX_LINES
from tests.support.language_facts import details_of, packages_of, purls, refusal
from tests.support.layer_results import ASSETS, asset_file, layer_file
from tests.support.mutated import answer_or_refuse, mutated

PATH = "root/.julia/environments/v1.9/Manifest.toml"
PROJECT = "root/.julia/packages/JSON/93Ea8/Project.toml"
UUID = "682c06a0-de6a-54ab-a142-c8b1cf79cde6"


def test_the_second_format_gives_packages_and_the_standard_library_of_that_julia() -> None:
    packages = packages_of(ANALYZER, asset_file(PATH, "julia/Manifest-2.toml"))

    assert [package.purl for package in packages] == [
        "pkg:julia/Adapt@3.6.2?uuid=79e6a3ab-5dfb-504d-930d-738a2a938a0e",
        "pkg:julia/Dates@1.9.0?uuid=ade2ca70-3891-5945-98fb-dc099432e06a",
    ]
    assert {package.ecosystem for package in packages} == {"Julia"}


def test_the_first_format_does_not_tell_the_version_of_julia() -> None:
    assert purls(ANALYZER, asset_file(PATH, "julia/Manifest-1.toml")) == [f"pkg:julia/JSON@0.21.4?uuid={UUID}"]


def test_a_package_of_a_depot_owns_its_directory() -> None:
    head = f'name = "JSON"\nuuid = "{UUID}"\nauthors = ["a.b.c.d.e.f"]\nversion = "0.21.4"\nlicense = "MIT"\n'
    file = layer_file(PROJECT, head + '\n[deps]\nDates = "x"\n\n[sources]\nDates = {url = "x"}\n\n[x]\nversion = "9"\n')
    (package,) = packages_of(ANALYZER, file)

    assert (package.purl, package.licenses) == (f"pkg:julia/JSON@0.21.4?uuid={UUID}", ("MIT",))
    assert details_of(ANALYZER, file)[0].directories == ("root/.julia/packages/JSON/93Ea8",)


def test_a_package_of_a_depot_without_version_is_left_to_the_manifest() -> None:
    assert purls(ANALYZER, layer_file(PROJECT, f'name = "JSON"\nuuid = "{UUID}"\n')) == []


@pytest.mark.parametrize("content", ["", 'title = "x"\n', "[package]\nname = 'a'\n", "[[bin]]\nname = 'a'\n", 'manifest_format = "2.0"\n'])
def test_another_programs_manifest_means_nothing(content: str) -> None:
    assert purls(ANALYZER, layer_file(PATH, content)) == []


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("\x7fELF", "expected TOML"),
        (b"\xff\xfe", "expected TOML"),
        ("[[deps", "expected TOML"),
        ("a = " + "[" * 9_000, "expected TOML"),
        ("a" * (MAX_LINE + 1), "longer lines"),
        ("a." * (MAX_DOTS + 1) + "a = 1", "longer keys"),
        ("a = {b = 1}", "inline tables"),
        ("\n" * (MAX_LINES + 1), "more or longer lines"),
        ('[[A]]\nversion = "1"\n', "uuid of A"),
        ('[[A]]\nuuid = "x"\nversion = "1"\n', "uuid of A"),
        (f'[[A]]\nuuid = "{UUID}"\nversion = "1 2"\n', "version of A"),
        (f'[["A b"]]\nuuid = "{UUID}"\nversion = "1"\n', "name of a package"),
    ],
)
def test_what_julia_has_not_written_is_a_gap(content: str | bytes, problem: str) -> None:
    assert problem in refusal(ANALYZER, layer_file(PATH, content))[1]


def test_a_broken_entry_does_not_hide_the_others() -> None:
    count, error = refusal(ANALYZER, layer_file(PATH, f'[[A]]\nversion = "1"\n[[B]]\nuuid = "{UUID}"\nversion = "2"\n'))

    assert (count, error.startswith("1 broken entries")) == (1, True)


@pytest.mark.parametrize("unit", ["a.a.a.a=1\n", "[a.b.c]\n", "[[a]]\n", "a=[[],[],[],[],[],[],[],[],[],[]]\n"])
def test_a_manifest_of_any_tables_takes_little_time(unit: str) -> None:
    content = "".join(unit.replace("a", f"a{number}", 1) for number in range(15_000))
    start = time.process_time()

    answer_or_refuse(ANALYZER.parse, layer_file(PATH, content))
    assert time.process_time() - start < 10


@pytest.mark.parametrize("name", ["Manifest.toml", "JuliaManifest.toml", "Manifest-v1.11.toml"])
def test_every_name_of_a_manifest_is_wanted(name: str) -> None:
    assert ANALYZER.paths.matches(f"app/{name}")


@pytest.mark.parametrize(
    "path",
    [
        "root/.julia/packages/JSON/93Ea8/docs/Manifest.toml",
        "usr/local/julia/share/julia/stdlib/v1.9/Pkg/test/manifest/bad/Manifest.toml",
        "app/Project.toml",
        "app/pyproject.toml",
        "app/Cargo.toml",
    ],
)
def test_files_of_packages_themselves_are_not_wanted(path: str) -> None:
    assert not ANALYZER.paths.matches(path)


@given(content=mutated(*((ASSETS / "julia" / f"Manifest-{number}.toml").read_bytes() for number in (1, 2))))
def test_bytes_of_any_kind_give_facts_or_an_input_error(content: bytes) -> None:
    for path in (PATH, PROJECT):
        answer_or_refuse(ANALYZER.parse, layer_file(path, content))
