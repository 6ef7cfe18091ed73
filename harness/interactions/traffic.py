"""`TRAFFIC`: this API with all that judging the traffic of others takes as it passes.

Importing it costs nothing: each function imports what it needs when it is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.interactions import INTERACTIONS
from harness.kit.api import TrafficApi

if TYPE_CHECKING:
    from harness.contract import Contract
    from harness.contract.judge.history.history_judge import HistoryJudge


def _new_history_judge(contract: Contract, sole_client: bool) -> HistoryJudge:
    from harness.contract.judge.history.history_judge import HistoryJudge

    return HistoryJudge(contract, sole_client=sole_client)


TRAFFIC = TrafficApi(**INTERACTIONS.fields(), new_history_judge=_new_history_judge)
