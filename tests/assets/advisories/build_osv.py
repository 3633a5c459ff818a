"""Builds the small mirror of real advisories that the tests of matching read, out of a mirror of OSV's bucket: `build_osv.py MIRROR`.

The same mirror gives the same bytes. Records are copied whole; ORIGIN.md beside the result names the sources.
"""

import json
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

TARGET = Path(__file__).parent / "osv"
PACKAGES = {
    "PyPI": "bleach certifi configobj ecdsa fastapi flask gunicorn httplib2 idna jinja2 mako markdown2 mistune oauthlib pip py pygments pyjwt requests rsa"
    " setuptools sqlparse starlette tqdm urllib3 uvicorn werkzeug wheel",
    "Go": "stdlib golang.org/x/crypto golang.org/x/net golang.org/x/sys golang.org/x/text gopkg.in/yaml.v3 github.com/docker/docker"
    " github.com/opencontainers/runc google.golang.org/grpc google.golang.org/protobuf github.com/gin-gonic/gin github.com/git-lfs/git-lfs"
    " github.com/evanphx/json-patch github.com/dgrijalva/jwt-go github.com/miekg/dns",
    "crates.io": "atty bytes chrono crossbeam-deque crossbeam-utils curve25519-dalek flatbuffers futures-util generic-array h2 hyper idna mio nix openssl"
    " owning_ref quinn-proto rand_core regex remove_dir_all ring rustls rustls-webpki serde_cbor serde_yaml shlex smallvec tar thread_local time tokio"
    " tracing-subscriber webpki zip",
    "AlmaLinux": "bash bind curl expat nodejs openssl perl sudo zlib",
}
PREFIXES = {"AlmaLinux": "ALSA-"}  # others are no security updates


def read(mirror: Path, ecosystem: str) -> Iterator[dict]:
    with zipfile.ZipFile(mirror / ecosystem / "all.zip") as archive:
        for name in sorted(archive.namelist()):
            if name.endswith(".json"):
                yield json.loads(archive.read(name))


def is_wanted(record: dict, ecosystem: str) -> bool:
    names = {entry["package"]["name"].lower() for entry in record.get("affected", ())}
    return not names.isdisjoint(PACKAGES[ecosystem].lower().split()) and record["id"].startswith(PREFIXES.get(ecosystem, ""))


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
    for ecosystem in PACKAGES:
        write(ecosystem, [record for record in read(Path(sys.argv[1]), ecosystem) if is_wanted(record, ecosystem)])


if __name__ == "__main__":
    main()
