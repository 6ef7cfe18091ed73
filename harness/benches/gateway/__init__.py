"""Judges a gateway from both sides at once: the emulator is its upstream, and the harness its client.

Layer 5. `upstream` and `line` are the two sides, and `trials` sends the requests. `compare` and the judges in
`calls`, `streams` and `endings` find what was lost on the way. `rules` sets the level of each loss, and `mutants`
prove that each rule can fail.
"""

from harness.benches.gateway.bench import Line
from harness.benches.gateway.catalogue.rules import BY_ID, CHECKS
from harness.benches.gateway.relayed_exchange import Passage
from harness.benches.gateway.run import GatewayOptions, judge_gateway
from harness.benches.gateway.upstream import Upstream

__all__ = [
    "judge_gateway", "GatewayOptions",
    "Line", "Upstream", "Passage",
    "CHECKS", "BY_ID",
]  # fmt: skip
