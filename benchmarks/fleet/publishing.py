"""Two advisory databases about the universe's software, compiled from invented records in OSV's form: what the fleet was matched with, and what comes next.

1. The old one has RECORDS records: popular software has more, most say that a version fixes it, and that came out a while ago.
2. The new one differs by CHANGES records: 70 % are new, 20 % say another severity or a fix that they did not before, 10 % are withdrawn. New ones are about software chosen
   evenly by name, changed and withdrawn ones evenly among those with records. EXPLOITED CVEs are newly in the catalogue of known exploited ones.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import random
import shutil
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.fleet.universe import LANGUAGES, SYSTEMS, Software, pools, popular, spell
from pratique.advisories.compiler import compile_database
from pratique.advisories.schema import SCHEMA_VERSION

RECORDS = 36_000
CHANGES = 1_000
EXPLOITED = 5
_KNOWN_EXPLOITED = 150
_MAKERS = ("publishing", "universe")
_SEED = 4_242
_MODIFIED = "2025-08-25T00:00:00Z"
_VECTORS = {
    "critical": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
    "high": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H",
    "medium": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:L/I:N/A:N",
    "low": "CVSS:3.1/AV:L/AC:H/PR:L/UI:N/S:U/C:L/I:N/A:N",
    "": "",
}
_RECENT = {
    "critical": 0.02,
    "high": 0.04,
}  # the shares that were fixed when the fleet was there already; 0.17 of those that are less severe
_SHARES = {"critical": 6, "high": 30, "medium": 45, "low": 14, "": 5}


@dataclass(frozen=True, slots=True)
class Invented:
    """A record: its number, the software it is about, the numbers of the versions that it begins and ends with (`fixed` None: no fix yet)."""

    number: int
    software: Software
    introduced: int
    fixed: int | None
    severity: str
    is_withdrawn: bool = False

    @property
    def cve(self) -> str:
        return f"CVE-2024-{10_000 + self.number}"


@dataclass(frozen=True, slots=True)
class Databases:
    """The compiled files, and how many records differ between them in which way."""

    old: Path
    new: Path
    changes: Mapping[str, int]


def prepare_databases(cache: Path) -> Databases:
    """Give the databases; compiled when the folder `cache` has none."""
    sources = b"".join(Path(__file__).with_name(f"{name}.py").read_bytes() for name in _MAKERS)
    folder = cache / f"advisories-{SCHEMA_VERSION}-{hashlib.sha256(sources).hexdigest()[:12]}"
    if not (folder / "changes.json").exists():
        print("compiling advisories", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        chance = random.Random(_SEED)
        records = [_invent_old(number, chance) for number in range(RECORDS)]
        newer, changes = _change(records, chance)
        exploited = [record.cve for record in chance.sample(records, _KNOWN_EXPLOITED + EXPLOITED)]
        _compile(records, exploited[EXPLOITED:], folder / "old.sqlite")
        _compile(newer, exploited, folder / "new.sqlite")
        (folder / "changes.json").write_text(json.dumps({**changes, "exploited": EXPLOITED}))
    return Databases(folder / "old.sqlite", folder / "new.sqlite", json.loads((folder / "changes.json").read_text()))


def _invent_old(number: int, chance: random.Random) -> Invented:
    """Most weaknesses were fixed before the oldest image was built, the worse ones first; what has no fix is hardly ever critical."""
    pool = _choose_pool(chance)
    software = popular(chance, pool) if chance.random() < 0.2 else chance.choice(pool)
    record = _invent(number, software, chance.random() * 0.9, chance, is_fixed=True)
    luck = chance.random()
    if luck < _RECENT.get(record.severity, 0.17):
        return record
    return replace(record, introduced=0, fixed=None if luck > 0.92 and record.severity not in _RECENT else 0)


def _invent(number: int, software: Software, time: float, chance: random.Random, *, is_fixed: bool) -> Invented:
    newest = software.version_at(time)
    introduced = 0 if chance.random() < 0.5 else max(0, newest - chance.randrange(8))
    (severity,) = chance.choices(list(_SHARES), list(_SHARES.values()))
    return Invented(number, software, introduced, newest + 1 if is_fixed else None, severity)


def _choose_pool(chance: random.Random) -> Sequence[Software]:
    """Distributions publish half of all records."""
    named = pools()
    languages = list(LANGUAGES)
    others = [name for name in named if name not in LANGUAGES]
    return named[chance.choice(others if chance.random() < 0.5 else languages)]


def _change(records: Sequence[Invented], chance: random.Random) -> tuple[list[Invented], Mapping[str, int]]:
    new, changed, withdrawn = CHANGES * 70 // 100, CHANGES * 20 // 100, CHANGES * 10 // 100
    newer = {record.number: record for record in records}
    by_software: dict[tuple[str, str], list[Invented]] = defaultdict(list)
    for record in records:
        by_software[record.software.pool, record.software.name].append(record)
    chosen = [
        chance.choice(found)
        for found in chance.sample(sorted(by_software.values(), key=lambda found: found[0].number), changed + withdrawn)
    ]
    for place, record in enumerate(chosen):
        newer[record.number] = _changed(record, chance) if place < changed else replace(record, is_withdrawn=True)
    names = [software for pool in pools().values() for software in pool]
    for number, software in enumerate(chance.sample(names, new), start=len(records)):
        newer[number] = _invent(number, software, 1.0, chance, is_fixed=chance.random() < 0.7)
    return list(newer.values()), {"new": new, "changed": changed, "withdrawn": withdrawn}


def _changed(record: Invented, chance: random.Random) -> Invented:
    if record.fixed is None:
        return replace(record, fixed=record.software.version_at(1.0) + 1)
    return replace(record, severity=chance.choice([severity for severity in _VECTORS if severity not in {record.severity, ""}]))


def _compile(records: Iterable[Invented], exploited: Iterable[str], target: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        mirror = Path(folder)
        _write_mirror(mirror, records)
        _write_exploitation(mirror, records, exploited)
        compile_database(mirror, target)


def _write_mirror(mirror: Path, records: Iterable[Invented]) -> None:
    by_base: dict[str, list[Invented]] = defaultdict(list)
    bases = {namespace: ecosystem.partition(":")[0] for ecosystem, (_, namespace) in SYSTEMS.items()}
    for record in records:
        by_base[bases.get(record.software.pool, record.software.pool)].append(record)
    for base, found in by_base.items():
        (mirror / base).mkdir()
        with zipfile.ZipFile(mirror / base / "all.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for record in found:
                archive.writestr(f"{_identifier(base, record)}.json", json.dumps(_spell_record(base, record)))


def _identifier(base: str, record: Invented) -> str:
    if base in {"Debian", "Alpine"}:
        return f"{base.upper()}-{record.cve}"
    return f"ALSA-2024:{record.number}" if base == "AlmaLinux" else f"GHSA-{record.number:08d}-aaaa"


def _spell_record(base: str, record: Invented) -> dict[str, Any]:
    vector = _VECTORS[record.severity]
    return {
        "id": _identifier(base, record),
        "modified": _MODIFIED,
        **({"withdrawn": _MODIFIED} if record.is_withdrawn else {}),
        "aliases": [record.cve],
        "summary": f"An invented weakness in {record.software.name}, number {record.number}",
        "severity": [{"type": "CVSS_V3", "score": vector}] if vector else [],
        "references": [{"type": "WEB", "url": f"https://advisories.example/{record.number}/{place}"} for place in range(3)],
        "affected": list(_affected(record)),
    }


def _affected(record: Invented) -> Iterator[dict[str, Any]]:
    software = record.software
    ecosystems = [name for name, (_, namespace) in SYSTEMS.items() if namespace == software.pool] or [software.pool]
    for ecosystem in ecosystems:
        introduced = spell(ecosystem, record.introduced).removeprefix("v") if record.introduced else "0"
        events = [{"introduced": introduced}]
        if record.fixed is not None:
            events.append({"fixed": spell(ecosystem, record.fixed).removeprefix("v")})
        kind = "SEMVER" if ecosystem in {"npm", "Go"} else "ECOSYSTEM"
        yield {"package": {"ecosystem": ecosystem, "name": software.name}, "ranges": [{"type": kind, "events": events}]}


def _write_exploitation(mirror: Path, records: Iterable[Invented], exploited: Iterable[str]) -> None:
    entries = [{"cveID": cve, "dateAdded": "2025-08-25", "knownRansomwareCampaignUse": "Unknown"} for cve in exploited]
    (mirror / "kev.json").write_text(json.dumps({"dateReleased": _MODIFIED, "vulnerabilities": entries}))
    with gzip.open(mirror / "epss.csv.gz", "wt", newline="") as file:
        file.write(f"#model_version:v2025.03.14,score_date:{_MODIFIED}\n")
        rows = csv.writer(file)
        rows.writerow(("cve", "epss", "percentile"))
        for record in records:
            chance = random.Random(record.number)  # the same in both databases
            rows.writerow((record.cve, f"{chance.random() ** 8:.5f}", f"{chance.random():.5f}"))
