"""Whose word about vulnerabilities counts for the images that a service judges. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from pratique.vex.applying import StatementIndex


class Signed(Protocol):
    """Something that a key has signed."""

    @property
    def digest(self) -> str:
        """What it is."""

    @property
    def signer(self) -> str:
        """The key, as `VerifyingKey.hint` names it."""


_SignedT = TypeVar("_SignedT", bound=Signed)


@dataclass(frozen=True, slots=True, kw_only=True)
class VexTrust:
    """The operator's own documents, which count for all images, and the keys whose signature makes documents count that hang on an image. Both in the order of trust."""

    documents: tuple[StatementIndex, ...] = ()
    signers: tuple[str, ...] = ()

    def trusted(self, attached: Iterable[_SignedT]) -> list[_SignedT]:
        """Those signed by a key that is trusted today, in the order of the keys. What was recorded by another one counts no more."""
        ranks = {signer: rank for rank, signer in enumerate(self.signers)}
        return sorted((one for one in attached if one.signer in ranks), key=lambda one: (ranks[one.signer], one.digest))


NOBODY = VexTrust()
