"""The JSON form of a file account: in reports, and in the database, from which later reports take it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pratique.inventory.file_account import FileAccount, FileState, UnknownExecutable


def account_document(account: FileAccount) -> Mapping[str, Any]:
    """Build the part of an entry of `files` that says how many files are known, and which executables are not."""
    return {
        "total": account.total,
        "compared": account.is_compared,
        "counts": {str(state): count for state, count in account.counts.items()},
        "unknown_executables": {
            "count": account.unknown_executable_count,
            "listed": [
                {"path": one.path, "layer": one.layer, "size": one.size, "entry_point": one.is_entry} for one in account.unknown_executables
            ],
        },
    }


def read_account(document: Mapping[str, Any]) -> FileAccount:
    """Read what `account_document` built."""
    executables = document["unknown_executables"]
    return FileAccount(
        counts={FileState(state): count for state, count in document["counts"].items()},
        is_compared=document["compared"],
        unknown_executables=tuple(
            UnknownExecutable(path=one["path"], layer=one["layer"], size=one["size"], is_entry=one["entry_point"])
            for one in executables["listed"]
        ),
        unknown_executable_count=executables["count"],
    )
