"""Mutants: how streams end."""

from __future__ import annotations

from harness.emulator.mutants.mutant import Area
from harness.emulator.mutants.surgery import Json
from harness.emulator.run.event_writer import Events
from harness.emulator.run.run import Run

END = Area("stream-end")


class _Sequence(Events):
    """The events before the closing one pass through `change`."""

    def sequence(self, run: Run) -> list[Json]:
        return self.change(run, super().sequence(run))

    def change(self, run: Run, events: list[Json]) -> list[Json]:
        """The defect."""
        return events


class _Closing(Events):
    """The closing event passes through `change`."""

    def completed(self, run: Run) -> Json:
        event = super().completed(run)
        self.change(run, event["interaction"])
        return event

    def change(self, run: Run, interaction: Json) -> None:
        """The defect."""


class _Unclosed(Run):
    """Never appends the closing event."""

    def _close(self, events: list[Json]) -> None:
        return None


@END.mutant("completed-id-changes")
class _CompletedIdChanges(_Closing):
    """interaction.completed names another interaction."""

    def change(self, run: Run, interaction: Json) -> None:
        interaction["id"] = "v1_other"


@END.mutant("completed-not-last")
class _CompletedNotLast(_Sequence):
    """interaction.completed comes before the last step."""

    def change(self, run: Run, events: list[Json]) -> list[Json]:
        return [*events[:-1], {"interaction": {"id": run.public_id, "status": "completed", "usage": run.usage},
                               "event_type": "interaction.completed"}, events[-1]]  # fmt: skip


@END.mutant("completed-twice")
class _CompletedTwice(_Sequence):
    """interaction.completed is sent twice."""

    def change(self, run: Run, events: list[Json]) -> list[Json]:
        return [*events, {"interaction": {"id": run.public_id, "status": "completed", "usage": run.usage},
                          "event_type": "interaction.completed"}]  # fmt: skip


@END.mutant("completed-missing")
class _CompletedMissing(_Unclosed):
    """Streams end without interaction.completed."""


@END.mutant("completed-still-running")
class _CompletedStillRunning(_Closing):
    """interaction.completed reports the interaction as in progress."""

    def change(self, run: Run, interaction: Json) -> None:
        interaction["status"] = "in_progress"


@END.mutant("completed-without-usage")
class _CompletedWithoutUsage(_Closing):
    """interaction.completed has no usage."""

    def change(self, run: Run, interaction: Json) -> None:
        del interaction["usage"]


@END.mutant("completed-with-steps-wrong")
class _CompletedWithStepsWrong(_Closing):
    """interaction.completed contains steps that differ from those of the deltas."""

    def change(self, run: Run, interaction: Json) -> None:
        interaction["steps"] = [{"content": [{"text": "Something else.", "type": "text"}], "type": "model_output"}]


@END.mutant("done-missing")
class _DoneMissing(Events):
    """Streams end without [DONE]."""

    def done(self) -> bytes:
        return b""


@END.mutant("done-not-final")
class _DoneNotFinal(Events):
    """An event follows [DONE]."""

    def done(self) -> bytes:
        return super().done() + self.frame({"index": 0, "event_type": "step.stop"})


@END.mutant("error-event-string")
class _ErrorEventString(Events):
    """The error of an error event is a string."""

    def error(self, code: str | None, message: str | None) -> Json:
        return {"error": message or "broken", "event_type": "error"}


@END.mutant("error-event-code-number")
class _ErrorEventCodeNumber(Events):
    """The code of an error event is a number."""

    def error(self, code: str | None, message: str | None) -> Json:
        return {"error": {"message": message or "broken", "code": 500}, "event_type": "error"}
