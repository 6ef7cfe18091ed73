"""Decides what to do next, for both the sync and the async loop: stream, poll, sleep or give up.

Layer 3, sans-IO. It takes bytes, responses and drops, and returns the next move. Three rules bound it: a
connection without new events is a failure; after `RetryLimits.failures` failures in a row the interaction is
only polled, and after as many failed polls it is given up; all pauses together last at most `RetryLimits.waiting`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from harness.contract import CURRENT, PROTOCOL, is_settled, load
from harness.contract.data.json_parse import loads
from harness.contract.data.output import output_steps, steps_text
from harness.contract.judge.failures.bare_error import read_bare_error
from harness.errors import ConnectionLost, Contradiction, Diverged, ErrorResponse, GaveUp, NotAStream, Refused
from harness.resume.limits import RetryLimits
from harness.resume.missing_events import remainder
from harness.resume.progress import Progress
from harness.wire import Decoder

Event: TypeAlias = Mapping[str, Any]

_HOPELESS = frozenset({401, 402, 403})
_TRANSIENT = frozenset({408, 409, 429})
_NOT_CREATED = frozenset({429, 503})  # after an error such as 500 it may have been created all the same


@dataclass(frozen=True, slots=True)
class Create:
    """POST the interaction, streamed."""

    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class OpenStream:
    """GET it as a stream after `cursor`, or from the start for None."""

    id: str
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Poll:
    """GET it as JSON."""

    id: str


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait."""

    seconds: float


ResumeAction: TypeAlias = Create | OpenStream | Poll | Sleep


