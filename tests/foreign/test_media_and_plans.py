"""Foreign servers that answer media, or plan before they research: odd ones that are right, and defects."""

from __future__ import annotations

import pytest

from tests.foreign.judging import check
from tests.foreign.server import ForeignService, Json, Run

MEDIA = ("create.format-image", "create.format-audio")
DECLARED = ("--capability", "+image-answers", "--capability", "+audio-answers")
RESEARCH = ("--capability", "+deep-research")


class Painter(ForeignService):
    """Odd, but right: every medium is a file that some other host serves, and a text comes with it."""

    def admit(self, body: Json) -> None:
        super().admit({name: value for name, value in body.items() if name != "response_format"})

    def show(self, run: Run) -> Json:
        body = super().show(run)
        if "steps" in body and (wanted := run.body.get("response_format", {}).get("type")) in ("image", "audio"):
            body["steps"] = [*body["steps"], {"type": "model_output", "content": self.make(wanted)}]
        return body

    def make(self, kind: str) -> list[Json]:
        """The contents for what was asked."""
        return [{"type": kind, "uri": "https://media.example/1"}]


class Describes(Painter):
    """Wrong: it says in words what it would have made."""

    def make(self, kind: str) -> list[Json]:
        return [{"type": "text", "text": f"Here is the {kind} that you asked for."}]


class SendsNothing(Painter):
    """Wrong: the medium has a type and no bytes."""

    def make(self, kind: str) -> list[Json]:
        return [{"type": kind, "data": ""}]


@pytest.mark.parametrize(("service", "verdict"), [(Painter, "pass"), (Describes, "warn"), (SendsNothing, "warn")])
def test_what_is_asked_for_is_answered(service: type[Painter], verdict: str) -> None:
    """An image by its uri is one; a text about it is none."""
    assert check(service(), *MEDIA, words=DECLARED).verdicts == dict.fromkeys(MEDIA, verdict)


def test_media_are_asked_of_who_declares_them() -> None:
    """A model that answers text is not accused."""
    assert set(check(Describes(), *MEDIA).verdicts.values()) <= {"untestable", "not_applicable"}


class Researcher(ForeignService):
    """Odd, but right: the plan and the report are the same sentence, and any agent plans."""

    def admit(self, body: Json) -> None:
        rest = {name: value for name, value in body.items() if name not in ("agent", "agent_config")}
        super().admit({"model": "gemini-agent", **rest})
        body.setdefault("model", body.get("agent"))

    def show(self, run: Run) -> Json:
        body = super().show(run)
        planning = run.body.get("agent_config", {}).get("collaborative_planning")
        return {**body, **self.plan(run)} if planning and body["status"] == "completed" else body

    def plan(self, run: Run) -> Json:
        """What an interaction that planned shows differently."""
        return {}


class WaitsForLeave(Researcher):
    """Wrong: a plan waits for an answer that no call gives."""

    def plan(self, run: Run) -> Json:
        return {"status": "requires_action"}


class PlansInSilence(Researcher):
    """Wrong: nobody is shown the plan."""

    def plan(self, run: Run) -> Json:
        return {"steps": []}


@pytest.mark.parametrize(
    ("service", "verdict"), [(Researcher, "pass"), (WaitsForLeave, "warn"), (PlansInSilence, "warn")]
)
def test_a_plan_is_answered_and_carried_out(service: type[Researcher], verdict: str) -> None:
    """A plan is an answer like another one, and a turn continues it."""
    assert check(service(), "agent.plan-flow", words=RESEARCH).verdicts == {"agent.plan-flow": verdict}
