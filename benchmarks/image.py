"""The images that are measured, made from Debian's archive, PyPI and npm, and kept in `.cache` of the checkout.

`large` has six layers: four of Debian 12 (`benchmarks.debian`), the dependencies of an application and its own code (`benchmarks.application`);
`changed` is the same but for the last of them; `small` has the size of Alpine's. Layers are compressed as Docker's are: gzip, zlib level 6.

A mirror of Debian moves on, so two machines have the same image only if they made it from the same state of it. The summary says what it is.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks import application, debian
from benchmarks.layers import Layer, LayoutWriter, Members, layers_from, layers_to
from tests.support.images import ImageLayout
from tests.support.servers import CHECKOUT

SUITE = "bookworm"
PACKAGES = (
    *("ca-certificates", "default-jre-headless", "g++", "git", "nodejs", "npm", "python3-django", "python3-pip", "python3-scipy"),
    *("caddy", "gh", "kubernetes-client", "rclone", "restic"),  # written in Go
    *("libcommons-compress-java", "libguava-java", "libh2-java", "libhibernate-validator-java", "libhttpclient-java"),
    *("libjackson2-databind-java", "libjackson2-dataformat-xml-java", "liblog4j2-java", "liblogback-java", "libnetty-java"),
    *("libpostgresql-jdbc-java", "libspring-context-java", "libspring-jdbc-java", "libspring-web-java", "libtomcat10-embed-java"),
    "libyaml-snake-java",
)
_SOURCES = (
    *sorted(application.RECIPE.iterdir()),
    *(Path(__file__).with_name(f"{name}.py") for name in ("application", "debian", "layers")),
)
_RECIPE = hashlib.sha256(repr((SUITE, PACKAGES)).encode() + b"".join(path.read_bytes() for path in _SOURCES)).hexdigest()[:12]
_FOLDER = CHECKOUT / ".cache" / "benchmark" / _RECIPE


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkImages:
    """The images, and what is in the large one: its layers, and names and versions of its Debian packages. `folder` caches more."""

    folder: Path

    large: ImageLayout
    changed: ImageLayout
    small: ImageLayout
    packages: Mapping[str, str]
    layers: tuple[Layer, ...]
    changed_layer: Layer

    @property
    def files(self) -> int:
        return sum(layer.files for layer in self.layers)

    @property
    def bytes_compressed(self) -> int:
        return sum(layer.compressed for layer in self.layers)

    @property
    def bytes_uncompressed(self) -> int:
        return sum(layer.uncompressed for layer in self.layers)


def prepare_images() -> BenchmarkImages:
    """Give the images. The first time it takes eight minutes, 6 GB of disk, and the mirrors that apt, pip and npm are set up with."""
    summary = _FOLDER / "summary.json"
    layout = _FOLDER / "image"
    if not summary.exists():
        shutil.rmtree(_FOLDER, ignore_errors=True)
        layout.mkdir(parents=True)
        print(f"unpacking Debian packages under {_FOLDER.relative_to(CHECKOUT)}", flush=True)
        root = debian.unpack(SUITE, PACKAGES, _FOLDER / "root.tar")
        trees = _FOLDER / "trees"
        application.install(debian.DebianRoot(root), trees)
        built = _build(root, trees, LayoutWriter(layout))
        root.unlink()
        shutil.rmtree(trees)
        summary.write_text(json.dumps(built))
    values = json.loads(summary.read_text())
    large, changed, small = (ImageLayout(folder=layout, tag=tag, digest="") for tag in ("large", "changed", "small"))
    (changed_layer,) = layers_from(values["changed_layer"])
    return BenchmarkImages(
        folder=_FOLDER,
        large=large,
        changed=changed,
        small=small,
        packages=values["packages"],
        layers=layers_from(values["layers"]),
        changed_layer=changed_layer,
    )


def _build(root: Path, trees: Path, writer: LayoutWriter) -> Mapping[str, object]:
    print("making layers", flush=True)

    def write(name: str, members: Callable[[], Members]) -> Layer:
        return writer.write_layer(members(), name)

    def of_debian(number: int) -> Callable[[], Members]:
        return lambda: debian.DebianRoot(root).layer(number)  # its own reader of the tar: this runs in a thread

    makers: dict[str, Callable[[], Members]] = {
        "dependencies": lambda: application.dependencies(trees),
        **{f"debian-{number}": of_debian(number) for number in debian.LAYERS},
        "own-code": lambda: application.own_code(is_changed=False),
        "changed-code": lambda: application.own_code(is_changed=True),
        "small": lambda: debian.DebianRoot(root).small_layer(),
    }
    with ThreadPoolExecutor(2) as pool:
        written = dict(zip(makers, pool.map(write, makers, makers.values()), strict=True))
    shared = [*(written[f"debian-{number}"] for number in debian.LAYERS), written["dependencies"]]
    writer.write_image([*shared, written["own-code"]], "large")
    writer.write_image([*shared, written["changed-code"]], "changed")
    writer.write_image([written["small"]], "small")
    return {
        "packages": {name: fields["Version"] for name, fields in debian.DebianRoot(root).records.items()},
        "layers": layers_to([*shared, written["own-code"]]),
        "changed_layer": layers_to([written["changed-code"]]),
    }
