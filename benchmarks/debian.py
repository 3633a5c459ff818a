"""A Debian root in four layers, as builds leave them: system, libraries and runtimes, build tools, application.

1. mmdebstrap unpacks the packages into one root;
2. dpkg's records say which package a file belongs to, and the package's section which layer;
3. each layer has the dpkg database as it was at its time, so that every layer above the first replaces it.
"""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, cast

from benchmarks.layers import MTIME, Members, parents
from tests.support.images import _debian_mirror
from tests.support.servers import find_tool

LAYERS = range(4)
_SYSTEM, _RUNTIMES, _TOOLS, _APPLICATION = LAYERS
SECTIONS = {"devel": _TOOLS, "libdevel": _TOOLS, "kernel": _TOOLS, "vcs": _TOOLS}
SECTIONS |= {"javascript": _APPLICATION, "python": _APPLICATION, "web": _APPLICATION, "java": _APPLICATION}
SMALL_PACKAGES = frozenset({"base-files", "base-passwd", "netbase", "libc6", "libgcc-s1", "gcc-12-base", "ca-certificates", "zlib1g"})
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_STATUS = "var/lib/dpkg/status"
_INFO = "var/lib/dpkg/info/"
_MERGED = ("bin/", "sbin/", "lib/", "lib32/", "lib64/")  # links to usr/… in the root, but dpkg's lists have both


def unpack(suite: str, packages: Iterable[str], target: Path) -> Path:
    """Unpack packages and what they need into a tar, from the mirror that apt is set up with."""
    options = ["--quiet", "--variant=minbase", f"--keyring={_KEYRING}", f"--include={','.join(packages)}"]
    command = [str(find_tool("mmdebstrap")), *options, suite, str(target), f"deb {_debian_mirror()} {suite} main"]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(MTIME)}  # mmdebstrap's way to give the same tar again
    subprocess.run(command, check=True, timeout=1800, env=environment)
    return target


class DebianRoot:
    """A root in a tar, and which layer each of its members belongs to. One instance serves one thread at a time."""

    def __init__(self, root: Path) -> None:
        self._archive = tarfile.open(root)  # noqa: SIM115 - members are read from it for as long as this lives
        self._members = {_path(member): member for member in self._archive if _path(member) and not member.isdev()}
        self._stanzas = self.read(_STATUS).decode().strip().split("\n\n")
        self.records = {fields["Package"]: fields for fields in map(_fields, self._stanzas)}
        self._owners = dict(self._owned())

    def layer(self, number: int) -> Members:
        """Give one layer. A directory is in every layer that has something in it."""
        own = {path for path in self._members if self._layer_of(path) == number and not self._members[path].isdir()}
        folders = {folder for path in own for folder in parents(path)}
        stanzas = [stanza for stanza in self._stanzas if self._layer_of_package(_fields(stanza)["Package"]) <= number]
        return self._give([path for path in self._members if path in own | folders and path != _STATUS], stanzas)

    def small_layer(self) -> Members:
        """Give an image of a few packages in one layer."""
        own = {path for path, owner in self._owners.items() if owner in SMALL_PACKAGES and path in self._members}
        stanzas = [stanza for stanza in self._stanzas if _fields(stanza)["Package"] in SMALL_PACKAGES]
        return self._give(sorted(own), stanzas)

    def resolved_files(self, folder: str, suffix: str) -> Iterator[tuple[str, bytes]]:
        """Base names and contents of the regular files right in a folder whose names end so."""
        for path, member in sorted(self._members.items()):
            if path.rpartition("/")[0] == folder and path.endswith(suffix) and member.isreg():
                yield path.rpartition("/")[2], self.read(path)

    def read(self, path: str) -> bytes:
        return self._open(self._members[path]).read()

    def _give(self, paths: Iterable[str], stanzas: list[str]) -> Members:
        for path in paths:
            member = self._members[path].replace(name=path, deep=False)
            member.linkname = member.linkname.removeprefix("./") if member.islnk() else member.linkname
            yield member, self._open(self._members[path]) if member.isreg() else None
        status = ("\n\n".join(stanzas) + "\n").encode()
        member = self._members[_STATUS].replace(name=_STATUS, deep=False)
        member.size = len(status)
        yield member, io.BytesIO(status)

    def _layer_of(self, path: str) -> int:
        """The layer of the package that owns the path, or the nearest directory above it; of a hard link, that of its target."""
        if (member := self._members[path]).islnk():
            return self._layer_of(member.linkname.removeprefix("./"))
        if path.startswith(_INFO):
            return self._layer_of_package(path.removeprefix(_INFO).rpartition(".")[0].partition(":")[0])
        owner = next((self._owners[place] for place in (path, *parents(path)) if place in self._owners), "")
        return self._layer_of_package(owner)

    def _layer_of_package(self, name: str) -> int:
        fields = self.records.get(name, {})
        if fields.get("Priority", "required") == "required" or name in SMALL_PACKAGES:
            return _SYSTEM
        return SECTIONS.get(fields.get("Section", ""), _RUNTIMES)

    def _owned(self) -> Iterator[tuple[str, str]]:
        for path in self._members:
            if path.startswith(_INFO) and path.endswith(".list"):
                owner = path.removeprefix(_INFO).removesuffix(".list").partition(":")[0]
                for line in self.read(path).decode().splitlines():
                    listed = line.strip("/")
                    yield (f"usr/{listed}" if listed.startswith(_MERGED) else listed), owner

    def _open(self, member: tarfile.TarInfo) -> BinaryIO:
        content = self._archive.extractfile(member)
        if content is None:
            raise FileNotFoundError(member.name)
        return cast(BinaryIO, content)


def _path(member: tarfile.TarInfo) -> str:
    return member.name.removeprefix(".").strip("/")


def _fields(stanza: str) -> Mapping[str, str]:
    lines = (line.partition(": ") for line in stanza.splitlines() if not line.startswith(" "))
    return {key: value for key, _, value in lines}
