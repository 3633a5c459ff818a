""".NET packages: what applications bring with them, and what projects have locked.

- `*.deps.json` beside an application, plug-in or shared runtime: see `_dotnet_deps`. The shared runtimes (`shared/Microsoft.NETCore.App/8.0.1`) have one too, which names
  them as NuGet and advisories do: `Microsoft.NETCore.App.Runtime.linux-x64`. Runtime packs of self-contained applications get the same name, without `runtimepack.`.
- `packages.lock.json`, `packages.config` and `*Packages.props` list packages of a project, installed or not; they are yielded as in Trivy and, the first, in Syft.
- `libman.json`: JavaScript libraries that an ASP.NET project has fetched into `wwwroot`, as npm packages, as in Syft.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from pratique.errors import InvalidRecord, LimitExceeded
from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._dotnet_deps import MAX_DEPS_BYTES, nuget_package, parse_deps
from pratique.inventory.analyzers._records import checked_word
from pratique.inventory.package import Package, PackageDetails

MAX_PACKAGES = 50_000  # of one project; more would only fill databases

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_RANGE = frozenset("*,[]() ")  # a version with one of these is a range: NuGet chooses, and writes elsewhere what it chose


class _Locked(msgspec.Struct, gc=False):
    type: str = ""
    resolved: str | None = None


class _Lock(msgspec.Struct):
    dependencies: dict[str, dict[str, _Locked]] | None = None


class _Library(msgspec.Struct, gc=False):
    library: str = ""
    provider: str | None = None


class _LibMan(msgspec.Struct, rename="camel"):
    default_provider: str | None = None
    libraries: list[_Library] | None = None


_LOCK = msgspec.json.Decoder(_Lock)
_LIBMAN = msgspec.json.Decoder(_LibMan)


def parse(file: LayerFile) -> Iterator[Package | PackageDetails]:
    """Yield the packages in the order of the file, each once, and for a `.deps.json` which files are theirs.

    Raises InvalidRecord after the readable ones for what is no such file, and LimitExceeded for one that is beyond all measure.
    """
    name = file.path.rpartition("/")[2]
    if name.endswith(".deps.json"):
        return parse_deps(file.content, file.path)
    if name == "packages.lock.json":
        return _parse_named(_read_lock(file.content))
    if name == "libman.json":
        return _parse_libman(file.content)
    return _parse_named(_read_project_xml(file.content))


def _parse_named(found: Iterable[tuple[str, str]]) -> Iterator[Package]:
    problem = ""
    for number, (name, version) in enumerate(dict.fromkeys(found)):
        if number >= MAX_PACKAGES:
            raise LimitExceeded(f"more than {MAX_PACKAGES} packages")
        try:
            yield nuget_package(name, version)
        except InvalidRecord as error:
            problem = problem or str(error)
    if problem:
        raise InvalidRecord(problem)


def _read_lock(content: bytes) -> Iterator[tuple[str, str]]:
    """Projects of the same solution are named there without a version."""
    try:
        lock = _LOCK.decode(content.removeprefix(_BYTE_ORDER_MARK))
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise InvalidRecord(f"expected a packages.lock.json: {error}") from error
    for framework in (lock.dependencies or {}).values():
        yield from ((name, locked.resolved) for name, locked in framework.items() if locked.resolved and locked.type.lower() != "project")


def _read_project_xml(content: bytes) -> list[tuple[str, str]]:
    """`packages.config` lists `package`s, without those for development; a `.props` lists `PackageVersion` or `PackageReference` items, some with variables or ranges."""
    from pratique.inventory.analyzers._plain_xml import visit_elements

    found: dict[tuple[str, str], None] = {}

    def visit(path: tuple[str, ...], attributes: Mapping[str, str]) -> None:
        match path:
            case ("packages", "package"):
                is_wanted = attributes.get("developmentDependency", "").lower() != "true"
                name, version = attributes.get("id", ""), attributes.get("version", "")
            case ("Project", "ItemGroup", "PackageVersion" | "PackageReference"):
                name, version = attributes.get("Include") or attributes.get("Update", ""), attributes.get("Version", "").strip()
                is_wanted = not (name + version).count("$(")
                version = (
                    version[1:-1] if version[:1] == "[" and version[-1:] == "]" and "," not in version else version
                )  # exactly that one
            case _:
                return
        if is_wanted and name.strip() and version.strip() and not _RANGE & set(version.strip()):
            found[name.strip(), version.strip()] = None
        if len(found) > MAX_PACKAGES:
            raise LimitExceeded(f"more than {MAX_PACKAGES} packages")

    visit_elements(content, visit)
    return list(found)


def _parse_libman(content: bytes) -> Iterator[Package]:
    """A library without a version is one of the file system: the project's own."""
    try:
        libman = _LIBMAN.decode(content.removeprefix(_BYTE_ORDER_MARK))
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise InvalidRecord(f"expected a libman.json: {error}") from error
    if len(libman.libraries or ()) > MAX_PACKAGES:
        raise LimitExceeded(f"more than {MAX_PACKAGES} libraries")
    for item in dict.fromkeys(
        item.library for item in libman.libraries or () if (item.provider or libman.default_provider) != "filesystem"
    ):
        whole, at, version = item.rpartition("@")
        scope, slash, name = whole.rpartition("/")
        if at and name:
            yield Package(
                type="npm",
                namespace=checked_word(scope.encode(), "scope") if slash else "",
                name=checked_word(name.encode(), "name"),
                version=checked_word(version.encode(), "version"),
                ecosystem="npm",
            )


ANALYZER = Analyzer(
    name="dotnet",
    version=1,
    paths=PathPattern(
        names=frozenset({"packages.lock.json", "packages.config", "libman.json"}),
        suffixes=(".deps.json", "Packages.props", "packages.props"),
    ),
    parse=parse,
    max_bytes=MAX_DEPS_BYTES,
)
