"""What a pass has found so far: files with their facts, gaps; bounded, and with later entries of a path replacing earlier ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from pratique.errors import InputError, LimitExceeded
from pratique.inventory.analyzer import Analyzer, Fact, LayerFile
from pratique.inventory.coverage import CoverageItem, CoverageStatus
from pratique.inventory.layer_paths import join_paths
from pratique.inventory.layer_result import AnalyzedFile, OwnedFiles
from pratique.inventory.limits import LayerLimits
from pratique.inventory.package import Distribution, Package, PackageDetails

LAYER_GAP = "layer"
"""The name of gaps that no analyzer owns."""

_LAYER_GAP_VERSION = "1"
_MAX_REASON = 500  # characters: it quotes paths and content, which the image chooses
_ENCODER = msgspec.msgpack.Encoder()


class LayerRecords:
    """The growing result of one pass, by path."""

    def __init__(self, limits: LayerLimits, *, with_digests: bool = False) -> None:
        self._limits = limits
        self._with_digests = with_digests
        self._files: dict[str, list[AnalyzedFile]] = {}
        self._gaps: dict[str, list[CoverageItem]] = {}
        self._gap_count = 0
        self._bytes = 0

    @property
    def files(self) -> tuple[AnalyzedFile, ...]:
        """The analysed files, in the order in which their paths were last met."""
        return tuple(file for files in self._files.values() for file in files)

    @property
    def gaps(self) -> tuple[CoverageItem, ...]:
        """The gaps, up to the limit, and one that counts the rest."""
        listed = [gap for gaps in self._gaps.values() for gap in gaps]
        more = self._gap_count - self._limits.gaps
        return (*listed, _gap(LAYER_GAP, _LAYER_GAP_VERSION, f"{more} more gaps")) if more > 0 else tuple(listed)

    def forget(self, path: str) -> None:
        """Drop what an earlier entry at `path` gave."""
        self._files.pop(path, None)
        self._gap_count -= len(self._gaps.pop(path, ()))

    def analyze(self, analyzers: Sequence[Analyzer], file: LayerFile) -> None:
        """Record what each of `analyzers` reads in `file`. Whatever a parser raises becomes a gap.

        Raises LimitExceeded when all results together are too large, MemoryError.
        """
        for analyzer in analyzers:
            found = self._parse(analyzer, file)
            if not (found.packages or found.owned or found.distribution):
                continue  # thousands of binaries say nothing
            self._bytes += len(_ENCODER.encode(found))
            if self._bytes > self._limits.result_bytes:
                raise LimitExceeded(f"layer with more than {self._limits.result_bytes} bytes of results")
            self._files.setdefault(file.path, []).append(found)

    def add_gap(self, path: str, reason: str, analyzer: Analyzer | None = None) -> None:
        """Record that the file at `path` (empty: the layer) could not be read, by `analyzer` or at all."""
        self._gap_count += 1
        if self._gap_count > self._limits.gaps:
            return
        name, version = (LAYER_GAP, _LAYER_GAP_VERSION) if analyzer is None else (analyzer.name, str(analyzer.version))
        text = f"{path}: {reason}" if path else reason
        self._gaps.setdefault(path, []).append(_gap(name, version, text, path))

    def _parse(self, analyzer: Analyzer, file: LayerFile) -> AnalyzedFile:
        packages: list[Package] = []
        owned: list[OwnedFiles] = []
        distribution: Distribution | None = None
        try:
            for fact in self._facts(analyzer, file):
                if isinstance(fact, Package):
                    packages.append(fact)
                elif isinstance(fact, PackageDetails):
                    owned.append(_owned_files(fact, with_digests=self._with_digests))
                else:
                    distribution = fact
        except InputError as error:
            self.add_gap(file.path, str(error) or type(error).__name__, analyzer)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 # a plug-in's bug must cost one file, not the layer
            self.add_gap(file.path, f"internal error {type(error).__name__}", analyzer)
        return AnalyzedFile(path=file.path, analyzer=analyzer.name, packages=tuple(packages), distribution=distribution, owned=tuple(owned))

    def _facts(self, analyzer: Analyzer, file: LayerFile) -> Iterator[Fact]:
        for count, fact in enumerate(analyzer.parse(file)):
            if count >= self._limits.facts:
                raise LimitExceeded(f"more than {self._limits.facts} packages in one file")
            _ENCODER.encode(fact)  # a fact that cannot be stored (a lone surrogate) or named is the plug-in's bug, and fails here
            if isinstance(fact, Package) and not fact.name.strip("/"):
                raise ValueError("a package without a name")
            yield fact


def _owned_files(details: PackageDetails, *, with_digests: bool) -> OwnedFiles:
    """Join the files to one text: objects for 65,000 of them would take 15 MB here and in the parent. A path with a NUL is none."""
    pairs = [*details.files, *((path, "") for path in details.paths)] if details.files else []
    paths = [path for path, _ in pairs] if pairs else details.paths
    text = join_paths(paths)
    if text.count("\0") != len(paths):
        pairs = [(path, digest) for path, digest in pairs or ((path, "") for path in paths) if "\0" not in path]
        text = join_paths([path for path, _ in pairs])
    return OwnedFiles(
        type=details.type,
        name=details.name,
        version=details.version,
        architecture=details.architecture,
        paths=text,
        digests=join_paths([digest for _, digest in pairs]) if with_digests and pairs else "",
        directories=details.directories,
        licenses=details.licenses,
    )


def _gap(name: str, version: str, reason: str, path: str = "") -> CoverageItem:
    text = reason.encode("utf-8", "backslashreplace").decode()  # an error message may quote what cannot be stored
    return CoverageItem(name=name, version=version, status=CoverageStatus.PARTIAL, reason=text[:_MAX_REASON], path=path)
