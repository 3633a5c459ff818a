"""From an advisory that a feed gains to another decision on an image that nobody pushed again, and to one chat message."""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.deployment import ChatReceiver, Deployment
from tests.support.feed_server import FeedServer, Publisher, publisher, unannounced_end
from tests.support.images import ImageLayout, debian_files, make_image, make_layer, push, python_files
from tests.support.osv_mirror import make_affected, make_record
from tests.support.servers import DockerRegistry

KINDS = pytest.mark.parametrize("kind", ["servers", "embedded"])
CRITICAL, LOW = "CVE-2026-0001", "CVE-2026-0002"
KEV = "kev/known_exploited_vulnerabilities.json"
PACKAGES = {"tornado": "6.0", "flask": "2.0"}
RULES = "rules: {fail_on: critical, fixable_only: true, exploited: fail, unknown_severity: ignore, max_feed_age: unlimited, eol: warn}"
POLICY = f"""
version: 1
policies:
  - name: stays
    match: {{repositories: ["team-b/**"]}}
    {RULES}
    actions:
      pass: {{attest: true, sign: true, promote: {{repository: "cleared/{{repository}}", tag: "{{tag}}"}}}}
      fail: {{attest: true, mark: {{tag: "{{tag}}-rejected"}}}}
  - name: leaves
    {RULES}
    actions:
      pass: {{attest: true, sign: true, mark: {{tag: "{{tag}}-judged"}}, promote: {{tag: "{{tag}}-cleared"}}}}
      fail: {{attest: true, quarantine: {{repository: "quarantine/{{repository}}", remove: true}}}}
"""


def says(cve: str, package: str, severity: str, *, modified: str, **fields: Any) -> dict[str, Any]:
    affected = make_affected("PyPI", package, {"introduced": "0"}, {"fixed": "7.0"})
    record = make_record(f"PYSEC-{cve[4:]}", affected, aliases=[cve], database_specific={"severity": severity}, **fields)
    return {**record, "modified": modified}


OTHERS = [says(f"CVE-2020-{number:04}", f"other-{number}", "HIGH", modified="2024-01-01T00:00:00Z") for number in range(5)]
KNOWN = [*OTHERS, says(LOW, "flask", "LOW", modified="2024-01-01T00:00:00Z")]


def put_debian(server: FeedServer) -> None:
    server.put_bucket("Debian", [make_record("DSA-1-1", make_affected("Debian:11", "bash", {"introduced": "0"}, {"fixed": "1"}))])


