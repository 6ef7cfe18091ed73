"""`harness mutants`: the kill matrix, the proof that each check can fail.

Layer 8.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass

from harness.cli.arguments import read_options
from harness.cli.common_options import (
    ExtensionOptions,
    OutputOptions,
    verbose_option,
)
from harness.cli.options import COUNT, Page, argument, flag, option
from harness.cli.output import Listeners, say_lines, write_json
from harness.contract import CURRENT
from harness.interactions.servers import SERVERS
from harness.outcome import Exit, UsageFault
from harness.outcome.words import did_you_mean
from harness.report.screen import align
from harness.rules import ROWS


@dataclass(kw_only=True)
class MutantsArguments(ExtensionOptions, OutputOptions):
    """The options of `harness mutants`."""

    globs: Sequence[str] = argument(
        "run only matching mutants", nargs="*", default=(), metavar="GLOB", completes="mutant"
    )
    jobs: int = option("number of processes", COUNT, 2, flags=("-j", "--jobs"))
    list: bool = flag("list the mutants and their defects, and run nothing")
    verbose: int = verbose_option("name every check that kills a mutant")

    page = Page(
        "mutants",
        ("harness mutants 'resume-*'", "harness mutants --list"),
        groups=("run", "output"),
        notes="exit codes: 0 every mutant was killed · 1 a mutant survived · 2 usage · 5 error in the harness ·\n"
        "130 interrupted",
    )


OPTIONS = MutantsArguments


def run(words: Sequence[str]) -> int:
    """Run the command. Exit code 0 if every mutant is noticed and, in a full run, every check notices one."""
    arguments = read_options(MutantsArguments, words)
    mutants = SERVERS.load_mutants()
    chosen = list(mutants)
    if arguments.globs:
        hits: dict[str, None] = {}
        for glob in arguments.globs:
            found = fnmatch.filter(mutants, glob)
            if not found:
                hint = did_you_mean(glob, mutants, otherwise=": `harness mutants --list` shows all")
                if (row := ROWS.get(glob)) is not None and row.mutant in mutants:
                    hint = f", which is a rule: name a mutant that breaks it, such as {row.mutant!r}"
                raise UsageFault(f"no mutant has the id {glob!r}{hint}")
            hits.update(dict.fromkeys(found))
        chosen = list(hits)
    if arguments.list:
        if arguments.json:
            write_json([{"id": name, "summary": mutants[name].summary} for name in chosen])
        else:
            say_lines(align([(name, mutants[name].summary) for name in chosen]))
        return Exit.OK
    from harness.engine.kill_matrix import ProofOptions, prove
    from harness.report.commands.mutants import MutantsPresentation

    options = ProofOptions(
        summaries={name: mutants[name].summary for name in chosen},
        whole=len(chosen) == len(mutants),
        jobs=arguments.jobs,
        revision=CURRENT,
    )
    return Listeners(arguments, MutantsPresentation()).follow(prove(SERVERS, options)).exit
