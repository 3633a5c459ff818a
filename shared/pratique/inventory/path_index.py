"""Which analyzers want a path, by dictionary look-ups that answer exactly like PathPattern.matches."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from pratique.inventory.analyzer import Analyzer


class PathIndex:
    """The patterns of many analyzers as four look-ups over bytes; `is_candidate` is what every entry of a layer pays."""

    def __init__(self, analyzers: Sequence[Analyzer]) -> None:
        numbered = list(enumerate(analyzers))
        self._analyzers = tuple(analyzers)
        self._paths = _index((path, number) for number, analyzer in numbered for path in analyzer.paths.paths)
        self._names = _index((name, number) for number, analyzer in numbered for name in analyzer.paths.names)
        self._directories = _index((path, number) for number, analyzer in numbered for path in analyzer.paths.directories)
        self._suffixed = tuple((analyzer.paths.suffixes, number) for number, analyzer in numbered if analyzer.paths.suffixes)
        self._suffixes = tuple(suffix.encode() for suffixes, _ in self._suffixed for suffix in suffixes)

    @property
    def exact_paths(self) -> Collection[bytes]:
        """The whole paths that some analyzer names."""
        return self._paths.keys()

    def is_candidate(self, path: bytes, directory: bytes, name: bytes) -> bool:
        """Tell quickly whether `wanting` might not be empty: False is certain."""
        return name in self._names or directory in self._directories or path in self._paths or name.endswith(self._suffixes)

    def wanting(self, path: str) -> tuple[Analyzer, ...]:
        """Return the analyzers that want the file at `path`, in their order."""
        directory, _, name = path.rpartition("/")
        numbers = {
            *self._paths.get(path.encode(), ()),
            *self._names.get(name.encode(), ()),
            *self._directories.get(directory.encode(), ()),
            *(number for suffixes, number in self._suffixed if name.endswith(suffixes)),
        }
        candidates = (self._analyzers[number] for number in sorted(numbers))
        return tuple(analyzer for analyzer in candidates if analyzer.paths.accept is None or analyzer.paths.accept(path))


def _index(pairs: Iterable[tuple[str, int]]) -> Mapping[bytes, tuple[int, ...]]:
    found: dict[bytes, tuple[int, ...]] = {}
    for key, number in pairs:
        found[key.encode()] = (*found.get(key.encode(), ()), number)
    return found
