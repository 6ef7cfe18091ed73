"""A live stream around another one, for drivers that are put around drivers.

Layer 4. Passes everything on; whoever needs to know how a stream ends, or to bound how it is read, overrides that.
"""

from __future__ import annotations

from harness.wire import Exchange, Frame, Headers, LiveStream


class StreamAround:
    """A `wire.LiveStream` that behaves like the one inside."""

    def __init__(self, stream: LiveStream) -> None:
        self._stream = stream

    @property
    def status(self) -> int | None:
        """The status of the response; None if none came."""
        return self._stream.status

    @property
    def headers(self) -> Headers:
        """The headers of the response."""
        return self._stream.headers

    @property
    def ended(self) -> bool:
        """Whether the body has ended."""
        return self._stream.ended

    def read(self, events: int) -> list[Frame]:
        """Read up to that many events."""
        return self._stream.read(events)

    def finish(self) -> Exchange:
        """Read to the end."""
        return self._stream.finish()

    def close(self) -> Exchange:
        """Hang up."""
        return self._stream.close()
