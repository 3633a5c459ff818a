"""Which image and which packages a statement is about.

A package URL in a statement stands for all that has what it says: without a version for every version, without a qualifier for every value of it (go-vex `PurlMatches`, Trivy,
Grype). Spellings that tools differ in and that mean the same are taken for equal. An image is known by its digests wherever it lies, or by its name (purl-spec, "oci", "docker").
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from packageurl import PackageURL

from pratique.oci.manifest import Platform
from pratique.vex.statement import VexComponent, VexProduct

_IMAGE_TYPES = frozenset({"oci", "docker"})
_LOWER_CASE = _IMAGE_TYPES | {"golang"}  # by purl-spec, which not every library follows
_NAMESPACES = {("rpm", "rhel"): "redhat"}  # os-release has one word, CSAF, Trivy and Syft have the other
_DESCRIBING = frozenset({"upstream", "package-id"})  # Syft's: they tell no two packages apart of which the rest is equal
_DOCKER_HUB = "docker.io"
_Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class VexImage:
    """What was scanned, as statements may name it.

    `digests` are those that name all of it: of the index, and of the image where it is only one. `repository` is `host/repository` where it lies in one, with `tags`.
    `platforms` are those of its images. `boms` are the BOM-Links into the SBOM that stands for it: with the package URL that each means, empty for all of it.
    """

    digests: frozenset[str] = frozenset()
    repository: str = ""
    tags: tuple[str, ...] = ()
    platforms: tuple[Platform, ...] = ()
    boms: Mapping[str, str] = field(default_factory=dict)

    def is_meant(self, component: VexComponent) -> bool:
        """Tell whether this is the image that an identifier names."""
        if self.digests & set(component.digests) or any(self.boms.get(link) == "" for link in component.boms):
            return True
        return any(purl is not None and self._is_named(purl) for purl in map(_parse, component.purls))

    def packages(self, component: VexComponent) -> Iterator[str]:
        """The package URLs that a component is known by."""
        yield from component.purls
        yield from filter(None, map(self.boms.get, component.boms))

    def _is_named(self, purl: _Purl) -> bool:
        if purl.key[0] not in _IMAGE_TYPES:
            return False
        qualifiers = dict(purl.qualifiers)
        place, tag = qualifiers.pop("repository_url", ""), qualifiers.pop("tag", "")
        if not self._runs_on(qualifiers):
            return False
        if ":" in purl.version:
            return purl.version.lower() in self.digests
        tags = {text for text in (tag, purl.version) if text}
        return self._is_called(purl, place) and tags <= set(self.tags)

    def _runs_on(self, qualifiers: Mapping[str, str]) -> bool:
        """Tell whether all images are of the platform that is named, and nothing else is demanded that is not known."""
        known: dict[str, Callable[[Platform], str]] = {
            "arch": lambda platform: platform.architecture,
            "os": lambda platform: platform.os,
            "variant": lambda platform: platform.variant or "",
        }
        if not qualifiers.keys() <= known.keys():
            return False
        return not qualifiers or (
            bool(self.platforms) and all(known[key](platform) == value for key, value in qualifiers.items() for platform in self.platforms)
        )

    def _is_called(self, purl: _Purl, place: str) -> bool:
        kind, namespace, name = purl.key
        repository = self.repository.lower()
        if not repository:
            return False
        if kind == "docker":
            path = f"{namespace or ('' if place else 'library')}/{name}".strip("/")
            return repository == _place(f"{place or _DOCKER_HUB}/{path}")
        if not place:
            return repository.rpartition("/")[2] == name
        return repository in {_place(place), _place(f"{place}/{name}")} and repository.rpartition("/")[2] == name


@dataclass(frozen=True, slots=True, kw_only=True)
class _Purl:
    key: _Key
    version: str
    qualifiers: Mapping[str, str]
    subpath: str


class ProductMatcher:
    """Tells which packages of an image the products of one statement are about. It costs the parsing of each package URL once."""

    def __init__(self, products: Iterable[VexProduct], image: VexImage) -> None:
        self._has_all = False
        self._packages: dict[_Key, list[_Purl]] = {}
        for product in products:
            self._add(product, image)

    def _add(self, product: VexProduct, image: VexImage) -> None:
        is_image = image.is_meant(product.component)
        if product.subcomponents:
            if is_image:
                self._add_packages(purl for one in product.subcomponents for purl in image.packages(one))
            return
        self._has_all = self._has_all or is_image
        self._add_packages(image.packages(product.component))

    def _add_packages(self, purls: Iterable[str]) -> None:
        for text in purls:
            purl = _parse(text)
            if purl is not None and purl.key[0] not in _IMAGE_TYPES:
                self._packages.setdefault(purl.key, []).append(purl)

    def covers(self, package: str) -> bool:
        """Tell whether a package of the image, by its package URL, is meant."""
        if self._has_all:
            return True
        installed = _parse(package)
        return installed is not None and any(_is_any_of(stated, installed) for stated in self._packages.get(installed.key, ()))


def _is_any_of(stated: _Purl, installed: _Purl) -> bool:
    """Tell whether what is installed is among what is stated."""
    if stated.version not in {"", installed.version} or stated.subpath not in {"", installed.subpath}:
        return False
    return all(_has(installed.qualifiers, key, value) for key, value in stated.qualifiers.items())


def _has(qualifiers: Mapping[str, str], key: str, value: str) -> bool:
    if key in _DESCRIBING:
        return True
    found = qualifiers.get(key)
    if key == "distro" and found is not None:  # `debian-11` of one tool is `debian-11.11` of another
        return value == found or value.startswith(f"{found}.") or found.startswith(f"{value}.")
    return found == value


@lru_cache(maxsize=4_096)  # the packages of a large image: each is asked for with every statement about its vulnerability
def _parse(text: str) -> _Purl | None:
    """Parse a package URL; None for what is none, which matches nothing."""
    try:
        purl = PackageURL.from_string(text)
    except ValueError:
        return None
    namespace, name = purl.namespace or "", purl.name
    if purl.type in _LOWER_CASE:
        namespace, name = namespace.lower(), name.lower()
    qualifiers = purl.qualifiers if isinstance(purl.qualifiers, dict) else {}
    return _Purl(
        key=(purl.type, _NAMESPACES.get((purl.type, namespace), namespace), name),
        version=_version(purl.type, purl.version or ""),
        qualifiers={key: str(value) for key, value in qualifiers.items()},
        subpath=purl.subpath or "",
    )


def _version(kind: str, version: str) -> str:
    return (
        version.removeprefix("v") if kind == "golang" else version
    )  # Trivy writes v1.2.3, Syft too, Go's own tools of the toolchain 1.2.3


def _place(url: str) -> str:
    """A repository as references name it."""
    rest = url.lower().rpartition("://")[2].strip("/")
    return f"{_DOCKER_HUB}/{rest.removeprefix('index.docker.io/')}" if rest.startswith("index.docker.io/") else rest
