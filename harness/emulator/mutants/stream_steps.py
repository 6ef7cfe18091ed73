"""Mutants: the steps and deltas inside streams."""

from __future__ import annotations

from collections.abc import Iterator

from harness.emulator.mutants.mutant import Area
from harness.emulator.mutants.surgery import Json
from harness.emulator.run.event_writer import Events
from harness.emulator.run.run import Run

STEPS = Area("stream-steps")


class _Step(Events):
    """The events of each step pass through `change`."""

    def step(self, run: Run, index: int, step: Json) -> Iterator[Json]:
        yield from self.change(list(super().step(run, index, step)))

    def change(self, events: list[Json]) -> list[Json]:
        """The defect."""
        return events


class _Whole(Events):
    """All events before the closing one pass through `change`."""

    def sequence(self, run: Run) -> list[Json]:
        return self.change(super().sequence(run))

    def change(self, events: list[Json]) -> list[Json]:
        """The defect."""
        return events


@STEPS.mutant("stream-drops-stop")
class _StreamDropsStop(_Whole):
    """The last step has no step.stop."""

    def change(self, events: list[Json]) -> list[Json]:
        return events[:-1]


@STEPS.mutant("stop-twice")
class _StopTwice(_Step):
    """Each step has two step.stop events."""

    def change(self, events: list[Json]) -> list[Json]:
        return [*events, events[-1]]


@STEPS.mutant("start-missing")
class _StartMissing(_Step):
    """Steps have no step.start."""

    def change(self, events: list[Json]) -> list[Json]:
        return events[1:]


@STEPS.mutant("delta-before-start")
class _DeltaBeforeStart(_Step):
    """The first delta of a step comes before its start."""

    def change(self, events: list[Json]) -> list[Json]:
        return [events[1], events[0], *events[2:]] if len(events) > 2 else events


@STEPS.mutant("delta-after-stop")
class _DeltaAfterStop(_Step):
    """The last delta of a step comes after its stop."""

    def change(self, events: list[Json]) -> list[Json]:
        return [*events[:-2], events[-1], events[-2]] if len(events) > 2 else events


@STEPS.mutant("index-from-one")
class _IndexFromOne(_Whole):
    """Step indices count from 1."""

    def change(self, events: list[Json]) -> list[Json]:
        return [{**event, "index": event["index"] + 1} if "index" in event else event for event in events]


@STEPS.mutant("index-gap")
class _IndexGap(_Whole):
    """Step indices skip every second number."""

    def change(self, events: list[Json]) -> list[Json]:
        return [{**event, "index": event["index"] * 2} if "index" in event else event for event in events]


@STEPS.mutant("index-always-zero")
class _IndexAlwaysZero(_Whole):
    """Every step has the index 0."""

    def change(self, events: list[Json]) -> list[Json]:
        return [{**event, "index": 0} if "index" in event else event for event in events]


@STEPS.mutant("steps-interleaved")
class _StepsInterleaved(_Whole):
    """A step starts before the one before it has stopped."""

    def change(self, events: list[Json]) -> list[Json]:
        for place in range(len(events) - 1):
            here, after = events[place], events[place + 1]
            if here["event_type"] == "step.stop" and after["event_type"] == "step.start":
                return [*events[:place], after, here, *events[place + 2 :]]
        return events


@STEPS.mutant("delta-type-unknown")
class _DeltaTypeUnknown(Events):
    """Text deltas have the undocumented type `text_delta`."""

    def frame(self, payload: Json) -> bytes:
        delta = payload.get("delta")
        if delta is not None and delta["type"] == "text":
            payload = {**payload, "delta": {**delta, "type": "text_delta"}}
        return super().frame(payload)


@STEPS.mutant("delta-misfit")
class _DeltaMisfit(Events):
    """Thoughts get text deltas."""

    def thought(self, run: Run, step: Json) -> list[Json]:
        return [{"text": "I think.", "type": "text"}, *super().thought(run, step)]


