"""The interface through which requests reach a target: a socket and an in-process service look the same.

Layer 0. `harness.transport` implements it; the runner and the plugin use it. Nothing a target does raises:
every failure is the `Ending` of an `Exchange`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from harness.wire.delivery import Inbox
from harness.wire.exchange import Exchange
from harness.wire.frame import Frame
from harness.wire.message import Headers, Request


class LiveStream(Protocol):
    """A response that is read lazily, on demand, as server-sent events."""

    @property
    def status(self) -> int | None: ...

    @property
    def headers(self) -> Headers: ...

    @property
    def ended(self) -> bool:
        """Whether the body reached its `Ending`, so that nothing more can be read."""

    def read(self, events: int) -> list[Frame]:
        """The next `events` frames; fewer when the body ended, was cut, or a limit was reached first."""

    def hurry(self, seconds: float) -> None:
        """Let the rest of the body take at most so many seconds; it cannot get more than it had."""

    def finish(self) -> Exchange:
        """Read to the end and return the record."""

    def close(self) -> Exchange:
        """Hang up and return the record; its ending is by the client unless the body had ended."""


@runtime_checkable
class Listening(Protocol):
    """A driver that can also receive what its target sends by itself."""

    def listen(self) -> Inbox:
        """Open a receiver, which the caller closes. Raises Unmet if the target cannot reach it."""


class Driver(Protocol):
    """Sends requests whose targets start at the API's root (`/v1beta/interactions`)."""

    def send(self, request: Request, *, timeout: float | None = None) -> Exchange:
        """Send one request and read its answer within the driver's limits; `timeout` in seconds overrides one."""

    def open(self, request: Request, *, timeout: float | None = None) -> LiveStream:
        """Send a request and read the response head; the body is left to be pulled. `timeout` is as in `send`."""

    def together(
        self, requests: Sequence[Request], note: Callable[[Exchange], object] | None = None
    ) -> list[Exchange]:
        """Send all requests at the same time; the results are in the order of the requests.

        `note` gets each answer as soon as it is there, perhaps on another thread: an interrupt loses the list.
        """

    def wait(self, seconds: float) -> None:
        """Let time pass at the target: real time on a socket, logical time in this process."""

    def interrupt(self) -> None:
        """End what is under way, called from another thread; later requests are sent as before."""

    def close(self) -> None:
        """Release connections and threads; hang up open streams."""
