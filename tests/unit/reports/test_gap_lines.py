from pratique.inventory.coverage import Coverage, CoverageItem, CoverageStatus
from pratique.reports.gap_lines import gap_lines


def gap(name: str, reason: str) -> CoverageItem:
    return CoverageItem(name=name, version="1", status=CoverageStatus.PARTIAL, reason=reason)


def test_gaps_of_one_reason_are_one_line() -> None:
    gaps = [gap(name, "no layer could be read") for name in ("apk", "dpkg", "apk", "rpm", "node", "python")]
    coverage = Coverage(items=(gap("java", "a.jar: broken"), *gaps, CoverageItem(name="go", version="1", status=CoverageStatus.COMPLETE)))
    assert gap_lines(coverage) == ["java: a.jar: broken", "apk, dpkg, rpm and 2 more: no layer could be read"]


def test_four_names_are_named() -> None:
    assert gap_lines(Coverage(items=tuple(gap(name, "x") for name in "abcd"))) == ["a, b, c, d: x"]


def test_lines_hold_no_control_characters() -> None:
    assert gap_lines(Coverage(items=(gap("a\x1b[2J", "b\nc"),))) == ["a\ufffd[2J: b c"]
