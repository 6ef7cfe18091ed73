"""Foreign servers that break a rule in a pair of modes alone, each beside a correct one that may look alike."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.foreign.answering import Json, Refused
from tests.foreign.rows import each, hold_each, refuse, rows_of, vary, without
from tests.foreign.server import ForeignService, Handler, Run, as_list, say
from tests.foreign.test_modes import PLACE, Calling, CallsTwice, Forgetful
from tests.foreign.test_turns import Reciting, list_texts

pytestmark = pytest.mark.slow


def read_the_last_in_a_stream(self: Reciting, usual: Any, run: Run) -> None:
    """Read the last step of an input alone, in a stream."""
    given = run.body["input"]
    if run.body.get("stream") and isinstance(given, list):
        run.body = {**run.body, "input": given[-1:]}
    usual(run)


def replay_the_parent(self: Reciting, usual: Any, run: Run, query: Json) -> Any:
    """Stream the output of the turn before, where a turn is streamed later."""
    parent = self.parent_of(run.body)
    if query.get("stream") != "true" or parent is None:
        return usual(run, query)
    return usual(Run(run.id, run.body, run.lasts, run.tokens, run.begun, steps=parent.steps), query)


class CountsInputs(ForeignService):
    """Wrong: a turn includes the inputs of the turns before it, and not what they were answered."""

    outputs = 0

    def prepare(self, run: Run) -> None:
        run.tokens = self.count(run)

    def count(self, run: Run) -> int:
        """The words that a turn reads."""
        parent = self.parent_of(run.body)
        own = len(" ".join(list_texts(run.body["input"])).split())
        return own if parent is None else own + self.outputs + self.count(parent)


def continue_the_unstored(self: Forgetful, usual: Any, body: Json) -> Any:
    """Continue what was streamed with store=false, and cannot be read."""
    known = body.get("previous_interaction_id") in self.noted
    answer = usual(without(body, "previous_interaction_id") if known else body)
    if body.get("stream") and body.get("store") is False:
        self.noted[f"i{self.made}"] = True
    return answer


def refuse_to_cancel_streams(self: ForeignService, usual: Any, run: Run) -> Json:
    """Refuse to cancel a run whose create is streamed."""
    if run.body.get("stream"):
        raise Refused(400, "failed_precondition", "Only a background run in progress can be cancelled.")
    return usual(run)


def end_a_moment_later(self: Handler, usual: Any, events: Iterator[tuple[float, Json]]) -> Iterator[bytes]:
    """End the stream of a canceled run a moment after its last event."""
    for frame in usual(events):
        yield frame
        if b'"status": "cancelled"' in frame:
            time.sleep(0.2)


def name_as_before(self: Handler, usual: Any, data: bytes) -> None:
    """Name the events under `/v1` as before May 2026."""
    old = (b"interaction.created", b"interaction.start"), (b"step.", b"content.")
    for name, other in old if self.parts[0] == "v1" else ():
        data = data.replace(name, other)
    usual(data)


class Conducts(Calling):
    """Odd, but right: it calls its function with numbers, flags and lists, and quotes all results of a turn."""

    late = 0.0

    def admit(self, body: Json) -> None:
        super().admit({**body, "input": "Go on."} if self.results_of(body) else body)

    def results_of(self, body: Json) -> list[str]:
        """The results that a turn sends back."""
        steps = [step for step in as_list(body.get("input")) if isinstance(step, dict)]
        return [str(step.get("result")) for step in steps if step.get("type") == "function_result"]

    def read(self, results: list[str]) -> str:
        """The text that answers results."""
        return " ".join(results)

    def prepare(self, run: Run) -> None:
        super().prepare(run)
        if results := self.results_of(run.body):
            run.steps = [say(self.read(results))]

    def call_of(self, run: Run) -> Json:
        return {**super().call_of(run), "arguments": {"seats": 2, "direct": True, "stops": ["Bern"], **PLACE}}


class ConductsTwice(Conducts, CallsTwice):
    """Odd, but right: it makes two calls of one function."""


class ConductsEach(Conducts):
    """Correct: it calls each of its functions once; a call of one without parameters has empty arguments."""

    def calls_of(self, run: Run) -> list[Json]:
        call, tools = self.call_of(run), run.body["tools"]
        return [{**call, "id": self.name_call(run, number), "name": tool["name"],
                 "arguments": PLACE if "parameters" in tool else {}}
                for number, tool in enumerate(tools)]  # fmt: skip

    def name_call(self, run: Run, number: int) -> str:
        """The id of a call."""
        return f"{run.id}-{number}"


def bare(when: Callable[[int, bool], bool]) -> Any:
    """A change of `calls_of`: some turns make calls without arguments, by the number of streams and the mode."""

    def calls_of(self: Conducts, usual: Any, run: Run) -> list[Json]:
        streams = bool(run.body.get("stream"))
        self.noted["streams"] = self.noted.get("streams", 0) + streams
        lost = {"arguments": {}} if when(self.noted["streams"], streams) else {}
        return [{**call, **lost} for call in usual(run)]

    return calls_of


def in_streams(number: int, streams: bool) -> bool:
    """Whether a turn is streamed."""
    return streams


def omit_what_is_empty(self: ConductsEach, usual: Any, run: Run) -> Json:
    """Leave members of steps out that are empty."""
    body: Json = usual(run)
    steps = [{name: value for name, value in step.items() if value} for step in as_list(body.get("steps"))]
    return {**body, "steps": steps}


def refuse_in(status: int, mode: str, sign: str) -> Any:
    """A change of `admit`: it refuses a create in one mode whose input has a sign in it."""
    return refuse(status, lambda body: bool(body.get(mode)) and sign in json.dumps(body["input"]))


def read_one_in_a_stream(self: Conducts, usual: Any, body: Json) -> list[str]:
    """Read one result of a streamed turn."""
    results: list[str] = usual(body)
    return results[:1] if body.get("stream") else results


def keep_what_waits(self: Conducts, usual: Any, run: Run) -> Json:
    """Accept the delete of a run that waits for its client, and keep it."""
    return {} if self.waits(run) else usual(run)


class Searches(ForeignService):
    """Odd, but right: it searches where it may, and a stream has the whole call in one step.start."""

    takes = frozenset({"tools"})

    def searches(self, run: Run) -> list[Json]:
        """The steps of a search."""
        result = {"type": "google_search_result", "call_id": "s1", "result": [{"search_suggestions": "x"}]}
        call = {"type": "google_search_call", "id": "s1", "arguments": {"queries": ["chess"]}}
        return [call, result] if run.body.get("tools") else []

    def prepare(self, run: Run) -> None:
        run.steps = [*self.searches(run), *run.steps]


def name_plainly_in_streams(self: Conducts, usual: Any, run: Run) -> Json:
    """Call a function in a stream by its name with all other signs replaced."""
    call: Json = usual(run)
    return {**call, "name": call["name"].replace(".", "_")} if run.body.get("stream") else call


def fail_after_a_search(self: Searches, usual: Any, body: Json) -> Any:
    """Fail at a turn whose parent searched."""
    parent = self.parent_of(body)
    if parent is not None and self.searches(parent):
        raise Refused(500, "api_error", "KeyError: 'google_search_call'")
    return usual(body)


def find_late(self: ForeignService, usual: Any, identity: str) -> Run:
    """Correct: a copy shows what was created a moment later."""
    run: Run = usual(identity)
    return run if time.monotonic() - run.begun > 0.3 else usual("what is not there yet")


def drop(self: ForeignService, usual: Any, body: Json) -> Any:
    """Lose what comes while the reader of a create's stream is slow."""
    answer = usual(body)
    return answer if isinstance(answer, dict) else [one for n, one in enumerate(answer) if n % 7 != 2]


