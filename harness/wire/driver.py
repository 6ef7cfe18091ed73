"""How requests reach a target, as an interface: a socket, or a service in this process, look the same.

Layer 0. `harness.transport` implements it; the runner and the plugin use it. Nothing a target does raises:
every failure is the `Ending` of an `Exchange`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from harness.wire.exchange import Exchange
from harness.wire.frame import Frame
from harness.wire.message import Headers, Request


class LiveStream(Protocol):
    """A response that is being read as server-sent events, on demand and lazily."""

    @property
    def status(self) -> int | None: ...

    @property
    def headers(self) -> Headers: ...

    @property
    def ended(self) -> bool:
        """Whether the body reached its `Ending`; nothing more can be read."""

    def read(self, events: int) -> list[Frame]:
        """The next `events` frames; fewer when the body ended, was cut, or a limit was reached first."""

    def finish(self) -> Exchange:
        """Read to the end and give the record."""

    def close(self) -> Exchange:
        """Hang up where we are and give the record; its ending is by the client unless the body had ended."""


class Driver(Protocol):
    """Sends requests whose targets start at the API's root (`/v1beta/interactions`)."""

    def send(self, request: Request, *, timeout: float | None = None) -> Exchange:
        """One request and its whole answer, bounded by the driver's limits; `timeout` in seconds overrides one."""

    def open(self, request: Request, *, timeout: float | None = None) -> LiveStream:
        """Send, read the response head, and leave the body to be pulled; `timeout` is as in `send`."""

    def together(self, requests: Sequence[Request]) -> list[Exchange]:
        """All at the same time; answers in the order of the requests."""

    def wait(self, seconds: float) -> None:
        """Let time pass at the target: really on a socket, logically in this process."""

    def close(self) -> None:
        """Give back connections and threads; open streams are hung up."""
