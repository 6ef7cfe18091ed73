"""Checks of creating an interaction: what the answer contains, and which forms of input are accepted.

Layer 2. For creates that must be refused, and for options, see `create_options`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from harness.checks.capabilities import new_registry
from harness.checks.vocabulary.expect import (
    among,
    at,
    expect_interaction,
    expect_refusal,
    expect_reply,
    expect_settled,
    finding,
    interaction_in,
    object_in,
    of_rule,
    require_answer,
)
from harness.checks.vocabulary.stored import HELLO, a_stored_interaction, several_interactions
from harness.contract import read
from harness.contract.data.output import steps_of
from harness.contract.judge.agreement import judge_id, judge_new_id
from harness.contract.judge.answer import judge_json_object
from harness.contract.judge.replies import SUCCESS
from harness.contract.judge.status_words import judge_ends
from harness.contract.judge.usage import has_counts
from harness.contract.judge.wording import format_answer, format_value
from harness.contract.requests import RequestBuilder
from harness.kit.actions import Send, Steps
from harness.kit.check import exercise, judge_one
from harness.outcome import Finding, Unmet
from harness.wire import Exchange

_CREATE = new_registry()
CHECKS = _CREATE.checks


@_CREATE.check(
    "create.ok",
    a_stored_interaction,
    title="a model and a string input bring an interaction",
    profile="core",
    accepts=["200", "another 2xx (non-strict)"],
)
def _creates(created: Exchange) -> Iterator[Finding]:
    yield from expect_reply("create.ok", created)
    body = read(created).json
    if created.status in SUCCESS and not (isinstance(body, dict) and body):
        yield finding("the answer is no JSON object", expected="an interaction", actual=format_answer(created))


@_CREATE.check(
    "create.status",
    several_interactions,
    title="an interaction has a status, in the words of the reference",
    profile="core",
    accepts=["the listed words as they are spelled", "new words, unless no plain run ends in a listed one"],
    everywhere=True,
)
def _has_a_status(creates: Sequence[Exchange]) -> Iterator[Finding]:
    shown = [created for created in creates if object_in(created)] or [*creates[:1]]
    statuses = [str(interaction_in(created).get("status")) for created in shown]
    broken = [*among("creates", shown, partial(of_rule, "create.status"))]
    yield from broken[:1] or judge_ends(statuses, read(shown[0]).contract.statuses)


@_CREATE.check(
    "create.status-listed",
    a_stored_interaction,
    title="a status is one that the reference lists",
    profile="core",
    accepts=["the listed statuses, in bodies and in streams"],
    everywhere=True,
)
def _is_a_listed_status(created: Exchange) -> Iterator[Finding]:
    interaction_in(created)
    for other in of_rule("create.status", created):
        raise Unmet(other.message)
    yield from of_rule("create.status-listed", created)


@_CREATE.check(
    "create.generation",
    a_stored_interaction,
    title="output is in steps, not in outputs",
    profile="core",
    accepts=["steps", "neither, where there is no output"],
    everywhere=True,
)
def _is_of_this_generation(created: Exchange) -> Iterator[Finding]:
    interaction_in(created)
    yield from of_rule("create.generation", created)


@_CREATE.check(
    "create.schema",
    a_stored_interaction,
    title="an interaction fits its schema",
    profile="core",
    accepts=["additional fields", "unknown kinds of steps and content (noted)"],
    everywhere=True,
)
def _fits_the_schema(created: Exchange) -> Iterator[Finding]:
    interaction_in(created)
    yield from of_rule("create.schema", created)


_CREATE.check(
    "create.final",
    a_stored_interaction,
    title="a foreground create answers with a settled status",
    profile="core",
    accepts=["any status but queued and in_progress"],
)(judge_one("created", expect_settled))


@_CREATE.check(
    "create.id",
    a_stored_interaction,
    title="a stored interaction has an id",
    profile="core",
    requires=["store"],
    accepts=["any non-empty string"],
)
def _has_an_id(created: Exchange) -> Iterator[Finding]:
    yield from judge_id("create.id", interaction_in(created).get("id"))


@_CREATE.check(
    "create.id-unique",
    several_interactions,
    title="every create brings another id, also after a delete",
    profile="core",
    requires=["store"],
    accepts=["different ids"],
    everywhere=True,
)
def _has_its_own_id(first: Exchange, second: Exchange, third: Exchange) -> Iterator[Finding]:
    given: list[object] = []
    for name, answer in {"first": first, "second": second, "third": third}.items():
        yield from at(name, expect_interaction(answer))
        found = interaction_in(answer).get("id")
        yield from at(name, judge_new_id(given, found))
        given.append(found)


@_CREATE.check(
    "create.object",
    a_stored_interaction,
    title="an interaction says what it is",
    profile="core",
    accepts=['object is "interaction"'],
)
def _says_what_it_is(created: Exchange) -> Iterator[Finding]:
    found = interaction_in(created).get("object")
    if found != "interaction":
        yield finding("another object", expected='"interaction"', actual=format_value(found)).at(
            pointer="$.object"
        )


@_CREATE.check(
    "create.times",
    a_stored_interaction,
    title="created and updated are times, in this order",
    profile="core",
    accepts=["Z or an offset", "with or without fractions", "equal times"],
    everywhere=True,
)
def _has_times(created: Exchange) -> Iterator[Finding]:
    body = interaction_in(created)
    for name in ("created", "updated"):
        if not body.get(name):
            yield finding(f"no {name} time", expected="an ISO 8601 time").at(pointer=f"$.{name}")
    yield from of_rule("create.times", created)


@_CREATE.check(
    "create.model-echo",
    a_stored_interaction,
    title="an interaction names the model that ran",
    profile="core",
    accepts=["the model asked for", "any other name: an alias resolves"],
)
def _names_its_model(created: Exchange) -> Iterator[Finding]:
    found = interaction_in(created).get("model")
    if not found:  # another type breaks the schema
        yield finding("no model", expected="a name", actual=format_value(found)).at(pointer="$.model")


@_CREATE.check(
    "create.steps-output-only",
    a_stored_interaction,
    title="the steps of a create's answer are output",
    profile="core",
    accepts=["no step of type user_input"],
)
def _shows_output_only(created: Exchange) -> Iterator[Finding]:
    if any(step.get("type") == "user_input" for step in steps_of(interaction_in(created))):
        yield finding("the caller's input is among the steps", expected="output steps only").at(pointer="$.steps")


@_CREATE.check(
    "create.completed-has-output",
    a_stored_interaction,
    title="a completed answer holds model output",
    profile="core",
    accepts=["at least one model_output step"],
)
def _has_output(created: Exchange) -> Iterator[Finding]:
    body = interaction_in(created)
    if body.get("status") != "completed":
        raise Unmet(f"the answer is not completed but {format_value(body.get('status'))}")
    kinds = [step.get("type") for step in steps_of(body)]
    if "model_output" not in kinds:
        yield finding("no model_output step", actual=format_value(kinds)).at(pointer="$.steps")


@_CREATE.check(
    "create.usage",
    a_stored_interaction,
    title="an answer says what it cost",
    profile="core",
    accepts=["a usage object", "none on what failed or was cancelled"],
)
def _says_its_cost(created: Exchange) -> Iterator[Finding]:
    body = interaction_in(created)
    if body.get("status") in ("failed", "cancelled") or has_counts(body.get("usage")):
        return
    message = "no token count that the reference names" if body.get("usage") else "no usage"
    actual = format_value(body.get("usage"))
    yield finding(message, expected="an object with total_tokens", actual=actual).at(pointer="$.usage")


@exercise(requests=6, interactions=5)
def every_input_form(t: RequestBuilder) -> Steps:
    """A create for each form of input; the first sets stream=false, and the bare string has no stream field."""
    text = {"type": "text", "text": HELLO}
    return {
        "content": (yield Send(t.create(input=text, stream=False))),
        "contents": (yield Send(t.create(input=[text]))),
        "steps": (yield Send(t.create(input=[{"type": "user_input", "content": [text]}]))),
        "silent": (yield Send(t.create(input=HELLO, stream=None))),
        "bare_step": (yield Send(t.create(input=[{"type": "user_input", "content": HELLO}]))),
        "turns": (yield Send(t.create(input=[{"role": "user", "content": [text]}]))),
    }


_CREATE.check(
    "create.input-content",
    every_input_form,
    title="one content object is taken as input",
    profile="core",
    accepts=["2xx"],
)(judge_one("content", expect_interaction))


_CREATE.check(
    "create.input-contents",
    every_input_form,
    title="a list of content objects is taken as input",
    profile="core",
    accepts=["2xx"],
)(judge_one("contents", expect_interaction))


_CREATE.check(
    "create.input-steps",
    every_input_form,
    title="a list of steps is taken as input",
    profile="core",
    accepts=["2xx"],
)(judge_one("steps", expect_interaction))


_CREATE.check(
    "create.input-bare-step",
    every_input_form,
    title="a bare string is taken as the content of a user_input step",
    profile="core",
    accepts=["2xx"],
)(judge_one("bare_step", expect_interaction))


@_CREATE.check(
    "create.input-turns",
    every_input_form,
    title="turns with a role are taken, or refused as the old form",
    profile="core",
    accepts=["2xx", "400", "another 4xx (non-strict)"],
)
def _bears_turns(turns: Exchange) -> Iterator[Finding]:
    if turns.status in SUCCESS:
        yield from expect_interaction(turns)
    else:
        yield from expect_refusal(turns, {400})


@_CREATE.check(
    "create.no-stream-json",
    every_input_form,
    title="with stream false or absent the answer is JSON",
    profile="core",
    accepts=["one JSON body"],
)
def _streams_only_when_asked(content: Exchange, silent: Exchange) -> Iterator[Finding]:
    asked_for = (("silent", silent), ("content", content))
    taken = [one for one in asked_for if require_answer(one[1]).status in SUCCESS]
    if not taken:
        raise Unmet(f"the create was refused: {format_answer(silent)}")
    for name, answer in taken:
        yield from at(name, judge_json_object(answer))
