"""Records what a client actually received: the bytes of each response, connection by connection.

Keeps bytes as they pass and decodes them only when a test asks, so that recording costs next to nothing.
"""

from __future__ import annotations

import gc
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import groupby
from threading import get_ident
from time import monotonic  # by name: a clock that a test moves looks at who asks, each time
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.kit.api import ClientApi
from harness.outcome.words import format_count, shorten
from harness.wire import Body, Chunk, Ending, Pause, Piece, Request, Response
from harness.wire.bodies import CODINGS, DECODED_BYTES, Inflater, coding_of, object_or_none
from harness.wire.message import EVENT_STREAM, WrappedBody, escape_controls, retry_after
from harness.wire.sse import events_in

if TYPE_CHECKING:
    from harness.faults import Suffered


_UNREADABLE = (
    ValueError, TypeError, LookupError, AttributeError, AssertionError, ArithmeticError, NotImplementedError,
)  # fmt: skip
"""Errors of code that does not expect what it reads; an exception of its own may end a loop on purpose."""


class ReceivedResponse:
    """One response, as far as the client read it; `suffered` has the faults planned for its connection."""

    def __init__(
        self, api: ClientApi, request: Request, response: Response, suffered: Suffered | None = None
    ) -> None:
        self.at = monotonic()
        self._api = api
        self._protocol = api.load_protocol()
        self.request = request
        self.suffered = suffered
        self.status = response.status
        self.retry_after = retry_after(response.headers) if response.status >= 400 else None
        """The seconds after which a refusal allows the next attempt; None if it names none."""
        self.is_stream = response.headers.media_type() == EVENT_STREAM
        self._coding = coding_of(response.headers)
        self._inflater = Inflater(self._coding) if self._coding in CODINGS else None
        self.data = bytearray()
        self._read: tuple[int, list[dict[str, Any]]] = (0, [])
        self.ending: Ending | None = None
        self.closed = False
        """Whether the client has closed it, or a fault has ended it; the garbage collector is not the client."""
        self.outlived_loop = False
        """Whether it was open when the client's event loop ended, which closes what is left."""
        self.took = self.at
        """The moment of the last bytes."""
        self.waited = 0.0
        """The seconds of silence that the server let pass after the last bytes; a busy machine adds none."""
        self.unreadable = ""
        """The error of a parser or of its caller that closed it, in this process; "" if there was none."""
        self._handled = id(sys.exc_info()[1])  # a request in an `except` block: that error did not close it

    def take(self, data: bytes) -> None:
        """Note bytes that were delivered; they are kept without their content coding."""
        self.data += data if self._inflater is None else self._inflater.feed(data, DECODED_BYTES)

    def note_error(self, error: BaseException | None) -> None:
        """Note the error in whose course the response is closed."""
        if isinstance(error, _UNREADABLE) and id(error) != self._handled:
            self.unreadable = type(error).__name__

    def events(self) -> list[dict[str, Any]]:
        """The complete events that were delivered. They are decoded once, as judges and timelines ask often."""
        if self._read[0] != len(self.data):
            self._read = (len(self.data), events_in(bytes(self.data)))
        return self._read[1]

    def read_json(self) -> dict[str, Any]:
        """The JSON object that was delivered; an empty one if it was none, or not whole."""
        return object_or_none(bytes(self.data)) or {}

    def find_cursor(self) -> str | None:
        """The cursor of the last event that has one."""
        return next(filter(None, map(self._protocol.cursor, reversed(self.events()))), None)

    @property
    def was_left(self) -> bool:
        """Whether the client left a stream in the middle: after a second of silence it may have lost patience."""
        return self.is_stream and self.ending is None and not self.completes and self.waited < 1.0

    @property
    def last_mark(self) -> str | None:
        """The addition of the last event to the result; None if it adds nothing."""
        events = self.events()
        return self._api.load_client_model().mark(events[-1]) if events else None

    @property
    def exchange(self) -> tuple[Request, Sequence[Mapping[str, Any]], Mapping[str, Any]]:
        """The request, with the events or the JSON of its response."""
        return self.request, self.events() if self.is_stream else (), self.read_json()

    @cached_property
    def is_create(self) -> bool:
        """Whether the request asks for a new run."""
        return self._protocol.operation(self.request) == "create"

    @property
    def headless(self) -> bool:
        """Whether not even the head of the response was sent."""
        return self.ending is not None and self.ending.headless

    @property
    def broke_off(self) -> bool:
        """Whether it is a stream without a completion; one that the client left, undisturbed, is none."""
        disturbed = self.suffered is not None and bool(self.suffered.fired)
        return self.is_stream and not self.completes and (disturbed or self.ending is not None)

    @property
    def early_end(self) -> str:
        """How a stream ended before its completion; "" if it has one, and for any other response."""
        if not self.is_stream or (self.ending is not None and self.ending.complete and self.completes):
            return ""
        if self.ending is None:
            return "the client disconnected"
        return "a clean end without completion" if self.ending.complete else self.ending.words

    @property
    def left_open(self) -> bool:
        """Whether the client stopped reading a stream in the middle, and never closed the response."""
        is_open = self.outlived_loop or not self.closed
        return self.is_stream and is_open and self.ending is None and not self.completes

    @property
    def continues(self) -> str | None:
        """The run or the transcript that a create goes on from; None if it begins a conversation."""
        return self._api.load_client_model().continues(self.request) if self.is_create else None

    @property
    def input(self) -> str:
        """The input of a create, as text."""
        return self._api.load_client_model().find_input(self.request)

    @property
    def is_read(self) -> bool:
        """Whether the request reads a run that exists, as a stream or not."""
        return self.request.method == "GET"

    def find_run_id(self) -> str | None:
        """The id of the run that was created or read; None if it never arrived."""
        return self.request.raw_path.rpartition("/")[2] if self.is_read else self.find_created_id()

    @property
    def goes_on(self) -> bool:
        """Whether a create goes on with a run that had stopped."""
        return self.is_create and self._api.load_client_model().goes_on(self.request)

    def find_created_id(self) -> str | None:
        """The id of the run that this exchange created; None if it created none."""
        if not self.is_create:
            return None
        if self.is_stream:
            return next(filter(None, map(self._protocol.stream_id, self.events())), None)
        return self._api.load_client_model().find_id(self.read_json())

    @property
    def resumes(self) -> bool:
        """Whether the request asks for the stream of a run that exists."""
        return self._protocol.is_resume(self.request) is not None

    @property
    def asked_after(self) -> str | None:
        """The cursor that the client sent; None if it sent none."""
        resumed = self._protocol.is_resume(self.request)
        return resumed[1] if resumed is not None else None

    def describe_misplaced_cursor(self, events: Iterable[Mapping[str, Any]]) -> str:
        """The place to which the client sent the cursor of one of the events in vain; "" if it did not."""
        cursors = list(filter(None, map(self._protocol.cursor, events)))
        right = f"which has no effect: the parameter is {self._api.load_client_model().words.cursor}"
        if self.request.headers.get("last-event-id") in cursors:
            return f"it sent its cursor in the header Last-Event-ID, {right}"
        wrong = (name for name, value in self.request.query if value in cursors)
        return next((f"it sent its cursor as {name!r}, {right}" for name in wrong), "")

    @property
    def error(self) -> str:
        """The message of a refusal; "" if it has none or the response is no refusal."""
        return self._api.load_client_model().find_error(self.read_json()) if self.status >= 400 else ""

    def find_status(self) -> str | None:
        """The status in a response that is no stream; None if it has none."""
        found = self._api.read_status(self.read_json())
        return found[1] if found is not None else None

    def is_quiet(self, status: str | None) -> bool:
        """Whether a run with this last status may have its whole result: it has not failed."""
        return status is None or status in self._api.load_client_model().quiet

    def find_end(self) -> str | None:
        """The status in which this response shows that its run has ended; None if it shows no end."""
        model = self._api.load_client_model()
        shown = map(self._api.read_status, self.events() if self.is_stream else (self.read_json(),))
        return next((found[1] for found in shown if found is not None and model.is_final(found[1])), None)

    def find_other_end(self) -> str:
        """The status in which this response shows that its run has ended, if it lacks a part or waits; else ""."""
        model, end = self._api.load_client_model(), self.find_end()
        return "" if end is None or end in model.quiet - model.waiting else end

    @property
    def completes(self) -> bool:
        """Whether the client can know from this response that the run has ended.

        A completion that lacks only its blank line counts: some clients deliver it.
        """
        if self.is_stream:
            if any(map(self._protocol.completes, self.events())):
                return True
            tail = bytes(self.data[self.data.rfind(b"\n\n") + 1 :])  # what comes before it was decoded above
            return any(map(self._protocol.completes, events_in(tail + b"\n\n")))
        return self._api.load_client_model().is_final(self.find_status())

    def __str__(self) -> str:
        after = f" after {self.asked_after}" if self.asked_after else ""
        turn = ", a further turn" if self.continues else ""
        what = f"{self.request.method}{' stream' if self.is_stream else ''}{after}{turn}"
        if self.headless and self.ending is not None:
            return f"{what} → no response, {self.ending.how.value}"
        if not self.is_stream:
            shown = f": {self.error}" if self.error else f", {status}" if (status := self.find_status()) else ""
            return f"{what} → {self.status}{shown}"
        if self.ending is None:
            how = "disconnected by the client"
        else:
            how = "a clean end" if self.ending.complete and not self.completes else self.ending.how.value
        return f"{what} → {format_count(len(self.events()), 'event')}, {how}"


