"""What a .NET application brings with it, from its `*.deps.json`: as a file beside it, or inside of a single-file application.

Format: dotnet/sdk, `documentation/specs/runtime-configuration-file.md`. `libraries` says what each is, `targets` which of its files are there, by `Name/Version`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from pratique.errors import InvalidRecord, LimitExceeded
from pratique.inventory.analyzers._records import MAX_WORD
from pratique.inventory.package import Package, PackageDetails

MAX_DEPS_BYTES = 8 * 1024 * 1024  # an application of 500 packages has 300 KB; decoded, a hostile one takes some 25 times its size
MAX_LIBRARIES = 50_000  # in one file; more would only fill databases
MAX_FILES = 200_000  # of all its libraries: the runtime, the largest, has 200

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NUGET_NAME = re.compile(
    r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,126}[A-Za-z0-9_])?"
)  # NuGet's PackageIdValidator (100 characters), and names of projects
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+_-]*")
_PUBLISHED = re.compile(
    r"(?:runtimes/[^/]+/)?lib/[^/]+/(?=.)|runtimes/[^/]+/native/(?=.)"
)  # where files lie in the package, but not beside the application
_RUNTIME_PACK = "runtimepack."
_SUFFIX = ".deps.json"
_NAMED_FREELY = frozenset({"project", "reference"})  # an assembly may be named `My App`, of which no advisory speaks: it is passed over
_RUNTIME = re.compile(  # `runtime.linux-x64.Microsoft.NETCore.App` is that of .NET Core 2
    r"microsoft\.(netcore|aspnetcore)\.app(?:\.runtime\..+)?|runtime\..+\.microsoft\.(netcore|aspnetcore)\.app", re.IGNORECASE
)
_RUNTIME_VERSION = re.compile(r"\d{1,4}(?:\.\d{1,8}){1,3}")
_FIRST_WITHOUT_CORE = 5  # .NET Core 3 was followed by .NET 5
_BUNDLERS = re.compile(
    r"(?:JetBrains\.Build\.)?IL(?:Repack|Merge)\b.*|(?:Costura\.)?Fody|PostSharp\.Community\.Packer|Brokenevent\.ILStrip.*"
)


class _RuntimeTarget(msgspec.Struct):
    name: str = ""


class _Library(msgspec.Struct, gc=False):
    type: str = ""
    path: str | None = None
    sha512: str | None = None


class _Target(msgspec.Struct, rename="camel", gc=False):
    dependencies: dict[str, str] | None = None
    runtime: dict[str, msgspec.Raw] | None = None
    runtime_targets: dict[str, msgspec.Raw] | None = None
    native: dict[str, msgspec.Raw] | None = None
    resources: dict[str, msgspec.Raw] | None = None
    compile: dict[str, msgspec.Raw] | None = None

    def files(self) -> Iterator[str]:
        for group in (self.runtime, self.runtime_targets, self.native, self.resources, self.compile):
            yield from group or ()


class _Deps(msgspec.Struct, rename="camel"):
    libraries: dict[str, _Library] | None = None
    targets: dict[str, dict[str, _Target]] | None = None


_DECODER = msgspec.json.Decoder(_Deps)


def parse_deps(content: bytes, path: str, *, is_bundled: bool = False) -> Iterator[Package | PackageDetails]:
    """Yield the packages of the application whose `.deps.json` lies at `path`, and which files beside it are whose.

    Counted are libraries that have a file at run time, or depend on one that has: others were needed to build only. If a bundler took part, which merges libraries into
    others, all count. The application's own projects count too. `is_bundled` says that `path` is a single-file application: it belongs to the project of its name.

    Raises InvalidRecord, after all that could be read, for what is no such document or library, and LimitExceeded.
    """
    if len(content) > MAX_DEPS_BYTES:
        raise LimitExceeded(f"a .deps.json of {len(content)} bytes")
    try:
        found = _DECODER.decode(content.removeprefix(_BYTE_ORDER_MARK))
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise InvalidRecord(f"expected a .deps.json: {error}") from error
    libraries, targets = found.libraries or {}, list((found.targets or {}).values())
    if len(libraries) + sum(len(target) for target in targets) > MAX_LIBRARIES:
        raise LimitExceeded(f"more than {MAX_LIBRARIES} libraries")
    files = _files(libraries, targets)
    directory, _, name = path.rpartition("/")
    stem = name.removesuffix(_SUFFIX).removesuffix(".exe")
    own = {stem: (name,) if is_bundled else _own_files(stem)}
    problem = ""
    for key in _present(libraries, targets, files):
        kind = libraries[key].type.lower() if key in libraries else ""
        try:
            package = _parse_library(key)
        except InvalidRecord as error:
            problem = problem or ("" if kind in _NAMED_FREELY else str(error))
            continue
        yield package
        names = (*(own.get(package.name, ()) if kind == "project" else ()), *(() if is_bundled else files[key]))
        paths = dict.fromkeys(f"{directory}/{name}" if directory else name for name in names)
        if paths:
            yield PackageDetails(type="nuget", name=package.name, version=package.version, files=tuple((path, "") for path in paths))
    if problem:
        raise InvalidRecord(problem)


def nuget_package(name: str, version: str, *, vendor: str = "", licenses: tuple[str, ...] = ()) -> Package:
    """Return the package of that name and version. Raises InvalidRecord for what NuGet would take for neither."""
    if not _NUGET_NAME.fullmatch(name):
        raise InvalidRecord(f"expected the name of a NuGet package, got {name[:40]!r}")
    if len(version) > MAX_WORD or not _VERSION.fullmatch(version):
        raise InvalidRecord(f"expected the version of {name}, got {version[:40]!r}")
    return Package(
        type="nuget", name=name, version=version, ecosystem="NuGet", vendor=vendor, licenses=licenses, cpes=_runtime_cpes(name, version)
    )


def _parse_library(key: str) -> Package:
    """`runtimepack.` marks the runtime of a self-contained application; NuGet, and advisories, know the pack without it."""
    name, _, version = key.removeprefix(_RUNTIME_PACK).partition("/")
    return nuget_package(name, version)


def _files(libraries: Mapping[str, _Library], targets: Iterable[Mapping[str, _Target]]) -> dict[str, tuple[str, ...]]:
    """The files of each library, relative to the application, in the order of the document: as they lie in the package, and as they are published."""
    files: dict[str, dict[str, None]] = {key: {} for key in libraries}
    left = MAX_FILES
    for target in targets:
        for key, library in target.items():
            group = files.setdefault(key, {})
            for path in library.files():
                left -= 1
                if left < 0:
                    raise LimitExceeded(f"more than {MAX_FILES} files of libraries")
                if len(path) <= MAX_WORD and path.isprintable() and ".." not in path and not path.startswith("/"):
                    group[_PUBLISHED.sub("", path)] = None
                    group[path] = None
    return {key: tuple(group) for key, group in files.items()}


def _present(
    libraries: Mapping[str, _Library], targets: Iterable[Mapping[str, _Target]], files: Mapping[str, tuple[str, ...]]
) -> Iterator[str]:
    """Which libraries take part at run time."""
    parents: dict[str, list[str]] = {}
    targeted: set[str] = set()
    for target in targets:
        targeted.update(target)
        for key, library in target.items():
            for name, version in (library.dependencies or {}).items():
                parents.setdefault(f"{name}/{version}", []).append(key)
    has_bundler = any(_BUNDLERS.fullmatch(key.partition("/")[0]) for key in files)
    present = {key for key in files if has_bundler or files[key] or key not in targeted or _is_project(libraries.get(key))}
    waiting = list(present)
    while waiting:  # each library comes in once
        for parent in parents.pop(waiting.pop(), ()):
            if parent not in present:
                present.add(parent)
                waiting.append(parent)
    return (key for key in files if key in present and not _is_reference(libraries.get(key)))


def _is_project(library: _Library | None) -> bool:
    return library is not None and library.type.lower() == "project"


def _is_reference(library: _Library | None) -> bool:
    """Tell whether it names an assembly of the framework that was compiled against."""
    return library is not None and library.type == "referenceassembly" and not library.sha512 and not library.path


def _own_files(name: str) -> tuple[str, ...]:
    """What the SDK names after a project and puts beside its `.deps.json`."""
    return (name, f"{name}.exe", f"{name}.pdb", f"{name}{_SUFFIX}", f"{name}.runtimeconfig.json")


def _runtime_cpes(name: str, version: str) -> tuple[str, ...]:
    """The names under which the NVD knows the runtimes."""
    runtime = _RUNTIME.fullmatch(name)
    if runtime is None or not _RUNTIME_VERSION.fullmatch(version):
        return ()
    major = int(version.partition(".")[0])
    if "aspnetcore" in (part.lower() for part in runtime.groups("")):
        product = "asp.net_core"
    else:
        product = ".net" if major >= _FIRST_WITHOUT_CORE else ".net_core"
    return (f"cpe:2.3:a:microsoft:{product}:{version}:*:*:*:*:*:*:*",)
