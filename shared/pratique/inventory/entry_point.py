"""Which files an image's entry point runs: found as a container runtime and the kernel would."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pratique.inventory.path_resolver import PathResolver

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""What runtimes search where the image sets no PATH (containerd, Docker)."""

_MAX_WORDS = 64  # of a command line that are looked at
_MAX_DIRECTORIES = 64  # of PATH that are searched: a hostile one has 500,000, for each of the words
_MAX_INTERPRETERS = 5  # a script's interpreter may be a script itself; Linux follows four


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryPoint:
    """What a container of the image runs: `command` is ENTRYPOINT and CMD together, `path` the PATH variable, `directory` the working directory."""

    command: tuple[str, ...] = ()
    path: str = DEFAULT_PATH
    directory: str = "/"


def find_entry_files(entry_point: EntryPoint, interpreters: Mapping[str, str], resolver: PathResolver) -> frozenset[str]:
    """Return the executables that the command line names, and their interpreters; `interpreters` has every executable with its interpreter (`` for binaries).

    Words of a shell's command line (`sh -c "exec /app/server"`) count as well. What a program goes on to run is not known from here.
    """
    real = {resolver.resolve(path): path for path in interpreters}
    found: set[str] = set()
    for word in _words(entry_point.command):
        for candidate in _candidates(word, entry_point):
            path = resolver.follow(candidate)
            if path in real:
                found.update(_with_interpreters(real[path], interpreters, real, resolver))
                break
    return frozenset(found)


def _words(command: Sequence[str]) -> Iterator[str]:
    count = 0
    for argument in command:
        for word in argument.split() if " " in argument else (argument,):
            yield word.strip("\"';&|()")
            count += 1
            if count >= _MAX_WORDS:
                return


def _candidates(word: str, entry_point: EntryPoint) -> Iterator[str]:
    if "\0" in word or not word:
        return
    if word.startswith("/"):
        yield word.lstrip("/")
    elif "/" in word:
        yield f"{entry_point.directory.strip('/')}/{word}"
    else:
        for directory in (entry_point.path or DEFAULT_PATH).split(":", _MAX_DIRECTORIES)[:_MAX_DIRECTORIES]:
            yield f"{directory.strip('/')}/{word}"
        yield f"{entry_point.directory.strip('/')}/{word}"  # `python app.py`


def _with_interpreters(path: str, interpreters: Mapping[str, str], real: Mapping[str, str], resolver: PathResolver) -> Iterator[str]:
    for _ in range(_MAX_INTERPRETERS):
        yield path
        interpreter = interpreters.get(path, "").lstrip("/")
        followed = resolver.follow(interpreter) if interpreter else None
        if followed is None or followed not in real:
            return
        path = real[followed]
