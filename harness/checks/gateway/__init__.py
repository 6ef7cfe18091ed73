"""What a gateway in front of the API has to pass on: exercises, judges and rules of `harness gateway`.

Layer 2. `exercises` says what is sent and `client` builds it; `upstream_answers` makes answers that the reference
service does not give by itself, `upstream_scripts` has what its runs say. `relay_diff` compares the two sides, and
the judges find what was lost on the way. `catalogue` sets the level of each loss, and `mutants` prove that each
rule can fail.
"""

from harness.checks.gateway.catalogue import BY_ID, CATALOGUE, CHECKS
from harness.checks.gateway.client import GatewayClient
from harness.checks.gateway.stream_queries import STREAM_WORDS

__all__ = ["CATALOGUE", "CHECKS", "BY_ID", "GatewayClient", "STREAM_WORDS"]
