"""Mutants: token counts and the content of steps."""

from __future__ import annotations

from harness.emulator.mutants.changes import Json, each, put, when, without
from harness.emulator.mutants.hooks import output, row, steps, usage
from harness.emulator.mutants.parts import after, instead
from harness.emulator.reply.replies import ReplyBuilder
from harness.emulator.run.interaction_body import Bodies
from harness.emulator.values.create_request import CreateRequest
from harness.emulator.values.usage import Meter
from harness.kit.mutant import table


def _with_bare_contents(step: Json) -> Json:
    content = step.get("content")
    return {**step, "content": [without(part, "type") for part in content]} if isinstance(content, list) else step


def _spoil_signatures(steps: list[Json], order: CreateRequest) -> None:
    for step in steps:
        if "signature" in step:
            step["signature"] = "not base64!"


def _end_beyond_text(content: Json, *context: object) -> None:
    for citation in content.get("annotations", ()):
        citation["end_index"] += 10


MUTANTS = table(
    "content",
    row("usage-negative", "The count of cached tokens is -1.", usage(put(total_cached_tokens=-1))),
    row("usage-zero", "Every token count is 0.", usage(
        lambda usage: usage.update({name: 0 if isinstance(value, int) else [] for name, value in usage.items()}))),
    row("usage-total-wrong", "The total is not the sum of its parts.",
        instead(Meter.total, lambda meter, taken, given, thoughts, tool: taken + given + thoughts + tool + 7)),
    row("usage-modality-exceeds", "One modality has more tokens than the total.", usage(
        lambda usage: usage.update(
            input_tokens_by_modality=[{"modality": "text", "tokens": usage["total_input_tokens"] + 100}]))),
    row("usage-openai", "Token counts have the field names of another API.", after(Bodies.usage,
        lambda usage, *_: (
            {"prompt_tokens": usage["total_input_tokens"], "total_tokens": str(usage["total_tokens"])}))),
    row("content-type-field-missing", "Contents have no type.",
        steps(lambda steps, run, timeline: [_with_bare_contents(step) for step in steps])),
    row("signature-not-base64", "Signatures are not base64.", output(_spoil_signatures)),
    row("search-result-unmatched", "The result of a search names a call that was never made.",
        output(each("google_search_result", put(call_id="call_of_nobody")))),
    row("search-result-missing", "A search call is shown without a result.",
        output(lambda steps, _: [step for step in steps if step["type"] != "google_search_result"])),
    row("annotation-beyond-text", "A citation ends beyond the end of the text.",
        after(ReplyBuilder.text_content, when(lambda content, *_: "annotations" in content, _end_beyond_text))),
    row("shape-search", "The arguments of a search call are a string.",
        steps(lambda steps, run, timeline: (
            steps if timeline else each("google_search_call", put(arguments='{"queries": []}'))(steps)))),
)  # fmt: skip
