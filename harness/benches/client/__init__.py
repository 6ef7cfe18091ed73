"""A client reads a stream that drops at given places, and must return the whole result.

Layer 5. A `Case` describes the faults of a stream, a `StreamSource` serves it, a `ClientAttempt` is one client's
attempt to read it. Under `torture` the client is a command in any language, which runs once for each case. The
`ClientModel` of an API defines its modes and cases.

Names are imported on first use, so that a fixture does not pay for the bench.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.benches.client.bench import TortureOptions, torture
    from harness.benches.client.cases import EVENT_IDS, Case, StreamSource, cases_of, whole_stream
    from harness.benches.client.client_commands import Client, ClientResult, CommandClient, LoopClient
    from harness.benches.client.judgement.attempt import ClientAttempt
    from harness.benches.client.judgement.outcome import DropOutcome, outcome_of

_HOMES = {
    **dict.fromkeys(("TortureOptions", "torture"), "bench"),
    **dict.fromkeys(("EVENT_IDS", "Case", "StreamSource", "cases_of", "whole_stream"), "cases"),
    **dict.fromkeys(("Client", "ClientResult", "CommandClient", "LoopClient"), "client_commands"),
    **dict.fromkeys(("DropOutcome", "outcome_of"), "judgement.outcome"),
    "ClientAttempt": "judgement.attempt",
}

__all__ = [
    "Case", "cases_of", "whole_stream", "EVENT_IDS", "StreamSource", "ClientAttempt",
    "torture", "TortureOptions", "DropOutcome", "outcome_of",
    "Client", "CommandClient", "LoopClient", "ClientResult",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
