"""CSAF documents, whoever publishes them."""

import copy
import json
import time
from pathlib import Path
from typing import Any

import pytest

from pratique.advisories.advisory import Advisory, FixState
from pratique.advisories.sources import SourceLimits
from pratique.advisories.sources.csaf import parse_csaf
from pratique.advisories.sources.redhat_vex import DIALECT, SOURCE
from pratique.errors import InvalidAdvisory, LimitExceeded
from tests.support.vendor_feeds import compress, pack_tar, read_feed, said, write_feed

_PLATFORM = "BaseOS-9"
_CPE = "cpe:/o:redhat:enterprise_linux:9::baseos"
_ECOSYSTEM = "Red Hat:enterprise_linux:9::baseos"


def _leaf(product_id: str, **helper: str) -> dict[str, Any]:
    return {
        "category": "product",
        "name": product_id,
        "product": {"name": product_id, "product_id": product_id, "product_identification_helper": helper},
    }


def _relation(package: str, platform: str = _PLATFORM, name: str = "") -> dict[str, Any]:
    return {
        "category": "default_component_of",
        "full_product_name": {"name": "x", "product_id": name or f"{platform}:{package}"},
        "product_reference": package,
        "relates_to_product_reference": platform,
    }


def _document(packages: dict[str, str], **flaw: Any) -> dict[str, Any]:
    """A document about packages (id to URL) on one platform."""
    return {
        "document": {"category": "csaf_vex", "tracking": {"id": "CVE-2024-1000", "current_release_date": "2024-05-06T07:08:09+02:00"}},
        "product_tree": {
            "branches": [{"branches": [_leaf(_PLATFORM, cpe=_CPE), *(_leaf(name, purl=purl) for name, purl in packages.items())]}],
            "relationships": [_relation(name) for name in packages],
        },
        "vulnerabilities": [{"cve": "CVE-2024-1000", **flaw}],
    }


def _parse(document: object) -> Advisory:
    advisory, _ = parse_csaf(json.dumps(document).encode(), DIALECT)
    assert advisory is not None
    return advisory


def _status(**status: list[str]) -> dict[str, Any]:
    return {"product_status": {kind: [f"{_PLATFORM}:{name}" for name in names] for kind, names in status.items()}}


def test_of_several_fixes_the_highest_counts() -> None:
    versions = ("1.2-3.el9", "1.10-1.el9", "1.9-1.el9")
    packages = {f"a-{version}": f"pkg:rpm/redhat/a@{version}?arch=x86_64" for version in versions}
    assert said(_parse(_document(packages, **_status(fixed=list(packages)))).affected) == [
        (_ECOSYSTEM, "a", "1.10-1.el9", FixState.AFFECTED, "")
    ]


def test_architectures_are_named_only_where_their_fixes_differ() -> None:
    packages = {
        "a1": "pkg:rpm/redhat/a@1-1?arch=x86_64",
        "a2": "pkg:rpm/redhat/a@1-2?arch=aarch64",
        "a3": "pkg:rpm/redhat/a@1-2?arch=s390x",
        "b1": "pkg:rpm/redhat/b@1-1?arch=x86_64",
    }
    affected = _parse(_document(packages, **_status(fixed=list(packages)))).affected
    found = [(entry.name, entry.ranges[0][1].version, entry.architectures) for entry in affected]
    assert found == [("a", "1-1", ("x86_64",)), ("a", "1-2", ("aarch64", "s390x")), ("b", "1-1", ())]


def test_a_fix_counts_before_affected_and_that_before_not_affected() -> None:
    packages = {"a-1": "pkg:rpm/redhat/a@1-1", "a": "pkg:rpm/redhat/a", "b": "pkg:rpm/redhat/b", "c": "pkg:rpm/redhat/c"}
    status = _status(fixed=["a-1"], known_affected=["a", "b"], known_not_affected=["a", "b", "c"])
    assert said(_parse(_document(packages, **status)).affected) == [
        (_ECOSYSTEM, "a", "1-1", FixState.AFFECTED, ""),
        (_ECOSYSTEM, "b", "", FixState.AFFECTED, ""),
        (_ECOSYSTEM, "c", "-", FixState.NOT_AFFECTED, ""),
    ]