@STEPS.mutant("arguments-cut")
class _ArgumentsCut(Events):
    """The last fragment of a call's arguments is never sent."""

    def arguments(self, run: Run, step: Json) -> list[Json]:
        deltas = super().arguments(run, step)
        return deltas[:-1] if len(deltas) > 1 else [{"arguments": "{", "type": "arguments_delta"}]


@STEPS.mutant("arguments-repeated")
class _ArgumentsRepeated(Events):
    """Each fragment of a call's arguments repeats all earlier ones, as if deltas were cumulative."""

    def arguments(self, run: Run, step: Json) -> list[Json]:
        deltas = super().arguments(run, step)
        whole = "".join(delta["arguments"] for delta in deltas)
        return [deltas[0], {"arguments": whole, "type": "arguments_delta"}]


@STEPS.mutant("arguments-object")
class _ArgumentsObject(Events):
    """The arguments of a call are streamed as an object, not as text."""

    def arguments(self, run: Run, step: Json) -> list[Json]:
        return [{"arguments": step["arguments"], "type": "arguments_delta"}]


@STEPS.mutant("signature-first")
class _SignatureFirst(Events):
    """The signature of a thought comes before its summary."""

    def thought(self, run: Run, step: Json) -> list[Json]:
        return super().thought(run, step)[::-1]


@STEPS.mutant("signature-dropped")
class _SignatureDropped(Events):
    """Streams leave out the signatures of thoughts."""

    def thought(self, run: Run, step: Json) -> list[Json]:
        return super().thought(run, step)[:-1]


@STEPS.mutant("text-dropped")
class _TextDropped(Events):
    """One text delta of several is lost."""

    def text_pieces(self, run: Run, text: str) -> list[str]:
        pieces = super().text_pieces(run, text)
        return [*pieces[:1], *pieces[2:]] if len(pieces) > 2 else pieces


@STEPS.mutant("text-doubled")
class _TextDoubled(Events):
    """One text delta is sent twice."""

    def text_pieces(self, run: Run, text: str) -> list[str]:
        pieces = super().text_pieces(run, text)
        return [pieces[0], *pieces]


@STEPS.mutant("text-cumulative")
class _TextCumulative(Events):
    """Each text delta holds all the text so far."""

    def text_pieces(self, run: Run, text: str) -> list[str]:
        pieces = super().text_pieces(run, text)
        return ["".join(pieces[: count + 1]) for count in range(len(pieces))]


@STEPS.mutant("text-reordered")
class _TextReordered(Events):
    """Two text deltas are swapped."""

    def text_pieces(self, run: Run, text: str) -> list[str]:
        pieces = super().text_pieces(run, text)
        return [*pieces[:-2], *pieces[:-3:-1]]


@STEPS.mutant("thoughts-not-streamed")
class _ThoughtsNotStreamed(Events):
    """Streams leave out thoughts, and the indices of the other steps have no gap."""

    def sequence(self, run: Run) -> list[Json]:
        shown = [step for step in run.steps if step["type"] != "thought"]
        steps = (event for index, step in enumerate(shown) for event in self.step(run, index, step))
        return [*self.opening(run), *steps]


@STEPS.mutant("call-streamed-as-text")
class _CallStreamedAsText(Events):
    """Streams show a function call as text."""

    def shell(self, step: Json) -> Json:
        return {"type": "model_output"} if step["type"] == "function_call" else super().shell(step)

    def arguments(self, run: Run, step: Json) -> list[Json]:
        return [{"text": f"{step['name']}()", "type": "text"}]


@STEPS.mutant("call-streamed-without-name")
class _CallStreamedWithoutName(Events):
    """The step.start of a function call lacks the function's name."""

    def shell(self, step: Json) -> Json:
        shell = super().shell(step)
        shell.pop("name", None)
        return shell
