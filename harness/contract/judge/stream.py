"""Judges one stream while its bytes arrive: frames, JSON, schema, order, cursors, and the way it ends.

Sans-IO and incremental: of the events, only their cursors are kept. The contract's schemas define the shape of
events; `StreamJudge` applies them and gives findings their places. Events are checked against the closed schema
first, because that is cheap and nearly all of them pass; only those that it rejects are reviewed (`EventKind`):
are they wrong, or merely unknown? Events that are nested too deep to be read, or are too large (`wire.sse`), are
not judged.

`StreamState` has the order of events: what may follow what, and what must have come before the end. It walks the
table of `tables.stream_order` and decides its guards. It takes decoded events that fit their schema well enough to
be read (`readable`), keeps only what is open, and puts findings without a place into `found`. The judge empties
`found` after each event. The state must not know bytes, frames or schemas.

`StreamReading` is the summary of a judged stream. A cursor is opaque: only its presence and its uniqueness can be
judged.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import islice, pairwise
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from harness.contract.contract import Contract, EventType
from harness.contract.judge.body import (
    FindingLog,
    UnframedError,
    judge_ambiguous,
    judge_status_word,
    judge_usage,
    list_miscounted,
    read_bare_error,
    status_of_code,
    with_causes,
)
from harness.contract.schema.schemas import Schemas, UnknownPart, drop_nulls, null_finding
from harness.contract.tables import protocol
from harness.contract.tables import stream_order as order
from harness.outcome import Finding, Severity
from harness.outcome.words import format_count
from harness.wire import COMPLETE, By, Decoder, Ending, Frame, How
from harness.wire.bodies import REFUSALS, decode, loads, objects
from harness.wire.sse import CutFrame

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

    While `watching` is true, the mere presence of an event may break a rule: call `before` first. A `_take_…`
    handles one type of event; a `_check_…` is the guard with the same name in the table.
    """

    def __init__(
        self, steps: order.StepTable, listed: Collection[str], start: str, is_full: Callable[[str], bool]
    ) -> None:
        """`listed` are the statuses that the revision lists; `is_full` that a rule needs no more findings."""
        if start not in order.STARTS:
            raise ValueError(f"start={start!r} is not one of {', '.join(order.STARTS)}")
        self._table, self._listed, self._start, self._is_full = steps, listed, start, is_full
        self.handlers: dict[str, Callable[[dict[str, Any]], None]] = {
            order.CREATED: self._take_created,
            order.STATUS: self._take_status,
            order.START: self._take_start,
            order.DELTA: self._take_delta,
            order.STOP: self._take_stop,
            order.COMPLETED: self._take_completed,
            order.ERROR: self._take_error,
        }
        # What a judge reads.
        self.found: list[Finding] = []
        self.created: dict[str, Any] | None = None
        self.completed: dict[str, Any] | None = None
        self.interaction_id: str | None = None
        self.statuses: list[str] = []
        self.errors: list[dict[str, Any]] = []
        self.failed = self.arguments_seen = self.signatures_seen = False
        self.stop_usages = 0
        # Where the stream is.
        self.state = order.STARTS[start]
        self.watching = self.state in order.THRESHOLDS
        self._closed_in: order.State | None = None  # at the sentinel
        self._ended = False  # by an event that cannot be read, or has an old name
        self._late = False  # an event after the final one was reported
        self._missed = False  # a step had not started when an event of it came
        # Its steps.
        self._open: dict[int, OpenStep] = {}
        self._started: set[int] = set()
        self._mid_step = start == "resumed"  # a step may be open whose start came before a resume
        self._expected: int | None = None if self._mid_step else 0  # the index of the next step, if it is known
        # What later events are compared with.
        self._creations = 0
        self._updated = ""  # the status of the last status update
        self._spent = 0  # the most tokens that a step.stop named

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
            what = "the events are out of order: " if self._missed and kind in _WORK else ""
            self._report(row.breaks, f"{what}{kind} follows interaction.completed", "[DONE] or the end", kind)

    def note_renamed(self, kind: str) -> None:
        """Note an event with the name it had before May 2026, which may have ended the interaction."""
        self._ended = self._ended or order.RENAMED_EVENTS[kind] in (order.COMPLETED, order.ERROR)

    def end_unreadably(self) -> None:
        """Note an interaction.completed that cannot be read: it is there all the same."""
        self._ended = True

    def fail(self, error: dict[str, Any]) -> None:
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
        if not self._is_full(code.partition("/")[0]):
            self.found.append(Finding.from_code(code, message, expected, str(actual)))

    # --- the interaction ------------------------------------------------------------------------------------

    def _take_created(self, event: dict[str, Any]) -> None:
        self._creations += 1
        self._advance(order.CREATED, event)
        if self.created is None:
            self.created = event["interaction"]
        self._is(event["interaction"]["id"], event["interaction"]["status"])

    def _take_status(self, event: dict[str, Any]) -> None:
        self._advance(order.STATUS, event)
        self._updated = event["status"]
        self._is(event["interaction_id"], event["status"])

    def _take_completed(self, event: dict[str, Any]) -> None:
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

    def _take_start(self, event: dict[str, Any]) -> None:
        self._mid_step = False
        self._advance(order.START, event)
        self._begin(event["index"], event["step"]["type"])

    def _take_stop(self, event: dict[str, Any]) -> None:
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
            self._missed = self._missed or not stopped
            state = "has stopped" if stopped else "had not started"
            code = "stream.start-before/stopped" if stopped else "stream.start-before/never"
            self._report(code, f"step.{what} for index {index}, which {state}", "step.start", what)

    def _check_index_next(self, event: dict[str, Any]) -> None:
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

    def _check_delta_known(self, event: dict[str, Any]) -> bool:
        kind = event["delta"]["type"]
        if kind in self._table.deltas:
            return True
        if kind in order.RENAMED_DELTAS:
            message = f"{kind} is the name before May 2026 of {order.RENAMED_DELTAS[kind]}"
            self._report("stream.legacy-names/delta", message, order.RENAMED_DELTAS[kind], kind)
        else:
            self._report("stream.delta-known", "the type of the delta is not listed", "a listed type", kind)
        return False

    def _check_delta_fits(self, event: dict[str, Any]) -> bool:
        step, kind = self._open.get(event["index"]), event["delta"]["type"]
        if step is None:
            return False
        fitting = self._table.list_allowed(step.kind)
        if kind not in fitting:
            message = f"a {kind} delta in a {step.kind} step"
            self._report("stream.delta-fits", message, " or ".join(sorted(fitting)), kind)
        return True

    def _check_before_signature(self, event: dict[str, Any]) -> None:
        step, delta = self._open[event["index"]], event["delta"]
        kind = delta["type"]
        grows = self._table.deltas[kind].grows
        if step.signed and grows.how is not order.DeltaEffect.APPEND:
            message = f"a {kind} delta follows the signature of its {step.kind}"
            self._report("stream.sig-last", message, "step.stop", kind)
        elif grows.how is order.DeltaEffect.APPEND and kind in self._table.streams(step.kind):
            if delta.get(grows.field):  # an empty signature comes between others
                step.signed, step.plain, self.signatures_seen = True, frozenset(), True
        elif grows.how is order.DeltaEffect.JSON:
            self.arguments_seen = True
            text = delta.get(grows.field)
            if isinstance(text, str):
                step.arguments.append(text)

    def _check_stop_index(self, event: dict[str, Any]) -> bool:
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


