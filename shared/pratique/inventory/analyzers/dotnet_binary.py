""".NET assemblies that say themselves what they are, shared runtimes, and single-file applications.

- A `.dll` or `.exe` with .NET code is the package of its assembly's name, in the version of its version resource. Where a `.deps.json` names it as a file of a package, that
  is what it is: `dotnet` yields the files, and the merge drops what is told here. Satellites (`de/A.resources.dll`) and reference assemblies hold no code and say nothing.
- `Microsoft.NETCore.App/8.0.1/` and its like are told by their path once, not by the hundred assemblies in them, as in Syft. Their `.deps.json` says the same.
- A single-file application holds its `.deps.json` (see `_dotnet_bundle`); on Linux it is an ELF file with something appended.

The name is that of the assembly (`OriginalFilename`), not ProductName, which Syft prefers: a NuGet package is nearly always named as its assembly, and advisories know
`Newtonsoft.Json`, not `Json.NET`. The version is chosen as in Syft: the greater of product and file version, except for Microsoft, whose file versions count builds.
An assembly without a version resource cannot be named, and is not: .NET runs it all the same, so that it is no gap.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pratique.errors import InvalidRecord
from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._dotnet_bundle import MAX_HOST_BYTES, elf_end, find_bundle, read_deps
from pratique.inventory.analyzers._dotnet_deps import nuget_package, parse_deps
from pratique.inventory.analyzers._pe_resources import PortableExecutable, read_pe, version_strings
from pratique.inventory.analyzers._wording import one_line
from pratique.inventory.package import Package, PackageDetails

_ELF_MAGIC = b"\x7fELF"
_SUFFIXES = (".dll", ".exe", ".bpl")
_RUNTIME = re.compile(r"(?:^|.*/)(?P<name>Microsoft\.(?:NETCore|AspNetCore)\.App)/(?P<version>\d+\.\d+\.\d+[^/]*)/(?P<file>[^/]+)")
_RUNTIME_FILES = {"Microsoft.NETCore.App": "System.Private.CoreLib.dll", "Microsoft.AspNetCore.App": "Microsoft.AspNetCore.dll"}
_REFERENCE = re.compile(r"(?:^|.*/)packs/[^/]+\.Ref/[^/]+/ref/.*")
_SATELLITE = ".resources.dll"
_NAME_FIELDS = ("OriginalFilename", "InternalName", "FileDescription", "ProductName")
_FRAMEWORK = re.compile(r"\s*\(net[^)]*\d\)$")  # `System.Text.Json (net8.0)`
_NUMBERS = re.compile(r"v?(\d{1,10}(?:\.\d{1,10})*)((?:-[0-9A-Za-z.-]+)?)(?:\+.*)?")
_PUNCTUATION = re.compile(r"[.,]+")
_MAX_VERSION = 100  # characters
_MIN_DETAIL = 2  # major and minor


def parse(file: LayerFile) -> Iterator[Package | PackageDetails]:
    """Yield the package that the file is, or those in a single-file application.

    Raises InvalidRecord for a single-file application or an assembly that cannot be read as such. Anything else of these names (native code) is silence.
    """
    if file.content.startswith(_ELF_MAGIC):
        yield from _parse_bundle(file, elf_end(file.content))
        return
    executable = read_pe(file.content)
    if executable is None:
        return
    if executable.is_managed:
        yield from _parse_assembly(file, executable)
    else:
        yield from _parse_bundle(file, executable.end)


def _parse_bundle(file: LayerFile, host_end: int) -> Iterator[Package | PackageDetails]:
    size = file.size if file.size >= 0 else len(file.content)
    header_at = find_bundle(file.content, host_end) if 0 < host_end < size else 0
    if not header_at:
        return
    if not file.is_whole:
        raise InvalidRecord(f"a single-file .NET application of {size} bytes, too large to be read")
    content = read_deps(file.content, header_at)
    if content:
        yield from parse_deps(content, file.path, is_bundled=True)


def _parse_assembly(file: LayerFile, executable: PortableExecutable) -> Iterator[Package]:
    runtime = _RUNTIME.fullmatch(file.path)
    if runtime is not None:
        if runtime["file"] == _RUNTIME_FILES[runtime["name"]]:
            yield nuget_package(runtime["name"], runtime["version"])
        return
    if file.path.lower().endswith(_SATELLITE) or _REFERENCE.fullmatch(file.path):
        return
    if not file.is_whole:
        raise InvalidRecord(f"a .NET assembly of {file.size} bytes, too large to be read")
    strings = version_strings(executable)
    version = choose_version(strings)
    for name in _names(strings, file.path):
        try:
            yield nuget_package(name, version, vendor=one_line(strings.get("CompanyName")))
        except InvalidRecord:
            continue
        return


def _names(strings: Mapping[str, str], path: str) -> Iterator[str]:
    """What the assembly may be called, the best first; a name that NuGet could not have is none."""
    for key in _NAME_FIELDS:
        yield _FRAMEWORK.sub("", _stem(one_line(strings.get(key))))
    yield _stem(path.rpartition("/")[2])


def _stem(name: str) -> str:
    return name[:-4] if name.lower().endswith(_SUFFIXES) else name


def choose_version(strings: Mapping[str, str]) -> str:
    """Return the version that a version resource tells, without build metadata; empty if it tells none."""
    product, build = (_first_version(strings.get(key, "")) for key in ("ProductVersion", "FileVersion"))
    product_key, build_key = _version_key(product), _version_key(build)
    if product_key is None or build_key is None:
        chosen = product if product_key is not None or not build else build
    elif _is_microsoft(strings) and _abbreviates(product_key[0], build_key[0]):
        chosen = product
    elif _padded(product_key) != _padded(build_key):
        chosen = max((product_key, product), (build_key, build), key=lambda pair: _padded(pair[0]))[1]
    else:
        chosen = product if len(_PUNCTUATION.findall(product)) >= len(_PUNCTUATION.findall(build)) else build
    return chosen.partition("+")[0].removeprefix("v")


def _first_version(text: str) -> str:
    """`4.8.9037.0 built by: NET481REL1` begins with one."""
    return next((word for word in one_line(text, _MAX_VERSION).split() if any(character.isdigit() for character in word)), "")


_Key = tuple[tuple[int, ...], str]


def _version_key(version: str) -> _Key | None:
    found = _NUMBERS.fullmatch(version)
    return (tuple(int(part) for part in found[1].split(".")), found[2]) if found else None


def _padded(key: _Key) -> tuple[tuple[int, ...], bool, str]:
    """For comparison: absent numbers are zeros, and what has a suffix comes before what has none."""
    numbers, suffix = key
    length = max((place for place, number in enumerate(numbers, 1) if number), default=0)
    return numbers[:length], not suffix, suffix


def _is_microsoft(strings: Mapping[str, str]) -> bool:
    return any("microsoft" in strings.get(key, "").lower() for key in ("CompanyName", "ProductName"))


def _abbreviates(product: tuple[int, ...], build: tuple[int, ...]) -> bool:
    return len(build) > len(product) >= _MIN_DETAIL and product[:_MIN_DETAIL] == build[:_MIN_DETAIL]


ANALYZER = Analyzer(
    name="dotnet-binary",
    version=1,
    paths=PathPattern(suffixes=(*_SUFFIXES, ".DLL", ".EXE", ".BPL"), magics=(_ELF_MAGIC,)),
    parse=parse,
    max_bytes=128 * 1024 * 1024,  # a single-file application with runtime and ASP.NET has some 100 MB, held whole in memory
    head_bytes=MAX_HOST_BYTES,  # of larger files: enough to see whether they are any of this
)
