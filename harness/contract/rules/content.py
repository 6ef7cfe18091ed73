"""Rules of the content of messages: usage, steps, and the body of a create. Layer 1. Data only.

`contract.judge.body` judges usage and steps in any interaction body. `request.schema` is checked in recorded
traffic only, since a live check writes its requests itself.
"""

from __future__ import annotations

from harness.contract.rules.pages import OPENAPI, RECORDINGS, REFERENCE
from harness.outcome import Basis, Level, Rule

_STEPS = REFERENCE.cite(Basis.SCHEMA, "Step, Content, Annotation: type")

RULES: tuple[Rule, ...] = (
    Rule(
        id="usage.types",
        level=Level.MUST,
        statement="Token counts are non-negative integers.",
        breaks="Cost accounting raises, or adds a negative cost.",
        source=REFERENCE.cite(Basis.SCHEMA, "Usage"),
    ),
    Rule(
        id="usage.sum",
        level=Level.SHOULD,
        statement="total_tokens is input + output + thought tokens, with or without those of tool use.",
        breaks="Two dashboards of the same calls show different sums.",
        source=RECORDINGS.cite(Basis.OBSERVED, "interactions, all with usage"),
    ),
    Rule(
        id="usage.counted",
        level=Level.SHOULD,
        statement="A completed answer that has text has counted tokens: not all of its counts are 0.",
        breaks="Usage looks free, and budgets that add up tokens never end.",
        source=RECORDINGS.cite(Basis.OBSERVED, "interactions, all with usage"),
    ),
    Rule(
        id="usage.modality",
        level=Level.SHOULD,
        statement="The tokens of a by-modality list do not exceed the total they belong to.",
        breaks="Shares of a modality come out above the whole.",
        source=REFERENCE.cite(Basis.INFERRED, "Usage: tokens by modality"),
    ),
    Rule(
        id="steps.discriminator",
        level=Level.MUST,
        statement="Each step, content and annotation has a string type.",
        breaks="Clients choose what to parse by type; without it the item is lost or the whole answer refused.",
        source=_STEPS,
    ),
    Rule(
        id="steps.result-match",
        level=Level.SHOULD,
        statement="Each result step answers a call step that came before it.",
        breaks="Clients pair calls and results by id: one result has no call to show it under.",
        source=REFERENCE.cite(Basis.SCHEMA, "Result steps: call_id"),
    ),
    Rule(
        id="steps.base64",
        level=Level.SHOULD,
        statement="Inline data and signatures are base64.",
        breaks="Decoding fails in the client, or the altered signature is refused in the next turn.",
        source=OPENAPI.cite(Basis.SCHEMA, "data, signature: format byte"),
    ),
    Rule(
        id="steps.annotation-range",
        level=Level.SHOULD,
        statement="An annotation's indices are bytes of its text: 0 <= start < end <= length in UTF-8.",
        breaks="Citations are drawn over the wrong words, or slicing raises.",
        source=REFERENCE.cite(Basis.DOCUMENTED, "Annotations: start_index, end_index"),
    ),
    Rule(
        id="request.schema",
        level=Level.SHOULD,
        statement="A create that was accepted fits the published schema of its body, nothing unknown in it.",
        breaks="A stricter server, or this one tomorrow, refuses the call; until then the field does nothing.",
        source=REFERENCE.cite(Basis.SCHEMA, "Create an interaction: request body"),
    ),
)
