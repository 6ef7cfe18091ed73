"""`harness mutants`: which checks fail on each mutant of the emulator, the proof that a check can fail."""

from __future__ import annotations

import fnmatch
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from harness.cli.arguments import read_options
from harness.cli.common_options import ExtensionOptions, json_option
from harness.cli.options import Page, argument, flag
from harness.cli.output import page, say, write_json
from harness.interactions.mutants import load_mutants
from harness.interactions.servers import SERVERS, embedded_settings
from harness.outcome import Exit, UsageFault
from harness.outcome.words import did_you_mean, format_count, list_some
from harness.report.screen import Line, Role, align, format_seconds
from harness.rules import ROWS

if TYPE_CHECKING:
    from harness.engine.killers import Killers


@dataclass(kw_only=True)
class MutantsArguments(ExtensionOptions):
    """The options of `harness mutants`."""

    globs: Sequence[str] = argument("run only matching mutants", nargs="*", default=(), metavar="GLOB")
    list: bool = flag("list the mutants and their defects, and run nothing")
    json: bool = json_option()

    page = Page(
        "mutants",
        ("harness mutants 'resume-*'", "harness mutants --list"),
        notes="exit codes: 0 every mutant was killed · 1 a mutant survived · 2 usage · 5 error in the harness ·\n"
        "130 interrupted",
    )


OPTIONS = MutantsArguments


def run(words: Sequence[str]) -> int:
    """Run the command. Exit code 0 if some check fails on each mutant."""
    arguments = read_options(MutantsArguments, words)
    mutants = load_mutants()
    chosen = _choose(arguments.globs)
    if arguments.list:
        if arguments.json:
            write_json([{"id": name, "summary": mutants[name].summary} for name in chosen])
        else:
            page(*align([(name, mutants[name].summary) for name in chosen]))
        return Exit.OK
    from harness.engine.killers import find_killers

    width = max(map(len, chosen)) + 2
    rows, added = dict[str, "Killers"](), SERVERS.load_extensions()
    begun = time.monotonic()
    for name in chosen:
        rows[name] = find_killers(SERVERS, partial(mutants[name].build, embedded_settings()))
        if len(rows) == 3 and len(chosen) > 20:
            left = format_seconds((time.monotonic() - begun) / 3 * (len(chosen) - 3))
            say(
                f"note: about {left} for the other {len(chosen) - 3} mutants; a pattern chooses fewer",
                to_errors=True,
            )
        if not arguments.json:
            row = rows[name]  # the checks of an extension come first: its author asks for them
            names = sorted(row.names, key=lambda check: check.partition(".")[0] not in added)
            word = "NOT TESTED" if row.errors else list_some(names, 8, hint="--json names all") or "SURVIVED"
            role = Role.PLAIN if row.names else Role.NOT_TESTED if row.errors else Role.FAILED
            say(Line(f"{name:<{width}}{word}", role, hang=width, parts=[(width, Role.ID)]))
    survivors = [name for name, row in rows.items() if not (row.names or row.errors)]
    erred = any(row.errors for row in rows.values())
    code = Exit.HARNESS_ERROR if erred else Exit.FAILED if survivors else Exit.OK
    if arguments.json:
        killers = {name: row.names for name, row in rows.items()}
        errors = {name: row.errors for name, row in rows.items() if row.errors}
        write_json({"killers": killers, "survivors": survivors, "errors": errors, "exit": code})
    else:
        say(*_conclude(rows, survivors))
    return code


def _choose(globs: Sequence[str]) -> list[str]:
    """The mutants that match, all without a pattern. Raises UsageFault if one matches nothing."""
    mutants = load_mutants()
    hits: dict[str, None] = {}
    for glob in globs or ("*",):
        found = fnmatch.filter(mutants, glob)
        if not found:
            hint = did_you_mean(glob, mutants, otherwise=": `harness mutants --list` shows all")
            if (row := ROWS.get(glob)) is not None and row.mutant in mutants:
                hint = f", which is a rule: name a mutant that breaks it, such as {row.mutant!r}"
            raise UsageFault(f"no mutant has the id {glob!r}{hint}")
        hits.update(dict.fromkeys(found))
    return list(hits)


def _conclude(rows: Mapping[str, Killers], survivors: Sequence[str]) -> Iterator[str]:
    """The errors, the checks that should kill one of these mutants and do not, and the verdict."""
    from harness.report.presented_run import ERRED, ERRED_OUTSIDE

    extensions = SERVERS.load_extensions()
    errors = {check: reason for row in rows.values() for check, reason in row.errors.items()}
    yield from (f"ERROR in {check}: {reason}" for check, reason in errors.items())
    for area in dict.fromkeys(check.partition(".")[0] for check in errors):
        yield ERRED_OUTSIDE.format(area) if area in extensions else ERRED
    proved = {rule for rule, row in ROWS.items() if row.mutant in rows and row.mutant not in survivors}
    proved |= {check.id for check in SERVERS.load_catalogue() if check.rule.area in extensions}
    if idle := sorted(proved.difference(*(row.names for row in rows.values()))):
        yield f"checks that kill none of these mutants, or that a finding blocks: {list_some(idle, 8)}"
    total = format_count(len(rows), "mutant")
    erred = sum(bool(row.errors) for row in rows.values())
    if erred:
        yield f"HARNESS ERROR: {erred} of {total} not tested."
    elif survivors:
        own = next((rule for rule, row in ROWS.items() if row.mutant == survivors[0]), "")
        judge = f" -- sh -c 'harness check $INTERACTIONS_BASE_URL -c {own}'" if own else ""
        why = f"shows why {own} does not fail" if own else "serves it; add a rule whose check fails on it"
        yield f"help: `harness serve --mutant {survivors[0]}{judge}` {why}"
        yield f"FAILED: {len(survivors)} of {total} survived ({list_some(survivors, 3)})."
    else:
        yield f"PASSED: {total} killed."
