"""Foreign servers whose streams end, mix, resume or say something else than they should; and odd ones."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.foreign.judging import check
from tests.foreign.rows import each, hold_each, is_stream, rows_of, vary
from tests.foreign.server import WORDS, ForeignService, Handler, Json, Refused, Run, say

pytestmark = pytest.mark.slow

Events = Iterator[tuple[float, Json]]

BARE = b"""[{
  "error": {
    "code": 503,
    "message": "The service is currently unavailable.",
    "status": "UNAVAILABLE"
  }
}]
"""


REFUSED = b'{"error": {"message": "The prompt contains sensitive words.", "code": "prohibited_content"}}\n'


def encode_old(self: ForeignService, usual: Any, event: Json) -> bytes:
    """Name all events as before May 2026."""
    old = event["event_type"].replace("step.", "content.")
    return usual({**event, "event_type": old.replace("created", "start").replace("completed", "complete")})


def end_late_once(self: Any, usual: Any, events: Events) -> Iterator[bytes]:
    """End the first stream two seconds after the last event, and the other ones at once."""
    for frame in usual(events):
        if frame == self.service.closing():
            self.closed.wait(0 if self.service.late else 2)
            self.service.late = True
        yield frame


class DiesBare(ForeignService):
    """A background stream fails in the middle, and says so in bare JSON as recorded live."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = threading.local()  # streams are written side by side, each by a thread of its own

    def events(self, run: Run) -> Events:
        events = list(super().events(run))
        yield from events[:5] if run.body.get("background") else events

    def encode(self, event: Json) -> bytes:
        self.sent.last = event
        return super().encode(event)

    def closing(self) -> bytes:
        return super().closing() if self.sent.last["event_type"] == "interaction.completed" else BARE


class RefusesLate(DiesBare):
    """Refuses a streamed create behind its first event, in bare JSON, and keeps nothing of it."""

    def create(self, body: Json) -> Any:
        try:
            return super().create(body)
        except Refused:
            if not is_stream(body):
                raise
            created = {"id": f"refused-{id(body)}", "status": "in_progress", "object": "interaction"}
            return iter([(0.0, {"interaction": created, "event_type": "interaction.created"})])

    def events(self, run: Run) -> Events:
        return ForeignService.events(self, run)

    def closing(self) -> bytes:
        refused = self.sent.last["event_type"] == "interaction.created"
        return REFUSED if refused else ForeignService.closing(self)


class OtherWords(ForeignService):
    """One delta for each letter, an event nobody knows, data without event lines."""

    def events(self, run: Run) -> Events:
        for due, event in super().events(run):
            text = event.get("delta", {}).get("text", "")
            for letter in text or " ":
                delta = {"delta": {"type": "text", "text": letter}} if text else {}
                yield due, {**event, **delta, "event_id": f"{event['event_id']}-{letter}"}
                event = {**event, "event_id": f"{event['event_id']}x"}
            if event["event_type"] == "step.stop":
                yield due, {"event_type": "interaction.weather", "sky": "blue"}

    def encode(self, event: Json) -> bytes:
        return b"data: %s\n\n" % json.dumps(event).encode()


def mix_text(self: Any, usual: Any, run: Run) -> Events:
    """Send, in every second stream, a third delta of another one, as from a buffer that they share."""
    self.streams += 1
    is_mixed = self.streams % 2 == 0
    for age, event in usual(run):
        is_third = is_mixed and str(event["event_id"]).endswith("-5")
        yield age, {**event, "delta": {"type": "text", "text": "another"}} if is_third else event


class SharesOneQueue(ForeignService):
    """Every run puts its events into one queue, and every open stream takes from it what comes next."""

    def __init__(self) -> None:
        super().__init__()
        self.output: queue.Queue[Any] = queue.Queue()
        self.turn = threading.Lock()

    def create(self, body: Json) -> Any:
        answer = super().create(body)
        return self.stream(list(answer)) if body.get("stream") else answer

    def stream(self, events: list[Any]) -> Events:
        """Take events until one is an end, while a thread puts those of this run."""
        threading.Thread(target=self.put, args=(events,)).start()
        ended = False
        try:
            while not ended:
                due, event = self.output.get()
                ended = event["event_type"] == "interaction.completed"
                yield due, event
        finally:
            while not ended:  # whoever hangs up leaves nothing to others
                ended = self.output.get()[1]["event_type"] == "interaction.completed"

    def put(self, events: list[Any]) -> None:
        """Put events, at the pace of a model."""
        for event in events:
            self.output.put(event)
            time.sleep(0.01)


def stream_in_turn(self: SharesOneQueue, usual: Any, events: list[Any]) -> Events:
    """Put the events of a run into the queue when the one before is through."""
    with self.turn:
        yield from usual(events)


def drop_stops(self: ForeignService, usual: Any, run: Run) -> Events:
    """Stop no step."""
    return (event for event in usual(run) if event[1]["event_type"] != "step.stop")


