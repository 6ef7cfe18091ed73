"""Checks of what a create asks of its answer: a format, thoughts without summaries, a tier, a limit of tokens.

Layer 2.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.checks.capabilities import new_registry
from harness.checks.vocabulary.background_runs import read_whole_stream
from harness.checks.vocabulary.expect import expect_interaction, expect_offered, finding, interaction_in
from harness.checks.vocabulary.stored import a_stored_interaction
from harness.checks.vocabulary.stream_events import completion, events_in, expect_stream
from harness.contract import read
from harness.contract.data import json_parse
from harness.contract.data.output import output_contents, output_steps, output_text, steps_text
from harness.contract.judge.replies import CLIENT_ERROR, SUCCESS
from harness.contract.judge.usage import count_output
from harness.contract.judge.wording import format_answer, format_value
from harness.contract.requests import RequestBuilder
from harness.kit.actions import Send, Steps
from harness.kit.check import exercise
from harness.outcome import Finding, Unmet
from harness.wire import Exchange

_FEW_TOKENS = 8
_ANSWERS = new_registry()
CHECKS = _ANSWERS.checks

JSON_FORMAT = {
    "type": "text",
    "mime_type": "application/json",
    "schema": {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]},
}
TIERS = frozenset({"standard", "flex", "priority"})
TIER_HEADER = "x-gemini-service-tier"


@exercise(requests=1, interactions=1)
def a_json_answer(t: RequestBuilder) -> Steps:
    """A create that requests JSON by a small schema."""
    return {"formatted": (yield Send(t.create(input="Any word.", response_format=JSON_FORMAT)))}


@_ANSWERS.check(
    "create.response-format",
    a_json_answer,
    title="a JSON response_format brings text that parses as JSON",
    profile="core",
    accepts=["any JSON value", "a refusal, from a model without formats: untestable"],
)
def _gives_json(formatted: Exchange) -> Iterator[Finding]:
    yield from expect_offered(formatted)
    body = interaction_in(formatted)
    if body.get("status") != "completed":
        raise Unmet(f"the answer is not completed but {format_value(body.get('status'))}")
    text = output_text(body)
    if not _is_json(text):
        yield finding("the output text is no JSON", expected="JSON", actual=format_value(text)).at(
            pointer="$.steps"
        )


@exercise(requests=1, interactions=1)
def a_json_stream(t: RequestBuilder) -> Steps:
    """The same, streamed."""
    body = {"input": "Any word.", "response_format": JSON_FORMAT}
    return {"streamed": (yield from read_whole_stream(t.create(body, stream=True)))}


@_ANSWERS.check(
    "create.format-streamed",
    a_json_stream,
    title="the deltas of a JSON answer join to JSON",
    profile="streaming",
    requires=["stream"],
    accepts=["any JSON value", "a refusal, from a model without formats: untestable"],
)
def _streams_formats(streamed: Exchange) -> Iterator[Finding]:
    if streamed.status in CLIENT_ERROR:
        raise Unmet(f"formats are not streamed: {format_answer(streamed)}")
    yield from expect_stream(streamed)
    status = (completion(events_in(streamed)) or {}).get("status")
    if status != "completed":
        raise Unmet(f"the stream does not end as completed but {format_value(status)}")
    text = steps_text(read(streamed).streamed_steps)
    if not _is_json(text):
        yield finding("the streamed text is no JSON", expected="JSON", actual=format_value(text))


@exercise(requests=1, interactions=1)
def an_answer_in_pixels(t: RequestBuilder) -> Steps:
    """A create that requests an image."""
    body = {"input": "Draw a red circle on white ground.", "response_format": {"type": "image"}}
    return {"drawn": (yield Send(t.create(body)))}


@exercise(requests=1, interactions=1)
def an_answer_aloud(t: RequestBuilder) -> Steps:
    """A create that requests speech."""
    body = {"input": "Say cheerfully: good morning!", "response_format": {"type": "audio"}}
    return {"spoken": (yield Send(t.create(body)))}


_MEDIA = ["data or a uri, of any type of this kind", "a run that does not complete: untestable"]


@_ANSWERS.check(
    "create.format-image",
    an_answer_in_pixels,
    title="an image that is asked for is answered",
    profile="core",
    requires=["image-answers"],
    accepts=_MEDIA,
)
def _draws(drawn: Exchange) -> Iterator[Finding]:
    yield from _is_medium(drawn, "image")


@_ANSWERS.check(
    "create.format-audio",
    an_answer_aloud,
    title="speech that is asked for is answered",
    profile="core",
    requires=["audio-answers"],
    accepts=_MEDIA,
)
def _speaks(spoken: Exchange) -> Iterator[Finding]:
    yield from _is_medium(spoken, "audio")


def _is_medium(answer: Exchange, kind: str) -> Iterator[Finding]:
    """A completed answer must have a content of that kind, with something in it."""
    yield from expect_interaction(answer)
    if answer.status not in SUCCESS:
        return
    body = interaction_in(answer)
    if body.get("status") != "completed":
        raise Unmet(f"the answer is not completed but {format_value(body.get('status'))}")
    found = output_contents(body)
    if not any(one.get("type") == kind and (one.get("data") or one.get("uri")) for one in found):
        actual = ", ".join(str(one.get("type")) for one in found) or "no content"
        yield finding(f"no {kind} in the answer", expected=f"{kind} with data or uri", actual=actual)


@exercise(requests=1, interactions=1)
def a_thought_without_summary(t: RequestBuilder) -> Steps:
    """A question to think about, with summaries of thoughts switched off."""
    config = {"thinking_level": "low", "thinking_summaries": "none"}
    return {"thought": (yield Send(t.create(input="What is 17 times 23?", generation_config=config)))}


@_ANSWERS.check(
    "create.no-summaries",
    a_thought_without_summary,
    title="thinking_summaries none brings no summary",
    profile="core",
    accepts=["thoughts with a signature only, or an empty summary", "no thought, or a refusal: untestable"],
)
def _summarises_nothing(thought: Exchange) -> Iterator[Finding]:
    yield from expect_offered(thought)
    thoughts = [step for step in output_steps(interaction_in(thought)) if step.get("type") == "thought"]
    if not thoughts:
        raise Unmet("the model shows no thought")
    for step in thoughts:
        if step.get("summary"):
            actual = format_value(step["summary"])
            yield finding("a thought has a summary that nobody asked for", expected="none", actual=actual)


@_ANSWERS.check(
    "tier.echo",
    a_stored_interaction,
    title="an interaction shows its service tier",
    profile="core",
    accepts=["standard, flex or priority", "another word"],
)
def _shows_its_tier(created: Exchange) -> Iterator[Finding]:
    tier = interaction_in(created).get("service_tier")
    if not isinstance(tier, str) or not tier:
        yield finding("the tier is not shown", expected="a word as service_tier", actual=format_value(tier))


@_ANSWERS.check(
    "tier.header",
    a_stored_interaction,
    title="the header of the service tier names the tier",
    profile="core",
    accepts=["a tier that the reference lists", "no header: untestable"],
)
def _names_the_tier(created: Exchange) -> Iterator[Finding]:
    told = created.headers.get(TIER_HEADER)
    if not told:
        raise Unmet(f"there is no {TIER_HEADER}")
    shown = interaction_in(created).get("service_tier", told)
    if told not in TIERS or told != shown:
        expected = f"one of {', '.join(sorted(TIERS))}" if told not in TIERS else f"{shown}, as the body says"
        yield finding(f"{TIER_HEADER} says something else", expected=expected, actual=told)


@exercise(requests=1, interactions=1)
def a_tiny_limit(t: RequestBuilder) -> Steps:
    """A create with a limit of a few output tokens."""
    limit = {"max_output_tokens": _FEW_TOKENS}
    return {"limited": (yield Send(t.create(input="Count from 1 to 100.", generation_config=limit)))}


@_ANSWERS.check(
    "create.max-tokens",
    a_tiny_limit,
    title="a tiny max_output_tokens bounds the answer",
    profile="core",
    accepts=["incomplete", "completed", "400 to a limit below the model's own (non-strict)"],
)
def _bears_limits(limited: Exchange) -> Iterator[Finding]:
    yield from expect_interaction(limited, tolerates={400})
    if limited.status not in SUCCESS:
        return
    body = interaction_in(limited)
    status, made = body.get("status"), count_output(body.get("usage"))
    if status not in ("incomplete", "completed"):
        wanted = "incomplete or completed"
        yield finding("another status", expected=wanted, actual=format_value(status)).at(pointer="$.status")
    elif status == "completed" and made > _FEW_TOKENS:
        expected, actual = f"at most {_FEW_TOKENS} output tokens, or incomplete", f"{made}, completed"
        yield Finding.from_code("create.max-tokens/ignored", "the limit changes nothing", expected, actual)


def _is_json(text: str) -> bool:
    return json_parse.loads(text.encode("utf-8", "replace")).fault in ("", "surrogate")
