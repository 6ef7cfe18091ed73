"""Exercises and judges of wrong creates, made from the rows of `contract/tables/refusals`.

Layer 2. A row says what is sent and which statuses answer it; the area module says the rest of the check.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from harness.checks.vocabulary.expect import at, expect_reply
from harness.checks.vocabulary.stored import HELLO
from harness.contract.judge.wording import format_value
from harness.contract.requests import RequestBuilder
from harness.contract.tables.refusals import REFUSALS, Changes, Own
from harness.kit.actions import Exchanges, Send, Steps
from harness.kit.check import Exercise, Registry, take
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


def check_refusal(
    registry: Registry,
    rule: str,
    exercise: Exercise,
    *,
    title: str,
    profile: str,
    requires: Iterable[str] = (),
    accepts: Iterable[str],
) -> None:
    """Register the check that judges the answers to a rule's creates by its row.

    `accepts` says in words what the row says in statuses. Raises ValueError for a rule without a row.
    """
    if rule not in REFUSALS:
        raise ValueError(f"{rule}: no row in harness.contract.tables.refusals: write the row first")
    row = REFUSALS[rule]

    def judge(**answers: Exchange) -> Iterator[Finding]:
        for name, answer in answers.items():
            yield from at(name, expect_reply(rule, answer, _describe_changes(row.creates[name])))

    registry.check(rule, exercise, title=title, profile=profile, requires=requires, accepts=accepts)(
        take(judge, *row.creates)
    )
