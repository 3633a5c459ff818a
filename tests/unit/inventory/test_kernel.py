"""Linux kernels and modules, in the forms that boot loaders and `modinfo` read."""

import gzip
import lzma
import struct

import pytest
import zstandard
from hypothesis import given

from pratique.errors import InputError
from pratique.inventory.analyzer import LayerFile
from pratique.inventory.analyzers.kernel import ANALYZER, parse
from pratique.inventory.package import Package
from tests.support.executables import ALL_ELF, ElfSpec, make_elf
from tests.support.layer_results import layer_file, read
from tests.support.mutated import answer_or_refuse, mutated

DEBIAN = b"6.1.0-56-cloud-amd64 (debian-kernel@lists.debian.org) #1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-10-30)"
BANNER = b"Linux version 6.6.12-0-virt (buildozer@build) (gcc 13.2.1) #1-Alpine SMP\n\0"
ARM64 = bytearray(b"MZ" + bytes(0x36) + b"ARM\x64" + bytes(2_000_000) + b"Linux version %s (%s)\0" + BANNER + bytes(100))
FIELDS = b"version=550.54.14\0license=NVIDIA\0alias=pci:*\0\0name=nvidia\0vermagic=6.1.0-56-cloud-amd64 SMP mod_unload \0author=A  B\0"
MODULE = make_elf(ElfSpec(sections={b".text": b"\x90", b".modinfo": FIELDS}))
UPDATES = "lib/modules/6.1.0-56-cloud-amd64/updates/dkms/nvidia.ko"


def bzimage(text: bytes, offset: int = 0x3000) -> bytes:
    image = bytearray(0x10000)
    image[0:2], image[0x202:0x206], image[0x20E:0x210] = b"MZ", b"HdrS", struct.pack("<H", offset)
    image[0x200 + offset : 0x200 + offset + len(text) + 1] = text + b"\0"
    return bytes(image)


def zboot(kind: bytes, payload: bytes) -> bytes:
    return struct.pack("<4s4sII8x8s", b"MZ\0\0", b"zimg", 0x40, len(payload), kind).ljust(0x40, b"\0") + payload + bytes(64)


def kernels(path: str, content: bytes) -> tuple[list[tuple[str, str]], str]:
    facts, error = read(parse, layer_file(path, content))
    return [(fact.name, fact.version) for fact in facts if isinstance(fact, Package)], error


def test_an_x86_kernel_tells_its_release_in_the_boot_header() -> None:
    (package,) = parse(layer_file("boot/vmlinuz-6.1.0-56-cloud-amd64", bzimage(DEBIAN)))

    assert isinstance(package, Package)
    assert package.purl == "pkg:generic/linux-kernel@6.1.0-56-cloud-amd64"
    assert package.cpes == ("cpe:2.3:o:linux:linux_kernel:6.1.192:*:*:*:*:*:*:*",)


@pytest.mark.parametrize(
    ("text", "upstream"),
    [
        (b"5.10.121-linuxkit (root@sandbox) #1 SMP", "5.10.121"),
        (b"6.6.12 (a@b) #1", "6.6.12"),
        (b"5.15.0-91-generic (buildd@lcy02) #101-Ubuntu SMP", ""),
        (b"5.14.0-427.13.1.el9_4.x86_64 (mockbuild@x) #1 SMP", ""),
        (b"6.9 (a@b) #1", "6.9"),
    ],
)
def test_a_distribution_that_backports_hides_the_upstream_version(text: bytes, upstream: str) -> None:
    (package,) = parse(layer_file("boot/vmlinuz", bzimage(text)))

    assert isinstance(package, Package)
    assert package.cpes == ((f"cpe:2.3:o:linux:linux_kernel:{upstream}:*:*:*:*:*:*:*",) if upstream else ())


@pytest.mark.parametrize(
    "content",
    [
        bytes(ARM64),
        gzip.compress(bytes(ARM64), mtime=0),
        zstandard.ZstdCompressor().compress(bytes(ARM64)),
        lzma.compress(bytes(ARM64)),
        zboot(b"gzip", gzip.compress(bytes(ARM64), mtime=0)),
        zboot(b"zstd", zstandard.ZstdCompressor().compress(bytes(ARM64))),
        make_elf(ElfSpec(sections={b".rodata": b"Linux version %s\0" + BANNER})),
    ],
    ids=["Image", "gzip", "zstd", "xz", "zboot-gzip", "zboot-zstd", "vmlinux"],
)
def test_other_kernels_tell_it_in_their_banner(content: bytes) -> None:
    assert kernels("boot/Image", content) == ([("linux-kernel", "6.6.12-0-virt")], "")


@pytest.mark.parametrize("shift", range(0, 80, 7))
def test_a_banner_across_two_pieces_is_found(shift: int) -> None:
    image = bytearray(3 * 1024 * 1024)
    image[0x38:0x3C] = b"ARM\x64"
    start = 1024 * 1024 - shift
    image[start : start + len(BANNER)] = BANNER

    assert kernels("boot/Image.gz", gzip.compress(bytes(image), 1, mtime=0)) == ([("linux-kernel", "6.6.12-0-virt")], "")


@pytest.mark.parametrize("name", ["modules.dep", "modules.order", "modules.builtin"])
def test_a_tree_of_modules_tells_it_by_its_directory(name: str) -> None:
    path = f"usr/lib/modules/6.6.12-0-virt/{name}"

    assert ANALYZER.paths.matches(path)
    assert kernels(path, b"kernel/fs/a.ko:") == ([("linux-kernel", "6.6.12-0-virt")], "")


