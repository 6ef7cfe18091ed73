"""Mutants: decisions."""

from __future__ import annotations

from harness.emulator.mutants.changes import answer, drop, each_item, inside, put, read_json, when
from harness.emulator.mutants.hooks import error, response, row
from harness.kit.mutant import table

MUTANTS = table(
    "decisions",
    row("decision-partial", "A decision answers only the first question.",
        response("POST decisions", inside("answers", lambda answers, *_: dict(list(answers.items())[:1])))),
    row("decision-overconfident", "Every answer of a decision is certain.",
        response("POST decisions", each_item("answers", put(confidence=1.0)))),
    row("decision-without-answers-type", "The answers of a decision have no type.",
        response("POST decisions", each_item("answers", drop("type")))),
    row("decision-one-option", "A choice may have a single option.",
        error("POST decisions", when(lambda _, call: read_json(call).get("questions"), answer({"answers": {}})))),
    row("decision-no-question", "A decision may have no question.",
        error("POST decisions", when(lambda _, call: not read_json(call).get("questions"), answer({})))),
    row("decision-counts-output", "A decision counts output tokens.",
        response("POST decisions", inside("usage", put(total_output_tokens=7)))),
)  # fmt: skip
