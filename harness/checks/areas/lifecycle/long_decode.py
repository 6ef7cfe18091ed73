"""Checks of long decoding: a background run whose answer is made in several hops.

Layer 2. A target that can be scripted is told how many hops to make. Elsewhere an answer of more than 65,536
tokens is needed, which nobody wants to pay for by accident: the capability `long-decode` must be declared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from harness.checks.capabilities import new_registry
from harness.checks.vocabulary.background_runs import read_whole_stream, script
from harness.checks.vocabulary.expect import at, finding, interaction_in
from harness.checks.vocabulary.polling import need_id, poll_until_settled
from harness.checks.vocabulary.stream_events import is_stream, stream_id
from harness.contract import read
from harness.contract.data.output import output_steps, output_text, steps_text
from harness.contract.data.step_diff import common_length
from harness.contract.judge.agreement import judge_identity
from harness.contract.judge.replies import SUCCESS
from harness.contract.judge.wording import format_value
from harness.contract.requests import RequestBuilder
from harness.kit.actions import Exchanges, Send, Steps
from harness.kit.check import exercise
from harness.outcome import Finding, Unmet
from harness.outcome.words import format_count
from harness.wire import Exchange

_LONG = new_registry()
CHECKS = _LONG.checks

TEXT = "The first hop ends within a sentence, the second goes on with it, and the third hop ends the answer."
HOPS = 3
BUDGET = 131_072
"""Output tokens: two hops of the service."""

INPUT = "Count from 1 to 40000 in English words, one number a line, and leave none out."
_SHOWN = 40
_ONE_OUTPUT = "the answer has one output, so it was not decoded in hops"


@exercise(requests=5, interactions=1)
def a_long_answer(t: RequestBuilder) -> Steps:
    """A background run with several outputs, polled and streamed; `text` is its text if it was scripted.

    Looks that came too early to find it are left out.
    """
    scripted = yield from script(t, "long-answer", text=TEXT, hops=HOPS)
    config = {"max_output_tokens": BUDGET}
    body = {"input": f"{INPUT} (long-answer)", "background": True, "generation_config": config}
    found = need_id((yield Send(t.create(body))))
    seen: Exchanges = {"asked": found, "text": TEXT if scripted else ""}
    polled = yield from poll_until_settled(t, found)
    seen["polled"] = [answer for answer in polled if answer.status in SUCCESS]
    seen["streamed"] = yield from read_whole_stream(t.get(found, stream=True))
    return seen


@_LONG.check(
    "long.same-id",
    a_long_answer,
    title="a long answer is one interaction",
    profile="background",
    requires=["background", "store", "long-decode"],
    accepts=["every output under the id of the create, in all looks at it", "one output: untestable"],
)
def _is_one_interaction(asked: str, polled: list[Exchange], streamed: Exchange) -> Iterator[Finding]:
    wrong = [*_find_other_ids(asked, polled, streamed), *_find_lost_outputs(polled)]
    stored = count_outputs(output_steps(interaction_in(polled[-1])))
    told = count_outputs(_steps_of(streamed))
    if told > stored:
        expected, actual = format_count(told, "output"), format_count(stored, "output")
        wrong.append(finding("GET shows fewer outputs than the stream", expected=expected, actual=actual))
    if not wrong and stored < 2:
        raise Unmet(_ONE_OUTPUT)
    yield from wrong


def _find_other_ids(asked: str, polled: list[Exchange], streamed: Exchange) -> Iterator[Finding]:
    for number, answer in enumerate(polled):
        yield from at(f"polled[{number}]", judge_identity("long.same-id", asked, interaction_in(answer).get("id")))
    told = stream_id(read(streamed).events) if is_stream(streamed) else ""
    if told:
        yield from at("streamed", judge_identity("long.same-id", asked, told))


def _find_lost_outputs(polled: list[Exchange]) -> Iterator[Finding]:
    """The text that a look showed must begin the text of the next one."""
    texts = [output_text(interaction_in(answer)) for answer in polled]
    for number, (before, after) in enumerate(pairwise(texts), 1):
        if not after.startswith(before):
            message = "a look no longer shows an output that was there"
            lost = finding(message, expected=format_value(before[:_SHOWN]), actual=format_value(after[:_SHOWN]))
            yield lost.at(exchange=f"polled[{number}]")


@_LONG.check(
    "long.join",
    a_long_answer,
    title="the outputs of a long answer join to its text",
    profile="background",
    requires=["background", "store", "long-decode"],
    accepts=["the text of the stream, and the one that was scripted", "one output: untestable"],
)
def _joins(text: str, polled: list[Exchange], streamed: Exchange) -> Iterator[Finding]:
    body = interaction_in(polled[-1])
    told = _steps_of(streamed)
    if count_outputs(output_steps(body)) < 2:
        raise Unmet(_ONE_OUTPUT)
    if not text and not told:
        raise Unmet("nothing says what the outputs have to join to: there is no stream of the run")
    stored = output_text(body)
    for whole, whose in ((text, "that was scripted"), (steps_text(told), "of the stream")):
        if whole and stored != whole:
            place = common_length(stored, whole)
            expected, actual = (format_value(one[max(0, place - 8) : place + _SHOWN]) for one in (whole, stored))
            message = f"the outputs do not join to the text {whose}, from character {place}"
            yield finding(message, expected=expected, actual=actual)


def count_outputs(steps: Sequence[Mapping[str, Any]]) -> int:
    """How many of the steps are outputs."""
    return sum(step.get("type") == "model_output" for step in steps)


def _steps_of(streamed: Exchange) -> list[dict[str, Any]]:
    return list(read(streamed).streamed_steps) if is_stream(streamed) and not streamed.truncated else []
