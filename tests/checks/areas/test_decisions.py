"""The judges of the checks on decisions, on hand-made exchanges."""

from __future__ import annotations

from tests.checks._play import answer, case, refusal

NOUL = {"type": "noul", "noul": 0.2, "confidence": 0.8}
CHANCES = {"shop": 0.7, "travel": 0.2, "food": 0.1}
CHOICE = {"type": "choice", "choice": "shop", "confidence": 0.7, "probabilities": CHANCES}
SCORE = {"type": "score", "score": 0.8, "confidence": 0.6, "probabilities": {"0": 0.3, "1": 0.6, "2": 0.1},
         "legend": {"0": "angry", "1": "so so", "2": "glad"}}  # fmt: skip
WHOLE = {"late": NOUL, "topic": CHOICE, "mood": SCORE}


def decided(usage=None, **answers):
    """A decision, with some answers replaced; None leaves one out."""
    given = {name: value for name, value in {**WHOLE, **answers}.items() if value is not None}
    body = {"answers": given, **({"usage": usage} if usage is not None else {})}
    return {"decided": answer(body=body, method="POST", target="/v1beta/decisions")}


BLOCKED = {"decided": answer(body={"prompt_feedback": {"block_reason": "safety"}})}

CASES = [
    case("decision.answers", "not_met", "one is missing", **decided(mood=None)),
    case("decision.answers", "untestable", "blocked", **BLOCKED),
    case("decision.answers", "not_met", "refused", decided=refusal(404)),
    case("decision.probabilities", "met", "they agree", **decided()),
    case("decision.probabilities", "met", "rounded", **decided(late={**NOUL, "confidence": 0.805})),
    case("decision.probabilities", "not_met", "the second best", **decided(topic={**CHOICE, "choice": "food"})),
    case(
        "decision.probabilities",
        "met",
        "no level",
        **decided(mood={**SCORE, "probabilities": {"1" * 5000: 0.6, "2": 0.4}}),
    ),
    case("decision.zero-output", "met", "none", **decided({"total_output_tokens": 0})),
    case("decision.zero-output", "not_met", "some", **decided({"total_output_tokens": 5})),
    case("decision.zero-output", "untestable", "no usage", **decided()),
]
