"""Every parser of strangers' bytes, and what it is tried with. Analyzers are taken from their registration: a new one is tried without a word here."""

from __future__ import annotations

import contextlib
import hashlib
import json
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from pratique.advisories.osv import parse_advisory
from pratique.advisories.severity import rate_vector
from pratique.advisories.sources import SOURCES, Source, SourceLimits
from pratique.advisories.versions import SCHEMES, compare
from pratique.errors import MissingError
from pratique.inventory.analyzer import Analyzer, Fact, LayerFile
from pratique.inventory.analyzers._every import ANALYZERS
from pratique.inventory.layer_pass import PassPlan, SecondLook, look_at_layer
from pratique.inventory.limits import LayerLimits
from pratique.inventory.path_index import HEAD_BYTES
from pratique.messages import DecisionTaken, ReleaseRequested, encode_message, parse_message
from pratique.oci.digest import Digest
from pratique.oci.manifest import Descriptor, Layer, parse_config, parse_document
from pratique.oci.reference import Reference
from pratique.policy.parse import parse_policy
from pratique.registry.auth import parse_challenges, parse_token
from pratique.registry.docker_archive import ArchiveFiles, SavedImageSource
from pratique.sboms.reading import read_sbom
from pratique.sboms.statements import unwrap_sbom
from pratique.signing.dsse import parse_envelope
from pratique.vex.reading import read_vex
from pratique_services.gateway.authentication import Incoming
from pratique_services.gateway.vendors import VENDORS
from tests.fuzz.feeds import feed_targets
from tests.fuzz.seeds import Pool
from tests.fuzz.trial import Input, Target
from tests.support.hostile_layers import GAPS, HARMLESS, REFUSED
from tests.support.images import debian_files, make_layer, python_files
from tests.support.layer_blobs import Entry, make_tar
from tests.support.sboms import REAL, RENDERERS, full_report, in_toto
from tests.support.vex import analysed, csaf, cyclonedx_vex, openvex, said
from tests.support.webhook_payloads import SAMPLES

_DIGEST = "sha256:" + "0" * 64
_TAR = "application/vnd.oci.image.layer.v1.tar"
_PACKED = {"chisel", "embedded-sbom", "java", "native-image", "python-archives", "rust-binary", "yarn-cache"}
_BLOB = {"mediaType": _TAR, "digest": _DIGEST, "size": 5, "annotations": {"a": "b"}}
_CHILD = {**_BLOB, "platform": {"os": "linux", "architecture": "arm64", "variant": "v8"}}
_MANIFEST = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": _BLOB, "layers": [_BLOB] * 3}
_INDEX = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [_CHILD] * 3, "subject": _BLOB}
_CONFIG = {
    "architecture": "amd64", "os": "linux", "created": "2024-01-01T00:00:00Z", "rootfs": {"type": "layers", "diff_ids": [_DIGEST] * 3},
    "config": {"User": "root", "Env": ["A=b"], "Cmd": ["sh"], "Entrypoint": ["/a"], "Labels": {"a": "b"}, "ExposedPorts": {"80/tcp": {}}, "Healthcheck": {"Test": ["CMD", "a"]}},
    "history": [{"created_by": "RUN a", "empty_layer": True}] * 3,
}  # fmt: skip
_ADVISORY = {
    "id": "PYSEC-1", "modified": "2024-01-01T00:00:00Z", "aliases": ["CVE-2024-1"], "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
    "affected": [{"package": {"ecosystem": "PyPI", "name": "a"}, "versions": ["1.0"], "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.1"}]}]}],
}  # fmt: skip
_ENVELOPE = {"payloadType": "application/vnd.in-toto+json", "payload": "e30=", "signatures": [{"sig": "AA==", "keyid": ""}]}
_VECTORS = (b"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", b"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N")
_VERSIONS = (b"1:2.3~rc1-1ubuntu2\n2.3", b"1.2.3_p1-r4\n1.2.3", b"1!2.0.post1.dev3+local.1\n2.0", b"1.2.3-rc.1+build\nv1.2.3")


def make_targets() -> list[Target]:
    """Return a target for each analyzer, then those of layers and documents."""
    pool = Pool.collect()
    return [*(analyzer_target(analyzer, pool.seeds_of(analyzer)) for analyzer in ANALYZERS), *_layers(), *_documents(), *feed_targets()]


def analyzer_target(analyzer: Analyzer, seeds: Iterable[Input]) -> Target:
    """Try an analyzer as a pass over a layer runs it: on paths that it wants, with a head of large files."""

    def parse(case: Input) -> Iterator[Fact]:
        size = len(case.content)
        if size > analyzer.max_bytes and not analyzer.head_bytes:
            return iter(())
        content = case.content if size <= analyzer.max_bytes else case.content[: analyzer.head_bytes]
        return analyzer.parse(LayerFile(path=case.path, content=content, size=size, mode=0o755))

    return Target(
        name=analyzer.name,
        seeds=tuple(seeds),
        parse=parse,
        accepts=lambda case: analyzer.paths.matches(case.path, case.content[:HEAD_BYTES]),
        is_packed=analyzer.name in _PACKED,
    )


def _layers() -> Iterator[Target]:
    """Whole layers, of every compression: the pass with all analyzers over whatever comes. Digests are right, or nothing would be looked at."""
    files = {**debian_files({"bash": "5.1"}), **python_files({"six": "1.16.0"})}
    good = [make_layer(files, compression=kind) for kind in ("gzip", "zstd", "")]
    odd = [make() for make in (*REFUSED.values(), *GAPS.values(), *HARMLESS.values())]
    yield _target("layers", _look_at_layer, *good, *(blob for blob in odd if len(blob) < 64 * 1024))


