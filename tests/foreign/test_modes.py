"""Foreign servers that break a promise in one mode alone, each beside an odd one that is right."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from tests.foreign.answering import encode_event
from tests.foreign.rows import hold_each, rows_of, vary, without
from tests.foreign.server import WORDS, ForeignService, Handler, Json, Refused, Run, say
from tests.foreign.test_forgetting import keep_at_one_worker

pytestmark = pytest.mark.slow

PLACE = {"location": "Zürich 北京"}
CALL = {"type": "function_call", "id": "c1", "name": "get_weather", "arguments": PLACE}


class Calling(ForeignService):
    """Odd, but right: it calls its client for every tool, and a run shows it a second after its stream."""

    late = 1.0

    takes = frozenset({"tools", "generation_config"})

    def waits(self, run: Run) -> bool:
        """Whether the run calls its client."""
        return bool(run.body.get("tools")) and isinstance(run.body["input"], str)

    def prepare(self, run: Run) -> None:
        if self.waits(run):
            run.steps, run.end = self.calls_of(run), "requires_action"

    def show(self, run: Run) -> Json:
        body = super().show(run)
        if self.waits(run) and run.body.get("background") and run.age < run.lasts + self.late:
            return {**without(body, "steps", "usage"), "status": "in_progress"}
        return body

    def call_of(self, run: Run) -> Json:
        """The call that a run makes, of the first function that it declares."""
        return {**CALL, "id": f"c1-{run.id}", "name": run.body["tools"][0]["name"]}

    def calls_of(self, run: Run) -> list[Json]:
        """The calls that a run makes."""
        return [self.call_of(run)]


class Forgetful(ForeignService):
    """Odd, but right: a stream that is not stored has an id, and nothing can be read by it."""

    def events(self, run: Run) -> Any:
        for due, event in super().events(run):
            if "interaction" in event:
                event = {**event, "interaction": {**event["interaction"], "id": run.id}}
            yield due, event


class TwoProjects(ForeignService):
    """Odd, but right: another project is told that it is forbidden, not that there is nothing."""

    lasts = 3.0

    def find(self, identity: str) -> Run:
        run = super().find(identity)
        if run.owner != self.key:
            raise Refused(403, "permission_denied", "It belongs to another project.")
        return run


class CountsApart(TwoProjects):
    """Odd, but right: each project counts its interactions from 1, and the other one has some already."""

    def find(self, identity: str) -> Run:
        if self.key == "B" and re.fullmatch("i[0-9]+", identity):
            return Run(identity, {"model": "theirs", "input": "Theirs."}, 0.0, 7, steps=[say("Theirs.")])
        return super().find(identity)

    def delete(self, run: Run) -> Json:
        return {} if run.body["input"] == "Theirs." else super().delete(run)


class ShowsPart(TwoProjects):
    """Wrong: another project's key is shown what is left of the interaction without its texts."""

    def find(self, identity: str) -> Run:
        run = ForeignService.find(self, identity)
        return run if run.owner == self.key else replace(run, tokens=run.tokens + 3, steps=[say("[hidden]")])


class Resuming(TwoProjects):
    """Wrong: any key resumes a stream."""

    def find(self, identity: str) -> Run:
        return (ForeignService if self.own.resumes else TwoProjects).find(self, identity)


def note_a_resume(self: Handler, usual: Any, data: bytes) -> Any:
    """Look whether a request has a cursor."""
    self.service.own.resumes = "last_event_id" in self.query
    return usual(data)


class Stopping(TwoProjects):
    """Wrong: any key cancels a run in progress; the answer hides it."""

    def cancel(self, run: Run) -> Json:
        super().cancel(run)
        if run.owner != self.key:
            raise Refused(403, "permission_denied", "It belongs to another project.")
        return self.show(run)

    def find(self, identity: str) -> Run:
        run = ForeignService.find(self, identity)
        if run.owner != self.key and run.status != "in_progress":
            raise Refused(403, "permission_denied", "It belongs to another project.")
        return run


class Echoing(ForeignService):
    """Odd, but right: it repeats its input, and cuts its stream wherever a letter ends."""

    def prepare(self, run: Run) -> None:
        run.steps = [say(str(run.body["input"]))]

    def show(self, run: Run) -> Json:
        body = super().show(run)
        told = {**say(self.keep(run, str(run.body["input"]))), "type": "user_input"}
        return {**body, "steps": [told, *body["steps"]]} if "steps" in body else body

    def keep(self, run: Run, text: str) -> str:
        """What is stored of an input."""
        return text

    def pieces(self, run: Run, text: str) -> list[str]:
        return [text[at : at + 7] for at in range(0, len(text), 7)]


def cut_letters(self: Echoing, usual: Any, run: Run, text: str) -> list[str]:
    """Cut bytes, and read each piece alone; Java writes `?` for what it cannot encode."""
    data = text.encode()
    return [data[at : at + 7].decode(errors="replace").replace("\ufffd", "?") for at in range(0, len(data), 7)]


