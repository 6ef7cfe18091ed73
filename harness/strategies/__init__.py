"""Hypothesis strategies for everything the Interactions API sends and takes. Layer 2, public.

They know the contract and nothing else: what is legal is what its validators and judges accept, what is illegal is
what they refuse. Needs the extra `fuzz`.
"""

try:
    import hypothesis as _hypothesis  # noqa: F401  the modules below import it for themselves
except ImportError as missing:  # pragma: no cover - a base installation
    raise ImportError(
        "harness.strategies needs Hypothesis, which is in an extra: pip install 'interactions-harness[fuzz]'"
    ) from missing

from harness.strategies.bodies import create_requests, interactions, steps
from harness.strategies.framing import cuts, splits, wire_framings
from harness.strategies.operations import Operation, histories
from harness.strategies.stream import EventStream
from harness.strategies.streams import event_streams

__all__ = [
    "create_requests", "interactions", "steps",
    "event_streams", "EventStream",
    "wire_framings", "cuts", "splits",
    "histories", "Operation",
]  # fmt: skip
