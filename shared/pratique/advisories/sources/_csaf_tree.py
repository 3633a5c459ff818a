"""The product tree of a CSAF document: what a product id stands for. Source: CSAF 2.0, section 3.2.2.

A tree names platforms and components as leaves of branches, and relationships make products of two of them: `BaseOS-9:curl-7.76` is `curl-7.76` as a
component of `BaseOS-9`. A component may be such a product itself, of a package and a module.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from urllib.parse import unquote

import msgspec

from pratique.errors import InvalidAdvisory

MAX_CHAIN = 4  # relationships that one product is made of; real ones are two (package, module, platform); ends cycles
MAX_PRODUCTS = 2_000_000  # leaves and relationships of a document; protects the tables' memory, on top of the document's own size

SOURCES = frozenset({"src", "nosrc"})
"""The architectures of source packages."""

_ARCHITECTURES = SOURCES | {
    *("noarch", "x86_64", "aarch64", "ppc64le", "s390x", "ppc64", "ppc", "s390"),
    *("i386", "i486", "i586", "i686", "ia64", "armv7hl", "riscv64"),
}
_PURL = re.compile(
    r"pkg:(?P<kind>rpm|rpmmod)/(?P<namespace>[^/@?#]+)/(?P<name>[^@?#]+)(?:@(?P<version>[^?#]*))?(?:\?(?P<qualifiers>[^#]*))?(?:#.*)?"
)


class _Helper(msgspec.Struct, frozen=True):
    cpe: str = ""
    purl: str = ""


class Product(msgspec.Struct, frozen=True):
    """A leaf: its id, its name for people, and what identifies it."""

    product_id: str
    name: str = ""
    product_identification_helper: _Helper = _Helper()

    @property
    def cpe(self) -> str:
        """The CPE, of platforms."""
        return self.product_identification_helper.cpe

    @property
    def purl(self) -> str:
        """The package URL, of components."""
        return self.product_identification_helper.purl


class _Branch(msgspec.Struct, frozen=True):
    product: Product | None = None
    branches: list[_Branch] = []


class _FullName(msgspec.Struct, frozen=True):
    product_id: str


class _Relationship(msgspec.Struct, frozen=True):
    full_product_name: _FullName
    product_reference: str
    relates_to_product_reference: str


class ProductTree(msgspec.Struct, frozen=True):
    """As the document has it."""

    branches: list[_Branch] = []
    full_product_names: list[Product] = []
    relationships: list[_Relationship] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class RpmName:
    """What a package URL says of a package or module: `version` is empty where it has none, and has its epoch in front where the URL has one.

    `source` and `source_version`, with the package's epoch, are what a build was made of, where the URL says it (SUSE's `upstream`).
    """

    kind: str
    namespace: str
    name: str
    version: str
    architecture: str
    module: str
    source: str = ""
    source_version: str = ""


@lru_cache(maxsize=1 << 15)
def parse_rpm_purl(purl: str) -> RpmName | None:
    """Read a package URL of type rpm or rpmmod; None for others (container images, sources of languages). Cached: the same ones are in thousands of documents."""
    match = _PURL.fullmatch(purl)
    if match is None:
        return None
    kind, namespace, name, version, qualifiers = match.groups("")
    if "%" in purl:
        namespace, name, version = unquote(namespace), unquote(name), unquote(version)
    if kind == "rpmmod":
        return RpmName(kind=kind, namespace=namespace, name=name, version="", architecture="", module=_stream(f"{name}:{version}"))
    values = dict(pair.partition("=")[::2] for pair in qualifiers.split("&")) if qualifiers else {}
    epoch = values.get("epoch", "")
    source, source_version = _source(unquote(values.get("upstream", ""))) if version else ("", "")
    return RpmName(
        kind=kind,
        namespace=namespace,
        name=name,
        version=f"{epoch}:{version}" if epoch and version else version,
        architecture=values.get("arch", ""),
        module=_stream(unquote(values.get("rpmmod", ""))),
        source=source,
        source_version=f"{epoch}:{source_version}" if epoch and source_version else source_version,
    )


def _source(file_name: str) -> tuple[str, str]:
    """Name and version of `webkit2gtk3-2.24.2-3.27.1.src.rpm`, the source of a build; both empty for anything else."""
    name, *version = file_name.removesuffix(".rpm").removesuffix(".src").removesuffix(".nosrc").rsplit("-", 2)
    return (name, "-".join(version)) if name and len(version) == 2 and file_name.endswith("src.rpm") else ("", "")  # noqa: PLR2004 - version and release


def whole_name(product: Product, name: RpmName) -> RpmName:
    """What a product is, of which the URL may have its name in two: SUSE splits `libwebkit2gtk-4_0-37` as if 37 were a release where it knows no source of it.

    Releases of its builds have a dot in them and versions begin with a digit. Those that it knows the source of have `upstream`.
    """
    version, _, release = name.version.partition("-")
    is_build = name.source or (version[:1].isdigit() and "." in release)
    if is_build or product.product_id != f"{name.name}-{name.version}" or "upstream=" in product.purl:
        return name
    return replace(name, name=product.product_id, version="")


def _stream(module: str) -> str:
    """`nodejs:18` for `nodejs:18:9020020230825:rhel9`, which builds of a stream differ in."""
    name, _, rest = module.partition(":")
    stream = rest.partition(":")[0]
    return f"{name}:{stream}" if name and stream else ""


def split_full_name(text: str) -> tuple[str, str, str]:
    """Name, version with release, and architecture of `openssl-1_1-1.1.1l-150500.17.12.1.x86_64`; all but the first empty where it is a name alone."""
    rest, _, architecture = text.rpartition(".")
    if architecture not in _ARCHITECTURES:
        rest, architecture = text, ""
    name, *version = rest.rsplit("-", 2)
    return (name, "-".join(version), architecture) if len(version) == 2 else (text, "", "")  # noqa: PLR2004 - version and release


@dataclass(frozen=True, slots=True)
class Component:
    """A package on a platform; `module` is the product between the two, where there is one."""

    package: Product
    platform: Product
    module: Product | None


class Products:
    """Answers what the ids of one document stand for."""

    def __init__(self, tree: ProductTree) -> None:
        """Index the tree.

        Raises InvalidAdvisory for more than MAX_PRODUCTS.
        """
        self._leaves: dict[str, Product] = {}
        for product in _leaves(tree):
            self._leaves.setdefault(product.product_id, product)
        self._relations = {relation.full_product_name.product_id: relation for relation in tree.relationships}
        if len(self._leaves) + len(self._relations) > MAX_PRODUCTS:
            raise InvalidAdvisory(f"more than {MAX_PRODUCTS} products")

    def find(self, product_id: str) -> Component | None:
        """What an id stands for; None for one that is no package on a platform (a platform itself, a container image of its own) or that the tree does not know.

        Without a relationship `platform:package` is read as the two ids that it is made of, as SUSE's are. Raises InvalidAdvisory for relationships that go in a circle.
        """
        relation = self._relations.get(product_id)
        if relation is not None:  # nearly all are made of two leaves
            package, platform = self._leaves.get(relation.product_reference), self._leaves.get(relation.relates_to_product_reference)
            if package is not None and platform is not None and not self._is_chained(relation):
                return Component(package, platform, None)
        return self._joined(self._chain(product_id, 0))

    def _is_chained(self, relation: _Relationship) -> bool:
        return relation.product_reference in self._relations or relation.relates_to_product_reference in self._relations

    def _joined(self, chain: list[str]) -> Component | None:
        leaves = [self._leaves.get(name) for name in chain]
        package, *between, platform = leaves if len(leaves) > 1 else (None, None)
        if package is None or platform is None:
            return None
        return Component(package, platform, next((product for product in between if product), None))

    def _chain(self, product_id: str, depth: int) -> list[str]:
        """The leaves that a product is made of, package first and platform last."""
        if depth > MAX_CHAIN:
            raise InvalidAdvisory(f"relationships of {product_id[:140]!r} go deeper than {MAX_CHAIN}, or in a circle")
        relation = self._relations.get(product_id)
        if relation is not None:
            return self._chain(relation.product_reference, depth + 1) + self._chain(relation.relates_to_product_reference, depth + 1)
        if product_id in self._leaves or depth:
            return [product_id]
        platform, _, package = product_id.partition(":")
        return [package, platform]


def _leaves(tree: ProductTree) -> Iterator[Product]:
    yield from tree.full_product_names
    pending = list(reversed(tree.branches))
    while pending:
        branch = pending.pop()
        if branch.product is not None:
            yield branch.product
        pending.extend(reversed(branch.branches))
