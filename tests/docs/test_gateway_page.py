"""`docs/gateway-reference.md` names what `harness gateway` judges."""

from __future__ import annotations

import re
from pathlib import Path

from harness.checks.gateway import CATALOGUE

DOCS = Path(__file__).resolve().parents[2] / "docs"
REFERENCE = (DOCS / "gateway-reference.md").read_text(encoding="utf-8")


def test_the_table_names_every_rule_with_its_level() -> None:
    """A row may stand for several rules."""
    rows = re.findall(r"^\| (`gw\..+?`) \| (\w+) \|", REFERENCE, re.MULTILINE)
    named = [(rule, level) for rules, level in rows for rule in re.findall(r"`(gw\..+?)`", rules)]
    wrong = sorted({*named} ^ {(check.id, str(check.rule.level)) for check in CATALOGUE.checks})
    assert not wrong, (
        f"the table of docs/gateway-reference.md and checks/gateway/catalogue.py differ, mend a row: {wrong}"
    )
    assert len(named) == len({*named}), "a rule stands twice in the table of docs/gateway-reference.md"
