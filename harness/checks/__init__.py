"""The catalog of checks and the vocabulary for writing them. Layer 2; never imports the emulator.

Importing this package is cheap; `harness.checks.catalogue` imports every area module.
"""

from harness.checks.capabilities import CAPABILITIES
from harness.contract.requests import RequestBuilder
from harness.kit.actions import (
    Close,
    Collect,
    Finish,
    Listen,
    Open,
    Read,
    Send,
    Steps,
    Together,
    Wait,
    stop_exercise,
)
from harness.kit.check import Check, Exercise, exercise

__all__ = [
    "Check", "Exercise", "exercise", "CAPABILITIES",
    "RequestBuilder",
    "Steps", "Send", "Open", "Read", "Finish", "Close", "Wait", "Together",
    "Listen", "Collect",
    "stop_exercise",
]  # fmt: skip
