"""The order of events in one stream: what may follow what, and what must have come before the end.

Walks the table of `tables.stream_order` and decides its guards. Takes decoded events that fit their schema well
enough to be read (`readable`), keeps only what is open, and puts findings without a place into `found`. The stream
judge knows the place and empties `found` after each event. Must not know bytes, frames or schemas.

`StreamReading` is the summary of a judged stream. A cursor is opaque: only its presence and its uniqueness can be
judged.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from itertools import islice, pairwise
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from harness.contract.judge.body import judge_status_word
from harness.contract.judge.errors import UnframedError, status_of_code
from harness.contract.schema.schemas import UnknownPart
from harness.contract.tables import protocol
from harness.contract.tables import stream_order as order
from harness.contract.tables.stream_order import DeltaEffect, StepTable
from harness.outcome import Finding
from harness.outcome.words import format_count
from harness.wire.bodies import loads

_WORK = (order.START, order.DELTA, order.STOP)
"""Events that a refused create does not have."""


class StreamReading(Struct, frozen=True, kw_only=True):
    """The summary of a stream.

    `counts` has the number of events by type, `cursors` is the number of those that carry a cursor. `created` and
    `completed` are the interactions in those events, `errors` the `error` values of error events. `bare_error` is
    the error body that ended the stream outside its framing; `errors` contains it too. `unknowns` pairs the number
    of an event with something in it that the schemas do not name. `whole` means that the body ended in order; if
    not, nothing is claimed about its end. `framed`: the framing was recorded. `background`: the run was created in
    the background. `arguments` and `signatures` say whether deltas brought some, and `stop_usages` how many
    step.stop events had token counts.
    """

    start: str
    framed: bool
    background: bool
    arguments: bool
    signatures: bool
    stop_usages: int
    findings: tuple[Finding, ...]
    counts: Mapping[str, int]
    interaction_id: str | None
    statuses: tuple[str, ...]
    created: dict[str, Any] | None
    completed: dict[str, Any] | None
    done: bool
    errors: tuple[dict[str, Any], ...]
    bare_error: UnframedError | None
    cursors: int
    unknowns: tuple[tuple[int, UnknownPart], ...]
    whole: bool

    @property
    def refused(self) -> bool:
        """Whether it refuses the create: an error and no step. The code of a 4xx may come behind `created`."""
        if not self.errors or self.completed is not None or any(self.counts.get(kind) for kind in _WORK):
            return False
        return self.created is None or 400 <= status_of_code(str(self.errors[0].get("code", ""))) < 500

    @property
    def status(self) -> str | None:
        """The last status in the stream."""
        return self.statuses[-1] if self.statuses else None


class OpenStep(Struct):
    """A step between its start and its stop. `plain` holds the delta types that need no further checks."""

    kind: str | None
    plain: frozenset[str]
    arguments: list[str] = field(default_factory=list)
    signed: bool = False


class StreamState:
    """Call `handlers[event_type](event)` for each event, then `finish` if the stream ended in order.

    While `watching` is true, the mere presence of an event may break a rule: call `before` first.
    """

    def __init__(self, steps: StepTable, listed: Collection[str], start: str = "fresh") -> None:
        """`listed` are the statuses that the revision lists."""
        if start not in order.STARTS:
            raise ValueError(f"start={start!r} is not one of {', '.join(order.STARTS)}")
        self.found: list[Finding] = []
        self.handlers: dict[str, Callable[[dict[str, Any]], None]] = {
            order.CREATED: self._enter_created,
            order.STATUS: self._take_status_update,
            order.START: self._step_start,
            order.DELTA: self._take_delta,
            order.STOP: self._step_stop,
            order.COMPLETED: self._enter_completed,
            order.ERROR: self._take_error,
        }
        self.state = order.STARTS[start]
        self.watching = self.state in order.THRESHOLDS
        self.created: dict[str, Any] | None = None
        self.completed: dict[str, Any] | None = None
        self.interaction_id: str | None = None
        self.statuses: list[str] = []
        self._listed = listed
        self.errors: list[dict[str, Any]] = []
        self.failed = False
        self._ended = False  # by an event that cannot be read, or has an old name
        self._start = start
        self.arguments_seen = False
        self.signatures_seen = False
        self.stop_usages = 0
        self._table = steps
        self._open: dict[int, OpenStep] = {}
        self._started: set[int] = set()
        self._mid_step = start == "resumed"
        """Whether a step may be open whose start came before a resume."""
        self._expected: int | None = None if self._mid_step else 0
        self._spent = 0
        self._creations = 0
        self._late = False
        self._updated = ""
        self._closed_in: order.State | None = None

    def before(self, kind: str) -> None:
        """Note that an event of this type comes, whatever its shape."""
        state = self.state
        if state not in order.THRESHOLDS:
            return
        row = order.row_of(state, kind)
        midway = self._start == "replay" and kind in (order.DELTA, order.STOP)
        self._mid_step |= midway and state is order.State.EXPECT_CREATED
        self._enter(order.State.RESUMED if self._mid_step else row.next)
        if not row.breaks or (
            state is order.State.EXPECT_CREATED and order.RENAMED_EVENTS.get(kind) == order.CREATED
        ):
            return
        if state is order.State.EXPECT_CREATED:
            code, place = ("midway", " by GET begins in a step,") if midway else ("other-event", " begins")
            self._report(f"{row.breaks}/{code}", f"the stream{place} with {kind}", order.CREATED, kind)
            if self._start == "replay" and kind in _WORK:  # how many steps came before is not known
                self._expected = None
        elif not self._late:
            self._late = True
            self._report(row.breaks, f"{kind} follows interaction.completed", "[DONE] or the end", kind)

    def note_renamed(self, kind: str) -> None:
        """Note an event with the name it had before May 2026, which may have ended the interaction."""
        self._ended = self._ended or order.RENAMED_EVENTS[kind] in (order.COMPLETED, order.ERROR)

    def end_unreadably(self) -> None:
        """Note an interaction.completed that cannot be read: it is there all the same."""
        self._ended = True

    def fail(self, error: dict[str, Any]) -> None:
        """Note an error that ends the stream."""
        self.failed = True
        self.errors.append(error)

    @property
    def is_over(self) -> bool:
        """Whether an event reported the end of the interaction."""
        return self.failed or self.completed is not None or self._ended

    def close(self) -> None:
        """Note the sentinel: an event that follows it is not part of the stream."""
        self._closed_in = self.state
        self.state = order.State.CLOSED
        self.watching = True

    def _take_delta(self, event: dict[str, Any]) -> None:
        """Handle one step.delta. This is the hot path: a plain delta of an open step leaves the state as it is."""
        kind = event["delta"]["type"]
        step = self._open.get(event["index"])
        if step is None or kind not in step.plain:
            self._advance(order.DELTA, event)

    def finish(self, events: int) -> None:
        """Report what is missing from a stream that ended in order after `events` events.

        A resumed stream may have no events: after the last cursor of a run there may be nothing left.
        """
        state = self._closed_in or self.state
        if self.is_over or (self._start == "resumed" and not events):
            return
        if "is-over" not in order.row_of(state, order.END).guards:
            return
        ending = "the end of the body" if self._closed_in is None else "[DONE]"
        stream = {"fresh": "the stream", "resumed": "the resumed stream"}.get(self._start, "the stream by GET")
        if state is order.State.EXPECT_CREATED:
            self._report("stream.first/no-event", f"{stream} ended without any event", order.CREATED, ending)
            return
        message = f"{stream} ended without a final event"
        words = (
            message,
            "interaction.completed or an error event",
            f"{ending} after {format_count(events, 'event')}",
        )
        if self._start == "resumed":  # a server that loses events after a cursor loses the last ones, too
            lost = Finding.from_code("stream.terminal/resumed", *words)
            self.found.append(replace(lost, cause="resume.no-gap"))
        else:
            self._report("stream.terminal", *words)

    def _enter(self, state: order.State) -> None:
        self.state = state
        self.watching = state in order.THRESHOLDS

    def _advance(self, kind: str, event: dict[str, Any]) -> None:
        """Take the row for this event: report what it breaks, decide its guards, enter its next state.

        A guard that returns False leaves nothing for those after it.
        """
        row, guards = _ROWS[self.state][kind]
        if row.breaks == "stream.start-before":
            self._miss(event["index"], "delta")
        for holds in guards:
            if holds(self, event) is False:
                break
        if row.next is not self.state:
            self.state = row.next
            self.watching = row.next in order.THRESHOLDS

    def _report(self, code: str, message: str, expected: str = "", actual: object = "") -> None:
        self.found.append(Finding.from_code(code, message, expected, str(actual)))

    # --- the interaction ------------------------------------------------------------------------------------

    def _enter_created(self, event: dict[str, Any]) -> None:
        self._creations += 1
        self._advance(order.CREATED, event)
        if self.created is None:
            self.created = event["interaction"]
        self._is(event["interaction"]["id"], event["interaction"]["status"])

    def _take_status_update(self, event: dict[str, Any]) -> None:
        self._advance(order.STATUS, event)
        self._updated = event["status"]
        self._is(event["interaction_id"], event["status"])

    def _enter_completed(self, event: dict[str, Any]) -> None:
        self._advance(order.COMPLETED, event)
        self._open.clear()
        if self.completed is None:
            self.completed = event["interaction"]
        self._is(event["interaction"]["id"], event["interaction"]["status"])

    def _take_error(self, event: dict[str, Any]) -> None:
        self._advance(order.ERROR, event)
        error = event.get("error")
        self.failed = self.failed or bool(error)
        self.errors.append(error if isinstance(error, dict) else {})

    def _is(self, identity: str, status: str) -> None:
        if self.statuses[-1:] != [status]:
            self.statuses.append(status)
            self.found.extend(judge_status_word(status, self._listed))
            if not status:
                self._report("create.status", "the status is missing", "a string", "''")
        if not self.interaction_id:
            self.interaction_id = identity
        elif identity and identity != self.interaction_id:
            self._report(
                "stream.id-constant", "the events name different interactions", self.interaction_id, identity
            )

    def _check_created_once(self, event: dict[str, Any]) -> None:
        if self._creations > 1:
            self._report("stream.created-once", "interaction.created is sent twice", "one", self._creations)

    def _check_not_over(self, event: dict[str, Any]) -> None:
        """A replay may name the status of today, and a call may follow `requires_action`."""
        status = self._updated
        if self._start != "fresh" or status not in protocol.TERMINAL:
            return
        goes_on = event.get("status", event["event_type"])
        if goes_on == order.START or goes_on in protocol.RUNNING:
            message = f"a status update has the status {status}, and {goes_on} follows"
            self._report("stream.update-status", message, "the end of the stream", goes_on)
            self._updated = ""  # each step that follows would be the same finding

    def _check_created_status(self, event: dict[str, Any]) -> None:
        status = event["interaction"]["status"]
        if self._start == "fresh" and status in protocol.SETTLED:
            message = "the interaction is created in a settled status"
            self._report("stream.created-status", message, "in_progress or queued", status)

    def _check_all_stopped(self, event: dict[str, Any]) -> None:
        for index in () if _is_broken_off(event) else self._open:
            message = f"step {index} is still open at interaction.completed"
            self._report("stream.stop-once/open", message, "step.stop", "interaction.completed")

    def _check_completed_status(self, event: dict[str, Any]) -> None:
        interaction = event["interaction"]
        status = interaction["status"]
        if status in protocol.RUNNING:
            message = "the completed interaction is still in progress"
            self._report("stream.completed-status", message, "a settled status", status)
        elif "usage" not in interaction and not _is_broken_off(event):
            self._report("stream.completed-usage", "interaction.completed has no usage", "usage", "absent")

    def _check_completed_steps(self, event: dict[str, Any]) -> None:
        steps = event["interaction"].get("steps")
        if steps:
            message = "interaction.completed repeats steps"
            self._report("stream.completed-no-steps", message, "none", format_count(len(steps), "step"))

    # --- steps ----------------------------------------------------------------------------------------------

    def _step_start(self, event: dict[str, Any]) -> None:
        self._mid_step = False
        self._advance(order.START, event)
        self._begin(event["index"], event["step"]["type"])

    def _step_stop(self, event: dict[str, Any]) -> None:
        self._advance(order.STOP, event)
        self._open.pop(event["index"], None)
        if self._open and self.state is order.State.BETWEEN_STEPS:
            self._enter(order.State.IN_STEP)

    def _begin(self, index: int, kind: str | None) -> None:
        """Note that a step is open from here on; `kind` is None if its start came before a resume."""
        if index not in self._started:
            self._expected = index + 1
        self._started.add(index)
        self._open[index] = OpenStep(kind, self._table.plain(kind))

    def _miss(self, index: int, what: str) -> None:
        """Handle a delta or stop for a step that is not open: it started before a resume, or this is an error."""
        if self._mid_step and index not in self._started:
            self._begin(index, None)
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
        if self._open:
            index, others = event["index"], ", ".join(map(str, islice(self._open, 4)))
            self._report("stream.no-interleave", f"step {index} starts while {others} is open", "step.stop", index)

    def _check_delta_index(self, event: dict[str, Any]) -> None:
        if event["index"] not in self._open:
            self._miss(event["index"], "delta")

    def _delta_known(self, event: dict[str, Any]) -> bool:
        kind = event["delta"]["type"]
        if kind in self._table.deltas:
            return True
        if kind in order.RENAMED_DELTAS:
            message = f"{kind} is the name before May 2026 of {order.RENAMED_DELTAS[kind]}"
            self._report("stream.legacy-names/delta", message, order.RENAMED_DELTAS[kind], kind)
        else:
            self._report("stream.delta-known", "the type of the delta is not listed", "a listed type", kind)
        return False

    def _delta_fits(self, event: dict[str, Any]) -> bool:
        step, kind = self._open.get(event["index"]), event["delta"]["type"]
        if step is None:
            return False
        fitting = self._table.list_allowed(step.kind)
        if kind not in fitting:
            message = f"a {kind} delta in a {step.kind} step"
            self._report("stream.delta-fits", message, " or ".join(sorted(fitting)), kind)
        return True

    def _before_signature(self, event: dict[str, Any]) -> None:
        step, delta = self._open[event["index"]], event["delta"]
        kind = delta["type"]
        grows = self._table.deltas[kind].grows
        if step.signed and grows.how is not DeltaEffect.APPEND:
            message = f"a {kind} delta follows the signature of its {step.kind}"
            self._report("stream.sig-last", message, "step.stop", kind)
        elif grows.how is DeltaEffect.APPEND and step.kind is not None and kind in self._table.streams(step.kind):
            if delta.get(grows.field):  # an empty signature comes between others
                step.signed, step.plain, self.signatures_seen = True, frozenset(), True
        elif grows.how is DeltaEffect.JSON:
            self.arguments_seen = True
            text = delta.get(grows.field)
            if isinstance(text, str):
                step.arguments.append(text)

    def _stop_index(self, event: dict[str, Any]) -> bool:
        if event["index"] in self._open:
            return True
        self._miss(event["index"], "stop")
        return False

    def _check_arguments_join(self, event: dict[str, Any]) -> None:
        index = event["index"]
        step = self._open[index]
        joined = "".join(step.arguments)
        if (
            joined
            and self._table.brings_json(step.kind)
            and not isinstance(loads(joined.encode("utf-8", "replace")).value, dict)
        ):
            code, message = "stream.args-join", f"the arguments of step {index} do not join to an object"
            *earlier, last = step.arguments
            grows = all(part != one and part.startswith(one) for one, part in pairwise(step.arguments))
            if earlier and grows and isinstance(loads(last.encode("utf-8", "replace")).value, dict):
                code = "stream.args-join/repeated"
                message = f"each part of the arguments of step {index} repeats those before it"
            self._report(code, message, "a JSON object", joined[:80])

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


_GUARDS: dict[str, Callable[[StreamState, dict[str, Any]], bool | None]] = {
    "created-once": StreamState._check_created_once,
    "created-status": StreamState._check_created_status,
    "not-over": StreamState._check_not_over,
    "all-stopped": StreamState._check_all_stopped,
    "completed-status": StreamState._check_completed_status,
    "completed-steps": StreamState._check_completed_steps,
    "index-next": StreamState._index_next,
    "none-open": StreamState._check_none_open,
    "delta-index": StreamState._check_delta_index,
    "delta-known": StreamState._delta_known,
    "delta-fits": StreamState._delta_fits,
    "before-signature": StreamState._before_signature,
    "stop-index": StreamState._stop_index,
    "arguments-join": StreamState._check_arguments_join,
    "usage-grows": StreamState._check_usage_grows,
}
"""The judge of each guard that the table names; `finish` decides `is-over`."""

_ROWS = {
    state: {event: (rows[event], tuple(_GUARDS[guard] for guard in rows[event].guards)) for event in order.EVENTS}
    for state, rows in order.ORDER.items()
}
"""The rows of the events, with their guards looked up."""


def _is_broken_off(event: dict[str, Any]) -> bool:
    """Whether the run ended before it was done, so that a step may be open and the usage unknown."""
    return event["interaction"]["status"] in (protocol.FAILED, protocol.CANCELLED)


def readable(kind: str, event: dict[str, Any]) -> bool:
    """Whether an event that does not fit its schema still has the fields that `StreamState` reads."""
    if kind in (order.START, order.DELTA, order.STOP) and type(event.get("index")) is not int:
        return False
    match event:
        case {"interaction": {"id": str(), "status": str(), **rest}} if kind in (order.CREATED, order.COMPLETED):
            return isinstance(rest.get("steps", []), list)
        case {"interaction_id": str(), "status": str()} if kind == order.STATUS:
            return True
        case {"step": {"type": str()}} if kind == order.START:
            return True
        case {"delta": {"type": str()}} if kind == order.DELTA:
            return True
    return kind not in (order.CREATED, order.COMPLETED, order.STATUS, order.START, order.DELTA)
