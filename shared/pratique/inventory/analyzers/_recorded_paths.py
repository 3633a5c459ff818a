"""What records say of the files of one package: paths, digests; and words that are decoded already."""

from __future__ import annotations

import re

from pratique.inventory.analyzers._records import checked_word

MAX_FILES = 300_000  # owned files kept of one package: the largest real ones (TeX Live's fonts) have 100,000; each takes some 300 bytes

_DIGEST_BYTES = {"md5": 16, "sha1": 20, "sha256": 32}
_HEX = re.compile(r"[0-9A-Fa-f]+")


def text_word(text: str | None, what: str) -> str:
    """`checked_word` for text that is decoded already. Raises InvalidRecord."""
    return checked_word((text or "").encode("utf-8", "backslashreplace"), what)


def owned_path(root: str, path: str) -> str:
    """`path` as recorded below the directory `root`, relative to the image's root; empty if it leads out of `root` or names `root` itself."""
    parts = [part for part in path.split("/") if part not in {"", "."}]
    if not parts or ".." in parts or "\0" in path:
        return ""
    return "/".join([root, *parts]) if root else "/".join(parts)


def hex_digest(algorithm: str, digest: str | None) -> str:
    """`sha256:<hex>` in lower case, or empty for what is no digest of that algorithm (md5, sha1, sha256)."""
    if digest is None or len(digest) != 2 * _DIGEST_BYTES[algorithm] or not _HEX.fullmatch(digest):
        return ""
    return f"{algorithm}:{digest.lower()}"
