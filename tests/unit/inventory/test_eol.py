"""The end of distributions' lives."""

from datetime import UTC, date, datetime

import pytest

from pratique.findings import FindingKind, Severity
from pratique.inventory.eol import eol_findings, eol_state
from pratique.inventory.package import Distribution


def of(distribution_id: str, version_id: str, pretty_name: str = "") -> Distribution:
    return Distribution(id=distribution_id, version_id=version_id, pretty_name=pretty_name, path="etc/os-release")


@pytest.mark.parametrize(
    ("distribution", "product", "cycle", "eol"),
    [
        (of("debian", "11"), "debian", "11", date(2024, 8, 14)),
        (of("debian", "6.0"), "debian", "6", date(2014, 5, 31)),
        (of("alpine", "3.18.4"), "alpine-linux", "3.18", date(2025, 5, 9)),
        (of("ubuntu", "22.04"), "ubuntu", "22.04", date(2027, 4, 1)),
        (of("almalinux", "9.3"), "almalinux", "9", date(2032, 5, 31)),
        (of("rocky", "8.9"), "rocky-linux", "8", date(2029, 5, 31)),
        (of("fedora", "40"), "fedora", "40", date(2025, 5, 13)),
        (of("amzn", "2"), "amazon-linux", "2", date(2026, 6, 30)),
        (of("sles", "15"), "sles", "15.0", date(2019, 12, 31)),
        (of("centos", "8"), "centos", "8", date(2021, 12, 31)),
        (of("centos", "8", "CentOS Stream 8"), "centos-stream", "8", date(2024, 5, 31)),
        (of("photon", "5.0"), "vmware-photon", "5.0", None),
        (of("opensuse", "42.3"), "opensuse", "42.3", date(2019, 7, 1)),
        (of("openwrt", "22.03.5"), "openwrt", "22.03", date(2024, 4, 11)),
        (of("sle-micro", "5.3"), "suse-linux-micro", "5.3", date(2026, 10, 30)),
        (of("sles_sap", "15.4"), "sles", "15.4", date(2023, 12, 31)),
        (of("linuxmint", "20.3"), "linuxmint", "20.3", date(2025, 4, 30)),
        (of("linuxmint", "5"), "linuxmint", "lmde5", date(2024, 7, 1)),
        (of("cos", "101"), "cos", "cos-101", date(2024, 10, 21)),
        (of("nixos", "23.11"), "nixos", "23.11", date(2024, 6, 30)),
        (of("clear-linux-os", "41070"), "clearlinux", "current", date(2025, 7, 21)),
        (of("eurolinux", "8.9"), "eurolinux", "8", date(2024, 11, 3)),
    ],
)
def test_a_known_release_has_its_date(distribution: Distribution, product: str, cycle: str, eol: date | None) -> None:
    state = eol_state(distribution, today=date(2023, 1, 1))

    assert state is not None
    assert (state.product, state.cycle, state.eol) == (product, cycle, eol)


@pytest.mark.parametrize(
    "distribution",
    [
        None,
        of("debian", ""),
        of("debian", "99"),
        of("alpine", "3"),
        of("alpine", "3.19_alpha1"),
        of("wolfi", "20230201"),
        of("sles", "15.99"),
        of("x", "1"),
    ],
)
def test_an_unknown_release_has_no_state(distribution: Distribution | None) -> None:
    assert eol_state(distribution, today=date(2023, 1, 1)) is None
    assert eol_findings(distribution, today=date(2023, 1, 1)) == ()


@pytest.mark.parametrize(
    ("today", "is_over", "is_extended"),
    [
        (date(2024, 8, 14), False, False),
        (date(2024, 8, 15), True, True),
        (date(2026, 8, 31), True, True),
        (date(2026, 9, 1), True, False),
    ],
)
def test_support_lasts_through_its_last_day(today: date, is_over: bool, is_extended: bool) -> None:
    state = eol_state(of("debian", "11"), today=today)

    assert state is not None
    assert (state.is_over, state.is_extended) == (is_over, is_extended)


def test_a_release_whose_end_is_not_announced_is_supported() -> None:
    state = eol_state(of("photon", "5.0"), today=date(2099, 1, 1))

    assert state is not None
    assert not state.is_over


@pytest.mark.parametrize(("today", "severity"), [(date(2025, 1, 1), Severity.MEDIUM), (date(2027, 1, 1), Severity.HIGH)])
def test_the_end_of_support_is_a_finding(today: date, severity: Severity) -> None:
    (finding,) = eol_findings(of("debian", "11", "Debian GNU/Linux 11"), today=today)

    assert (finding.kind, finding.id, finding.severity) == (FindingKind.EOL, "EOL-debian-11", severity)
    assert "2024-08-14" in finding.title
    assert finding.path == "etc/os-release"


def test_a_supported_release_gives_no_finding() -> None:
    assert eol_findings(of("debian", "11"), today=date(2024, 1, 1)) == ()


def test_today_is_the_default_day() -> None:
    assert eol_state(of("debian", "7")) == eol_state(of("debian", "7"), today=datetime.now(UTC).date())