def put_kev(server: FeedServer, *cves: str) -> None:
    entries = [{"cveID": cve, "dateAdded": "2026-02-03"} for cve in ("CVE-2000-0001", *cves)]
    catalogue = {"title": "KEV", "dateReleased": "2024-05-06T07:08:09Z", "count": len(entries), "vulnerabilities": entries}
    server.files[KEV] = json.dumps(catalogue).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A pratique that syncs its feeds every two seconds, beside a registry. `criticals` hears of new criticals and exploits, `moves` of the rest."""

    pratique: Deployment
    registry: DockerRegistry
    feeds: Publisher
    criticals: ChatReceiver
    moves: ChatReceiver
    folder: Path

    def make_image(self, name: str, *, more: dict[str, str] | None = None) -> ImageLayout:
        files = {**debian_files({"bash": "5.1-2"}), **python_files({**PACKAGES, **(more or {})})}
        return make_image(self.folder / name, [make_layer(files)])

    def push(self, layout: ImageLayout, name: str) -> str:
        """Push, wait until it is judged and all that follows is done, and answer the verdict."""
        push(layout, f"{self.registry.host}/{name}")
        repository, _, tag = name.partition(":")
        self.pratique.wait_for(lambda: self._is_done(repository, layout.digest, tag), f"{name} to be judged and done")
        return self.verdicts(repository, layout)[-1]

    def verdicts(self, repository: str, layout: ImageLayout) -> list[str]:
        """The verdicts on an image, oldest first."""
        return [str(status) for _, status, _ in self._decisions(repository, layout.digest)]

    def wait_for_verdict(self, repository: str, layout: ImageLayout, status: str) -> None:
        """Wait until that is the verdict, and all that follows from it is done."""

        def is_done() -> bool:
            _, latest, announced = self._decisions(repository, layout.digest)[-1]
            return latest == status and announced is not None

        self.pratique.wait_for(is_done, f"{repository} to be judged as {status}")

    def cause(self, repository: str, layout: ImageLayout) -> dict[str, Any]:
        """What led to the last decision on an image."""
        *_, last = self.pratique.rows(_DECISIONS.format(columns="d.cause", repository=repository, digest=layout.digest))
        cause: dict[str, Any] = json.loads(last[0])
        return cause

    def told(self) -> list[str]:
        """The messages about new criticals and exploits, sent or waiting, oldest first."""
        query = "SELECT title, body FROM notification WHERE channel = 'criticals' ORDER BY created_at, id"
        return [f"{title}\n{body}" for title, body in self.pratique.rows(query)]

    def moved(self, repository: str, text: str) -> bool:
        """Tell whether the other channel was sent something about a repository."""
        return any(f"/{repository}" in message["text"] and text in message["text"] for message in self.moves.messages)

    def events(self) -> list[tuple[Any, ...]]:
        """What became of matches: kinds and positions of the database."""
        return self.pratique.rows("SELECT kind, position FROM match_event ORDER BY id")

    def position(self) -> int:
        """How many databases were in force so far."""
        ((position,),) = self.pratique.rows("SELECT position FROM advisory_state")
        return int(position)

    def scans(self) -> int:
        """How many scans there were so far."""
        ((count,),) = self.pratique.rows("SELECT count(*) FROM scan")
        return int(count)

    def read(self, path: str, **query: str) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.pratique.api}/{path}?{urllib.parse.urlencode(query)}", timeout=10) as answer:
            document: dict[str, Any] = json.load(answer)
        return document

    def ask(self, token: str, what: str, name: str) -> None:
        """Ask for a scan or a release."""
        body = json.dumps({"reference": f"{self.registry.host}/{name}"}).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        request = urllib.request.Request(f"{self.pratique.api}/api/v1/{what}", data=body, headers=headers)
        assert urllib.request.urlopen(request, timeout=10).status == 202

    def pointed_to(self, repository: str, tag: str) -> str | None:
        """The digest that a tag points to, as the registry itself says."""
        accept = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
        request = urllib.request.Request(f"{self.registry.url}/v2/{repository}/manifests/{tag}", headers=accept, method="HEAD")
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return str(answer.headers["Docker-Content-Digest"])
        except urllib.error.HTTPError:
            return None

    def fetched(self, *layouts: ImageLayout) -> set[str]:
        """The layers and configs of images that were downloaded since the registry's log was cleared; skopeo only uploads."""
        own = {f"sha256:{path.name}" for layout in layouts for path in (layout.folder / "blobs/sha256").iterdir()}
        asked = self.registry.requests()
        return {path.rpartition("/")[2] for method, path, _ in asked if method == "GET" and "/blobs/sha256:" in path} & own

    def _is_done(self, repository: str, digest: str, tag: str) -> bool:
        return any(decided == tag and announced is not None for decided, _, announced in self._decisions(repository, digest))

    def _decisions(self, repository: str, digest: str) -> list[tuple[Any, ...]]:
        query = _DECISIONS.format(columns="d.tag, v.status, d.announced_at", repository=repository, digest=digest)
        return self.pratique.rows(query)


_DECISIONS = """
SELECT {columns} FROM decision d JOIN verdict v ON v.id = d.verdict_id JOIN repository r ON r.id = d.repository_id
WHERE r.name = '{repository}' AND d.image_digest = '{digest}' ORDER BY d.created_at, d.id
"""


