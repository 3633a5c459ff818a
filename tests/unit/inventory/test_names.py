"""Whatever an image records as a name: it is a package with a package URL, or a gap, and never a crash."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.errors import InvalidRecord
from pratique.inventory.analyzer import LayerFile
from pratique.inventory.analyzers import apk, dpkg, node, python
from pratique.inventory.package import Package

WORDS = st.text(alphabet="/@%?#.:+~-_&=[]ab1", min_size=1, max_size=5)


@given(name=WORDS, version=WORDS)
def test_any_name_gives_a_package_url_or_a_gap(name: str, version: str) -> None:
    files = {
        dpkg: LayerFile(
            path="var/lib/dpkg/status", content=f"Package: {name}\nStatus: install ok installed\nVersion: {version}\n".encode()
        ),
        apk: LayerFile(path="lib/apk/db/installed", content=f"P:{name}\nV:{version}\n\n".encode()),
        python: LayerFile(path="a.dist-info/METADATA", content=f"Name: {name}\nVersion: {version}\n".encode()),
        node: LayerFile(path="node_modules/a/package.json", content=f'{{"name": "{name}", "version": "{version}"}}'.encode()),
    }
    for analyzer, file in files.items():
        try:
            facts = list(analyzer.parse(file))
        except InvalidRecord:
            continue
        assert all(fact.purl.startswith("pkg:") for fact in facts if isinstance(fact, Package))


@pytest.mark.parametrize("content", [b'{"name": "\xff", "version": "1"}'])
def test_a_package_json_that_is_not_utf8_is_a_gap(content: bytes) -> None:
    with pytest.raises(InvalidRecord):
        list(node.parse(LayerFile(path="node_modules/a/package.json", content=content)))
