"""Files as artifacts in a registry, by oras: the advisory database, reports. The only module that knows oras; import it late, it costs 200 ms.

oras is synchronous, so it runs in a thread, and leaves some things to its caller. Here it gets

1. an `Authorization` that our own client has obtained: oras keeps one token for all repositories and renews none;
2. a time limit on every request and on the whole: a thread cannot be cancelled;
3. no retries: oras would sleep for up to two minutes between them, but passes on its own AuthenticationException at once;
4. a check of everything it pushed or pulled against digests, and a limit on what it writes to disk.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

import requests
from oras.auth import AuthenticationException
from oras.client import OrasClient
from oras.defaults import annotation_title, default_blob_dir_media_type
from yarl import URL

from pratique.errors import (
    DigestMismatch,
    InvalidManifest,
    InvalidReference,
    LimitExceeded,
    PratiqueError,
    RefusedError,
    RegistryUnavailable,
)
from pratique.oci import media_types
from pratique.oci.digest import Digest
from pratique.oci.manifest import Descriptor, Manifest
from pratique.oci.reference import Reference
from pratique.registry.calls import pull_scope, push_scope
from pratique.registry.client import RegistryClient
from pratique.registry.local_files import CHUNK, open_regular, translated_files
from pratique.registry.transport import proxy_of

_UPLOAD_CHUNK = 16 * CHUNK  # in memory at once; without chunks oras reads the whole file
_MAX_TRANSFER = 2 * 1024**3  # bytes of a pulled artifact: protects the disk
_SECONDS = 900.0  # of a push or pull


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactFile:
    """A local file and the media type it is stored with."""

    path: Path
    media_type: str = "application/octet-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileArtifact:
    """Files that travel together. Their base names must differ; they come back under those."""

    artifact_type: str
    files: tuple[ArtifactFile, ...]
    annotations: Mapping[str, str] = field(default_factory=dict)


async def push_artifact(client: RegistryClient, reference: Reference, artifact: FileArtifact, *, seconds: float = _SECONDS) -> Descriptor:
    """Store files under the reference's tag and answer the manifest's descriptor, after checking that the registry has exactly these files.

    Raises InvalidReference without a tag, DigestMismatch, RegistryUnavailable, RefusedError, MissingError.
    """
    if reference.tag is None:
        raise InvalidReference(f"expected a tag to push to, got {reference}")
    token = await client.authorization(push_scope(reference.repository))
    oras = _Oras(client, token, time.monotonic() + seconds, artifact.artifact_type)
    text = await asyncio.to_thread(_push, oras, _target(client, reference, f":{reference.tag}"), artifact)
    document = await client.fetch_document(reference.repository, Digest.parse(text))
    expected = [await asyncio.to_thread(_digest_of, file.path) for file in artifact.files]
    if not isinstance(document, Manifest) or [layer.digest for layer in document.layers] != expected:
        raise DigestMismatch(f"{reference}: the registry holds other files than were pushed")
    return document.descriptor


async def pull_artifact(
    client: RegistryClient, reference: Reference, directory: Path, *, limit: int = _MAX_TRANSFER, seconds: float = _SECONDS
) -> tuple[Path, ...]:
    """Fetch the files of an artifact into `directory`, where each appears under its name only after its digest was verified.

    Raises InvalidManifest for names that are no plain file names, LimitExceeded for more than `limit` bytes together, DigestMismatch, RegistryUnavailable,
    RefusedError, MissingError.
    """
    document = await client.fetch_document(reference.repository, reference.locator)
    names = _plan(document if isinstance(document, Manifest) else None, reference, limit)
    token = await client.authorization(pull_scope(reference.repository))
    oras = _Oras(client, token, time.monotonic() + seconds, sizes={str(layer.digest): layer.size for layer in names.values()})
    target = _target(client, reference, f"@{document.descriptor.digest}")
    return await asyncio.to_thread(_pull, oras, target, directory, names)


def _target(client: RegistryClient, reference: Reference, suffix: str) -> str:
    return f"{client.access.origin.authority}/{reference.repository}{suffix}"


def _plan(document: Manifest | None, reference: Reference, limit: int) -> dict[str, Descriptor]:
    if document is None or not document.layers:
        raise InvalidManifest(f"{reference}: expected an artifact with files")
    if sum(layer.size for layer in document.layers) > limit:
        raise LimitExceeded(f"{reference}: files of more than {limit} bytes")
    names = {layer.annotations.get(annotation_title, ""): layer for layer in document.layers}
    for name, layer in names.items():
        plain = name not in {"", ".", ".."} and Path(name).name == name and "\0" not in name and len(os.fsencode(name)) <= 255  # noqa: PLR2004 - NAME_MAX
        if not plain or layer.media_type == default_blob_dir_media_type:
            raise InvalidManifest(f"{reference}: expected a plain file with a name, got {name[:140]!r} of {layer.media_type[:140]}")
    if len(names) != len(document.layers):
        raise InvalidManifest(f"{reference}: several files of the same name")
    return names


def _push(oras: _Oras, target: str, artifact: FileArtifact) -> str:
    with _translated(target), oras.session:
        answer = oras.push(
            target,
            files=[f"{file.path}:{file.media_type}" for file in artifact.files],
            manifest_config=f"{os.devnull}/none:{media_types.OCI_EMPTY}",  # no such file: oras writes `{}`
            manifest_annotations=dict(artifact.annotations),
            disable_path_validation=True,
            do_chunked=True,
            chunk_size=_UPLOAD_CHUNK,
            quiet=True,
        )
        return str(answer.headers.get("Docker-Content-Digest") or Digest.of(answer.request.body))


def _pull(oras: _Oras, target: str, directory: Path, names: Mapping[str, Descriptor]) -> tuple[Path, ...]:
    with translated_files(directory), tempfile.TemporaryDirectory(prefix=".pratique-", dir=directory) as folder:
        with _translated(target), oras.session:
            oras.pull(target, outdir=folder)
        for name, layer in names.items():
            found = _digest_of(Path(folder, name))
            if found != layer.digest:
                raise DigestMismatch(f"{target}: expected {layer.digest} for {name!r}, got {found}")
        return tuple(Path(folder, name).replace(directory / name) for name in names)


def _digest_of(path: Path) -> Digest:
    hasher = Digest.of(b"").hasher()
    with open_regular(path) as file, translated_files(path):
        while chunk := file.read(CHUNK):
            hasher.update(chunk)
    return Digest("sha256", hasher.hexdigest())


class _Stopped(AuthenticationException):  # type: ignore[misc]
    """Carries an error of ours through oras, which passes on this kind alone without trying again."""

    def __init__(self, reason: PratiqueError) -> None:
        super().__init__(str(reason))
        self.reason = reason


@contextmanager
def _translated(target: str) -> Iterator[None]:
    """Turn whatever oras raises (ValueError for most answers) into an error of ours."""
    try:
        yield
    except _Stopped as error:
        raise error.reason from error
    except (requests.exceptions.RequestException, ValueError, KeyError) as error:
        raise RegistryUnavailable(f"{target}: {type(error).__name__}: {str(error)[:300]}") from error


class _Oras(OrasClient):  # type: ignore[misc]
    """oras for one registry, one repository and one push or pull."""

    def __init__(
        self,
        client: RegistryClient,
        authorization: str | None,
        deadline: float,
        artifact_type: str | None = None,
        sizes: Mapping[str, int] | None = None,
    ) -> None:
        access = client.access
        super().__init__(
            hostname=access.origin.authority, insecure=access.plain_http, tls_verify=str(access.ca_file) if access.ca_file else True
        )
        self._access = access
        self._deadline = deadline
        self._artifact_type = artifact_type
        self._sizes = sizes or {}
        self._authorization = {"Authorization": authorization} if authorization else {}
        self._send = self.session.request
        self.session.request = self._request
        self.session.trust_env = False  # a ~/.netrc would win over our authorization
        proxy = proxy_of(access.origin)
        self.session.proxies = {access.origin.scheme: proxy} if proxy else {}
        self.auth.load_configs = _no_configs

    def upload_manifest(self, manifest: dict[str, object], container: object) -> requests.Response:
        """Add the artifact type, which oras does not know."""
        answer: requests.Response = super().upload_manifest({**manifest, "artifactType": self._artifact_type}, container)
        return answer

    def get_blob(self, container: object, digest: str, stream: bool = False, head: bool = False) -> requests.Response:
        """Stop a blob that grows beyond its promised size or the time limit."""
        answer: requests.Response = super().get_blob(container, digest, stream, head)
        answer.iter_content = partial(  # type: ignore[method-assign]
            self._bounded, answer.iter_content, self._sizes.get(digest, 0)
        )
        return answer

    def _bounded(self, iterate: Callable[..., Iterator[bytes]], left: int, chunk_size: int) -> Iterator[bytes]:
        for chunk in iterate(chunk_size=max(chunk_size, CHUNK)):
            left -= len(chunk)
            self._check_deadline()
            if left < 0:
                raise _Stopped(DigestMismatch("a blob is larger than its manifest says"))
            yield chunk

    def _request(self, method: str, url: str, **options: Any) -> requests.Response:  # noqa: ANN401 - as requests has it
        self._check_deadline()
        options["timeout"] = (self._access.connect_timeout, self._access.read_timeout)
        if URL(url).origin() == self._access.origin:
            options["headers"] = {**(options.get("headers") or {}), **self._authorization}
        try:
            answer: requests.Response = self._send(method, url, **options)
        except requests.exceptions.RequestException as error:
            raise _Stopped(RegistryUnavailable(f"registry {self._access.host}: {type(error).__name__}")) from error
        problem = self._problem_of(answer.status_code, method)
        if problem is not None:
            answer.close()
            raise _Stopped(problem)
        return answer

    def _problem_of(self, status: int, method: str) -> PratiqueError | None:
        text = f"registry {self._access.host}: {method} answered with {status}"
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            return RefusedError(text)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
            return RegistryUnavailable(text)
        return None

    def _check_deadline(self) -> None:
        if time.monotonic() > self._deadline:
            raise _Stopped(RegistryUnavailable(f"registry {self._access.host}: transfer not done in time"))


def _no_configs(*_: object, **__: object) -> None:
    """Stand in for oras' reading of Docker's config, which runs helpers without a time limit."""
