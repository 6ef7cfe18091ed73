"""Checks of background runs that begin or end unusually: queued, failed, truncated, decoded in several hops.

Only a scriptable target can be made to queue or to fail a run; elsewhere it happens by chance.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from harness.checks.areas.background import moves
from harness.checks.vocabulary import runs
from harness.checks.vocabulary.expect import at, finding, interaction_in
from harness.checks.vocabulary.shared import HELLO
from harness.checks.vocabulary.streams import completion, events_in, expect_stream, is_stream, of_kind, stream_id
from harness.contract import read
from harness.contract.judge.agreement import judge_identity
from harness.contract.judge.answer import SUCCESS
from harness.contract.judge.body import count_tokens
from harness.contract.judge.reading import format_value
from harness.contract.requests import RequestBuilder
from harness.contract.transcript import common_length, output_steps, output_text, steps_text
from harness.kit.check import Exchanges, Send, Steps, exercise
from harness.outcome import Finding, Unmet
from harness.outcome.words import format_count
from harness.wire import Exchange

ERROR = {"code": "api_error", "message": "The run failed on purpose."}


@exercise(requests=4, interactions=1)
def a_queued_run(t: RequestBuilder) -> Steps:
    """A run that is queued before it begins; on a target that cannot be scripted this happens by chance."""
    queued = yield from runs.script(t, "queued-run", queued=1, ticks=1)
    created: Exchange = yield Send(t.create(input=f"{HELLO} (queued-run)", background=True))
    found = runs.need_id(created)
    return {"queued": queued, "history": [created, *(yield from runs.polls(t, found))]}


@exercise(requests=5, interactions=1)
def a_failed_run(t: RequestBuilder) -> Steps:
    """A run that was scripted to fail, polled and replayed."""
    yield from runs.require_script(t, "failed-run", status="failed", errors=[ERROR])
    created: Exchange = yield Send(t.create(input=f"{HELLO} (failed-run)", background=True))
    found = runs.need_id(created)
    polled = yield from runs.polls(t, found)
    return {"failed": polled[-1], "failed_stream": (yield from runs.read_whole_stream(t.get(found, stream=True)))}


@exercise(requests=5, interactions=1)
def a_run_cut_short(t: RequestBuilder) -> Steps:
    """A run whose output is limited to one token, polled and replayed."""
    yield from runs.script(t, "short-run", status="incomplete", text="Hel")
    body = {"input": f"{HELLO} (short-run)", "generation_config": {"max_output_tokens": 1}}
    created: Exchange = yield Send(t.create(body, background=True))
    found = runs.need_id(created)
    polled = yield from runs.poll_until_settled(t, found)
    return {"cut_short": polled[-1], "its_stream": (yield from runs.read_whole_stream(t.get(found, stream=True)))}


def says_that_it_waits(queued: bool, history: list[Exchange]) -> Iterator[Finding]:
    if all(runs.status_of(answer) != "queued" for answer in history):
        if not queued:
            raise Unmet("no run was queued", race_lost=True, remedy="while the server queues runs")
        yield finding("no response showed the run as `queued`", "queued", runs.show_status(history[0]))
    yield from moves("bg.queued", history)
    if not runs.settled(history[-1]):
        yield finding("a queued run never settled", "a settled status", runs.show_status(history[-1]))


def says_why(failed: Exchange) -> Iterator[Finding]:
    body = interaction_in(failed)
    in_steps = any(step.get("error") for step in output_steps(body))
    if not body.get("errors") and not in_steps:
        yield finding("the failed run gives no reason", "errors, or the error of a step", "neither")


def shows_truncation(cut_short: Exchange, its_stream: Exchange) -> Iterator[Finding]:
    if runs.status_of(cut_short) != "incomplete" and _read_stream_status(its_stream) != "incomplete":
        made = count_tokens(interaction_in(cut_short), "output")
        if made > 1:
            raise Unmet(f"the limit of one output token was ignored: the run returned {made} and is not truncated")
        remedy = "with a model that writes more than one token (`--model`)"
        raise Unmet(f"one token was sufficient: {runs.status_of(cut_short)!r}", race_lost=True, remedy=remedy)
    yield from at("cut_short", shows(cut_short, "incomplete"))
    yield from at("its_stream", streams(its_stream, "incomplete"))


def _read_stream_status(stream: Exchange) -> str:
    if not is_stream(stream) or stream.truncated:
        return ""
    status = (completion(events_in(stream)) or {}).get("status")
    return status if isinstance(status, str) else ""


def shows(got: Exchange, status: str) -> Iterator[Finding]:
    """Require `status` in a GET."""
    if runs.status_of(got) != status:
        yield finding("GET shows another status than that of the run", status, runs.show_status(got))


def streams(stream: Exchange, status: str) -> Iterator[Finding]:
    """Require `status` at the end of a stream."""
    yield from expect_stream(stream)
    reported = bool(of_kind(events_in(stream), "error"))
    if _read_stream_status(stream) != status and not (status == "failed" and reported):
        actual = _read_stream_status(stream) or "no interaction.completed"
        yield finding("the stream ends with another status", status, actual)


# --- long decoding: a background run whose answer is made in several hops

TEXT = "The first hop ends within a sentence, the second goes on with it, and the third hop ends the answer."

INPUT = "Count from 1 to 40000 in English words, one number a line, and leave none out."
_SHOWN = 40
_ONE_OUTPUT = "the response has one output, so it was not decoded in parts"


@exercise(requests=5, interactions=1)
def a_long_answer(t: RequestBuilder) -> Steps:
    """A background run with several outputs, polled and streamed; `text` is its text if it was scripted.

    Looks that came too early to find it are left out.
    """
    scripted = yield from runs.script(t, "long-answer", text=TEXT, hops=3)
    # Output tokens: two hops of the service.
    config = {"max_output_tokens": 131_072}
    body = {"input": f"{INPUT} (long-answer)", "background": True, "generation_config": config}
    found = runs.need_id((yield Send(t.create(body))))
    seen: Exchanges = {"asked": found, "text": TEXT if scripted else ""}
    polled = yield from runs.poll_until_settled(t, found)
    seen["polled"] = [answer for answer in polled if answer.status in SUCCESS]
    seen["streamed"] = yield from runs.read_whole_stream(t.get(found, stream=True))
    return seen


def is_one_interaction(asked: str, polled: list[Exchange], streamed: Exchange) -> Iterator[Finding]:
    wrong: list[Finding] = []
    for number, answer in enumerate(polled):
        wrong += at(f"polled[{number}]", judge_identity("long.same-id", asked, interaction_in(answer).get("id")))
    if streamed_id := stream_id(read(streamed).events) if is_stream(streamed) else "":
        wrong += at("streamed", judge_identity("long.same-id", asked, streamed_id))
    # The text that a look showed must begin the text of the next one.
    texts = [output_text(interaction_in(answer)) for answer in polled]
    for number, (before, after) in enumerate(pairwise(texts), 1):
        if not after.startswith(before):
            shown = format_value(before[:_SHOWN]), format_value(after[:_SHOWN])
            message = "a later GET lacks an earlier output"
            wrong.append(finding(message, *shown, code="long.same-id/lost", exchange=f"polled[{number}]"))
    stored = count_outputs(output_steps(interaction_in(polled[-1])))
    streamed_outputs = count_outputs(_steps_of(streamed))
    if streamed_outputs > stored:
        expected, actual = format_count(streamed_outputs, "output"), format_count(stored, "output")
        message = "GET shows fewer outputs than the stream"
        wrong.append(finding(message, expected=expected, actual=actual, code="long.same-id/lost"))
    if not wrong and stored < 2:
        raise Unmet(_ONE_OUTPUT)
    yield from wrong


def joins(text: str, polled: list[Exchange], streamed: Exchange) -> Iterator[Finding]:
    body = interaction_in(polled[-1])
    streamed_steps = _steps_of(streamed)
    if count_outputs(output_steps(body)) < 2:
        raise Unmet(_ONE_OUTPUT)
    if not text and not streamed_steps:
        raise Unmet("the run has no stream to compare the joined outputs with")
    stored = output_text(body)
    for whole, whose in ((text, "that was scripted"), (steps_text(streamed_steps), "of the stream")):
        if whole and stored != whole:
            place = common_length(stored, whole)
            expected, actual = (format_value(one[max(0, place - 8) : place + _SHOWN]) for one in (whole, stored))
            yield finding(f"the outputs do not join to the text {whose}, from character {place}", expected, actual)


def count_outputs(steps: Sequence[Mapping[str, Any]]) -> int:
    """How many of the steps are outputs."""
    return sum(step.get("type") == "model_output" for step in steps)


def _steps_of(streamed: Exchange) -> list[dict[str, Any]]:
    return list(read(streamed).streamed_steps) if is_stream(streamed) and not streamed.truncated else []
