"""What a question needs of the prober that asks it. Layer 2."""

from __future__ import annotations

from typing import Any, Protocol

from harness.contract.requests import RequestBuilder
from harness.kit.actions import Part
from harness.kit.api import Lack
from harness.wire import Exchange, Request


class Probe(Protocol):
    """The prober as the questions see it: sends requests and records findings and notes for the reader."""

    target: RequestBuilder
    greeting: Exchange
    notes: list[str]

    def ask(self, request: Request, *names: str) -> Exchange | None:
        """Send a request and return the answer; if none came, None, and these capabilities are assumed present."""

    def heard(self, exchange: Exchange, *names: str) -> bool:
        """Whether an exchange has an answer; if it has none, these capabilities are assumed present."""

    def settle(
        self, name: str, present: bool, note: str, lack: Lack = Lack.REFUSED, *, owing_to: str = ""
    ) -> None:
        """Record whether a capability is present, as observed; if it is not, why, and owing to which other one."""

    def perform(self, part: Part[Any]) -> Any:
        """Play a part of an exercise and return its result."""

    def why_lacking(self, name: str) -> Lack | None:
        """Why a capability that was asked for is not present; None if it is, or if nothing is known of it."""
