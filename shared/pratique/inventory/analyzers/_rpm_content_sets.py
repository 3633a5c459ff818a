"""The repositories that a layer of a Red Hat image was built from, which say which of Red Hat's advisories can hold for its packages.

Red Hat's build system leaves them in `root/buildinfo/content_manifests/*.json` (RHCOS: `usr/share/buildinfo/`), one file a layer. Source: atomic-reactor,
`schemas/content_manifest.json`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import msgspec

from pratique.errors import InvalidRecord, LimitExceeded
from pratique.inventory.analyzers._records import checked_word

MAX_CONTENT_SETS = 10_000  # real ones have under 100

_GENERIC_SUFFIX = re.compile(r"__\d{1,3}$")  # `…-rpms__8` is the same repository; `…__9_DOT_2` is that of a minor release, and another


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentSets:
    """`names` are as recorded. `layer_index` is the layer's position in the image as built, None where it is not recorded."""

    names: tuple[str, ...]
    layer_index: int | None = None

    @property
    def repositories(self) -> tuple[str, ...]:
        """The names as advisories have them: without the suffix that only says which release they are for."""
        return tuple(dict.fromkeys(_GENERIC_SUFFIX.sub("", name) for name in self.names))


class _Metadata(msgspec.Struct):
    image_layer_index: int | None = None


class _Manifest(msgspec.Struct):
    metadata: _Metadata | None = None
    content_sets: list[str] | None = None


_DECODER = msgspec.json.Decoder(_Manifest)


def parse_content_manifest(content: bytes) -> ContentSets:
    """Read the content sets of one layer. None are a valid answer: newer manifests list sources instead.

    Raises InvalidRecord for what is no such JSON object, LimitExceeded.
    """
    try:
        found = _DECODER.decode(content)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:  # msgspec bounds the depth by the interpreter's recursion limit
        raise InvalidRecord(f"expected a content manifest: {error}") from error
    names = found.content_sets or []
    if len(names) > MAX_CONTENT_SETS:
        raise LimitExceeded(f"more than {MAX_CONTENT_SETS} content sets")
    checked = tuple(checked_word(name.encode("utf-8", "backslashreplace"), "content set") for name in names)
    return ContentSets(names=checked, layer_index=found.metadata.image_layer_index if found.metadata else None)
