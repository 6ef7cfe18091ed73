"""Checks of decisions: that the answers belong to the questions, and that their numbers agree.

What is decided is the model's affair; only the form of the answers is judged.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from harness.checks.vocabulary.expect import finding, interaction_in
from harness.contract.judge.reading import format_value
from harness.contract.requests import RequestBuilder
from harness.kit.check import Steps, exercise, send_each
from harness.outcome import Finding, Unmet
from harness.wire import Exchange
from harness.wire.bodies import as_object

MODEL = "gemini-decision-1"
INPUT = "The parcel came two days late, but the lamp is lovely."
QUESTIONS: dict[str, dict[str, Any]] = {
    "late": {"type": "noul", "instructions": "Was the delivery late?"},
    "topic": {
        "type": "choice",
        "instructions": "What is it about?",
        "criteria": {"shop": "A purchase.", "travel": "A journey.", "food": "A meal."},
    },
    "mood": {"type": "score", "instructions": "Is the writer content?", "criteria": ["angry", "mixed", "glad"]},
}
_LEVEL = re.compile(r"[0-9]{1,9}")


@exercise(requests=3)
def a_decision(t: RequestBuilder) -> Steps:
    """One question of every kind about one text; then a choice of one option, and no question at all."""
    alone = {**QUESTIONS["topic"], "criteria": {"shop": "A purchase."}}
    several: dict[str, Any] = {"decided": QUESTIONS, "alone": {"topic": alone}, "empty": {}}
    bodies = {name: {"model": MODEL, "input": INPUT, "questions": asked} for name, asked in several.items()}
    return (yield from send_each(**{name: t.request("POST", "decisions", body) for name, body in bodies.items()}))


def are_answered(decided: Exchange) -> Iterator[Finding]:
    given = {name: as_object(answer).get("type") for name, answer in _answers(decided).items()}
    wanted = {name: question["type"] for name, question in QUESTIONS.items()}
    for name, answer in _answers(decided).items():
        asked, chances = as_object(QUESTIONS.get(name)), as_object(as_object(answer).get("probabilities"))
        if asked.get("type") == "choice" and chances and chances.keys() != as_object(asked["criteria"]).keys():
            yield finding(
                f"{name!r} has other options than the question",
                format_value(sorted(as_object(asked["criteria"]))),
                format_value(sorted(chances)),
            )
    if given != wanted:
        yield finding(
            "the response has other answers than the questions require", format_value(wanted), format_value(given)
        )


def agree(decided: Exchange) -> Iterator[Finding]:
    for name, answer in _answers(decided).items():
        for label, expected, actual in _list_numbers(answer):
            # Probabilities are shown with few decimals.
            if not (isinstance(actual, int | float) and math.isclose(_limit(actual), expected, abs_tol=0.01)):
                yield finding(f"{label} of {name!r}", f"{expected:.3f}", format_value(actual))


def costs_no_output(decided: Exchange) -> Iterator[Finding]:
    usage = interaction_in(decided).get("usage")
    if not isinstance(usage, dict):
        raise Unmet("the decision has no usage")
    spent = usage.get("total_output_tokens", 0)
    if spent not in (0, "0"):
        yield finding("output tokens of a decision", "0", format_value(spent))


def _answers(decided: Exchange) -> Mapping[str, Any]:
    body = interaction_in(decided)
    feedback = body.get("prompt_feedback")
    if "answers" not in body and isinstance(feedback, dict) and feedback.get("block_reason"):
        raise Unmet(f"the input was blocked: {format_value(feedback)}")
    return as_object(body.get("answers"))


def _list_numbers(answer: Any) -> Iterator[tuple[str, float, Any]]:
    """Yield what must agree in an answer: its name, the number expected, and the number given."""
    given = as_object(answer)
    confidence, noul, chances = given.get("confidence"), given.get("noul"), as_object(given.get("probabilities"))
    if given.get("type") == "noul" and isinstance(noul, int | float):
        yield "the confidence", max(_limit(noul), 1 - _limit(noul)), confidence
    if not chances or not all(isinstance(chance, int | float) for chance in chances.values()):
        return
    bounded = {level: _limit(chance) for level, chance in chances.items()}
    yield "the sum of probabilities", 1.0, sum(bounded.values())
    yield "the confidence", max(bounded.values()), confidence
    if given.get("type") == "choice":
        yield "the probability of the choice", max(bounded.values()), chances.get(str(given.get("choice")))
    if given.get("type") == "score" and all(_LEVEL.fullmatch(level) for level in chances):
        yield "the score", sum(int(level) * chance for level, chance in bounded.items()), given.get("score")


def _limit(number: float) -> float:
    """A number that a float can hold: a target may write an integer beyond all of them."""
    return float(min(max(number, -1e9), 1e9))