def _look_at_layer(content: bytes) -> list[object]:
    digest = Digest(algorithm="sha256", hex=hashlib.sha256(content).hexdigest())
    layer = Layer(position=0, descriptor=Descriptor(media_type=_TAR, digest=digest, size=len(content)), diff_id=None)
    plan = PassPlan(analyzers=ANALYZERS, limits=LayerLimits(), compares_contents=True)
    found = look_at_layer(layer, iter([content]), plan)
    if isinstance(found, SecondLook):
        found = look_at_layer(layer, iter([content]), plan, second_look=found.paths)
    assert not isinstance(found, SecondLook)
    bugs = [gap.reason for gap in found.gaps if "internal error" in gap.reason]
    if bugs:
        raise RuntimeError(bugs[0])
    return [found]


def _open_archive(content: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file, contextlib.suppress(MissingError):
        file.write(content)
        file.flush()
        SavedImageSource("archive", ArchiveFiles(Path(file.name)), None)._build_manifest()


def _vendor_feed(source: Source) -> Target:
    """One file of a feed, in the place where its reader looks for it."""
    folder = Path("tests/assets/advisories") / source.name
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "ORIGIN.md")

    def parse(case: Input) -> list[object]:
        with tempfile.TemporaryDirectory() as place:
            target = Path(place) / case.path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(case.content)
            return list(source.read(Path(place), SourceLimits()))

    seeds = tuple(Input(str(path.relative_to(folder)), path.read_bytes()) for path in files)
    names = frozenset(seed.path for seed in seeds)
    return Target(name=source.name, seeds=seeds, parse=parse, accepts=lambda case: case.path in names, is_packed=True)


def _documents() -> Iterator[Target]:
    names = json.dumps([{"Config": "c", "RepoTags": ["a:1"], "Layers": ["l"] * 3}]).encode()
    saved = [Entry("manifest.json", names), Entry("c", json.dumps(_CONFIG).encode()), Entry("l", b"layer")]
    yield _target("archives", _open_archive, make_tar(saved, tarfile.PAX_FORMAT), make_tar(saved, tarfile.GNU_FORMAT))
    sboms = [*REAL.values(), *(render(full_report()) for render in RENDERERS.values())]
    statements = [in_toto(_DIGEST, "https://cyclonedx.org/bom", json.loads(sbom)) for sbom in sboms[:2]]
    yield _target("manifests", parse_document, _MANIFEST, _INDEX)
    yield _target("configs", parse_config, _CONFIG)
    yield _target("sboms", read_sbom, *sboms)
    yield _target("statements", lambda content: unwrap_sbom(content, [Digest.parse(_DIGEST)]), *statements, _ENVELOPE)
    yield _target("envelopes", parse_envelope, _ENVELOPE)
    yield _target("advisories", parse_advisory, _ADVISORY)
    vex = (openvex(said("CVE-2023-1"), said("CVE-2023-2", status="affected", action_statement="x")), cyclonedx_vex(analysed()), csaf())
    yield _target("vex", lambda content: read_vex(content, "a"), *vex)
    yield from map(_vendor_feed, SOURCES)
    yield _target("severities", _of_text(rate_vector), *_VECTORS)
    decision = DecisionTaken(decision_id="a", correlation_id="b")
    release = ReleaseRequested(decision_id="a", correlation_id="b", requested_by="c")
    yield _target("messages", parse_message, encode_message(decision), encode_message(release))
    yield _target("policies", parse_policy, Path("deploy/policy.example.yaml").read_bytes())
    yield _target("references", _of_text(Reference.parse), b"host.example:5000/a/b-c:v1.0@" + _DIGEST.encode())
    challenge = b'Bearer realm="https://a/b",service="c",scope="repository:a/b:pull,push"'
    yield _target("challenges", _of_text(lambda text: parse_challenges([text])), challenge)
    yield _target("tokens", lambda content: parse_token(content, 0.0), {"token": "a", "expires_in": 300})
    yield Target(
        name="versions",
        seeds=tuple(Input(name, pair) for name in SCHEMES for pair in _VERSIONS),
        parse=lambda case: [compare(case.path, *case.content.decode("utf-8", "replace").partition("\n")[::2])],
        accepts=lambda case: case.path in SCHEMES,
    )
    headers = {sample.vendor: dict(sample.headers) for sample in SAMPLES}
    yield Target(
        name="webhooks",
        seeds=tuple(Input(sample.vendor, json.dumps(sample.body).encode()) for sample in SAMPLES),
        parse=lambda case: VENDORS[case.path].parse("hook", Incoming(headers=headers[case.path], body=case.content)),
        accepts=lambda case: case.path in VENDORS,
    )


def _of_text(parse: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda content: parse(content.decode("utf-8", "replace"))


def _target(name: str, parse: Callable[[bytes], object], *seeds: object) -> Target:
    """Try a reader of documents. What it answers is no fact of a layer, so only how it ends is judged."""

    def only_ends(case: Input) -> tuple[()]:
        parse(case.content)
        return ()

    contents = [seed if isinstance(seed, bytes) else json.dumps(seed).encode() for seed in seeds]
    return Target(name=name, seeds=tuple(Input("", content) for content in contents), parse=only_ends)
