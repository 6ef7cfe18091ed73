"""`harness mutants`: the kill matrix, the proof that each check can fail.

Layer 7.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence

from harness.cli.arguments import Parser, add_revision_argument, count, revision_of
from harness.cli.output import Listeners, add_output_arguments, say
from harness.cli.sharding import add_shard_arguments, read_seconds, shard_of
from harness.interactions import INTERACTIONS
from harness.outcome import Exit, UsageFault
from harness.outcome.suggest import did_you_mean


def run(words: Sequence[str]) -> int:
    """Run the command. Exit code 0 if every mutant is noticed and, in a full run, every check notices one."""
    parser = Parser(
        "mutants",
        "Run the catalogue against every mutant of the emulator and print which check notices which mutant.",
    )
    parser.add_argument("globs", nargs="*", metavar="GLOB", help="only matching mutants")
    parser.add_argument(
        "-j", "--jobs", type=count, default=2, metavar="N", help="number of processes (default: 2)"
    )
    add_revision_argument(parser)
    add_shard_arguments(parser.add_argument_group("run"))
    parser.add_argument("--list", action="store_true", help="list the mutants and their defects, run nothing")
    add_output_arguments(parser.add_argument_group("output"), verbose="name every check that notices a mutant")
    arguments = parser.parse(words)
    mutants = INTERACTIONS.load_mutants()
    chosen = _select_names(arguments.globs, list(mutants))
    if arguments.list:
        for name in chosen:
            say(f"{name}: {mutants[name].summary}")
        return Exit.OK
    from harness.engine.proof import ProofOptions, prove
    from harness.report.commands.mutants import MutantsPresentation

    options = ProofOptions(
        summaries={name: mutants[name].summary for name in chosen},
        whole=len(chosen) == len(mutants),
        jobs=arguments.jobs,
        revision=revision_of(arguments),
        shard=shard_of(arguments),
        shard_seconds=read_seconds(arguments.shard_times),
    )
    return Listeners(arguments, MutantsPresentation()).follow(prove(INTERACTIONS, options)).exit


def _select_names(globs: Sequence[str], names: list[str]) -> list[str]:
    chosen: dict[str, None] = {}
    for glob in globs:
        hits = fnmatch.filter(names, glob)
        if not hits:
            hint = did_you_mean(glob, names, otherwise=": `harness mutants --list` shows all")
            raise UsageFault(f"no mutant is named {glob!r}{hint}")
        chosen.update(dict.fromkeys(hits))
    return list(chosen) if globs else names
