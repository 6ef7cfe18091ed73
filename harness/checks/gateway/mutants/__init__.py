"""Gateways with one defect each: the proof that every rule can fail. Layer 2.

The area of a mutant is the rule that it is made for; other rules may notice it too.
"""

from harness.checks.gateway.mutants import exchanges, streams
from harness.checks.gateway.mutants.mutant import Gateway
from harness.kit.mutant import collect

MUTANTS = collect(exchanges.MUTANTS, streams.MUTANTS)

__all__ = ["MUTANTS", "Gateway"]
