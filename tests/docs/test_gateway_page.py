"""`docs/gateway.md` names what `harness gateway` judges."""

from __future__ import annotations

import re
from pathlib import Path

from harness.checks.gateway import CATALOGUE

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "gateway.md").read_text(encoding="utf-8")


def test_the_table_names_every_rule_with_its_level() -> None:
    """A row may stand for several rules."""
    rows = re.findall(r"^\| (`gw\..+?`) \| (\w+) \|", PAGE, re.MULTILINE)
    named = [(rule, level) for rules, level in rows for rule in re.findall(r"`(gw\..+?)`", rules)]
    wrong = sorted({*named} ^ {(check.id, str(check.rule.level)) for check in CATALOGUE.checks})
    assert not wrong, f"the table of docs/gateway.md and checks/gateway/catalogue.py differ, mend a row: {wrong}"
    assert len(named) == len({*named}), "a rule stands twice in the table of docs/gateway.md"


def test_the_sample_counts_rules_and_trials_as_a_run_does() -> None:
    """The sample output is of a run of all rules."""
    line = f"{len(CATALOGUE.checks)} rules, {len(CATALOGUE.exercises)} trials"
    assert f"\n{line}\n" in PAGE, f"write {line!r} into the sample output of docs/gateway.md"
