"""Every bound that keeps a hostile peer from hanging or flooding us, with its default and its reason.

Knows numbers only. Reaching a bound on the client's side never raises: the exchange gets an `Ending` with
`By.LIMIT`, whose `detail` names the field of `Limits` that was reached, or the time that the exchange was given.
"""

from __future__ import annotations

from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

RECORDED_BYTES = 256 * 1024 * 1024
"""Size of the largest request or response body that is recorded; larger ones pass unrecorded.

A cassette is held in memory, both when it is written and when it is loaded.
"""


class Limits(Struct, frozen=True, kw_only=True):
    """The limits that a client sets to an untrusted target. Seconds are floats; everything else is a count.

    In-process carriers measure seconds on the injected clock, sockets on the machine's monotonic clock.
    """

    connect_seconds: float = 10.0
    """Until the connection is established, including TLS and a proxy's CONNECT."""
    head_seconds: float = 120.0
    """From sending the request to the whole response head; a create that does not stream thinks in this time."""
    idle_seconds: float = 60.0
    """Between two arrivals of body bytes."""
    closing_seconds: float = 3.0
    """After the event that says that a stream is over; a longer exchange gets a twentieth of its time."""
    total_seconds: float = 600.0
    """The whole exchange, so that a slow drip, which is never idle, also ends."""
    head_bytes: int = 64 * 1024
    """Response heads (interim ones counted together) and trailers."""
    body_bytes: int = 64 * 1024 * 1024
    """Body bytes on the wire, after the transfer coding is removed."""
    event_bytes: int = 8 * 1024 * 1024
    """One server-sent event whose blank line has not come yet (for streams that are read as events)."""
    decoded_bytes: int = 64 * 1024 * 1024
    """Body bytes after gzip or deflate is decoded."""
    pauses: int = 100_000
    """Consecutive pieces without a byte; in-process only, where no real time passes that could run out."""

    option: str = ""
    """The option of a command that sets the seconds; "" if it is the program that set them."""

    @property
    def to_close(self) -> float:
        """Seconds for which a stream may stay open after its final event; the rest is for seeing that it does."""
        return min(self.closing_seconds, self.idle_seconds, self.total_seconds / 2)

    def name_wait(self, bound: str) -> str:
        """The name of a bound of seconds: the time that one exchange was given, else its field."""
        if self.idle_seconds == self.total_seconds:
            cure = f", {self.option} gives more" if self.option else ""
            return f"{self.total_seconds:g} s for the whole request{cure}"
        return f"Limits.{bound}"

    def within(self, seconds: float | None) -> Limits:
        """The same bounds for one exchange that may take `seconds` in total, however it spends them."""
        return self if seconds is None else _narrow(self, seconds)


@lru_cache(maxsize=64)
def _narrow(limits: Limits, seconds: float) -> Limits:
    """The limits for one exchange; most exchanges get the same time as the one before."""
    return replace(
        limits,
        connect_seconds=min(limits.connect_seconds, seconds),
        head_seconds=seconds,
        idle_seconds=seconds,
        closing_seconds=max(limits.closing_seconds, seconds / 20),
        total_seconds=seconds,
    )


class ServerLimits(Struct, frozen=True, kw_only=True):
    """The limits that the socket server sets to its clients."""

    head_bytes: int = 64 * 1024
    """A request's line and fields; more is answered with 431."""
    body_bytes: int = 32 * 1024 * 1024
    """A request's body; more is answered with 413."""
    request_seconds: float = 10.0
    """From the first byte of a request to its last; slower is answered with 408."""
    idle_seconds: float = 75.0
    """A connection kept alive without a request on it."""
    pipelined_bytes: int = 256 * 1024
    """Bytes of later requests that are read ahead while one is being answered."""
    drain_seconds: float = 5.0
    """How long a reset waits for the kernel to deliver what was written before it."""
    linger_seconds: float = 1.0
    """How long a finished connection waits for the client's own FIN, so that no answer is lost to a reset."""
