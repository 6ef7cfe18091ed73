"""What a test has planned to go wrong: refused requests and fault plans, and which of them never took effect.

Layer 7. A plan that nothing met makes a test green that has tested nothing, so it fails the test at its end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.outcome import UsageFault
from harness.outcome.suggest import did_you_mean
from harness.wire import Headers, Response, StreamProtocol

if TYPE_CHECKING:
    from harness.faults import FaultyService

KINDS = ("any", "create", "get", "stream", "cancel", "delete")
_TRANSIENT = frozenset({408, 409, 429})


@dataclass(slots=True)
class PlannedRefusal:
    """Requests of a kind that are refused; `left` is how many more, 0 for all."""

    status: int
    on: str
    left: int
    optional: bool
    head: Headers
    body: bytes
    met: bool = False
    origin: str = ""

    def answer(self) -> Response:
        """The refusal, which counts as met."""
        self.met = True
        return Response.whole(self.status, self.head, self.body)

    def __str__(self) -> str:
        return f"fail({self.status}, on={self.on!r})" if self.on != "any" else f"fail({self.status})"


def refusal(
    status: int,
    *,
    on: str,
    times: int,
    code: str,
    message: str,
    headers: Mapping[str, str] | None,
    optional: bool,
    protocol: StreamProtocol,
) -> PlannedRefusal:
    """Plan refusals. Raises UsageFault for a kind or a status that cannot be."""
    if on not in KINDS:
        raise UsageFault(f"on={on!r} is no kind of request{did_you_mean(on, KINDS)}")
    if not 400 <= status <= 599:
        raise UsageFault(f"status={status} is no failure: use 400 to 599")
    if times < 0:
        raise UsageFault(f"times={times} must not be negative: 0 refuses all")
    fields = {"content-type": "application/json"}
    if headers is None and (status in _TRANSIENT or status >= 500):
        fields["retry-after-ms"] = "1"
    head = Headers({**fields, **(headers or {})}.items())
    return PlannedRefusal(status, on, times, optional, head, protocol.error_body(status, code, message))


class PlannedFaults:
    """The refusals and fault plans of one test."""

    def __init__(self) -> None:
        self._refusals: list[PlannedRefusal] = []
        self._used_up: set[int] = set()
        self._drops: list[tuple[FaultyService, str]] = []

    def add_refusal(self, planned: PlannedRefusal) -> None:
        """Refuse the next requests of a kind."""
        self._refusals.append(planned)

    def add_drop(self, faulty: FaultyService, *, optional: bool, origin: str) -> None:
        """Note a service that suffers from a fault plan; `origin` says whose plan it is."""
        if not optional:
            self._drops.append((faulty, origin))

    def refuse(self, call: str) -> Response | None:
        """The refusal of a call; None if it is not to be refused."""
        for planned in self._refusals:
            if id(planned) not in self._used_up and (planned.on == "any" or call.startswith(planned.on)):
                if planned.left == 1:
                    self._used_up.add(id(planned))
                planned.left = max(0, planned.left - 1)
                return planned.answer()
        return None

    def find_unmet(self) -> Iterator[str]:
        """Each plan that never took effect, in a phrase that says why."""
        from harness.faults.service import find_unmet

        for planned in self._refusals:
            if not (planned.met or planned.optional):
                what = "no request" if planned.on == "any" else f"no {planned.on}"
                yield f"{planned}{planned.origin} was never met: {what} came after it"
        for faulty, origin in self._drops:
            if why := find_unmet(faulty):
                yield f"drop({str(faulty.plan)!r}){origin} never took effect: {why}"
