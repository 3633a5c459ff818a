from __future__ import annotations

import asyncio
import gzip
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from pratique.errors import DigestMismatch, InputError, InvalidLayer, LimitExceeded, RegistryUnavailable, UnavailableError
from pratique.inventory.analyzers._every import ANALYZERS as REAL_ANALYZERS
from pratique.inventory.layer_pass import PassPlan, look_at_layer
from pratique.inventory.layer_result import LayerResult
from pratique.inventory.limits import LayerLimits
from pratique.oci.layer_stream import StreamLimits
from pratique.oci.manifest import Layer
from pratique.runtime.layer_pool import LayerPool
from tests.support.hostile_layers import GAPS, HARMLESS, REFUSED, bomb, many_entries
from tests.support.layer_blobs import Entry, cut, describe, describe_chunks, make_tar, streamed

ANALYZERS = "tests.support.layer_analyzers:ANALYZERS"
RESIDENT_KIB = 120 * 1024  # the most a child may ever need for what these tests give it


def order(word: str) -> tuple[Layer, bytes]:
    blob = gzip.compress(make_tar([Entry("orders", word.encode())]))
    return describe(blob), blob


async def give(pool: LayerPool, word: str) -> LayerResult:
    layer, blob = order(word)
    return await pool.scan(layer, streamed(lambda: cut(blob)))


async def worker_of(pool: LayerPool) -> int:
    """The process id of a child that is idle now."""
    return int((await give(pool, "work")).files[0].packages[-1].version)


def open_pool(limits: LayerLimits | None = None, workers: int = 1) -> LayerPool:
    return LayerPool(workers=workers, limits=limits, analyzers=ANALYZERS)


def is_alive(process: int) -> bool:
    return Path(f"/proc/{process}").exists()


def largest_size(process: int) -> int:
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


async def test_a_child_answers_what_the_pass_answers() -> None:
    tar = make_tar([Entry("usr/lib/os-release", b"ID=debian\nVERSION_ID=12\n"), Entry("a/.wh.b"), Entry("c", b"x" * 3_000_000)])
    blob = gzip.compress(tar)
    async with LayerPool(workers=1) as pool:
        result = await pool.scan(describe(blob, tar), streamed(lambda: cut(blob)))
    assert result == look_at_layer(describe(blob, tar), cut(blob), PassPlan(analyzers=REAL_ANALYZERS, limits=LayerLimits()))


async def test_one_child_serves_one_layer_after_the_other() -> None:
    async with open_pool(workers=2) as pool:
        assert len({await worker_of(pool) for _ in range(5)}) == 1


async def test_a_large_parent_does_not_cost_it_its_children() -> None:
    ballast = bytearray(b"x") * (200 * 1024**2)
    async with open_pool() as pool:
        assert await worker_of(pool) == await worker_of(pool)
    assert ballast


async def test_a_prepared_child_takes_the_first_layer() -> None:
    async with open_pool() as pool:
        await pool.prepare()
        children = Path(f"/proc/{os.getpid()}/task/{threading.get_native_id()}/children").read_text().split()
        assert str(await worker_of(pool)) in children


async def test_layers_are_read_side_by_side_up_to_the_number_of_workers() -> None:
    async with open_pool(workers=2) as pool:
        results = await asyncio.gather(*(give(pool, "work") for _ in range(8)))
    assert len({result.files[0].packages[0].version for result in results}) == 2


async def test_a_second_look_streams_again() -> None:
    tar = make_tar([Entry("far/away", b"one\n"), Entry("filler", bytes(2_000_000)), Entry("var/lib/db/status", b"", b"1", "far/away")])
    calls = []

    def stream() -> AsyncIterator[bytes]:
        calls.append(1)
        return streamed(lambda: cut(tar))()

    async with open_pool() as pool:
        result = await pool.scan(describe(tar, tar), stream)
    assert [(file.path, file.packages[0].name) for file in result.files] == [("var/lib/db/status", "one")]
    assert len(calls) == 2


async def test_a_child_survives_every_hostile_layer() -> None:
    async with open_pool() as pool:
        before = await worker_of(pool)
        for kind, make in (REFUSED | GAPS | HARMLESS).items():
            blob = make()
            try:
                await pool.scan(describe(blob), streamed(lambda: cut(blob)))  # noqa: B023 # called at once
            except InputError:
                assert kind in REFUSED
            else:
                assert kind not in REFUSED
        assert await worker_of(pool) == before
        assert largest_size(before) < RESIDENT_KIB


async def test_ten_gigabytes_of_zeros_are_refused_early_and_in_little_memory() -> None:
    layer, sent = describe_chunks(bomb()), []

    async def stream() -> AsyncIterator[bytes]:
        for chunk in bomb():
            sent.append(len(chunk))
            yield chunk

    async with open_pool() as pool:
        process = await worker_of(pool)
        with pytest.raises(LimitExceeded, match="decompression bomb"):
            await pool.scan(layer, stream)
        assert await worker_of(pool) == process
        assert largest_size(process) < RESIDENT_KIB
    assert sum(sent) < layer.descriptor.size / 2


async def test_a_million_entries_are_read_in_little_memory() -> None:
    layer = describe_chunks(many_entries(1_000_000))
    async with open_pool() as pool:
        process = await worker_of(pool)
        result = await pool.scan(layer, streamed(lambda: many_entries(1_000_000)))
        assert largest_size(process) < RESIDENT_KIB
    assert result.entries == 1_000_000
    assert result.regular.count("\0") == 1_000_000


