"""Sign images that passed. The only public way to use the admission key."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from pratique.errors import RefusedError
from pratique.oci.digest import Digest
from pratique.policy.verdict import Verdict, VerdictStatus
from pratique.signing.bundle import BundleReferrer, sign_bundle
from pratique.signing.keys import SigningKeys
from pratique.signing.legacy import LegacyEntry
from pratique.signing.simple_signing import sign_simple


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSignature:
    """A signature in both layouts. Publish both: cosign 2 reads only `entry` (`.sig`), and cosign 3 ignores it as soon as anybody has hung any
    bundle on the image, so that `bundle` must be there too.
    """

    entry: LegacyEntry
    bundle: BundleReferrer


def sign_image(keys: SigningKeys, verdict: Verdict, name: str, digest: Digest, created: dt.datetime) -> ImageSignature:
    """Sign `digest` in `name` (`host/repository`) with the admission key.

    Raises RefusedError unless the verdict is `pass`: this is the last place that can stop it.
    """
    if verdict.status is not VerdictStatus.PASS:
        raise RefusedError(f"expected a verdict of pass to sign {digest}, got {verdict.status}")
    return ImageSignature(entry=sign_simple(keys.admission, name, digest), bundle=sign_bundle(keys.admission, digest, created))
