"""The servers that other tests build on: they start, survive a stop and a kill with their data, and tell what they were asked."""

from __future__ import annotations

import asyncio
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path

import aio_pika
import asyncpg
import pytest

from tests.support.images import debian_files, debian_rootfs, make_image, make_layer, push
from tests.support.servers import DockerRegistry, PostgreSQL, RabbitMQ


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_postgresql_keeps_its_data_when_it_is_started_again(servers_folder: Path, end: str) -> None:
    with PostgreSQL(servers_folder / f"postgresql-{end}") as server:
        url = server.create_database()
        connection = await asyncpg.connect(url)
        await connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
        await connection.close(timeout=5)
        getattr(server, end)()
        server.start()
        connection = await asyncpg.connect(url)
        assert await connection.fetchval("SELECT number FROM kept") == 7
        await connection.close(timeout=5)


async def test_databases_of_two_tests_are_apart(postgres: PostgreSQL) -> None:
    first = await asyncpg.connect(postgres.create_database())
    second = await asyncpg.connect(postgres.create_database())
    await first.execute("CREATE TABLE mine (number int)")
    await second.execute("CREATE TABLE mine (number int)")
    await first.close(timeout=5)
    await second.close(timeout=5)


async def test_rabbitmq_keeps_durable_messages_when_it_is_killed(rabbitmq: RabbitMQ) -> None:
    url = rabbitmq.create_vhost()
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.declare_queue("kept", durable=True)
        message = aio_pika.Message(b"word", delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, "kept")
    await asyncio.sleep(rabbitmq.late_write_seconds)
    rabbitmq.kill()
    rabbitmq.start()
    async with await aio_pika.connect(url) as connection:
        queue = await (await connection.channel()).get_queue("kept")
        found = await queue.get(timeout=10)
        assert found is not None
        assert found.body == b"word"
        await found.ack()


async def test_rabbitmq_forgets_nothing_in_an_orderly_restart(rabbitmq: RabbitMQ) -> None:
    url = rabbitmq.create_vhost()
    async with await aio_pika.connect(url) as connection:
        await (await connection.channel()).declare_queue("kept", durable=True)
    rabbitmq.restart()
    async with await aio_pika.connect(url) as connection:
        await (await connection.channel()).get_queue("kept")


def test_a_registry_tells_what_it_was_asked_and_keeps_images(docker_registry: Callable[..., DockerRegistry], tmp_path: Path) -> None:
    registry = docker_registry()
    image = make_image(tmp_path, [make_layer(debian_files({"zlib1g": "1:1.2.11.dfsg-2+deb11u1"}))])
    push(image, f"{registry.host}/team-a/app:v1")
    registry.restart()
    registry.clear()
    address = f"/v2/team-a/app/blobs/{image.layers[0]}"
    with urllib.request.urlopen(f"{registry.url}{address}", timeout=5) as answer:
        assert answer.read() == make_layer(debian_files({"zlib1g": "1:1.2.11.dfsg-2+deb11u1"}))
    assert registry.requests() == [("GET", address, 200)]
    registry.stop()


def test_a_debian_root_is_a_whole_system() -> None:
    listing = subprocess.run(["tar", "-tf", debian_rootfs()], check=True, capture_output=True, text=True, timeout=60).stdout.splitlines()
    assert "./var/lib/dpkg/status" in listing
