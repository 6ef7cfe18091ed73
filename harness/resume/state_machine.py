"""The state machine of `follow`: which request comes next, how long to wait before it, and when to give up.

Sans-IO. Each decision is a row of `TRANSITIONS`; the state is the kind of request that comes next:

    CREATE  There is no id yet. A create that was dropped is not sent again: it may exist, and be billed.
    STREAM  Open the stream after the cursor. A client that nothing disturbs is only here.
    LOOK    A stream brought nothing new. The interaction may have ended meanwhile, so poll it once.
    POLL    Streams are given up: they failed too often, contradict each other, or the service has none.

Three rules bound it: a connection without news is a failure; after `RetryLimits.failures` in a row there are only
polls, and after as many failed ones it gives up; all pauses last `RetryLimits.waiting` at most.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, TypeAlias

from msgspec import Struct

from harness.contract import CURRENT, PROTOCOL, is_settled, load
from harness.contract.judge.body import read_bare_error
from harness.contract.transcript import output_steps, steps_text
from harness.errors import ConnectionLost, Contradiction, Diverged, ErrorResponse, GaveUp, NotAStream, Refused
from harness.resume.progress import Progress, remainder
from harness.wire import Decoder
from harness.wire.bodies import loads

Event: TypeAlias = Mapping[str, Any]

_HOPELESS = frozenset({401, 402, 403})
_TRANSIENT = frozenset({408, 409, 429})
_NOT_CREATED = frozenset({429, 503})  # after another error, such as a 500, it may have been created all the same


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryLimits:
    """Limits in seconds and counts. After a connection that yielded new events, the next follows at once.

    failures   consecutive attempts without new events after which streaming, and later polling, is given up
    delay      the pause after the first such attempt; it doubles with each further one, up to `longest`
    longest    the longest pause, even if the service asks for more (`Retry-After`)
    poll       the pause between two polls once the interaction can only be polled
    waiting    the total of all pauses
    """

    failures: int = 6
    delay: float = 0.5
    longest: float = 8.0
    poll: float = 3.0
    waiting: float = 3600.0

    def __post_init__(self) -> None:
        for bound in fields(self):
            value = getattr(self, bound.name)
            if not value > 0:
                raise ValueError(f"RetryLimits({bound.name}={value!r}): every bound is a positive number")

    def pause(self, failures: int, asked: float | None = None) -> float:
        """Return the seconds to wait after `failures` in a row, or the seconds `asked` for; at most `longest`."""
        wanted = self.delay * 2 ** min(failures - 1, 30) if asked is None else asked
        return min(wanted, self.longest)


class Create(Struct, frozen=True):
    """POST the interaction, streamed."""

    body: Mapping[str, Any]


class OpenStream(Struct, frozen=True):
    """GET it as a stream after `cursor`, or from the start for None."""

    id: str
    cursor: str | None


class Poll(Struct, frozen=True):
    """GET it as JSON."""

    id: str


class Sleep(Struct, frozen=True):
    """Wait."""

    seconds: float


ResumeAction: TypeAlias = Create | OpenStream | Poll | Sleep


class ResumeState(StrEnum):
    """The kind of request that comes next."""

    CREATE = "create"
    STREAM = "stream"
    LOOK = "poll once, before the next stream"
    POLL = "poll only"
    OVER = "nothing: the interaction was followed to its end"


class ResumeOutcome(StrEnum):
    """The end of a request, or an event on the way."""

    NAMED = "an event named the interaction that the create made"
    DIVERGED = "a stream differs from an earlier stream"
    COMPLETED = "a stream completed, or a poll showed a terminal status"
    PENDING = "a poll showed another status"
    NEWS = "a stream was dropped after new events"
    FAILED = "a request brought nothing new"
    EXHAUSTED = "a request brought nothing new, for the last time that the limits allow"
    UNSTREAMED = "the service does not stream the interaction, or refuses to"
    UNPLACED = "the service rejects the cursor"
    LOST = "a create was dropped before its id arrived"
    HOPELESS = "the service rejects the request permanently"


class ResumeEffect(StrEnum):
    """The effect besides the change of state."""

    NOTHING = "nothing"
    RESET = "forget the failures"
    PAUSE = "count a failure and pause before the next request, longer each time"
    PAUSE_RESET = "pause as after a failure, then forget the failures"
    PAUSE_POLL = "forget the failures and pause as between two polls"
    NO_CURSOR = "never send a cursor again"
    GIVE_UP = "raise GaveUp"
    REFUSE = "raise Refused"


_S, _O, _E = ResumeState, ResumeOutcome, ResumeEffect

TRANSITIONS: dict[tuple[ResumeState, ResumeOutcome], tuple[ResumeState, ResumeEffect]] = {
    (_S.CREATE, _O.NAMED): (_S.STREAM, _E.NOTHING),
    (_S.CREATE, _O.COMPLETED): (_S.OVER, _E.NOTHING),
    (_S.CREATE, _O.DIVERGED): (_S.CREATE, _E.NOTHING),  # one stream may contradict itself, before it has an id
    (_S.CREATE, _O.FAILED): (_S.CREATE, _E.PAUSE),
    (_S.CREATE, _O.LOST): (_S.CREATE, _E.GIVE_UP),
    (_S.CREATE, _O.HOPELESS): (_S.CREATE, _E.REFUSE),
    #
    (_S.STREAM, _O.COMPLETED): (_S.OVER, _E.NOTHING),
    (_S.STREAM, _O.NEWS): (_S.STREAM, _E.RESET),  # at once: a service may end each connection after a minute
    (_S.STREAM, _O.FAILED): (_S.LOOK, _E.PAUSE),
    (_S.STREAM, _O.EXHAUSTED): (_S.POLL, _E.PAUSE_RESET),
    (_S.STREAM, _O.UNPLACED): (_S.STREAM, _E.NO_CURSOR),
    (_S.STREAM, _O.UNSTREAMED): (_S.POLL, _E.NOTHING),
    (_S.STREAM, _O.DIVERGED): (_S.POLL, _E.NOTHING),
    (_S.STREAM, _O.HOPELESS): (_S.STREAM, _E.REFUSE),
    #
    (_S.LOOK, _O.COMPLETED): (_S.OVER, _E.NOTHING),
    (_S.LOOK, _O.PENDING): (_S.STREAM, _E.NOTHING),
    (_S.LOOK, _O.FAILED): (_S.LOOK, _E.PAUSE),
    (_S.LOOK, _O.EXHAUSTED): (_S.POLL, _E.PAUSE_RESET),
    (_S.LOOK, _O.HOPELESS): (_S.LOOK, _E.REFUSE),
    #
    (_S.POLL, _O.COMPLETED): (_S.OVER, _E.NOTHING),
    (_S.POLL, _O.PENDING): (_S.POLL, _E.PAUSE_POLL),
    (_S.POLL, _O.NEWS): (_S.POLL, _E.RESET),  # of the stream that then diverged
    (_S.POLL, _O.FAILED): (_S.POLL, _E.PAUSE),
    (_S.POLL, _O.EXHAUSTED): (_S.POLL, _E.GIVE_UP),
    (_S.POLL, _O.HOPELESS): (_S.POLL, _E.REFUSE),
}
"""State and outcome → the next state, and what else happens. What `follow` never does has no row."""


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
        self._cursors = True  # whether the service accepts our cursors
        self._found = False  # whether the service has returned the interaction before
        self._news = False
        self._broken = ""
        self.state = ResumeState.STREAM if interaction_id is not None else ResumeState.CREATE
        self.progress = Progress(load(CURRENT))
        self.final: dict[str, Any] | None = None
        self.connections = 0

    @property
    def interaction_id(self) -> str | None:
        """The id, once it is known."""
        return self._id or self.progress.interaction_id

    @property
    def over(self) -> bool:
        """Whether the interaction was followed to its end."""
        return self.state is ResumeState.OVER

    def move(self) -> ResumeAction:
        """Return what to do next. Raises GaveUp."""
        if self._pause:
            seconds, self._pause = self._pause, 0.0
            self._waited += seconds
            if self._waited > self._patience.waiting:
                raise self._give_up(
                    f"it has not ended after {self._waited:.0f} s of waiting (RetryLimits.waiting)"
                )
            return Sleep(seconds)
        found = self.interaction_id
        if found is None:
            assert self._create is not None
            self._connect(None)
            return Create(self._create)
        if self.state is not ResumeState.STREAM:
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
                self._broken = "an event that is not a JSON object"
                return
            if self._is_news(event):
                yield event
            if self.progress.completed is not None:
                self._change(ResumeOutcome.COMPLETED)
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
        """Report that a connection or a poll failed or was dropped. Raises GaveUp."""
        drop = self._explain(drop)
        self._change(self._classify(drop), drop)
        self._news = False

    def take_poll(self, interaction: Mapping[str, Any]) -> Iterator[Event]:
        """Take the answer to a poll; yield the missing events if the interaction has settled. Raises GaveUp."""
        self._found = True
        status = interaction.get("status")
        if not (isinstance(status, str) and is_settled(status)):
            self._change(ResumeOutcome.PENDING)
            return
        self.progress.status = status
        self.final = dict(interaction)
        seen = self.progress.steps()
        self._change(ResumeOutcome.COMPLETED)
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

    def _change(self, outcome: ResumeOutcome, drop: ConnectionLost | None = None) -> None:
        """Take the row of the table for this outcome; `drop` is the failure behind it, if it is one."""
        state, effect = TRANSITIONS[self.state, outcome]
        if effect in (ResumeEffect.PAUSE, ResumeEffect.PAUSE_RESET):
            self._failures += 1
            self._pause = self._patience.pause(self._failures, getattr(drop, "retry_after", None))
        if effect is ResumeEffect.PAUSE_POLL:
            self._pause = self._patience.poll
        if effect in (ResumeEffect.RESET, ResumeEffect.PAUSE_RESET, ResumeEffect.PAUSE_POLL):
            self._failures = 0
        if effect is ResumeEffect.NO_CURSOR:
            self._cursors = False
        if effect is ResumeEffect.REFUSE and isinstance(drop, ErrorResponse):
            raise Refused(str(drop), status=drop.status, interaction_id=self.interaction_id)
        if outcome is ResumeOutcome.LOST:
            raise GaveUp(
                f"the create was dropped before its id arrived ({drop}): it may exist and be billed, so it is not "
                "sent again, and without an id (store=false has none) nothing can be resumed. With "
                "background=true and without streaming the create answers at once"
            )
        if effect is ResumeEffect.GIVE_UP:
            raise self._give_up(f"{self._failures + 1} attempts in a row brought nothing new; the last: {drop}")
        self.state = state

    def _classify(self, drop: ConnectionLost) -> ResumeOutcome:
        """The outcome that a failure stands for."""
        last = self._failures + 1 >= self._patience.failures
        if self.state is ResumeState.CREATE:
            if not isinstance(drop, ErrorResponse):
                return ResumeOutcome.LOST
            return ResumeOutcome.FAILED if drop.status in _NOT_CREATED and not last else ResumeOutcome.HOPELESS
        if isinstance(drop, NotAStream):
            return ResumeOutcome.UNSTREAMED
        if isinstance(drop, ErrorResponse) and (refused := self._classify_refusal(drop.status)):
            return refused
        if self._news:
            return ResumeOutcome.NEWS
        return ResumeOutcome.EXHAUSTED if last else ResumeOutcome.FAILED

    def _classify_refusal(self, status: int) -> ResumeOutcome | None:
        """The outcome of an error response; None if the same request may succeed later."""
        if status in _HOPELESS or (status == 404 and self._found):
            return ResumeOutcome.HOPELESS
        if status in _TRANSIENT or status >= 500 or status == 404:
            return None
        if self.state is not ResumeState.STREAM:
            return ResumeOutcome.HOPELESS
        return (
            ResumeOutcome.UNPLACED
            if self.progress.cursor is not None and self._cursors
            else ResumeOutcome.UNSTREAMED
        )

    def _connect(self, cursor: str | None) -> None:
        self.connections += 1
        self._decoder = Decoder()
        self._broken = ""
        self._news = False
        self.progress.connect(cursor)

    def _is_news(self, event: dict[str, Any]) -> bool:
        new = False
        try:
            new = self.progress.take(event)
        except Diverged:
            self._broken = "the service returns the interaction differently than before"
        if self.state is ResumeState.CREATE and self.interaction_id is not None:
            self._change(ResumeOutcome.NAMED)
        if self._broken:
            self._change(ResumeOutcome.DIVERGED)
            return False
        self._found = True
        self._news = self._news or (new and not PROTOCOL.is_error(event))
        return new

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
        error = f"the stream ended with the error {bare.code}: {bare.message}"
        if bare.status not in _TRANSIENT and bare.status < 500:
            raise Refused(error, status=bare.status, interaction_id=self.interaction_id)
        return ConnectionLost(error)

    def _give_up(self, why: str) -> GaveUp:
        found = self.interaction_id
        return GaveUp(f"{found}: {why}", interaction_id=found, cursor=self.progress.cursor)
