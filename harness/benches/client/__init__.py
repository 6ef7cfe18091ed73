"""Tortures a client in any language: its command runs once for each drop, and must end up with the whole text.

Layer 4. `client` knows processes, `stage` is the server they connect to, `run` combines both for every case.
"""

from harness.benches.client.bench import torture
from harness.benches.client.client_commands import Client, Ended, OneShot, Talking
from harness.benches.client.events import CaseEnded, Outcome, TortureStarted

__all__ = [
    "torture",
    "TortureStarted", "CaseEnded", "Outcome",
    "Client", "OneShot", "Talking", "Ended",
]  # fmt: skip