def encode_raw(self: Echoing, usual: Any, event: Json) -> bytes:
    """Escape no letter."""
    return encode_event(event["event_type"], json.dumps(event, ensure_ascii=False))


def split_lines(self: Echoing, usual: Any, event: Json) -> bytes:
    """Relay a frame line by line, of the lines of a text."""
    return b"".join(f"{line}\n".encode() for line in encode_raw(self, usual, event).decode().splitlines())


def refuse_long(self: Echoing, usual: Any, body: Json) -> None:
    """Refuse what is too long."""
    usual(body)
    if len(str(body["input"])) > 65_536:
        raise Refused(413, "invalid_request", "The input is too long.")


class CallsTwice(Calling):
    """Odd, but right: it makes two calls of one function."""

    late = 0.0

    def calls_of(self, run: Run) -> list[Json]:
        call = self.call_of(run)
        return [call, {**call, "id": f"c2-{run.id}", "arguments": {"location": "Roma"}}]


def name_no_plain_ones(self: ForeignService, usual: Any, body: Json) -> Any:
    """Give a plain create in the foreground no id, though all is stored."""
    answer = usual(body)
    return {**answer, "id": ""} if isinstance(answer, dict) and not body.get("background") else answer


class EndsAfterItsCancel(ForeignService):
    """Wrong or late, nobody can tell: a cancel is accepted, one GET shows the run go on, and then it completes."""

    lasts = 60.0

    def cancel(self, run: Run) -> Json:
        if run.status != "in_progress":
            raise Refused(400, "failed_precondition", "Only a background run in progress can be cancelled.")
        self.noted[run.id] = "canceled"
        return self.show(run)

    def get(self, run: Run, query: Json) -> Any:
        if self.noted.get(run.id) == "looked at":
            run.begun -= self.lasts
        if run.id in self.noted and query.get("stream") != "true":
            self.noted[run.id] = "looked at"
        return super().get(run, query)


class Limits(ForeignService):
    """Odd, but right: a limit of tokens cuts the text of its own run after one word, in every mode."""

    takes = frozenset({"generation_config"})

    def limits(self, run: Run) -> bool:
        """Whether a run is cut."""
        return "max_output_tokens" in (run.body.get("generation_config") or {})

    def prepare(self, run: Run) -> None:
        if self.limits(run):
            run.steps, run.end = [say(WORDS[0])], "incomplete"


def end_early(self: Limits, usual: Any, run: Run) -> None:
    """Say one word in each third answer to the same question, as a model may; no limit has an effect."""
    self.noted["asked"] = asked = self.noted.get("asked", 0) + ("Count" in str(run.body["input"]))
    run.steps = [say(WORDS[0])] if asked % 3 == 2 else run.steps


def limit_later_ones(self: Limits, usual: Any, run: Run) -> bool:
    """Limit each run after the first that was limited, whether it continues that one or not."""
    self.noted["limit"] = limit = self.noted.get("limit") or usual(run)
    return bool(limit)


def count_twenty(self: Limits, usual: Any, run: Run) -> Json:
    """Count twenty tokens in each output."""
    counted = usual(run)
    return {**counted, "total_output_tokens": 20, "total_tokens": counted["total_input_tokens"] + 20}


def give_to_both(self: TwoProjects, usual: Any, body: Json) -> Any:
    """Answer the same request with the same interaction, whoever asks."""
    request = json.dumps(body, sort_keys=True)
    owner, answer = self.noted.get(request, (self.key, None))
    if owner == self.key:
        answer = usual(body)
        self.noted[request] = (owner, None if body.get("stream") else answer)
    return answer or usual(body)


def end_in_progress(self: ForeignService, usual: Any, run: Run, told: Json) -> Json:
    """End the stream of a background run with the status that it had."""
    event: Json = usual(run, told)
    if run.body.get("background"):
        event["interaction"]["status"] = "in_progress"
    return event


LIMIT = frozenset({"generation_config"})
KEYS = {"words": "--api-key A --other-api-key B"}

