"""Mutants: answers in several hops."""

from __future__ import annotations

from harness.emulator.mutants.changes import Json
from harness.emulator.mutants.hooks import steps
from harness.emulator.mutants.rows import row
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
        if step["type"] == "model_output" and step["content"][0]["type"] == "text":
            first, *rest = step["content"]
            step = {**step, "content": [{**first, "text": word + first["text"]}, *rest]}
            word = (str(first["text"]).split() or [""])[-1]
        shown.append(step)
    return shown


MUTANTS = table(
    "long",
    row("hop-replaces-hop", "A read shows only the last of several outputs.",
        steps(_keep_last_output)),
    row("hops-overlap", "Each output after the first begins with the last word of the one before.",
        steps(_say_again)),
)  # fmt: skip
