"""The symbolic links of an image's directories: one file has several names, and package managers record any of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from pratique.inventory.layer_paths import split_paths
from pratique.inventory.layer_stack import MAX_DEPTH, ScannedLayer, links_of, parent_of

MAX_HOPS = 40
"""Links on the way to one file; Linux's own limit (path_resolution(7))."""

_MAX_LENGTH = 1024  # characters of a path behind links: a link of 20 bytes can lead into a directory of 4,096
_MAX_NAMES = 8  # names of one file that it has through links to directories: a hostile image may have a million of them
_MAX_CHARACTERS = 64 * 1024 * 1024  # of all paths behind links that are remembered: memory


def links_of_image(layers: Sequence[ScannedLayer]) -> dict[str, str]:
    """The symbolic links of the final image, with their targets. A link below a hidden directory may remain: nothing is looked up there."""
    links: dict[str, str] = {}
    for layer in layers:
        if layer.result is None:
            continue
        for paths in (layer.result.whiteouts, *map(split_paths, (layer.result.directories, layer.result.regular, layer.result.special))):
            for path in links.keys() & paths:
                del links[path]
        links.update(links_of(layer.result))
    return links


@dataclass(frozen=True, slots=True)
class _End:
    """What a path leads to, and through how many links. `path` is None for a circle, or a way that is too long to follow."""

    path: str | None
    hops: int = 0


_NOWHERE = _End(None)


class PathResolver:
    """Follows symbolic links as a kernel would in a root of its own: `lib/x` is `usr/lib/x` where `lib` links to `usr/lib`.

    Each link is followed once, so the time is linear in the text of the links and paths. What is deeper than MAX_DEPTH components or longer than 1024
    characters leads nowhere.
    """

    def __init__(self, links: Mapping[str, str]) -> None:
        self._links = links
        self._ends: dict[str, _End] = {}  # of links, by where they really lie
        self._directories: dict[str, str] = {"": ""}
        self._names: dict[str, list[str]] | None = None
        self._room = _MAX_CHARACTERS

    def resolve(self, path: str) -> str:
        """Return where the entry at `path` really lies; where its directory leads nowhere, `path` itself. The last component is not followed."""
        directory, slash, name = path.rpartition("/")
        if not slash or not self._links:
            return path
        real = self._directories.get(directory)
        if real is None:
            end = self._bounded(_End(self.follow(directory)))
            real = self._directories[directory] = directory if end.path is None else end.path
        return f"{real}/{name}" if real else name

    def target_of(self, path: str) -> str | None:
        """Return what `path` leads to, if that is another path; None for a circle, too."""
        real = self.resolve(path)
        target = self.follow(real) if real in self._links else real
        return None if target == path else target

    def follow(self, path: str) -> str | None:
        """Return what `path` leads to, its last component followed as well; None for a circle."""
        waiting: list[str] = []  # links on the way, each of which needs the end of the next one
        while True:
            link = waiting[-1] if waiting else None
            found = self._walk("", path) if link is None else self._walk(link.rpartition("/")[0], self._links[link])
            if isinstance(found, str):
                self._ends[found] = _NOWHERE  # until it is known: who meets it meanwhile goes in a circle
                waiting.append(found)
            elif link is None:
                return found.path
            else:
                self._ends[waiting.pop()] = self._bounded(_End(found.path, found.hops + 1))

    def names_of(self, path: str) -> Iterator[str]:
        """Yield the names that a record may have for the entry at `path`: its own, where it really lies, and some through one link to a directory above that."""
        yield path
        real = self.resolve(path)
        if real != path:
            yield real
        if self._links:
            yield from islice(self._names_through_links(real), _MAX_NAMES)

    def _names_through_links(self, real: str) -> Iterator[str]:
        names = self._links_to()
        directory = parent_of(real)
        while directory:
            for link in names.get(directory, ()):
                yield link + real[len(directory) :]
            directory = directory.rpartition("/")[0]

    def _links_to(self) -> Mapping[str, Sequence[str]]:
        """The links by what they lead to, at most a few each."""
        if self._names is None:
            self._names = {}
            for link in self._links:
                target = self.follow(link)
                links = self._names.setdefault(target, []) if target else []
                if len(links) < _MAX_NAMES:
                    links.append(link)
        return self._names

    def _walk(self, directory: str, path: str) -> _End | str:
        """Follow `path` from a directory without links in its own path; answer a link whose end is not known yet, if one is on the way."""
        if path.count("/") > 2 * MAX_DEPTH:
            return _NOWHERE
        here, hops = "" if path.startswith("/") else directory, 0
        for part in path.split("/"):
            if part in {"", "."}:
                continue
            if part == "..":
                here = here.rpartition("/")[0]
                continue
            here = f"{here}/{part}" if here else part
            if here in self._links:
                end = self._ends.get(here)
                if end is None:
                    return here
                if end.path is None:
                    return _NOWHERE
                here, hops = end.path, hops + end.hops
        return _End(here, hops)

    def _bounded(self, end: _End) -> _End:
        """The end, if it is near enough to be followed and remembered."""
        if end.path is None or end.hops > MAX_HOPS or len(end.path) > _MAX_LENGTH or end.path.count("/") >= MAX_DEPTH:
            return _NOWHERE
        self._room -= len(end.path)
        return end if self._room >= 0 else _NOWHERE
