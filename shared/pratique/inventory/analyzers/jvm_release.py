"""Java runtimes and development kits: the `release` file at their root (JEP 223 era and later; Oracle's and IBM's since Java 7).

Vendor, product, version, package URL and CPE names are Syft's (`java-jvm-cataloger`), since advisories know Java by CPE only. Syft looks for `bin/javac` to tell a JDK
from a JRE; the file itself says it as well: `jdk.compiler` among its modules, or `IMAGE_TYPE`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._records import checked_word
from pratique.inventory.package import Package, PackageDetails

MAX_BYTES = 64 * 1024  # real ones have 2 kB, most of it modules; larger files are other programs'
MAX_LINES = 1_000  # real ones have 25
MAX_URL = 512  # characters of the source repository's address

_WANTED = frozenset(
    {
        "BUILD_SOURCE_REPO",
        "BUILD_TYPE",
        "FULL_VERSION",
        "IMAGE_TYPE",
        "IMPLEMENTOR",
        "JAVA_RUNTIME_VERSION",
        "JAVA_VERSION",
        "MODULES",
        "SOURCE_REPO",
    }
)
_PARTS = (
    "bin",
    "conf",
    "demo",
    "include",
    "jmods",
    "jre",
    "legal",
    "lib",
    "man",
    "sample",
)  # what lies beside a `release` file and belongs to it
_HOMES = re.compile(r"java|jdk|jre|jvm|zulu|corretto|temurin|semeru|graal|liberica|sapmachine|dragonwell|kona", re.IGNORECASE)

_Release = Mapping[str, str]


def parse(file: LayerFile) -> Iterator[Package | PackageDetails]:
    """Yield the installation, and the directories that belong to it.

    A file without a Java version is another program's `release` and is silence. Raises InvalidRecord for a version that can be none.
    """
    release = _read_release(file.content)
    raw = _version(release).partition(" ")[0]
    if not raw:
        return
    version = checked_word(raw.encode("utf-8", "backslashreplace"), "Java version")
    vendor, product = _vendor_and_product(release, file.path)
    package = Package(
        type="generic",
        namespace=vendor,
        name=product,
        version=version,
        qualifiers=_qualifiers(release),
        vendor=release.get("IMPLEMENTOR", "")[:MAX_URL],
        cpes=tuple(dict.fromkeys(_cpe(*name, version) for name in _cpe_products(vendor, product, release))),
    )
    yield package
    home = file.path.rpartition("/")[0]
    if _HOMES.search(home):  # `usr/release` does not make `usr/bin` Java's
        directories = tuple(f"{home}/{part}" for part in _PARTS)
        yield PackageDetails(type=package.type, name=product, version=version, files=((file.path, ""),), directories=directories)


def _read_release(content: bytes) -> _Release:
    """Read `NAME="value"` lines; others are passed over."""
    fields: dict[str, str] = {}
    for line in content.splitlines()[:MAX_LINES]:
        name, _, value = line.decode("utf-8", "replace").partition("=")
        if name in _WANTED:
            fields[name] = value.strip().strip('"')
    return fields


def _version(release: _Release) -> str:
    """The most precise version; `FULL_VERSION` only where it counts as `JAVA_VERSION` does (of Java 8 there are `1.8.0_302` and `8.0.302`)."""
    java, full = release.get("JAVA_VERSION", ""), release.get("FULL_VERSION", "")
    if runtime := release.get("JAVA_RUNTIME_VERSION", ""):
        return runtime
    return full if java and full and full.partition(".")[0] == java.partition(".")[0] else java


def _vendor_and_product(release: _Release, path: str) -> tuple[str, str]:
    implementor = release.get("IMPLEMENTOR", "").lower().replace(" ", "")
    kit = "jdk" if _is_kit(release) else "jre"
    if "azul" in implementor or "zulu" in path:
        return "azul", "zulu"
    if "sun" in implementor:
        return "sun", kit
    if "ibm" in implementor or "/ibm" in f"/{path}":
        return "ibm", "java_sdk" if kit == "jdk" else "java"
    if "oracle" in implementor or "oracle" in path or "commercial" in release.get("BUILD_TYPE", ""):
        return "oracle", kit
    return "oracle", "openjdk"


def _is_kit(release: _Release) -> bool:
    """Tell a JDK from a JRE; one that says nothing is a JDK, as in Syft."""
    return "jdk.compiler" in release.get("MODULES", "").split() or "jre" not in release.get("IMAGE_TYPE", "").lower()


def _qualifiers(release: _Release) -> Mapping[str, str]:
    url = release.get("SOURCE_REPO") or release.get("BUILD_SOURCE_REPO") or ""
    return {"repository_url": url} if 0 < len(url) <= MAX_URL and url.isascii() and url.isprintable() else {}


def _cpe_products(vendor: str, product: str, release: _Release) -> Iterator[tuple[str, str]]:
    """The names under which the NVD lists it."""
    is_enterprise = vendor == "sun" or (vendor == "oracle" and product != "openjdk")
    if vendor == "oracle" and is_enterprise:
        yield vendor, "java_se"
    if is_enterprise:
        yield vendor, "jre"
        if _is_kit(release):
            yield vendor, "jdk"
    else:
        yield vendor, product
    if vendor == "azul":
        yield "oracle", "openjdk"


def _cpe(vendor: str, product: str, version: str) -> str:
    """A CPE 2.3 name: `1.8.0_302-b08` is version 1.8.0, update302; of `21.0.4+7` what follows the plus sign is the build and left out."""
    short, update = version, "*"
    if "_" in version:
        short, _, rest = version.partition("_")
        update = "update" + (rest.partition("-")[0].lstrip("0") or "0")
    elif "+" in version:
        short = version.partition("+")[0]
    return ":".join(("cpe:2.3:a", vendor, product, _quoted(short), update if update == "*" else _quoted(update), "*:*:*:*:*:*"))


def _quoted(text: str) -> str:
    """Escape what means something in a CPE name (NIST IR 7695, 6.2)."""
    return re.sub(r"([^A-Za-z0-9._\-])", r"\\\1", text)


ANALYZER = Analyzer(
    name="jvm-release",
    version=1,
    paths=PathPattern(names=frozenset({"release"})),
    parse=parse,
    max_bytes=MAX_BYTES,
    head_bytes=MAX_BYTES,
)
