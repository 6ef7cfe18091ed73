"""Mutants: the steps and deltas inside streams."""

from __future__ import annotations

from harness.emulator.mutants.changes import Json, each_step, without
from harness.emulator.mutants.hooks import deltas, events, payload
from harness.emulator.mutants.parts import Change, after, instead
from harness.emulator.mutants.rows import row
from harness.emulator.run.event_writer import EventWriter
from harness.emulator.run.run import Run
from harness.kit.mutant import table


def _each_index(change: Change) -> Change:
    """Change the index of every event that has one."""
    return lambda events, run: [
        {**event, "index": change(event["index"])} if "index" in event else event for event in events
    ]


def _put_delta_before_start(events: list[Json]) -> list[Json]:
    return [events[1], events[0], *events[2:]] if len(events) > 2 else events


def _put_delta_after_stop(events: list[Json]) -> list[Json]:
    return [*events[:-2], events[-1], events[-2]] if len(events) > 2 else events


def _interleave(events: list[Json], run: Run) -> list[Json]:
    for place in range(len(events) - 1):
        here, after = events[place], events[place + 1]
        if here["event_type"] == "step.stop" and after["event_type"] == "step.start":
            return [*events[:place], after, here, *events[place + 2 :]]
    return events


def _rename_text_delta(payload: Json) -> None:
    delta = payload.get("delta")
    if delta is not None and delta["type"] == "text":
        payload["delta"] = {**delta, "type": "text_delta"}


def _cut_arguments(deltas: list[Json], step: Json) -> list[Json]:
    return deltas[:-1] if len(deltas) > 1 else [{"arguments": "{", "type": "arguments_delta"}]


def _repeat_arguments(deltas: list[Json], step: Json) -> list[Json]:
    whole = "".join(delta["arguments"] for delta in deltas)
    return [deltas[0], {"arguments": whole, "type": "arguments_delta"}]


def _leave_out_thoughts(writer: EventWriter, run: Run) -> list[Json]:
    shown = [step for step in run.steps if step["type"] != "thought"]
    steps = (event for index, step in enumerate(shown) for event in writer.step(run, index, step))
    return [*writer.opening(run), *steps]


def _show_own_usage(stop: Json, writer: EventWriter, run: Run, index: int) -> Json:
    before = run.usage_after(index)["total_tokens"] if index else 0
    return {**stop, "usage": {"total_tokens": run.usage_after(index + 1)["total_tokens"] - before}}


def _shell_of_text(writer: EventWriter, step: Json) -> Json:
    return {"type": "model_output"} if step["type"] == "function_call" else EventWriter.shell(writer, step)


MUTANTS = table(
    "stream-steps",
    row("stream-drops-stop", "The last step has no step.stop.",
        events(lambda events, _: events[:-1])),
    row("stop-twice", "Each step has two step.stop events.",
        events(each_step(lambda events: [*events, events[-1]]))),
    row("start-missing", "Steps have no step.start.",
        events(each_step(lambda events: events[1:]))),
    row("delta-before-start", "The first delta of a step comes before its start.",
        events(each_step(_put_delta_before_start))),
    row("delta-after-stop", "The last delta of a step comes after its stop.",
        events(each_step(_put_delta_after_stop))),
    row("index-from-one", "Step indices count from 1.",
        events(_each_index(lambda index: index + 1))),
    row("index-gap", "Step indices skip every second number.",
        events(_each_index(lambda index: index * 2))),
    row("index-always-zero", "Every step has the index 0.",
        events(_each_index(lambda index: 0))),
    row("steps-interleaved", "A step starts before the one before it has stopped.",
        events(_interleave)),
    row("delta-type-unknown", "Text deltas have the undocumented type `text_delta`.",
        payload(_rename_text_delta)),
    row("delta-misfit", "Thoughts get text deltas.",
        deltas("thought", lambda deltas, _: [{"text": "I think.", "type": "text"}, *deltas])),
    row("arguments-cut", "The last fragment of a call's arguments is never sent.",
        deltas("arguments", _cut_arguments)),
    row("arguments-repeated",
        "Each fragment of a call's arguments repeats all earlier ones, as if deltas were cumulative.",
        deltas("arguments", _repeat_arguments)),
    row("arguments-object", "The arguments of a call are streamed as an object, not as text.",
        deltas("arguments", lambda _, step: [{"arguments": step["arguments"], "type": "arguments_delta"}])),
    row("signature-first", "The signature of a thought comes before its summary.",
        deltas("thought", lambda deltas, _: deltas[::-1])),
    row("signature-dropped", "Streams leave out the signatures of thoughts.",
        deltas("thought", lambda deltas, _: deltas[:-1])),
    row("text-dropped", "One text delta of several is lost.",
        deltas("text", lambda pieces, _: [*pieces[:1], *pieces[2:]] if len(pieces) > 2 else pieces)),
    row("text-doubled", "One text delta is sent twice.",
        deltas("text", lambda pieces, _: [pieces[0], *pieces])),
    row("text-cumulative", "Each text delta holds all the text so far.",
        deltas("text", lambda pieces, _: ["".join(pieces[: count + 1]) for count in range(len(pieces))])),
    row("text-reordered", "Two text deltas are swapped.",
        deltas("text", lambda pieces, _: [*pieces[:-2], *pieces[:-3:-1]])),
    row("thoughts-not-streamed",
        "Streams leave out thoughts, and the indices of the other steps have no gap.",
        instead(EventWriter.sequence, _leave_out_thoughts)),
    row("stop-usage-of-step", "The usage of a step.stop counts its own step, not the run so far.",
        after(EventWriter.stop, _show_own_usage)),
    row("call-streamed-as-text", "Streams show a function call as text.",
        instead(EventWriter.shell, _shell_of_text),
        deltas("arguments", lambda _, step: [{"text": f"{step['name']}()", "type": "text"}])),
    row("call-streamed-without-name", "The step.start of a function call lacks the function's name.",
        after(EventWriter.shell, lambda shell, *_: without(shell, "name"))),
)  # fmt: skip
