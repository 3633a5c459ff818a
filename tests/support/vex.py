"""VEX documents for tests, as their specifications and the tools that write them have them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.support.reports import DIGEST, LIBSSL

HEX = DIGEST.removeprefix("sha256:")
IMAGE = f"pkg:oci/app@sha256%3A{HEX}?repository_url=registry.example/team/app"
TIME = "2024-01-08T18:02:03.647787998-06:00"


def said(name: str = "CVE-2023-1", /, *products: object, status: str = "not_affected", **more: object) -> dict[str, Any]:
    """A statement of OpenVEX, with a justification where one is demanded."""
    reason = {"justification": "vulnerable_code_not_present"} if status == "not_affected" else {}
    return {"vulnerability": {"name": name}, "products": [*products] or [{"@id": LIBSSL}], "status": status, **reason, **more}


def openvex(*statements: Mapping[str, object], **more: object) -> bytes:
    """An OpenVEX document."""
    head = {
        "@context": "https://openvex.dev/ns/v0.2.0",
        "@id": "https://example.org/vex/1",
        "author": "Team",
        "timestamp": TIME,
        "version": 1,
    }
    return json.dumps({**head, "statements": statements, **more}).encode()


def image_product(*packages: str, identifier: str = IMAGE) -> dict[str, Any]:
    """The image, with some packages in it."""
    parts = {"subcomponents": [{"@id": package} for package in packages]} if packages else {}
    return {"@id": identifier, **parts}


SERIAL = "3e671687-395b-41f5-a30f-a58921a69b79"


def cyclonedx_vex(*vulnerabilities: Mapping[str, object], version: str = "1.6", **more: object) -> bytes:
    """A CycloneDX document with vulnerabilities."""
    head = {"bomFormat": "CycloneDX", "specVersion": version, "serialNumber": f"urn:uuid:{SERIAL}", "version": 1}
    return json.dumps({**head, "vulnerabilities": vulnerabilities, **more}).encode()


def analysed(identifier: str = "CVE-2023-1", ref: str = "ssl", state: str = "not_affected", **more: object) -> dict[str, Any]:
    """A vulnerability with an analysis."""
    analysis = {"state": state, **({"justification": "code_not_reachable"} if state == "not_affected" else {})}
    return {"id": identifier, "analysis": analysis, "affects": [{"ref": ref}], **more}


SSL = {"type": "library", "name": "libssl1.1", "bom-ref": "ssl", "purl": LIBSSL}
CONTAINER = {"type": "container", "name": "app", "bom-ref": "image", "version": DIGEST}


def csaf(
    vulnerability: Mapping[str, object] | None = None,
    *,
    tree: Mapping[str, object] | None = None,
    tracking: Mapping[str, object] | None = None,
) -> bytes:
    """A CSAF document of the profile VEX: libssl in the image is `image:ssl`, curl by itself is `curl`."""
    head = {
        "category": "csaf_vex",
        "csaf_version": "2.0",
        "publisher": {"category": "vendor", "name": "Example", "namespace": "https://example.org"},
        "title": "An advisory",
        "tracking": {"current_release_date": TIME, "id": "1", "status": "final", "version": "1", **(tracking or {})},
    }
    products = {
        "branches": [
            {"category": "vendor", "name": "Example", "branches": [_branch("image", IMAGE), _branch("ssl", LIBSSL.partition("?")[0])]},
        ],
        "full_product_names": [{"product_id": "curl", "name": "curl", "product_identification_helper": {"purl": "pkg:deb/debian/curl"}}],
        "product_groups": [{"group_id": "all", "product_ids": ["image:ssl", "curl"]}],
        "relationships": [
            {
                "category": "default_component_of",
                "product_reference": "ssl",
                "relates_to_product_reference": "image",
                "full_product_name": {"product_id": "image:ssl", "name": "libssl in the image"},
            }
        ],
    }
    default: dict[str, object] = {
        "cve": "CVE-2023-1",
        "product_status": {"known_not_affected": ["image:ssl"]},
        "flags": [{"label": "component_not_present", "product_ids": ["image:ssl"]}],
    }
    return json.dumps(
        {"document": head, "product_tree": products if tree is None else tree, "vulnerabilities": [vulnerability or default]}
    ).encode()


def _branch(identifier: str, purl: str) -> dict[str, Any]:
    product = {"product_id": identifier, "name": identifier, "product_identification_helper": {"purl": purl}}
    return {"category": "product_version", "name": identifier, "product": product}
