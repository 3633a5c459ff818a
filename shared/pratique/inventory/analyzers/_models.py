"""What analyzers of machine-learning models share: how a model is called that has no name of its own, or one in free text."""

from __future__ import annotations

import re
from typing import NamedTuple

from pratique.inventory.analyzers._language import parent

MAX_NAME = 200  # characters: titles of real models stay below 100

_NOT_PRINTABLE = re.compile(r"[^!-~]+")
_SHARD = re.compile(r"-\d{5}-of-\d{5}$")
_CACHE = re.compile(r"(?:^|/)models--([^/]+?)--([^/]+)/snapshots/([0-9a-f]{40})/")
_REPOSITORY = re.compile(r"https://huggingface\.co/([\w.-]+)/([\w.-]+)/?")
_COMMON_NAMES = frozenset({"model", "adapter_model", "consolidated", "diffusion_pytorch_model", "ggml-model", "pytorch_model"})


class ModelName(NamedTuple):
    """A model's purl type, `huggingface` where the repository is known and `generic` elsewhere, with namespace, name and version; the version may be empty."""

    type: str
    namespace: str
    name: str
    version: str


def model_word(text: str) -> str:
    """Make a name or version of free text: what is not printable ASCII, spaces included, becomes a hyphen. Never raises; may be empty."""
    return _NOT_PRINTABLE.sub("-", text[:MAX_NAME]).strip("-/")


def name_by_path(path: str) -> ModelName:
    """Name a model by its place: the repository and revision in Hugging Face's cache, else the file, or its folder if the file is called as they all are."""
    cached = _CACHE.search(path)
    if cached is not None:
        return ModelName("huggingface", model_word(cached[1]), model_word(cached[2]) or "model", cached[3])
    stem = _SHARD.sub("", path.rpartition("/")[2].rpartition(".")[0])
    folder = parent(path).rpartition("/")[2]
    name = folder if folder and stem.partition(".")[0] in _COMMON_NAMES else stem
    return ModelName("generic", "", model_word(name) or "model", "")


def name_by_repository(url: str) -> ModelName | None:
    """Name a model by its repository's address at Hugging Face; None for other addresses."""
    match = _REPOSITORY.fullmatch(url[:MAX_NAME])
    return ModelName("huggingface", match[1], match[2], "") if match else None