_ROWS = {
    state: {
        event: (
            rows[event],
            [getattr(StreamState, f"_check_{name.replace('-', '_')}") for name in rows[event].guards],
        )
        for event in order.EVENTS
    }
    for state, rows in order.ORDER.items()
}
"""The rows of the events, with the methods of their guards; `finish` decides the guard `is-over`."""


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


UNKNOWNS = 64
"""The most unknowns kept for a stream. An event type that failed the closed schema this often is then checked
against the open one."""


class EventKind:
    """The validators, handler and counters of one known event type."""

    __slots__ = (
        "_nulls", "_schema", "_schemas", "count", "fits", "handle", "kind", "misfits", "name", "resumable", "rule",
    )  # fmt: skip

    def __init__(self, event: EventType, schemas: Schemas, handle: Callable[[dict[str, Any]], None]) -> None:
        self.kind = event.name
        self.rule = "stream.error-shape" if event.name == order.ERROR else "stream.schema"
        self.name = event.name.encode()
        self._schemas = schemas
        self._schema = event.schema
        self.fits: Callable[[Any], bool] = schemas.validator(event.schema, closed=True).is_valid
        self.handle = handle
        self.count = 0
        self.resumable = 0
        self.misfits = 0
        self._nulls: set[str] = set()

    def trim(self, event: dict[str, Any]) -> dict[str, Any] | None:
        """The event without the nulls that were reported before; None if it does not fit without them either."""
        if not self._nulls or not self.fits(trimmed := drop_nulls(event, self._nulls)):
            return None
        known: dict[str, Any] = trimmed
        return known

    def review(
        self, event: dict[str, Any]
    ) -> tuple[list[Finding], tuple[UnknownPart, ...], dict[str, Any] | None]:
        """Why the closed schema rejects an event, what of it is unknown, and what of it the order can read."""
        validator = self._schemas.validator(self._schema)
        review = validator.review(event)
        findings = self._note_nulls(review.nulls)
        legible = not review.problems or readable(self.kind, review.value)
        apart: list[str] = []  # the counts that end a stream break a rule of their own
        if legible and self.kind == order.COMPLETED and isinstance(shown := review.value.get("interaction"), dict):
            apart = list_miscounted(shown["usage"], "$.interaction.usage") if "usage" in shown else []
        findings += [problem.finding(self.rule) for problem in review.problems if problem.place not in apart]
        self.misfits += 1
        if self.misfits == UNKNOWNS:
            self.fits = validator.is_valid
        named = [replace(finding, message=f"{self.kind}: {finding.message}") for finding in findings]
        return named, review.unknowns, review.value if legible else None

    def _note_nulls(self, pointers: tuple[str, ...]) -> list[Finding]:
        """The finding of nulls in places where none was reported before."""
        new = tuple(pointer for pointer in pointers if pointer not in self._nulls)
        if not new or len(self._nulls) >= UNKNOWNS:
            return []
        self._nulls.update(new)
        return [null_finding(self.rule, new)]