@pytest.fixture
def start_site(deploy: Callable[..., Deployment], docker_registry: Callable[..., DockerRegistry], tmp_path: Path) -> Callable[[str], Any]:
    @contextmanager
    def start(kind: str) -> Iterator[Site]:
        with publisher() as feeds, closing(ChatReceiver()) as criticals, closing(ChatReceiver()) as moves:
            for change in (put_debian, lambda server: server.put_bucket("PyPI", KNOWN), put_kev):
                feeds.publish(change)
            url = feeds.server.url
            settings = {
                "feeds": {"mirror": "mirror", "interval": 2, "enabled": ["osv", "kev"], "urls": {"osv": url, "kev": f"{url}/kev/"}},
                "channels": [
                    {"name": "criticals", "url": criticals.url, "events": ["new_criticals", "exploited"]},
                    {"name": "moves", "url": moves.url, "events": ["quarantined", "promoted", "recovered"]},
                ],
            }
            pratique = deploy(kind, policy=POLICY, settings=settings, advisories=tmp_path / f"pratique-{kind}" / "advisories.sqlite")
            registry = docker_registry(**pratique.webhook)
            site = Site(pratique=pratique, registry=registry, feeds=feeds, criticals=criticals, moves=moves, folder=tmp_path)
            pratique.configure(registry).start_all()
            pratique.wait_for(lambda: site.read("readyz")["feeds"]["status"] == "ok", "the first database")
            try:
                yield site
            finally:
                pratique.close()

    return start


def verifies(program: Path, site: Site, name: str) -> bool:
    flags = ["--insecure-ignore-tlog=true", "--allow-http-registry", "--allow-insecure-registry"]
    command = [str(program), "verify", "--key", str(site.pratique.public_key), *flags, f"{site.registry.host}/{name}"]
    return subprocess.run(command, check=False, capture_output=True, timeout=60).returncode == 0


@KINDS
def test_a_critical_that_a_feed_gains_overturns_what_was_cleared_until_it_is_withdrawn(
    kind: str, start_site: Callable[[str], Any], cosign25: Path, cosign31: Path
) -> None:
    site: Site
    with start_site(kind) as site:
        app, service = site.make_image("app"), site.make_image("service", more={"six": "1.16.0"})
        assert (site.push(app, "team-a/app:1.0"), site.push(service, "team-b/service:1.0")) == ("pass", "pass")
        cleared = [f"team-a/app@{app.digest}", f"team-b/service@{service.digest}", f"cleared/team-b/service@{service.digest}"]
        assert [verifies(cosign31, site, name) for name in cleared] == [True, True, True]
        assert {tag: site.pointed_to("team-a/app", tag) for tag in ("1.0", "1.0-judged", "1.0-cleared")} == dict.fromkeys(
            ("1.0", "1.0-judged", "1.0-cleared"), app.digest
        )
        assert site.told() == []

        # the feed gains a critical
        site.registry.clear()
        before, scans = site.position(), site.scans()
        critical = says(CRITICAL, "tornado", "CRITICAL", modified="2024-02-02T00:00:00Z")
        site.feeds.publish(lambda server: server.put_bucket("PyPI", [*KNOWN, critical]))
        site.wait_for_verdict("team-a/app", app, "fail")
        site.wait_for_verdict("team-b/service", service, "fail")

        cause = site.cause("team-a/app", app)
        assert (cause["position"], site.position()) == (before + 1, before + 1), "the first database after the change decides"
        assert [(change["kind"], change["id"]) for change in cause["changes"]] == [("appeared", CRITICAL)]
        assert [site.pointed_to("team-a/app", tag) for tag in ("1.0", "1.0-judged", "1.0-cleared", app.digest)] == [None] * 4
        assert site.pointed_to("team-b/service", "1.0-rejected") == service.digest
        kept = [f"quarantine/team-a/app@{app.digest}", *cleared[1:]]
        for program in (cosign25, cosign31):
            assert [verifies(program, site, name) for name in kept] == [False, False, False]
        assert site.pointed_to("quarantine/team-a/app", app.digest) == app.digest
        assert (site.fetched(app, service), site.scans()) == (set(), scans), "nothing is read again for another decision"

        # who was told
        site.pratique.wait_for(lambda: len(site.criticals.messages) >= 2, "a message for each repository")
        told = [message["text"] for message in site.criticals.messages]
        assert [sum(name in text for text in told) for name in ("team-a/app", "team-b/service")] == [1, 1]
        assert all(part in text for text in told for part in (CRITICAL, "tornado", "7.0", "1 new critical after newer advisories")), told

        # the same old critical is no news: the same image under another tag, and another image
        again = site.make_image("again", more={"attrs": "23.1.0"})
        assert (site.push(app, "team-a/app:1.1"), site.push(again, "team-a/app:2.0")) == ("fail", "fail")
        for tag in ("1.1", "2.0"):
            site.pratique.wait_for(lambda tag=tag: site.moved(f"team-a/app:{tag}", "removed from"), f"{tag} to be told of as removed")  # type: ignore[misc]
        assert len(site.told()) == len(site.criticals.messages) == 2
        assert site.fetched(app) & {*app.layers} == set()

        # the advisory is withdrawn
        withdrawn = says(CRITICAL, "tornado", "CRITICAL", modified="2024-03-03T00:00:00Z", withdrawn="2024-03-03T00:00:00Z")
        site.feeds.publish(lambda server: server.put_bucket("PyPI", [*KNOWN, withdrawn]))
        site.wait_for_verdict("team-b/service", service, "pass")
        assert site.events() == [("appeared", before + 1), ("retracted", before + 2)]
        for program in (cosign25, cosign31):
            assert [verifies(program, site, name) for name in cleared[1:]] == [True, True]
        site.pratique.wait_for(lambda: site.moved("team-b/service", "Cleared again"), "the recovery to be told of")
        assert len(site.told()) == 2

        # what is in quarantine is let out by people
        site.wait_for_verdict("team-a/app", app, "pass")
        assert site.pointed_to("team-a/app", "1.0") is None
        site.pratique.wait_for(lambda: site.moved("team-a/app:1.1", "stays in quarantine"), "the other recovery to be told of")
        token = site.pratique.run("tokens", "create", "tests", "--scope", "release", "--scope", "scan").stdout.strip()
        site.ask(token, "releases", f"team-a/app@{app.digest}")
        site.pratique.wait_for(lambda: site.pointed_to("team-a/app", "1.0") == app.digest, "the tag to be back")
        site.ask(token, "scans", "team-a/app:1.0")
        site.pratique.wait_for(lambda: site.pointed_to("team-a/app", "1.0-cleared") == app.digest, "the image to be promoted again")
        assert verifies(cosign31, site, cleared[0])


