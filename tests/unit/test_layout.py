"""The layout that makes every import line show the direction of its dependency."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
ROOTS = {"shared": "pratique", "services": "pratique_services"}
MODULES = sorted(path for root in ROOTS for path in (CHECKOUT / root).rglob("*.py"))
MAX_LINES = 400
LOCKS = sorted((CHECKOUT / "requirements").glob("*.txt"))
MACHINE_PATHS = re.compile(r"(?<![\w.-])/(?:work|farm|root|home)/")  # of whoever's machine it was


def name(path: Path) -> str:
    return path.relative_to(CHECKOUT).as_posix()


@pytest.mark.parametrize(("root", "package"), ROOTS.items())
def test_an_import_root_holds_exactly_one_package(root: str, package: str) -> None:
    assert [path.name for path in (CHECKOUT / root).iterdir() if path.name != "__pycache__"] == [package]


def test_every_folder_of_modules_is_a_package() -> None:
    assert not [name(path) for path in MODULES if not (path.parent / "__init__.py").exists()]


def test_the_wheel_carries_both_packages_and_the_migrations() -> None:
    build = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    assert build["targets"]["wheel"]["packages"] == [f"{root}/{package}" for root, package in ROOTS.items()]
    assert list(build["targets"]["wheel"]["force-include"]) == ["migrations"]


def test_no_module_is_too_long_to_be_read_in_one_go() -> None:
    lengths = {name(path): len(path.read_text().splitlines()) for path in MODULES}
    assert {path: lines for path, lines in lengths.items() if lines > MAX_LINES} == {}


def test_every_module_says_what_it_is_for() -> None:
    assert not [name(path) for path in MODULES if not ast.get_docstring(ast.parse(path.read_text()))]


def test_every_locked_package_has_hashes_and_no_address() -> None:
    assert [path.name for path in LOCKS] == ["build.txt", "dev.txt", "run.txt"]
    for path in LOCKS:
        text = path.read_text()
        assert "://" not in text
        pins = re.findall(r"^\S+==\S+ \\\n    --hash=sha256:", text, re.MULTILINE)
        assert len(pins) == len(re.findall(r"^[a-z0-9]", text, re.MULTILINE)) > 0


def test_what_is_installed_for_running_is_what_is_tested() -> None:
    pins = {path.name: set(re.findall(r"^(\S+==\S+) \\$", path.read_text(), re.MULTILINE)) for path in LOCKS}
    assert pins["run.txt"] | pins["build.txt"] <= pins["dev.txt"]


def test_every_dependency_is_locked_and_explained() -> None:
    declared = declared_packages("run") | declared_packages("dev")
    locked = set(re.findall(r"^([a-z0-9-]+)==", (CHECKOUT / "requirements/dev.txt").read_text(), re.MULTILINE))
    explained = set(re.findall(r"^\| ([a-z0-9-]+) \|", (CHECKOUT / "docs/dependencies.md").read_text(), re.MULTILINE)) - {"package"}
    assert declared <= locked
    assert explained == declared


def test_every_imported_package_is_declared() -> None:
    owners = packages_distributions()
    imported = {module for path in MODULES for module in imported_modules(path)} - set(sys.stdlib_module_names) - set(ROOTS.values())
    undeclared = {
        module for module in imported if not {re.sub("[-_.]+", "-", owner).lower() for owner in owners[module]} & declared_packages("run")
    }
    assert undeclared == set()


def declared_packages(kind: str) -> set[str]:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    lines = project["dependencies"] if kind == "run" else project["optional-dependencies"][kind]
    return {re.split(r"[\[><=]", line)[0] for line in lines}


def imported_modules(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text())))
    plain = {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    return {module.split(".")[0] for module in plain | {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}}


def test_no_file_of_the_program_names_a_place_on_one_machine() -> None:
    files = [*MODULES, *CHECKOUT.glob("tests/support/*.py"), *CHECKOUT.glob("docs/*.md"), CHECKOUT / "Makefile", CHECKOUT / "README.md"]
    assert not [name(path) for path in files if MACHINE_PATHS.search(path.read_text())]