RESULTS = "tool.result-ok tool.result-forms tool.result-error err.no-crash stream.done bg.create"
AGAIN: dict[str, Any] = {
    "prepare": lambda self, usual, run: Calling.prepare(self, run),
    "waits": lambda self, usual, run: bool(run.body.get("tools")),
}
"""Changes of a server: it calls a function in each turn that declares one."""
SEARCHES = "tool.search tool.search-shape stream.index-reuse err.no-crash chain.ok"

CALLS, LOST = "tool.choice-any tool.stream-call", "tool.stream-parallel/arguments"
EACH = "tool.ids-unique tool.call-fields tool.stream-parallel"


def call_for_two(told: Callable[[bool], int], paid: Callable[[int], int]) -> dict[str, Any]:
    """Changes: two calls for a question about Rome, some `told` by the mode; the usage counts what is `paid`."""

    def calls_of(self: ConductsTwice, usual: Any, run: Run) -> list[Json]:
        return usual(run)[: told(bool(run.body.get("stream"))) if "Rome" in str(run.body["input"]) else 1]

    def usage(self: ConductsTwice, usual: Any, run: Run) -> Json:
        number = paid(len(run.steps)) if "Rome" in str(run.body["input"]) else 1
        return {**usual(run), "total_output_tokens": round(9 * number)}

    return {"calls_of": calls_of, "usage": usage}