def describe_unresumed(received: Sequence[ReceivedResponse]) -> str:
    """A sentence about how the first stream ended early that the client did not resume; "" if there is none."""
    for place, one in enumerate(received):
        if not one.broke_off or one.status >= 400:
            continue
        run, later = one.find_run_id(), received[place + 1 :]
        if any(other.is_read and other.find_run_id() == run and other.status < 400 for other in later):
            continue
        events, cursor = one.events(), one.find_cursor()
        at = f"after event {len(events)}" if events else "before its first event"
        how = one.ending.how.value if one.ending is not None and not one.ending.complete else "a clean end"
        if run is None:
            advice = "its id never arrived, so that a client can only report it"
        elif any(other.is_create and other.request.body == one.request.body for other in later):
            advice = "the create was sent again, so that a second interaction runs and costs money"
        else:
            advice = "resume it by its id" + (f", after the cursor {cursor!r}" if cursor else "")
        return f"the stream was dropped {at} ({how}) and was not resumed: {advice}"
    return ""


def describe_unread(received: Sequence[ReceivedResponse]) -> str:
    """How a client failed at one event of a run again and again, with nothing wrong; "" if it did not.

    It gets the result in another way, if at all. One that looks at the beginning of a stream from time to time
    leaves it at one event, too, but without an error.
    """
    if any(one.suffered and one.suffered.fired for one in received):
        return ""
    failed = (one for one in received if one.was_left and one.unreadable)
    left = Counter((one.find_run_id(), mark, one.unreadable) for one in failed if (mark := one.last_mark))
    for (_, mark, error), times in left.most_common(1):
        if times > 1:
            shown = escape_controls(shorten(mark, 120))  # such as U+2028, which ends no line
            return f"left its stream {times} times at one event, which it cannot read ({error}): {shown}"
    return ""


