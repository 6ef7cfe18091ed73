"""Checks of the content of an answer: its token counts, and the fields of its steps.

Layer 2. The contract judges these rules on any body; here they are applied to a target's answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.checks.areas.tool_use.search import a_search
from harness.checks.capabilities import new_registry
from harness.checks.vocabulary.expect import at, interaction_in, of_rule
from harness.checks.vocabulary.stored import a_stored_interaction
from harness.contract.data.output import output_steps
from harness.contract.judge.usage import has_to_count
from harness.outcome import Finding, Unmet
from harness.wire import Exchange

_USAGE = new_registry()
CHECKS = _USAGE.checks


@_USAGE.check(
    "usage.types",
    a_stored_interaction,
    title="token counts are non-negative integers",
    profile="core",
    accepts=["any such numbers", "fields that no published type lists"],
    everywhere=True,
)
def _counts_tokens(created: Exchange) -> Iterator[Finding]:
    _need_usage(created)
    yield from of_rule("usage.types", created)


@_USAGE.check(
    "usage.sum",
    a_stored_interaction,
    title="the total is the sum of its parts",
    profile="core",
    accepts=["input + output + thought", "the same and tool use"],
    everywhere=True,
)
def _adds_up(created: Exchange) -> Iterator[Finding]:
    _need_usage(created)
    yield from of_rule("usage.sum", created)


@_USAGE.check(
    "usage.counted",
    a_stored_interaction,
    title="an answer with text has counted tokens",
    profile="core",
    accepts=["any count above 0", "no counts"],
    everywhere=True,
)
def _counts_something(created: Exchange) -> Iterator[Finding]:
    _need_usage(created)
    if not has_to_count(interaction_in(created)):
        raise Unmet("the answer is not completed, or has no text or no total")
    yield from of_rule("usage.counted", created)


@_USAGE.check(
    "usage.modality",
    a_stored_interaction,
    title="tokens by modality stay within their totals",
    profile="core",
    accepts=["parts that are less than the total", "no such lists"],
    everywhere=True,
)
def _splits_within(created: Exchange) -> Iterator[Finding]:
    _need_usage(created)
    yield from of_rule("usage.modality", created)


@_USAGE.check(
    "steps.discriminator",
    a_stored_interaction,
    title="steps, content and annotations have a type",
    profile="core",
    requires=["store"],
    accepts=["unknown types", "summary items of a thought without one"],
    everywhere=True,
)
def _types_steps(created: Exchange, got: Exchange) -> Iterator[Finding]:
    interaction_in(created)
    for name, answer in (("created", created), ("got", got)):
        yield from at(name, of_rule("steps.discriminator", answer))


@_USAGE.check(
    "steps.base64",
    a_stored_interaction,
    title="inline data and signatures are base64",
    profile="core",
    accepts=["the standard or the URL alphabet", "an empty string"],
    everywhere=True,
)
def _encodes_data(created: Exchange) -> Iterator[Finding]:
    steps = output_steps(interaction_in(created))
    if not any(_holds(step, ("signature", "data")) for step in steps):
        raise Unmet("the answer holds neither data nor a signature")
    yield from of_rule("steps.base64", created)


@_USAGE.check(
    "steps.result-match",
    a_search,
    title="result steps answer call steps before them",
    profile="tools",
    requires=["search"],
    accepts=["call_id names an earlier call"],
    everywhere=True,
)
def _answers_earlier_calls(answer: Exchange) -> Iterator[Finding]:
    if not any("call_id" in step for step in output_steps(interaction_in(answer))):
        raise Unmet("the answer holds no result step")
    yield from of_rule("steps.result-match", answer)


@_USAGE.check(
    "steps.annotation-range",
    a_search,
    title="annotations lie within their text, counted in bytes",
    profile="tools",
    requires=["search"],
    accepts=["0 <= start < end <= length", "no indices"],
    everywhere=True,
)
def _annotates_within_the_text(answer: Exchange) -> Iterator[Finding]:
    if not any(_holds(step, ("annotations",)) for step in output_steps(interaction_in(answer))):
        raise Unmet("the answer holds no annotation")
    yield from of_rule("steps.annotation-range", answer)


def _need_usage(answer: Exchange) -> None:
    if not isinstance(interaction_in(answer).get("usage"), dict):
        raise Unmet("the answer holds no usage")


def _holds(value: Any, names: tuple[str, ...]) -> bool:
    if isinstance(value, Mapping):
        return any(name in value for name in names) or any(_holds(one, names) for one in value.values())
    return isinstance(value, list) and any(_holds(one, names) for one in value)
