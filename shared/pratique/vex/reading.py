"""Read a VEX document, whatever its format.

1. bound its size, and the number of values in it, before anything is built of them;
2. let its own words tell the format;
3. decode it into statements. What has the wrong shape refuses the whole document: the statement that was not understood may be the one that takes another back.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec

from pratique.errors import InvalidRecord, LimitExceeded
from pratique.inventory.analyzers._json_records import decode_json
from pratique.oci.digest import Digest
from pratique.vex.csaf import decode_csaf
from pratique.vex.cyclonedx import decode_cyclonedx_vex
from pratique.vex.limits import MAX_VEX_BYTES
from pratique.vex.openvex import decode_openvex
from pratique.vex.statement import VexDocument


class _CsafHead(msgspec.Struct):
    csaf_version: object = None


class _Head(msgspec.Struct):
    context: object = msgspec.field(name="@context", default=None)
    bom_format: object = msgspec.field(name="bomFormat", default=None)
    document: _CsafHead | None = None


_HEADS = msgspec.json.Decoder(_Head)
_EXPECTED = "a VEX document in JSON: OpenVEX 0.2, CycloneDX 1.4 to 1.7 with `vulnerabilities`, or CSAF 2"


def read_vex(content: bytes, source: str, *, about: Digest | None = None) -> VexDocument:
    """Read an OpenVEX, CycloneDX or CSAF document.

    `source` says for people where it came from. `about` is the image that an attestation around it is about: statements that name no product are about that.
    Raises InvalidRecord for anything else, and LimitExceeded for what is too large or has too many parts.
    """
    if len(content) > MAX_VEX_BYTES:
        raise LimitExceeded(f"a VEX document of {len(content)} bytes; the limit is {MAX_VEX_BYTES}")
    document = _decode(content, source, about)
    return document if document.statements or document.problems else replace(document, problems=("it says nothing of any vulnerability",))


def _decode(content: bytes, source: str, about: Digest | None) -> VexDocument:
    head = decode_json(_HEADS, content, _EXPECTED)
    if head.bom_format == "CycloneDX":
        return decode_cyclonedx_vex(content, source)
    if head.document is not None and head.document.csaf_version is not None:
        return decode_csaf(content, source)
    if head.context is not None:
        return decode_openvex(content, source, about=about)
    raise InvalidRecord(f"expected {_EXPECTED}")
