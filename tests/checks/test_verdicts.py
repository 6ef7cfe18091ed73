"""The tables of all areas: each judge reaches the outcome in its row, and each check can fail.

Each module of this package that has `CASES` is such a table; its other tests cover what is special to its area.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from harness.checks.catalogue import CATALOGUE
from harness.outcome import Outcome
from harness.rules import ROWS
from tests.checks._play import judge
from tests.in_one_test import in_one_test

FOLDER = Path(__file__).parent
MODULES = sorted(
    ".".join(path.relative_to(FOLDER).with_suffix("").parts)
    for path in FOLDER.rglob("test_*.py")
    if path != Path(__file__)
)
CASES = [row for name in MODULES for row in getattr(import_module(f"tests.checks.{name}"), "CASES", ())]


@in_one_test(CASES)
def test_verdicts(check_id: str, outcome: Outcome, why: str, exchanges: dict[str, Any]) -> None:
    """On the exchanges of a row, the check reaches the row's outcome."""
    assert judge(check_id, **exchanges).outcome is outcome, why


def test_every_check_can_fail() -> None:
    """Each check with a judge of its own has a row in which it fails: shared judges have tests of their own."""
    broken = {row.check_id for row in CASES if row.outcome is Outcome.NOT_MET}
    shared = ("keeps_in_every_stream", "judge_refusals")
    parts = {check.id: ROWS[check.id].judge for check in CATALOGUE}
    parts = {rule: [judge] if isinstance(judge, str | Mapping) else judge for rule, judge in parts.items()}
    own = {rule for rule, some in parts.items() if any(isinstance(one, str) and one not in shared for one in some)}
    unseen = own - broken
    assert not unseen, (
        f'{", ".join(sorted(unseen))}: add a case(id, "not_met", …), which the check must fail, to CASES of its '
        "area in tests/checks/areas, and one that it must pass"
    )
