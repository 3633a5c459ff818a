"""How targets that are no references into a registry begin."""

from __future__ import annotations

SBOM = "sbom:"
LOCAL = ("oci:", "docker-archive:", "dir:", SBOM)
