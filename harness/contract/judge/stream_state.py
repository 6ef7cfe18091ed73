"""The order of events in one stream: what may follow what, and what must have come before the end.

Layer 1, and the single source of order, as the schemas are of shape. Takes decoded events that fit their schema
well enough to be read (`readable`), keeps only what is open, and puts findings without a place into `found`. The
stream judge knows the place and empties `found` after each event. Must not know bytes, frames or schemas.

A stream starts `fresh` (the response to a create), `replay` (a GET from the first event: the created event may
show a later status) or `resumed` (a GET after a cursor: it may begin inside a step).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.contract.data.json_parse import loads
from harness.contract.tables import lifecycle
from harness.contract.tables.steps import DELTAS_OF, KNOWN_DELTAS
from harness.outcome import Finding, Severity
from harness.outcome.words import counted

STARTS = ("fresh", "replay", "resumed")

_SPECIAL = frozenset({"arguments_delta", "thought_signature"})
_NONE: frozenset[str] = frozenset()

OPEN_STEPS = 256
"""The most steps tracked as open; a stream that opens more broke the rules long before. The oldest is dropped."""

INDICES = 65_536
"""The most indices remembered as used; beyond that, reuse is not judged."""

ARGUMENT_BYTES = 4 * 1024 * 1024
"""The most characters of arguments_delta kept for one call; longer arguments are not parsed."""

ERRORS = 16
"""The most error events that are kept."""

STATUSES = 64
"""The most status changes that are kept."""


class OpenStep:
    """A step between its start and its stop. `plain` holds the delta types that need no further checks."""

    __slots__ = ("arguments", "kind", "plain", "signed", "size")

    def __init__(self, kind: str | None) -> None:
        self.kind = kind
        self.plain = (KNOWN_DELTAS if kind is None else DELTAS_OF.get(kind, KNOWN_DELTAS)) - _SPECIAL
        self.arguments: list[str] = []
        self.size = 0
        self.signed = False


class Automaton:
    """Call `handlers[event_type](event)` for each event, then `finish` if the stream ended in order.

    While `watching` is true, the mere presence of an event may break a rule: call `before` first.
    """

    def __init__(self, start: str = "fresh") -> None:
        if start not in STARTS:
            raise ValueError(f"start={start!r} is none of {', '.join(STARTS)}")
        self.found: list[Finding] = []
        self.handlers: dict[str, Callable[[dict[str, Any]], None]] = {
            "interaction.created": self._created,
            "interaction.status_update": self._status_update,
            "step.start": self._step_start,
            "step.delta": self.delta,
            "step.stop": self._step_stop,
            "interaction.completed": self._completed,
            "error": self._error,
        }
        self.created: dict[str, Any] | None = None
        self.completed: dict[str, Any] | None = None
        self.interaction_id: str | None = None
        self.statuses: list[str] = []
        self.errors: list[dict[str, Any]] = []
        self.failed = False
        self.unjudged: dict[str, None] = {}
        self._start = start
        self._open: dict[int, OpenStep] = {}
        self._used: set[int] = set()
        self._expected: int | None = None if start == "resumed" else 0
        self._awaiting_created = self.watching = start != "resumed"
        self._creations = 0
        self._mid_step = start == "resumed"
        self._late = False

    def before(self, kind: str) -> None:
        """Note that an event of this type comes, whatever its shape."""
        if self._awaiting_created and kind != "error":
            self._awaiting_created = self.watching = False  # completion sets it again
            if kind != "interaction.created":
                message = f"the stream begins with {kind}"
                self._report("stream.first/other-event", message, "interaction.created", kind)
        if self.completed is not None and not self._late:
            self._late = True
            self._report(
                "stream.completed-last", f"{kind} follows interaction.completed", "[DONE] or the end", kind
            )

    def delta(self, event: dict[str, Any]) -> None:
        """Handle one step.delta. This is the hot path, so the common case is two lookups."""
        kind = event["delta"]["type"]
        step = self._open.get(event["index"])
        if step is None or kind not in step.plain:
            self._delta_detail(event, kind, step)

    def finish(self, events: int) -> None:
        """Report what is missing from a stream that ended in order after `events` events.

        A resumed stream may have no events: after the last cursor of a run there may be nothing left.
        """
        if self._start == "resumed" and not events:
            return
        if self._awaiting_created and not self.failed:
            message = "the stream ended without any event"
            self._report("stream.first/no-event", message, "interaction.created", "nothing")
        elif self.completed is None and not self.failed:
            self._report(
                "stream.terminal",
                "the stream ended in order, but nothing says that the interaction is over",
                "interaction.completed or an error event",
                "the end of the body",
            )

    def _report(
        self, code: str, message: str, expected: str = "", actual: object = "",
        severity: Severity = Severity.BROKEN,
    ) -> None:  # fmt: skip
        self.found.append(Finding.coded(code, message, expected, str(actual), severity=severity))

    # --- the interaction ------------------------------------------------------------------------------------

    def _created(self, event: dict[str, Any]) -> None:
        interaction = event["interaction"]
        self._creations += 1
        if self._creations > 1:
            self._report("stream.created-once", "interaction.created comes again", "one", self._creations)
        else:
            self.created = interaction
        status = interaction["status"]
        if self._start == "fresh" and status in lifecycle.SETTLED:
            self._report(
                "stream.created-status", "the interaction is created in a settled status",
                "in_progress or queued", status,
            )  # fmt: skip
        self._is(interaction["id"], status)

    def _status_update(self, event: dict[str, Any]) -> None:
        self._is(event["interaction_id"], event["status"])

    def _completed(self, event: dict[str, Any]) -> None:
        interaction = event["interaction"]
        self.watching = True
        if self.completed is None:
            self.completed = interaction
        status = interaction["status"]
        broken_off = status in (lifecycle.FAILED, lifecycle.CANCELLED)
        for index in () if broken_off else self._open:
            self._report(
                "stream.stop-once/open", f"step {index} is still open at interaction.completed", "step.stop"
            )
        self._open.clear()
        if status in lifecycle.RUNNING:
            self._report(
                "stream.completed-status", "the completed interaction still runs", "a settled status", status
            )
        elif "usage" not in interaction and not broken_off:
            self._report("stream.completed-usage", "interaction.completed has no usage", "usage", "absent")
        if interaction.get("steps"):
            self._report(
                "stream.completed-no-steps", "interaction.completed repeats steps", "none",
                counted(len(interaction["steps"]), "step"),
            )  # fmt: skip
        self._is(interaction["id"], status)

    def _error(self, event: dict[str, Any]) -> None:
        error = event.get("error")
        self.failed = self.failed or bool(error)
        if len(self.errors) < ERRORS:
            self.errors.append(error if isinstance(error, dict) else {})

    def _is(self, identity: str, status: str) -> None:
        if len(self.statuses) < STATUSES and self.statuses[-1:] != [status]:
            self.statuses.append(status)
        if not self.interaction_id:
            self.interaction_id = identity
        elif identity and identity != self.interaction_id:
            self._report("stream.id-constant", "the interaction changes its id", self.interaction_id, identity)

    # --- steps ----------------------------------------------------------------------------------------------

    def _step_start(self, event: dict[str, Any]) -> None:
        index = event["index"]
        self._mid_step = False
        if index in self._used:
            self._report("stream.index-reuse", f"index {index} is started again", str(self._expected), index)
        elif self._expected is not None and index != self._expected:
            self._report("stream.index-contiguous", f"a step starts at index {index}", str(self._expected), index)
        if index not in self._used:
            self._expected = index + 1
        if self._open:
            others = ", ".join(map(str, list(self._open)[:4]))
            self._report("stream.no-interleave", f"step {index} starts while {others} is open", "step.stop", index)
        self._begin(index, event["step"]["type"])

    def _begin(self, index: int, kind: str | None) -> OpenStep:
        if len(self._used) < INDICES:
            self._used.add(index)
        else:
            self.unjudged["stream.index-reuse"] = None
        if len(self._open) >= OPEN_STEPS:
            self._open.pop(next(iter(self._open)))
        step = self._open[index] = OpenStep(kind)
        return step

    def _delta_detail(self, event: dict[str, Any], kind: str, step: OpenStep | None) -> None:
        step = step or self._missing_step(event["index"], "delta")
        if kind not in KNOWN_DELTAS:
            self._report("stream.delta-known", "the delta's type is not listed", "a listed type", kind)
            return
        if step is None:
            return
        fitting = None if step.kind is None else DELTAS_OF.get(step.kind)
        if fitting is not None and kind not in fitting:
            self._report(
                "stream.delta-fits", f"a {kind} delta in a {step.kind} step", " or ".join(sorted(fitting)), kind
            )
        if step.signed and kind != "thought_signature":
            self._report(
                "stream.sig-last", f"a {kind} delta follows the signature of its thought", "step.stop", kind
            )
        elif kind == "thought_signature" and step.kind == "thought":
            step.signed, step.plain = True, _NONE
        elif kind == "arguments_delta":
            self._arguments(step, event["delta"].get("arguments"))

    def _arguments(self, step: OpenStep, fragment: object) -> None:
        text = fragment if isinstance(fragment, str) else ""
        step.size += len(text)
        if step.size <= ARGUMENT_BYTES:
            step.arguments.append(text)
        elif step.arguments:
            step.arguments.clear()
            self.unjudged["stream.args-join"] = None

    def _step_stop(self, event: dict[str, Any]) -> None:
        index = event["index"]
        step = self._open.pop(index, None)
        if step is None:
            self._missing_step(index, "stop")
            self._open.pop(index, None)
        elif step.kind == "function_call" and step.arguments and step.size <= ARGUMENT_BYTES:
            joined = "".join(step.arguments)
            if joined and not isinstance(loads(joined.encode("utf-8", "replace")).value, dict):
                self._report(
                    "stream.args-join", f"the arguments of step {index} do not join to an object",
                    "a JSON object", joined[:80],
                )  # fmt: skip

    def _missing_step(self, index: int, what: str) -> OpenStep | None:
        """Handle a delta or stop for a step that is not open: it started before a resume, or this is an error."""
        if self._mid_step and index not in self._used:
            self._expected = index + 1
            return self._begin(index, None)
        if what == "stop" and index in self._used:
            self._report("stream.stop-once/again", f"step {index} is stopped again", "one step.stop", "another")
        else:
            stopped = index in self._used
            state = "has stopped" if stopped else "was never started"
            code = "stream.start-before/stopped" if stopped else "stream.start-before/never"
            self._report(code, f"step.{what} for index {index}, which {state}", "step.start", what)
        return None


def readable(kind: str, event: dict[str, Any]) -> bool:
    """Whether an event that does not fit its schema still has the fields that the automaton reads."""
    if kind in ("interaction.created", "interaction.completed"):
        interaction = event.get("interaction")
        return (
            isinstance(interaction, dict)
            and isinstance(interaction.get("id"), str)
            and isinstance(interaction.get("status"), str)
            and isinstance(interaction.get("steps", []), list)
        )
    if kind == "interaction.status_update":
        return isinstance(event.get("interaction_id"), str) and isinstance(event.get("status"), str)
    if kind == "error":
        return True
    if type(event.get("index")) is not int:
        return False
    if kind == "step.stop":
        return True
    inner = event.get("step" if kind == "step.start" else "delta")
    return isinstance(inner, dict) and isinstance(inner.get("type"), str)
