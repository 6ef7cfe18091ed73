"""Foreign servers whose mechanism is named, not its traces: a replay from now, an order, a query, a letter."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote

import pytest

from tests.foreign.answering import Json, Refused
from tests.foreign.rows import hold_each, rows_of
from tests.foreign.server import ForeignService, Handler, Run
from tests.foreign.test_everyday import Everyday, cache, is_plain
from tests.foreign.test_pairs import Conducts

pytestmark = pytest.mark.slow


def stream_from(begin: Callable[[list[Json]], int]) -> Any:
    """A change of `get`: a stream without a cursor of a run in progress begins at one of its events."""

    def get(self: ForeignService, usual: Any, run: Run, query: Json) -> Any:
        shown = usual(run, query)
        if is_plain(query) or "last_event_id" in query or run.status != "in_progress":
            return shown
        return shown[begin([event for _, event in shown]) :]

    return get


def read_alone(self: ForeignService, usual: Any, run: Run, query: Json) -> Any:
    """Lock a run for the whole stream of a reader."""
    shown, lock = usual(run, query), self.noted.setdefault(run.id, threading.Lock())

    def read() -> Iterator[Any]:
        with lock:
            yield from shown

    return shown if is_plain(query) else read()


def load_first(self: ForeignService, usual: Any, identity: str) -> Run:
    """Correct: the first read of a run takes a while."""
    if identity not in self.noted:
        self.noted[identity] = time.sleep(0.2)
    found: Run = usual(identity)
    return found


def read_the_clock(self: ForeignService, usual: Any, body: Json) -> int:
    """The milliseconds of a clock that ticks once a second, and a number of creates that soon begins again."""
    return int(time.time()) * 1000 + usual(body) % 12


def read_ahead(self: ForeignService, usual: Any, body: Json) -> int:
    """Correct: the milliseconds, or more than the last number."""
    with self.noted.setdefault("lock", threading.Lock()):
        self.noted["last"] = max(int(time.time() * 1000), self.noted.get("last", 0) + 1)
        return int(self.noted["last"])


def find_delta(events: list[Json]) -> int:
    """The place of the first delta."""
    return next(number for number, event in enumerate(events) if event["event_type"] == "step.delta")


class Thinks(ForeignService):
    """Correct: each run thinks before it says something."""

    def prepare(self, run: Run) -> None:
        thought = {"type": "thought", "signature": "c2lnbmVk", "summary": [{"type": "text", "text": "Hm."}]}
        run.steps = [thought, *run.steps]


def show_in(order: Callable[[list[Json]], list[Json]]) -> Any:
    """A change of `get`: it shows the steps in some order."""

    def get(self: ForeignService, usual: Any, run: Run, query: Json) -> Any:
        shown = usual(run, query)
        return {**shown, "steps": order(shown["steps"])} if "steps" in shown else shown

    return get


def split_text(steps: list[Json]) -> list[Json]:
    """Correct: the text of a step in two contents."""
    text = "".join(part["text"] for part in steps[-1]["content"])
    halves = [{"type": "text", "text": half} for half in (text[:9], text[9:]) if half]
    return [*steps[:-1], {**steps[-1], "content": halves}]


class Repeats(Everyday):
    """Correct: it always shows the input as a step, and as it was sent to whoever asks for it."""

    def shows_input(self, query: Json) -> bool:
        return True

    def get(self, run: Run, query: Json) -> Any:
        shown = super().get(run, query)
        asks = super().shows_input(query) and isinstance(shown, dict)
        return {**shown, "input": run.body["input"]} if asks else shown


def keep_once_more(self: Repeats, usual: Any, run: Run) -> list[Json]:
    """Add the input to the stored steps whenever it is asked for."""
    self.noted[run.id] = self.noted.get(run.id, 0) + 1
    kept: list[Json] = usual(run)
    return kept * int(self.noted[run.id])


class TakesSlashes(Handler):
    """The last segment of a path is an id, whose slash some clients encode and others do not."""

    def dispatch(self, data: bytes) -> Any:
        self.path = self.path.replace("/i/", "/i%2F")
        return super().dispatch(data)


class Slashed(ForeignService):
    """Correct: every third id has a slash, as plain base64 has."""

    third, handler = 0, TakesSlashes

    def find(self, identity: str) -> Run:
        return super().find(unquote(identity).replace("/", "").replace("=", ""))

    def name(self, own: str) -> str:
        """The id that clients know."""
        return f"{own[0]}/{own[1:]}=" if int(own[1:]) % 3 == self.third else f"{own}="

    def show(self, run: Run) -> Json:
        shown = super().show(run)
        return {**shown, "id": self.name(run.id)} if shown["id"] else shown

    def events(self, run: Run) -> Any:
        for due, event in super().events(run):
            for place in (event, event.get("interaction", {})):
                place.update({key: self.name(run.id) for key in ("id", "interaction_id") if place.get(key)})
            yield due, event


def split_at_slashes(self: Slashed, usual: Any, identity: str) -> Run:
    """Find no id with a slash: the router takes it for two segments."""
    if "%2F" in identity:
        raise Refused(404, "not_found", "There is no such route.")
    found: Run = usual(identity)
    return found


def take(seconds: float) -> Any:
    """A change of `length_of`: a background run with a function takes so long."""
    return lambda self, usual, body: self.stretch(seconds) if body.get("tools") else usual(body)


class CommitsLate(ForeignService):
    """Correct: the stream of a create ends when its row is written, a moment after its last delta."""

    after = 0.0

    def get(self, run: Run, query: Json) -> Any:
        shown = super().get(run, query)
        return {**shown, "status": "in_progress"} if self.is_early(run) and is_plain(query) else shown

    def is_early(self, run: Run) -> bool:
        """Whether the row is not yet written."""
        return bool(run.body.get("stream")) and not run.body.get("background") and run.age < self.after

    def admit(self, body: Json) -> None:
        super().admit(body)
        parent = self.parent_of(body)
        if parent is not None and self.is_early(parent):
            raise Refused(400, "failed_precondition", "The previous interaction is still in progress.")


STREAMS = "stream.* resume.* bg.*"
BRIEF: dict[str, Any] = {"words": "--timeout 3", "late": 0.0}
CHAINS = "chain.* create.ok stream.text get.ok"
row, thinks, repeats, slashed, calls, commits = map(
    rows_of, (ForeignService, Thinks, Repeats, Slashed, Conducts, CommitsLate)
)
WAITS = "resume.two-readers bg.get-at-once bg.at-once cancel.ok"
ROWS = [
    # A stream without a cursor begins at the first event of a run, however long it has been going on.
    row(f"replays-all: {STREAMS} -> exit 0", get=stream_from(lambda events: 0), lasts=1.0),
    row(f"replays-from-a-delta: {STREAMS} -> fail stream.first/midway, warn resume.replay, exit 1", lasts=1.0,
        said=["the stream by GET begins in a step, with step.delta", "(1 cause: "], get=stream_from(find_delta)),
    # What waits for a run is compared with what does not, however short the runs are.
    row("one-reader: resume.two-readers -> warn resume.two-readers/waits", get=read_alone, lasts=1.2),
    row(f"is-quick: {WAITS} -> rest pass untestable", lasts=0.02),
    row(f"loads-first: {WAITS} -> rest pass untestable", lasts=0.05, find=load_first),
    # Ids that tell the time are asked for at once, until one comes twice.
    row("takes-the-time-as-id: create.id-unique rob.concurrent -> fail create.id-unique, exit 1",
        number=read_the_clock),
    row("takes-the-time-or-more: create.id-unique rob.concurrent -> rest pass", number=read_ahead),
    # The steps of a run have one order, and its texts may be cut anywhere.
    thinks("splits-texts: stream.equals-get -> rest pass", get=show_in(split_text)),
    thinks("reverses-steps: stream.equals-get get.matches-post"
           " -> fail stream.equals-get/order, warn get.matches-post", get=show_in(lambda steps: steps[::-1]),
           said=["GET shows the steps of the stream in another order", "the order of its steps"]),
    repeats("shows-the-input-first: get.* bg.result stream.equals-get -> exit 0"),
    repeats("shows-the-input-last: get.* bg.result stream.equals-get ->"
            " fail get.matches-post/order stream.equals-get bg.result, exit 1",
            said=["(1 cause: get.matches-post/order)", "GET returns the steps in another order than POST"],
            get=show_in(lambda steps: [*steps[1:], *steps[:1]])),
    # A run that does not go on is waited for by one reader, and not by each.
    row("never-goes-on: resume.two-readers -> rest untestable", lasts=3600.0, words="--timeout 6 -v",
        said=["no reader of the run received any more events"]),
    # The input is shown as it was sent to each GET that asks for it, whatever else was read before.
    repeats("caches-addresses: get.* -> exit 0", handler=cache(is_plain, lambda self: self.path)),
    repeats("caches-without-query: get.* -> fail get.own-input/query, exit 1", handler=cache(is_plain),
            said=["a cache ignores the query"]),
    repeats("adds-input: get.* cancel.keeps-result -> fail get.own-input/grows, warn get.same, exit 1",
            keep=keep_once_more),
    # An id is whatever the create returned; a path escapes it.
    slashed(f"reads-slashes: {CHAINS} del.* -> exit 0"),
    slashed("wants-slashes-encoded: get.ok -> fail get.ok/slash, exit 1", handler=Handler,
            name=lambda self, usual, own: f"{own[0]}/{own[1:]}="),
    *(slashed(f"splits-at-slashes-{third}: {CHAINS} -> fail get.ok, exit 1", words="-j 1", thorough=bool(third),
              third=third, said=['has "/"', "(1 cause: get.ok"], find=split_at_slashes) for third in (0, 1)),
    # A run that calls may take its time, and one that outlasts what began later may have a longer queue.
    calls("calls-late: bg.requires-action bg.result-ok -> exit 0", length_of=take(4.0), **BRIEF),
    calls("queues-calls: bg.requires-action -> untestable bg.requires-action, exit 4", length_of=take(60.0),
          **BRIEF),
    # What a stream has shown as completed can be continued at once.
    commits(f"commits-in-time: {CHAINS} -> exit 0"),
    commits(f"commits-late: {CHAINS} -> fail create.ok/denied, exit 1", after=0.6,
            said=["a turn that continues an interaction whose stream has just completed was rejected"]),
]  # fmt: skip


test_the_mechanism_is_told = hold_each(ROWS)
"""The first cause names what a maintainer has to mend, and the correct server beside it breaks no rule."""
