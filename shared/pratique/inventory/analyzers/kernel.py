"""Linux kernels: images (`boot/vmlinuz-…`), module trees (`lib/modules/RELEASE`), and modules that are not of the kernel's own tree.

A kernel is one package, `linux-kernel`, named by its release (`uname -r`). Its thousands of own modules belong to it and are not listed one by one; a module built
outside of the tree (NVIDIA's, ZFS, VirtualBox's) has a version of its own and is a package. A compressed module below `lib/modules/RELEASE/kernel/` is
taken for the kernel's own without being unpacked: 5,000 of them would take ten seconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pratique.errors import InvalidRecord, LimitExceeded
from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._inflate import inflated
from pratique.inventory.analyzers._kernel_formats import read_banner, read_modinfo
from pratique.inventory.analyzers._recorded_paths import text_word
from pratique.inventory.analyzers._wording import known_lines, one_line
from pratique.inventory.package import Package

MAX_MODULE_BYTES = 96 * 1024**2  # unpacked: NVIDIA's largest has 60 MB; a decompression bomb costs memory

_IMAGE = re.compile(r"(?:vmlinu[xz]|bzImage|zImage|Image|kernel)(?:[-_.].*)?")
_NO_IMAGE = (
    ".c",
    ".h",
    ".py",
    ".pyc",
    ".js",
    ".ts",
    ".json",
    ".txt",
    ".md",
    ".html",
    ".css",
    ".conf",
    ".yaml",
    ".yml",
    ".xml",
    ".so",
    ".o",
    ".lds",
    ".S",
    ".map",
)
_TREE = re.compile(r"(?:.*/)?lib/modules/(?P<release>\d[^/]*)/modules\.(?:builtin|dep|order)")
_MODULE = re.compile(r"(?:.*/)?lib/modules/[^/]+/(?P<own>kernel/)?(?:.*/)?(?P<name>[^/]+)\.ko(?P<packed>\.gz|\.xz|\.zst)?")
_DEBIAN = re.compile(r" Debian (\d[\w.+~-]*)", re.ASCII)
_UPSTREAM = re.compile(r"(\d+\.\d+)(?:\.(\d+))?(.*)")


def parse(file: LayerFile) -> Iterator[Package]:
    """Yield the kernel of an image or a module tree, or the module.

    What is named like a kernel and is none means nothing, and so does a module without a version, and one of the kernel's own.

    Raises InvalidRecord for a kernel that does not tell its release and for what is named like a module and is none; LimitExceeded for modules above 96 MiB.
    """
    tree = _TREE.fullmatch(file.path)
    if tree is not None:
        yield _kernel(text_word(tree["release"], "release of a kernel"), "")
        return
    module = _MODULE.fullmatch(file.path)
    if module is not None:
        yield from _parse_module(file, module["name"])
        return
    banner = read_banner(file.content)
    if banner:
        yield _kernel(text_word(banner.split()[0], "release of a kernel"), banner)


def _kernel(release: str, banner: str) -> Package:
    """`linux-kernel` as Syft names it. The architecture is left out: a module tree does not tell it, and would be another package."""
    upstream = _upstream_version(release, banner)
    cpes = (f"cpe:2.3:o:linux:linux_kernel:{upstream}:*:*:*:*:*:*:*",) if upstream else ()
    return Package(type="generic", name="linux-kernel", version=release, cpes=cpes)


def _upstream_version(release: str, banner: str) -> str:
    """The version that kernel.org and NVD speak about, or nothing where the distribution hides it.

    Debian tells it behind the build number; Ubuntu, Red Hat and Amazon count their own builds of `x.y.0`, with fixes of later versions in them.
    """
    debian = _DEBIAN.search(banner)
    found = _UPSTREAM.match(debian[1] if debian else release)
    if found is None or (not debian and found[3] and found[2] in {"0", None}):
        return ""
    return f"{found[1]}.{found[2]}" if found[2] else found[1]


def _parse_module(file: LayerFile, name: str) -> Iterator[Package]:
    if not file.is_whole:
        raise LimitExceeded(f"a kernel module of {file.size} bytes")
    fields = read_modinfo(b"".join(inflated(file.content, MAX_MODULE_BYTES)))
    if "vermagic" not in fields:
        raise InvalidRecord("expected a kernel module, found no vermagic")
    if fields.get("intree") == "Y" or not fields.get("version"):
        return
    yield Package(
        type="generic",
        name=text_word(fields.get("name") or name, "name of a kernel module"),
        version=text_word(one_line(fields["version"]).replace(" ", "_"), "version of a kernel module"),
        vendor=one_line(fields.get("author")),
        licenses=known_lines([fields.get("license")]),
    )


def _is_wanted(path: str) -> bool:
    directory, _, name = path.rpartition("/")
    if name.startswith("modules."):
        return _TREE.fullmatch(path) is not None
    if ".ko" in name:
        module = _MODULE.fullmatch(path)
        return module is not None and not (module["own"] and module["packed"])
    return _IMAGE.fullmatch(name) is not None and not name.endswith(_NO_IMAGE) and not directory.endswith("/build")


ANALYZER = Analyzer(
    name="kernel",
    version=1,
    paths=PathPattern(
        names=frozenset({"modules.builtin", "modules.dep", "modules.order", "vmlinuz", "vmlinux", "bzImage", "zImage", "Image", "kernel"}),
        directories=frozenset({"boot"}),
        suffixes=(".ko", ".ko.gz", ".ko.xz", ".ko.zst"),
        magics=(
            b"MZ",
            b"\x7fELF",
            b"\x1f\x8b\x08",
            b"\xea\x05\0\xc0\x07",
        ),  # kernels with EFI stub, vmlinux, packed ones for ARM, old x86 ones
        accept=_is_wanted,
    ),
    parse=parse,
    max_bytes=64 * 1024 * 1024,
    head_bytes=64 * 1024 * 1024,  # a vmlinux with debugging data has 500 MB, and says its release before that
)
