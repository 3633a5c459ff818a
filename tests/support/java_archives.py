"""Java archives made for tests."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

from pratique.inventory.analyzer import LayerFile
from pratique.inventory.analyzers.java import parse
from pratique.inventory.package import Package
from tests.support.layer_results import read

Members = Mapping[str, bytes | str]


def archive(members: Members | None = None, *, stored: bool = False, prefix: bytes = b"") -> bytes:
    """A zip archive of these members, behind `prefix` (the script of an executable jar)."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED) as writer:
        for name, content in (members or {}).items():
            writer.writestr(zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0)), content, zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED)
    return prefix + stream.getvalue()


def manifest(**fields: str) -> dict[str, str]:
    """A manifest as the one member of an archive; `Bundle_Version` stands for `Bundle-Version`."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return {"META-INF/MANIFEST.MF": f"Manifest-Version: 1.0\r\n{lines}\r\n"}


def pom_properties(group: str, artifact: str, version: str) -> dict[str, str]:
    """Maven's description of an artifact, where Maven puts it."""
    return {f"META-INF/maven/{group}/{artifact}/pom.properties": f"#Generated\nversion={version}\ngroupId={group}\nartifactId={artifact}\n"}


def pom_xml(path: str, body: str) -> dict[str, str]:
    """A pom.xml in `META-INF/maven/PATH` with `body` in its project."""
    return {f"META-INF/maven/{path}/pom.xml": f'<?xml version="1.0"?><project xmlns="http://maven.apache.org/POM/4.0.0">{body}</project>'}


def artifacts(path: str, content: bytes) -> tuple[list[str], str]:
    """What an archive holds, as `group:artifact@version`, and the problem told after that."""
    facts, problem = read(parse, LayerFile(path=path, content=content))
    return [f"{fact.matching_name}@{fact.version}" for fact in facts if isinstance(fact, Package)], problem
