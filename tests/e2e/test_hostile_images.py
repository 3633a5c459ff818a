"""Hostile images end in `incomplete` for a reason that names what is wrong, never in a crash or a pass: from disk, and pushed to a registry."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.deployment import Deployment
from tests.support.hostile_images import COSTLY, DOCUMENTS, GOOD, LAYERS, Hostile, RawLayout
from tests.support.hostile_pushes import PUSHABLE, push_raw
from tests.support.images import make_image, push
from tests.support.scans import Scan, scan
from tests.support.servers import DockerRegistry

CASES = LAYERS | DOCUMENTS
MAX_SECONDS = 30
MAX_BYTES = 600 * 1024**2


def assert_bounded(done: Scan) -> None:
    assert "Traceback" not in done.errors
    assert done.seconds < MAX_SECONDS
    assert done.peak_bytes < MAX_BYTES


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_image_is_incomplete_for_a_reason_that_names_what_is_wrong(name: str, tmp_path: Path, advisories: Path) -> None:
    case = CASES[name]

    done = scan(case.write(tmp_path), advisories, "--fail-on", "critical")

    assert_bounded(done)
    assert done.code == 3, done
    assert done.report["verdict"]["status"] == "incomplete"
    assert done.report["coverage"]["status"] in {"partial", "failed"}
    assert re.search(case.word, done.reasons), done.reasons
    reasons = [reason["message"] for reason in done.report["verdict"]["reasons"] if reason["rule"] == "coverage"]
    assert any(re.search(case.word, reason) for reason in reasons), reasons


def test_what_hostile_images_are_made_of_passes_by_itself(tmp_path: Path, advisories: Path) -> None:
    image = Hostile("", lambda layout: layout.image(layout.good))

    done = scan(image.write(tmp_path), advisories, "--fail-on", "critical")

    assert (done.code, done.report["verdict"]["status"], done.reasons) == (0, "pass", "")


def test_an_image_that_is_not_there_is_a_usage_error_and_no_verdict(tmp_path: Path, advisories: Path) -> None:
    target = Hostile("", lambda layout: layout.image(layout.good)).write(tmp_path)

    done = scan(f"{target}:no-such-tag", advisories, "--fail-on", "critical")

    assert (done.code, done.output) == (2, "")
    assert "no-such-tag" in done.errors


@pytest.mark.parametrize("name", COSTLY)
def test_an_image_that_takes_work_is_read_whole_within_bounds(name: str, tmp_path: Path, advisories: Path) -> None:
    layout = RawLayout(tmp_path)
    layout.finish(COSTLY[name](layout))

    done = scan(f"oci:{tmp_path}", advisories, "--fail-on", "critical")

    assert_bounded(done)
    assert (done.code, done.reasons) == (0, "")
    assert {package["name"] for package in done.report["packages"]} == {"bash", "zlib1g"}


@pytest.mark.timeout(240)
@pytest.mark.parametrize("kind", ["servers", "embedded"])
def test_hostile_pushes_are_held_and_stop_nothing(
    kind: str, deploy: Callable[..., Deployment], docker_registry: Callable[..., DockerRegistry], tmp_path: Path
) -> None:
    pratique = deploy(kind)
    registry = docker_registry(**pratique.webhook)
    pratique.configure(registry).start_all()
    pushed = {}
    for name, case in PUSHABLE.items():
        folder = tmp_path / re.sub(r"\W+", "-", name)
        case.write(folder)
        pushed[name] = f"{registry.host}/hostile/{folder.name.lower()}:1"
        push_raw(folder, pushed[name])

    with ThreadPoolExecutor(4) as pool:
        states = dict(zip(pushed, pool.map(pratique.status, pushed.values()), strict=True))
    for name, (code, document) in states.items():
        assert (code, document["decision"]["verdict"]["status"]) == (3, "incomplete"), (name, document)
        reasons = [reason["message"] for reason in document["decision"]["verdict"]["reasons"]]
        assert any(re.search(PUSHABLE[name].word, reason) for reason in reasons), (name, reasons)
        outcomes = {action["kind"]: action["outcome"] for action in document["actions"]}
        assert outcomes.keys().isdisjoint({"sign", "promote"}), name
        assert set(outcomes.values()) == {"done"}, (name, document["actions"])
        assert signed_or_promoted(registry, pushed[name], document["digest"]) == set(), name

    clean = make_image(tmp_path / "clean", [GOOD])
    push(clean, f"{registry.host}/clean/app:1")
    code, document = pratique.status(f"{registry.host}/clean/app:1")
    assert (code, document["decision"]["verdict"]["status"]) == (0, "pass"), document
    assert signed_or_promoted(registry, f"{registry.host}/clean/app:1", clean.digest) == {"promoted", "signed"}
    assert {name: process.poll() for name, process in pratique.processes.items()} == dict.fromkeys(pratique.processes)
    listed = pratique.run("queue", "list").stdout.splitlines()
    assert all(line.endswith(" 0 dead") for line in listed), listed


def signed_or_promoted(registry: DockerRegistry, reference: str, digest: str) -> set[str]:
    """What the registry says of an image: whether it has a promoted tag and the tag of a signature."""
    repository = reference.partition("/")[2].rpartition(":")[0]
    tags = {"promoted": "1-cleared", "signed": f"{digest.replace(':', '-')}.sig"}
    return {state for state, tag in tags.items() if has_tag(registry, repository, tag)}


def has_tag(registry: DockerRegistry, repository: str, tag: str) -> bool:
    accept = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json"
    request = urllib.request.Request(f"{registry.url}/v2/{repository}/manifests/{tag}", headers={"Accept": accept}, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=5):
            return True
    except urllib.error.HTTPError as error:
        if error.code != 404:
            raise
        return False
