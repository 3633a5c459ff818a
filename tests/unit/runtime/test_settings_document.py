"""docs/settings.md names every setting there is, and no other."""

import re
from pathlib import Path

import msgspec

from pratique.runtime.settings import Settings

DOCUMENT = Path(__file__).parents[3] / "docs" / "settings.md"


def field_names(kind: type[msgspec.Struct]) -> set[str]:
    names = set()
    for field in msgspec.structs.fields(kind):
        names.add(field.name)
        for part in [field.type, *getattr(field.type, "__args__", ())]:
            if isinstance(part, type) and issubclass(part, msgspec.Struct):
                names |= field_names(part)
    return names


def test_every_setting_is_explained() -> None:
    quoted = set(re.findall(r"`([a-z_.]+)`", DOCUMENT.read_text()))
    assert field_names(Settings) - {name.rpartition(".")[2] for name in quoted} == set()


def test_no_setting_is_explained_that_does_not_exist() -> None:
    rows = [line.split("|")[1] for line in DOCUMENT.read_text().splitlines() if line.startswith("| `")]
    explained = {name.rpartition(".")[2] for row in rows for name in re.findall(r"`([a-z_.]+)`", row)}
    assert len(rows) > 30
    assert explained <= field_names(Settings)
