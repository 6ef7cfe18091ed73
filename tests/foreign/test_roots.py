"""One fact, one finding: a defect that shows in most answers is told once, and what follows from it is blocked."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from harness.emulator import Settings
from harness.emulator.mutants import MUTANTS
from harness.transport import ServerThread, WallClock
from tests.foreign.judging import check, check_at
from tests.foreign.rows import add, each, hold_each, refuse, rows_of, vary, without
from tests.foreign.server import ForeignService, Handler, Json, Refused, Run

pytestmark = pytest.mark.slow


def count_characters(self: Handler, usual: Any, status: int, value: Any, headers: Json | None = None) -> None:
    """Write the number of characters as Content-Length, which is less than that of bytes."""
    text = json.dumps({**value, "greeting": "Grüß Gott, schöne Welt"}, ensure_ascii=False)
    self.send_response(status)
    self.send_header("content-type", "application/json")
    self.send_header("content-length", str(len(text)))
    self.end_headers()
    self.wfile.write(text.encode())
    self.close_connection = True


def mark_bytes(self: Handler, usual: Any, status: int, value: Any, headers: Json | None = None) -> None:
    """Begin the response to a create with the mark of an included file, which comes before the label."""
    if status == 200 and self.path.endswith("interactions"):
        return self.send(status, "text/html", json.dumps(value).encode("utf-8-sig"), {})
    return usual(status, value, headers)


def cut_letters(self: Handler, usual: Any, status: int, value: Any, headers: Json | None = None) -> None:
    """Return nothing where the first bytes of the input, which belong into the body, end within a letter."""
    run = self.service.runs.get(str(value.get("id")))
    start = str(run.body["input"]).encode()[:1000] if run else b""
    whole = len(start.decode(errors="ignore").encode()) == len(start)
    usual(status, value, headers) if whole else self.send(status, "application/json", b"", {})


CUTS_LETTERS, MARKS_BYTES = vary(Handler, reply=cut_letters), vary(Handler, reply=mark_bytes)


def forget_in_turn(self: Any, usual: Any, identity: str) -> Run:
    """Two workers in turn, and only one of them knows an interaction."""
    self.turn += 1
    if identity in self.runs and (int(identity[1:]) + self.turn) % 2:
        raise Refused(404, "not_found", "There is no such interaction.")
    return usual(identity)


def route_little(self: Handler, usual: Any, data: bytes) -> Any:
    """Have no route to cancel or to delete anything."""
    if self.path.endswith("/cancel") or self.command == "DELETE":
        raise Refused(404, "not_found", "There is no such route.")
    return usual(data)


def return_nothing(self: Handler, usual: Any, status: int, value: Any, headers: Json | None = None) -> None:
    """Return an empty object for a path without a route."""
    usual(*((200, {}) if "such route" in str(value) else (status, value)), headers)


def swallow_refusals(self: Handler, usual: Any, status: int, value: Any, headers: Json | None = None) -> None:
    """Catch what the handler raises, and write nothing."""
    usual(status, value, headers) if status < 400 else self.send(200, "application/json", b"", {})


def answer_by_body(self: ForeignService, usual: Any, body: Json) -> Any:
    """Be a cache in front: whoever asks the same gets the same interaction."""
    asked = json.dumps(body, sort_keys=True)
    if asked not in self.noted:
        answer = usual(body)
        self.noted[asked] = answer if isinstance(answer, dict) else list(answer)
    return self.noted[asked]


def mint_anew(self: Any, usual: Any, run: Run) -> Json:
    """Name another id in every answer."""
    self.shown += 1
    body = usual(run)
    return {**body, "id": f"{body['id']}x{self.shown}"} if body["id"] else body


def edit(name: str, change: Callable[[Any], Any]) -> Callable[..., Any]:
    """A change of `show`: one field, where there is a value, has another one."""

    def show(self: ForeignService, usual: Any, run: Run) -> Json:
        body = usual(run)
        return {**body, name: change(body[name])} if body.get(name) else body

    return show


def remember_one_answer(self: ForeignService, usual: Any, run: Run, query: Json) -> Any:
    """Be a cache in front that knows the route alone: every GET is answered as the first of a completed run."""
    answer = usual(run, query)
    if isinstance(answer, dict) and answer["status"] == "completed":
        self.noted.setdefault("kept", answer)
    return answer if query else self.noted.get("kept", answer)


class SpellsStatuses(ForeignService):
    """Statuses are written in a spelling of its own, wherever they are shown."""

    spelling = "{up}"

    def show(self, run: Run) -> Json:
        return self.spell(super().show(run))

    def events(self, run: Run) -> Any:
        for due, event in super().events(run):
            shown = {"interaction": self.spell(event["interaction"])} if "interaction" in event else {}
            yield due, {**self.spell(event), **shown}

    def spell(self, shown: Json) -> Json:
        """An object with another spelling of its status."""
        status = shown.get("status")
        if not status:
            return shown
        return {**shown, "status": self.spelling.format(up=status.upper(), word=status.title())}


def know_one_more(self: ForeignService, usual: Any, run: Run) -> Json:
    """End a run whose input is a list in a status that came after the reference."""
    body = usual(run)
    newer = isinstance(run.body["input"], list) and body["status"] == "completed"
    return {**body, "status": "archived"} if newer else body


def write_camel_case(usage: Json) -> Json:
    """The token counts under names in camel case."""
    return {re.sub("_(.)", lambda found: found[1].upper(), name): tokens for name, tokens in usage.items()}


def trim_the_stored(self: ForeignService, usual: Any, run: Run, query: Json) -> Any:
    """Show a text without its last dot."""
    answer = usual(run, query)
    if isinstance(answer, dict) and answer.get("steps"):
        text = "".join(part["text"] for part in answer["steps"][0]["content"]).rstrip(".")
        return {**answer, "steps": [{"type": "model_output", "content": [{"type": "text", "text": text}]}]}
    return answer


def talk_on(self: ForeignService, usual: Any, run: Run) -> Any:
    """Let one more word follow the completion of every stream."""
    yield from usual(run)
    more = {"index": 0, "delta": {"type": "text", "text": " Bye."}, "event_type": "step.delta"}
    yield run.lasts, {**more, "event_id": f"{run.id}-more"}


def label_as_json(self: Handler, usual: Any, keyword: str, value: str) -> None:
    """Send streams as application/json."""
    usual(keyword, value.replace("text/event-stream", "application/json"))


def wait_for_the_end(self: ForeignService, usual: Any, body: Json) -> Any:
    """Answer the create of a background run when it is over."""
    answer = usual(body)
    run = self.runs.get(f"i{self.made}")
    while run is not None and run.status == "in_progress":
        time.sleep(0.02)
    return self.show(run) if run is not None and isinstance(answer, dict) else answer


def find_own(self: ForeignService, usual: Any, identity: str) -> Run:
    """Right: an interaction is found by the key that made it."""
    run: Run = usual(identity)
    if run.owner != self.key:
        raise Refused(404, "not_found", "There is no such interaction.")
    return run


def answer_with(status: Callable[[int], int]) -> type:
    """A handler that writes JSON under another status."""
    return vary(Handler, reply=lambda self, usual, was, value, *headers: usual(status(was), value, *headers))


NUMBERED = {
    "show": edit("id", lambda identity: int(identity[1:])),
    "find": lambda self, usual, identity: usual(f"i{identity}"),
}
# With one worker, as these servers alternate from request to request.
ALONE = {"words": "-j 1"}
MOST = "http.* err.* create.* get.* del.* usage.* stream.* cancel.* chain.*"
SHOWN = f"{MOST} bg.* rob.concurrent* -> fail create.schema get.schema cancel.schema"
TYPE = {"said": ["(1 cause: create.schema/type)"]}
SPELLED = f"{MOST} bg.* -> fail create.status/spelling, blocked create.status-listed, exit 1"
STREAMED = "stream.* rob.concurrent-streams -> fail stream.schema, exit 1"
STREAMS = "stream.* http.* rob.concurrent-streams resume.* create.format-streamed"
KEYS = {"words": "--api-key k1 --other-api-key k2"}

row, spells = rows_of(ForeignService), rows_of(SpellsStatuses)
ROWS = [
    row(f"succeeds-with-errors: {MOST} -> fail err.status, exit 1", handler=answer_with(lambda status: 200)),
    row(
        f"refuses-with-500: {MOST} -> fail err.status, exit 1",
        handler=answer_with(lambda status: status if status < 400 else 500),
    ),
    # As protobuf writes 64-bit integers.
    row(
        f"counts-in-text: {MOST} -> fail usage.types, exit 1",
        usage=lambda self, usual, run: {name: str(tokens) for name, tokens in usual(run).items()},
    ),
    row(f"counts-characters: {MOST} -> fail http.length, exit 1", handler=vary(Handler, reply=count_characters)),
    row("cuts-letters: create.long-input create.schema -> fail create.schema/empty, exit 1", handler=CUTS_LETTERS),
    row(f"marks-bytes: {MOST} -> fail create.schema create.ok, exit 1", handler=MARKS_BYTES, said=["order mark"]),
    row(
        "two-workers: get.* cancel.* chain.* resume.* http.unknown-query -> fail get.ok resume.opens, exit 1",
        said=("(1 cause: get.ok/lost)",),
        turn=0,
        find=forget_in_turn,
        **ALONE,
    ),
    row(
        "returns-nothing: err.unknown-route cancel.* del.* -> "
        "warn err.unknown-route/empty, fail cancel.ok del.gone",
        said=("(1 cause: err.unknown-route/empty)",),
        handler=vary(Handler, dispatch=route_little, reply=return_nothing),
        lasts=3.0,
    ),
    row(
        f"counts-in-fractions: {MOST} -> warn usage.types, exit 0",
        usage=lambda self, usual, run: {name: float(tokens) for name, tokens in usual(run).items()},
    ),
    # An exception that is swallowed; the client cannot know what was refused.
    row(
        "swallows: create.schema get.schema err.malformed-json get.unknown del.gone"
        " -> fail create.schema/empty get.schema/empty, rest blocked, exit 1",
        handler=vary(Handler, reply=swallow_refusals),
        said=["returns 200 without a body"],
    ),
    # Every answer names another id, and each of them is found.
    row(
        f"mints-ids-anew: {MOST} bg.* resume.* -> fail get.ok, exit 1",
        shown=0,
        show=mint_anew,
        find=lambda self, usual, identity: usual(identity.partition("x")[0]),
        **ALONE,
    ),
    row(f"numbers-ids: {MOST} store.* -> fail create.schema, exit 1", **NUMBERED),
    row(
        f"index-in-text: {STREAMED}",
        events=each(lambda event: {**event, "index": str(event["index"])} if "index" in event else event),
    ),
    row(f"remembers-one-answer: {MOST} bg.* -> fail get.ok, exit 1", get=remember_one_answer, **ALONE),
    row(
        "answers-by-body: create.* get.* del.* http.* -> fail create.id-unique, exit 1",
        create=answer_by_body,
        **ALONE,
    ),
    # Whatever shows an interaction breaks its own rule by a defect of a schema, and nothing else is accused.
    row(f"tells-milliseconds: {SHOWN}", show=add(created=1763650000000, updated=1763650000001), **TYPE),
    # A client that compares statuses sees no end: that is not green, and what rests on it is blocked.
    spells(f"upper-case: {SPELLED}"),
    # The set of statuses is open: a word that is new is told, and the target conforms.
    row(f"one-more-status: {MOST} bg.* -> warn create.status-listed, exit 0", show=know_one_more),
    # A usage object without one count that the reference names does not say what an answer cost.
    row(
        "camel-case: create.* usage.* -> warn create.usage",
        usage=lambda self, usual, run: write_camel_case(usual(run)),
    ),
    # A 2xx that does something else is one failure, and what falls away because of it is blocked by its code.
    row(
        f"ignores-streams: {MOST} resume.* -> fail stream.opens, blocked stream.first resume.opens, exit 1",
        create=lambda self, usual, body: usual(without(body, "stream")),
        said=["(1 cause: stream.opens)"],
    ),
    row(
        f"blocks: {MOST} bg.* resume.* -> fail bg.at-once, blocked bg.create bg.settles resume.no-gap, exit 1",
        create=wait_for_the_end,
        said=["(1 cause: bg.at-once)"],
    ),
    row(
        f"forgets: {MOST} bg.* -> fail get.ok, blocked get.schema del.ok chain.ok bg.result, exit 1",
        find=refuse(404),
        said=["(1 cause: get.ok)"],
    ),
    row(
        f"ignores-cancels: {MOST} -> fail cancel.state, blocked cancel.stays cancel.stream-ends, exit 1",
        lasts=4.0,
        cancel=lambda self, usual, run: self.show(run),
        said=["(1 cause: cancel.state)"],
    ),
    # What only repeats a cause is blocked.
    row(f"trims-the-stored: {STREAMS} -> fail stream.text", get=trim_the_stored, said=["(1 cause: stream.text)"]),
    row(
        f"talks-on: {STREAMS} -> fail stream.completed-last stream.start-before",
        events=talk_on,
        said=["(1 cause: stream.completed-last)"],
    ),
    row(
        f"labels-streams-as-json: {STREAMS} -> fail http.ct-stream resume.opens",
        handler=vary(Handler, send_header=label_as_json),
        said=["(1 cause: http.ct-stream)"],
    ),
    # What has nothing to do with a root is told beside it.
    row(
        "two-defects: stream.text rob.concurrent-streams create.object -> fail stream.text, warn create.object",
        get=trim_the_stored,
        show=add(object="chat"),
    ),
    # A DELETE by another key that was answered 200 is what let the interaction go.
    row("one-key: store.isolation get.* chain.* -> warn store.isolation", **KEYS),
    row("keys-apart: store.isolation get.* chain.*", find=find_own, **KEYS),
]


test_one_fact_is_one_finding = hold_each(ROWS)
"""The last line has one reason, and the one failure names it."""


def test_what_is_not_seen_for_a_wrong_type_is_blocked_and_not_refused() -> None:
    """A target whose ids are numbers does offer to keep interactions."""
    report = check(vary(ForeignService, **NUMBERED)(), "create.schema", "get.*", "del.*")
    assert report.verdicts["get.ok"] == report.verdicts["del.gone"] == "blocked"
    assert "not_applicable" not in report.verdicts.values()


@pytest.mark.parametrize(
    ("mutant", "rule", "words"),
    [
        ("json-cut-short", "http.json-valid", ""),
        pytest.param("json-latin1", "http.json-valid", "", marks=pytest.mark.thorough),
        ("agents-reserved-accepted", "agents.reserved", ""),
        ("done-missing", "stream.done", ", in all "),
    ],
)
def test_a_defect_is_one_finding_where_all_is_offered(mutant: str, rule: str, words: str) -> None:
    """A server that offers everything has every check: none of them accuses what one rule alone explains."""
    with ServerThread(MUTANTS[mutant].build(Settings(), clock=WallClock())) as server:
        report = check_at(server.url, words=("--api-key", "k1"))
    # No receiver gets anything here, and a queued run needs a readable body.
    assert report.faults.keys() - {"hook.delivery", "bg.queued"} == {rule}
    assert words in report.messages[rule][0]
