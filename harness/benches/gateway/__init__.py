"""Judges a gateway from both sides at once: a reference service is its upstream, and the harness its client.

Layer 5. `upstream` and `bench` are the two sides. `liveness` runs the exercises of a catalog and `run` judges the
exchanges. Knows no API: catalog, client and reference service are passed in.
"""

from harness.benches.gateway.bench import GatewayBench, Upstream
from harness.benches.gateway.run import GatewayOptions, judge_gateway

__all__ = ["judge_gateway", "GatewayOptions", "GatewayBench", "Upstream"]
