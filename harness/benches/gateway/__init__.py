"""Judges a gateway from both sides at once: a reference service is its upstream, and the harness its client.

`bench` has the two sides, `Upstream` and `GatewayBench`. `run` runs the exercises of a catalog and judges the
exchanges. Knows no API: catalog, client and reference service are passed in.
"""

from harness.benches.gateway.bench import GatewayBench, Upstream
from harness.benches.gateway.run import GatewayOptions, judge_gateway

__all__ = ["judge_gateway", "GatewayOptions", "GatewayBench", "Upstream"]
