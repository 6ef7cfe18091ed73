"""Gateways with one defect each: the proof that every rule of gateways can fail.

The area of a mutant is the rule that it is made for; other rules may notice it too.
"""

from harness.kit.mutant import collect
from lab.gateways import exchanges, streams
from lab.gateways.mutant import Gateway

MUTANTS = collect(exchanges.MUTANTS, streams.MUTANTS)

__all__ = ["MUTANTS", "Gateway"]
