"""What rpm records about a package, as a Package: names, epoch, source package, module, and the qualifiers of its package URL."""

from __future__ import annotations

from dataclasses import dataclass

from pratique.errors import InvalidRecord
from pratique.inventory.analyzers._records import checked_word
from pratique.inventory.package import Package

PUBLIC_KEY = "gpg-pubkey"
"""What rpm calls the keys that it keeps among the packages: no software."""

MAX_TEXT = 4096  # characters of a vendor or licence, cut off there: linux-firmware's licence has 500
_NONE = b"(none)"  # what `rpm --queryformat` and some builders write for a missing value


@dataclass(frozen=True, slots=True, kw_only=True)
class RpmFields:
    """The fields of one package as recorded. `epoch` is None where there is none, which compares like 0."""

    name: bytes | None
    version: bytes | None
    release: bytes | None
    epoch: int | None = None
    architecture: bytes | None = None
    source_rpm: bytes | None = None
    vendor: bytes | None = None
    license: bytes | None = None
    module: bytes | None = None


def make_package(fields: RpmFields) -> Package:
    """Return the package: `version` is `epoch:version-release`, the epoch only where one is recorded.

    The source package's name and version come out of the name of its file, which says no epoch: it is taken to be the package's own. A name of another form
    says nothing, and rpm asks for none. Qualifiers are Syft's: `upstream` is the source package's file, `rpmmod` the module (`nodejs:18:…`).

    Raises InvalidRecord for a package without name, version or release, or with odd ones.
    """
    name = checked_word(fields.name, "package name")
    version = _version(fields, name)
    source_rpm = _word(fields.source_rpm, f"source package of {name}")
    module = _word(fields.module, f"module of {name}")
    source_name, source_version = _parse_source(source_rpm, fields.epoch)
    return Package(
        type="rpm",
        name=name,
        version=version,
        architecture=_word(fields.architecture, f"architecture of {name}"),
        source_name=source_name if source_name != name else None,
        source_version=source_version if source_version != version else None,
        qualifiers={key: value for key, value in (("rpmmod", module), ("upstream", source_rpm)) if value},
        vendor=_text(fields.vendor),
        licenses=tuple(filter(None, [_text(fields.license)])),
    )


def _version(fields: RpmFields, name: str) -> str:
    parts = [checked_word(fields.version, f"version of {name}"), checked_word(fields.release, f"release of {name}")]
    if any(":" in part for part in parts):  # rpm allows none: it would be taken for an epoch
        raise InvalidRecord(f"expected a version of {name} without a colon, got {'-'.join(parts)[:40]!r}")
    return _with_epoch(fields.epoch, "-".join(parts))


def _with_epoch(epoch: int | None, version: str) -> str:
    return version if epoch is None else f"{epoch}:{version}"


def _parse_source(source_rpm: str, epoch: int | None) -> tuple[str | None, str | None]:
    """Split `bash-5.1.8-6.el9.src.rpm` into `bash` and `5.1.8-6.el9`."""
    stem, dot, kind = source_rpm.removesuffix(".rpm").rpartition(".")
    parts = stem.rsplit("-", 2)
    if not dot or kind not in {"src", "nosrc"} or len(parts) != 3 or not all(parts):  # noqa: PLR2004 # name, version, release
        return None, None
    return parts[0], _with_epoch(epoch, f"{parts[1]}-{parts[2]}")


def _word(raw: bytes | None, what: str) -> str:
    return checked_word(raw, what) if raw and raw != _NONE else ""


def _text(raw: bytes | None) -> str:
    """Free text on one line, without control characters."""
    if not raw or raw == _NONE:
        return ""
    text = raw[: MAX_TEXT * 4].decode("utf-8", "replace")[:MAX_TEXT]
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())
