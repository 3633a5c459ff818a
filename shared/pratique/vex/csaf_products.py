"""The product tree of a CSAF document: which software a product id stands for. Source: CSAF 2.0, section 3.2.2."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from pratique.errors import LimitExceeded
from pratique.vex.limits import MAX_COMPONENTS, Budget, digest_text, identifiers
from pratique.vex.statement import VexComponent, VexProduct

_MAX_DEPTH = 50  # branches in branches: real ones have 5, and each level is a call
_MAX_RELATIONS = 16  # of one product id: it should have one
_INSIDE = frozenset({"default_component_of", "installed_on", "installed_with", "optional_component_of"})


class _FileHash(msgspec.Struct):
    algorithm: str = ""
    value: str = ""


class _Hashes(msgspec.Struct):
    file_hashes: list[_FileHash] = []


class _Helper(msgspec.Struct):
    purl: str | None = None
    purls: list[str] = []
    hashes: list[_Hashes] = []


class _FullProduct(msgspec.Struct):
    product_id: str
    helper: _Helper | None = msgspec.field(name="product_identification_helper", default=None)


class _Branch(msgspec.Struct):
    product: _FullProduct | None = None
    branches: list[_Branch] = []


class _Relationship(msgspec.Struct):
    category: str
    product_reference: str
    relates_to_product_reference: str
    full_product_name: _FullProduct


class _Group(msgspec.Struct):
    group_id: str
    product_ids: list[str] = []


class RawProductTree(msgspec.Struct):
    """The tree as it stands in the document."""

    branches: list[_Branch] = []
    full_product_names: list[_FullProduct] = []
    relationships: list[_Relationship] = []
    product_groups: list[_Group] = []


class ProductTree:
    """Resolves product ids and groups of one document."""

    def __init__(self, raw: RawProductTree) -> None:
        self._budget = Budget(MAX_COMPONENTS, "products in groups")
        listed = [*raw.full_product_names, *_flatten(raw.branches, 0), *(one.full_product_name for one in raw.relationships)]
        Budget(MAX_COMPONENTS, "products").take(len(listed))
        self._components = {one.product_id: _component(one.helper) for one in listed}
        self._relations: dict[str, list[_Relationship]] = {}
        for one in raw.relationships:
            self._relations.setdefault(one.full_product_name.product_id, []).append(one)
        self._groups = {group.group_id: group.product_ids for group in raw.product_groups}

    def products(self, identifier: str) -> Iterator[VexProduct]:
        """What an id stands for: a component in the product that a relationship puts it into, which is not the component everywhere; else a product by its own identifiers."""
        relations = self._relations.get(identifier, ())
        component = self._components.get(identifier, VexComponent())
        if component.is_known and not relations:
            yield VexProduct(component=component)
        for relation in relations[:_MAX_RELATIONS]:
            outer = self._components.get(relation.relates_to_product_reference, VexComponent())
            inner = self._components.get(relation.product_reference, VexComponent())
            if relation.category in _INSIDE and outer.is_known and inner.is_known:
                yield VexProduct(component=outer, subcomponents=(inner,))

    def members(self, groups: Iterable[str]) -> Iterator[str]:
        """The products of some groups.

        Raises LimitExceeded.
        """
        for group in groups:
            members = self._groups.get(group, ())
            self._budget.take(len(members))
            yield from members


def _flatten(branches: Iterable[_Branch], depth: int) -> Iterator[_FullProduct]:
    if depth > _MAX_DEPTH:
        raise LimitExceeded(f"branches of a product tree nested deeper than {_MAX_DEPTH}")
    for branch in branches:
        if branch.product is not None:
            yield branch.product
        yield from _flatten(branch.branches, depth + 1)


def _component(helper: _Helper | None) -> VexComponent:
    if helper is None:
        return VexComponent()
    digests = [digest_text(one.algorithm, one.value) for hashes in helper.hashes for one in hashes.file_hashes]
    return VexComponent(purls=identifiers(helper.purl, *helper.purls), digests=tuple(digest for digest in digests if digest))
