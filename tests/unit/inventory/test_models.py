"""Machine-learning models: GGUF, safetensors, and Hugging Face's cache."""

import json
import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.inventory.analyzer import Fact, LayerFile
from pratique.inventory.analyzers import gguf, hugging_face, safetensors
from pratique.inventory.package import Package
from tests.support.layer_results import layer_file, read

REVISION = "559062ad13d311b87b2c455e67dcd5f1c8f65111"
CACHED = f"root/.cache/huggingface/hub/models--google--gemma-2b/snapshots/{REVISION}"


def text(value: str, order: str = "<", length: str = "Q") -> bytes:
    return struct.pack(order + length, len(value.encode())) + value.encode()


def make_gguf(values: dict[str, str | int | list[str] | list[float]], *, order: str = "<", version: int = 3, extra: int = 0) -> bytes:
    length = "I" if version == 1 else "Q"
    body = b"GGUF" + struct.pack(f"{order}I{length}{length}", version, 7, len(values) + extra)
    for key, value in values.items():
        body += text(key, order, length)
        if isinstance(value, str):
            body += struct.pack(order + "I", 8) + text(value, order, length)
        elif isinstance(value, int):
            body += struct.pack(order + "II", 4, value)
        elif value and isinstance(value[0], float):
            body += struct.pack(f"{order}II{length}{len(value)}f", 9, 6, len(value), *value)
        else:
            body += struct.pack(f"{order}II{length}", 9, 8, len(value)) + b"".join(text(str(word), order, length) for word in value)
    return body


LLAMA: dict[str, str | int | list[str] | list[float]] = {
    "general.architecture": "llama",
    "general.name": "Meta Llama 3 8B Instruct",
    "general.version": "3.1 b",
    "tokenizer.ggml.scores": [0.5] * 100,
    "tokenizer.ggml.tokens": ["word"] * 1000,
    "general.license": "llama3",
    "general.file_type": 15,
}


def make_safetensors(header: object, tail: bytes = bytes(16)) -> bytes:
    raw = json.dumps(header).encode()
    return len(raw).to_bytes(8, "little") + raw + tail


TENSORS = {"a.weight": {"dtype": "F16", "shape": [2, 4], "data_offsets": [0, 16]}}


def only(facts: list[Fact]) -> Package:
    (package,) = facts
    assert isinstance(package, Package)
    return package


@pytest.mark.parametrize(("order", "version"), [("<", 3), (">", 3), ("<", 2), ("<", 1)])
def test_a_gguf_model_is_what_its_metadata_say(order: str, version: int) -> None:
    facts, problem = read(gguf.parse, layer_file("models/x.gguf", make_gguf(LLAMA, order=order, version=version) + bytes(99)))

    assert (only(facts).purl, problem) == (
        "pkg:generic/Meta-Llama-3-8B-Instruct@3.1-b?family=llama&format=gguf&quantization=Q4_K_M",
        "",
    )
    assert (only(facts).licenses, only(facts).ecosystem) == (("llama3",), "")


@pytest.mark.parametrize(
    ("values", "purl"),
    [
        ({"general.repo_url": "https://huggingface.co/org/Name-GGUF", "general.name": "n"}, "pkg:huggingface/org/Name-GGUF?format=gguf"),
        ({"general.source.huggingface.repository": "org/name"}, "pkg:huggingface/org/name?format=gguf"),
        ({"general.repo_url": "https://example.org/a/b", "general.name": "n"}, "pkg:generic/n?format=gguf"),
        ({"general.name": "\n \u00e9"}, "pkg:generic/tiny-q4?format=gguf"),
        ({}, "pkg:generic/tiny-q4?format=gguf"),
    ],
)
def test_a_gguf_model_is_named_by_its_repository_or_else_itself_or_else_its_file(
    values: dict[str, str | int | list[str] | list[float]], purl: str
) -> None:
    facts, problem = read(gguf.parse, layer_file("models/tiny-q4-00001-of-00002.gguf", make_gguf(values)))

    assert (only(facts).purl, problem) == (purl, "")


def test_a_gguf_model_larger_than_what_was_read_is_no_gap() -> None:
    content = make_gguf(LLAMA)[:5000]
    (package,) = gguf.parse(LayerFile(path="x.gguf", content=content, size=4_000_000_000))

    assert isinstance(package, Package)
    assert package.name == "Meta-Llama-3-8B-Instruct"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (make_gguf(LLAMA)[:5000], "got the beginning of one"),
        (make_gguf({}, extra=1), "got the beginning of one"),
        (make_gguf({})[:10], "got the beginning of one"),
        (make_gguf({}, extra=20_000), "got one with 20000 keys"),
        (make_gguf({}, extra=1) + text("k") + struct.pack("<I", 77), "got a value of type 77"),
        (make_gguf({}, extra=1) + text("k") + struct.pack("<IIQ", 9, 9, 2**60), "got an array of type 9"),
        (make_gguf({}, extra=1) + text("k") + struct.pack("<IIQ", 9, 8, 2**60) + bytes(80), "got the beginning of one"),
        (make_gguf({}, extra=1) + struct.pack("<Q", 2**63), "got the beginning of one"),
    ],
)
def test_a_gguf_model_that_breaks_the_format_is_a_gap_and_still_a_model(content: bytes, problem: str) -> None:
    facts, told = read(gguf.parse, layer_file("dir/broken.gguf", content))

    assert only(facts).type == "generic"
    assert problem in told


def test_what_only_begins_like_a_gguf_model_is_silence_unless_called_so() -> None:
    assert read(gguf.parse, layer_file("README", b"GGUF is a file format")) == ([], "")
    assert read(gguf.parse, layer_file("README", b"GGUF")) == ([], "")
    assert "unknown version" in read(gguf.parse, layer_file("a.gguf", b"GGUF is a file format"))[1]


