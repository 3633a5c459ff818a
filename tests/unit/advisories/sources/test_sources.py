"""The table of sources."""

from pathlib import Path

import pytest

from pratique.advisories.sources import SOURCES, Source, SourceLimits
from pratique.advisories.versions import SCHEMES
from pratique.errors import InvalidAdvisory
from tests.support.vendor_feeds import read_feed


def test_every_module_of_a_format_is_in_the_table() -> None:
    folder = Path(__file__).parents[4] / "shared" / "pratique" / "advisories" / "sources"
    shared = {"__init__", "source", "csaf"}
    modules = {path.stem for path in folder.glob("*.py") if not path.stem.startswith("_")} - shared
    assert {source.read.__module__.rpartition(".")[2] for source in SOURCES} == modules


def test_names_are_sorted_and_there_once() -> None:
    names = [source.name for source in SOURCES]
    assert names == sorted(set(names))


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_every_source_speaks_of_its_ecosystems_only_and_these_have_an_order(source: Source) -> None:
    advisories, _ = read_feed(source)
    found = {entry.ecosystem.partition(":")[0] for advisory in advisories.values() for entry in advisory.affected}
    assert found == set(source.ecosystems)
    assert found <= SCHEMES.keys()


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_a_feed_that_is_not_there_or_empty_says_so(source: Source, tmp_path: Path) -> None:
    with pytest.raises(InvalidAdvisory, match="fetch this feed"):
        list(source.read(tmp_path / "absent", SourceLimits()))
    with pytest.raises(InvalidAdvisory, match="fetch this feed again"):
        list(source.read(tmp_path, SourceLimits()))


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_times_are_rfc_3339_in_utc(source: Source) -> None:
    advisories, _ = read_feed(source)
    for advisory in advisories.values():
        assert len(advisory.modified) == len("2024-01-01T00:00:00Z")
        assert advisory.modified.endswith("Z")
        assert not advisory.published or advisory.published.endswith("Z")
