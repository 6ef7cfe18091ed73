"""What can go wrong while following an interaction, and how the client libraries' exceptions map to it.

Layer 3. Recognizes those exceptions by class name, so that no client library has to be installed.
"""

from __future__ import annotations

from collections.abc import Mapping

_DROPS = frozenset(
    {"TransportError", "StreamError", "DecodingError", "APIConnectionError", "NoResponseError", "OSError"}
)
"""Names of base classes that mean a dropped connection: httpx and httpx2, google-genai, the standard library."""


class GaveUp(Exception):
    """The interaction was not followed to its end. The message says why; resume from `cursor`."""

    def __init__(self, message: str, *, interaction_id: str | None = None, cursor: str | None = None) -> None:
        super().__init__(message)
        self.interaction_id = interaction_id
        self.cursor = cursor


class Refused(GaveUp):
    """The service answered with an error that a retry would not change; `status` is its HTTP status."""

    def __init__(self, message: str, *, status: int, interaction_id: str | None = None) -> None:
        super().__init__(message, interaction_id=interaction_id)
        self.status = status


class ConnectionLost(Exception):
    """A connection or a stream broke off. Internal to this package."""


class ErrorResponse(ConnectionLost):
    """An error response. `retry_after` is in seconds, or None if the service gave none."""

    def __init__(self, status: int, message: str, retry_after: float | None = None) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.retry_after = retry_after


class NotAStream(ConnectionLost):
    """The response succeeded but is not an event stream: the service does not stream this interaction."""


def as_drop(error: Exception) -> ConnectionLost:
    """Map a client library's exception to a `ConnectionLost`; re-raises `error` if it does not mean one."""
    if isinstance(error, ConnectionLost):
        return error
    status = getattr(error, "status_code", None)
    if isinstance(status, int) and status < 400:
        return ConnectionLost(f"an answer that cannot be read: {error}")
    if isinstance(status, int):
        headers = getattr(getattr(error, "response", None), "headers", {})
        return ErrorResponse(status, str(error), retry_after(headers))
    if any(base.__name__ in _DROPS for base in type(error).__mro__):
        return ConnectionLost(f"{type(error).__name__}: {error}")
    raise error


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds a response asks to wait, or None; the HTTP-date form of Retry-After is ignored."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name])) * unit
        except (KeyError, ValueError):
            continue
    return None
