"""GGUF models (llama.cpp, Ollama): one package a model, by what the file says about itself. Source: ggml's docs/gguf.md.

OSV knows no models, so that `ecosystem` is empty. Only the metadata at the beginning of the file are read. Where the vocabulary in them is longer than the head
of the file that was read, what comes before it is enough.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from pratique.errors import InvalidRecord
from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._models import ModelName, model_word, name_by_path, name_by_repository
from pratique.inventory.analyzers._wording import known_lines
from pratique.inventory.package import Package

HEAD_BYTES = 16 * 1024 * 1024  # metadata with a vocabulary of 256,000 words have some 10 MB
MAX_KEYS = 10_000  # real models have some 50
MAX_TEXT = 4096  # bytes of a text that is kept

_MAGIC = b"GGUF"
_VERSIONS = range(1, 10)  # 3 is the newest; another byte order makes 3 a number of eight digits
_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_UINT32, _STRING, _ARRAY = 4, 8, 9
_WANTED = frozenset(
    {"general.architecture", "general.name", "general.version", "general.license", "general.file_type"}
    | {"general.repo_url", "general.source.repo_url", "general.source.huggingface.repository"}
)
_FILE_TYPES = {
    0: "F32",
    1: "F16",
    2: "Q4_0",
    3: "Q4_1",
    7: "Q8_0",
    8: "Q5_0",
    9: "Q5_1",
    10: "Q2_K",
    11: "Q3_K_S",
    12: "Q3_K_M",
    13: "Q3_K_L",
    14: "Q4_K_S",
    15: "Q4_K_M",
    16: "Q5_K_S",
    17: "Q5_K_M",
    18: "Q6_K",
    32: "BF16",
}  # fmt: skip - llama.cpp's enum llama_ftype


class _Cut(Exception):
    """The bytes ended; the metadata go on behind what was read."""


@dataclass(slots=True)
class _Reader:
    content: bytes
    order: str
    length_format: str
    position: int

    def number(self, code: str) -> int:
        size = struct.calcsize(self.order + code)
        if self.position + size > len(self.content):
            raise _Cut
        (value,) = struct.unpack_from(self.order + code, self.content, self.position)
        self.position += size
        return int(value)

    def skip(self, size: int) -> None:
        if size > len(self.content) - self.position:
            raise _Cut
        self.position += size

    def text(self) -> str:
        start = self.position
        self.skip(self.number(self.length_format))
        start += struct.calcsize(self.order + self.length_format)
        return self.content[start : min(self.position, start + MAX_TEXT)].decode("utf-8", "replace")

    def value(self, kind: int) -> str | int | None:
        """Read texts and 32-bit numbers, skip everything else."""
        if kind == _STRING:
            return self.text()
        if kind == _UINT32:
            return self.number("I")
        if kind == _ARRAY:
            self._skip_array()
        else:
            self.skip(_size_of(kind))
        return None

    def _skip_array(self) -> None:
        kind, count = self.number("I"), self.number(self.length_format)
        if kind in _SIZES:
            self.skip(_SIZES[kind] * count)
        elif kind == _STRING:
            self._skip_texts(count)
        else:  # llama.cpp refuses arrays of arrays, too
            raise InvalidRecord(f"expected a GGUF model, got an array of type {kind}")

    def _skip_texts(self, count: int) -> None:
        length = struct.Struct(self.order + self.length_format)
        position, end = self.position, len(self.content)
        for _ in range(count):
            if position + length.size > end:
                raise _Cut
            position += length.size + length.unpack_from(self.content, position)[0]
        self.position = position
        self.skip(0)


def parse(file: LayerFile) -> Iterator[Package]:
    """Yield the model.

    Raises InvalidRecord, after yielding it, for metadata that end early or break the format. A file that only begins like one and is not called so is silence.
    """
    reader = _open(file)
    if reader is None:
        return
    found: dict[str, str | int] = {}
    problem = ""
    try:
        _read_metadata(reader, found)
    except _Cut:
        problem = "expected a GGUF model, got the beginning of one" if file.is_whole else ""
    except InvalidRecord as error:
        problem = str(error)
    yield _package(file.path, found)
    if problem:
        raise InvalidRecord(problem)


def _open(file: LayerFile) -> _Reader | None:
    if not file.content.startswith(_MAGIC):
        return None
    for order in "<>":
        reader = _Reader(file.content, order, "Q", len(_MAGIC))
        version = reader.number("I") if len(file.content) >= 8 else 0  # noqa: PLR2004 - magic and version
        if version in _VERSIONS:
            reader.length_format = "I" if version == 1 else "Q"
            return reader
    if file.path.endswith(".gguf"):
        raise InvalidRecord("expected a GGUF model, got one of an unknown version")
    return None


def _read_metadata(reader: _Reader, found: dict[str, str | int]) -> None:
    reader.number(reader.length_format)  # of tensors
    count = reader.number(reader.length_format)
    if count > MAX_KEYS:
        raise InvalidRecord(f"expected a GGUF model, got one with {count} keys")
    for _ in range(count):
        key = reader.text()
        value = reader.value(reader.number("I"))
        if key in _WANTED and value is not None:
            found.setdefault(key, value)


def _size_of(kind: int) -> int:
    if kind not in _SIZES:
        raise InvalidRecord(f"expected a GGUF model, got a value of type {kind}")
    return _SIZES[kind]


def _package(path: str, found: dict[str, str | int]) -> Package:
    name = _name(path, found)
    qualifiers = {"format": "gguf"}
    architecture = model_word(str(found.get("general.architecture", "")))
    if architecture:
        qualifiers["family"] = architecture
    file_type = found.get("general.file_type")
    if isinstance(file_type, int) and file_type in _FILE_TYPES:
        qualifiers["quantization"] = _FILE_TYPES[file_type]
    return Package(
        type=name.type,
        namespace=name.namespace,
        name=name.name,
        version=name.version,
        qualifiers=qualifiers,
        licenses=known_lines((str(found.get("general.license", "")),)),
    )


def _name(path: str, found: dict[str, str | int]) -> ModelName:
    """The repository that it was published in, or else the name and version it gives itself, or else its place."""
    urls = [found.get("general.repo_url"), f"https://huggingface.co/{found.get('general.source.huggingface.repository')}"]
    for url in (*urls, found.get("general.source.repo_url")):
        published = name_by_repository(str(url))
        if published is not None:
            return published
    by_path = name_by_path(path)
    own = model_word(str(found.get("general.name", "")))
    if by_path.type == "huggingface" or not own:
        return by_path
    return ModelName("generic", "", own, model_word(str(found.get("general.version", ""))))


ANALYZER = Analyzer(
    name="gguf",
    version=1,
    paths=PathPattern(magics=(_MAGIC,)),
    parse=parse,
    max_bytes=HEAD_BYTES,
    head_bytes=HEAD_BYTES,
)
