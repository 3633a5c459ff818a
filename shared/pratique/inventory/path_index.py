"""Which analyzers want a file, by dictionary look-ups that answer exactly like PathPattern.matches."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from pratique.inventory.analyzer import Analyzer

HEAD_BYTES = 8
"""Bytes of a file's beginning that patterns may ask for."""

_TAIL = 2  # characters at the end of a suffix that are looked up before the suffixes themselves: most names end otherwise


class PathIndex:
    """The patterns of many analyzers as look-ups over bytes; `is_candidate` and `is_magic` are what every file of a layer pays."""

    def __init__(self, analyzers: Sequence[Analyzer]) -> None:
        numbered = list(enumerate(analyzers))
        self._analyzers = tuple(analyzers)
        self._paths = _index((path, number) for number, analyzer in numbered for path in analyzer.paths.paths)
        self._names = _index((name, number) for number, analyzer in numbered for name in analyzer.paths.names)
        self._directories = _index((path, number) for number, analyzer in numbered for path in analyzer.paths.directories)
        self._suffixed = tuple((analyzer.paths.suffixes, number) for number, analyzer in numbered if analyzer.paths.suffixes)
        self._suffixes = tuple({suffix.encode() for suffixes, _ in self._suffixed for suffix in suffixes})
        self._tails = frozenset(suffix[-_TAIL:] for suffix in self._suffixes if len(suffix) >= _TAIL)
        self._short_suffixes = tuple(suffix for suffix in self._suffixes if len(suffix) < _TAIL)
        self._by_magic = tuple((analyzer.paths.magics, number) for number, analyzer in numbered if analyzer.paths.magics)
        self._magics = tuple({magic for magics, _ in self._by_magic for magic in magics})
        self._with_magics = tuple(number for _, number in self._by_magic)

    @property
    def exact_paths(self) -> Collection[bytes]:
        """The whole paths that some analyzer names."""
        return self._paths.keys()

    def is_candidate(self, path: bytes, directory: bytes, name: bytes) -> bool:
        """Tell quickly whether some analyzer might want the path: False is certain."""
        if name in self._names or directory in self._directories or path in self._paths:
            return True
        return (name[-_TAIL:] in self._tails and name.endswith(self._suffixes)) or name.endswith(self._short_suffixes)

    def is_magic(self, head: bytes) -> bool:
        """Tell whether some analyzer wants files that begin like this; True where the beginning is not known."""
        return head.startswith(self._magics) or not head

    def wanting(self, path: str, head: bytes = b"") -> tuple[Analyzer, ...]:
        """Return the analyzers that want the file at `path`, which begins with `head`, in their order."""
        directory, _, name = path.rpartition("/")
        numbers = {
            *self._paths.get(path.encode(), ()),
            *self._names.get(name.encode(), ()),
            *self._directories.get(directory.encode(), ()),
            *(number for suffixes, number in self._suffixed if name.endswith(suffixes)),
            *(number for magics, number in self._by_magic if head.startswith(magics)),
        }
        return self._accepting(path, numbers)

    def with_magics(self, path: str) -> tuple[Analyzer, ...]:
        """Return the analyzers that might want the file at `path` for its beginning, which is not known."""
        return self._accepting(path, set(self._with_magics))

    def _accepting(self, path: str, numbers: set[int]) -> tuple[Analyzer, ...]:
        candidates = (self._analyzers[number] for number in sorted(numbers))
        return tuple(analyzer for analyzer in candidates if analyzer.paths.accept is None or analyzer.paths.accept(path))


def _index(pairs: Iterable[tuple[str, int]]) -> Mapping[bytes, tuple[int, ...]]:
    found: dict[bytes, tuple[int, ...]] = {}
    for key, number in pairs:
        found[key.encode()] = (*found.get(key.encode(), ()), number)
    return found
