"""Foreign servers that forget, lose or give away what they must keep, each beside an odd one that is right."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.foreign.answering import Json, Refused
from tests.foreign.rows import hold_each, refuse, rows_of, vary
from tests.foreign.server import WORDS, ForeignService, Handler, Keyed, Run, say

pytestmark = pytest.mark.slow

THOUGHT = {"type": "thought", "signature": "QUJDREVGR0g="}


class CountsWords(ForeignService):
    """Correct: it counts the words that the model reads, and the thoughts of the turns before, which it keeps."""

    thinks = 2
    takes = frozenset({"generation_config"})

    def prepare(self, run: Run) -> None:
        self.noted[run.id] = self.parent_of(run.body)
        run.tokens = self.count_given(run.body["input"]) + self.count_history(run)

    def count_given(self, given: Any) -> int:
        """The words of an input."""
        return len(json.dumps(given).replace('"text"', "").split())

    def count_turn(self, run: Run) -> int:
        """What a turn costs those after it."""
        return self.count_given(run.body["input"]) + len(WORDS) + self.thinks

    def count_history(self, run: Run) -> int:
        """What the turns before it cost."""
        parent = self.noted[run.id]
        return 0 if parent is None else self.count_turn(parent) + self.count_history(parent)


def count_one_hop(self: CountsWords, usual: Any, run: Run) -> int:
    """Let the history reach only one turn back."""
    parent = self.noted[run.id]
    return 0 if parent is None else self.count_turn(parent)


OneHop = vary(CountsWords, count_history=count_one_hop)


class DropsThoughts(CountsWords):
    """Correct: the thoughts of the last turn are kept, and those of the turns before it are not."""

    thinks = 40

    def count_history(self, run: Run) -> int:
        parent, older = self.noted[run.id], 0
        while (parent is not None) and (above := self.noted[parent.id]) is not None:
            older, parent = older + self.count_turn(above) - self.thinks, above
        parent = self.noted[run.id]
        return 0 if parent is None else self.count_turn(parent) + older


class Writes(ForeignService):
    """Correct: it knows no limits, and a short answer is as long as it happens to be."""

    takes = frozenset({"generation_config"})

    def prepare(self, run: Run) -> None:
        run.steps = [say("".join(WORDS) + ("." if self.made % 2 else ""))]


class Resurrects(ForeignService):
    """A run that was deleted while it ran is stored when it ends."""

    lasts = 0.8

    def find(self, identity: str) -> Run:
        run = self.deleted.get(identity)
        ended = run is not None and run.body.get("background") and run.status == "completed"
        return run if ended else super().find(identity)


class Buries(Resurrects):
    """Correct: what is deleted is still there for a moment, and then gone."""

    def find(self, identity: str) -> Run:
        run = self.deleted.get(identity)
        return run if run is not None and run.age < 0.3 else ForeignService.find(self, identity)


def keep_at_one_worker(self: Handler, usual: Any, data: bytes) -> Any:
    """One of four workers, which take turns, keeps what it has shown, whatever happens to it and whoever asks."""
    service, identity = self.service, urlsplit(self.path).path.rpartition("/")[2]
    run = service.deleted.get(identity) or service.runs.get(identity)
    own = identity in service.runs and run.owner in ("", self.headers.get("x-goog-api-key"))
    if run is None or own or self.command != "GET" or self.query:
        return usual(data)
    looks = service.noted[identity] = service.noted.get(identity, 0) + 1
    return usual(data) if looks % 4 else service.show(run)


def misname(self: Keyed, usual: Any, data: bytes) -> Any:
    """Give each error the code of another one."""
    try:
        return usual(data)
    except Refused as refused:
        raise Refused(refused.status, "not_found") from None


def opens(kind: str) -> type[Keyed]:
    """Ask for the key, but not in the requests that match a pattern: they have a handler of their own."""

    class Handler(Keyed):
        def dispatch(self, data: bytes) -> Any:
            is_open = re.search(kind, f"{self.command} {self.path} {data.decode()}") is not None
            self.open = (self.command,) if is_open else ()
            return super().dispatch(data)

    return Handler


class UnreadHandler(Keyed):
    """Refuses a key before it reads the body, which then stands before the next request of the connection."""

    leaves = False

    def handle_any(self) -> None:
        if self.headers.get("x-goog-api-key") == "k":
            super().handle_any()
            return
        self.close_connection = self.leaves
        body = {"error": {"code": "authentication", "message": "API key missing or not valid."}}
        self.reply(401, body, {"connection": "close"} if self.leaves else {})

    do_GET = do_POST = do_DELETE = handle_any


class Calls(CountsWords):
    """Correct: it calls the first function that a create declares, and takes results in every form."""

    takes = frozenset({"generation_config", "tools"})

    def admit(self, body: Json) -> None:
        given = body.get("input")
        steps = given if isinstance(given, list) else []
        kept = [step for step in steps if step.get("type") not in ("function_call", "function_result")]
        super().admit({**body, "input": (kept or "Go on.") if steps else given})

    def prepare(self, run: Run) -> None:
        super().prepare(run)
        given = run.body["input"]
        answers = isinstance(given, list) and given[-1].get("type") == "function_result"
        if run.body.get("tools") and not answers:
            call = {"type": "function_call", "id": f"c{run.id}", "name": run.body["tools"][0]["name"]}
            run.steps = [THOUGHT, {**call, "arguments": {"location": "Paris", "city": "Paris"}}]
            run.end = "requires_action"

    def events(self, run: Run) -> Iterator[tuple[float, Json]]:
        raise Refused(501, "unimplemented", "Nothing is streamed.")


class Fences(ForeignService):
    """JSON that a format asks for stands in a fence of Markdown."""

    takes = frozenset({"response_format"})
    text = '```json\n{"word": "hi"}\n```'

    def prepare(self, run: Run) -> None:
        if "response_format" in run.body:
            run.steps = [say(self.text)]


LOOP = "tool.result-ok tool.result-forms tool.stateless bg.result-ok chain.stateless"

OFFERED = "--api-key k --capability +stream --capability +background --capability +resume --capability +cancel"

ROWS = [
    rows_of(CountsWords)("counts-words: chain.whole-history -> rest pass"),
    rows_of(DropsThoughts)("drops-thoughts: chain.whole-history -> rest pass"),
    rows_of(Writes)("writes: create.cut-short -> rest not_applicable"),
    # A gateway to a stateless API: what it created is not looked for, be it asked for one rule or for all.
    rows_of(ForeignService)("no-reads: stream.hangup -> rest pass", get=refuse(405)),
    rows_of(ForeignService)("no-reads: http.revision-ignored -> rest pass", get=refuse(405)),
    rows_of(Buries)("buries: del.gone del.stays-gone -> rest pass"),
    rows_of(ForeignService)("one-worker-keeps: del.gone -> fail del.gone, exit 1",
                            handler=vary(Handler, dispatch=keep_at_one_worker)),
    rows_of(ForeignService)("open-get: auth.missing auth.wrong -> fail auth.missing, blocked auth.wrong",
                            handler=vary(Keyed, open=("GET",)), words="--api-key k"),
    rows_of(ForeignService)("open-streams: auth.missing auth.wrong -> fail auth.missing",
                            handler=opens(r"^GET .*stream=true"), words=OFFERED),
    # A server on one's own machine, which has no keys at all.
    rows_of(ForeignService)("keyless: auth.missing auth.wrong -> rest not_applicable",
                            handler=vary(Keyed, open=("GET", "POST", "DELETE")), words="--api-key k"),
    rows_of(ForeignService)("keyless-declared: auth.missing auth.wrong -> fail auth.missing, blocked auth.wrong",
                            handler=vary(Keyed, open=("GET", "POST", "DELETE")),
                            words="--api-key k --capability auth"),
    rows_of(ForeignService)("locked: auth.missing auth.wrong -> rest pass",
                            handler=Keyed, words="--api-key k"),
    # What it breaks in each error explains that the error of a missing key is another one.
    rows_of(ForeignService)("misnames-errors: auth.missing err.code-status -> warn auth.missing err.code-status",
                            handler=vary(Keyed, dispatch=misname), words="--api-key k",
                            said=["the worst first: warned err.code-status"]),
    rows_of(ForeignService)("leaves-connections: auth.next auth.wrong auth.missing -> rest pass",
                            handler=vary(UnreadHandler, leaves=True), words="--api-key k"),
    rows_of(Calls)(f"calls: {LOOP} -> rest pass"),
    # A mock with scripted texts: its user says so.
    rows_of(Fences)("scripted: create.ok create.response-format -> pass create.ok, rest excluded",
                    words="--capability -formats"),
    # White space around JSON is right.
    rows_of(Fences)("spaces: create.response-format -> rest pass", text='\n  {"word" : "hi"}\n'),
]  # fmt: skip


test_what_has_to_be_kept = hold_each(ROWS)
"""The defect fails the run under its own rule, and what is odd but right does not."""
