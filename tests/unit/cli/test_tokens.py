"""`pratique tokens` and `pratique queue`, on an embedded database."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from pratique.messages import QUEUES
from pratique.storage.engine import Database
from pratique.storage.tokens import hash_token, load_token_by_hash
from pratique_services.cli import main


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    url = f"sqlite+aiosqlite:///{tmp_path / 'pratique.sqlite'}"
    for name in ("PRATIQUE_CONFIG", "PRATIQUE_BROKER_URL", "PRATIQUE_LISTEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PRATIQUE_DATABASE_URL", url)
    return url


@pytest.fixture
def migrated(database: str) -> str:
    from pratique.storage.migrations import migrate

    asyncio.run(migrate(database))
    return database


def test_a_token_is_shown_once_and_only_its_hash_is_kept(migrated: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tokens", "create", "ci", "--scope", "read", "--scope", "scan"]) == 0
    token = capsys.readouterr().out.strip()
    assert token.startswith("prq_")
    assert main(["tokens", "list"]) == 0
    [line] = capsys.readouterr().out.splitlines()
    assert "ci" in line
    assert "read,scan" in line
    assert token not in line
    identifier = line.split()[0]

    async def is_revoked() -> bool:
        database = Database(migrated)
        try:
            async with database.reading() as session:
                row = await load_token_by_hash(session, hash_token(token))
                assert row is not None
                return row.revoked_at is not None
        finally:
            await database.close()

    assert not asyncio.run(is_revoked())
    assert main(["tokens", "revoke", identifier]) == 0
    assert asyncio.run(is_revoked())
    assert main(["tokens", "revoke", identifier]) == 3
    assert "revoked already" in capsys.readouterr().err


@pytest.mark.parametrize("days", ["0", "-1", "999999999"])
def test_a_token_lives_for_a_sensible_time(migrated: str, days: str) -> None:
    assert migrated
    assert main(["tokens", "create", "ci", "--scope", "read", "--days", days]) == 2


def test_without_tables_the_advice_is_to_migrate(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert database
    assert main(["tokens", "list"]) == 2
    assert "pratique migrate" in capsys.readouterr().err


def test_all_queues_are_listed_and_an_unknown_one_is_named(migrated: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert migrated
    assert main(["queue", "list", "--format", "json"]) == 0
    assert [queue["queue"] for queue in json.loads(capsys.readouterr().out)] == list(QUEUES)
    assert main(["queue", "list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(QUEUES)
    assert main(["queue", "replay", QUEUES[0]]) == 0
    assert "0 messages put back" in capsys.readouterr().out
    assert main(["queue", "replay", "nosuchqueue"]) == 2
    assert QUEUES[0] in capsys.readouterr().err
