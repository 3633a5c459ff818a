"""Our reading of installed distributions against Python's own."""

import hashlib
import sysconfig
import zipapp
from importlib import metadata
from pathlib import Path

import pytest

from pratique.inventory.analyzers import python, python_archives, python_record
from pratique.inventory.package import Package, PackageDetails
from tests.support.debian_packages import read_tree, unpack
from tests.support.wheels import install


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("root")
    install(root / "app" / "lib", "six==1.17.0", "zope.event==5.0", "iniconfig==2.1.0")
    return root


def _theirs(directory: Path) -> set[tuple[str, str]]:
    return {(python.normalized_name(found.metadata["Name"]), found.version) for found in metadata.distributions(path=[str(directory)])}


def test_every_distribution_of_this_environment_is_found_and_none_is_a_gap() -> None:
    directory = Path(sysconfig.get_paths()["purelib"])
    facts, problems = read_tree(directory, python.ANALYZER)
    top_level = {path: found for path, found in facts.items() if path.count("/") == 1}  # others are vendored in packages

    assert {(fact.name, fact.version) for found in top_level.values() for fact in found if isinstance(fact, Package)} == _theirs(directory)
    assert problems == {}


def test_every_record_of_this_environment_names_a_distribution_of_it() -> None:
    directory = Path(sysconfig.get_paths()["purelib"])
    facts, problems = read_tree(directory, python_record.ANALYZER)
    told = {(fact.name, fact.version) for found in facts.values() for fact in found if isinstance(fact, PackageDetails)}
    packages, _ = read_tree(directory, python.ANALYZER)

    assert told <= {(fact.name, fact.version) for found in packages.values() for fact in found if isinstance(fact, Package)}
    assert _theirs(directory) - told == set()
    assert problems == {}


def test_a_record_names_the_files_that_pip_installed_and_their_digests(target: Path) -> None:
    facts, problems = read_tree(target, python_record.ANALYZER)
    files = {path: digest for found in facts.values() for fact in found if isinstance(fact, PackageDetails) for path, digest in fact.files}
    on_disk = {str(path.relative_to(target)): path for path in target.rglob("*") if path.is_file() and path.suffix != ".pyc"}

    assert problems == {}
    assert set(on_disk) <= set(files)
    with_digest = {path: digest for path, digest in files.items() if digest}
    assert len(with_digest) > 10
    assert with_digest == {path: f"sha256:{hashlib.sha256(on_disk[path].read_bytes()).hexdigest()}" for path in with_digest}


def test_a_zipapp_of_them_holds_the_same(target: Path, tmp_path: Path) -> None:
    zipapp.create_archive(
        target / "app" / "lib", tmp_path / "run.pyz", main="six:main", interpreter="/usr/bin/env python3", compressed=True
    )
    facts, problems = read_tree(tmp_path, python_archives.ANALYZER)

    assert {(fact.name, fact.version) for fact in facts["run.pyz"] if isinstance(fact, Package)} == _theirs(target / "app" / "lib")
    assert problems == {}


def test_debians_packages_are_found_where_it_puts_them() -> None:
    root = unpack("python3-six", "python3-simplejson")
    facts, problems = read_tree(root, python.ANALYZER)

    assert {(fact.name, fact.version) for found in facts.values() for fact in found if isinstance(fact, Package)} == _theirs(
        root / "usr/lib/python3/dist-packages"
    )
    assert problems == {}
