"""Real files for the analyzers: Debian packages, unpacked beside each other and kept for the next run."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from pratique.errors import InputError
from pratique.inventory.analyzer import Analyzer, Fact, LayerFile

CACHE = Path(__file__).parent.parent.parent / ".cache" / "packages"
_DOWNLOAD_SECONDS = 300
_UNPACK_SECONDS = 120


def unpack(*names: str) -> Path:
    """The root of a tree that holds these Debian packages, without their dependencies and without their scripts having run."""
    root = CACHE / "+".join(sorted(names))
    if root.is_dir():
        return root
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        work = Path(folder)
        command = ["apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", *names]
        subprocess.run(command, cwd=work, check=True, capture_output=True, text=True, timeout=_DOWNLOAD_SECONDS)
        for archive in sorted(work.glob("*.deb")):
            subprocess.run(
                ["dpkg-deb", "-x", str(archive), str(work / "root")], check=True, capture_output=True, text=True, timeout=_UNPACK_SECONDS
            )
        try:
            (work / "root").rename(root)
        except OSError:  # another run was faster
            shutil.rmtree(work / "root")
    return root


def read_tree(root: Path, analyzer: Analyzer) -> tuple[dict[str, list[Fact]], dict[str, str]]:
    """What an analyzer reads in a tree of files, as the pass over a layer would ask it: facts by path, and problems by path."""
    facts: dict[str, list[Fact]] = {}
    problems: dict[str, str] = {}
    for file in _files(root, analyzer):
        try:
            for fact in analyzer.parse(file):
                facts.setdefault(file.path, []).append(fact)
        except InputError as error:
            problems[file.path] = str(error)
    return facts, problems


def _files(root: Path, analyzer: Analyzer) -> Iterator[LayerFile]:
    wants: Callable[[str, bytes], bool] = analyzer.paths.matches
    for path in sorted(root.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        relative = str(path.relative_to(root))
        with path.open("rb") as stream:
            if wants(relative, stream.read(8)):
                stream.seek(0)
                size = path.stat().st_size
                limit = analyzer.max_bytes if size <= analyzer.max_bytes else analyzer.head_bytes
                yield LayerFile(path=relative, content=stream.read(limit), size=size, mode=path.stat().st_mode & 0o7777)
