"""Mutants: how streams end."""

from __future__ import annotations

from harness.emulator.mutants.changes import Json, drop, inside, put, skip, turn
from harness.emulator.mutants.hooks import deltas, event, events, frame
from harness.emulator.mutants.parts import before, instead
from harness.emulator.mutants.rows import row
from harness.emulator.run.event_writer import EventWriter
from harness.emulator.run.run import Run
from harness.kit.mutant import table
from harness.wire import encode

_ANOTHER_OUTPUT = {"content": [{"text": "Something else.", "type": "text"}], "type": "model_output"}


def _make_completed(run: Run) -> Json:
    interaction = {"id": run.public_id, "status": "completed", "usage": run.usage}
    return {"interaction": interaction, "event_type": "interaction.completed"}


MUTANTS = table(
    "stream-end",
    row("completed-id-changes", "interaction.completed names another interaction.",
        event("interaction.completed", inside("interaction", put(id="v1_other")))),
    row("completed-not-last", "interaction.completed comes before the last step.",
        events(lambda events, run: [*events[:-1], _make_completed(run), events[-1]])),
    row("completed-twice", "interaction.completed is sent twice.",
        events(lambda events, run: [*events, _make_completed(run)])),
    row("completed-missing", "Streams end without interaction.completed.",
        before(Run._close, skip)),
    row("completed-legacy-name", "The last event has the name it had before May 2026, interaction.complete.",
        frame(lambda name, data: encode(
            name.decode().replace("completed", "complete"), data.replace(b".completed\"", b".complete\"")))),
    row("completed-malformed", "interaction.completed has neither an id nor a status.",
        event("interaction.completed", inside("interaction", drop("id", "status")))),
    row("completed-otherwise", "interaction.completed reports a completed interaction as incomplete.",
        event("interaction.completed", inside("interaction", inside("status", turn(completed="incomplete"))))),
    row("completed-still-running", "interaction.completed reports the interaction as in progress.",
        event("interaction.completed", inside("interaction", put(status="in_progress")))),
    row("completed-without-usage", "interaction.completed has no usage.",
        event("interaction.completed", inside("interaction", drop("usage")))),
    row("completed-with-steps-wrong",
        "interaction.completed contains steps that differ from those of the deltas.",
        event("interaction.completed", inside("interaction", put(steps=[_ANOTHER_OUTPUT])))),
    row("text-lost", "The last text delta of each output is lost.",
        deltas("text", lambda pieces, text: pieces[:-1] if len(pieces) > 1 else pieces)),
    row("done-missing", "Streams end without [DONE].",
        instead(EventWriter.encode_done, lambda writer: b"")),
    row("done-not-final", "An event follows [DONE].",
        instead(EventWriter.encode_done, lambda writer: (
            EventWriter.encode_done(writer) + writer.frame({"index": 0, "event_type": "step.stop"})))),
    row("error-bare", "A failure is reported in bare JSON, outside the framing of the stream.",
        frame(lambda name, data: data + b"\n\n" if name == b"error" else encode(name.decode(), data)),
        instead(EventWriter.encode_done, lambda writer: b"")),
    row("error-event-string", "The error of an error event is a string.",
        instead(EventWriter.error, lambda writer, code, message: (
            {"error": message or "broken", "event_type": "error"}))),
    row("error-event-code-number", "The code of an error event is a number.",
        instead(EventWriter.error, lambda writer, code, message: (
            {"error": {"message": message or "broken", "code": 500}, "event_type": "error"}))),
)  # fmt: skip
