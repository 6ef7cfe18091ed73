"""A client reads a stream that drops where told, and must end up with the whole result.

Layer 5. A `Case` says what happens to a stream, a `StreamSource` serves it, a `ClientAttempt` is one client's
attempt to read it. Under `torture` the client is a command in any language, which runs once for each case. What
the API is, its `ClientModel` says.
"""

from harness.benches.client.bench import TortureOptions, torture
from harness.benches.client.cases.case import EVENT_IDS, Case
from harness.benches.client.cases.drop_cases import cases_of
from harness.benches.client.cases.stream_source import StreamSource, whole_stream
from harness.benches.client.judgement.attempt import ClientAttempt
from harness.benches.client.judgement.outcome import DropOutcome, outcome_of
from harness.benches.client.process.client_commands import Client, ClientResult, CommandClient, LoopClient

__all__ = [
    "Case", "cases_of", "whole_stream", "EVENT_IDS", "StreamSource", "ClientAttempt",
    "torture", "TortureOptions", "DropOutcome", "outcome_of",
    "Client", "CommandClient", "LoopClient", "ClientResult",
]  # fmt: skip