def test_a_gguf_model_of_many_words_takes_little_time() -> None:
    words = make_gguf({}, extra=1) + text("k") + struct.pack("<IIQ", 9, 8, 2_000_000) + bytes(16_000_000)

    started = time.process_time()
    assert read(gguf.parse, layer_file("a.gguf", words))[1] == ""
    assert time.process_time() - started < 3


@pytest.mark.parametrize(
    ("path", "header", "purl"),
    [
        ("models/bert/model.safetensors", TENSORS, "pkg:generic/bert?format=safetensors"),
        ("models/bert/model-00001-of-00002.safetensors", TENSORS, "pkg:generic/bert?format=safetensors"),
        ("models/sd/unet.fp16.safetensors", TENSORS, "pkg:generic/unet.fp16?format=safetensors"),
        ("model.safetensors", {}, "pkg:generic/model?format=safetensors"),
        (
            "x/model.safetensors",
            {"__metadata__": {"format": "pt", "modelspec.title": "My Model"}, **TENSORS},
            "pkg:generic/My-Model?format=safetensors",
        ),
        (f"{CACHED}/model.safetensors", TENSORS, f"pkg:huggingface/google/gemma-2b@{REVISION}?format=safetensors"),
    ],
)
def test_a_safetensors_model_is_named_by_its_header_or_its_place(path: str, header: object, purl: str) -> None:
    facts, problem = read(safetensors.parse, layer_file(path, make_safetensors(header)))

    assert (only(facts).purl, problem) == (purl, "")


def test_a_safetensors_model_with_a_header_longer_than_what_was_read_is_named_by_its_place() -> None:
    content = make_safetensors({"__metadata__": {"modelspec.title": "x" * 999}})[:100]
    (package,) = safetensors.parse(LayerFile(path="m/big.safetensors", content=content, size=10_000))

    assert isinstance(package, Package)
    assert package.name == "big"


@pytest.mark.parametrize("content", [b"", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"])
def test_what_holds_no_model_is_silence(content: bytes) -> None:
    assert read(safetensors.parse, layer_file("a/model.safetensors", content)) == ([], "")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"abc", "expected a safetensors model, got a header of"),
        (bytes(20), "a header of 0 bytes in a file of 20"),
        ((200_000_000).to_bytes(8, "little") + b"{", "a header of 200000000 bytes"),
        (make_safetensors({})[:9], "a header of 2 bytes in a file of 9"),
        (make_safetensors([]), "expected a safetensors model"),
        (make_safetensors({"__metadata__": {"a": 1}}), "expected a safetensors header"),
        ((100_001).to_bytes(8, "little") + b'{"a":' + b"[" * 100_000, "expected a safetensors header"),
    ],
)
def test_a_safetensors_model_that_its_library_would_refuse_is_a_gap(content: bytes, problem: str) -> None:
    facts, told = read(safetensors.parse, layer_file("a/model.safetensors", content))

    assert facts == []
    assert problem in told


def test_a_model_in_the_cache_has_the_revision_that_was_fetched() -> None:
    facts, _ = read(hugging_face.parse, layer_file("root/.cache/huggingface/hub/models--google--gemma-2b/refs/main", REVISION))

    assert only(facts).purl == f"pkg:huggingface/google/gemma-2b@{REVISION}"
    facts, _ = read(hugging_face.parse, layer_file("models--gpt2/refs/main", REVISION + "\n"))
    assert only(facts).purl == f"pkg:huggingface/gpt2@{REVISION}"


def test_only_references_of_models_are_wanted_and_they_must_hold_a_revision() -> None:
    assert hugging_face.ANALYZER.paths.matches("hub/models--a--b/refs/main")
    assert not hugging_face.ANALYZER.paths.matches("repo/.git/refs/heads/main")
    assert not hugging_face.ANALYZER.paths.matches("hub/datasets--a--b/refs/main")
    assert read(hugging_face.parse, layer_file("models--a/x/refs/main", "x")) == ([], "")
    assert "expected a revision" in read(hugging_face.parse, layer_file("hub/models--a--b/refs/main", "x"))[1]
    assert "name of a model" in read(hugging_face.parse, layer_file("hub/models--a--/refs/main", REVISION))[1]


@given(st.binary(max_size=300))
def test_bytes_of_any_kind_give_models_or_gaps(content: bytes) -> None:
    read(gguf.parse, layer_file("a.gguf", b"GGUF" + content))
    read(gguf.parse, layer_file("a.gguf", b"GGUF\3\0\0\0" + content))
    read(safetensors.parse, layer_file("a.safetensors", content))
    read(safetensors.parse, layer_file("a.safetensors", len(content).to_bytes(8, "little") + content))
    read(hugging_face.parse, layer_file("models--a--b/refs/main", content))


@given(
    st.sampled_from([("a.gguf", make_gguf(LLAMA)[:1200]), ("a.safetensors", make_safetensors({"__metadata__": {"name": "n"}, **TENSORS}))]),
    st.lists(st.tuples(st.integers(0, 1200), st.binary(min_size=1, max_size=8)), max_size=8),
)
def test_changed_models_give_models_or_gaps(sample: tuple[str, bytes], changes: list[tuple[int, bytes]]) -> None:
    path, content = sample
    changed = bytearray(content)
    for place, change in changes:
        changed[place % len(changed) : place % len(changed) + len(change)] = change
    read(gguf.parse if path == "a.gguf" else safetensors.parse, layer_file(path, bytes(changed)))
