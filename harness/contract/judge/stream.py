"""Judges one stream while its bytes arrive: frames, JSON, schema, order, cursors, and the way it ends.

Sans-IO and incremental: of the events, only their cursors are kept. The contract's schemas define the shape of
events and `stream_state` their order; this module applies both and gives findings their places. Events are checked
against the closed schema first, because that is cheap and nearly all of them pass; only those that it rejects are
reviewed (`EventKind`): are they wrong, or merely unknown? Events that are nested too deep to be read, or are too
large (`wire.sse`), are not judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from msgspec.structs import replace

from harness.contract.contract import Contract, EventType
from harness.contract.judge.body import FindingLog, judge_ambiguous, judge_usage, list_miscounted, with_causes
from harness.contract.judge.errors import UnframedError, read_bare_error
from harness.contract.judge.stream_state import StreamReading, StreamState, readable
from harness.contract.schema.schemas import Schemas, UnknownPart, drop_nulls, null_finding
from harness.contract.tables.protocol import DONE
from harness.contract.tables.stream_order import COMPLETED, DELTA, ERROR, OTHER, RENAMED_EVENTS, State, row_of
from harness.outcome import Finding, Severity
from harness.wire import COMPLETE, By, Decoder, Ending, Frame, How
from harness.wire.bodies import REFUSALS, decode, loads, objects
from harness.wire.sse import CutFrame

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
        self.rule = "stream.error-shape" if event.name == ERROR else "stream.schema"
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
        if legible and self.kind == COMPLETED and isinstance(shown := review.value.get("interaction"), dict):
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
        self._state = StreamState(contract.steps_table, contract.statuses, start)
        self._log = FindingLog()
        self._cursors: set[str] = set()
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
                cursors.add(cursor)
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
        deltas = self._kinds[DELTA]
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
        elif known.kind == COMPLETED:
            state.end_unreadably()
        cursor = event.get("event_id")
        if isinstance(cursor, str) and cursor:
            known.resumable += 1
            if cursor in self._cursors:
                self._note_repeated_cursor(frame, cursor)
            self._cursors.add(cursor)
        self._collect(frame)

    def _judge_unknown_frame(self, frame: Frame) -> None:
        """Handle a frame that is not a known event."""
        if self._done_at is not None:
            self._note_after_done(frame)
        elif frame.data.strip() == DONE:
            self._done_at = self._frames - 1
            self._state.close()
        else:
            read = loads(frame.data)
            if read.fault and read.fault != "depth":
                rule, message = _FAULTS[read.fault]
                if read.fault == "syntax" and frame.data.startswith(b"{") and not frame.data.endswith(b"}"):
                    message = f"{message}: it ends in the middle (is it split at U+2028 or U+0085?)"
                self._note(rule, message, "a JSON object in UTF-8", read.detail, frame)
                if frame.event == COMPLETED.encode():
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
            if kind in RENAMED_EVENTS and kind not in self._strangers:
                message = f"{kind} is the name before May 2026 of {RENAMED_EVENTS[kind]}"
                self._note("stream.legacy-names/event", message, RENAMED_EVENTS[kind], kind, frame)
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
            message, actual = "an event_id is repeated", cursor[:_SHOWN]
            found = Finding("stream.evid-unique", message, "a new event_id", actual, severity=severity)
            self._place(found, frame)

    def _note_after_done(self, frame: Frame) -> None:
        rule = row_of(State.CLOSED, OTHER).breaks
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
            self._note_unfinished(cut.would_be)
        state = self._state
        events = sum(self._counts().values())
        state.finish(events)
        self._collect(None)
        in_order = state.completed is not None or not state.failed
        if self._framed and events and self._done_at is None and in_order and ended:
            self._note("stream.done", "the stream ends without [DONE]", "[DONE]", "the end of the body")

    def _note_unfinished(self, frame: Frame) -> None:
        """Note that the last block lacks its blank line, so that a conforming client never sees it."""
        lost = frame.data.strip() == DONE
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
