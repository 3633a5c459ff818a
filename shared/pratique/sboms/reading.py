"""Read an SBOM, whatever its format.

1. bound its size, and the number of values in it, before anything is built of them;
2. let its own words tell the format;
3. decode it into components, bounded in number and depth;
4. make packages and a distribution of them; what cannot be understood is a problem that is told, next to what can.
"""

from __future__ import annotations

import msgspec

from pratique.errors import InvalidRecord, LimitExceeded
from pratique.inventory.analyzers._json_records import decode_json
from pratique.sboms.contents import Document, SbomContents
from pratique.sboms.cyclonedx import decode_cyclonedx
from pratique.sboms.packages import collect_contents
from pratique.sboms.spdx import decode_spdx
from pratique.sboms.spdx3 import decode_spdx3

MAX_SBOM_BYTES = 64 * 1024 * 1024  # protects memory: those of the largest images with a record of every file have some 50 MB
_SPDX3_CONTEXT = "https://spdx.org/rdf/3."


class _Head(msgspec.Struct, rename="camel"):
    bom_format: object = None
    spec_version: object = None
    spdx_version: object = None
    context: object = msgspec.field(name="@context", default=None)


_HEADS = msgspec.json.Decoder(_Head)


def read_sbom(content: bytes) -> SbomContents:
    """Read a CycloneDX (1.x), SPDX 2 or SPDX 3 document in JSON.

    Raises InvalidRecord for anything else, and LimitExceeded for what is too large, has too many components, or nests them too deeply.
    """
    if len(content) > MAX_SBOM_BYTES:
        raise LimitExceeded(f"an SBOM of {len(content)} bytes; the limit is {MAX_SBOM_BYTES}")
    return collect_contents(_decode(content))


def _decode(content: bytes) -> Document:
    head = decode_json(_HEADS, content, "an SBOM in JSON")
    if head.bom_format == "CycloneDX":
        return decode_cyclonedx(content, _version(head.spec_version, "CycloneDX ", "1."))
    if head.spdx_version is not None:
        return decode_spdx(content, _version(head.spdx_version, "", "SPDX-2.").replace("-", " "))
    if _is_spdx3(head.context):
        return decode_spdx3(content)
    raise InvalidRecord("expected an SBOM in JSON: CycloneDX, SPDX 2 or SPDX 3")


def _version(stated: object, name: str, expected: str) -> str:
    """Name the form. A later major version may mean other things by the same words."""
    if not isinstance(stated, str) or not stated.startswith(expected):
        raise InvalidRecord(f"expected {name}{expected}x, got {str(stated)[:40]!r}")
    return f"{name}{stated[:20]}"


def _is_spdx3(context: object) -> bool:
    stated = context if isinstance(context, list) else [context]
    return any(isinstance(one, str) and one.startswith(_SPDX3_CONTEXT) for one in stated)
