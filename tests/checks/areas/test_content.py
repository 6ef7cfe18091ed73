"""The judges of the checks on token counts and on the fields of steps, on hand-made exchanges."""

from __future__ import annotations

from tests.checks._play import DONE, answer, case, interaction, refusal

SEARCH = [
    {"type": "google_search_call", "id": "c1", "arguments": {"queries": ["hi"]}},
    {"type": "google_search_result", "call_id": "c1", "result": [{"search_suggestions": "hi"}]},
]


def counting(**fields):
    """An answer with this usage."""
    return answer(body=interaction(usage=fields), method="POST", target="/v1beta/interactions")


def stepping(*steps):
    """An answer with these steps."""
    return answer(body=interaction(steps=list(steps)), method="POST", target="/v1beta/interactions")


def citing(start, end):
    """An answer of three characters in four bytes, with a citation between two indices."""
    cited = [{"type": "url_citation", "url": "https://e.invalid", "start_index": start, "end_index": end}]
    return stepping({"type": "model_output", "content": [{"type": "text", "text": "né.", "annotations": cited}]})


PARTS = {"total_input_tokens": 2, "total_output_tokens": 3, "total_tool_use_tokens": 4}

CASES = [
    case("usage.types", "met", "numbers", created=DONE),
    case("usage.types", "met", "an unlisted field", created=counting(total_tokens=5, raw_prompt_token=2)),
    case("usage.types", "untestable", "no usage", created=answer(body=interaction(usage=None))),
    case("usage.types", "untestable", "refused", created=refusal(400)),
    case("usage.types", "not_met", "negative", created=counting(total_tokens=-1)),
    case("usage.types", "not_met", "text", created=counting(total_tokens="5")),
    case("usage.sum", "met", "without tool use", created=counting(total_tokens=5, **PARTS)),
    case("usage.sum", "met", "with tool use", created=counting(total_tokens=9, **PARTS)),
    case("usage.sum", "not_met", "another", created=counting(total_tokens=6, **PARTS)),
    case("usage.counted", "met", "one", created=counting(total_tokens=1, total_output_tokens=0)),
    case("usage.counted", "non_strict", "none", created=counting(total_tokens=0, total_output_tokens=0)),
    case("usage.counted", "untestable", "no totals", created=counting(total_cached_tokens=0)),
    case("usage.modality", "met", "within", created=counting(
        total_tokens=5, total_input_tokens=2, total_output_tokens=3,
        input_tokens_by_modality=[{"modality": "text", "tokens": 2}],
    )),
    case("usage.modality", "not_met", "beyond", created=counting(
        total_tokens=5, total_input_tokens=2, total_output_tokens=3,
        input_tokens_by_modality=[{"modality": "text", "tokens": 2}, {"modality": "image", "tokens": 1}],
    )),
    case("steps.discriminator", "not_met", "a bare step", created=stepping({"content": []}), got=DONE),
    case("steps.base64", "untestable", "nothing to look at", created=stepping({"type": "model_output"})),
    case("steps.base64", "not_met", "words", created=stepping({"type": "thought", "signature": "no base64!"})),
    case("steps.result-match", "met", "a pair", answer=stepping(*SEARCH)),
    case("steps.result-match", "not_met", "the result first", answer=stepping(*reversed(SEARCH))),
    case("steps.annotation-range", "met", "in bytes", answer=citing(0, 4)),
    case("steps.annotation-range", "untestable", "no annotation", answer=DONE),
    case("steps.annotation-range", "not_met", "beyond", answer=citing(0, 5)),
]  # fmt: skip
