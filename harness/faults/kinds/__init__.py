"""Kinds of cases for whoever reads a stream: each makes the fault plans for a stream of any shape. Layer 1."""

from harness.faults.kinds.case_kind import CaseKind, Plans, StreamShape, at, at_each, chain_plans, in_further

__all__ = ["CaseKind", "StreamShape", "Plans", "at", "at_each", "chain_plans", "in_further"]
