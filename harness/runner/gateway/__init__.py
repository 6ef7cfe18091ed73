"""Judges a gateway from both sides at once: the emulator is its upstream, and the harness its client.

Layer 4. `upstream` and `line` are the two sides, and `trials` sends the requests. `compare` and the judges in
`calls`, `streams` and `endings` find what was lost on the way. `rules` sets the level of each loss, and `mutants`
prove that each rule can fail.
"""

from harness.runner.gateway.events import (
    GatewayEvent,
    GatewayFinished,
    GatewayStarted,
    GatewayStopped,
    Judged,
    TrialStarted,
)
from harness.runner.gateway.line import Line
from harness.runner.gateway.passage import Passage
from harness.runner.gateway.rules import BY_ID, CHECKS
from harness.runner.gateway.run import GatewayOptions, judge_gateway
from harness.runner.gateway.upstream import Upstream

__all__ = [
    "judge_gateway", "GatewayOptions",
    "Line", "Upstream", "Passage",
    "CHECKS", "BY_ID",
    "GatewayEvent", "GatewayStarted", "TrialStarted", "GatewayStopped", "Judged", "GatewayFinished",
]  # fmt: skip
