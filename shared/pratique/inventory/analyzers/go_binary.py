"""Go programs: the modules that the linker recorded in them, whether stripped or not; and that UPX packed a program.

As in Syft the standard library is a package, `stdlib`, of the toolchain's version, and a replaced module counts as its replacement; one that lies in a folder
(`./fork`) keeps its own name without a version. Programs built without modules, as Debian builds all of its, tell the toolchain only: that is no gap, since
the distribution keeps their books. A program that was linked by Go and does not tell what it should is a gap.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pratique.errors import InvalidRecord
from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._elf import open_elf
from pratique.inventory.analyzers._executable import Executable
from pratique.inventory.analyzers._executable_formats import EXECUTABLE_MAGICS, open_executables
from pratique.inventory.analyzers._go_buildinfo import BuildInfo, Module, find_build_info, read_build_info
from pratique.inventory.analyzers._go_version import DEVEL, choose_main_version
from pratique.inventory.analyzers._language import checked_text
from pratique.inventory.package import Package

MAX_BYTES = 128 * 1024 * 1024  # kubelet has 80 MB, the largest Go programs some 120 MB; the reading process has 512 MB
HEAD_BYTES = 1024 * 1024  # of larger files: enough to see whether Go linked them

_GO_NOTE = (b"Go\0\0", 4)
_GO_VERSION = re.compile(r"(?:devel )?go(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?(?:(rc|beta)(\d{1,4}))?(?:[-+ ].*)?")
_MODULE_PATH = re.compile(r"[^/]+(?:/[^/]+)*")  # golang.org/x/mod/module: no empty element
_WITHOUT_MODULE = "command-line-arguments"  # what `go build file.go` calls the program


def parse(file: LayerFile) -> Iterator[Package]:
    """Yield the program's own module, its dependencies in the order of the list, and `stdlib`; for a universal binary those of each architecture.

    Raises InvalidRecord, after what could be read, for Go programs with missing or broken build information, for programs that UPX packed, and for Go
    programs that are larger than MAX_BYTES. Silent for everything else.
    """
    if not file.is_whole:
        _refuse_large(file)
        return
    for executable in open_executables(file.content):
        record = find_build_info(executable)
        if record is not None:
            info = read_build_info(executable, record)
            yield from _packages(info, executable)
            info.problems.raise_any()
        elif executable.is_packed():
            raise InvalidRecord("packed by UPX: what is inside cannot be seen")


def _refuse_large(file: LayerFile) -> None:
    elf = open_elf(file.content)
    if elf is not None and elf.has_note(*_GO_NOTE):
        raise InvalidRecord(f"a Go program of {file.size} bytes: more than {MAX_BYTES} are not read")


def _packages(info: BuildInfo, executable: Executable) -> Iterator[Package]:
    main = _main_module(info)
    if main is not None:
        version = choose_main_version(main.path, main.version, info.settings, executable) if main.replacement is None else main.version
        yield from _package(info, Module(path=main.path, version=version, replacement=main.replacement))
    for module in info.dependencies:
        if module != main and module.path:  # old toolchains listed an empty one
            yield from _package(info, module)
    yield from _standard_library(info)


def _main_module(info: BuildInfo) -> Module | None:
    """The main module; of a program that was built from single files, the dependency that is a working copy, or else the program's path."""
    if info.main is not None and info.main.path != _WITHOUT_MODULE:
        return info.main if info.main.path else None
    copies = [module for module in info.dependencies if module.version == DEVEL and module.path]
    if len(copies) == 1:
        return copies[0]
    if "." not in info.path.partition("/")[0]:  # single files, and Go's own commands
        return None
    return Module(path=info.path, version=DEVEL)


def _package(info: BuildInfo, module: Module) -> Iterator[Package]:
    replacement = module.replacement
    path, version = module.path, module.version
    if replacement is not None:
        version = replacement.version
        path = path if replacement.path.startswith((".", "/")) else replacement.path
    version = "" if version == DEVEL else version
    try:
        namespace, _, name = checked_text(path, "path of a Go module", _MODULE_PATH).rpartition("/")
        version = checked_text(version, f"version of {path}") if version else ""
    except InvalidRecord as error:
        info.problems.add(error)
    else:
        yield Package(type="golang", namespace=namespace, name=name, version=version, ecosystem="Go")


def _standard_library(info: BuildInfo) -> Iterator[Package]:
    """The version in the form of semantic versions, as advisories have it: `go1.23rc1 X:boringcrypto` is 1.23.0-rc.1."""
    match = _GO_VERSION.fullmatch(info.go_version)
    if match is None:
        info.problems.add(InvalidRecord(f"expected a version of Go, got {info.go_version[:40]!r}"))
        return
    major, minor, patch, stage, number = match.groups()
    version = f"{major}.{minor}.{patch or 0}-{stage}.{number}" if stage else f"{major}.{minor}" + (f".{patch}" if patch else "")
    yield Package(type="golang", name="stdlib", version=version, ecosystem="Go", licenses=("BSD-3-Clause",))


ANALYZER = Analyzer(
    name="go-binary",
    version=2,
    paths=PathPattern(magics=EXECUTABLE_MAGICS),
    parse=parse,
    max_bytes=MAX_BYTES,
    head_bytes=HEAD_BYTES,
)
