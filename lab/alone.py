"""`python -m lab alone`: whether a check has the same result by `-c` alone as in the whole run, on mutants.

The kill matrix plays each exercise on a service of its own, a whole run plays all of them on one. A check with
another result there is run by itself, on a fresh service or on the one that was judged before. A difference is a
check that is broken in one of them, and passes or is not tested in the other one. Not a difference: what another
finding of the run explains, times among several workers, and what a rule of every response learns from others.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from msgspec.structs import replace

from harness.emulator.mutants import MUTANTS
from harness.engine.events import Result, RunFinished
from harness.engine.run import RunOptions, check_target
from harness.engine.selection import Selection
from harness.engine.targets import TargetOptions, embed_emulator
from harness.errors import TargetFault
from harness.interactions.servers import SERVERS, embedded_settings
from harness.kit.api import EmbeddedService
from harness.outcome import Accounted, Exit, Harm, Outcome
from harness.rules import ROWS
from harness.transport import ServiceDriver
from harness.wire import Request, Response
from lab.kill_matrix import Bench, load_bench, load_checks

JOBS = (1, 8, 24)
_BROKEN = (Accounted.FAILED, Accounted.WARNED)
ACROSS = ("parallel-outputs-mixed", "cancel-stops-all", "delete-takes-all", "hang-up-breaks", "reads-another",
          "inputs-mixed-up")  # fmt: skip
"""Mutants whose defect acts between the exercises of one run, which no check alone meets: they are left out."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A check that says something else alone; `where` is how many workers the whole run had, and of which turn."""

    mutant: str
    check: str
    where: str
    alone: str
    whole: str

    def __str__(self) -> str:
        return f"{self.mutant}: {self.check} {self.alone} alone, {self.whole} in the whole run ({self.where})"


def judge(service: EmbeddedService, *checks: str, jobs: int = 1) -> Mapping[str, Result]:
    """Judge a service without a control API, which all workers and all later runs share."""

    def answer(request: Request) -> Response:
        if request.segments[:1] == ("__harness__",):
            return Response.json(404, b'{"error": {"code": "not_found", "message": "There is no such route."}}')
        return service(request)

    embedded = embed_emulator(SERVERS, TargetOptions())
    target = replace(embedded, connect=lambda session="": ServiceDriver(answer, service.clock), throwaway=False)
    options = RunOptions(selection=Selection(checks=checks), jobs=jobs)
    *_, finished = check_target(target, load_checks(), options)
    assert isinstance(finished, RunFinished)
    return {result.id: result for result in finished.results}


def find_differences(bench: Bench, mutant: str, *several: int) -> Iterator[Difference]:
    """The checks that have another result alone than in the whole runs, one run for each number of workers.

    The first run judges a fresh service, and each further one the service that the others judged before. A check
    alone does so, too; on a fresh service its result is that of any number of workers.
    """
    build = partial(MUTANTS[mutant].build, embedded_settings())
    own = {row.rule.id for row in ROWS.values() if row.mutant == mutant}
    apart = {*bench.row(build).killers, *own}
    service = build()
    for number, jobs in enumerate(several):
        turn = "judged before" if number else "fresh"
        whole = judge(service, jobs=jobs)
        if whole["create.id-unique"].outcome in _BROKEN:
            continue  # exercises of one run then share ids, which no check alone meets
        together = {name for name, result in whole.items() if result.outcome in _BROKEN}
        # The kill matrix has played what both find, each exercise on a service of its own.
        for name in sorted((apart ^ together) | (own if turn == "fresh" else set())):
            excused = _is_excused(whole[name], jobs, name in own)
            if excused or (name in together and ROWS[name].everywhere):
                continue
            alone = judge(build() if turn == "fresh" else service, name)[name]
            if (alone.outcome in _BROKEN) is not (name in together):
                words = alone.outcome.word, whole[name].outcome.word
                yield Difference(mutant, name, f"{jobs} jobs, {turn}", *words)


def _is_excused(whole: Result, jobs: int, is_own: bool) -> bool:
    """Whether a finding of the run explains a result, the run asked nothing, or other workers moved the clock.

    What the target seems to lack is asked by `-c` alone; not so the check that the mutant is there for.
    """
    lacks = whole.observation.outcome is Outcome.NOT_APPLICABLE and not is_own
    return whole.is_consequence or lacks or (jobs > 1 and whole.rule.harm is Harm.TIME)


def rotate(several: Sequence[int], number: int) -> Sequence[int]:
    """The numbers of workers for a mutant: each of them begins with a third of the mutants, in turn."""
    start = number % len(several)
    return [*several[start:], *several[:start]]


def list_mutants() -> list[str]:
    """The mutants that are compared."""
    return sorted(MUTANTS.keys() - set(ACROSS))


def run(words: Sequence[str]) -> int:
    """Run the command. Exit code: 0 no difference, 1 some."""
    parser = argparse.ArgumentParser(prog="python -m lab alone", description=__doc__)
    parser.add_argument("mutants", nargs="*", help="ids of mutants (default: a sample)")
    parser.add_argument("--sample", type=int, default=20, metavar="N", help="how many mutants; 0 for all")
    parser.add_argument("--seed", type=int, default=0, help="the seed of the sample")
    parser.add_argument(
        "-j", "--jobs", type=int, action="append", help=f"workers of the whole run (default: {JOBS})"
    )
    given = parser.parse_args(words)
    names = given.mutants or list_mutants()
    if not given.mutants and given.sample:
        names = random.Random(given.seed).sample(names, given.sample)
    bench = load_bench()
    found = 0
    for number, name in enumerate(names):
        with suppress(TargetFault):  # no check begins on it, neither alone nor together
            for difference in find_differences(bench, name, *rotate(given.jobs or JOBS, number + given.seed)):
                found += 1
                sys.stdout.write(f"{difference}\n")
                sys.stdout.flush()
    sys.stdout.write(f"{len(names)} mutants: {found} differences\n")
    return Exit.FAILED if found else Exit.OK
