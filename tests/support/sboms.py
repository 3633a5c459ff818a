"""SBOMs for tests: real excerpts of other tools', and one report of every kind of package for pratique's own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from pratique.inventory.coverage import Coverage
from pratique.inventory.package import Distribution, InstalledPackage, Package
from pratique.reports.cyclonedx import render_cyclonedx
from pratique.reports.report import Report, Target
from pratique.reports.spdx import render_spdx
from pratique.reports.spdx3 import render_spdx3
from tests.support.images import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, ImageLayout
from tests.support.reports import COMPLETE, DEBIAN, DIGEST, LAYER, PACKAGES

ASSETS = Path(__file__).parents[1] / "assets" / "sboms"
REAL = {path.stem: path.read_bytes() for path in sorted(ASSETS.glob("[st][yr]*.json"))}
"""SBOMs of the same Debian 11 root by Syft and Trivy, cut down to five packages."""

RENDERERS: Mapping[str, Callable[[Report], bytes]] = {"cyclonedx": render_cyclonedx, "spdx": render_spdx, "spdx3": render_spdx3}

DEBIAN_FACTS = {"ecosystem": "Debian:11", "namespace": "debian", "qualifiers": {"distro": "debian-11"}}
OWNER = Package(type="deb", name="python3-six", version="1.16.0-2", architecture="all", source_name="six", **DEBIAN_FACTS)  # type: ignore[arg-type]
SIX = Package(type="pypi", name="Six", version="1.16.0", ecosystem="PyPI", licenses=("MIT",))
ODD = (
    Package(
        type="deb",
        name="libfoo",
        version="2:1.0-1",
        vendor="Foo Team (of Bar) <foo@example.org>",
        licenses=("GPL-2.0-only", "MIT OR Apache-2.0", "GPL-2+ with\texceptions", "GPL-2.0-only WITH Classpath-exception-2.0"),
        source_name="foo",
        source_version="1.0-1",
        **DEBIAN_FACTS,  # type: ignore[arg-type]
    ),
    Package(
        type="golang", namespace="github.com/Azure", name="go-autorest", version="v1.2.3", ecosystem="Go", licenses=("LicenseRef-own",)
    ),
    Package(
        type="maven", namespace="org.apache", name="log4j", version="2.0", ecosystem="Maven", qualifiers={"type": "jar"}, vendor="(Apache)"
    ),
    Package(type="generic", name="nginx", version="1.25", cpes=("cpe:2.3:a:f5:nginx:1.25:*:*:*:*:*:*:*", "cpe:2.3:a:odd name:1")),
    Package(type="rpm", namespace="rhel", name="bash", version="1:5.1-2", architecture="x86_64", qualifiers={"distro": "rhel-9.2"}),
    Package(type="bitnami", name="redis", version="7", ecosystem="Bitnami", architecture="amd64", licenses=("x" * 150, "a/b c", "a-b-c")),
)


def full_report(**more: Any) -> Report:
    """A report on an image with packages of many kinds, in the order that scans give them."""
    plain = [InstalledPackage(package=package, paths=("var/lib/dpkg/status",), layer=LAYER) for package in (*PACKAGES, *ODD, OWNER)]
    owned = InstalledPackage(package=SIX, paths=("usr/lib/a%0A b\nc", "usr/lib/six"), layer=None, owned_by=OWNER.purl)
    values: dict[str, Any] = {
        "target": Target(reference="registry.example/team/app:v1", digest=DIGEST, platform="linux/amd64", distribution=DEBIAN),
        "packages": tuple(sorted([*plain, owned], key=lambda one: one.package.purl)),
        "findings": (),
        "coverage": Coverage(items=(COMPLETE,)),
    }
    return Report(**(values | more))


def cyclonedx(*components: Mapping[str, object], **more: object) -> bytes:
    """A CycloneDX document of these components."""
    return json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": components, **more}).encode()


def spdx(*packages: Mapping[str, object], **more: object) -> bytes:
    """An SPDX 2.3 document of these packages."""
    return json.dumps({"spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "packages": packages, **more}).encode()


def spdx3(*elements: Mapping[str, object], **more: object) -> bytes:
    """An SPDX 3 document of these elements."""
    return json.dumps({"@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld", "@graph": elements, **more}).encode()


def library(purl: str, **more: object) -> dict[str, object]:
    """A CycloneDX component."""
    return {"type": "library", "name": "x", "version": "1", "purl": purl, **more}


ROCKY = Distribution(id="rocky", version_id="9.2", ecosystem="Rocky Linux:9")


def attested(image: ImageLayout, purls: Iterable[str], **statement: object) -> str:
    """Put an index into an image's layout that holds the image and, as BuildKit does, an attestation with an SBOM of it; answers the index's target."""
    packages = [{"name": purl, "externalRefs": [{"referenceType": "purl", "referenceLocator": purl}]} for purl in sorted(purls)]
    said = {**in_toto(image.digest, "https://spdx.dev/Document", json.loads(spdx(*packages))), **statement}
    layer = _store(image.folder, said, "application/vnd.in-toto+json")
    layer["annotations"] = {"in-toto.io/predicate-type": said["predicateType"]}
    config = _store(
        image.folder, {"architecture": "unknown", "os": "unknown", "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}}, OCI_CONFIG
    )
    manifest = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [layer]}
    attestation = _store(image.folder, manifest, OCI_MANIFEST)
    attestation["platform"] = {"architecture": "unknown", "os": "unknown"}
    attestation["annotations"] = {"vnd.docker.reference.digest": image.digest, "vnd.docker.reference.type": "attestation-manifest"}
    size = (image.folder / "blobs" / "sha256" / image.digest.removeprefix("sha256:")).stat().st_size
    runnable = {"mediaType": OCI_MANIFEST, "digest": image.digest, "size": size, "platform": {"architecture": "amd64", "os": "linux"}}
    index = _store(image.folder, {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [runnable, attestation]}, OCI_INDEX)
    path = image.folder / "index.json"
    layout = json.loads(path.read_bytes())
    layout["manifests"].append({**index, "annotations": {"org.opencontainers.image.ref.name": "attested"}})
    path.write_text(json.dumps(layout))
    return f"oci:{image.folder}:attested"


def in_toto(digest: str, kind: str, predicate: object) -> dict[str, Any]:
    """A statement about an image."""
    subject = [{"name": "app", "digest": {"sha256": digest.removeprefix("sha256:")}}]
    return {"_type": "https://in-toto.io/Statement/v0.1", "predicateType": kind, "subject": subject, "predicate": predicate}


def _store(folder: Path, content: object, media_type: str) -> dict[str, Any]:
    raw = json.dumps(content).encode()
    digest = hashlib.sha256(raw).hexdigest()
    (folder / "blobs" / "sha256" / digest).write_bytes(raw)
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(raw)}
