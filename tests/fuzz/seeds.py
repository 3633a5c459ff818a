"""What is damaged first: small real files, and what the unit tests of analyzers are made of, so that a new analyzer brings its seeds along."""

from __future__ import annotations

import importlib
import json
import posixpath
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from pratique.errors import InputError
from pratique.inventory.analyzer import Analyzer, Fact, LayerFile
from pratique.inventory.path_index import HEAD_BYTES
from tests.fuzz.trial import Input
from tests.support.dotnet_files import assembly, bundled, deps_json, elf_host
from tests.support.executables import ALL_ELF, ElfSpec, make_elf, make_macho, make_note, make_pe
from tests.support.go_programs import inline_record, pointer_record
from tests.support.java_archives import archive
from tests.support.layer_results import ASSETS
from tests.support.rpm_databases import make_bdb, make_ndb, make_sqlite
from tests.support.rpm_headers import bash, listed
from tests.support.sboms import REAL
from tests.unit.inventory.test_analyzers import PATHS
from tests.unit.inventory.test_models import LLAMA, make_gguf, make_safetensors
from tests.unit.inventory.test_native_image import DOCUMENT, image, packed

_MAX_BYTES = 64 * 1024  # of a seed
_MAX_SEEDS = 60  # of one analyzer: each is parsed before anything is damaged
_MAX_PATHS = 2  # of one analyzer, beside the registered ones
_MAX_FACTS = 2_000  # of a seed: one that is meant to be too much takes long each time
_MAX_ITEMS = 60  # of a list in a test: some have thousands, to be too many
_SHORTEST = 12  # bytes of a constant that may be a file
_CRATES = zlib.compress(
    b'{"packages":[{"name":"adler","version":"1.0.2","source":"crates.io"},{"name":"app","version":"1","source":"local","root":true}]}'
)
_NOTE = make_note(b"FDO\0", 0xCAFE1A7E, b'{"type":"deb","os":"debian","name":"a","version":"1","architecture":"amd64"}\0')
_DEPS = deps_json({"app/1.0.0": "project", "A/2.0.0": "package"}, {"app/1.0.0": {"runtime": ["app.dll"]}})


@dataclass(frozen=True, slots=True)
class Pool:
    """Contents of all kinds, and paths: each analyzer takes what tells it something."""

    contents: tuple[bytes, ...]
    paths: tuple[str, ...]

    @classmethod
    def collect(cls) -> Pool:
        """Gather assets, and what the modules of tests hold: constants and parameters."""
        modules = [
            importlib.import_module(f"tests.unit.inventory.{file.stem}") for file in sorted(Path("tests/unit/inventory").glob("test_*.py"))
        ]
        assets = [file.read_bytes() for file in sorted(ASSETS.rglob("*")) if file.is_file() and file.name != "ORIGIN.md"]
        found = dict.fromkeys(chain(assets, REAL.values(), _made(), *(_flatten(_values(module)) for module in modules)))
        texts = [one.decode() for one in found if len(one) < 200 and one.isascii()]
        return cls(
            tuple(one for one in found if _SHORTEST <= len(one) <= _MAX_BYTES),
            tuple(text for text in texts if text.isprintable() and posixpath.normpath("/" + text) == "/" + text),
        )

    def seeds_of(self, analyzer: Analyzer) -> tuple[Input, ...]:
        """Return files at paths that the analyzer wants, and that tell it something: most of them without a complaint, some with one."""
        wanted = [path for path in self.paths if analyzer.paths.matches(path)][:_MAX_PATHS]
        told: dict[bool, list[Input]] = {False: [], True: []}
        for path in dict.fromkeys([*PATHS[analyzer.name], *wanted]):
            for content in self.contents:
                if analyzer.paths.matches(path, content[:HEAD_BYTES]):
                    count, is_refused = _read(analyzer, LayerFile(path=path, content=content))
                    told[is_refused] += [Input(path, content)] if 0 < count < _MAX_FACTS else []
        return (*_some(told[False], _MAX_SEEDS), *_some(told[True], _MAX_SEEDS // 6))


def _read(analyzer: Analyzer, file: LayerFile) -> tuple[int, bool]:
    facts: list[Fact] = []
    try:
        facts.extend(analyzer.parse(file))
    except InputError:
        return len(facts), True
    return len(facts), False


def _some(seeds: list[Input], most: int) -> list[Input]:
    return seeds[:: -(-len(seeds) // most) or 1]


def _made() -> Iterator[bytes]:
    """Make what tests make as they run."""
    for bits, order in ALL_ELF:
        yield make_elf(ElfSpec(sections={b".go.buildinfo": inline_record(), b".dep-v0": _CRATES}, bits=bits, order=order))
        yield make_elf(
            ElfSpec(sections={b".data": pointer_record(bits=bits, order=order), b".note.package": _NOTE}, bits=bits, order=order)
        )
    yield make_elf(ElfSpec(sections={b".note.package": _NOTE}, with_table=False))
    yield make_pe({b".data": (0xC0000040, inline_record()), b".dep-v0": (0x40000040, _CRATES)})
    yield make_macho({b"__go_buildinfo": inline_record(), b".dep-v0": _CRATES})
    yield from (assembly({"ProductName": "Example", "ProductVersion": "1.2.3"}), bundled(elf_host(), _DEPS, 1), bundled(elf_host(), _DEPS))
    yield from (image(packed(DOCUMENT)), make_gguf(LLAMA), make_safetensors({"__metadata__": {"format": "pt"}}))
    yield archive({"EGG-INFO/PKG-INFO": "Metadata-Version: 2.1\nName: a\nVersion: 1\n"})
    yield archive({"node_modules/a/package.json": '{"name": "a", "version": "1.0.0", "license": "MIT"}'})
    yield b"6dc7a0e3a3b4a1b0c1f5c8f0b7a3e2d1  bin/bash\n"
    yield b"dir /bin\nobj /bin/bash 6dc7a0e3a3b4a1b0c1f5c8f0b7a3e2d1 1700000000\nsym /bin/sh -> bash 1700000000\n"
    with tempfile.TemporaryDirectory() as folder:
        yield make_sqlite(Path(folder), bash(), listed(), page_size=512)
    yield from (make_ndb(bash(), listed()), make_bdb(bash(), listed()), make_bdb(bash(), listed(), order=">"))


def _values(module: object) -> list[object]:
    """Return the constants of a module of tests, and the parameters of its tests."""
    named = [value for name, value in vars(module).items() if not name.startswith("__")]
    return named + [mark.args[1:] for value in named for mark in getattr(value, "pytestmark", ()) if mark.name == "parametrize"]


def _flatten(value: object, depth: int = 0) -> Iterator[bytes]:
    match value:
        case bytes():
            yield value
        case str():
            yield value.encode("utf-8", "surrogatepass")
        case LayerFile():
            yield value.content
        case Mapping() if len(value) <= _MAX_ITEMS:
            yield json.dumps(value, default=str, skipkeys=True).encode()
            yield from _flatten(list(value.values()), depth)
        case list() | tuple() if depth < 6:
            for item in value[:_MAX_ITEMS]:
                yield from _flatten(getattr(item, "values", item) if type(item).__name__ == "ParameterSet" else item, depth + 1)
