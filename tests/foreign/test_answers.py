"""Foreign servers with tools, formats, thoughts and tiers: one that is odd but right, others with a defect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.foreign.judging import check
from tests.foreign.server import ForeignService, Headed, Json, Run

JSON_TEXT = ' {\n "word": "hi"}\n'
CHECKS = ("tool.choice-any", "create.format-streamed", "create.no-summaries", "tier.*", "stream.stop-usage")


class Obliging(ForeignService):
    """Odd, but right: JSON is spread over lines, summaries are empty lists, usage stays as it is between steps."""

    def admit(self, body: Json) -> None:
        extra = ("tools", "generation_config", "response_format")
        super().admit({name: value for name, value in body.items() if name not in extra})

    def create(self, body: Json) -> Any:
        answer = super().create(body)
        run = self.runs.get(f"i{self.made}")
        if run is None or body.get("stream"):
            return answer
        if body.get("tools") and body.get("generation_config", {}).get("tool_choice") == "any":
            run.steps = self.forced(body)
        elif "generation_config" in body:
            run.steps = [{"type": "thought", "signature": "c2ln", "summary": self.summary()}, *run.steps]
        return Headed(self.show(run), x_gemini_service_tier=self.header())

    def forced(self, body: Json) -> list[Json]:
        """The steps of an answer that has to be a call."""
        return [{"type": "function_call", "id": "c1", "name": body["tools"][0]["name"], "arguments": {}}]

    def summary(self) -> list[Json]:
        """The summary of a thought."""
        return []

    def header(self) -> str:
        """The header that names the tier."""
        return "flex"

    def text(self) -> str:
        """What is streamed where JSON was asked for."""
        return JSON_TEXT

    def show(self, run: Run) -> Json:
        waits = run.steps[0]["type"] == "function_call"
        return {**super().show(run), "service_tier": "flex", **({"status": "requires_action"} if waits else {})}

    def events(self, run: Run) -> Iterator[tuple[float, Json]]:
        wants_json = "response_format" in run.body
        for due, event in super().events(run):
            if event["event_type"] == "step.stop":
                yield due, {**event, "usage": {"total_tokens": 8}}
                yield from ((due, more) for more in self.another_step(run))
            elif event["event_type"] != "step.delta" or not wants_json:
                yield due, event
            elif event["delta"]["text"] == "Hello":
                yield due, {**event, "delta": {"type": "text", "text": self.text()}}

    def another_step(self, run: Run) -> list[Json]:
        """A thought at the end."""
        start = {"index": 1, "step": {"type": "thought"}, "event_type": "step.start"}
        return [start, {"index": 1, "usage": {"total_tokens": self.total()}, "event_type": "step.stop"}]

    def total(self) -> int:
        """The tokens at the end of the second step."""
        return 8


class TalksInstead(Obliging):
    """Wrong: it answers in prose although a call was forced, as a proxy does that drops `tool_choice`."""

    def forced(self, body: Json) -> list[Json]:
        return [{"type": "model_output", "content": [{"type": "text", "text": "Hi."}]}]


class Fences(Obliging):
    """Wrong: streamed JSON stands in a Markdown fence."""

    def text(self) -> str:
        return f"```json\n{JSON_TEXT}```"


class Summarises(Obliging):
    """Wrong: it shows what it thought to a client that asked for no summary."""

    def summary(self) -> list[Json]:
        return [{"type": "text", "text": "I multiply."}]


class TellsAnotherTier(Obliging):
    """Wrong: the header says priority, the body flex."""

    def header(self) -> str:
        return "priority"


class CountsEachStep(Obliging):
    """Wrong: the usage of a step.stop is that of its step."""

    def total(self) -> int:
        return 3


def test_what_is_odd_is_right() -> None:
    """White space around JSON, empty summaries, an unasked tier and a usage that stays are no faults."""
    report = check(Obliging(), *CHECKS)
    assert report.verdicts == dict.fromkeys(report.verdicts, "pass")
    assert len(report.verdicts) == 6


@pytest.mark.slow
@pytest.mark.parametrize(
    ("defect", "fault", "verdict"),
    [
        (TalksInstead, "tool.choice-any", "warn"),
        (Fences, "create.format-streamed", "warn"),
        (Summarises, "create.no-summaries", "warn"),
        (TellsAnotherTier, "tier.header", "info"),
        (CountsEachStep, "stream.stop-usage", "warn"),
    ],
)
def test_each_defect_is_found_where_it_is(defect: type[Obliging], fault: str, verdict: str) -> None:
    """Each defect is reported by the check of the promise that it breaks, and by no other."""
    verdicts = check(defect(), *CHECKS).verdicts
    assert {name: said for name, said in verdicts.items() if said != "pass"} == {fault: verdict}


def test_what_is_not_offered_is_no_fault() -> None:
    """A server without tools, formats and thoughts is not judged, and shows no tier, which is noted."""
    assert check(ForeignService(), *CHECKS).faults == {}
