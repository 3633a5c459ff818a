"""A directory as one uncompressed tar, the same bytes for the same content. Blocking: for threads.

Names, types, modes, owners, link targets and contents count; times and extended attributes do not. Links are written as links and never followed, and every
file is opened relative to its directory's descriptor: a link that is swapped in while the walk goes on cannot lead out of the root.
"""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from pratique.errors import InvalidLayer, LimitExceeded
from pratique.registry.local_files import CHUNK, translated_files

_MAX_DEPTH = 256  # directories in directories: each holds a descriptor open
_MAX_ENTRIES = 5_000_000  # protects against endless file systems
_BLOCK = tarfile.BLOCKSIZE
_END = bytes(2 * _BLOCK)
_KERNEL_DIRECTORIES = frozenset(
    {"proc", "sys", "dev", "run"}
)  # at the root: where something is mounted there, it is the running system's, not the image's
_TYPES = {stat.S_IFCHR: tarfile.CHRTYPE, stat.S_IFBLK: tarfile.BLKTYPE, stat.S_IFIFO: tarfile.FIFOTYPE}


def iterate_tar(root: Path) -> Generator[bytes, None, None]:
    """Yield the tar in chunks of about 1 MiB.

    Raises RefusedError for a file that cannot be read (an image is never clean because its files are unreadable), InvalidLayer where the directory changes
    while it is read, LimitExceeded.
    """
    pending: list[bytes] = []
    gathered = 0
    for piece in _pieces(root):
        pending.append(piece)
        gathered += len(piece)
        if gathered >= CHUNK:
            yield b"".join(pending)
            pending.clear()
            gathered = 0
    yield b"".join([*pending, _END])


def _pieces(root: Path) -> Iterator[bytes]:
    with translated_files(root):
        device = root.stat().st_dev
        count = 0
        for place, directories, files, descriptor in os.fwalk(root, onerror=_raise, follow_symlinks=False):
            inside = Path(place).relative_to(root).as_posix()
            if inside.count("/") >= _MAX_DEPTH:
                raise LimitExceeded(f"{root}: directories nested deeper than {_MAX_DEPTH}")
            names = sorted([*directories, *files], key=os.fsencode)
            count += len(names)
            if count > _MAX_ENTRIES:
                raise LimitExceeded(f"{root}: more than {_MAX_ENTRIES} files")
            for name in names:
                with _unchanging(name):
                    yield from _entry(name, "" if inside == "." else f"{inside}/", descriptor)
            directories.sort(key=os.fsencode)
            if inside == ".":
                directories[:] = [name for name in directories if not _is_kernel_mount(name, descriptor, device)]


@contextmanager
def _unchanging(name: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise InvalidLayer(f"{name[:140]!r} vanished while the directory was read") from error


def _raise(error: OSError) -> None:
    raise error


def _is_kernel_mount(name: str, directory: int, device: int) -> bool:
    return name in _KERNEL_DIRECTORIES and os.stat(name, dir_fd=directory, follow_symlinks=False).st_dev != device


def _entry(name: str, prefix: str, directory: int) -> Iterator[bytes]:
    found = os.stat(name, dir_fd=directory, follow_symlinks=False)
    info = tarfile.TarInfo(prefix + name)
    info.mode = stat.S_IMODE(found.st_mode)
    info.uid, info.gid = found.st_uid, found.st_gid
    kind = stat.S_IFMT(found.st_mode)
    if kind == stat.S_IFREG:
        yield from _file(info, name, directory)
        return
    if kind == stat.S_IFDIR:
        info.type = tarfile.DIRTYPE
    elif kind == stat.S_IFLNK:
        info.type, info.linkname = tarfile.SYMTYPE, os.readlink(name, dir_fd=directory)
    elif kind in _TYPES:
        info.type = _TYPES[kind]
        info.devmajor, info.devminor = os.major(found.st_rdev), os.minor(found.st_rdev)
    else:
        return  # a socket: tar knows none
    yield _header(info)


def _file(info: tarfile.TarInfo, name: str, directory: int) -> Iterator[bytes]:
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise InvalidLayer(f"{info.name[:140]!r} changed its type while it was read")
        info.size = found.st_size
        yield _header(info)
        left = info.size
        while left:
            chunk = os.read(descriptor, min(CHUNK, left))
            if not chunk:
                raise InvalidLayer(f"{info.name[:140]!r} became shorter while it was read")
            left -= len(chunk)
            yield chunk
        yield bytes(-info.size % _BLOCK)
    finally:
        os.close(descriptor)


def _header(info: tarfile.TarInfo) -> bytes:
    return info.tobuf(format=tarfile.GNU_FORMAT, encoding="utf-8", errors="surrogateescape")
