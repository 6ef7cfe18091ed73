"""Exercises and judges of wrong creates, made from the rows of `contract/tables/refusals`.

Layer 2. That row says what is sent and which statuses answer it; the row of the rule says the rest of the check.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.checks.vocabulary.expect import at, expect_reply
from harness.checks.vocabulary.stored import HELLO
from harness.contract.judge.wording import format_value
from harness.contract.requests import RequestBuilder
from harness.contract.tables.refusals import REFUSALS, Changes, Own
from harness.kit.actions import Exchanges, Send, Steps
from harness.outcome import Finding
from harness.wire import Exchange


def send_wrong_creates(t: RequestBuilder, *rules: str, timeout: float | None = None) -> Steps:
    """Send the creates of some rules, one after the other; return the answers by name."""
    own = {Own.MODEL: t.model, Own.AGENT: t.agent, Own.ENVIRONMENT: t.environment}
    answers: Exchanges = {}
    for rule in rules:
        for name, body in REFUSALS[rule].bodies({"input": HELLO}, own):
            answers[name] = yield Send(t.create(body), timeout=timeout)
    return answers


def _describe_changes(changes: Changes) -> str:
    """What is wrong with a create: `tools "none"`, `no input`, `model and agent`."""
    own = [field for field, value in changes.items() if isinstance(value, Own)]
    words = [
        f"no {field}" if value is None else f"{field} {format_value(value)}"
        for field, value in changes.items()
        if field not in own
    ]
    return " and ".join([*own, *words])


def judge_refusals(rule: str, **answers: Exchange) -> Iterator[Finding]:
    """Judge the answers to a rule's creates, by their names, by its row."""
    creates = REFUSALS[rule].creates
    for name, answer in answers.items():
        yield from at(name, expect_reply(rule, answer, _describe_changes(creates[name])))
