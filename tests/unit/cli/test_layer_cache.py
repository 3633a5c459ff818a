"""Results of layers on disk."""

import argparse
import os
from pathlib import Path

import pytest

from pratique.inventory.analyzers import results_key
from pratique.inventory.layer_result import LayerResult
from pratique.scanning import MemoryLayerStore
from pratique_services.cli.layer_cache import DirectoryLayerStore, open_layer_store

ONE, TWO = (f"sha256:{digit * 64}" for digit in "12")
RESULT = LayerResult(files=(), diff_id=ONE, regular="a\0é\0" * 3000, entries=6000)


def stored(directory: Path) -> list[Path]:
    return sorted(path for path in directory.rglob("*") if path.is_file())


async def test_what_was_recorded_is_loaded_again(tmp_path: Path) -> None:
    await DirectoryLayerStore(tmp_path / "layers", "key").record(ONE, RESULT)

    assert await DirectoryLayerStore(tmp_path / "layers", "key").load([ONE, TWO, ONE]) == {ONE: RESULT}
    assert await DirectoryLayerStore(tmp_path / "layers", "other key").load([ONE]) == {}


async def test_only_the_user_can_read_it(tmp_path: Path) -> None:
    await DirectoryLayerStore(tmp_path / "layers", "key").record(ONE, RESULT)

    (file,) = stored(tmp_path)
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("damage", [b"", b"\x01", b"\x00garbage", b"\x01garbage", b"\x07"])
async def test_a_file_that_cannot_be_read_counts_as_absent(tmp_path: Path, damage: bytes) -> None:
    store = DirectoryLayerStore(tmp_path / "layers", "key")
    await store.record(ONE, RESULT)
    (file,) = stored(tmp_path)
    for content in (damage, file.read_bytes()[:-5]):
        file.write_bytes(content)
        assert await store.load([ONE]) == {}


async def test_what_was_used_longest_ago_goes_first(tmp_path: Path) -> None:
    size = len(RESULT.encode())
    old = DirectoryLayerStore(tmp_path / "layers", "key", max_bytes=2 * size)
    await old.record(ONE, RESULT)
    os.utime(stored(tmp_path)[0], (1, 1))
    await old.record(TWO, RESULT)
    assert set(await old.load([ONE])) == {ONE}  # and so it was used
    os.utime(stored(tmp_path)[1], (2, 2))
    await DirectoryLayerStore(tmp_path / "layers", "newer", max_bytes=2 * size).record(TWO, RESULT)

    assert set(await old.load([ONE, TWO])) == {ONE}


async def test_a_place_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    store = DirectoryLayerStore(tmp_path / "file" / "layers", "key")
    await store.record(ONE, RESULT)

    assert await store.load([ONE]) == {}


def options(*, no_cache: bool = False, cache_dir: Path | None = None) -> argparse.Namespace:
    return argparse.Namespace(no_cache=no_cache, cache_dir=cache_dir)


async def test_the_options_and_the_environment_say_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(open_layer_store(options(no_cache=True), compares_contents=False), MemoryLayerStore)
    await open_layer_store(options(cache_dir=tmp_path / "option"), compares_contents=False).record(ONE, RESULT)
    monkeypatch.setenv("PRATIQUE_CACHE_DIR", str(tmp_path / "named"))
    await open_layer_store(options(), compares_contents=False).record(ONE, RESULT)
    monkeypatch.delenv("PRATIQUE_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    await open_layer_store(options(), compares_contents=False).record(ONE, RESULT)
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    await open_layer_store(options(), compares_contents=False).record(ONE, RESULT)

    places = [str(path.relative_to(tmp_path)).partition("/layers/")[0] for path in stored(tmp_path)]
    assert places == ["home/.cache/pratique", "named", "option", "xdg/pratique"]


async def test_results_with_contents_are_kept_apart(tmp_path: Path) -> None:
    await open_layer_store(options(cache_dir=tmp_path), compares_contents=False).record(ONE, RESULT)

    assert await open_layer_store(options(cache_dir=tmp_path), compares_contents=True).load([ONE]) == {}
    assert results_key(compares_contents=True) != results_key(compares_contents=False)
