"""When distributions stop getting security updates, by the dates of endoflife.date."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

from pratique.findings import Finding, FindingKind, Severity
from pratique.inventory.eol_dates import Cycle, EolDates, builtin_dates
from pratique.inventory.package import Distribution

_PRODUCTS = {
    "alpine": "alpine-linux",
    "almalinux": "almalinux",
    "amzn": "amazon-linux",
    "centos": "centos",
    "clear-linux-os": "clearlinux",
    "cos": "cos",
    "debian": "debian",
    "devuan": "devuan",
    "eurolinux": "eurolinux",
    "fedora": "fedora",
    "linuxmint": "linuxmint",
    "mageia": "mageia",
    "nixos": "nixos",
    "ol": "oracle-linux",
    "opensuse": "opensuse",
    "opensuse-leap": "opensuse",
    "openwrt": "openwrt",
    "photon": "vmware-photon",
    "rhel": "rhel",
    "rocky": "rocky-linux",
    "sl-micro": "suse-linux-micro",
    "sle-micro": "suse-linux-micro",
    "sle-micro-rancher": "suse-linux-micro",
    "sles": "sles",
    "sles_sap": "sles",
    "ubuntu": "ubuntu",
}
_CYCLE_OF = {"clearlinux": "current", "cos": "cos-{}", "linuxmint": "lmde{}"}  # the last for Mint's Debian edition, whose numbers are low


@dataclass(frozen=True, slots=True, kw_only=True)
class EolState:
    """The end of a release's life, as seen on one day.

    `product` and `cycle` are endoflife.date's names (`debian`, `11`). `eol` is the last day of the distribution's own security support, None where no date
    is announced or known; `extended` the last day of extended support (Debian LTS, Ubuntu Pro, RHEL ELS), which may need a contract, None where there is
    none. `is_over` tells whether `eol` has passed, `is_extended` whether extended support still holds then.
    """

    product: str
    cycle: str
    eol: date | None
    extended: date | None
    is_over: bool
    is_extended: bool


def eol_state(distribution: Distribution | None, *, today: date | None = None, dates: EolDates | None = None) -> EolState | None:
    """Look up a distribution's release; None for one that is not known, or has no releases (Wolfi, Alpine edge).

    `today` is the day in UTC by default, `dates` are those built in (`eol_dates` reads newer ones).
    """
    product = _product_of(distribution) if distribution is not None else None
    if distribution is None or product is None:
        return None
    cycles = (dates or builtin_dates()).cycles_of(product)
    name = next((name for name in _cycle_names(product, distribution.version_id) if name in cycles), None)
    return _state(product, name, cycles[name], today or datetime.now(UTC).date()) if name is not None else None


def eol_findings(distribution: Distribution | None, *, today: date | None = None, dates: EolDates | None = None) -> tuple[Finding, ...]:
    """Say that a release gets no security updates any more: HIGH, or MEDIUM while extended support holds. Nothing for a supported or unknown one.

    The answer changes with the day, not with the image. `today` and `dates` are as `eol_state` has them.
    """
    state = eol_state(distribution, today=today, dates=dates)
    if distribution is None or state is None or not state.is_over:
        return ()
    since = f"since {state.eol}" if state.eol else "any more"
    extended = f"; extended support ends {state.extended}" if state.is_extended else ""
    finding = Finding(
        kind=FindingKind.EOL,
        id=f"EOL-{state.product}-{state.cycle}",
        severity=Severity.MEDIUM if state.is_extended else Severity.HIGH,
        severity_source="pratique",
        title=f"{distribution.pretty_name or distribution.label} has had no regular security support {since}{extended}",
        installed=distribution.version_id,
        path=distribution.path or None,
        references=(f"https://endoflife.date/{state.product}",),
        recommendation=f"Build on a release of {distribution.id} that is still supported.",
    )
    return (finding,)


def _state(product: str, name: str, cycle: Cycle, today: date) -> EolState:
    eol = None if isinstance(cycle.eol, bool) else cycle.eol
    is_over = eol < today if eol is not None else cycle.eol is True
    is_extended = is_over and cycle.extended is not None and today <= cycle.extended
    return EolState(product=product, cycle=name, eol=eol, extended=cycle.extended, is_over=is_over, is_extended=is_extended)


def _product_of(distribution: Distribution) -> str | None:
    if distribution.id == "centos" and "stream" in distribution.pretty_name.lower():
        return "centos-stream"
    return _PRODUCTS.get(distribution.id)


def _cycle_names(product: str, version_id: str) -> Iterator[str]:
    """The release's names, most exact first: `3.18.4`, `3.18`, `3`; SUSE's `15` without a service pack is the cycle `15.0`; some products have their own."""
    name = version_id
    while name:
        yield name
        name = name.rpartition(".")[0]
    if product == "sles" and version_id and "." not in version_id:
        yield f"{version_id}.0"
    if product in _CYCLE_OF and version_id:
        yield _CYCLE_OF[product].format(version_id)