_SHOWN = 120
"""So much of an event is shown in a finding."""


class StreamJudge:
    """Call `feed` with the bytes of a stream as they come, then `finish` once.

    `start` is one of `stream_order.STARTS`. `background`: the run was created in the background, where each delta
    should carry a cursor. `framed=False`: the events were recorded without their framing and come as made-up
    `frames`, so the rules about framing do not apply.
    """

    def __init__(
        self, contract: Contract, *, start: str = "fresh", background: bool = False, framed: bool = True
    ) -> None:
        self._start = start
        self._background = background
        self._framed = framed
        self._decoder = Decoder()
        self._log = FindingLog()
        self._state = StreamState(contract.steps_table, contract.statuses, start, self._log.is_full)
        self._cursors: dict[str, int] = {}  # each with the hash of its event
        self._shares_cursors = False
        handlers = self._state.handlers
        self._kinds = {
            name: EventKind(event, contract.schemas, handlers.get(name, lambda event: None))
            for name, event in contract.events.items()
        }
        self._strangers: dict[str, int] = {}
        self._unknowns: list[tuple[int, UnknownPart]] = []
        self._frames = 0
        self._done_at: int | None = None
        self.events: list[dict[str, Any]] | None = None
        """The list to which all payloads that are JSON objects are added, if there is one."""

    def feed(self, data: bytes) -> None:
        """Judge the events that these bytes complete."""
        self.frames(self._decoder.each(data))

    def frames(self, frames: Iterable[Frame]) -> None:
        """Judge frames that were decoded elsewhere.

        Events without any irregularity, which are nearly all, are handled here; the others in `_handle_event` and
        `_judge_unknown_frame`.
        """
        state, kinds, cursors = self._state, self._kinds, self._cursors
        found, events = state.found, self.events
        number = self._frames
        for frame in frames:
            number += 1
            try:
                event = decode(frame[0])
                known = kinds[event["event_type"]]
                fit = known.fits(event)
            except (*REFUSALS, LookupError, TypeError):
                self._frames = number
                self._judge_unknown_frame(frame)
                if events is not None:
                    events += objects([frame.data])
                continue
            if events is not None:
                events.append(event)
            if not fit or frame[1] != known.name or state.watching:
                self._frames = number
                self._handle_event(frame, known, event, fit)
                continue
            known.count += 1
            known.handle(event)
            if cursor := event.get("event_id"):
                known.resumable += 1
                if cursor in cursors:
                    self._frames = number
                    self._note_repeated_cursor(frame, cursor)
                cursors[cursor] = hash(frame[0])
            if found:
                self._frames = number
                self._collect(frame)
        self._frames = number

    def finish(self, ending: Ending = COMPLETE) -> StreamReading:
        """Return the reading. Missing events are reported only if the body ended in order."""
        state = self._state
        cut = self._decoder.end()
        bare = read_bare_error(self._decoder.stray)
        if bare is not None:
            self._take_bare_error(bare)
        stayed_open = self._stayed_open(ending)
        if ending.complete or stayed_open:
            self._end_in_order(cut, ended=ending.complete)
        if state.completed is not None and "usage" in state.completed:
            for finding in judge_usage(state.completed["usage"], "$.interaction.usage"):
                self._log.add(finding)
        deltas = self._kinds[order.DELTA]
        if self._background and self._cursors and deltas.resumable < deltas.count:
            message = "deltas of a background stream lack an event_id"
            self._note("stream.evid-delta", message, f"{deltas.count} event ids", str(deltas.resumable))
        return StreamReading(
            start=self._start,
            framed=self._framed,
            background=self._background,
            arguments=state.arguments_seen,
            signatures=state.signatures_seen,
            stop_usages=state.stop_usages,
            findings=with_causes(self._log.findings),
            counts=self._counts(),
            interaction_id=state.interaction_id,
            statuses=tuple(state.statuses),
            created=state.created,
            completed=state.completed,
            done=self._done_at is not None,
            errors=tuple(state.errors),
            bare_error=bare,
            cursors=sum(kind.resumable for kind in self._kinds.values()),
            unknowns=tuple(self._unknowns),
            whole=ending.complete or stayed_open,
        )

    def _take_bare_error(self, bare: UnframedError) -> None:
        self._state.fail({"code": bare.code, "message": bare.message})
        for finding in bare.judge():
            where = replace(finding.where, event=self._frames, start=bare.start, end=bare.end)
            self._log.add(replace(finding, where=where))

    # --- one event ------------------------------------------------------------------------------------------

    def _handle_event(self, frame: Frame, known: EventKind, event: dict[str, Any], fit: bool) -> None:
        """Handle an event of a known type that needs more than the fast path."""
        state = self._state
        if self._done_at is not None:
            self._note_after_done(frame)
            return
        known.count += 1
        if frame.event != known.name:
            self._judge_event_name(frame, known.kind)
        if state.watching:
            state.before(known.kind)
        readable_event = event if fit else self._judge_misfit(frame, known, event)
        if readable_event is not None:
            known.handle(readable_event)
        elif known.kind == order.COMPLETED:
            state.end_unreadably()
        cursor = event.get("event_id")
        if isinstance(cursor, str) and cursor:
            known.resumable += 1
            if cursor in self._cursors:
                self._note_repeated_cursor(frame, cursor)
            self._cursors[cursor] = hash(frame.data)
        self._collect(frame)

    def _judge_unknown_frame(self, frame: Frame) -> None:
        """Handle a frame that is not a known event."""
        if self._done_at is not None:
            self._note_after_done(frame)
        elif frame.data.strip() == protocol.DONE:
            self._done_at = self._frames - 1
            self._state.close()
        else:
            read = loads(frame.data)
            if read.fault and read.fault != "depth":
                rule, message = _FAULTS[read.fault]
                if read.fault == "syntax" and frame.data.startswith(b"{") and not frame.data.endswith(b"}"):
                    message += ": it ends in the middle (at a line break without its escape, U+2028 or U+0085?)"
                self._note(rule, message, "a JSON object in UTF-8", read.detail, frame)
                if frame.event == order.COMPLETED.encode():
                    self._state.end_unreadably()
            if read.fault in ("", "surrogate"):
                self._handle_value(frame, read.value)

    def _handle_value(self, frame: Frame, event: Any) -> None:
        """Handle the JSON value of a frame that the fast path could not handle."""
        kind = event.get("event_type") if isinstance(event, dict) else None
        if not isinstance(event, dict):
            self._note(
                "stream.json/object", "the data is not an object", "a JSON object or [DONE]", _show(frame), frame
            )
        elif not isinstance(kind, str):
            self._note(
                "stream.event-type",
                "the event has no `event_type` that is a string",
                "a string",
                _show(frame),
                frame,
            )
            self._handle_stranger(frame, "an event without event_type")
        elif kind in self._kinds:
            self._handle_event(frame, self._kinds[kind], event, self._kinds[kind].fits(event))
        else:
            self._note_unknown(UnknownPart("$.event_type", "event", kind))
            if frame.event != kind.encode("utf-8", "replace"):
                self._judge_event_name(frame, kind)
            if kind in order.RENAMED_EVENTS and kind not in self._strangers:
                message = f"{kind} is the name before May 2026 of {order.RENAMED_EVENTS[kind]}"
                self._note("stream.legacy-names/event", message, order.RENAMED_EVENTS[kind], kind, frame)
                self._state.note_renamed(kind)
            self._handle_stranger(frame, kind)

    def _handle_stranger(self, frame: Frame, name: str) -> None:
        """Count an event that has no schema and no handler, and judge its place in the order."""
        self._strangers[name] = self._strangers.get(name, 0) + 1
        self._state.before(name)
        self._collect(frame)

    def _judge_misfit(self, frame: Frame, known: EventKind, event: dict[str, Any]) -> dict[str, Any] | None:
        """Note why the schema rejects the event: faults or unknowns. Return what of it the order can read."""
        trimmed = known.trim(event)
        if trimmed is not None:
            return trimmed
        if known.misfits >= UNKNOWNS and self._log.is_full(known.rule):  # a fault, and explaining it is slow
            return event if readable(known.kind, event) else None
        findings, unknowns, readable_event = known.review(event)
        for finding in findings:
            self._place(finding, frame)
        for unknown in unknowns:
            self._note_unknown(unknown)
        return readable_event

    def _counts(self) -> dict[str, int]:
        known = {kind: entry.count for kind, entry in self._kinds.items() if entry.count}
        return {**known, **self._strangers}

    def _judge_event_name(self, frame: Frame, kind: str) -> None:
        if frame.event is not None and self._framed:
            name = frame.event.decode("utf-8", "replace")
            self._note("stream.name-agrees", "the event: field is not the event_type", kind, name, frame)

    def _note_repeated_cursor(self, frame: Frame, cursor: str) -> None:
        if not self._log.is_full("stream.evid-unique"):
            # A client need not resume a foreground stream.
            severity = Severity.BROKEN if self._background or self._start != "fresh" else Severity.NON_STRICT
            code, message, expected = "stream.evid-unique", "an event_id is repeated", "a new event_id"
            self._shares_cursors |= self._cursors[cursor] != hash(frame.data)
            if not self._shares_cursors:  # two events with one id may also be equal
                code, message, expected = "stream.evid-unique/twice", "an event comes twice", "each event once"
            self._place(Finding.from_code(code, message, expected, cursor[:_SHOWN], severity=severity), frame)

    def _note_after_done(self, frame: Frame) -> None:
        rule = order.row_of(order.State.CLOSED, order.OTHER).breaks
        self._note(rule, "an event follows [DONE]", "the end of the body", _show(frame), frame)

    # --- the end --------------------------------------------------------------------------------------------

    def _stayed_open(self, ending: Ending) -> bool:
        """Whether the client left a stream that was over. One that reads no further than [DONE] is not hurt."""
        over = self._done_at is not None or self._state.is_over
        if not (over and ending.how is How.STALL and ending.by is By.CLIENT):
            return False
        finding = Finding("stream.closes", ending.detail, "the end of the response", "silence")
        if self._done_at is not None:
            finding = replace(finding, severity=Severity.NON_STRICT)
        else:
            finding = replace(
                finding, actual="neither [DONE] nor the end of the connection", code="stream.closes/hangs"
            )
        self._place(finding, None)
        return True

    def _end_in_order(self, cut: CutFrame | None, *, ended: bool) -> None:
        if cut is not None and cut.would_be is not None:
            self._note_unfinished(cut.would_be, ended=cut.raw[-1:] in b"\r\n")
        state = self._state
        events = sum(self._counts().values())
        state.finish(events)
        self._collect(None)
        in_order = state.completed is not None or not state.failed
        if self._framed and events and self._done_at is None and in_order and ended:
            self._note("stream.done", "the stream ends without [DONE]", "[DONE]", "the end of the body")

    def _note_unfinished(self, frame: Frame, *, ended: bool) -> None:
        """Note that the last block lacks its blank line, so that a conforming client never sees it.

        If its last line is not `ended`, it may be a part of one, unless all of a payload is there.
        """
        lost = frame.data.strip() == protocol.DONE
        if not (ended or lost or isinstance(loads(frame.data).value, dict)):
            return
        severity = Severity.NON_STRICT if lost else Severity.BROKEN
        if lost and self._done_at is None:
            self._done_at = self._frames
        finding = Finding("stream.framing", "no blank line ends the last event", "a blank line", _show(frame))
        finding = replace(finding, severity=severity, code="stream.framing/unended")
        self._place(finding, frame, number=self._frames)

    # --- findings and their places --------------------------------------------------------------------------

    def _note(self, code: str, message: str, expected: str, actual: str, frame: Frame | None = None) -> None:
        rule, slash, _ = code.partition("/")
        if not self._log.is_full(rule):
            self._place(Finding(rule, message, expected, actual, code=code if slash else ""), frame)

    def _collect(self, frame: Frame | None) -> None:
        for finding in self._state.found:
            if not self._log.is_full(finding.rule):
                self._place(finding, frame)
        self._state.found.clear()

    def _place(self, finding: Finding, frame: Frame | None, *, number: int | None = None) -> None:
        if frame is None:
            self._log.add(finding)
            return
        event = self._frames - 1 if number is None else number
        where = replace(finding.where, event=event, start=frame.start, end=frame.end)
        self._log.add(replace(finding, where=where))

    def _note_unknown(self, unknown: UnknownPart) -> None:
        if len(self._unknowns) < UNKNOWNS:
            self._unknowns.append((self._frames - 1, unknown))


def judge_twice(frames: Iterable[Frame]) -> list[Finding]:
    """The finding that an event has a name twice: readers of the stream see two different events."""
    for number, frame in enumerate(frames):
        value = loads(frame.data).value
        for found in judge_ambiguous("stream.json/twice", "data", frame.data, value):
            return [found.at(event=number, start=frame.start, end=frame.end)]
    return []


_FAULTS = {
    "encoding": ("stream.framing/utf8", "the data is not UTF-8"),
    "syntax": ("stream.json/syntax", "the data is not JSON"),
    "surrogate": ("stream.surrogates", "a string contains half of a surrogate pair"),
}


def _show(frame: Frame) -> str:
    text = frame.data[:_SHOWN].decode("utf-8", "replace")
    return text if len(frame.data) <= _SHOWN else f"{text}… ({len(frame.data)} bytes)"
