"""Node packages as Debian unpacks them."""

import json

from pratique.inventory.analyzers.node import ANALYZER
from pratique.inventory.package import Package, PackageDetails
from tests.support.debian_packages import read_tree, unpack


def test_every_package_of_npm_is_found_with_its_directory_and_none_is_a_gap() -> None:
    root = unpack("node-semver", "npm")
    facts, problems = read_tree(root, ANALYZER)
    expected = {}
    for path in root.rglob("package.json"):
        found = json.loads(path.read_text())
        if not path.is_symlink() and found.get("name") and found.get("version"):
            expected[str(path.relative_to(root))] = (found["name"], found["version"])

    assert problems == {}
    assert {
        path: (fact.matching_name, fact.version) for path, found in facts.items() for fact in found if isinstance(fact, Package)
    } == expected
    directories = [
        directory for found in facts.values() for fact in found if isinstance(fact, PackageDetails) for directory in fact.directories
    ]
    assert len(directories) > 20
    assert all((root / directory / "package.json").is_file() for directory in directories)


def test_licences_and_authors_of_real_packages_are_read() -> None:
    facts, _ = read_tree(unpack("node-semver", "npm"), ANALYZER)
    packages = [fact for found in facts.values() for fact in found if isinstance(fact, Package)]

    assert len([package for package in packages if package.licenses]) > len(packages) * 0.9
    assert any(package.vendor for package in packages)