LOST = "tool.stream-parallel"
service, reciting, conducts, each_function, twice = map(
    rows_of, (ForeignService, Reciting, Conducts, ConductsEach, ConductsTwice)
)
ROWS = [
    # A model may make one call where it made two; who pays for both has lost one.
    twice(
        f"loses-a-call: {LOST} -> fail {LOST}/plain, exit 1",
        **call_for_two(lambda streams: 1 + streams, lambda _: 2),
    ),
    twice(
        f"calls-once-and-thinks: {LOST} -> rest untestable pass",
        **call_for_two(lambda streams: 1 + streams, lambda made: 2 if made > 1 else 1.9),
    ),
    # A conversation that is kept by the client, and streamed.
    reciting("sends-all: chain.stateless chain.streamed -> rest pass"),
    reciting(
        "reads-the-last: chain.stateless chain.streamed -> fail chain.stateless/dropped, exit 1",
        prepare=read_the_last_in_a_stream,
    ),
    # The outputs of a conversation are a part of it.
    rows_of(CountsInputs)("counts-inputs: chain.* -> fail chain.whole-history/outputs, exit 1"),
    rows_of(CountsInputs)("counts-outputs: chain.* -> exit 0", outputs=5),
    # A turn is streamed later as it was answered.
    reciting("replays: chain.* stream.text stream.equals-get -> exit 0"),
    reciting(
        "replays-the-parent: chain.* stream.text stream.equals-get -> fail stream.text, exit 1",
        get=replay_the_parent,
    ),
    # A stream whose events are lost lacks its end, too.
    service(
        "drops: stream.start-before stream.terminal stream.stop-once -> fail stream.start-before stream.terminal",
        said=["(1 cause: stream.start-before/never)"],
        create=drop,
    ),
    # `store=false` and a deletion concern streams as well.
    rows_of(Forgetful)(
        "continues-the-unstored: store.false-* -> warn store.false-chain", create=continue_the_unstored
    ),
    service(
        "keeps-deleted-streams: del.* -> fail del.gone, exit 1",
        delete=lambda self, usual, run: {} if run.body.get("stream") else usual(run),
    ),
    # A run can be canceled while the stream of its create is read.
    service("cancels-streams: cancel.* -> exit 0", lasts=3.0),
    service("ends-later: cancel.* -> exit 0", lasts=3.0, handler=vary(Handler, encode_due=end_a_moment_later)),
    service(
        "refuses-streams: cancel.* -> fail cancel.ok/streamed, exit 1", lasts=3.0, cancel=refuse_to_cancel_streams
    ),
    service(
        "ignores-streams: cancel.* -> fail cancel.state/streamed, exit 1",
        lasts=3.0,
        cancel=lambda self, usual, run: self.show(run) if run.body.get("stream") else usual(run),
    ),
    # The other version names its events as this one does.
    service(
        "names-as-before: http.v1 stream.legacy-names stream.opens -> fail stream.legacy-names/event, exit 1",
        handler=vary(Handler, chunk=name_as_before),
    ),
    # Arguments are values of any type, and names have more than letters.
    conducts("conducts: tool.choice-any tool.declared tool.stream-call tool.ids-unique -> exit 0"),
    # A model may leave out what its function requires, in every mode or for once; an adapter loses it in streams.
    conducts(f"gives-no-arguments: {CALLS} -> rest pass", calls_of=bare(lambda n, _: True)),
    conducts(f"forgets-them-once: {CALLS} -> rest pass", calls_of=bare(lambda n, streams: streams and n == 1)),
    conducts(
        f"loses-them-in-streams: {CALLS} -> fail tool.choice-any/arguments, exit 1", calls_of=bare(in_streams)
    ),
    each_function("gives-none: tool.stream-parallel -> rest pass", calls_of=bare(lambda n, _: True)),
    each_function(f"loses-them: tool.stream-parallel -> fail {LOST}", calls_of=bare(in_streams)),
    conducts(
        "numbers-calls-anew: tool.ids-unique tool.result-ok -> fail tool.ids-unique/turns, exit 1",
        call_of=lambda self, usual, run: {**usual(run), "id": "call_0"},
    ),
    # A model may call as often as it likes; one that makes the same call in each turn has not read its result.
    conducts(
        "calls-for-ever: tool.result-ok -> fail tool.result-ok, exit 1",
        said=["makes the same call again"],
        **AGAIN,
    ),
    conducts(
        "calls-for-more: tool.result-ok -> exit 0",
        **AGAIN,
        call_of=lambda self, usual, run: {**usual(run), "arguments": {**PLACE, "seats": int(run.id[1:])}},
    ),
    conducts(
        "conducts-in-words: tool.choice-any tool.stream-call -> fail tool.stream-call/arguments, exit 1",
        tell_arguments=lambda self, usual, call: usual(call).replace("2", '"2"'),
    ),
    conducts(
        "renames: tool.choice-any tool.declared tool.stream-call -> fail tool.declared, exit 1",
        call_of=name_plainly_in_streams,
    ),
    rows_of(ConductsTwice)("reads-all-results: tool.parallel tool.ids-unique -> rest pass"),
    rows_of(ConductsTwice)(
        "reads-the-last-result: tool.parallel tool.ids-unique -> warn tool.parallel/unread, exit 0",
        read=lambda self, usual, results: results[-1],
    ),
    rows_of(ConductsTwice)(
        "reads-one-when-streamed: tool.parallel tool.ids-unique stream.done -> warn tool.parallel/unread, exit 0",
        results_of=read_one_in_a_stream,
    ),
    each_function(f"calls-each: {EACH} -> rest pass"),
    each_function(
        f"names-calls-by-the-second: {EACH} -> fail tool.ids-unique, exit 1",
        name_call=lambda self, usual, run, number: f"call_{run.id}",
    ),
    each_function(f"omits-what-is-empty: {EACH} -> fail tool.call-fields, exit 1", show=omit_what_is_empty),
    # A list and a failure are results in each mode, and a turn that is streamed can call, as well.
    conducts(f"takes-results: {RESULTS} -> rest pass"),
    conducts("finds-late: tool.result-ok tool.result-forms get.ok -> warn get.ok, exit 0", find=find_late),
    conducts(
        f"refuses-lists-later: {RESULTS} -> fail tool.result-forms, exit 1",
        admit=refuse_in(400, "background", '"result": ['),
    ),
    conducts(
        f"fails-at-failures: {RESULTS} -> fail err.no-crash, exit 1", admit=refuse_in(500, "stream", "is_error")
    ),
    conducts("deletes-what-waits: del.* tool.declared -> exit 0"),
    conducts("keeps-what-waits: del.* tool.declared -> fail del.gone, exit 1", delete=keep_what_waits),
    # A search is streamed, and continued.
    rows_of(Searches)(f"searches: {SEARCHES} -> rest pass"),
    rows_of(Searches)(
        f"shares-an-index: {SEARCHES} -> fail stream.index-reuse, exit 1",
        events=each(lambda event: {**event, "index": 0} if event.get("index") == 1 else event),
    ),
    rows_of(Searches)(f"ends-with-a-search: {SEARCHES} -> fail err.no-crash, exit 1", create=fail_after_a_search),
]


test_a_rule_holds_in_each_pair_of_modes = hold_each(ROWS)
"""What is broken in a pair of modes alone is found there, and what is odd in it is right."""