calling, forgetful, echoing = map(rows_of, (Calling, Forgetful, Echoing))
service, twice, limits = map(rows_of, (ForeignService, CallsTwice, Limits))
ROWS = [
    # Who polls would wait for ever for what the stream told long ago: a broken MUST, no missing feature.
    calling("calls: bg.requires-action -> pass bg.requires-action/-, exit 0"),
    # `tool_choice` forces a call in each mode.
    calling("calls-always: tool.choice-any tool.declared tool.call-fields tool.stream-call -> rest pass"),
    # The documentation of store=false makes no exception for streams.
    forgetful("forgets: store.false-get -> rest pass"),
    # A cancel of what has ended shows nothing; what counts is whether the run goes on.
    rows_of(TwoProjects)("two-projects: store.isolation -> pass store.isolation/-", **KEYS),
    rows_of(CountsApart)("counts-apart: store.isolation -> pass store.isolation/-", **KEYS),
    rows_of(Resuming)(
        "resumes-for-all: store.isolation -> fail store.isolation",
        words=f"{KEYS['words']} --capability +auth",
        handler=vary(Handler, dispatch=note_a_resume),
    ),
    rows_of(TwoProjects)(
        "caches-at-one-worker: store.isolation -> fail store.isolation",
        handler=vary(Handler, dispatch=keep_at_one_worker),
        **KEYS,
    ),
    rows_of(ShowsPart)(
        "shows-a-part: store.isolation -> fail store.isolation", words=f"{KEYS['words']} --capability +auth"
    ),
    rows_of(TwoProjects)(
        "gives-to-both: store.isolation create.id-unique -> fail create.id-unique", create=give_to_both, **KEYS
    ),
    # Streamed or not, a turn has to wait for the run that it continues.
    service("waits-for-its-parent: chain.running stream.done -> rest pass", lasts=2.0),
    # The arguments in a stream are UTF-8 that was read as Latin-1; they join to an object all the same.
    calling("streams-arguments: tool.stream-call -> pass tool.stream-call/-"),
    calling(
        "misspells: tool.stream-call -> fail tool.stream-call/arguments",
        tell_arguments=lambda self, usual, call: '{"direct": false, ' + usual(call)[1:].encode().decode("latin-1"),
        said=["GET lacks `direct`, which is false"],
    ),
    echoing("echoes: stream.text create.long-input -> rest pass"),
    echoing("cuts-letters: stream.text -> fail stream.text/cut", pieces=cut_letters),
    # U+2028 and U+0085 end a line of a text, and none of a stream.
    echoing("writes-separators: stream.json stream.text create.ok -> rest pass", encode=encode_raw),
    echoing(
        "splits-lines: stream.json stream.text -> fail stream.json/syntax, blocked stream.text, exit 1",
        said=["it ends in the middle (at a line break without its escape, U+2028 or U+0085?)"],
        encode=split_lines,
    ),
    # What GET shows as the user's words is half of them.
    echoing("keeps-input: get.own-input bg.result stream.text -> rest pass"),
    echoing(
        "halves-input-of-streams: get.own-input get.ok stream.text -> fail get.own-input/text, exit 1",
        keep=lambda self, usual, run, text: text[:5] if run.body.get("stream") else text,
    ),
    # Two calls in one stream: each has its own step, id and arguments.
    twice("calls-twice: tool.stream-parallel tool.ids-unique tool.stream-call stream.start-before -> rest pass"),
    # A cancel that may come too late, or never: a warning, in place of a rule that is not tested.
    rows_of(EndsAfterItsCancel)("ends-after-its-cancel: cancel.state -> warn cancel.state/completed, exit 0"),
    # What is stored has an id in each mode; a server that stores nothing gives none.
    service("names-no-plain-ones: create.id get.ok -> fail create.id, exit 1", create=name_no_plain_ones),
    # A limit belongs to one run, and is told of in each mode.
    limits("limits: create.cut-short chain.no-limits bg.create -> rest pass"),
    limits("ends-early: create.cut-short -> rest not_applicable", prepare=end_early),
    # Its tokens are more than words, so that a cut text has more of them than its limit.
    limits("counts-more: create.cut-short chain.no-limits -> rest pass", usage=count_twenty),
    limits("keeps: chain.no-limits -> fail chain.no-limits", usage=count_twenty, limits=limit_later_ones),
    # A mock with a fixed text: its user excludes what such a text cannot show.
    service(
        "tells-nothing: rob.concurrent-output chain.no-limits create.ok -> "
        "untestable rob.concurrent-output, not_applicable chain.no-limits, exit 0",
        words="-v",
        said=["use --capability -prompts"],
        takes=LIMIT,
    ),
    service(
        "tells-nothing-strictly: rob.concurrent-output chain.no-limits create.ok -> "
        "fail rob.concurrent-output, exit 1",
        words="--strict --capability +prompts",
        takes=LIMIT,
    ),
    service(
        "mocks: rob.concurrent-output chain.no-limits create.ok rob.concurrent -> "
        "not_applicable chain.no-limits, rest pass, exit 0",
        said=["excluded: prompts"],
        words="--strict --capability -prompts",
        takes=LIMIT,
    ),
    service(
        "ends-in-progress: stream.completed-status bg.no-regress stream.end-matches-get -> "
        "fail stream.completed-status, exit 1",
        last_event=end_in_progress,
    ),
    echoing("limits-input: create.long-input -> rest not_applicable", admit=refuse_long),
]


test_a_promise_holds_in_each_mode = hold_each(ROWS)
"""What is broken in one mode alone is found there, and what is odd in it is right."""