@pytest.mark.parametrize(("bits", "order"), ALL_ELF)
def test_a_module_from_elsewhere_is_a_package(bits: int, order: str) -> None:
    content = make_elf(ElfSpec(sections={b".text": b"\x90", b".modinfo": FIELDS}, bits=bits, order=order))
    (package,) = parse(layer_file(UPDATES, content))

    assert isinstance(package, Package)
    assert package.purl == "pkg:generic/nvidia@550.54.14"
    assert (package.licenses, package.vendor) == (("NVIDIA",), "A B")


@pytest.mark.parametrize(
    ("suffix", "packed"),
    [(".gz", gzip.compress(MODULE, mtime=0)), (".xz", lzma.compress(MODULE)), (".zst", zstandard.ZstdCompressor().compress(MODULE))],
)
def test_packed_modules_are_read(suffix: str, packed: bytes) -> None:
    assert ANALYZER.paths.matches(UPDATES + suffix)
    assert kernels(UPDATES + suffix, packed) == ([("nvidia", "550.54.14")], "")


@pytest.mark.parametrize("fields", [FIELDS + b"intree=Y\0", FIELDS.replace(b"version=550.54.14", b"x=y"), b"vermagic=6.1\0"])
def test_the_kernels_own_modules_are_not_listed(fields: bytes) -> None:
    assert kernels(UPDATES, make_elf(ElfSpec(sections={b".modinfo": fields}))) == ([], "")


@pytest.mark.parametrize(
    "content", [b"", b"#!/bin/sh\n", b"MZ" + bytes(600), b"\x7fELF", gzip.compress(b"initrd", mtime=0), gzip.compress(b"x", mtime=0)[:8]]
)
def test_what_is_only_named_like_a_kernel_means_nothing(content: bytes) -> None:
    assert kernels("boot/kernel", content) == ([], "")


BROKEN = [
    ("boot/vmlinuz", bzimage(b"", 0), "release of an x86 kernel"),
    ("boot/vmlinuz", bzimage(DEBIAN)[:0x2000], "release of an x86 kernel"),
    ("boot/vmlinuz", bzimage(DEBIAN)[:0x206], "release of an x86 kernel"),
    ("boot/vmlinuz", bzimage(b"\xff\xff"), "release of an x86 kernel"),
    ("boot/Image", bytes(ARM64[:5000]), "banner"),
    ("boot/Image", zboot(b"gzip", b"\x1f\x8b\x08 broken"), "compressed data"),
    ("boot/Image", b"MZ\0\0zimg", "whole header"),
    ("boot/Image.gz", gzip.compress(bytes(ARM64[:5000]) + bytes(200 * 1024**2), 1, mtime=0), "bytes uncompressed"),
    (UPDATES, b"", "ELF file"),
    (UPDATES, MODULE[:80], "cut short"),
    (UPDATES, make_elf(ElfSpec(sections={b".text": b"\x90"})), "no section .modinfo"),
    (UPDATES, make_elf(ElfSpec(sections={b".modinfo": b"version=1\0"})), "no vermagic"),
    (UPDATES + ".gz", gzip.compress(bytes(100 * 1024**2), 1, mtime=0), "bytes uncompressed"),
    (UPDATES + ".xz", lzma.compress(MODULE)[:-20], "compressed data"),
    (UPDATES + ".zst", b"\x28\xb5\x2f\xfd\0\0\0\0", "compressed data|ELF file"),
]


@pytest.mark.parametrize(("path", "content", "reason"), BROKEN)
def test_what_could_not_be_booted_or_loaded_is_a_gap(path: str, content: bytes, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        list(parse(layer_file(path, content)))


def test_a_module_that_was_read_in_part_is_a_gap() -> None:
    with pytest.raises(InputError, match="module of 99000000 bytes"):
        list(parse(LayerFile(path=UPDATES, content=MODULE, size=99_000_000)))


def test_kernels_are_told_from_other_files_by_name() -> None:
    wanted = (
        "boot/vmlinuz-6.1",
        "vmlinuz",
        "usr/lib/modules/6.1/vmlinuz",
        "boot/kernel-genkernel-x86_64-6.1",
        "lib/modules/6.1/kernel/a.ko",
    )
    others = (
        "boot/initrd.img-6.1",
        "boot/config-6.1",
        "boot/System.map-6.1",
        "usr/src/kernel.c",
        "lib/modules/6.1/kernel/fs/a.ko.xz",
        "a.ko",
    )

    assert all(map(ANALYZER.paths.matches, wanted))
    assert ANALYZER.paths.matches("opt/vm/vmlinuz-6.1", b"MZ\0\0\0\0\0\0")
    assert not any(map(ANALYZER.paths.matches, others))
    assert not ANALYZER.paths.matches("usr/bin/a", b"\x7fELF\2\1\1\0")


@given(mutated(MODULE, lzma.compress(MODULE), bzimage(DEBIAN)[:0x4000], zboot(b"gzip", gzip.compress(bytes(ARM64), mtime=0))))
def test_any_bytes_give_facts_or_an_input_error(content: bytes) -> None:
    for path in ("boot/vmlinuz", UPDATES, UPDATES + ".xz"):
        answer_or_refuse(parse, layer_file(path, content))
