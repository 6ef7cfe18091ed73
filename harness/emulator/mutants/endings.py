"""Mutants: background runs that begin or end unusually, and long answers in several hops."""

from __future__ import annotations

from harness.emulator.mutants.changes import Json, drop, inside, skip, turn, when
from harness.emulator.mutants.hooks import body, event, row, status, steps
from harness.emulator.mutants.parts import before
from harness.emulator.run.run import Run
from harness.kit.mutant import table


def _keep_last_output(steps: list[Json], run: Run, timeline: bool) -> list[Json]:
    outputs = [step for step in steps if step["type"] == "model_output"]
    return [step for step in steps if step not in outputs[:-1]]


def _say_again(steps: list[Json], run: Run, timeline: bool) -> list[Json]:
    """Begin each output with the last word of the one before."""
    shown: list[Json] = []
    word = ""
    for step in steps:
        first, *rest = step.get("content") or [{}]  # none, if a cancel came before the first delta
        if step["type"] == "model_output" and first.get("type") == "text":
            step = {**step, "content": [{**first, "text": word + first["text"]}, *rest]}
            word = (str(first["text"]).split() or [""])[-1]
        shown.append(step)
    return shown


MUTANTS = table(
    "endings",
    row("never-settles", "Background runs stay in progress forever.", before(Run.poll, skip)),
    row("queued-forever", "A queued run stays queued.", before(Run.poll, when(lambda run: run.waiting, skip))),
    row("failed-silently", "A failed run has no errors that say why.", body(drop("errors"))),
    row("failed-shown-completed", "Polls show a failed run as completed.", status(turn(failed="completed"))),
    row("failed-streamed-completed", "The stream of a failed run reports it as completed.",
        event("interaction.completed", inside("interaction", inside("status", turn(failed="completed"))))),
    row("cut-short-shown-completed", "A run whose output was cut by a limit is shown as completed.",
        status(turn(incomplete="completed"))),
    row("hop-replaces-hop", "A read shows only the last of several outputs.", steps(_keep_last_output)),
    row("hops-overlap", "Each output after the first begins with the last word of the one before.",
        steps(_say_again)),
)  # fmt: skip