class ResumeMachine:
    """Follows one interaction to its end."""

    def __init__(
        self, patience: RetryLimits, interaction_id: str | None, create: Mapping[str, Any] | None
    ) -> None:
        self._patience = patience
        self._create = create
        self._id = interaction_id
        self._decoder = Decoder()
        self._pause = 0.0
        self._waited = 0.0
        self._failures = 0
        self._look = False  # poll before the next stream
        self._streams = True  # whether to keep trying to stream
        self._cursors = True  # whether the service accepts our cursors
        self._found = False  # whether the service has returned the interaction before
        self._news = False
        self._broken = ""
        self.progress = Progress(load(CURRENT))
        self.final: dict[str, Any] | None = None
        self.connections = 0
        self.over = False

    @property
    def interaction_id(self) -> str | None:
        """The id, once it is known."""
        return self._id or self.progress.interaction_id

    def move(self) -> ResumeAction:
        """Return what to do next. Raises GaveUp."""
        if self._pause:
            return self._sleep()
        found = self.interaction_id
        if found is None:
            return self._start()
        if self._look or not self._streams:
            return Poll(found)
        cursor = self.progress.cursor if self._cursors else None
        self._connect(cursor)
        return OpenStream(found, cursor)

    # Results of a move

    def feed(self, data: bytes) -> Iterator[Event]:
        """Yield the new events in bytes of the connection; check `hung_up` after each call."""
        for frame in self._decoder.feed(data):
            if frame.data.strip() == PROTOCOL.sentinel:
                self._broken = "the stream ended without interaction.completed"
                return
            event = loads(frame.data).value
            if not isinstance(event, dict):
                self._broken = "an event that is no JSON object"
                return
            if self._is_news(event):
                yield event
            if self.progress.completed is not None:
                self.over = True
                return
            if self._broken:
                return

    @property
    def hung_up(self) -> bool:
        """Whether to close this connection without reading the rest."""
        return self.over or bool(self._broken)

    def note_end(self) -> None:
        """Report that the connection ended or was closed; a failure before the completion. Raises GaveUp."""
        if not self.over:
            self.note_failure(ConnectionLost(self._broken or "the stream ended without interaction.completed"))

    def note_failure(self, drop: ConnectionLost) -> None:
        """Report that a connection or a poll failed or broke off. Raises GaveUp."""
        drop = self._explain(drop)
        if self.interaction_id is None:
            return self._handle_failed_create(drop)
        if isinstance(drop, NotAStream):
            self._streams = False
            return None
        if isinstance(drop, ErrorResponse) and self._refused(drop):
            return None
        if self._news:
            self._news = False
            self._failures = 0
            return None
        self._failures += 1
        self._pause = self._patience.pause(self._failures, getattr(drop, "retry_after", None))
        self._look = True
        if self._failures >= self._patience.failures:
            if not self._streams:
                raise self._give_up(f"{self._failures} attempts in a row brought nothing new; the last: {drop}")
            self._streams, self._failures = False, 0
        return None

    def take_poll(self, interaction: Mapping[str, Any]) -> Iterator[Event]:
        """Take the answer to a poll; yield the missing events if the interaction has settled. Raises GaveUp."""
        self._found = True
        self._look = False
        status = interaction.get("status")
        if not (isinstance(status, str) and is_settled(status)):
            if not self._streams:
                self._failures = 0
                self._pause = self._patience.poll
            return
        self.progress.status = status
        self.final = dict(interaction)
        seen = self.progress.steps()
        self.over = True
        try:
            yield from remainder(seen, self.progress.is_open, interaction)
        except Contradiction as contradiction:
            raise self._give_up(str(contradiction)) from None

    # The result

    def interaction(self) -> dict[str, Any] | None:
        """Return the finished interaction with its output steps; None before the end."""
        if self.final is not None:
            return {**self.final, "steps": [dict(step) for step in output_steps(self.final)]}
        if self.progress.completed is not None:
            return {**self.progress.completed, "steps": self.progress.steps()}
        return None

    def text(self) -> str:
        """Return the text of the output so far."""
        steps = output_steps(self.final) if self.final is not None else self.progress.steps()
        return steps_text(steps)

    # Inside

    def _sleep(self) -> Sleep:
        seconds, self._pause = self._pause, 0.0
        self._waited += seconds
        if self._waited > self._patience.waiting:
            raise self._give_up(f"it has not ended after {self._waited:.0f} s of waiting (RetryLimits.waiting)")
        return Sleep(seconds)

    def _start(self) -> Create:
        assert self._create is not None
        self._connect(None)
        return Create(self._create)

    def _connect(self, cursor: str | None) -> None:
        self.connections += 1
        self._decoder = Decoder()
        self._broken = ""
        self._news = False
        self.progress.connect(cursor)

    def _is_news(self, event: dict[str, Any]) -> bool:
        try:
            new = self.progress.take(event)
        except Diverged:
            self._streams = False
            self._broken = "the service tells the interaction differently than before"
            return False
        self._found = True
        self._news = self._news or (new and not PROTOCOL.is_error(event))
        return new

    def _refused(self, refusal: ErrorResponse) -> bool:
        """Return whether to switch to another kind of request, not just retry. Raises Refused if neither helps."""
        status = refusal.status
        if status in _HOPELESS or (status == 404 and self._found):
            raise Refused(str(refusal), status=status, interaction_id=self.interaction_id)
        if status in _TRANSIENT or status >= 500 or status == 404:
            return False
        if self._look or not self._streams:
            raise Refused(str(refusal), status=status, interaction_id=self.interaction_id)
        if self.progress.cursor is not None and self._cursors:
            self._cursors = False
        else:
            self._streams = False
        return True

    def _explain(self, drop: ConnectionLost) -> ConnectionLost:
        """The drop, with the error that ended the stream outside its framing. Raises Refused if that is final.

        Some failures of the live service are bare JSON after the last event, which a decoder drops. A refusal is
        repeated by every later request, and GET may not even find the interaction.
        """
        decoder, self._decoder = self._decoder, Decoder()
        decoder.end()
        bare = read_bare_error(decoder.stray)
        if bare is None:
            return drop
        told = f"the stream ended with the error {bare.code}: {bare.message}"
        if bare.status not in _TRANSIENT and bare.status < 500:
            raise Refused(told, status=bare.status, interaction_id=self.interaction_id)
        return ConnectionLost(told)

    def _handle_failed_create(self, drop: ConnectionLost) -> None:
        """Handle a create that failed before its id was known: retry only a clear refusal. Raises GaveUp."""
        if isinstance(drop, ErrorResponse):
            self._failures += 1
            if drop.status not in _NOT_CREATED or self._failures >= self._patience.failures:
                raise Refused(str(drop), status=drop.status)
            self._pause = self._patience.pause(self._failures, drop.retry_after)
            return
        raise GaveUp(
            f"the create broke off before it told an id ({drop}): it may exist and be billed, so it is not sent "
            "again, and without an id (store=false has none) nothing can be resumed. With background=true and "
            "without streaming the create answers at once"
        )

    def _give_up(self, why: str) -> GaveUp:
        found = self.interaction_id
        return GaveUp(f"{found}: {why}", interaction_id=found, cursor=self.progress.cursor)
