"""Foreign servers that count nothing, forget a turn or ignore what was asked, and odd ones that are right."""

from __future__ import annotations

from typing import Any

import pytest

from tests.foreign.judging import check
from tests.foreign.server import ForeignService, Json, Run


class CountsNothing(ForeignService):
    """Usage is there, and says that nothing was used."""

    def usage(self, run: Run) -> Json:
        return dict.fromkeys(super().usage(run), 0)


class CountsInputOnly(ForeignService):
    """Odd, but not without a count: what it answers is for free."""

    def usage(self, run: Run) -> Json:
        return {"total_input_tokens": run.tokens, "total_output_tokens": 0, "total_tokens": run.tokens}


class Echoes(ForeignService):
    """Right: it answers with all that it was told, so that every answer is longer than the one before."""

    def create(self, body: Json) -> Any:
        answer = super().create(body)
        run = self.runs.get(f"i{self.made}")
        if run is None:
            run = Run("", body, 0.0, 0)
        words = [*self.history(body), *self.listen(body["input"])]
        run.steps = [{"type": "model_output", "content": [{"type": "text", "text": " ".join(words)}]}]
        run.tokens = len(words)
        return answer if body.get("stream") else {**self.show(run), "id": answer["id"]}

    def history(self, body: Json) -> list[str]:
        """The words of the turns before."""
        parent = self.runs.get(str(body.get("previous_interaction_id")))
        if parent is None:
            return []
        return [*self.history(parent.body), *self.listen(parent.body["input"]), *self.listen(parent.steps)]

    def listen(self, given: Any) -> list[str]:
        """The words of an input or of steps."""
        if isinstance(given, list):
            return [word for part in given for word in self.listen(part)]
        if isinstance(given, dict):
            return self.listen(given.get("content") or given.get("text") or "")
        return str(given).split()

    def usage(self, run: Run) -> Json:
        made = len(self.listen(run.steps))
        return {"total_input_tokens": run.tokens, "total_output_tokens": made, "total_tokens": run.tokens + made}


class EchoesOneTurn(Echoes):
    """Wrong: it knows the turn before, and none of those before that."""

    def history(self, body: Json) -> list[str]:
        parent = self.runs.get(str(body.get("previous_interaction_id")))
        return [*self.listen(parent.body["input"]), *self.listen(parent.steps)] if parent else []


class ShowsInput(ForeignService):
    """Right: include_input=true brings what was asked."""

    def get(self, run: Run, query: Json) -> Any:
        answer = super().get(run, query)
        return {**answer, "input": run.body["input"]} if query.get("include_input") == "true" else answer


class TakesLimits(ForeignService):
    """Wrong: it takes a limit of tokens, and its answers are as long as ever."""

    def admit(self, body: Json) -> None:
        super().admit({name: value for name, value in body.items() if name != "generation_config"})

    def usage(self, run: Run) -> Json:
        return {"total_input_tokens": run.tokens, "total_output_tokens": 200, "total_tokens": run.tokens + 200}


class KeepsLimits(TakesLimits):
    """Odd, but right: it says what an answer that was cut would have cost, and that it is incomplete."""

    def show(self, run: Run) -> Json:
        body = super().show(run)
        limited = "generation_config" in run.body and body["status"] == "completed"
        return {**body, "status": "incomplete"} if limited else body

    def last_event(self, run: Run, told: Json) -> Json:
        event = super().last_event(run, told)
        if "generation_config" in run.body:
            event["interaction"]["status"] = "incomplete"
        return event


@pytest.mark.slow
@pytest.mark.parametrize(
    ("service", "rule", "verdict", "code"),
    [
        (CountsNothing, "usage.counted", "warn", "usage.counted"),
        (CountsInputOnly, "usage.counted", "pass", ""),
        (Echoes, "chain.whole-history", "pass", ""),
        (EchoesOneTurn, "chain.whole-history", "warn", "chain.whole-history"),
        (ForeignService, "get.include-input", "info", "get.include-input/ignored"),
        (ShowsInput, "get.include-input", "pass", ""),
        (TakesLimits, "create.max-tokens", "info", "create.max-tokens/ignored"),
        (KeepsLimits, "create.max-tokens", "pass", ""),
        (KeepsLimits, "bg.incomplete-visible", "pass", ""),
    ],
)
def test_what_is_taken_must_show(service: type[ForeignService], rule: str, verdict: str, code: str) -> None:
    """Counts, history, input and limits: each is looked at, and at the level that its source allows."""
    report = check(service(), rule)
    assert (report.verdicts[rule], report.codes[rule]) == (verdict, [code] if code else [])


def test_an_ignored_limit_is_named_where_nothing_else_can_be_said(capsys: pytest.CaptureFixture[str]) -> None:
    """A background run that is no shorter cannot show how a truncated one looks; the report says why."""
    report = check(TakesLimits(), "bg.incomplete-visible", words=("-v",))
    assert report.verdicts["bg.incomplete-visible"] == "untestable"
    assert "the limit of one output token was ignored" in capsys.readouterr().out
