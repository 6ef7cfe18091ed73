"""Foreign servers that take media, levels and tools: odd ones that are right, and such with one defect."""

from __future__ import annotations

from typing import Any

import pytest

from tests.foreign.judging import check
from tests.foreign.server import ForeignService, Json, Refused, Run

INPUTS = ("create.input-image", "create.input-audio", "create.input-video", "create.input-document",
          "create.input-kinds")  # fmt: skip
LEVELS = ("create.level-listed", "create.level-refused")
WAITING = ("bg.requires-action", "bg.requires-action-streamed", "bg.result-ok")


class Reads(ForeignService):
    """Odd, but right: it reads pictures and documents only, and gives the bytes of a stored input in no answer."""

    kinds = ("text", "image", "document")

    def admit(self, body: Json) -> None:
        given = body.get("input")
        parts = [part for step in given for part in step.get("content", ())] if self.is_steps(given) else []
        if wrong := [part["type"] for part in parts if part["type"] not in self.kinds]:
            raise Refused(400, "invalid_request", f"This model does not read {wrong[0]}.")
        super().admit(body)

    @staticmethod
    def is_steps(given: Any) -> bool:
        """Whether an input is a list of steps of the user."""
        return isinstance(given, list) and all(
            isinstance(step, dict) and step.get("type") == "user_input" and isinstance(step.get("content"), list)
            for step in given
        )

    def get(self, run: Run, query: Json) -> Any:
        shown = super().get(run, query)
        given = run.body["input"]
        if isinstance(shown, dict) and "steps" in shown and self.is_steps(given):
            shown["steps"] = [
                *({**step, "content": self.keep(step["content"])} for step in given),
                *shown["steps"],
            ]
        return shown

    def keep(self, contents: list[Json]) -> list[Json]:
        """The contents as the stored input shows them."""
        return [{name: value for name, value in part.items() if name != "data"} for part in contents]


class ReadsAll(Reads):
    """Reads each kind, and shows the bytes in the alphabet of URLs."""

    kinds = ("text", "image", "audio", "video", "document")

    def keep(self, contents: list[Json]) -> list[Json]:
        return [{name: value.replace("+", "-").replace("/", "_") if name == "data" else value
                 for name, value in part.items()} for part in contents]  # fmt: skip


class DropsPictures(ReadsAll):
    """Wrong: takes an image and forgets it."""

    def keep(self, contents: list[Json]) -> list[Json]:
        return [part for part in contents if part["type"] != "image"]


