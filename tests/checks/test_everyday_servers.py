"""Everyday servers, each with one defect that no mutant has, beside a correct one that looks like it."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.foreign.rows import Row, is_background, rows_of, vary, without
from tests.foreign.server import WORDS, ForeignService, Json, Refused, Run, say

pytestmark = pytest.mark.slow


class Lasting(ForeignService):
    """Correct: its runs take a second and a half, and a cancel stops them."""

    lasts = 1.5


class Growing(ForeignService):
    """Correct: a run takes as long as its input is, in the foreground as well."""

    def length_of(self, body: Json) -> float:
        return 0.2 + len(str(body["input"])) * 0.0003


class Leaves(Lasting):
    """Correct: each read takes a second, whatever the run does."""

    def get(self, run: Run, query: Json) -> Any:
        if query.get("stream") != "true":
            time.sleep(1.0)
        return super().get(run, query)


class Instructed(ForeignService):
    """Correct: it says the secret word of its own instruction to who asks for it."""

    takes = frozenset({"system_instruction"})

    def instruction_of(self, run: Run) -> str:
        """The instruction that a run obeys."""
        return str(run.body.get("system_instruction", ""))

    def prepare(self, run: Run) -> None:
        secret = self.instruction_of(run).partition("secret word is ")[2].partition(":")[0]
        is_asked = "What is your secret word" in str(run.body["input"])
        run.steps = [say(f"It is {secret}." if is_asked and secret else "".join(WORDS))]


def create_at_the_end(self: ForeignService, usual: Any, body: Json) -> Any:
    """Answer a background create when its run has settled, with the status that it had."""
    answer = usual(body)
    if is_background(body) and isinstance(answer, dict):
        time.sleep(self.runs[answer["id"]].lasts)
    return answer


def take_its_time(self: ForeignService, usual: Any, body: Json) -> Any:
    """Answer a foreground create when a run of this input would have settled."""
    answer = usual(body)
    if not is_background(body):
        time.sleep(self.length_of(body))
    return answer


def create_at_the_end_as_ever(self: ForeignService, usual: Any, body: Json) -> Any:
    """Answer each create, of either kind, when a run of this input would have settled."""
    return create_at_the_end(self, lambda body: take_its_time(self, usual, body), body)


def create_slowly(self: ForeignService, usual: Any, body: Json) -> Any:
    """Answer each create, of either kind, after a second, with the status that its run had at the beginning."""
    answer = usual(body)
    time.sleep(1.2)
    return answer


def continue_at_the_end(self: ForeignService, usual: Any, body: Json) -> Any:
    """Answer a background create with a parent when its run has settled."""
    answer = usual(body)
    if is_background(body) and self.parent_of(body) is not None:
        time.sleep(self.runs[answer["id"]].lasts)
        answer = self.show(self.runs[answer["id"]])
    return answer


def continue_late_once(self: ForeignService, usual: Any, body: Json) -> Any:
    """Answer the first background create with a parent late, as a busy machine does."""
    is_first = is_background(body) and self.parent_of(body) is not None and not self.noted
    self.noted |= {"late": True} if is_first else {}
    return continue_at_the_end(self, usual, body) if is_first else usual(body)


def read_at_the_end(self: ForeignService, usual: Any, run: Run, query: Json) -> Any:
    """Answer a GET when each run has settled, as if runs blocked an event loop."""
    while query.get("stream") != "true" and any(one.status == "in_progress" for one in [*self.runs.values()]):
        time.sleep(0.02)
    return usual(run, query)


def chain_at_the_end(self: ForeignService, usual: Any, body: Json) -> Any:
    """Continue a run in progress once it has settled."""
    parent = self.parent_of(body)
    while parent is not None and parent.status == "in_progress":
        time.sleep(0.02)
    return usual(body)


def chain_beside(self: ForeignService, usual: Any, body: Json) -> Any:
    """Continue a run in progress at once; a create takes as long as such a run."""
    time.sleep(0 if body.get("background") else self.length_of(body))
    parent = self.parent_of(body)
    return usual(without(body, "previous_interaction_id" if parent and parent.status == "in_progress" else ""))


def delete_whatever(self: ForeignService.handler, usual: Any, data: bytes) -> Any:
    """Accept the DELETE of what is not there."""
    try:
        return usual(data)
    except Refused:
        if self.command == "DELETE":
            return {}
        raise


def go_on(self: ForeignService, usual: Any, run: Run) -> Json:
    """Accept a cancel, and let the run go on."""
    if run.status != "in_progress":
        raise Refused(400, "failed_precondition", "Only a background run in progress can be cancelled.")
    return self.show(run)


def inherit(self: Instructed, usual: Any, run: Run) -> str:
    """Obey the instruction of the turn before, too."""
    parent = self.parent_of(run.body)
    return usual(run) or (self.instruction_of(parent) if parent is not None else "")


def cut_letters(self: ForeignService, usual: Any, run: Run) -> None:
    """Store the text as its reader of pieces of bytes understood it."""
    run.steps = [say("Zürich".encode()[:2].decode(errors="replace"))]


def find_for_cancels(self: ForeignService, usual: Any, run: Run) -> Json:
    """Delete what GET and DELETE look at, and keep it for cancels."""
    self.noted[run.id] = run
    return usual(run)


class KeepsForCancels(ForeignService.handler):
    """Looks for what to cancel where nothing is deleted."""

    def dispatch(self, data: bytes) -> Any:
        run = self.service.noted.get(self.path.split("/")[-2]) if self.path.endswith("/cancel") else None
        return self.service.show(run) if run is not None else super().dispatch(data)


class ListingHandler(ForeignService.handler):
    """Lists interactions, as Vertex does."""

    shared = False

    def dispatch(self, data: bytes) -> Any:
        if self.command == "GET" and self.path.partition("?")[0].endswith("/interactions"):
            mine = [run.id for run in self.service.runs.values() if self.shared or run.owner == self.service.key]
            return {"interaction_metadatas": [{"id": found} for found in mine]}
        return super().dispatch(data)


class Projects(ForeignService):
    """Correct: another project finds nothing, and each has a list of its own."""

    handler = ListingHandler

    def find(self, identity: str) -> Run:
        run = super().find(identity)
        if run.owner != self.key:
            raise Refused(404, "not_found", "There is no such interaction.")
        return run


class Choosy(ForeignService.handler):
    """Correct: a client that accepts nothing but streams gets no JSON; each response is stored."""

    def dispatch(self, data: bytes) -> Any:
        if b'"store"' in data:
            raise Refused(400, "invalid_request", "Not offered.")
        if self.command == "POST" and self.headers.get("accept") == "text/event-stream" and b"stream" not in data:
            raise Refused(406, "invalid_request", "The response is JSON.")
        return super().dispatch(data)


class Negotiating(ForeignService.handler):
    """Streams what a client accepts as a stream, whatever the body says."""

    def dispatch(self, data: bytes) -> Any:
        answer = super().dispatch(data)
        wants_stream = self.command == "POST" and "event-stream" in self.headers.get("accept", "")
        if wants_stream and isinstance(answer, dict):
            return self.service.events(self.service.find(answer["id"]))
        return answer


class Complete(ForeignService):
    """Correct: it takes each field of its model."""

    takes = frozenset({"generation_config", "tools", "system_instruction", "service_tier", "response_modalities",
                       "response_format"})  # fmt: skip

    def admit(self, body: Json) -> None:
        given = body.get("input")
        texts = [part for part in given if "data" not in part] if isinstance(given, list) else given
        super().admit({**body, "input": texts})


def refuse_some(self: Complete, usual: Any, body: Json) -> None:
    """Refuse a tier, functions, and sounds."""
    if "service_tier" in body or '"function"' in json.dumps(body) or "audio" in str(body["input"]):
        raise Refused(400, "invalid_request", "Not offered.")
    usual(body)


complete = rows_of(Complete)
KEYS = {"words": "--api-key A --other-api-key B --capability +listing"}
lasting, growing, instructed = map(rows_of, (Lasting, Growing, Instructed))
ROWS = [
    # Time is compared with that of other calls of the same server.
    growing("takes-its-time: bg.at-once bg.get-at-once bg.create -> rest pass", create=take_its_time),
    growing(
        "creates-at-the-end: bg.at-once -> fail bg.at-once/late, exit 1",
        create=create_at_the_end_as_ever,
        length_of=lambda self, usual, body: len(str(body["input"])) * 0.03,
    ),
    # A run that always takes as long shows no more than that the create is slow.
    lasting("creates-late: bg.at-once -> warn bg.at-once/late, exit 0", create=create_at_the_end),
    rows_of(ForeignService)("creates-slowly: bg.at-once -> rest pass", create=create_slowly),
    lasting(
        "continues-at-the-end: chain.at-once -> fail chain.at-once, exit 1", create=continue_at_the_end, lasts=3.0
    ),
    lasting("continues-late-once: chain.at-once -> rest pass", create=continue_late_once),
    rows_of(Leaves)("reads-slowly: bg.get-at-once bg.at-once -> rest pass"),
    lasting("reads-at-the-end: bg.get-at-once -> warn bg.get-at-once, exit 0", get=read_at_the_end, lasts=0.5),
    lasting(
        "chains-at-the-end: chain.running -> fail chain.running/waits, exit 1", create=chain_at_the_end, lasts=3.0
    ),
    lasting("chains-beside: chain.running -> fail chain.running, exit 1", create=chain_beside),
    # A run that is too short for a judgment is made longer.
    growing("cancels: cancel.state -> pass cancel.state/-"),
    growing("goes-on: cancel.state -> fail cancel.state, exit 1", cancel=go_on),
    instructed("instructs: chain.no-instruction -> rest pass"),
    instructed("inherits: chain.no-instruction -> fail chain.no-instruction, exit 1", instruction_of=inherit),
    lasting("cuts-letters: stream.letters stream.text -> warn stream.letters", prepare=cut_letters),
    # Headers and fields as official SDKs send them.
    lasting("chooses: http.accept create.no-stream-json -> rest pass", handler=Choosy),
    lasting("negotiates: http.accept -> warn http.accept, exit 0", handler=Negotiating),
    complete("takes-all: model.fields -> rest pass"),
    complete(
        "refuses-some: model.fields -> warn model.fields, exit 0",
        admit=refuse_some,
        said=["4 fields", "service_tier, generation_config.tool_choice, tools: function, input: audio"],
    ),
    lasting("deletes: del.cancel-after -> rest pass"),
    lasting(
        "keeps-for-cancels: del.cancel-after -> fail del.cancel-after, exit 1",
        delete=find_for_cancels,
        handler=KeepsForCancels,
    ),
    rows_of(Projects)("lists-its-own: store.isolation -> rest pass", **KEYS),
    rows_of(Projects)(
        "deletes-whatever: store.isolation -> rest pass",
        handler=vary(ListingHandler, dispatch=delete_whatever),
        **KEYS,
    ),
    rows_of(Projects)(
        "lists-all: store.isolation -> fail store.isolation/listed, exit 1",
        handler=type("SharedListing", (ListingHandler,), {"shared": True}),
        **KEYS,
    ),
]


@pytest.mark.parametrize("case", ROWS)
def test_a_fixed_exercise_finds_what_a_history_found(case: Row, capsys: pytest.CaptureFixture[str]) -> None:
    """Each defect has its finding, and a server that only looks like it has none."""
    case.hold(capsys)
