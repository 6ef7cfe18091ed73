"""Gateways with one defect each: the proof that every rule can fail. Layer 5.

A mutant names the rule it is made for; other rules may notice it too.
"""

from harness.benches.gateway.mutants import answers, bodies, requests, streams
from harness.benches.gateway.mutants.mutant import Gateway, GatewayMutant

MUTANTS: dict[str, GatewayMutant] = {
    mutant.id: mutant
    for area in (requests.AREA, answers.AREA, streams.AREA, bodies.AREA)
    for mutant in area.mutants
}

__all__ = ["MUTANTS", "Gateway", "GatewayMutant"]
