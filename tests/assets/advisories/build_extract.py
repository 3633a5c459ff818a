"""Builds the extract of real advisories that the demo and the tests use, out of a mirror of OSV's bucket: `build_extract.py MIRROR`.

The same mirror gives the same bytes. ORIGIN.md beside the result names the sources.
"""

import json
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

TARGET = Path(__file__).parents[3] / "services/pratique_services/demo/assets/osv"
PACKAGES = {
    "PyPI": "aiohttp certifi cryptography django duckdb flask jinja2 langchain lxml paramiko pillow pyyaml requests searchor sqlalchemy urllib3 werkzeug",
    "npm": "axios handlebars jquery lodash moment next serve fastify underscore dompurify vue",
    "Alpine": "apk-tools busybox ca-certificates curl expat libxml2 musl openssh openssl sqlite zlib",
    "Debian": "apt bash cryptsetup curl dbus dpkg expat glibc gnupg2 gnutls28 gzip krb5 libgcrypt20 libtirpc libxml2 libzstd lz4 ncurses openldap openssl"
    " p11-kit perl python-django pillow shadow sudo systemd tar util-linux xz-utils zlib",
}
RELEASES = {"Alpine": {"Alpine:v3.10", "Alpine:v3.11"}, "Debian": {"Debian:10", "Debian:11"}}
HINTS = ("Bitnami", "crates.io")  # only records that rate a CVE of the packages above


def read(mirror: Path, ecosystem: str) -> Iterator[dict]:
    with zipfile.ZipFile(mirror / ecosystem / "all.zip") as archive:
        for name in sorted(archive.namelist()):
            if name.endswith(".json"):
                yield json.loads(archive.read(name))


def cut(record: dict, ecosystem: str) -> dict | None:
    """Keep the entries of the chosen packages and releases; None if none is left."""
    wanted = set(PACKAGES[ecosystem].split())
    releases = RELEASES.get(ecosystem, {ecosystem})
    entries = [
        entry
        for entry in record.get("affected", [])
        if entry["package"]["name"].lower() in wanted and entry["package"]["ecosystem"] in releases
    ]
    if ecosystem == "PyPI" and not record["id"].startswith("PYSEC-"):
        return None
    return {**record, "affected": entries} if entries else None


def cves(record: dict) -> set[str]:
    names = {record["id"], *record.get("aliases", ()), *record.get("upstream", ())}
    return {name for name in names if name.startswith("CVE-")}


def write(ecosystem: str, records: list[dict]) -> None:
    folder = TARGET / ecosystem
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / "all.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for record in records:
            entry = zipfile.ZipInfo(f"{record['id']}.json", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, json.dumps(record, ensure_ascii=False, separators=(",", ":")))
    print(f"{ecosystem}: {len(records)} records, {(folder / 'all.zip').stat().st_size} bytes")


def main() -> None:
    mirror = Path(sys.argv[1])
    wanted: set[str] = set()
    for ecosystem in PACKAGES:
        records = [kept for record in read(mirror, ecosystem) if (kept := cut(record, ecosystem))]
        wanted |= {name for record in records for name in cves(record)}
        write(ecosystem, records)
    for ecosystem in HINTS:
        write(ecosystem, [record for record in read(mirror, ecosystem) if len(cves(record)) == 1 and cves(record) <= wanted])


if __name__ == "__main__":
    main()
