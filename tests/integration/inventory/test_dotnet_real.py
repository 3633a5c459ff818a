"""Real .NET assemblies, from wheels that bundle them."""

from pathlib import Path

import pytest

from pratique.inventory.analyzers import dotnet, dotnet_binary
from pratique.inventory.package import Package, PackageDetails
from tests.support.debian_packages import read_tree
from tests.support.wheels import unpack_wheels


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("wheels")
    unpack_wheels(target, "pythonnet==3.0.5", "clr-loader==0.2.7.post0")
    return target


def test_an_assembly_says_what_it_is(root: Path) -> None:
    facts, problems = read_tree(root, dotnet_binary.ANALYZER)
    packages = {path: fact for path, found in facts.items() for fact in found if isinstance(fact, Package)}

    assert packages["pythonnet/runtime/Python.Runtime.dll"].name == "Python.Runtime"
    assert packages["pythonnet/runtime/Python.Runtime.dll"].version.startswith("3.0.5")
    assert packages["clr_loader/ffi/dlls/amd64/ClrLoader.dll"].name == "ClrLoader"
    assert problems == {}


def test_the_list_beside_it_says_the_same_and_whose_file_it_is(root: Path) -> None:
    path = "pythonnet/runtime/Python.Runtime.deps.json"
    facts, problems = read_tree(root, dotnet.ANALYZER)
    packages = {fact.name: fact.version for fact in facts[path] if isinstance(fact, Package)}
    owners = {file: fact.name for fact in facts[path] if isinstance(fact, PackageDetails) for file, _ in fact.files}

    assert packages["Python.Runtime"].startswith("3.0.5")
    assert "Microsoft.CSharp" in packages
    assert owners["pythonnet/runtime/Python.Runtime.dll"] == "Python.Runtime"
    assert problems == {}
