"""Foreign servers whose runs last, settle, are cancelled, deleted or mixed up; and odd ones that are right."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import takewhile
from typing import Any

import pytest

from tests.foreign.deleting import LosesReaders
from tests.foreign.judging import check
from tests.foreign.rows import add, hold_each, refuse, rows_of, vary
from tests.foreign.server import ForeignService, Handler, Headed, Json, Refused, Run

pytestmark = pytest.mark.slow

CANCELS = "cancel.ok cancel.state cancel.stays cancel.shows-output"
NOT_CANCELLED = f"{CANCELS} -> fail cancel.state, exit 1"
TIMEOUT = 4.0


def fail(when: Callable[[Run], bool]) -> Any:
    """A change of `prepare`: some runs fail."""
    return lambda self, usual, run: setattr(run, "end", "failed" if when(run) else run.end)


def swallow(self: ForeignService, usual: Any, run: Run) -> Json:
    """Answer a cancel with 200 and the interaction, and let the run go on."""
    return self.show(run)


def cancel_later(self: ForeignService, usual: Any, run: Run) -> Json:
    """Cancel a second after the answer."""
    if run.status != "in_progress":
        raise Refused(400, "failed_precondition", "It is over.")
    threading.Timer(1.0, lambda: setattr(run, "cancelled_at", time.monotonic())).start()
    return self.show(run)


def overwrite_later(self: ForeignService, usual: Any, run: Run, query: Json) -> Any:
    """Show a cancel once; then the worker is through, and writes that the run is completed."""
    shown = usual(run, query)
    if run.cancelled_at is not None:
        run.begun, run.cancelled_at = float("-inf"), None
    return shown


def overwrite_the_empty(self: ForeignService, usual: Any, run: Run, query: Json) -> Any:
    """As before, and the worker that was stopped has no output to write."""
    shown = overwrite_later(self, usual, run, query)
    return {**shown, "steps": []} if run.begun == float("-inf") and "steps" in shown else shown


def end_at_once(self: ForeignService, usual: Any, run: Run) -> Json:
    """Be too late for a run that is over at once."""
    run.begun = float("-inf")
    return self.show(run)


def take_a_fiftieth_each(self: ForeignService, usual: Any, body: Json) -> float:
    """A run takes a fiftieth of a second for each word of its input."""
    return len(str(body["input"]).split()) / 50


def forget_streamed_input(self: ForeignService, usual: Any, run: Run) -> None:
    """Carry from a streamed turn its output alone."""
    parent = self.parent_of(run.body)
    run.tokens -= 4 if parent is not None and parent.body.get("stream") else 0


def think_in_streams(self: ForeignService, usual: Any, run: Run) -> Json:
    """Count thoughts, which the next turn drops, in streams only."""
    return {**usual(run), "total_thought_tokens": 4 * bool(run.body.get("stream"))}


class Clock(ForeignService):
    """The time of the last change is written at each look as `write` says."""

    lasts = 0.2
    looks = 0

    def show(self, run: Run) -> Json:
        self.looks += 1
        return {**super().show(run), "created": "2026-11-20T10:00:00Z", "updated": f"2026-11-20T{self.write()}"}

    def write(self) -> str:
        """Correct, but odd: the same instant in another way at each look."""
        return ("10:00:01.500Z", "12:00:01.5+02:00", "10:00:01.500000+00:00", "05:30:01.5-04:30")[self.looks % 4]


class CostsMoreLater(Clock):
    """Correct, but odd: a later child costs a token more."""

    def usage(self, run: Run) -> Json:
        read = run.tokens + int(run.id[1:]) % 2
        return {"total_input_tokens": read, "total_output_tokens": 4, "total_tokens": read + 4}


def wait_for_the_end(self: ForeignService, usual: Any, run: Run) -> Json:
    """Answer a cancel when the run has ended by itself."""
    time.sleep(max(0.0, run.lasts - run.age))
    return self.show(run)


def hold_back(self: Any, usual: Any, run: Run) -> Any:
    """Hand a stream on when it is over, as some proxies do."""
    yield from ((run.lasts, event) for _, event in usual(run))


def begin_late(self: Any, usual: Any, run: Run) -> Any:
    """Send nothing in the first third of a run."""
    yield from ((max(due, run.lasts / 3), event) for due, event in usual(run))


def stall_once(self: Any, usual: Any, run: Run) -> Any:
    """Send all of one stream late at once, as a machine does that has no time."""
    late = 1.2 if run.body.get("background") and not self.stalled else 0.0
    self.stalled = self.stalled or late > 0
    yield from ((max(due, late), event) for due, event in usual(run))


class LetsReadersGo(ForeignService.handler):
    """Ends a stream with [DONE] alone, soon after its interaction was deleted."""

    def encode_due(self, events: Iterator[tuple[float, Json]]) -> Iterator[bytes]:
        yield from super().encode_due(takewhile(self.is_there, events))

    def is_there(self, due_event: tuple[float, Json]) -> bool:
        """Whether the run of an event was not deleted."""
        gone = str(due_event[1]["event_id"]).partition("-")[0] in self.service.deleted
        self.service.noted |= {"let go": True} if gone else {}
        return not gone


row = rows_of(ForeignService)


def answer_from_afar(self: Handler, usual: Any, data: bytes) -> Any:
    """A change of `dispatch`: each read is on its way for long."""
    time.sleep(0.6 * (self.command == "GET"))
    return usual(data)


def hide_stream(status: int, only_running: bool) -> Any:
    """A change of `get`: it refuses streams, of all runs or of those in progress."""
    runs = ("in_progress",) if only_running else ("in_progress", "completed", "cancelled")
    return refuse(status, lambda run, query: query.get("stream") == "true" and run.status in runs)


def tell(clock: str) -> Any:
    """A change of `show`: a create and its end are at the same time."""
    return add(**dict.fromkeys(("created", "updated"), f"2026-11-20T{clock}"))


def date_creates(self: ForeignService, usual: Any, body: Json) -> Any:
    """Name the time of a response."""
    answer = usual(body)
    return Headed(answer, date="Fri, 20 Nov 2026 10:00:00 GMT") if isinstance(answer, dict) else answer


def end_short_runs(self: ForeignService, usual: Any, body: Json) -> float:
    """A story takes long; a greeting takes less than the second after which a canceled run is read again."""
    return self.stretch(6.0) if "story" in str(body["input"]) else 0.9


def write_over(self: ForeignService, usual: Any, run: Run, query: Json) -> Any:
    """A worker writes its end over a cancel."""
    if time.monotonic() - run.begun > run.lasts:
        run.cancelled_at = None
    return usual(run, query)


def count_in_streams(count: Callable[[int], int]) -> Any:
    """A change of `usage`: a letter is a token, and in streams another number of them."""

    def usage(self: ForeignService, usual: Any, run: Run) -> Json:
        told = {**usual(run), "total_input_tokens": len(str(run.body["input"]))}
        return {name: count(number) for name, number in told.items()} if run.body.get("stream") else told

    return usage


COUNTED = "usage.counted stream.letters"
ROWS = [
    # Its runs last long enough to notice only if much is asked for.
    row(f"echoes-on: {NOT_CANCELLED}", cancel=swallow, length_of=take_a_fiftieth_each),
    row(f"echoes-until-cancelled: {CANCELS}", length_of=take_a_fiftieth_each),
    row(f"takes-its-time: {CANCELS}", lasts=4.0, cancel=cancel_later),
    row("waits-for-the-end: cancel.ok cancel.state -> fail cancel.state/waits, exit 1", lasts=4.0,
        cancel=wait_for_the_end),
    row("deletes-the-cancelled: cancel.state get.ok -> fail cancel.state/lost, rest pass", lasts=4.0,
        cancel=lambda self, usual, run: (usual(run), self.runs.pop(run.id))[0]),
    # The end that a worker writes over a cancel is shown by streams, too.
    row("overwrites-cancels: cancel.stays cancel.stream-ends -> fail cancel.stays cancel.stream-ends, exit 1",
        lasts=4.0, get=overwrite_later, said=["(1 cause: cancel.stays)"]),
    row("overwrites-the-empty: cancel.* bg.result -> fail cancel.stays cancel.stream-ends, exit 1",
        lasts=4.0, get=overwrite_the_empty, said=["(1 cause: cancel.stays)"]),
    # Where no run lasts long enough, nothing is claimed.
    row(f"ends-at-once: {CANCELS} -> untestable cancel.state", lasts=0.25, cancel=end_at_once),
    # What is denied of runs in progress is granted of those that ended: the call is there.
    row("hides-running-streams: resume.* -> fail resume.opens/denied, exit 1", lasts=6.0,
        get=hide_stream(404, True)),
    row("streams-what-ended: resume.* -> exit 0", lasts=3.0, get=hide_stream(400, True)),
    row("streams-nothing: resume.* -> exit 0", lasts=3.0, get=hide_stream(404, False)),
    # The stream of a deleted run may end in whatever way, or the delete be refused.
    row("ends-readers: del.* -> pass del.reader-ends", lasts=3.0),
    row("lets-readers-go: del.* stream.terminal stream.done -> rest pass", lasts=3.0, handler=LetsReadersGo),
    row(f"cancels-on-request: bg.settles bg.transition {CANCELS} -> rest pass"),
    row("refuses-delete: del.* -> not_applicable del.reader-ends", lasts=3.0,
        delete=refuse(400, lambda run: run.status == "in_progress", code="failed_precondition")),
    # A run whose stream never ends is told by polling, and the other streams are judged.
    row("never-settles: bg.settles stream.first stream.done -> warn bg.settles, pass stream.first stream.done",
        lasts=1e6, words=f"--timeout {TIMEOUT}"),
    # A warning alone would leave a run green of which nobody saw a result, and so would one that is far away.
    row("never-settles-alone: bg.* -> warn bg.settles, exit 4", lasts=1e6,
        words=f"--timeout {TIMEOUT} --capability -stream", handler=vary(Handler, dispatch=answer_from_afar)),
    row("slow: bg.* -> pass bg.settles, exit 0", lasts=2.0, words=f"--timeout {TIMEOUT} --capability -stream"),
    # What is stored.
    row("forgets-streamed-input: chain.* -> fail chain.whole-history/streamed", prepare=forget_streamed_input),
    row("drops-streamed-thoughts: chain.*", prepare=forget_streamed_input, usage=think_in_streams),
    row("names-unstored-turns: chain.* store.*", show=lambda self, usual, run: {**usual(run), "id": run.id}),
    rows_of(CostsMoreLater)("time-written-otherwise: bg.* chain.siblings-apart create.times"),
    row("created-in-another-zone: create.times -> fail create.times/order",
        show=add(created="2026-11-20T12:00:00Z")),
    row("updated-by-another-clock: create.times -> warn create.times/order",
        show=add(created="2026-11-20T10:00:02Z")),
    # A run under the context of its request ends with it; if all runs fail, or some, no request is the reason.
    row("ends-runs-with-requests: bg.result -> fail bg.result/failed, exit 1",
        prepare=fail(lambda run: bool(run.body.get("background")) and not run.body.get("stream"))),
    row("fails-at-times: bg.result -> rest pass untestable", prepare=fail(lambda run: int(run.id[1:]) % 3 == 0)),
    row("fails-always: bg.result -> rest untestable blocked", prepare=fail(lambda run: True)),
    # Local time that is written as UTC is as far from the response's Date as the zone; an offset says so.
    row("writes-its-offset: create.times -> rest pass", show=tell("05:00:00-05:00"), create=date_creates),
    row("writes-local-times: create.times -> fail create.times/clock", show=tell("05:00:01Z"),
        create=date_creates),
    row("tells-hours: create.times -> warn create.times/clock", show=tell("05:00:00Z"), create=date_creates),
    row("has-a-slow-clock: create.times -> warn create.times/clock", show=tell("05:06:07Z"), create=date_creates),
    row("takes-seconds-for-milliseconds: create.times -> fail create.times/clock", create=date_creates,
        show=add(**dict.fromkeys(("created", "updated"), "1970-01-21T18:39:28Z"))),
    # A short run is over before it is read for the last time, and no later write may change a canceled one.
    row("ends-before-the-look: cancel.* bg.no-regress -> exit 0", length_of=end_short_runs),
    row("writes-over-cancels: cancel.* bg.no-regress -> fail cancel.stays, exit 1", length_of=end_short_runs,
        said=["was cancelled, and then completed"], get=write_over),
    # A backend that repeats its usage in each chunk; the tokens of a stream may differ from those of a body.
    row("counts-one-more: usage.counted -> rest pass", usage=count_in_streams(lambda tokens: tokens + 3)),
    row(f"puts-a-prompt-before: {COUNTED} -> warn usage.counted/stream", usage=count_in_streams(lambda n: n + 99)),
    row(f"adds-up-usage: {COUNTED} -> fail usage.counted/several usage.counted/stream",
        usage=count_in_streams(lambda n: 3 * n)),
    row(f"loses-usage: {COUNTED} -> fail usage.counted/none usage.counted/", usage=count_in_streams(lambda n: 0)),
    # The time of the first event is compared with that of the last, on a run that lasts.
    row("holds-back-behind-comments: stream.incremental -> fail stream.incremental", lasts=1.2, events=hold_back,
        encode=lambda self, usual, event: b": waiting\n\n" + usual(event)),
    row("begins-each-run-late: stream.incremental -> warn stream.incremental", lasts=1.2, events=hold_back,
        prepare=lambda self, usual, run: time.sleep(self.stretch(0.6))),
    # Of a shorter run, a create and a GET that find it in progress show the same as a clock.
    row("holds-back-briefly: stream.incremental -> warn stream.incremental", events=hold_back),
    row("brief: stream.incremental -> rest pass"),
    row("begins-late: stream.incremental -> rest pass", lasts=1.5, events=begin_late),
    row("stalls-once: stream.incremental -> rest pass", stalled=False, events=stall_once),
    row("quick: stream.incremental -> untestable stream.incremental", lasts=0.0),
]  # fmt: skip


test_a_run_is_judged_by_what_becomes_of_it = hold_each(ROWS)
"""A defect is told by the one rule that names it, an oddity by none."""


def test_a_reader_that_is_forgotten_is_found() -> None:
    """A stream that never ends after its run was deleted is a warning, and the only one."""
    service = LosesReaders()
    report = check(service, "del.*", words=("--timeout", "4"))
    service.released.set()
    assert report.faults == {"del.reader-ends": "warn"}
    assert report.messages["del.reader-ends"] == ["the stream did not end"]


class NeverSettles(ForeignService):
    """A background run goes on for ever, unless it is cancelled; it remembers when each run was looked at."""

    lasts = 1e6

    def __init__(self) -> None:
        super().__init__()
        self.looks: dict[str, list[float]] = defaultdict(list)

    def get(self, run: Run, query: Json) -> Any:
        self.looks[run.id].append(time.monotonic())
        return super().get(run, query)


def test_one_run_is_waited_for_and_the_others_less() -> None:
    """The check of settling waits as long as the user allows, the others a part of that."""
    service = NeverSettles()
    words = ("-j", "1", "--timeout", str(TIMEOUT), "--capability", "-stream")
    assert check(service, "bg.*", "cancel.keeps*", words=words).faults == {"bg.settles": "warn"}
    first, *others = sorted((looks[-1] - looks[0] for looks in service.looks.values()), reverse=True)
    assert first > 0.9 * TIMEOUT
    assert others
    assert all(seconds < 0.9 * TIMEOUT for seconds in others)
