"""`harness doctor`: what is installed, what this machine allows, and what is in the way.

Layer 7.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from harness.cli.arguments import read_options
from harness.cli.common_options import color_option, json_option
from harness.cli.diagnosis import Condition, Diagnosis, diagnose
from harness.cli.masking import mask_text, show_text
from harness.cli.options import Options, Page
from harness.cli.output import say, write_json
from harness.outcome import Exit
from harness.outcome.words import format_count
from harness.report.terminal.screen import wants_colour

_COLOUR = {Condition.OK: "32", Condition.NOTE: "33", Condition.PROBLEM: "31;1"}


@dataclass(kw_only=True)
class DoctorArguments(Options):
    """The options of `harness doctor`."""

    json: bool = json_option()
    color: str = color_option()

    page = Page(
        "doctor", ("harness doctor", "harness doctor --json"), notes="exit codes: 0 no problem · 1 a problem"
    )


OPTIONS = DoctorArguments


def run(words: Sequence[str]) -> int:
    """Run the command. Exit code: 0 if nothing is in the way, 1 if something is."""
    arguments = read_options(DoctorArguments, words)
    colour = wants_colour(sys.stdout, os.environ, arguments.color)
    found = []
    for item in diagnose():
        found.append(item)
        if not arguments.json:
            sys.stdout.write(_format(item, colour=colour) + "\n")
    problems = sum(item.state is Condition.PROBLEM for item in found)
    if arguments.json:
        rows = [
            {"about": item.about, "state": str(item.state), "found": mask_text(item.found), "remedy": item.remedy}
            for item in found
        ]
        write_json({"problems": problems, "diagnoses": rows})
    else:
        say(f"{format_count(problems, 'problem')}" if problems else "No problems found.")
    return Exit.FAILED if problems else Exit.OK


def _format(item: Diagnosis, *, colour: bool) -> str:
    word = f"{item.state:<8}"
    word = f"\x1b[{_COLOUR[item.state]}m{word}\x1b[0m" if colour else word
    line = f"{word} {item.about:<15} {show_text(item.found)}"
    return f"{line}\n{'':<25}→ {show_text(item.remedy)}" if item.remedy else line
