"""Who may speak: each vendor's proof, right, wrong, missing, and with two secrets."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique_services.gateway.authentication import Incoming, by_header, by_hmac, by_path, is_authentic
from pratique_services.gateway.vendors import VENDORS
from tests.support.webhook_payloads import SAMPLES, SECRET, proof

NEXT = "another-secret-of-28-characters"
BODY = SAMPLES[0].content


def _knows(vendor: str, headers: dict[str, str], token: str = "", *, body: bytes = BODY, secrets: tuple[str, ...] = (SECRET,)) -> bool:
    return is_authentic(Incoming(headers=headers, body=body, token=token), VENDORS[vendor].authenticate, secrets)


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_right_proof_is_accepted(vendor: str) -> None:
    headers, token = proof(vendor, BODY)
    assert _knows(vendor, headers, token)


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_proof_of_another_secret_is_refused(vendor: str) -> None:
    headers, token = proof(vendor, BODY, "not-the-secret-at-all-really")
    assert not _knows(vendor, headers, token)


@pytest.mark.parametrize("vendor", VENDORS)
def test_without_a_proof_nobody_is_believed(vendor: str) -> None:
    assert not _knows(vendor, {})


@pytest.mark.parametrize("vendor", VENDORS)
def test_both_secrets_count_during_rotation_and_the_old_one_not_after_it(vendor: str) -> None:
    old, new = proof(vendor, BODY), proof(vendor, BODY, NEXT)
    assert all(_knows(vendor, headers, token, secrets=(SECRET, NEXT)) for headers, token in (old, new))
    assert not _knows(vendor, *old, secrets=(NEXT,))


@pytest.mark.parametrize("vendor", ["github", "gitea", "nexus", "artifactory"])
def test_a_signature_is_of_this_body_only(vendor: str) -> None:
    headers, token = proof(vendor, BODY)
    assert not _knows(vendor, headers, token, body=BODY + b" ")


def test_without_a_secret_nobody_is_believed() -> None:
    assert not is_authentic(Incoming(headers={}, body=b""), by_path, ())


@pytest.mark.parametrize(
    "value",
    [
        SECRET,
        f"Bearer {SECRET}",
        f"bearer  {SECRET}",
        "Basic " + base64.b64encode(f"registry:{SECRET}".encode()).decode(),
        "Basic " + base64.b64encode(f":{SECRET}".encode()).decode(),
    ],
)
def test_a_secret_in_a_header_may_come_in_any_of_three_forms(value: str) -> None:
    assert by_header("authorization")(Incoming(headers={"authorization": value}, body=b""), SECRET)


@pytest.mark.parametrize(
    "value",
    ["", "Bearer", "Bearer ", "Basic", "Basic %%%", "Basic ünïcode", "Basic YQ==", SECRET[:-1], f"{SECRET} ", f"Digest {SECRET}", "\udcff"],
)
def test_anything_else_in_the_header_is_refused(value: str) -> None:
    assert not by_header("authorization")(Incoming(headers={"authorization": value}, body=b""), SECRET)


@given(value=st.text(alphabet=st.characters(), max_size=60))
def test_no_header_makes_an_authenticator_fail(value: str) -> None:
    incoming = Incoming(headers={"authorization": value, "x-signature": value}, body=b"{}", token=value)
    for one in (by_header("authorization"), by_hmac("sha256", "x-signature"), by_path):
        assert one(incoming, SECRET) in (True, False)
        for prefix in ("Basic ", "Bearer ", "sha256="):
            assert not one(Incoming(headers={"authorization": prefix + value[:10], "x-signature": prefix + value}, body=b"{}"), SECRET)


def test_a_signature_may_name_its_algorithm_and_be_in_capitals() -> None:
    headers, _ = proof("github", BODY)
    signature = headers["x-hub-signature-256"].removeprefix("sha256=")
    for form in (signature, f"sha256={signature}", signature.upper()):
        assert _knows("github", {"x-hub-signature-256": form})
