"""The symbolic links of an image's directories: one file has several names, and package managers record any of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pratique.inventory.layer_links import resolve
from pratique.inventory.layer_paths import split_paths
from pratique.inventory.layer_stack import ScannedLayer, links_of

_MAX_NAMES = 8  # links to one directory under which its files are looked for


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


class PathResolver:
    """Follows the symbolic links among the directories of a path, as a kernel would: `lib/x` is `usr/lib/x` where `lib` links to `usr/lib`."""

    def __init__(self, links: Mapping[str, str]) -> None:
        self._links = {path.encode(): target.encode() for path, target in links.items()}
        self._resolved: dict[str, str] = {"": ""}
        self._names: dict[str, list[str]] | None = None

    def resolve(self, path: str) -> str:
        """Return where the entry at `path` really lies. The last component is not followed."""
        directory, slash, name = path.rpartition("/")
        if not slash:
            return path
        real = self._resolved.get(directory)
        if real is None:
            real = self._resolved[directory] = self._follow(directory)
        return f"{real}/{name}" if real else name

    def follow(self, path: str) -> str | None:
        """Return what `path` leads to, its last component followed as well; None for a circle."""
        found = resolve(path.encode(), self._links)
        return found.decode() if found is not None else None

    def names_of(self, path: str) -> Iterator[str]:
        """Yield the names that a record may have for the entry at `path`: its own, where it really lies, and through one link to a directory above that."""
        yield path
        real = self.resolve(path)
        if real != path:
            yield real
        names = self._links_to()
        directory = real.rpartition("/")[0]
        while directory:
            for link in names.get(directory, ()):
                yield link + real[len(directory) :]
            directory = directory.rpartition("/")[0]

    def _links_to(self) -> Mapping[str, Sequence[str]]:
        """The links by what they lead to, at most a few each: a hostile image may have a million links to one directory."""
        if self._names is None:
            self._names = {}
            for link in self._links:
                target = resolve(link, self._links)
                links = self._names.setdefault(target.decode(), []) if target else []
                if len(links) < _MAX_NAMES:
                    links.append(link.decode())
        return self._names

    def _follow(self, directory: str) -> str:
        parent = self._resolved.get(directory.rpartition("/")[0])
        if parent is not None and directory.encode() not in self._links and ".." not in directory:
            name = directory.rpartition("/")[2]
            here = f"{parent}/{name}" if parent else name
            if here.encode() not in self._links:
                return here
        return self.follow(directory) or directory