def describe_turns(received: Sequence[ReceivedResponse], run: str) -> Iterator[str]:
    """Sentences about creates that continue a failed turn, or leave out one; `run` is the noun for a turn.

    They are no findings: only the test knows which of its turns belong together.
    """
    ended = {one.find_run_id(): status for one in received if (status := one.find_end()) is not None}
    creates = [one for one in received if one.is_create and not one.goes_on and one.status < 400]
    turns: dict[str | None, list[int]] = {}
    good = ""
    for number, one in enumerate(creates, 1):
        status, others = ended.get(one.find_run_id()), turns.setdefault(one.continues, [])
        if (parent := one.continues) is not None and not one.is_quiet(ended.get(parent)):
            yield f"create {number} continues {parent!r}, which ended as {ended[parent]!r}{good}"
        if one.is_quiet(status) and all(creates[place - 1].input != one.input for place in others):
            others.append(number)  # after one that failed, a create may begin again
        if status is not None and one.is_quiet(status):
            good = f"; create {number} made {one.find_run_id()!r}, the last before it with its whole result"
    for parent, numbers in turns.items():
        if len(numbers) > 1:
            named = f"{', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"
            how = f"name no previous {run}" if parent is None else f"continue the same {run} {parent!r}"
            yield f"creates {named} {how}: none of them knows of the others"


_TOLD = 3
"""Equal reads above which the report of a failed test names them: a runner may have ended it before the limit."""


class DeadEnd(NamedTuple):
    """Why the same comes at each read, and what to do; if it is `certain`, reads without a sleep count, too."""

    read: str
    why: str
    advice: str
    certain: bool = False


_SETTLED = DeadEnd("an interaction that has settled", "it never changes again", "End the loop there", certain=True)


