"""`TRAFFIC`: this API with all that judging the traffic of others takes as it passes.

Importing it costs nothing: the judge is imported when it is called.
"""

from __future__ import annotations

from harness.interactions import INTERACTIONS
from harness.kit.api import LateCall, TrafficApi

TRAFFIC = TrafficApi(
    **INTERACTIONS.fields(),
    new_history_judge=LateCall("harness.contract.judge.history.history_judge", "HistoryJudge"),
)