def test_that_one_build_or_one_source_is_not_affected_says_nothing_of_the_package() -> None:
    packages = {"a-1": "pkg:rpm/redhat/a@1-1?arch=x86_64", "b.src": "pkg:rpm/redhat/b?arch=src", "c": "pkg:rpm/redhat/c"}
    affected = _parse(_document(packages, **_status(known_not_affected=list(packages)))).affected
    assert [entry.name for entry in affected] == ["c"]


def test_of_several_plans_the_one_that_promises_least_counts() -> None:
    products = [f"{_PLATFORM}:a"]
    remedies = [
        {"category": "none_available", "details": "Fix deferred", "product_ids": products},
        {"category": "no_fix_planned", "details": "Will not fix", "product_ids": products},
        {"category": "none_available", "details": "Affected", "product_ids": products},
    ]
    for order in (remedies, remedies[::-1]):
        document = _document({"a": "pkg:rpm/redhat/a"}, remediations=order, **_status(known_affected=["a"]))
        assert said(_parse(document).affected) == [(_ECOSYSTEM, "a", "", FixState.WILL_NOT_FIX, "Will not fix")]


def test_prose_is_no_note() -> None:
    remedy = {
        "category": "no_fix_planned",
        "details": "We have looked at this for a long time and come to the conclusion that ",
        "product_ids": [f"{_PLATFORM}:a"],
    }
    document = _document({"a": "pkg:rpm/redhat/a"}, remediations=[remedy], **_status(known_affected=["a"]))
    assert _parse(document).affected[0].note == "no_fix_planned"


def test_a_fix_that_is_no_version_leaves_the_package_affected_and_is_a_problem(tmp_path: Path) -> None:
    document = _document({"a": "pkg:rpm/redhat/a@%20?arch=x86_64"}, **_status(fixed=["a"]))
    advisories, problems = read_feed(SOURCE, write_feed(tmp_path, {"a.json": json.dumps(document).encode()}))
    assert said(advisories["REDHAT-CVE-2024-1000"].affected) == [(_ECOSYSTEM, "a", "", FixState.AFFECTED, "fix with no readable version")]
    assert [problem.reason for problem in problems] == ["1 fixed versions cannot be read: taken for not fixed"]


def test_an_update_of_several_flaws_equals_none_of_them() -> None:
    document = _document({"a": "pkg:rpm/redhat/a@1-1"}, **_status(fixed=["a"]))
    document["document"]["tracking"]["id"] = "RHSA-2024:1234"
    document["vulnerabilities"].append({**document["vulnerabilities"][0], "cve": "CVE-2024-2000"})
    advisory = _parse(document)
    assert (advisory.id, advisory.aliases, advisory.equals) == ("RHSA-2024:1234", ("CVE-2024-1000", "CVE-2024-2000"), ())


def test_impacts_count_where_the_document_has_no_severity() -> None:
    document = _document(
        {"a": "pkg:rpm/redhat/a@1-1"},
        threats=[{"category": "impact", "details": "Low"}, {"category": "exploit_status", "details": "none"}],
        **_status(fixed=["a"]),
    )
    assert _parse(document).words == ("Low",)
    document["document"]["aggregate_severity"] = {"text": "Important"}
    assert _parse(document).words == ("Important",)


@pytest.mark.parametrize("status", ["deleted", "withdrawn"])
def test_a_document_that_is_taken_back_is_left_out(status: str) -> None:
    document = _document({"a": "pkg:rpm/redhat/a@1-1"}, **_status(fixed=["a"]))
    document["document"]["tracking"]["status"] = status
    assert parse_csaf(json.dumps(document).encode(), DIALECT) == (None, 0)


def test_relationships_in_a_circle_are_refused() -> None:
    document = _document({"a": "pkg:rpm/redhat/a@1-1"}, **_status(fixed=["a"]))
    document["product_tree"]["relationships"] = [_relation("x", "y", "y"), _relation("y", "x", "x"), _relation("x", "x", f"{_PLATFORM}:a")]
    with pytest.raises(InvalidAdvisory, match="in a circle"):
        _parse(document)


def test_a_product_that_is_its_own_component_is_refused() -> None:
    document = _document({"a": "pkg:rpm/redhat/a@1-1"}, **_status(fixed=["a"]))
    name = f"{_PLATFORM}:a"
    document["product_tree"]["relationships"] = [_relation(name, name, name)]
    with pytest.raises(InvalidAdvisory, match="in a circle"):
        _parse(document)


