"""Which platforms of an index somebody asked for: `linux/arm64`, `linux/arm/v7`, or all.

Other spellings of architectures, and the variants that are meant where none is named, are those of containerd's `platforms` package.
"""

from __future__ import annotations

from dataclasses import dataclass

from pratique.errors import InvalidReference
from pratique.oci.manifest import Platform

ALL = "all"
_UNKNOWN = "unknown"
_ALIASES = {
    "x86_64": ("amd64", None),
    "x86-64": ("amd64", None),
    "aarch64": ("arm64", None),
    "i386": ("386", None),
    "armhf": ("arm", "v7"),
    "armel": ("arm", "v6"),
}
_USUAL_VARIANTS = {"arm": "v7", "arm64": "v8", "amd64": "v1"}
_MOST_PARTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformChoice:
    """One platform, or all where `platform` is None. Without a variant every variant is meant."""

    platform: Platform | None = None

    @classmethod
    def parse(cls, text: str) -> PlatformChoice:
        """Read `all` or `os/arch[/variant]`.

        Raises InvalidReference.
        """
        if text == ALL:
            return cls()
        parts = text.lower().split("/")
        if not 1 < len(parts) <= _MOST_PARTS or not all(parts):
            raise InvalidReference(f"expected a platform like linux/arm64 or linux/arm/v7, or all; got {text[:140]!r}")
        architecture, variant = _ALIASES.get(parts[1], (parts[1], None))
        return cls(platform=Platform(os=parts[0], architecture=architecture, variant=parts[2] if len(parts) == _MOST_PARTS else variant))

    @property
    def is_all(self) -> bool:
        """Tell whether nothing is left out."""
        return self.platform is None

    def accepts(self, found: Platform | None) -> bool:
        """Tell whether what is for `found` is meant. What does not say what it is for may be."""
        wanted = self.platform
        if wanted is None or found is None:
            return True
        pairs = ((wanted.os, found.os), (wanted.architecture, _ALIASES.get(found.architecture, (found.architecture, None))[0]))
        if any(theirs not in {ours, _UNKNOWN} for ours, theirs in pairs):
            return False
        return wanted.variant is None or wanted.variant == (found.variant or _USUAL_VARIANTS.get(wanted.architecture))

    def __str__(self) -> str:
        return str(self.platform or ALL)
