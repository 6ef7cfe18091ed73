"""A client reads a stream that drops where told, and must end up with the whole result.

Layer 5. A `Case` says what happens to a stream, a `Source` serves the stream, a `Drop` is one client's attempt.
Under `torture` the client is a command in any language, which runs once for each case.
"""

from harness.benches.client.attempt import Drop
from harness.benches.client.bench import TortureOptions, torture
from harness.benches.client.client_commands import Client, Ended, OneShot, Talking
from harness.benches.client.drop_case import EVENT_IDS, Case
from harness.benches.client.drop_cases import cases_of
from harness.benches.client.outcome import Outcome, outcome_of
from harness.benches.client.stream_source import Source, whole_stream

__all__ = [
    "Case", "cases_of", "whole_stream", "EVENT_IDS", "Source", "Drop",
    "torture", "TortureOptions", "Outcome", "outcome_of",
    "Client", "OneShot", "Talking", "Ended",
]  # fmt: skip
