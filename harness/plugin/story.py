"""What a test's code asked and was answered, in a few lines: for the report of a test that fails.

Layer 6. Keeps no more of an answer than its status; of an error its body too, which says what was wrong.
"""

from __future__ import annotations

from harness.plugin.sent import call_of
from harness.runner.drops.witness import Seen, grouped, watched
from harness.wire import Request, Response

_SHOWN = 15


class Story:
    """`heard(request, response)` as it goes, `refused(message)` for connections that were not made."""

    def __init__(self) -> None:
        self._answers: list[tuple[Request, int, Seen | None]] = []
        self._refused: list[str] = []

    def heard(self, request: Request, response: Response) -> Response:
        """Note an answer, and give it on."""
        seen = watched(request, response) if response.status >= 400 else None
        self._answers.append((request, response.status, seen))
        return response

    def refused(self, message: str) -> None:
        """Note a connection to the outside."""
        self._refused.append(message)

    def lines(self) -> list[str]:
        """The latest answers and all refusals, oldest first; nothing when there were none."""
        told = grouped(_told(*answer) for answer in self._answers)
        left_out = [f"… {len(told) - _SHOWN} more before"] if len(told) > _SHOWN else []
        return [*left_out, *told[-_SHOWN:], *self.refusals()]

    def refusals(self) -> list[str]:
        """Connections that were refused, each once."""
        return list(dict.fromkeys(self._refused))


def called(request: Request) -> str:
    """What a request asks for: `create`, `stream after …`."""
    streamed = {"stream": b'"stream":true' in request.body.replace(b" ", b"")}
    return call_of({"method": request.method, "target": request.target, "body": streamed})


def _told(request: Request, status: int, seen: Seen | None) -> str:
    line = f"{called(request)} → {status}"
    return f"{line}: {seen.error}" if seen is not None and seen.error else line
