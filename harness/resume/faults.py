"""What can go wrong while an interaction is followed, and which exceptions of the client libraries mean it.

Layer 3. Knows those exceptions by the names of their classes, so that no library has to be installed.
"""

from __future__ import annotations

from collections.abc import Mapping

_DROPS = frozenset(
    {"TransportError", "StreamError", "DecodingError", "APIConnectionError", "NoResponseError", "OSError"}
)
"""Base classes, by name: httpx and httpx2, google-genai, the standard library."""


class GaveUp(Exception):
    """The interaction was not followed to its end; the message says why, `cursor` where to go on."""

    def __init__(self, message: str, *, interaction_id: str | None = None, cursor: str | None = None) -> None:
        super().__init__(message)
        self.interaction_id = interaction_id
        self.cursor = cursor


class Refused(GaveUp):
    """The service answered with an error that no further attempt would change; `status` is its HTTP status."""

    def __init__(self, message: str, *, status: int, interaction_id: str | None = None) -> None:
        super().__init__(message, interaction_id=interaction_id)
        self.status = status


class Drop(Exception):
    """A connection that died, or a stream that broke off; inside this package only."""


class Refusal(Drop):
    """An error response. `retry_after` is in seconds, None when the service named none."""

    def __init__(self, status: int, message: str, retry_after: float | None = None) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.retry_after = retry_after


class NotAStream(Drop):
    """A 200 that is no event stream; the service does not stream this interaction."""


def as_drop(error: Exception) -> Drop:
    """The drop that an exception of a client library means; raises `error` itself when it means none."""
    if isinstance(error, Drop):
        return error
    status = getattr(error, "status_code", None)
    if isinstance(status, int) and status < 400:
        return Drop(f"an answer that cannot be read: {error}")
    if isinstance(status, int):
        headers = getattr(getattr(error, "response", None), "headers", {})
        return Refusal(status, str(error), retry_after(headers))
    if any(base.__name__ in _DROPS for base in type(error).__mro__):
        return Drop(f"{type(error).__name__}: {error}")
    raise error


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a response asks to wait; a date is not read, and counts as none."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name])) * unit
        except (KeyError, ValueError):
            continue
    return None
