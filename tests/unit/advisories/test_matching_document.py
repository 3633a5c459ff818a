"""docs/matching.md names tests that exist."""

import re
from pathlib import Path

FOLDER = Path(__file__).parent
DOCUMENT = FOLDER.parents[2] / "docs/matching.md"


def test_every_rule_of_matching_has_its_test() -> None:
    text = DOCUMENT.read_text()
    rules = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| rule |")]
    named = set(re.findall(r"`(test_\w+)`", text))
    written = {name for path in FOLDER.rglob("test_*.py") for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)}
    assert [rule for rule in rules if "`test_" not in rule] == []
    assert sorted(named - written) == []