def rename(name: Callable[[Json, int], str], only: str = "stream") -> Callable[..., Any]:
    """A change of `get`: events have other ids where the query has a field."""

    def get(self: ForeignService, usual: Any, run: Run, query: Json) -> Any:
        if "last_event_id" in query:
            query = {**query, "last_event_id": query["last_event_id"].partition("~")[0]}
        found = usual(run, query)
        if only not in query:
            return found
        return [(due, {**event, "event_id": name(event, number)}) for number, (due, event) in enumerate(found)]

    return get


def number_anew(event: Json, number: int) -> str:
    """The id of an event that its connection counts from nought."""
    return f"{event['event_id'].partition('-')[0]}-{number}"


def repeat(when: Callable[[Run], bool]) -> Callable[..., Any]:
    """A change of `get`: the event that is named comes once more, then the rest."""

    def get(self: ForeignService, usual: Any, run: Run, query: Json) -> Any:
        found = usual(run, query)
        if "last_event_id" not in query or not when(run):
            return found
        whole = list(self.events(run))
        return whole[len(whole) - len(found) - 1 :]

    return get


def end_in_a_burst(self: ForeignService, usual: Any, run: Run) -> Events:
    """Send the last delta, the end of its step and that of the run at once."""
    found = list(usual(run))
    yield from found[:-3]
    yield from ((run.lasts, event) for _, event in found[-3:])


def say_the_end_first(self: ForeignService, usual: Any, run: Run) -> Events:
    """Odd, but right: an update has the final status, right before the event that ends the stream."""
    for due, event in usual(run):
        if event["event_type"] == "interaction.completed":
            update = {"interaction_id": event["interaction"]["id"], "status": "completed"}
            yield due, {**update, "event_id": f"{run.id}-over", "event_type": "interaction.status_update"}
        yield due, event


def think_aside(self: ForeignService, usual: Any, run: Run) -> Events:
    """Odd, but right: the thought, step 0, stops when the output, step 1, has begun."""
    found = list(usual(run))
    stop = next(number for number, (_, event) in enumerate(found) if event["event_type"] == "step.stop")
    found[stop : stop + 2] = reversed(found[stop : stop + 2])
    return iter(found)


class RunsInItsStream(ForeignService):
    """Runs in the handler that streams the create: when its client leaves, nothing moves the run any more."""

    lasts = 2.0

    def create(self, body: Json) -> Any:
        made = super().create(body)
        tied = body.get("stream") and body.get("background")
        return self.tie(self.runs[f"i{self.made}"], made) if tied else made

    def tie(self, run: Run, events: Events) -> Events:
        try:
            yield from events
        except GeneratorExit:
            self.leave(run)
            raise

    def leave(self, run: Run) -> None:
        run.lasts = 3600.0


class Checkpointing(ForeignService):
    """Odd, but right: the token comes while the step is open, and the rest begins within the sentence."""

    def create(self, body: Json) -> Any:
        token = body.pop("continuation_token", None)
        if token is None:
            return super().create(body)
        if token != "after-two-words":
            raise Refused(400, "invalid_request", "There is no such token.")
        super().create({**body, "input": "Go on."})
        run = self.runs[f"i{self.made}"]
        run.steps = [say("".join(WORDS[2:]))]
        return self.show(run)

    def events(self, run: Run) -> Events:
        for due, event in super().events(run):
            yield due, event
            if event.get("delta", {}).get("text") == WORDS[1]:
                update = {
                    "interaction_id": run.id,
                    "status": "in_progress",
                    "continuation_token": "after-two-words",
                }
                yield due, {**update, "event_type": "interaction.status_update"}


def repeat_prompt(self: ForeignService, usual: Any, run: Run) -> None:
    """Say the whole prompt, whose words are sent in one delta each, however long they are."""
    run.steps = [say(str(run.body["input"]))]


def drop_large(self: ForeignService, usual: Any, run: Run) -> Events:
    """Send no event that is larger than a buffer of 4 KiB."""
    return ((due, event) for due, event in usual(run) if len(json.dumps(event)) < 4096)


STREAMS = "stream.* create.status* resume.foreground"
MIXED = "stream.* rob.concurrent-streams create.format-streamed resume.*"
TWICE = "resume.no-gap resume.exclusive resume.ids-stable resume.finished resume.well-formed"
LEFT = "bg.survives-hangup resume.from-create"
LOST = "fail bg.survives-hangup, blocked resume.from-create, exit 1"
QUICK = {"words": "--timeout 12"}
PAUSES = {"words": "--capability +continuation"}

