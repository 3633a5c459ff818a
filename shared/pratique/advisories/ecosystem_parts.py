"""Which ecosystems of a database speak about the packages of one.

A package says which distribution it is of. Most distributions are one ecosystem; these are several, and which of them a package came from no file of an image tells:

1. Red Hat names the repository: `Red Hat:enterprise_linux:9::appstream`, for release 10 the minor release (`Red Hat:enterprise_linux:10.0`). CentOS counts as its
   sources: rebuilt, with the same versions.
2. SUSE names the module: `SUSE:Linux Enterprise Module for Basesystem 15 SP5`. Long-term support (LTSS) is an offer that an image is not known to have.
3. Ubuntu Pro is beside what everybody has, and the image says whether it is switched on: `Ubuntu:Pro:22.04:LTS` for such packages.
4. VS Code's marketplaces are not told apart by an installed extension.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

_UNDIVIDED = frozenset({"VSCode"})
_RED_HAT = re.compile(r"Red Hat:enterprise_linux:[0-9]{1,3}")
_SUSE = re.compile(r"SUSE:Linux Enterprise Server (?:for SAP Applications )?(?P<release>1[25](?: SP[0-9])?)")
_SUSE_PRODUCT = re.compile(
    r"SUSE:Linux Enterprise (?:Server|Module for|Software Development Kit) (?:.* )?(?P<release>1[25](?: SP[0-9])?)(?:[ -]LTSS.*)?"
)
_SAP = "for SAP Applications "
_PRO = "Ubuntu:Pro:"
_PRO_CHANNELS = frozenset({"pro", "esm", "esm-apps", "esm-infra", "esm-infra-legacy"})


class EcosystemPart(NamedTuple):
    """An ecosystem that speaks about the packages of another one. `channel` names the offer that it is, empty for what the packages' own image has.

    `own_channels` are those of its statements that the image has, too.
    """

    ecosystem: str
    channel: str = ""
    own_channels: frozenset[str] = frozenset()


def parts_of(ecosystem: str, known_names: Iterable[str]) -> tuple[EcosystemPart, ...]:
    """Name those of `known_names`, which are ecosystems with release, that speak about packages of `ecosystem`; sorted by name.

    Never one whose name without release is another. None of them without `channel` means that nobody speaks about all of the packages.
    """
    names = sorted(set(known_names))
    if ecosystem in _UNDIVIDED:
        return tuple(EcosystemPart(name) for name in names if name.partition(":")[0] == ecosystem)
    if _RED_HAT.fullmatch(ecosystem):
        beginnings = (f"{ecosystem}:", f"{ecosystem}.")
        return tuple(EcosystemPart(name) for name in names if name == ecosystem or name.startswith(beginnings))
    if suse := _SUSE.fullmatch(ecosystem):
        return tuple(part for name in names if (part := _suse_part(ecosystem, suse["release"], name)))
    if ecosystem.startswith("Ubuntu:"):
        return tuple(part for name in names if (part := _ubuntu_part(ecosystem, name)))
    return (EcosystemPart(ecosystem),) if ecosystem in names else ()


def wholes_of(name: str) -> frozenset[str]:
    """Name all ecosystems of packages that `name`, an ecosystem of advisories with release, can be a part of, itself among them: `parts_of` the other way round."""
    base = name.partition(":")[0]
    wholes = {name}
    if base in _UNDIVIDED:
        wholes.add(base)
    elif red_hat := _RED_HAT.match(name):
        wholes.add(red_hat[0])
    elif suse := _SUSE_PRODUCT.fullmatch(name):
        wholes |= {f"SUSE:Linux Enterprise Server {kind}{suse['release']}" for kind in ("", _SAP)}
    elif base == "Ubuntu":
        release = name.removeprefix(_PRO).removeprefix("Ubuntu:")
        wholes |= {f"Ubuntu:{release}", f"{_PRO}{release}"}
    return frozenset(wholes)


def _suse_part(ecosystem: str, release: str, name: str) -> EcosystemPart | None:
    server = f"SUSE:Linux Enterprise Server {release}"
    if name in {ecosystem, server, f"SUSE:Linux Enterprise Software Development Kit {release}"}:
        return EcosystemPart(name)
    if name.startswith("SUSE:Linux Enterprise Module for ") and name.endswith(f" {release}"):
        return EcosystemPart(name)
    return EcosystemPart(name, "LTSS") if name.startswith((f"{server}-LTSS", f"{server} LTSS")) else None


def _ubuntu_part(ecosystem: str, name: str) -> EcosystemPart | None:
    if ecosystem.startswith(_PRO):
        is_part = name in {ecosystem, f"Ubuntu:{ecosystem.removeprefix(_PRO)}"}
        return EcosystemPart(name, own_channels=_PRO_CHANNELS) if is_part else None
    if name == ecosystem:
        return EcosystemPart(name)
    return EcosystemPart(name, "Ubuntu Pro") if name == f"{_PRO}{ecosystem.removeprefix('Ubuntu:')}" else None
