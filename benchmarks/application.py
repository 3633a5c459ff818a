"""What an application brings beside the system's packages: a fat jar, a pip tree, an npm tree, downloaded Go programs, and its own code.

Versions are pinned in the folder `recipe`; pip and npm download from where they are set up to.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path

from benchmarks.contenders import prepare_contenders
from benchmarks.debian import DebianRoot
from benchmarks.layers import Members, bytes_members, tree_members
from tests.support.servers import find_tool

RECIPE = Path(__file__).parent / "recipe"
DOWNLOADED = {"crane": "crane", "oras": "oras", "cosign": "cosign-3"}  # Go programs in usr/local/bin and what `.tools/bin` calls them
SITE_PACKAGES = "opt/venv/lib/python3.11/site-packages/"
_ZIP_TIME = (2023, 11, 14, 22, 13, 20)
_PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
_MODULES, _ROWS = 24, 900  # about 2 MB of own code


def install(root: DebianRoot, folder: Path) -> None:
    """Put the trees into an empty folder, as they will lie in the image."""
    _install_python(folder / SITE_PACKAGES)
    _install_node(folder / "opt/web")
    programs = folder / "usr/local/bin"
    programs.mkdir(parents=True)
    for name, tool in DOWNLOADED.items():
        shutil.copy(find_tool(tool).resolve(), programs / name)
    shutil.copy(prepare_contenders().syft, programs / "syft")  # of 400 Go modules; Debian builds its programs without a list of them
    (folder / "opt/app").mkdir()
    (folder / "opt/app/orders.jar").write_bytes(_fat_jar(root.resolved_files("usr/share/java", ".jar")))


def dependencies(folder: Path) -> Members:
    """Give the layer of all that `install` made."""
    return tree_members(folder)


def own_code(*, is_changed: bool) -> Members:
    """Give the layer of the second application: a Python service and a script for its pages; a change touches every module."""
    return bytes_members(dict(_own_files(7 if is_changed else 3)))


def _install_python(target: Path) -> None:
    print("installing Python packages", flush=True)
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-compile",
        "--only-binary",
        ":all:",
        "--no-warn-conflicts",
    ]
    platforms = chain.from_iterable(("--platform", platform) for platform in _PLATFORMS)
    options = ["--python-version", "3.11", "--root-user-action", "ignore", "-r", str(RECIPE / "requirements.txt"), "--target", str(target)]
    subprocess.run([*command, *platforms, *options], check=True, timeout=900)


def _install_node(target: Path) -> None:
    print("installing npm packages", flush=True)
    target.mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(RECIPE / name, target)
    command = [str(find_tool("npm")), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"]
    subprocess.run(command, check=True, timeout=900, cwd=target, env={**os.environ, "NODE_ENV": "development"}, stdout=subprocess.DEVNULL)


def _fat_jar(libraries: Iterable[tuple[str, bytes]]) -> bytes:
    """A jar of jars as Spring Boot's build makes it: libraries stored, not compressed, under BOOT-INF/lib."""
    manifest = (
        "Manifest-Version: 1.0\r\nMain-Class: org.springframework.boot.loader.JarLauncher\r\nStart-Class: com.example.orders.Orders\r\n"
    )
    manifest += "Spring-Boot-Version: 2.7.18\r\nSpring-Boot-Classes: BOOT-INF/classes/\r\nSpring-Boot-Lib: BOOT-INF/lib/\r\n"
    manifest += "Implementation-Title: orders\r\nImplementation-Version: 1.4.2\r\n\r\n"
    properties = "artifactId=orders\ngroupId=com.example\nversion=1.4.2\n"
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as archive:
        _add(archive, "META-INF/MANIFEST.MF", manifest.encode(), zipfile.ZIP_DEFLATED)
        _add(archive, "META-INF/maven/com.example/orders/pom.properties", properties.encode(), zipfile.ZIP_DEFLATED)
        _add(archive, "BOOT-INF/classes/application.properties", b"server.port=8080\n", zipfile.ZIP_DEFLATED)
        for name, content in libraries:
            _add(archive, f"BOOT-INF/lib/{name}", content, zipfile.ZIP_STORED)
    return output.getvalue()


def _add(archive: zipfile.ZipFile, name: str, content: bytes, compression: int) -> None:
    archive.writestr(zipfile.ZipInfo(name, _ZIP_TIME), content, compression)


def _own_files(seed: int) -> Iterator[tuple[str, bytes]]:
    settings: Mapping[str, object] = {"name": "orders-pages", "version": "2.0.1", "private": True, "dependencies": {"express": "5.3.0"}}
    yield "srv/orders/package.json", json.dumps(settings, indent=2).encode()
    for number in range(_MODULES):
        rows = "".join(
            f'    ("{seed * number * row % 99991:05d}", "article {row}", {row * seed % 997}, "warehouse {row % 17}"),\n'
            for row in range(_ROWS)
        )
        yield f"srv/orders/orders/table_{number}.py", f'"""Articles, part {number}."""\n\nROWS = [\n{rows}]\n'.encode()
        cases = "".join(f"  case {row}: return articles[{seed * number * row % 99991}] ?? 'article {row}'\n" for row in range(_ROWS))
        yield f"srv/orders/pages/table-{number}.js", f"export function label(row, articles) {{ switch (row) {{\n{cases}}} }}\n".encode()
