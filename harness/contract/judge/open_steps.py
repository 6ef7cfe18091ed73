"""The steps of one stream that are open: their indices, their deltas, and what must have come at their end.

Layer 1. The part of the order of a stream that is about steps; `stream_state` walks the table and asks it. Puts
findings without a place into a list that it shares with the state. Must not know bytes, frames or schemas.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.contract.data.json_parse import loads
from harness.contract.tables import renamed
from harness.contract.tables.steps import DeltaEffect, StepTable
from harness.outcome import Finding

_NONE: frozenset[str] = frozenset()

OPEN_STEPS = 256
"""The most steps tracked as open; a stream that opens more broke the rules long before. The oldest is dropped."""

INDICES = 65_536
"""The most indices remembered as used; beyond that, reuse is not judged."""

ARGUMENT_BYTES = 4 * 1024 * 1024
"""The most characters of arguments_delta kept for one call; longer arguments are not parsed."""


class OpenStep:
    """A step between its start and its stop. `plain` holds the delta types that need no further checks."""

    __slots__ = ("arguments", "kind", "plain", "signed", "size")

    def __init__(self, kind: str | None, plain: frozenset[str]) -> None:
        self.kind = kind
        self.plain = plain
        self.arguments: list[str] = []
        self.size = 0
        self.signed = False


class OpenSteps:
    """Call `begin` and `end` for each step, the guards in between. `mid_step`: a resume may be inside a step."""

    def __init__(
        self, table: StepTable, found: list[Finding], unjudged: dict[str, None], *, resumed: bool
    ) -> None:
        self.open: dict[int, OpenStep] = {}
        self.mid_step = resumed
        self.arguments_seen = False
        self.signatures_seen = False
        self.stop_usages = 0
        self._table = table
        self._found = found
        self._unjudged = unjudged
        self._started: set[int] = set()
        self._expected: int | None = None if resumed else 0
        self._spent = 0

    def begin(self, index: int, kind: str | None) -> None:
        """Note that a step is open from here on; `kind` is None if its start came before a resume."""
        if index not in self._started:
            self._expected = index + 1
        if len(self._started) < INDICES:
            self._started.add(index)
        else:
            self._unjudged["stream.index-reuse"] = None
        if len(self.open) >= OPEN_STEPS:
            self.open.pop(next(iter(self.open)))
        self.open[index] = OpenStep(kind, self._table.plain(kind))

    def end(self, index: int) -> None:
        """Note that a step is no longer open."""
        self.open.pop(index, None)

    def miss(self, index: int, what: str) -> None:
        """Handle a delta or stop for a step that is not open: it started before a resume, or this is an error."""
        if self.mid_step and index not in self._started:
            self.begin(index, None)
        elif what == "stop" and index in self._started:
            self._report("stream.stop-once/again", f"step {index} stops twice", "one step.stop", "another")
        else:
            stopped = index in self._started
            state = "has stopped" if stopped else "was never started"
            code = "stream.start-before/stopped" if stopped else "stream.start-before/never"
            self._report(code, f"step.{what} for index {index}, which {state}", "step.start", what)

    def _index_next(self, event: dict[str, Any]) -> None:
        index = event["index"]
        if index in self._started:
            self._report("stream.index-reuse", f"index {index} starts twice", str(self._expected), index)
        elif self._expected is not None and index != self._expected:
            self._report("stream.index-contiguous", f"a step starts at index {index}", str(self._expected), index)

    def _check_none_open(self, event: dict[str, Any]) -> None:
        if self.open:
            index, others = event["index"], ", ".join(map(str, list(self.open)[:4]))
            self._report("stream.no-interleave", f"step {index} starts while {others} is open", "step.stop", index)

    def _check_delta_index(self, event: dict[str, Any]) -> None:
        if event["index"] not in self.open:
            self.miss(event["index"], "delta")

    def _delta_known(self, event: dict[str, Any]) -> bool:
        kind = event["delta"]["type"]
        if kind in self._table.deltas:
            return True
        if kind in renamed.DELTAS:
            message = f"{kind} is the name before May 2026 of {renamed.DELTAS[kind]}"
            self._report("stream.legacy-names/delta", message, renamed.DELTAS[kind], kind)
        else:
            self._report("stream.delta-known", "the type of the delta is not listed", "a listed type", kind)
        return False

    def _delta_fits(self, event: dict[str, Any]) -> bool:
        step, kind = self.open.get(event["index"]), event["delta"]["type"]
        if step is None:
            return False
        fitting = self._table.list_allowed(step.kind)
        if kind not in fitting:
            message = f"a {kind} delta in a {step.kind} step"
            self._report("stream.delta-fits", message, " or ".join(sorted(fitting)), kind)
        return True

    def _before_signature(self, event: dict[str, Any]) -> None:
        step, delta = self.open[event["index"]], event["delta"]
        kind = delta["type"]
        grows = self._table.deltas[kind].grows
        if step.signed and grows.how is not DeltaEffect.APPEND:
            message = f"a {kind} delta follows the signature of its {step.kind}"
            self._report("stream.sig-last", message, "step.stop", kind)
        elif grows.how is DeltaEffect.APPEND and step.kind is not None and kind in self._table.streams(step.kind):
            if delta.get(grows.field):  # an empty signature comes between others
                step.signed, step.plain, self.signatures_seen = True, _NONE, True
        elif grows.how is DeltaEffect.JSON:
            self.arguments_seen = True
            self._take_arguments(step, delta.get(grows.field))

    def _take_arguments(self, step: OpenStep, fragment: object) -> None:
        text = fragment if isinstance(fragment, str) else ""
        step.size += len(text)
        if step.size <= ARGUMENT_BYTES:
            step.arguments.append(text)
        elif step.arguments:
            step.arguments.clear()
            self._unjudged["stream.args-join"] = None

    def _stop_index(self, event: dict[str, Any]) -> bool:
        if event["index"] in self.open:
            return True
        self.miss(event["index"], "stop")
        return False

    def _check_arguments_join(self, event: dict[str, Any]) -> None:
        index = event["index"]
        step = self.open[index]
        if not step.arguments or step.size > ARGUMENT_BYTES or not self._table.brings_json(step.kind):
            return
        joined = "".join(step.arguments)
        if joined and not isinstance(loads(joined.encode("utf-8", "replace")).value, dict):
            message = f"the arguments of step {index} do not join to an object"
            self._report("stream.args-join", message, "a JSON object", joined[:80])

    def _check_usage_grows(self, event: dict[str, Any]) -> None:
        usage = event.get("usage")
        total = usage.get("total_tokens") if isinstance(usage, dict) else None
        if not isinstance(total, int):
            return
        self.stop_usages += 1
        if total < self._spent:
            message = f"the usage decreases at the end of step {event['index']}"
            self._report("stream.stop-usage", message, f"{self._spent} tokens or more", f"{total} tokens")
        self._spent = max(self._spent, total)

    def _report(self, code: str, message: str, expected: str = "", actual: object = "") -> None:
        self._found.append(Finding.from_code(code, message, expected, str(actual)))


STEP_GUARDS: dict[str, Callable[[OpenSteps, dict[str, Any]], bool | None]] = {
    "index-next": OpenSteps._index_next,
    "none-open": OpenSteps._check_none_open,
    "delta-index": OpenSteps._check_delta_index,
    "delta-known": OpenSteps._delta_known,
    "delta-fits": OpenSteps._delta_fits,
    "before-signature": OpenSteps._before_signature,
    "stop-index": OpenSteps._stop_index,
    "arguments-join": OpenSteps._check_arguments_join,
    "usage-grows": OpenSteps._check_usage_grows,
}
"""What decides each guard of the table that is about steps."""
