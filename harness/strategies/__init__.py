"""Hypothesis strategies for everything the Interactions API sends and accepts. Public.

They know the contract and nothing else: a value is legal if the contract's validators and judges accept it, and
illegal if they reject it. Needs the extra `fuzz`.
"""

try:
    import hypothesis as _hypothesis  # noqa: F401  only tested here: the modules below import it themselves
except ImportError as missing:  # pragma: no cover - a base installation
    raise ImportError(
        "harness.strategies needs Hypothesis, which is in an extra: pip install 'interactions-harness[fuzz]'"
    ) from missing

from harness.strategies.messages import create_requests, interactions, steps
from harness.strategies.operations import ClientCommand, histories
from harness.strategies.streams import EventStream, cuts, event_streams, splits, wire_framings

__all__ = [
    "create_requests", "interactions", "steps",
    "event_streams", "EventStream",
    "wire_framings", "cuts", "splits",
    "histories", "ClientCommand",
]  # fmt: skip
