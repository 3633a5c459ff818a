"""What VEX takes away stays visible in every report, and OpenVEX can be written of any."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from jsonschema import Draft202012Validator

from pratique.findings import Severity
from pratique.reports.cyclonedx import render_cyclonedx
from pratique.reports.json import SCHEMA_PATH, render_json
from pratique.reports.openvex import render_openvex
from pratique.reports.report import Report, Target
from pratique.reports.suppressed_lines import MAX_NOTES
from pratique.reports.table import render_table
from pratique.vex.applying import apply_vex
from pratique.vex.matching import VexImage
from pratique.vex.reading import read_vex
from tests.support.reports import ANGULAR, DIGEST, EOL, LIBSSL, REQUESTS, report, vulnerability
from tests.support.vex import SSL, analysed, cyclonedx_vex, openvex, said

OPENVEX = Draft202012Validator(json.loads((Path(__file__).parents[2] / "assets/vex/openvex-0.2.0.schema.json").read_bytes()))
REPORT = Draft202012Validator(json.loads(SCHEMA_PATH.read_bytes()))
FINDINGS = (
    vulnerability("DEBIAN-CVE-2023-1", aliases=("CVE-2023-1",)),
    vulnerability("CVE-2023-2", ANGULAR, Severity.CRITICAL, fixed_in=None),
    vulnerability("CVE-2023-3", REQUESTS),
    vulnerability("CVE-2023-4"),
    EOL,
)
DOCUMENTS = (
    openvex(said(impact_statement="[bold]not built[/]\x1b[2J"), said("CVE-2023-3", {"@id": REQUESTS}, status="fixed"), author="Team X"),
    cyclonedx_vex(analysed("CVE-2023-4"), components=[SSL]),
)


def judged(**more: Any) -> Report:
    documents = [read_vex(content, f"{number}.json") for number, content in enumerate(DOCUMENTS)]
    outcome = apply_vex(FINDINGS, documents, VexImage(digests=frozenset({DIGEST})))
    return report(outcome.findings, suppressed=outcome.suppressed, notes=("a note",), **more)


def test_json_has_the_finding_and_who_took_it_away_and_why() -> None:
    document = json.loads(render_json(judged()))
    REPORT.validate(document)
    assert [finding["id"] for finding in document["findings"]] == ["CVE-2023-2", "EOL-debian-11"]
    assert [one["finding"]["id"] for one in document["suppressed"]] == ["DEBIAN-CVE-2023-1", "CVE-2023-3", "CVE-2023-4"]
    assert document["suppressed"][0]["statements"] == [
        {
            "vulnerability": "CVE-2023-1",
            "status": "not_affected",
            "justification": "vulnerable_code_not_present",
            "impact": "[bold]not built[/] [2J",
            "author": "Team X",
            "timestamp": "2024-01-09T00:02:03.647787+00:00",
            "source": "0.json",
        }
    ]
    assert document["summary"]["critical"] == 1
    assert document["summary"]["high"] == 1
    assert document["notes"] == ["a note"]


def test_the_table_counts_them_and_lists_them_when_asked() -> None:
    plain = render_table(judged()).decode()
    assert "Suppressed by VEX: 3 (--show-suppressed lists them)" in plain
    assert "CVE-2023-1 " not in plain
    assert "  ! a note" in plain
    shown = render_table(judged(), show_suppressed=True).decode()
    reason = "not_affected (vulnerable_code_not_present, [bold]not built[/] [2J), says Team X, 0.json"
    assert f"  - high CVE-2023-1 in deb/debian/libssl1.1@1.1.1n-0+deb11u3: {reason}" in shown
    assert "fixed, says Team X, 0.json" in shown
    assert "VEX" not in render_table(report(FINDINGS)).decode()


def test_the_table_does_not_drown_in_notes() -> None:
    text = render_table(report(notes=tuple(f"note {number}" for number in range(MAX_NOTES + 3)))).decode()
    assert "  ! and 3 more" in text


def test_cyclonedx_has_them_with_an_analysis() -> None:
    content = render_cyclonedx(judged()).decode()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(content) is None
    analyses = {one["id"]: one.get("analysis") for one in json.loads(content)["vulnerabilities"]}
    assert analyses == {
        "CVE-2023-2": None,
        "DEBIAN-CVE-2023-1": {"state": "not_affected", "justification": "code_not_present", "detail": "[bold]not built[/] [2J"},
        "CVE-2023-3": {"state": "resolved"},
        "CVE-2023-4": {"state": "not_affected", "justification": "code_not_reachable"},
    }


def test_a_cyclonedx_report_is_vex_for_the_same_image() -> None:
    again = read_vex(render_cyclonedx(judged()), "report")
    outcome = apply_vex(FINDINGS, [again], VexImage(digests=frozenset({DIGEST})))
    assert [one.finding.id for one in outcome.suppressed] == ["DEBIAN-CVE-2023-1", "CVE-2023-3", "CVE-2023-4"]
    assert apply_vex(FINDINGS, [again], VexImage(digests=frozenset({f"sha256:{'0' * 64}"}))).suppressed == ()


def test_openvex_says_what_is_open_and_what_was_said() -> None:
    document = json.loads(render_openvex(judged()))
    OPENVEX.validate(document)
    told = [(one["vulnerability"]["name"], one["status"], one.get("justification")) for one in document["statements"]]
    assert told == [
        ("CVE-2023-2", "under_investigation", None),
        ("CVE-2023-1", "not_affected", "vulnerable_code_not_present"),
        ("CVE-2023-3", "fixed", None),
        ("CVE-2023-4", "not_affected", "vulnerable_code_not_in_execute_path"),
    ]
    assert document["statements"][3]["impact_statement"] == "code_not_reachable"
    product = document["statements"][1]["products"][0]
    assert product["@id"] == f"pkg:oci/app@{DIGEST.replace(':', '%3A')}?repository_url=registry.example/team/app"
    assert product["subcomponents"] == [{"@id": LIBSSL}]


def test_an_update_is_the_action_of_what_affects() -> None:
    (statement,) = json.loads(render_openvex(report([vulnerability("CVE-1", recommendation="update openssl to 2")])))["statements"]
    assert (statement["status"], statement["action_statement"]) == ("affected", "update openssl to 2")


def test_openvex_is_the_same_for_the_same_report() -> None:
    first, second = (json.loads(render_openvex(judged())) for _ in range(2))
    assert first["@id"] == second["@id"]
    assert first["@id"] != json.loads(render_openvex(report(FINDINGS)))["@id"]


def test_packages_of_one_vulnerability_share_a_statement() -> None:
    findings = [vulnerability("CVE-1", LIBSSL), vulnerability("CVE-1", ANGULAR)]
    (statement,) = json.loads(render_openvex(report(findings)))["statements"]
    assert [one["@id"] for one in statement["products"][0]["subcomponents"]] == [LIBSSL, ANGULAR]


def test_what_lies_in_no_registry_is_named_by_digest_or_by_its_packages() -> None:
    local = Target(reference="oci:layout", digest=DIGEST, platform=None, distribution=None)
    document = json.loads(render_openvex(judged(target=local)))
    OPENVEX.validate(document)
    assert document["statements"][0]["products"] == [
        {"@id": DIGEST, "hashes": {"sha-256": DIGEST.removeprefix("sha256:")}, "subcomponents": [{"@id": ANGULAR}]}
    ]
    rootfs = Target(reference="dir:/", digest=None, platform=None, distribution=None)
    document = json.loads(render_openvex(judged(target=rootfs)))
    OPENVEX.validate(document)
    assert document["statements"][0]["products"] == [{"@id": ANGULAR}]


def test_an_openvex_report_suppresses_the_same_when_it_is_applied() -> None:
    for target in (judged().target, Target(reference="oci:layout", digest=DIGEST, platform=None, distribution=None)):
        again = read_vex(render_openvex(judged(target=target)), "report")
        outcome = apply_vex(FINDINGS, [again], VexImage(digests=frozenset({DIGEST})))
        assert [one.finding.id for one in outcome.suppressed] == ["DEBIAN-CVE-2023-1", "CVE-2023-3", "CVE-2023-4"]
