"""Every bound that keeps a hostile other side from hanging or flooding us, with its default and its reason.

Layer 3. Knows numbers only. A bound that is met on the client's side is never an exception: it is the `Ending`
`By.LIMIT` of an exchange, and its `detail` names the field of `Limits` that was met.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

RECORDED_BYTES = 256 * 1024 * 1024
"""The body of a request or an answer, beyond which it passes like any other and is in no recording.

A cassette is held in memory, by whoever writes it and by whoever loads it.
"""


class _Positive:
    """Checks at the door that every bound is a positive number."""

    __slots__ = ()

    def __post_init__(self) -> None:
        for bound in fields(self):  # type: ignore[arg-type]
            value = getattr(self, bound.name)
            if not value > 0:
                raise ValueError(
                    f"{type(self).__name__}.{bound.name}={value!r} must be positive: "
                    "a bound of nothing would refuse every exchange"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits(_Positive):
    """What a client of an untrusted target is ready to bear; seconds are floats, the rest counts.

    In-process carriers count seconds on the injected clock, sockets on the machine's monotonic one.
    """

    connect_seconds: float = 10.0
    """Until the connection stands, TLS and a proxy's CONNECT included."""
    head_seconds: float = 120.0
    """From the request being sent to the whole response head: a create that does not stream thinks in here."""
    idle_seconds: float = 60.0
    """Between two arrivals of body bytes."""
    total_seconds: float = 600.0
    """The whole exchange, so that a slow drip, which is never idle, ends as well."""
    head_bytes: int = 64 * 1024
    """Response heads (interim ones counted together) and trailers."""
    head_fields: int = 256
    """Fields of one response head."""
    body_bytes: int = 64 * 1024 * 1024
    """Body bytes on the wire, after the transfer coding was undone."""
    event_bytes: int = 8 * 1024 * 1024
    """One server-sent event that is still without its blank line (streams that are read as events)."""
    decoded_bytes: int = 64 * 1024 * 1024
    """Body bytes after gzip or deflate was undone."""
    decoded_ratio: int = 200
    """Decoded bytes for each byte on the wire, once a mebibyte was decoded: honest JSON stays below 50."""
    pauses: int = 100_000
    """Pieces without a byte in a row, in-process only: there no real time passes that could run out."""

    def within(self, seconds: float | None) -> Limits:
        """The same bounds for one exchange that as a whole may take `seconds`, however they are spent."""
        if seconds is None:
            return self
        connect = min(self.connect_seconds, seconds)
        return replace(
            self, connect_seconds=connect, head_seconds=seconds, idle_seconds=seconds, total_seconds=seconds
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits(_Positive):
    """What the socket server is ready to bear from its clients."""

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
