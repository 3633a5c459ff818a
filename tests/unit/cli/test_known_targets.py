"""What was in a target, kept under its digest."""

import argparse
import hashlib
import os
import zlib
from pathlib import Path

import msgspec
import pytest

from pratique.inventory.analyzers import results_key
from pratique.inventory.coverage import Coverage, CoverageItem, CoverageStatus
from pratique.inventory.file_account import FileAccount, FileState, UnknownExecutable
from pratique.inventory.package import Distribution, InstalledPackage, Package
from pratique.oci.digest import Digest
from pratique.oci.reference import Reference
from pratique.reports.report import ImageFiles
from pratique_services.cli.known_targets import CODE, KnownTargets, open_known_targets
from pratique_services.cli.target_inventory import TargetInventory

ONE, TWO = (Digest.of(content) for content in (b"one", b"two"))
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
TARGET = TargetInventory(
    digest=str(ONE),
    media_type=MANIFEST,
    platform="linux/amd64,linux/arm64",
    distributions=(Distribution(id="debian", version_id="12", ecosystem="Debian:12", path="etc/os-release"),),
    packages=(
        InstalledPackage(package=Package(type="deb", name="a", version="1", qualifiers={"distro": "debian-12"}), paths=("p",), layer="l"),
        InstalledPackage(package=Package(type="pypi", name="b", version="2", licenses=("MIT",)), paths=(), layer=None, owned_by="o"),
    ),
    coverage=Coverage(items=(CoverageItem(name="dpkg", version="2", status=CoverageStatus.PARTIAL, reason="a gap"),)),
    files=(
        ImageFiles(
            digest=str(TWO),
            platform="linux/amd64",
            account=FileAccount(
                counts={FileState.OWNED: 2},
                is_compared=False,
                unknown_executables=(UnknownExecutable(path="x", layer="l", size=3, is_entry=True),),
                unknown_executable_count=1,
            ),
        ),
    ),
    is_whole=True,
)


def options(cache: Path | None, **changed: object) -> argparse.Namespace:
    asked: dict[str, object] = {"target": "registry.example/app:1", "platform": "all", "files": "none", "plain_http": False}
    reached: dict[str, object] = {"decryption_key": [], "foreign_layers": [], "sbom_sources": None}
    return argparse.Namespace(**{"no_cache": False, "cache_dir": cache, **asked, **reached, **changed})


def opened(cache: Path, **changed: object) -> KnownTargets:
    known = open_known_targets(options(cache, **changed))
    assert known is not None
    return known


def stored(cache: Path) -> Path:
    (file,) = cache.rglob("*.inventory")
    return file


def test_what_was_recorded_is_loaded_again(tmp_path: Path) -> None:
    opened(tmp_path).record(TARGET)

    assert opened(tmp_path).load(ONE) == TARGET
    assert opened(tmp_path).load(ONE, MANIFEST) == TARGET
    assert opened(tmp_path).load(TWO) is None


def test_a_document_served_as_something_else_is_not_known(tmp_path: Path) -> None:
    opened(tmp_path).record(TARGET)

    assert opened(tmp_path).load(ONE, "application/vnd.docker.distribution.manifest.v2+json") is None


def test_what_was_not_read_to_its_end_is_not_kept(tmp_path: Path) -> None:
    known = opened(tmp_path)
    known.record(TargetInventory(digest=str(ONE), platform=None, distributions=(), packages=(), coverage=TARGET.coverage))
    known.record(TargetInventory(digest=None, platform=None, distributions=(), packages=(), coverage=TARGET.coverage, is_whole=True))

    assert list(tmp_path.rglob("*.inventory")) == []


@pytest.mark.parametrize("changed", [{"platform": "linux/arm64"}, {"files": "summary"}])
def test_what_other_options_found_is_not_used(tmp_path: Path, changed: dict[str, object]) -> None:
    opened(tmp_path).record(TARGET)

    assert opened(tmp_path, **changed).load(ONE) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"no_cache": True},
        {"files": "all"},
        {"decryption_key": [Path("key.pem")]},
        {"foreign_layers": ["layers.example"]},
        {"sbom_sources": "oci"},
        {"target": "oci:directory"},
        {"target": "docker-archive:file"},
        {"target": "dir:/"},
        {"target": "sbom:file"},
    ],
)
def test_nothing_is_kept_or_used_where_more_than_the_digest_counts(tmp_path: Path, changed: dict[str, object]) -> None:
    assert open_known_targets(options(tmp_path, **changed)) is None


def test_other_analyzers_another_version_and_other_code_know_nothing(tmp_path: Path) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / "merge.py").write_text("A = 1")
    os.utime(code / "merge.py", ns=(1, 1))
    folder = (str(code),)
    asked = options(tmp_path)
    known = open_known_targets(asked, code=folder)
    assert known is not None
    known.record(TARGET)

    def knows(**changed: str) -> bool:
        found = open_known_targets(asked, code=folder, **changed)
        return found is not None and found.load(ONE) is not None

    assert knows()
    assert not knows(analyzers=results_key(compares_contents=False, pass_version=0))
    assert not knows(version="0")
    os.utime(code / "merge.py", ns=(2, 2))
    assert not knows()
    os.utime(code / "merge.py", ns=(1, 1))
    assert knows()
    (code / "merge.py").write_text("A = 12")
    os.utime(code / "merge.py", ns=(1, 1))
    assert not knows()


def test_every_module_of_the_inventory_counts() -> None:
    names = {module.name for directory in CODE for module in Path(directory).glob("*.py")}
    assert {"merge.py", "ownership.py", "file_account.py", "dpkg.py", "_every.py"} <= names


def test_a_damaged_file_counts_as_absent(tmp_path: Path) -> None:
    known = opened(tmp_path)
    known.record(TARGET)
    whole = stored(tmp_path).read_bytes()
    for damaged in (b"", whole[:20], whole[:32], whole[:-1], whole + b"x", b"\0" * 32 + whole[32:], whole[:40] + b"\0" + whole[41:]):
        stored(tmp_path).write_bytes(damaged)
        assert known.load(ONE) is None
    stored(tmp_path).write_bytes(whole)
    assert known.load(ONE) == TARGET


@pytest.mark.parametrize("content", [b"", b"garbage", zlib.compress(b"\xc1"), zlib.compress(msgspec.msgpack.encode({"digest": str(ONE)}))])
def test_a_file_of_something_else_counts_as_absent(tmp_path: Path, content: bytes) -> None:
    known = opened(tmp_path)
    known.record(TARGET)
    stored(tmp_path).write_bytes(hashlib.sha256(content).digest() + content)

    assert known.load(ONE) is None


def test_what_lies_under_the_name_of_another_digest_is_not_used(tmp_path: Path) -> None:
    known = opened(tmp_path)
    known.record(TARGET)
    stored(tmp_path).rename(stored(tmp_path).with_name(f"{TWO.hex}.inventory"))

    assert known.load(TWO) is None


def test_a_registry_is_remembered_to_be_open_for_one_reference_in_one_way(tmp_path: Path) -> None:
    reference = Reference.parse("registry.example/app:1")
    opened(tmp_path).record_open(reference)

    assert opened(tmp_path).is_open(reference)
    assert not opened(tmp_path).is_open(reference.with_tag("2"))
    assert not opened(tmp_path, plain_http=True).is_open(reference)


def test_only_the_user_can_read_it(tmp_path: Path) -> None:
    opened(tmp_path).record(TARGET)

    assert stored(tmp_path).stat().st_mode & 0o777 == 0o600
    assert stored(tmp_path).parent.stat().st_mode & 0o777 == 0o700
