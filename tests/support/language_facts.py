"""What an analyzer of language packages told about one file, in short."""

from __future__ import annotations

from pratique.errors import InputError
from pratique.inventory.analyzer import Analyzer, LayerFile
from pratique.inventory.package import Package, PackageDetails
from tests.support.layer_results import read


def purls(analyzer: Analyzer, file: LayerFile) -> list[str]:
    """The purls of its packages. The analyzer must want the file, and say nothing against it."""
    return [package.purl for package in packages_of(analyzer, file)]


def packages_of(analyzer: Analyzer, file: LayerFile) -> list[Package]:
    assert analyzer.paths.matches(file.path, file.content[:8])
    facts, error = read(analyzer.parse, file)
    assert error == ""
    return [fact for fact in facts if isinstance(fact, Package)]


def details_of(analyzer: Analyzer, file: LayerFile) -> list[PackageDetails]:
    """What it told about owned files, also where it raised after that."""
    return [fact for fact in read(analyzer.parse, file)[0] if isinstance(fact, PackageDetails)]


def refusal(analyzer: Analyzer, file: LayerFile) -> tuple[int, str]:
    """How many packages came before the error, and the error. Fails if there was none."""
    count = 0
    try:
        for fact in analyzer.parse(file):
            count += isinstance(fact, Package)
    except InputError as error:
        return count, str(error)
    raise AssertionError(f"{file.path} was not refused")
