"""Which findings of an image stand: those that no VEX takes away.

Everything that judges, or tells of findings, asks here, so that all see the same. What counts for an image, or an index, is

1. what the operator trusts for all images;
2. what hangs on it, signed by a key that is trusted today;
3. what hangs on one of its images, where there is only that one: an image of one platform does not speak for the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec
from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from pratique.findings import Finding
from pratique.oci.manifest import Platform
from pratique.policy.subject import Subject
from pratique.storage.findings import load_findings
from pratique.storage.members import load_members_of
from pratique.storage.models import Image
from pratique.storage.text import DigestLike, in_chunks
from pratique.storage.vex import load_image_vex
from pratique.vex.applying import StatementIndex, VexOutcome, apply_statements
from pratique.vex.matching import VexImage
from pratique.vex.trust import VexTrust

_AT_ONCE = 200  # digests of one query: indexes bring their images


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageStatements:
    """What is said that may be about an image: documents in the order of trust, and how they may name the image, wherever it lies."""

    documents: tuple[StatementIndex, ...] = ()
    digests: frozenset[str] = frozenset()
    platforms: tuple[Platform, ...] = ()

    def apply(self, findings: Iterable[Finding], subject: Subject) -> VexOutcome:
        """Tell which of the findings stand where the image lies, which are suppressed, and why. Pure."""
        image = VexImage(
            digests=self.digests, repository=f"{subject.host}/{subject.repository}", tags=subject.tags, platforms=self.platforms
        )
        return apply_statements(findings, self.documents, image)


async def load_outcome(session: AsyncSession, subject: Subject, trust: VexTrust) -> VexOutcome:
    """Load the findings of one image or index as they stand and as they are suppressed, worst first."""
    findings = await load_findings(session, subject.digest)
    return (await load_statements(session, [subject.digest], trust))[str(subject.digest)].apply(findings, subject)


async def load_statements(session: AsyncSession, digests: Iterable[DigestLike], trust: VexTrust) -> Mapping[str, ImageStatements]:
    """Load what is said of each of some images or indexes: of any number with a few queries, and with none where nobody is trusted."""
    wanted = list(dict.fromkeys(map(str, digests)))
    if not trust.documents and not trust.signers:
        return dict.fromkeys(wanted, ImageStatements())
    found: dict[str, ImageStatements] = {}
    for piece in in_chunks(wanted, _AT_ONCE):
        found |= await _load(session, piece, trust)
    return found


async def _load(session: AsyncSession, digests: Iterable[str], trust: VexTrust) -> Mapping[str, ImageStatements]:
    members = await load_members_of(session, digests)
    ids = {number for found in members.values() for number in found.ids}
    query = select(Image.id, Image.digest, Image.platform).where(or_(Image.id.in_(ids), Image.digest.in_(list(members))))
    images = {row.id: row for row in (await session.execute(query)).all()}
    roots = {row.digest: row.id for row in images.values() if row.digest in members}
    attached = await load_image_vex(session, images) if trust.signers else {}
    answer: dict[str, ImageStatements] = {}
    for digest, found in members.items():
        speaking = {roots[digest]} if digest in roots else set()
        if len(found.ids) == 1 and not found.missing:
            speaking |= {*found.ids}
        signed = trust.trusted(one for number in sorted(speaking) for one in attached.get(number, ()))
        platforms = [images[number].platform for number in found.ids]
        answer[digest] = ImageStatements(
            documents=(*trust.documents, *(one.statements for one in signed)),
            digests=frozenset({digest, *(images[number].digest for number in speaking)}),
            platforms=tuple(msgspec.convert(one, Platform) for one in platforms) if all(platforms) else (),
        )
    return answer