class RepeatedReads:
    """Counts, for each target, the equal responses in a row to reads of a run that does not change any more.

    A run that has not settled counts only if the reader sleeps between its reads, since another thread may let it
    go on.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.find_dead_end: Callable[[str, int], DeadEnd | None] = lambda run, status: None
        """Returns why a run that has not settled cannot go on, by its id and the status of the response."""
        self.drops_on = False
        """Whether the fault plan drops every further stream: after a plan with an end the next one is whole."""
        self._rows: dict[str, tuple[ReceivedResponse, ReceivedResponse, int]] = {}
        """The first and the latest response of a row, and how many there were before the latest."""
        self._slept = 0.0
        self._polled = ""

    def add(self, received: ReceivedResponse) -> None:
        """Note the response to a read. A create begins all rows again: each turn may read the one before it."""
        if not received.is_read:
            self.forget()
            return
        target = received.request.target
        first, latest, equal = self._rows.get(target, (received, received, -1))
        if first.data != latest.data:  # as bytes, which costs nothing
            first, equal = latest, 0
        self._rows.pop(target, None)  # the latest is the last
        self._rows[target] = (first, received, equal + 1)
        # A loop over several runs goes on as long as one of them does.
        if self._slept and (equal < 1 or self._explain(latest) is None):
            self._slept = 0.0

    def find_polled(self, target: str) -> DeadEnd | None:
        """Why the run of `target` stays as it was read at least twice in a row; None if it may change."""
        first, latest, equal = self._rows.get(target, (None, None, 0))
        if first is None or latest is None or equal < 1 or first.data != latest.data:
            return None
        return self._explain(latest)

    def _explain(self, latest: ReceivedResponse) -> DeadEnd | None:
        if latest.completes:
            return _SETTLED
        if not latest.is_stream:
            return self.find_dead_end(str(latest.find_run_id()), latest.status)
        if latest.ending is None or latest.asked_after is not None:
            return None
        read = "a dropped stream from its start"
        if why := latest.describe_misplaced_cursor(latest.events()):
            return DeadEnd(read, why, "Send it there", certain=True)
        if not self.drops_on or (cursor := latest.find_cursor()) is None:
            return None
        return DeadEnd(read, "it drops at the same event again", f"Resume it after its cursor, {cursor!r}")

    def begin_sleeps(self, target: str) -> bool:
        """Whether the reader's sleeps count from now on: it polls a run that stays as it is."""
        if self.find_polled(target) is None:
            return False
        self._polled = target
        return True

    def note_sleep(self, seconds: float) -> str:
        """Count a sleep between two reads; return why the loop never ends, "" if it may go on."""
        self._slept += seconds
        return self.describe_end(self._polled)

    def describe_last(self) -> str:
        """A sentence about the polls still in vain when the test ended, for a failed test; "" without any."""
        target = next(reversed(self._rows), "")
        equal = self._rows[target][2] if target else 0
        return self.describe_end(target, limit=_TOLD) if equal + 1 > _TOLD else ""

    def describe_end(self, target: str, *, limit: int = 0) -> str:
        """Why a loop that has read `target` too often never ends, in a sentence; "" if it may go on."""
        limit = limit or self.limit
        _, latest, equal = self._rows.get(target, (None, None, 0))
        # a second of sleep counts as four reads: nobody waits for fifty polls of five seconds
        if latest is None or equal + 1 + 4 * self._slept < limit:
            return ""
        if (end := self.find_polled(target)) is None or not (end.certain or self._slept):
            return ""
        times = f"{f'more than {limit}' if limit == self.limit else equal + 1} times in a row"
        if self._slept:
            times = f"{equal + 1} times in a row and slept {self._slept:g} s in between"
        shown = f"the status {latest.find_status() or latest.status!r}"
        if latest.is_stream:
            shown = "its final event" if latest.completes else format_count(len(latest.events()), "event")
        return (
            f"the code under test read {end.read} {times} (GET {latest.request.raw_path}) and got {shown} each "
            f"time: {end.why}, so a loop that waits for anything else never ends. {end.advice}"
        )

    def forget(self) -> None:
        """Begin all rows again."""
        self._rows.clear()
        self._slept = 0.0


def watch(
    api: ClientApi, request: Request, response: Response, suffered: Suffered | None = None
) -> ReceivedResponse:
    """Wrap the body of `response`, and return the record of what the client will read of it."""
    received = ReceivedResponse(api, request, response, suffered)
    response.body = _WatchedBody(response.body, received)
    return received


class _WatchedBody(WrappedBody):
    __slots__ = ("_received",)

    def __init__(self, inner: Body, received: ReceivedResponse) -> None:
        super().__init__(inner)
        self._received = received

    def __next__(self) -> Piece:
        piece = next(self._inner)
        if isinstance(piece, Chunk):
            self._received.take(piece.data)
            self._received.took = monotonic()
            self._received.waited = 0.0
        elif isinstance(piece, Pause):
            self._received.waited += piece.seconds
        elif isinstance(piece, Ending):
            self._received.ending = piece
        return piece

    def close(self) -> None:
        """Note that the client stopped reading."""
        if not self._received.closed:
            self._received.note_error(sys.exc_info()[1])
        self._received.closed = self._received.closed or _collecting != [get_ident()]
        super().close()


_collecting: list[int] = []
"""The thread in which the garbage collector runs."""


def _note_collection(phase: str, _: object) -> None:
    _collecting[:] = [get_ident()] * (phase == "start")


gc.callbacks.append(_note_collection)  # its closes, at any time, are not the reader's


def merge_equal_lines(lines: Iterable[str]) -> list[str]:
    """Merge consecutive equal lines into one with a count."""
    groups = [(line, len(list(same))) for line, same in groupby(lines)]
    return [f"{line} ({times} times)" if times > 1 else line for line, times in groups]
