"""Checks of the content of an answer: its token counts, and the fields of its steps.

Layer 2. The contract judges these rules on any body; here they are applied to a target's answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.checks.vocabulary.expect import at, interaction_in, of_rule
from harness.contract.data.transcript import output_steps
from harness.contract.judge.members import has_to_count
from harness.outcome import Finding, Unmet
from harness.wire import Exchange


def judge_usage(rule: str, created: Exchange) -> Iterator[Finding]:
    _need_usage(created)
    yield from of_rule(rule, created)


def counts_something(created: Exchange) -> Iterator[Finding]:
    _need_usage(created)
    if not has_to_count(interaction_in(created)):
        raise Unmet("the response is not completed, or has no text or no total")
    yield from of_rule("usage.counted", created)


def types_steps(created: Exchange, got: Exchange) -> Iterator[Finding]:
    interaction_in(created)
    for name, answer in (("created", created), ("got", got)):
        yield from at(name, of_rule("steps.discriminator", answer))


def encodes_data(created: Exchange) -> Iterator[Finding]:
    steps = output_steps(interaction_in(created))
    if not any(_holds(step, ("signature", "data")) for step in steps):
        raise Unmet("the response contains neither data nor a signature")
    yield from of_rule("steps.base64", created)


def answers_earlier_calls(answer: Exchange) -> Iterator[Finding]:
    if not any("call_id" in step for step in output_steps(interaction_in(answer))):
        raise Unmet("the response contains no result step")
    yield from of_rule("steps.result-match", answer)


def annotates_within_the_text(answer: Exchange) -> Iterator[Finding]:
    if not any(_holds(step, ("annotations",)) for step in output_steps(interaction_in(answer))):
        raise Unmet("the response contains no annotation")
    yield from of_rule("steps.annotation-range", answer)


def _need_usage(answer: Exchange) -> None:
    if not isinstance(interaction_in(answer).get("usage"), dict):
        raise Unmet("the response contains no usage")


def _holds(value: Any, names: tuple[str, ...]) -> bool:
    if isinstance(value, Mapping):
        return any(name in value for name in names) or any(_holds(one, names) for one in value.values())
    return isinstance(value, list) and any(_holds(one, names) for one in value)
