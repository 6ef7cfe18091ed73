"""`harness mutants`: the kill matrix, the proof that each check can fail.

Layer 7.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from typing import Any

from harness.cli.arguments import Parser, add_revision_argument, count, revision_of
from harness.cli.output import say, write_json
from harness.engine.kill_matrix import Matrix, kill_matrix
from harness.outcome import Exit, UsageFault
from harness.outcome.suggest import did_you_mean
from harness.outcome.words import counted

_WIDTH = 100


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
    parser.add_argument("--list", action="store_true", help="list the mutants and their defects, run nothing")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse(words)
    from harness.emulator.mutants import MUTANTS

    chosen = _chosen(arguments.globs, list(MUTANTS))
    if arguments.list:
        for name in chosen:
            say(f"{name}: {MUTANTS[name].summary}")
        return Exit.OK
    matrix = kill_matrix(chosen, jobs=arguments.jobs, revision=revision_of(arguments))
    whole = len(chosen) == len(MUTANTS)
    if arguments.json:
        write_json(matrix_record(matrix))
    else:
        _print(matrix, whole=whole)
    if matrix.errors:
        return Exit.HARNESS_ERROR
    return Exit.FAILED if matrix.survivors or (whole and matrix.without_killer) else Exit.OK


def matrix_record(matrix: Matrix) -> dict[str, Any]:
    """The matrix as `schemas/output/mutants.schema.json` describes it."""
    return {
        "mutants": len(matrix.kills),
        "killed": len(matrix.kills) - len(matrix.survivors),
        "survivors": list(matrix.survivors),
        "checks": len(matrix.checks),
        "checks_without_killer": list(matrix.without_killer),
        "unmet_by_reference": dict(matrix.unmet),
        "errors": {mutant: list(errors) for mutant, errors in matrix.errors.items()},
        "matrix": {mutant: list(killers) for mutant, killers in matrix.kills.items()},
    }


def _chosen(globs: Sequence[str], names: list[str]) -> list[str]:
    chosen: dict[str, None] = {}
    for glob in globs:
        hits = fnmatch.filter(names, glob)
        if not hits:
            raise UsageFault(f"no mutant is named {glob!r}{did_you_mean(glob, names)}")
        chosen.update(dict.fromkeys(hits))
    return list(chosen) if globs else names


def _print(matrix: Matrix, *, whole: bool) -> None:
    width = max((len(name) for name in matrix.kills), default=0)
    for name, killers in matrix.kills.items():
        text = ", ".join(killers) if killers else "SURVIVES"
        shown = text if len(text) <= _WIDTH else f"{text[:_WIDTH]}… ({counted(len(killers), 'check')})"
        say(f"{name:<{width}}  {shown}")
    for name, errors in matrix.errors.items():
        say(f"ERROR in {name}: {errors[0]}")
    for check_id, why in matrix.unmet.items():
        say(f"not met by the reference: {check_id}: {why}")
    if whole and matrix.without_killer:
        say(f"checks that notice no mutant: {', '.join(matrix.without_killer)}")
    killed = len(matrix.kills) - len(matrix.survivors)
    say(f"{killed} of {len(matrix.kills)} mutants noticed by {counted(len(matrix.checks), 'check')}")
