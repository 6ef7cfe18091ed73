"""The contract that a strategy draws from: the one that is passed, else that of the current revision. Layer 2."""

from __future__ import annotations

from harness.contract import CURRENT, Contract, load


def contract_or_current(contract: Contract | None) -> Contract:
    """`contract`, or that of the current revision: strategies are public, and most tests mean the API of today."""
    return contract if contract is not None else load(CURRENT)