def test_a_product_that_nobody_describes_is_left_out() -> None:
    document = _document({"a": "pkg:rpm/redhat/a@1-1"}, **_status(fixed=["a", "unknown"]))
    document["vulnerabilities"][0]["product_status"]["fixed"] += [_PLATFORM, "", ":", "x:y"]
    assert [entry.name for entry in _parse(document).affected] == ["a"]


def test_a_document_that_says_nothing_of_packages_is_left_out() -> None:
    assert parse_csaf(json.dumps(_document({}, **_status(under_investigation=["a"]))).encode(), DIALECT) == (None, 0)


def test_branches_that_are_too_deep_are_refused() -> None:
    nested = '{"branches":[' * 100_000 + "]}" * 100_000
    with pytest.raises(InvalidAdvisory, match="not a CSAF document"):
        parse_csaf(f'{{"document":{{}},"product_tree":{nested}}}'.encode(), DIALECT)


@pytest.mark.parametrize("filler", ["{},", '"a",'])
def test_a_document_of_millions_of_small_things_is_refused_at_once(filler: str) -> None:
    before = time.monotonic()
    with pytest.raises(LimitExceeded, match="document of more than"):
        parse_csaf(f'{{"a":[{filler * 4_100_000}1]}}'.encode(), DIALECT)
    assert time.monotonic() - before < 2


def test_a_long_name_takes_linear_time() -> None:
    document = _document({}, **_status(fixed=["a"]))
    name = "a-1" * 10_000
    document["product_tree"]["branches"].append(_leaf(name))
    document["product_tree"]["relationships"].append(_relation(name, name=f"{_PLATFORM}:a"))
    before = time.monotonic()
    with pytest.raises(InvalidAdvisory, match="printable name"):
        _parse(document)
    assert time.monotonic() - before < 1


def _broken(path: str, value: object) -> bytes:
    document = _document({"a": "pkg:rpm/redhat/a@1-1"}, **_status(fixed=["a"]))
    *parents, last = path.split("/")
    place: Any = document
    for key in parents:
        place = place[int(key)] if key.isdigit() else place[key]
    place[last] = value
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"\xff",
        _broken("document", None),
        _broken("document/tracking/id", "no id"),
        _broken("document/tracking/id", "x" * 200),
        _broken("document/tracking/current_release_date", "yesterday"),
        _broken("product_tree/branches", "x"),
        _broken("product_tree/relationships", [{}]),
        _broken("vulnerabilities", {}),
        _broken("vulnerabilities", [{}] * 5001),
        _broken("vulnerabilities/0/product_status", {"fixed": [1]}),
        _broken("vulnerabilities/0/scores", [{"cvss_v3": 1}]),
    ],
    ids=lambda content: content[:30].decode("latin-1"),
)
def test_a_malformed_document_is_a_problem_and_others_are_read(tmp_path: Path, content: bytes) -> None:
    good = json.dumps(_document({"a": "pkg:rpm/redhat/a@1-1"}, **_status(fixed=["a"]))).encode()
    folder = write_feed(tmp_path, {"all.tar.zst": compress(pack_tar([("bad.json", content), ("good.json", good)]), "zst")})
    advisories, problems = read_feed(SOURCE, folder)
    assert list(advisories) == ["REDHAT-CVE-2024-1000"]
    assert [problem.record for problem in problems] == ["bad.json"]


def test_two_documents_of_one_id_are_a_problem(tmp_path: Path) -> None:
    document = json.dumps(_document({"a": "pkg:rpm/redhat/a@1-1"}, **_status(fixed=["a"]))).encode()
    advisories, problems = read_feed(SOURCE, write_feed(tmp_path, {"a.json": document, "b.json": copy.copy(document)}))
    assert (len(advisories), [problem.reason for problem in problems]) == (1, ["REDHAT-CVE-2024-1000 is there twice"])


def test_an_archive_is_read_document_by_document(tmp_path: Path) -> None:
    document = _document({"a": "pkg:rpm/redhat/a@1-1"}, **_status(fixed=["a"]))
    documents = []
    for number in range(200):
        document["document"]["tracking"]["id"] = f"CVE-2024-{number:05}"
        documents.append((f"2024/cve-2024-{number:05}.json", json.dumps(document).encode()))
    folder = write_feed(tmp_path, {"all.tar.zst": compress(pack_tar(documents), "zst")})
    reading = SOURCE.read(folder, SourceLimits())
    assert isinstance(next(reading), Advisory)
    assert sum(1 for _ in reading) == 199
