"""`python -m lab missed`: generated defects that the random search finds, and that no check reports.

Each of them shows that a fixed exercise is missing, so the command then fails. It takes the defects of a score
report that survived, or that changed nothing that a check read, and searches each in histories of its own. Defects
that are listed as legal are searched, too: the search must not report them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.checks.capabilities import CAPABILITIES
from harness.engine.search.budget import Budget
from harness.engine.search.failure import Failure, rule_of
from harness.engine.search.rounds import HISTORY, LAWS, search
from harness.engine.search.search_target import SearchTarget
from harness.engine.selection import Chosen
from harness.engine.targets import TargetOptions, embed_emulator
from harness.interactions.search import load_search
from harness.interactions.servers import SERVERS
from harness.kit.api import EmbeddedService
from harness.outcome import FIRST_WORDS, Exit, Level, Severity
from harness.outcome.words import format_count
from lab.defects.generation import draw, generate_oddities
from lab.defects.scenes import ODDITY, Scene, WireDefect
from lab.defects.wrapped_service import DefectRun
from lab.score import NOT_SHOWN, SURVIVED, DefectBench

BUDGET = Budget(histories=150, steps=30, laws=40, schema=0)


def find_failures(defect: WireDefect, budget: Budget = BUDGET) -> Iterator[Failure]:
    """The MUST rules that a search of histories and laws finds broken on a server with this defect."""
    run, model = DefectRun(defect), load_search()

    def build() -> EmbeddedService:
        wrapped: EmbeddedService = run.wrap(SERVERS.new_service(SERVERS.load_contract("")))
        return wrapped

    target = embed_emulator(SERVERS, TargetOptions(), build)
    place = SearchTarget(target, model, frozenset(CAPABILITIES), chosen=Chosen(level=Level.MUST))
    for engine in (HISTORY, LAWS):
        for failure in search(place, budget, engine=engine).failures:
            if failure.finding.severity is Severity.BROKEN and rule_of(failure.rule, model).level is Level.MUST:
                yield failure


def read_defect(row: Mapping[str, Any]) -> WireDefect:
    """The defect of a row of a score report."""
    place = Scene(row["call"], row["mode"], row["moment"])
    return WireDefect(
        row["part"], row["operator"], place, row["field"], row["value"], row["when"], row.get("seed", 0)
    )


def run(words: Sequence[str]) -> int:
    """Run the command. Exit code: 0 the search finds nothing more than the checks, 1 something."""
    parser = argparse.ArgumentParser(prog="python -m lab missed", description=__doc__)
    parser.add_argument("--from", dest="recorded", type=Path, metavar="FILE", help="a report of `score --json`")
    parser.add_argument("--sample", type=int, default=100, metavar="N", help="defects to draw without one (100)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="seed of the sample (1)")
    options = parser.parse_args(words)
    if options.recorded is not None:
        rows = json.loads(options.recorded.read_bytes())["defects"]
    else:
        bench = DefectBench()
        drawn = draw(bench.defects, options.sample, options.seed)
        rows = list(map(bench.play, [*drawn, *draw(generate_oddities(), options.sample // 10, options.seed)]))
    unreported = [row for row in rows if row["outcome"] in (SURVIVED, NOT_SHOWN)]
    found = 0
    for row in unreported:
        is_legal = row["part"] == ODDITY or row["excuse"]
        if failures := list(find_failures(read_defect(row))):
            found += 1
            names = ", ".join(dict.fromkeys(failure.defect.name for failure in failures))
            print(f"{'legal' if is_legal else 'missed'}: {row['id']}: {names}", flush=True)
    code = Exit.FAILED if found else Exit.OK
    print(
        f"{FIRST_WORDS[code]}: of {format_count(len(rows), 'generated defect')} the checks did not report "
        f"{len(unreported)}; the search found {found} of these"
    )
    return code
