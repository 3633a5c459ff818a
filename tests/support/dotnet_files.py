""".NET's files, as its SDK writes them, from what a test cares about."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from struct import pack

SIGNATURE = bytes.fromhex("8b1202b96a612038727b930214d7a03213f5b9e6efae3318ee3b2dce24b36aae")
_RESOURCES_AT = 0x2000  # where the section is loaded
_SECTION_AT = 0x400  # where it lies in the file


def deps_json(libraries: Mapping[str, str], files: Mapping[str, Mapping[str, Sequence[str]]], **dependencies: Mapping[str, str]) -> bytes:
    """A `.deps.json`: the kind of each `Name/Version`, its files by group (`runtime`, `native` …), and what it depends on by name with `_` for dots."""
    target = ".NETCoreApp,Version=v8.0/linux-x64"
    return json.dumps(
        {
            "runtimeTarget": {"name": target, "signature": ""},
            "compilationOptions": {},
            "targets": {
                ".NETCoreApp,Version=v8.0": {},
                target: {
                    key: {
                        **{group: {path: {"assemblyVersion": "1.0.0.0"} for path in paths} for group, paths in files.get(key, {}).items()},
                        "dependencies": dict(dependencies.get(key.partition("/")[0].replace(".", "_"), {})),
                    }
                    for key in libraries
                },
            },
            "libraries": {key: {"type": kind, "serviceable": kind == "package", "sha512": ""} for key, kind in libraries.items()},
        },
        indent=2,
    ).encode()


def _node(key: str, value: bytes, children: bytes = b"", *, is_text: bool = True, value_length: int | None = None) -> bytes:
    name = key.encode("utf-16-le") + b"\0\0"
    head = b"\0" * 6 + name
    head += b"\0" * (-len(head) % 4) + value
    if children:
        head += b"\0" * (-len(head) % 4) + children
    length = len(value) // 2 if is_text and value_length is None else (value_length or len(value))
    return pack("<HHH", len(head), length, int(is_text)) + head[6:]


def _joined(nodes: Sequence[bytes]) -> bytes:
    return b"".join(node + b"\0" * (-len(node) % 4) for node in nodes)


def version_resource(strings: Mapping[str, str], fixed: tuple[int, int, int, int] = (1, 2, 3, 4)) -> bytes:
    """A VS_VERSIONINFO with the numbers of the file version and one table of strings, between other blocks as compilers write them."""
    a, b, c, d = fixed
    numbers = pack("<13L", 0xFEEF04BD, 0x10000, a << 16 | b, c << 16 | d, a << 16 | b, c << 16 | d, 0x3F, 0, 4, 2, 0, 0, 0)
    table = _node("040904b0", b"", _joined([_node(key, value.encode("utf-16-le") + b"\0\0") for key, value in strings.items()]))
    info = _node("StringFileInfo", b"", table)
    languages = _node("VarFileInfo", b"", _node("Translation", pack("<HH", 0x409, 0x4B0), is_text=False))
    return _node("VS_VERSION_INFO", numbers, _joined([languages, info]), is_text=False)


def _directory(entries: Sequence[tuple[int, int]]) -> bytes:
    return pack("<LLHHHH", 0, 0, 0, 0, 0, len(entries)) + b"".join(pack("<LL", *entry) for entry in entries)


def resource_section(version: bytes) -> bytes:
    """A resource directory with an icon and a version."""
    deep = 1 << 31
    tree = _directory([(3, deep | 32), (16, deep | 56)])  # 16 + 2 * 8
    tree += _directory([(1, 128)])  # an icon without a language: nobody looks
    tree += _directory([(1, deep | 80)])
    tree += _directory([(0x409, 104)])
    tree += pack("<LLLL", _RESOURCES_AT + 136, len(version), 0, 0)
    return tree.ljust(136, b"\0") + version


def assembly(
    strings: Mapping[str, str] | None = None, *, is_managed: bool = True, is_64: bool = False, resources: bytes | None = None
) -> bytes:
    """A portable executable with a resource section, and .NET's header named in its directories."""
    section = resource_section(version_resource(strings or {})) if resources is None else resources
    directories = [(0, 0)] * 16
    directories[2] = (_RESOURCES_AT, len(section))
    if is_managed:
        directories[14] = (0x2008, 72)
    optional = pack("<H", 0x20B if is_64 else 0x10B).ljust(112 if is_64 else 96, b"\0") + b"".join(
        pack("<LL", *place) for place in directories
    )
    headers = b"MZ".ljust(60, b"\0") + pack("<L", 0x80)
    headers = headers.ljust(0x80, b"\0") + b"PE\0\0" + pack("<HHLLLHH", 0x14C, 1, 0, 0, 0, len(optional), 0x2022) + optional
    headers += b".rsrc".ljust(8, b"\0") + pack("<LLLL", len(section), _RESOURCES_AT, len(section), _SECTION_AT) + b"\0" * 16
    return headers.ljust(_SECTION_AT, b"\0") + section


def elf_host(*, header_at: int = 0, is_64: bool = True, size: int = 4096) -> bytes:
    """An ELF file that ends with its section headers and has the place where a bundle's header is told."""
    sections = pack("<Q", size - 64) if is_64 else pack("<L", size - 64)
    counts = pack("<10xHHH", 64, 1, 0)
    start = b"\x7fELF" + (b"\2" if is_64 else b"\1") + b"\1\1"
    head = start.ljust(40 if is_64 else 32, b"\0") + sections + pack("<L", 0)[:0] + counts
    return (head.ljust(1024, b"\0") + pack("<Q", header_at) + SIGNATURE).ljust(size, b"\0")


def bundled(host: bytes, deps: bytes, major: int = 6) -> bytes:
    """The host with a bundle of the format of .NET Core 3 (1), .NET 5 (2) or .NET 6 (6) appended, which holds `deps` and an assembly."""
    assembly_at = len(host)
    deps_at = assembly_at + 100
    header_at = deps_at + len(deps)
    name = b"app.deps.json"
    header = pack("<LLl", major, 0, 2) + b"\x0cabcdefghijkl"
    if major >= 2:
        header += pack("<qqqqQ", deps_at, len(deps), 0, 0, 0)
    packed = pack("<q", 0) if major >= 6 else b""
    header += pack("<qq", assembly_at, 100) + packed + b"\x01" + bytes([7]) + b"app.dll"
    header += pack("<qq", deps_at, len(deps)) + packed + b"\x03" + bytes([len(name)]) + name
    place = host.index(SIGNATURE)
    return host[: place - 8] + pack("<Q", header_at) + host[place:] + b"\0" * 100 + deps + header
