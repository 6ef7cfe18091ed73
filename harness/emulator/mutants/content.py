"""Mutants: token counts and the content of steps."""

from __future__ import annotations

from harness.emulator.mutants.mutant import Area
from harness.emulator.mutants.surgery import Json
from harness.emulator.reply.replies import Replies
from harness.emulator.run.interaction_body import Bodies
from harness.emulator.run.run import Run
from harness.emulator.script.scripts import Script
from harness.emulator.values.create_request import Order
from harness.emulator.values.usage import Meter

CONTENT = Area("content")


class _Counts(Meter):
    """Every usage passes through `change`."""

    def assemble(self, own: dict[str, int], made: dict[str, int], thoughts: int, tool: int) -> Json:
        usage = super().assemble(own, made, thoughts, tool)
        self.change(usage)
        return usage

    def change(self, usage: Json) -> None:
        """The defect."""


class _Steps(Replies):
    """Every output passes through `change`."""

    def steps(self, order: Order, script: Script) -> tuple[list[Json], bool]:
        steps, cut = super().steps(order, script)
        self.change(steps)
        return steps, cut

    def change(self, steps: list[Json]) -> None:
        """The defect."""


@CONTENT.mutant("usage-negative")
class _UsageNegative(_Counts):
    """The count of cached tokens is -1."""

    def change(self, usage: Json) -> None:
        usage["total_cached_tokens"] = -1


@CONTENT.mutant("usage-strings")
class _UsageStrings(_Counts):
    """Token counts are strings of digits."""

    def change(self, usage: Json) -> None:
        usage.update({name: str(value) for name, value in usage.items() if isinstance(value, int)})


@CONTENT.mutant("usage-fractions")
class _UsageFractions(_Counts):
    """Token counts are fractions."""

    def change(self, usage: Json) -> None:
        usage["total_output_tokens"] += 0.5


@CONTENT.mutant("usage-total-wrong")
class _UsageTotalWrong(Meter):
    """The total is not the sum of its parts."""

    def total(self, taken: int, given: int, thoughts: int, tool: int) -> int:
        return taken + given + thoughts + tool + 7


@CONTENT.mutant("usage-thoughts-left-out")
class _UsageThoughtsLeftOut(Meter):
    """The total does not include thoughts."""

    def total(self, taken: int, given: int, thoughts: int, tool: int) -> int:
        return taken + given + tool


@CONTENT.mutant("usage-modality-exceeds")
class _UsageModalityExceeds(_Counts):
    """One modality has more tokens than the total."""

    def change(self, usage: Json) -> None:
        usage["input_tokens_by_modality"] = [{"modality": "text", "tokens": usage["total_input_tokens"] + 100}]


@CONTENT.mutant("usage-openai")
class _UsageOpenAi(Bodies):
    """Token counts have the field names of another API."""

    def usage(self, run: Run) -> Json:
        usage = super().usage(run)
        return {"prompt_tokens": usage["total_input_tokens"], "total_tokens": str(usage["total_tokens"])}


@CONTENT.mutant("step-type-missing")
class _StepTypeMissing(Bodies):
    """Steps have no type."""

    def steps(self, run: Run, *, timeline: bool) -> list[Json]:
        return [{k: v for k, v in step.items() if k != "type"} for step in super().steps(run, timeline=timeline)]


@CONTENT.mutant("content-type-field-missing")
class _ContentTypeFieldMissing(Bodies):
    """Contents have no type."""

    def steps(self, run: Run, *, timeline: bool) -> list[Json]:
        return [_with_bare_contents(step) for step in super().steps(run, timeline=timeline)]


@CONTENT.mutant("content-string")
class _ContentString(Bodies):
    """The content of an output step is a bare string."""

    def steps(self, run: Run, *, timeline: bool) -> list[Json]:
        return [
            {**step, "content": step["content"][0].get("text", "")} if step["type"] == "model_output" else step
            for step in super().steps(run, timeline=timeline)
        ]


@CONTENT.mutant("signature-not-base64")
class _SignatureNotBase64(_Steps):
    """Signatures are not base64."""

    def change(self, steps: list[Json]) -> None:
        for step in steps:
            if "signature" in step:
                step["signature"] = "not base64!"


@CONTENT.mutant("search-result-unmatched")
class _SearchResultUnmatched(_Steps):
    """The result of a search names a call that was never made."""

    def change(self, steps: list[Json]) -> None:
        for step in steps:
            if step["type"] == "google_search_result":
                step["call_id"] = "call_of_nobody"


@CONTENT.mutant("search-result-missing")
class _SearchResultMissing(_Steps):
    """A search call is shown without a result."""

    def change(self, steps: list[Json]) -> None:
        steps[:] = [step for step in steps if step["type"] != "google_search_result"]


@CONTENT.mutant("search-call-without-id")
class _SearchCallWithoutId(Bodies):
    """A search call has no id."""

    def steps(self, run: Run, *, timeline: bool) -> list[Json]:
        return [
            {k: v for k, v in step.items() if k != "id"} if step["type"] == "google_search_call" else step
            for step in super().steps(run, timeline=timeline)
        ]


@CONTENT.mutant("annotation-beyond-text")
class _AnnotationBeyondText(Replies):
    """A citation ends beyond the end of the text."""

    def text_content(self, order: Order, text: str) -> Json:
        content = super().text_content(order, text)
        for note in content.get("annotations", ()):
            note["end_index"] += 10
        return content


@CONTENT.mutant("annotation-backwards")
class _AnnotationBackwards(Replies):
    """A citation is empty: it begins where it ends."""

    def text_content(self, order: Order, text: str) -> Json:
        content = super().text_content(order, text)
        for note in content.get("annotations", ()):
            note["start_index"] = note["end_index"]
        return content


@CONTENT.mutant("thoughts-as-text")
class _ThoughtsAsText(_Steps):
    """A thought's summary is a string, not a list of contents."""

    def change(self, steps: list[Json]) -> None:
        for step in steps:
            if step["type"] == "thought":
                step["summary"] = "I think."


def _with_bare_contents(step: Json) -> Json:
    content = step.get("content")
    if not isinstance(content, list):
        return step
    return {**step, "content": [{k: v for k, v in part.items() if k != "type"} for part in content]}
