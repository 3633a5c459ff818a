"""Safetensors models (Hugging Face): one package a model, by what the header says and where the file lies.

The files of one model in several (`model-00001-of-00002.safetensors`) name the same package. OSV knows no models, so that `ecosystem` is empty.
Source: huggingface/safetensors, README, "Format". A pointer of Git LFS in place of the model, and an empty file, hold no model: silence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from pratique.errors import InvalidRecord
from pratique.inventory.analyzer import Analyzer, LayerFile, PathPattern
from pratique.inventory.analyzers._json_records import decode_json
from pratique.inventory.analyzers._models import ModelName, model_word, name_by_path
from pratique.inventory.analyzers._wording import known_lines
from pratique.inventory.package import Package

HEAD_BYTES = 8 * 1024 * 1024  # headers of the largest models have 1 MB; of longer ones the place of the file tells the name
MAX_HEADER = 100_000_000  # bytes: the library refuses more

_LENGTH_SIZE = 8
_LFS_POINTER = b"version https://git-lfs."
_TITLES = ("modelspec.title", "ss_output_name", "name")


class _Header(msgspec.Struct):
    metadata: dict[str, str] | None = msgspec.field(name="__metadata__", default=None)


_DECODER = msgspec.json.Decoder(_Header)


def parse(file: LayerFile) -> Iterator[Package]:
    """Yield the model.

    Raises InvalidRecord for what the library would refuse: a header that is no JSON object, or longer than the file or than MAX_HEADER.
    """
    if not file.content or file.content.startswith(_LFS_POINTER):
        return
    length = int.from_bytes(file.content[:_LENGTH_SIZE], "little")
    size = len(file.content) if file.is_whole else file.size
    if not 1 < length <= min(MAX_HEADER, size - _LENGTH_SIZE) or file.content[_LENGTH_SIZE : _LENGTH_SIZE + 1] != b"{":
        raise InvalidRecord(f"expected a safetensors model, got a header of {length} bytes in a file of {size}")
    header = file.content[_LENGTH_SIZE : _LENGTH_SIZE + length]
    metadata = decode_json(_DECODER, header, "a safetensors header").metadata if len(header) == length else None
    yield _package(file.path, metadata or {})


def _package(path: str, metadata: Mapping[str, str]) -> Package:
    name = name_by_path(path)
    titles = filter(None, (model_word(metadata.get(key, "")) for key in _TITLES))
    title = next(titles, "") if name.type == "generic" else ""
    if title:
        name = ModelName(name.type, "", title, "")
    return Package(
        type=name.type,
        namespace=name.namespace,
        name=name.name,
        version=name.version,
        qualifiers={"format": "safetensors"},
        licenses=known_lines((metadata.get("modelspec.license"),)),
    )


ANALYZER = Analyzer(
    name="safetensors",
    version=1,
    paths=PathPattern(suffixes=(".safetensors",)),
    parse=parse,
    max_bytes=HEAD_BYTES,
    head_bytes=HEAD_BYTES,
)
