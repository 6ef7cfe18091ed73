"""A client reads a stream that drops where told, and must end up with the whole result.

Layer 5. A `Case` says what happens to a stream, a `StreamSource` serves it, a `ClientAttempt` is one client's
attempt to read it. Under `torture` the client is a command in any language, which runs once for each case.
"""

from harness.benches.client.attempt import ClientAttempt
from harness.benches.client.bench import TortureOptions, torture
from harness.benches.client.client_commands import Client, Ended, OneShot, Talking
from harness.benches.client.drop_case import EVENT_IDS, Case
from harness.benches.client.drop_cases import cases_of
from harness.benches.client.outcome import DropOutcome, outcome_of
from harness.benches.client.stream_source import StreamSource, whole_stream

__all__ = [
    "Case", "cases_of", "whole_stream", "EVENT_IDS", "StreamSource", "ClientAttempt",
    "torture", "TortureOptions", "DropOutcome", "outcome_of",
    "Client", "OneShot", "Talking", "Ended",
]  # fmt: skip