@KINDS
def test_news_of_an_exploit_overturns_a_decision_and_a_broken_feed_does_not(kind: str, start_site: Callable[[str], Any]) -> None:
    site: Site
    with start_site(kind) as site:
        app = site.make_image("app")
        assert site.push(app, "team-b/app:1.0") == "pass"
        site.registry.clear()

        site.feeds.publish(lambda server: put_kev(server, LOW))
        site.wait_for_verdict("team-b/app", app, "fail")
        assert [kind for kind, _ in site.events()] == ["exploited"]
        site.pratique.wait_for(lambda: len(site.criticals.messages) >= 1, "a message")
        (told,) = [message["text"] for message in site.criticals.messages]
        assert all(part in told for part in (LOW, "flask", "known to be exploited since 2026-02-03", "team-b/app:1.0")), told
        assert site.fetched(app) == set()

        # the feed gains a critical, and breaks
        position, decided = site.position(), site.verdicts("team-b/app", app)
        site.feeds.publish(break_bucket)
        site.pratique.wait_for(lambda: site.read("readyz")["feeds"]["status"] == "stale", "the feed to be told of as stale")
        stale, *others = site.read("readyz")["feeds"]["stale"]
        assert (stale["name"], others) == ("osv/PyPI", [])
        assert "PyPI/all.zip" in stale["reason"]
        coverage = site.read("api/v1/report", reference=f"{site.registry.host}/team-b/app:1.0")["coverage"]
        assert (coverage["status"], {feed["name"] for feed in coverage["feeds"]}) == ("complete", {"Debian", "PyPI"})
        failures = {feed["name"]: feed["failure"] for feed in coverage["feeds"]}
        assert failures == {"Debian": "", "PyPI": f"{stale['reason']} (since {stale['since']})"}

        other = site.make_image("other", more={"six": "1.16.0"})
        assert site.push(other, "team-a/other:1.0") == "fail"
        assert (site.position(), site.verdicts("team-b/app", app)) == (position, decided)


def break_bucket(server: FeedServer) -> None:
    critical = says(CRITICAL, "tornado", "CRITICAL", modified="2024-02-02T00:00:00Z")
    server.put_bucket("PyPI", [*KNOWN, critical])
    content = server.files["PyPI/all.zip"]
    server.always["PyPI/all.zip"] = unannounced_end(content, len(content) // 2)
