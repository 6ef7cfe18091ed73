"""Foreign servers with one defect each: the cause that is named is the defect, not what follows from it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.foreign.answering import encode_event
from tests.foreign.rows import hold_each, refuse, rows_of, vary
from tests.foreign.server import WORDS, ForeignService, Handler, Json, Refused, Run, say

pytestmark = pytest.mark.slow


def resume(change: Any) -> dict[str, Any]:
    """A change of `get`: the events of a resumed stream are other ones."""

    def get(self: ForeignService, usual: Any, run: Run, query: Json) -> Any:
        answer = usual(run, query)
        return change(answer) if "last_event_id" in query else answer

    return {"get": get}


def count_from_zero(events: list[tuple[float, Json]]) -> Any:
    """Number the steps of a resumed stream by another origin."""
    return [(due, {**event, "index": 7} if "index" in event else event) for due, event in events]


def drop_types(events: list[tuple[float, Json]]) -> Any:
    """Leave the type of an event to the field of the frame."""
    return [(due, Untyped(event)) for due, event in events]


def drop_stops(events: Any) -> Any:
    """Leave out the ends of steps."""
    kept = isinstance(events, list)
    return [pair for pair in events if pair[1]["event_type"] != "step.stop"] if kept else events


class Untyped(dict[str, Any]):
    """An event whose JSON has no type."""


def encode_untyped(self: ForeignService, usual: Any, event: Json) -> bytes:
    """An event as a frame."""
    frame: bytes = usual(event)
    if isinstance(event, Untyped):
        kind = str(event["event_type"])
        frame = frame.replace(f', "event_type": "{kind}"'.encode(), b"").replace(
            f'"event_type": "{kind}", '.encode(), b""
        )
    return frame


def keep_from_replays(self: ForeignService, usual: Any, run: Run, query: Json) -> Any:
    """A stream that is read from its first event lacks the second delta, wherever the client is."""
    answer = usual(run, query)
    if query.get("stream") != "true" or "last_event_id" in query:
        return answer
    return [pair for pair in answer if not pair[1].get("event_id", "").endswith("-4")]


def write_over_lines(self: ForeignService, usual: Any, event: Json) -> bytes:
    """A frame whose JSON has several lines, of which one is marked as data."""
    return encode_event(event["event_type"], "{").replace(b"{\n", b"{\n" + b'"event_type": 1}\n')


def wrap(self: ForeignService, usual: Any, run: Run, query: Json) -> Any:
    """Return the interaction inside another object."""
    answer = usual(run, query)
    return {"interaction": answer} if isinstance(answer, dict) else answer


def delete_its_parent(self: ForeignService, usual: Any, run: Run) -> Json:
    """Delete the turn before a turn with it."""
    self.runs.pop(run.body.get("previous_interaction_id", ""), None)
    return usual(run)


def continue_once(self: ForeignService, usual: Any, body: Json) -> Any:
    """Correct, though narrow: an interaction can be continued, and then its continuation."""
    parent = body.get("previous_interaction_id")
    if parent in self.noted:
        raise Refused(404, "not_found", "There is no such interaction.")
    answer = usual(body)
    self.noted |= {parent: True} if parent else {}
    return answer


class NamesTheRequest(ForeignService):
    """A streamed create names the request in its first event, and the interaction in its last."""

    def create(self, body: Json) -> Any:
        answer = super().create(body)
        return self.rename(answer) if body.get("stream") else answer

    def rename(self, events: Iterator[tuple[float, Json]]) -> Iterator[tuple[float, Json]]:
        for due, event in events:
            shown = event.get("interaction")
            if event["event_type"] == "interaction.created" and shown and shown["id"]:
                event = {**event, "interaction": {**shown, "id": f"request-{shown['id']}"}}
            yield due, event


def find_once_more(self: ForeignService, usual: Any, identity: str) -> Run:
    """Correct, but slow: what is deleted is found once more."""
    return self.deleted.pop(identity, None) or usual(identity)


def store_no_streams(self: ForeignService, usual: Any, body: Json) -> Any:
    """Give a streamed create an id under which nothing is stored."""
    answer = usual(body)
    if body.get("stream") and not body.get("background"):
        self.runs.pop(f"i{self.made}", None)
    return answer


class LeavesOnGets(Handler):
    """Closes the connection of every GET of an interaction, without an answer."""

    def handle_any(self) -> None:
        if self.command == "GET" and "/interactions/" in self.path:
            self.close_connection = True
        else:
            super().handle_any()

    do_GET = do_POST = do_DELETE = handle_any


def show_the_last_input(self: ForeignService, usual: Any, run: Run, query: Json) -> Any:
    """Show the input of the create before."""
    answer = usual(run, query)
    text = self.runs.get(f"i{int(run.id[1:]) - 1}", run).body["input"]
    if not isinstance(answer, dict) or "steps" not in answer or not isinstance(text, str):
        return answer
    return {**answer, "steps": [{**say(text), "type": "user_input"}, *run.steps]}


def find_late(self: ForeignService, usual: Any, identity: str) -> Run:
    """Find a background run at the second look."""
    run: Run = usual(identity)
    if run.body.get("background") and not self.noted.get(identity):
        self.noted[identity] = True
        raise Refused(404, "not_found", "There is no such interaction.")
    return run


def fail_to_refuse(self: Handler, usual: Any, status: int, value: Any, headers: Json | None = None) -> None:
    """Answer what is wrong as if the server had failed."""
    refused = 400 <= status < 500
    usual(*((500, {"error": {"code": "api_error", "message": "Oh."}}) if refused else (status, value)), headers)


def call_it_a_success(self: ForeignService, usual: Any, run: Run) -> Json:
    """Show a completed background run in a word of its own."""
    body = usual(run)
    background = run.body.get("background") and body["status"] == "completed"
    return {**body, "status": "succeeded"} if background else body


def keep_the_last_piece(self: ForeignService, usual: Any, run: Run) -> Json:
    """Store the last delta of a stream in place of its text."""
    body = usual(run)
    return {**body, "steps": [say(WORDS[-1])]} if run.body.get("stream") and "steps" in body else body


def hide_the_end(self: ForeignService, usual: Any, run: Run, query: Json) -> Any:
    """Show a background run as in progress if its create was streamed."""
    answer = usual(run, query)
    is_hidden = isinstance(answer, dict) and run.body.get("background") and run.body.get("stream")
    return {**answer, "status": "in_progress"} if is_hidden else answer


def keep_the_first_look(self: ForeignService, usual: Any, run: Run, query: Json) -> Any:
    """Show each run as the first GET of it did, which a cache keeps."""
    shown = usual(run, query)
    return shown if "stream" in query else self.noted.setdefault(run.id, shown)


def store_in_another_order(self: ForeignService, usual: Any, run: Run, query: Json) -> Any:
    """Stream a run that has ended with its last two events swapped, as if they had one time and no number."""
    shown = usual(run, query)
    if not isinstance(shown, list) or run.status == "in_progress" or len(shown) < 2:
        return shown
    return [*shown[:-2], shown[-1], shown[-2]]


def remove(self: ForeignService, usual: Any, run: Run) -> Json:
    """Cancel a run, and forget it."""
    return usual(self.runs.pop(run.id))


def change_texts(change: Any) -> Any:
    """A change of `get`: the texts that it shows are other ones."""

    def get(self: ForeignService, usual: Any, run: Run, query: Json) -> Any:
        answer = usual(run, query)
        shows = isinstance(answer, dict) and "steps" in answer
        return {**answer, "steps": [change(say("".join(WORDS)))]} if shows else answer

    return get


row = rows_of(ForeignService)
RESUMES = "stream.* resume.no-gap resume.exclusive resume.replay resume.finished resume.well-formed"
ALONE = {"words": "-j 1"}
ROWS = [
    row(f"indexes-moved: {RESUMES} -> fail resume.no-gap, exit 1",
        said=["with another `index`", "(1 cause: resume.no-gap)"], **resume(count_from_zero)),
    row(f"types-in-the-frame: {RESUMES} -> fail stream.event-type stream.terminal, exit 1",
        said=["(1 cause: stream.event-type)"], encode=encode_untyped, **resume(drop_types)),
    row(f"replays-lack-one: {RESUMES} -> fail resume.exclusive/withheld, warn resume.replay, exit 1",
        said=["the stream without a cursor lacks an event (`step.delta`) that a resumed stream contains"],
        get=keep_from_replays, **ALONE),
    row("cut-json: stream.json stream.first stream.bg-and-stream create.id -> fail stream.json, exit 1",
        said=["(1 cause: stream.json/syntax)"], encode=write_over_lines),
    row("envelope: get.* create.status http.* -> fail get.ok/missing, exit 1", get=wrap, **ALONE),
    row("takes-the-parent: chain.* del.* -> fail del.ok/denied, exit 1", delete=delete_its_parent,
        said=["denies an existing interaction, after DELETE", "which continued it"], **ALONE),
    rows_of(NamesTheRequest)(
        "names-the-request: stream.id-* stream.text get.ok del.ok resume.same* -> fail stream.id-constant, exit 1",
        **ALONE),
    row("calls-it-succeeded: create.status-listed bg.no-regress -> fail bg.no-regress/unlisted, "
        "warn create.status-listed", said=["which the reference does not list"], show=call_it_a_success,
        words="-c bg.* -c stream.*"),
    row("fails-to-refuse: err.* create.* get.* del.* rob.* file.upload -> fail err.status/failed, exit 1",
        handler=vary(Handler, reply=fail_to_refuse),
        said=["wrong creates cause a server error, as if the server had failed", "(1 cause: err.status/failed)"],
        **ALONE),
    row("keeps-no-streams: get.ok del.* stream.text rob.concurrent-streams -> fail get.ok/denied, exit 1",
        create=store_no_streams,
        said=["denies an existing interaction, which was created with `stream=true`", "(1 cause: get.ok/denied)"],
        **ALONE),
    row("leaves-on-gets: err.no-crash get.* rob.concurrent -> fail err.no-crash/cut, exit 1",
        said=["GET interactions/{id} makes the server disconnect"], handler=LeavesOnGets, **ALONE),
    row(f"resumes-lack-the-stop: {RESUMES} stream.stop-once -> fail resume.no-gap, exit 1",
        said=["skips event 8 (`step.stop`)", "(1 cause: resume.no-gap)"], **resume(drop_stops)),
    # A check of level SHOULD that sees the same does not keep the MUST rule from being told.
    row("shows-the-last-input: get.* rob.concurrent -> fail get.own-input/text, exit 1", get=show_the_last_input,
        **ALONE),
    row("finds-late: get.ok bg.settles bg.same-id del.ok -> warn get.ok/late, exit 0", find=find_late,
        said=["a GET after the create does not find the interaction, and a later one does"], **ALONE),
    row("keeps-the-last-piece: stream.text rob.*-streams -> fail stream.text, exit 1", show=keep_the_last_piece,
        said=["the stored text is only the end of the 24 characters that the stream contains"], **ALONE),
    row("hides-the-end: bg.survives-hangup bg.settles -> fail bg.survives-hangup/outlived, exit 1",
        get=hide_the_end, lasts=1.0,
        said=["GET shows a run in progress long after the stream of its create completed"]),
    # A subscription that was made twice sends each event twice.
    row(f"sends-events-twice: {RESUMES} -> fail stream.evid-unique/twice stream.completed-last stream.index-reuse"
        " stream.stop-once, warn stream.created-once stream.no-interleave, exit 1",
        events=lambda self, usual, run: (event for event in usual(run) for _ in range(2)),
        said=["an event comes twice", "(1 cause: stream.evid-unique/twice)"], lasts=1.0),
    row("stores-in-another-order: resume.live stream.stop-once stream.completed-last -> fail resume.live"
        " stream.stop-once stream.completed-last, exit 1", get=store_in_another_order, lasts=1.0,
        said=["contains the expected events in another order", "(1 cause: resume.live/reordered)"]),
    row("keeps-the-first-look: bg.survives-hangup -> fail bg.survives-hangup/outlived, exit 1", lasts=1.0,
        get=keep_the_first_look, said=["in progress long after the stream of its create completed"]),
    row("keeps-the-first-look-settled: bg.survives-hangup -> rest pass, exit 0", lasts=1.0,
        get=lambda self, usual, run, query: keep_the_first_look(self, usual, run, query)
        if run.status != "in_progress" else usual(run, query)),
    row("forgets-what-it-cancels: cancel.ok get.ok -> fail get.ok, exit 1", cancel=remove, lasts=3.0, **ALONE),
    row("cuts-texts: get.matches-post -> fail get.matches-post, exit 1", get=change_texts(lambda _: say("Hello"))),
    row("notes-texts: get.matches-post -> warn get.matches-post/, exit 0",
        get=change_texts(lambda step: {**step, "note": "kept"})),
    row("takes-little: create.large -> warn create.large/limit, exit 0",
        admit=refuse(413, lambda body: len(str(body["input"])) > 100_000)),
    row("takes-much: create.large -> rest pass"),
    # Odd, and allowed: no MUST is broken, and no cause is named that no check found.
    row("continues-once: chain.* get.ok create.* tool.* -> exit 0", create=continue_once, **ALONE),
    row("deletes-late: del.gone get.ok del.ok -> exit 0", find=find_once_more, **ALONE),
]  # fmt: skip


test_the_cause_is_the_defect = hold_each(ROWS)
"""Only the rule of the defect fails; an odd server that is right fails nothing."""