async def test_errors_keep_their_type_and_message() -> None:
    layer, blob = order("work")
    async with open_pool() as pool:
        with pytest.raises(DigestMismatch, match="diff-id"):
            await pool.scan(replace(layer, diff_id=layer.descriptor.digest), streamed(lambda: cut(blob)))
        broken = blob[:-9]
        with pytest.raises(InvalidLayer, match="gzip stream is broken"):
            await pool.scan(describe(broken), streamed(lambda: cut(broken)))


async def test_a_parser_that_spins_is_ended_by_the_kernel() -> None:
    limits = LayerLimits(stream=StreamLimits(cpu_seconds=0.5))
    async with open_pool(limits) as pool:
        with pytest.raises(LimitExceeded, match="CPU time"):
            await give(pool, "spin")
        assert (await give(pool, "work")).gaps == ()


async def test_a_parser_that_sleeps_is_ended_by_the_clock() -> None:
    async with open_pool(LayerLimits(wait_seconds=1.0)) as pool:
        with pytest.raises(LimitExceeded, match="more than 1 s"):
            await give(pool, "sleep")
        assert (await give(pool, "work")).gaps == ()


async def test_a_parser_that_eats_memory_meets_its_limit() -> None:
    async with open_pool(LayerLimits(memory_bytes=256 * 1024**2)) as pool:
        with pytest.raises(LimitExceeded, match="bytes of memory"):
            await give(pool, "eat")
        assert (await give(pool, "work")).gaps == ()


async def test_a_child_that_dies_is_replaced() -> None:
    async with open_pool() as pool:
        before = await worker_of(pool)
        with pytest.raises(UnavailableError, match="status -9"):
            await give(pool, "die")
        assert await worker_of(pool) != before


async def test_a_child_that_died_while_idle_is_replaced_unnoticed() -> None:
    async with open_pool() as pool:
        os.kill(await worker_of(pool), signal.SIGKILL)
        await asyncio.sleep(0.5)  # until the loop has heard of it
        assert (await give(pool, "work")).gaps == ()


@pytest.mark.parametrize(
    "error", [RegistryUnavailable("503"), TimeoutError("503"), BrokenPipeError("503"), asyncio.IncompleteReadError(b"503", 9)]
)
async def test_a_stream_that_fails_passes_its_error_on(error: Exception) -> None:
    layer, blob = order("work")

    async def stream() -> AsyncIterator[bytes]:
        yield blob[:10]
        raise error

    async with open_pool() as pool:
        with pytest.raises(type(error)):
            await pool.scan(layer, stream)
        assert (await give(pool, "work")).gaps == ()


async def test_a_cancelled_scan_ends_its_child_and_its_stream() -> None:
    closed = []

    async def stream() -> AsyncIterator[bytes]:
        try:
            yield b"\x1f\x8b"
            await asyncio.sleep(600)
        finally:
            closed.append(True)

    async with open_pool() as pool:
        before = await worker_of(pool)
        scan = asyncio.create_task(pool.scan(order("work")[0], stream))
        await asyncio.sleep(0.1)
        scan.cancel()
        with pytest.raises(asyncio.CancelledError):
            await scan
        assert closed
        assert not is_alive(before)
        assert await worker_of(pool) != before


async def test_a_slow_child_slows_the_stream_down() -> None:
    sent = []

    async def stream() -> AsyncIterator[bytes]:
        for chunk in cut(tar, 1024**2):
            sent.append(len(chunk))
            yield chunk

    tar = make_tar([Entry("orders", b"sleep"), Entry("filler", bytes(60 * 1024**2))])
    async with open_pool(LayerLimits(wait_seconds=1.0)) as pool:
        with pytest.raises(LimitExceeded):
            await pool.scan(describe(tar), stream)
    assert sum(sent) < 30 * 1024**2


async def test_time_spent_waiting_for_the_stream_is_not_the_layers_fault() -> None:
    layer, blob = order("work")

    async def stream() -> AsyncIterator[bytes]:
        yield blob[:10]
        await asyncio.sleep(1.5)
        yield blob[10:]

    async with open_pool(LayerLimits(wait_seconds=1.0)) as pool:
        assert (await pool.scan(layer, stream)).gaps == ()


async def test_a_parser_can_write_no_file_and_prints_among_no_answers() -> None:
    async with open_pool() as pool:
        assert [gap.reason for gap in (await give(pool, "write")).gaps] == ["orders: internal error OSError"]
        assert (await give(pool, "print")).gaps == ()


async def test_a_child_knows_nothing_of_the_parents_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRATIQUE_SECRET", "hush")
    async with open_pool() as pool:
        inherited = (await give(pool, "environment")).files[0].packages[0].name
    assert "PRATIQUE_SECRET" not in inherited


async def test_a_closed_pool_has_no_children_and_takes_no_layers() -> None:
    pool = open_pool()
    child = await worker_of(pool)
    await pool.close()
    assert not is_alive(child)
    with pytest.raises(UnavailableError, match="closed"):
        await give(pool, "work")
    await pool.close()


async def test_a_child_dies_with_its_parent() -> None:
    program = (
        "import asyncio, os, sys\n"
        "from tests.unit.runtime.test_layer_pool import open_pool, worker_of\n"
        "async def main():\n"
        "    pool = open_pool()\n"
        "    print(await worker_of(pool), flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE)
    output, _ = await parent.communicate()
    for _ in range(100):
        if not is_alive(int(output)):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"process {int(output)} outlived its parent by 5 s")