row, left, pausing = rows_of(ForeignService), rows_of(RunsInItsStream), rows_of(Checkpointing)
ROWS = [
    row(
        f"over-too-soon: {STREAMS} chain.* bg.* -> warn stream.update-status/, exit 0",
        events=each(lambda event: {**event, "status": "completed"} if "status" in event else event),
    ),
    row(
        f"thinks-aside: {STREAMS} bg.* resume.* -> warn stream.no-interleave/, exit 0",
        events=think_aside,
        prepare=lambda self, usual, run: run.steps.insert(0, {"type": "thought"}),
    ),
    row(f"repeats-prompts: {STREAMS}", prepare=repeat_prompt),
    row(
        f"drops-large-events: {STREAMS} -> fail stream.text/lost, exit 1", prepare=repeat_prompt, events=drop_large
    ),
    row(f"end-said-first: {STREAMS} bg.* resume.*", events=say_the_end_first),
    row(f"ends-late: {STREAMS}", late=False, handler=vary(Handler, encode_due=end_late_once)),
    rows_of(DiesBare)(f"dies-bare: {STREAMS} -> info stream.bare-error, pass stream.done stream.terminal, exit 0"),
    rows_of(RefusesLate)(f"refuses-late: err.* get.* chain.* {STREAMS} -> info stream.bare-error, exit 0"),
    rows_of(OtherWords)(f"other-words: {STREAMS}"),
    # Each old name is told once, with the new one.
    row(
        "old-generation: stream.legacy-names -> fail stream.legacy-names/event",
        said=(
            "content.delta is the name before May 2026 of step.delta",
            "interaction.complete is the name before May 2026 of interaction.completed",
        ),
        encode=encode_old,
    ),
    # What the order of one stream suffers from the events of another is blocked by that; a queue mixes nothing.
    *(
        rows_of(SharesOneQueue)(
            f"one-queue-{jobs}: {MIXED} -> fail rob.concurrent-streams/mixed, exit 1", words=f"-j {jobs}"
        )
        for jobs in (1, 8)
    ),
    rows_of(SharesOneQueue)(f"queue-in-turn: {MIXED}", stream=stream_in_turn),
    row(f"leaves-steps-open: {MIXED} -> fail stream.stop-once", events=drop_stops),
    # Ids that lead a second resume astray are the root of what it brings; others are a warning of their own.
    row(
        "restarts-ids: resume.* -> fail resume.exclusive/ids, blocked resume.ids-stable",
        get=rename(number_anew, only="last_event_id"),
    ),
    row(
        "seals-ids: resume.* -> warn resume.ids-stable/",
        get=lambda self, *given: rename(lambda event, _: f"{event['event_id']}~{next(self.numbers)}")(
            self, *given
        ),
    ),
    # Whoever resumes elsewhere meets it, too: what else was asked there holds, and the fact is told once.
    row(
        "inclusive: resume.* -> fail resume.exclusive/inclusive, blocked resume.from-create",
        get=repeat(lambda run: True),
    ),
    row(
        "inclusive-while-running: resume.*"
        " -> fail resume.live/inclusive resume.live/newest, pass resume.from-create",
        lasts=1.5,  # its newest event is looked for while it goes on, also by a busy machine
        get=repeat(lambda run: run.status == "in_progress"),
    ),
    row("ends-in-a-burst: resume.live resume.two-readers -> rest pass", lasts=0.8, events=end_in_a_burst),
    # A connection that is lost twice: the second cursor comes from a stream that was resumed itself.
    row(f"counts-per-connection: {TWICE} -> fail resume.exclusive, exit 1", get=rename(number_anew)),
    # A background run goes on without its client; the twin that nobody left shows that it could have.
    left(
        f"runs-in-its-stream: {LEFT} -> {LOST}",
        said=("the client left the stream of the create, and the run did not complete",),
        **QUICK,
    ),
    left(
        f"slows-down-alone: {LEFT} -> rest pass",
        leave=lambda self, usual, run: setattr(run, "lasts", run.lasts + 2.0),
        **QUICK,
    ),
    # Where a token comes, and with which words the rest begins, is the server's choice.
    pausing("checkpoints: cont.checkpoint -> rest pass", **PAUSES),
]


test_a_stream_is_judged_by_what_it_brings = hold_each(ROWS)
"""A defect is told by the one rule that names it, an oddity by none."""


def test_the_finding_names_both_ids() -> None:
    """The evidence is the resumed stream with its ids."""
    service = vary(ForeignService, get=rename(number_anew, only="last_event_id"))
    assert "in the whole stream and" in check(service(), "resume.*").messages["resume.exclusive"][0]


def test_a_defect_of_every_stream_is_not_one_of_resumes() -> None:
    """Where plain streams have a wrong text already, what a resume adds to the whole stream follows from it."""
    service = vary(ForeignService, streams=0, events=mix_text)
    faults = check(service(), "stream.text", "resume.*", words=("-j", "1")).faults
    assert faults["stream.text"] == "fail"
    assert not {"resume.exclusive", "resume.from-create", "resume.no-gap"} & set(faults)