class HalvesFilms(ReadsAll):
    """Wrong: keeps half of a video."""

    def keep(self, contents: list[Json]) -> list[Json]:
        return [{**part, "data": part["data"][: len(part["data"]) // 8 * 4]} if part["type"] == "video" else part
                for part in contents]  # fmt: skip


@pytest.mark.parametrize(("service", "verdicts"), [
    (Reads, ["pass", "not_applicable", "not_applicable", "pass", "not_applicable"]),
    (ReadsAll, ["pass"] * 5),
    (DropsPictures, ["warn", "pass", "pass", "pass", "warn"]),
    (HalvesFilms, ["pass", "pass", "warn", "pass", "warn"]),
])  # fmt: skip
def test_what_is_taken_is_kept(service: type[Reads], verdicts: list[str]) -> None:
    """A kind that the model does not read is not offered; one that is lost breaks its rule."""
    assert check(service(), *INPUTS).verdicts == dict(zip(INPUTS, verdicts, strict=True))


class Thinks(ForeignService):
    """Odd, but right: refuses a level with another status than the service."""

    levels = ("minimal", "low", "medium", "high")

    def admit(self, body: Json) -> None:
        level = body.get("generation_config", {}).get("thinking_level")
        if level is not None and level not in self.levels:
            raise Refused(422, "invalid_request", "There is no such level.")
        super().admit({name: value for name, value in body.items() if name != "generation_config"})


class ThinksAlways(Thinks):
    """Wrong: takes each level."""

    levels = (*Thinks.levels, "xhigh")


class NeverThinks(Thinks):
    """Wrong: takes no level."""

    levels = ()


@pytest.mark.parametrize(("service", "verdicts"), [
    (Thinks, ["pass", "warn"]), (ThinksAlways, ["pass", "warn"]), (NeverThinks, ["warn", "warn"]),
])  # fmt: skip
def test_levels_are_those_of_the_model(service: type[Thinks], verdicts: list[str]) -> None:
    """What the guide of the model lists is taken, and nothing else."""
    report = check(service(), *LEVELS, words=("--model", "gemini-3.5-flash"))
    assert [report.verdicts[rule] for rule in LEVELS] == verdicts


def test_levels_of_an_unknown_model_are_not_judged() -> None:
    """Who serves a model of its own is not accused by the guide of another."""
    report = check(ThinksAlways(), *LEVELS, words=("--model", "gemini-own-model"))
    assert set(report.verdicts.values()) == {"untestable"}


class Calls(ForeignService):
    """Odd, but right: calls the last function at once, also in the background."""

    waiting = "requires_action"

    def admit(self, body: Json) -> None:
        given = body.get("input")
        if isinstance(given, list) and any(part.get("type") == "function_result" for part in given):
            body = {**body, "input": "The result is here."}
        super().admit({name: value for name, value in body.items() if name not in ("tools", "generation_config")})

    @staticmethod
    def calls(run: Run) -> bool:
        """Whether a run calls a function: the first turn of one that declares any."""
        return bool(run.body.get("tools")) and "previous_interaction_id" not in run.body

    def call(self, run: Run) -> Json:
        """The step of the call."""
        return {"type": "function_call", "id": f"c-{run.id}", "name": run.body["tools"][-1]["name"],
                "arguments": {"location": "Paris"}}  # fmt: skip

    def show(self, run: Run) -> Json:
        body = super().show(run)
        if self.calls(run) and body["status"] == "completed":
            body |= {"status": self.waiting, "steps": [self.call(run)]}
        return body

    def events(self, run: Run) -> Any:
        if not self.calls(run):
            yield from super().events(run)
            return
        told = {"id": run.id, "object": "interaction", "model": run.body["model"]}
        steps = (
            {"interaction": {**told, "status": "in_progress"}, "event_type": "interaction.created"},
            {"index": 0, "step": self.call(run), "event_type": "step.start"},
            {"index": 0, "event_type": "step.stop"},
        )
        for number, event in enumerate(steps):
            yield 0.0, {**event, "event_id": f"{run.id}-{number}"}
        yield run.lasts, self.last_event(run, told)

    def last_event(self, run: Run, told: Json) -> Json:
        event = super().last_event(run, told)
        if self.calls(run):
            event["interaction"]["status"] = self.streams_waiting(run)
        return event

    def streams_waiting(self, run: Run) -> str:
        """The status at the end of a stream with a call."""
        return "requires_action"


class SaysDone(Calls):
    """Wrong: a run with a pending call is completed for those that poll."""

    waiting = "completed"


class StreamsDone(Calls):
    """Wrong: streams of background runs end as completed."""

    def streams_waiting(self, run: Run) -> str:
        return "completed" if run.body.get("background") else "requires_action"


class TakesNoResult(Calls):
    """Wrong: refuses what its background run waits for."""

    def admit(self, body: Json) -> None:
        parent = self.runs.get(body.get("previous_interaction_id", ""))
        if parent is not None and parent.body.get("background"):
            raise Refused(400, "failed_precondition", "The previous interaction ran in the background.")
        super().admit(body)


@pytest.mark.parametrize(("service", "verdicts"), [
    (Calls, ["pass", "pass", "pass"]),
    (SaysDone, ["fail", "pass", "pass"]),
    (StreamsDone, ["pass", "fail", "pass"]),
    (TakesNoResult, ["pass", "pass", "warn"]),
])  # fmt: skip
def test_a_background_run_waits_for_its_result(service: type[Calls], verdicts: list[str]) -> None:
    """GET, both streams and the next turn agree that a call is pending."""
    report = check(service(), *WAITING)
    assert [report.verdicts[rule] for rule in WAITING] == verdicts


class MixesBadly(Calls):
    """Wrong: fails on a built-in tool beside a function."""

    def admit(self, body: Json) -> None:
        if len({tool["type"] == "function" for tool in body.get("tools", ())}) == 2:
            raise Refused(500, "api_error", "An internal error has occurred.")
        super().admit(body)


class MixesNothing(Calls):
    """Odd, but right: refuses a built-in tool beside a function, as some models do."""

    def admit(self, body: Json) -> None:
        if len({tool["type"] == "function" for tool in body.get("tools", ())}) == 2:
            raise Refused(400, "invalid_request", "Enable server side tools to use them with functions.")
        super().admit(body)


@pytest.mark.parametrize(("service", "mixed", "crash"), [
    (Calls, "pass", "pass"), (MixesNothing, "info", "pass"), (MixesBadly, "blocked", "fail"),
])  # fmt: skip
def test_mixed_tools_are_taken_or_refused(service: type[Calls], mixed: str, crash: str) -> None:
    """A refusal is a note, since some models of the service refuse; a crash is one everywhere."""
    report = check(service(), "tool.mixed", "err.no-crash")
    assert (report.verdicts["tool.mixed"], report.verdicts["err.no-crash"]) == (mixed, crash)
