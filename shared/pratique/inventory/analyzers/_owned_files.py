"""What analyzers of package databases share: the files that a package owns, within bounds, and text that describes it."""

from __future__ import annotations

from collections.abc import Iterable

from pratique.errors import LimitExceeded

MAX_PATHS = 600_000  # paths in one database: a desktop of 5,000 packages has some 400,000; each takes 250 bytes of memory
MAX_PATH_CHARACTERS = (
    48 * 1024 * 1024
)  # of all paths together: apk's lines name a directory once for many files, so few bytes could become many
MAX_TEXT = 200  # characters of a vendor or licence: real ones stay below 100; longer ones only fill databases and reports

_ALGORITHMS = {32: "md5", 40: "sha1", 64: "sha256"}
_HEX = frozenset(b"0123456789abcdef")


class OwnedPaths:
    """Collects pairs of path and digest, package by package, within bounds for the whole database. What goes beyond is left out, which `check` tells."""

    __slots__ = ("_characters", "_files", "_left")

    def __init__(self) -> None:
        self._files: list[tuple[str, str]] = []
        self._left = MAX_PATHS
        self._characters = MAX_PATH_CHARACTERS

    @property
    def is_full(self) -> bool:
        """Tell whether something was left out."""
        return self._left < 0 or self._characters < 0

    def add(self, path: bytes, digest: str = "") -> None:
        """Note a file under its path relative to the root; the root itself is none."""
        relative = path.lstrip(b"/")
        self._left -= 1
        self._characters -= len(relative)
        if relative not in {b"", b"."} and not self.is_full:
            self._files.append((decode_path(relative), digest))

    def take(self) -> tuple[tuple[str, str], ...]:
        """What was noted since the last time."""
        files, self._files = tuple(self._files), []
        return files

    def check(self) -> None:
        """Raise LimitExceeded if something was left out."""
        if self.is_full:
            raise LimitExceeded(f"more than {MAX_PATHS} files, or {MAX_PATH_CHARACTERS} bytes of their paths")


def decode_path(raw: bytes) -> str:
    """A recorded path as text; bytes that are not UTF-8 are written as in the paths of layers."""
    return raw.decode("utf-8", "backslashreplace")


def digest_of_hex(raw: bytes) -> str:
    """`md5:<hex>` for 32 digits, `sha1:` for 40, `sha256:` for 64; empty for anything else (dpkg writes `newconffile`)."""
    algorithm = _ALGORITHMS.get(len(raw))
    return f"{algorithm}:{raw.decode()}" if algorithm and _HEX.issuperset(raw) else ""


def describe(raw: bytes | None) -> str:
    """A vendor or licence as recorded: printable characters, at most MAX_TEXT."""
    text = (raw or b"").strip().decode("utf-8", "replace")[:MAX_TEXT]
    return text if text.isprintable() else "".join(character for character in text if character.isprintable())


def licenses_of(values: Iterable[bytes]) -> tuple[str, ...]:
    """Licences as recorded, each once, in their order; empty ones left out."""
    return tuple(dict.fromkeys(filter(None, map(describe, values))))
