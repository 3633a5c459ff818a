"""No layer is fetched twice: asserted on what the registry was asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.deployment import Deployment
from tests.support.images import ImageLayout, debian_files, make_image, make_layer, push, python_files
from tests.support.servers import DockerRegistry


def fetched_blobs(registry: DockerRegistry) -> set[str]:
    """The digests of blobs that were downloaded (skopeo only uploads)."""
    return {path.rpartition("/")[2] for method, path, status in registry.requests() if method == "GET" and "/blobs/sha256:" in path}


@pytest.mark.parametrize("kind", ["servers", "embedded"])
def test_layers_are_fetched_once_whichever_repository_or_image_brings_them(
    kind: str, deploy: Callable[..., Deployment], docker_registry: Callable[..., DockerRegistry], tmp_path: Path
) -> None:
    pratique = deploy(kind)
    registry = docker_registry(**pratique.webhook)
    pratique.configure(registry).start_all()
    base = make_layer(debian_files({"zlib1g": "1:1.2.11.dfsg-2+deb11u2", "bash": "5.1-2+deb11u1"}))
    first = make_image(tmp_path / "first", [base, make_layer(python_files({"six": "1.16.0"}))])
    second = make_image(tmp_path / "second", [base, make_layer(python_files({"attrs": "23.1.0"}))])

    def push_and_wait(layout: ImageLayout, name: str) -> set[str]:
        registry.clear()
        push(layout, f"{registry.host}/{name}")
        code, _ = pratique.status(f"{registry.host}/{name}")
        assert code == 0
        return fetched_blobs(registry) & {*first.layers, *second.layers}

    assert push_and_wait(first, "team-a/app:1") == {*first.layers}
    assert push_and_wait(first, "team-b/copy:1") == set()
    assert push_and_wait(second, "team-a/other:1") == {second.layers[1]}
