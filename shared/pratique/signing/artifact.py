"""Sign artifacts that are no images, and so have no verdict: the compiled advisory database."""

from __future__ import annotations

import datetime as dt

from pratique.oci.digest import Digest
from pratique.signing.bundle import sign_bundle
from pratique.signing.image import ImageSignature
from pratique.signing.keys import AdmissionKey, SigningKey
from pratique.signing.simple_signing import sign_simple


def sign_artifact(key: SigningKey, name: str, digest: Digest, created: dt.datetime) -> ImageSignature:
    """Sign `digest` in `name` (`host/repository`) as images are signed, so that every cosign verifies it.

    Nobody judges what is signed here: the caller answers for it, and for that it cannot be run. Use a key of its own, not the one that clusters admit images by.
    """
    signer = AdmissionKey(key=key)
    return ImageSignature(entry=sign_simple(signer, name, digest), bundle=sign_bundle(signer, digest, created))
