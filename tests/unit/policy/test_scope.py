"""Globs, templates, and where actions point."""

import time

import pytest

from pratique.errors import InvalidPolicy
from pratique.oci.digest import Digest
from pratique.policy.actions import MarkAction, PromoteAction, QuarantineAction
from pratique.policy.glob import Glob
from pratique.policy.parse import parse_policy
from pratique.policy.policy import select_policy
from pratique.policy.subject import Subject
from pratique.policy.template import Template

DIGEST = Digest.of(b"image")


def subject(repository: str = "team/app", tags: tuple[str, ...] = ("v1",)) -> Subject:
    return Subject(host="reg.example:5000", repository=repository, tags=tags, digest=DIGEST)


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("*", "team/app", True),
        ("team/*", "team/app", True),
        ("team/*", "team/sub/app", False),
        ("team/**", "team/sub/app", True),
        ("team/**", "team", True),
        ("team/**", "teams/app", False),
        ("**/app", "app", True),
        ("**/app", "a/b/app", True),
        ("a/**/b/**/c", "a/x/b/b/y/c", True),
        ("a/**/b/**/c", "a/x/c", False),
        ("v?.*", "v1.2", True),
        ("V1", "v1", False),
        ("team/app", "team/app2", False),
        ("pkg:deb/debian/openssl@*", "pkg:deb/debian/openssl@1.1.1n-0+deb11u3?arch=amd64", True),
    ],
)
def test_a_glob_matches_whole_names_part_by_part(pattern: str, text: str, expected: bool) -> None:
    assert Glob(pattern).matches(text) is expected


def test_a_hostile_name_does_not_make_a_glob_slow() -> None:
    started = time.process_time()
    assert not Glob("/".join(["**", "a"] * 50)).matches("/".join("a" * 2000) + "/b")
    assert not Glob("*a" * 100 + "c").matches("a" * 5000)
    assert time.process_time() - started < 2


@pytest.mark.parametrize("text", ["", "{nope}", "{", "}", "{{tag}}", "{tag", "{tag!r}", "{tag.x}", "x" * 300, "{tag}" * 5])
def test_a_template_with_anything_but_its_fields_is_refused(text: str) -> None:
    with pytest.raises(InvalidPolicy):
        Template(text)


def test_a_template_is_filled_in() -> None:
    rendered = Template("{registry}/{repository}-{digest_short}").render(subject(), None)
    assert rendered == f"reg.example/team/app-{DIGEST.hex[:12]}"


def test_a_promotion_has_one_target_for_each_tag() -> None:
    action = PromoteAction(tag=Template("{tag}-ok"))
    assert list(map(str, action.targets(subject(tags=("v2", "v1"))))) == [
        "reg.example:5000/team/app:v1-ok",
        "reg.example:5000/team/app:v2-ok",
    ]


def test_what_was_promoted_is_not_promoted_again() -> None:
    assert PromoteAction(tag=Template("{tag}-ok")).targets(subject(tags=("v1-ok",))) == ()
    elsewhere = PromoteAction(repository=Template("cleared/{repository}"), tag=Template("{tag}"))
    assert list(map(str, elsewhere.targets(subject()))) == ["reg.example:5000/cleared/team/app:v1"]
    assert elsewhere.targets(subject(repository="cleared/team/app")) == ()


def test_an_image_without_a_tag_has_no_promotion_that_needs_one() -> None:
    assert PromoteAction(tag=Template("{tag}-ok")).targets(subject(tags=())) == ()
    assert len(MarkAction(tag=Template("seen-{digest_short}")).targets(subject(tags=()))) == 1


def test_quarantine_keeps_images_apart_and_does_not_quarantine_the_quarantine() -> None:
    action = QuarantineAction(repository=Template("quarantine/{repository}"))
    assert list(map(str, action.targets(subject(tags=("a", "b"))))) == [f"reg.example:5000/quarantine/team/app:{DIGEST.hex[:12]}"]
    assert action.targets(subject(repository="quarantine/team/app")) == ()


def test_only_tags_that_the_policy_is_for_are_promoted() -> None:
    policy = parse_policy(b"version: 1\npolicies:\n- {name: p, match: {tags: ['dev-*']}, rules: {fail_on: never}}").policies[0]
    assert policy.promotable(subject(tags=("dev-1", "v1"))).tags == ("dev-1",)
    everything = parse_policy(b"version: 1\npolicies:\n- {name: p, rules: {fail_on: high}}").policies[0]
    assert everything.promotable(subject(tags=("dev-1", "v1"))) == subject(tags=("dev-1", "v1"))


def test_no_tag_keeps_a_failing_image_out_of_quarantine() -> None:
    action = QuarantineAction(repository=Template("quarantine/{repository}"), tag=Template("{tag}-failed"))
    kept = "reg.example:5000/quarantine/team/app:"
    assert list(map(str, action.targets(subject(tags=("a" * 128, "v1"))))) == [f"{kept}v1-failed"]
    for tags in (("a" * 128,), ()):
        assert list(map(str, action.targets(subject(tags=tags)))) == [f"{kept}{DIGEST.hex[:12]}"]
    assert action.targets(subject(repository="quarantine/team/app", tags=("a" * 128,))) == ()
    fixed = QuarantineAction(repository=Template("quarantine/{repository}"), tag=Template("bad"))
    assert list(map(str, fixed.targets(subject(tags=())))) == [f"{kept}bad"]


def test_the_first_policy_that_matches_counts_and_none_is_an_answer() -> None:
    document = parse_policy(b"""
version: 1
policies:
- {name: tagged, match: {registries: ["reg.example*"], repositories: ["team/**"], tags: ["v*"]}, rules: {fail_on: low}}
- {name: team, match: {repositories: ["team/**"]}, rules: {fail_on: high}}
""")

    def name(repository: str, *tags: str) -> str | None:
        policy = select_policy(document, host="reg.example:5000", repository=repository, tags=tags)
        return policy and policy.name

    assert name("team/app", "latest", "v1") == "tagged"
    assert name("team/app", "latest") == "team"
    assert name("team/app") == "team"
    assert name("other/app", "v1") is None
