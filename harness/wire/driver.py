"""The interface through which requests reach a target: a socket and an in-process service look the same.

`harness.transport` implements it; the runner and the plugin use it. Nothing a target does raises: every failure is
the `Ending` of an `Exchange`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeAlias

from msgspec import Struct

from harness.wire.delivery import Inbox
from harness.wire.message import Exchange, Headers, Request
from harness.wire.sse import Frame


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
        """The next `events` frames; fewer when the body ended, was cut, or a limit was reached first.

        With 0 the stream takes in what has come, and returns nothing.
        """

    def hurry(self, seconds: float) -> None:
        """Limit the rest of the body to so many seconds; the earlier limit still applies."""

    def finish(self) -> Exchange:
        """Read to the end and return the record."""

    def close(self) -> Exchange:
        """Disconnect and return the record; its ending is by the client unless the body had ended."""


class Send(Struct, frozen=True):
    """Send one request and read the whole response → `Exchange`. `timeout` is in seconds; None: the driver's own.

    A driver that waits after a 429 or 503 and repeats the request returns the statuses in `sees` at once: the
    caller wants to see these.
    """

    request: Request
    timeout: float | None = None
    sees: frozenset[int] = frozenset()


class Open(Struct, frozen=True):
    """Send a request and leave the body unread → `LiveStream`.

    `timeout` is in seconds, for all of the response; None: the driver's own.
    """

    request: Request
    timeout: float | None = None


class Together(Struct, frozen=True):
    """Send requests at the same time → `list[Exchange]` in the order of the requests.

    `note` gets each response as soon as it is there, perhaps on another thread: an interrupt loses the list.
    `timeout` is in seconds, for each; None: the driver's own. `is_idle` as in `Wait`: all are of background runs.
    """

    requests: tuple[Request, ...]
    note: Callable[[Exchange], object] | None = None
    timeout: float | None = None
    is_idle: bool = False


class Wait(Struct, frozen=True):
    """Let `seconds` pass at the target → None: real time on a socket, logical time in this process."""

    seconds: float
    is_idle: bool = False  # others may use the time


class Listen(Struct, frozen=True):
    """Open a receiver for what the target delivers by itself → `Inbox`, which the caller closes.

    Raises Unmet if the target cannot reach one.
    """


class Collect(Struct, frozen=True):
    """Wait until `count` deliveries have come, at most `seconds` → `list[Arrival]`, all that came meanwhile."""

    receiver: Inbox
    count: int
    seconds: float


class Interrupt(Struct, frozen=True):
    """End what is under way → None; performed from another thread. Later requests are sent as before."""


DriverAction: TypeAlias = Send | Open | Together | Wait | Listen | Collect | Interrupt


class Driver(ABC):
    """Reaches a target: an action goes in, its result comes out. Request targets start at the API's root.

    A driver writes `perform` and `close`. The other methods are for callers: each performs the action of its name.
    """

    @abstractmethod
    def perform(self, action: DriverAction) -> Any:
        """Perform one action and return its result, whose type the action names."""

    @abstractmethod
    def close(self) -> None:
        """Release connections and threads; close open streams."""

    def send(
        self, request: Request, *, timeout: float | None = None, sees: frozenset[int] = frozenset()
    ) -> Exchange:
        exchange: Exchange = self.perform(Send(request, timeout, sees))
        return exchange

    def open(self, request: Request, *, timeout: float | None = None) -> LiveStream:
        stream: LiveStream = self.perform(Open(request, timeout))
        return stream

    def together(
        self, requests: Iterable[Request], note: Callable[[Exchange], object] | None = None
    ) -> list[Exchange]:
        exchanges: list[Exchange] = self.perform(Together(tuple(requests), note))
        return exchanges

    def wait(self, seconds: float) -> None:
        self.perform(Wait(seconds))

    def listen(self) -> Inbox:
        receiver: Inbox = self.perform(Listen())
        return receiver

    def interrupt(self) -> None:
        self.perform(Interrupt())
