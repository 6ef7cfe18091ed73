"""`python -m lab score`: how many of the defects that one clean run allows the checks report.

A clean run gives the traffic that defects are generated from, and the verdicts without a defect. Each defect gets
a run of `check` of its own, against the emulator behind a proxy that has this one defect. That run plays the
exercises whose exchanges the defect touches, and stops at the first failure: the others get the bytes of the clean
run.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import subprocess
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence, Set
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

from harness.engine.events import ExerciseStarted, Result, RunEvent, RunFinished
from harness.engine.run import RunOptions, check_target
from harness.engine.targets import TargetOptions, embed_emulator
from harness.errors import HarnessFault, TargetFault, UsageFault
from harness.interactions.servers import SERVERS
from harness.kit.api import EmbeddedService
from harness.outcome import FIRST_WORDS, Exit, Level, Verdict
from harness.outcome.words import format_count
from lab.defects.generation import draw, find_excuse, generate, generate_oddities, load_floors, touches
from lab.defects.scenes import ODDITY, WireDefect
from lab.defects.wrapped_service import CleanExchange, DefectRun
from lab.kill_matrix import load_checks

DATA = Path(__file__).parents[1] / "docs" / "mutation.json"
"""What the site makes the page of the score of."""

HANDSHAKE = "handshake"
"""The killer of a defect with which no check could begin."""

FAILED, WARNED, SURVIVED, NOT_SHOWN, ERROR = "failed", "warned", "survived", "not shown", "harness error"
"""The outcomes of a defect: the run ended with another exit code than 0; only warnings show it; nothing shows it;
no byte that the client got was another one, so it does not count."""

_LEAST = 100
"""Defects that a score needs to be compared with its floors: of fewer, chance decides."""

_MOST_RULES, _MOST_SURVIVORS = 40, 20
"""How many checks the page names, and how many survivors a terminal shows without `-v`."""

Row = Mapping[str, Any]
"""One defect as a report has it: the members of `DefectBench.play`."""


class DefectBench:
    """The clean run, and what plays defects beside it."""

    def __init__(self) -> None:
        self._contract = SERVERS.load_contract("")
        self.checks = load_checks()
        self._costs = {check.exercise.name: check.exercise.requests for check in self.checks}
        self._exercises: dict[Any, dict[str, None]] = {}
        self._forms: dict[Any, set[bool]] = {}
        self._witnesses: dict[tuple[str, bool], dict[str, None]] = {}
        self._logs: dict[tuple[str, ...], DefectRun] = {}
        self.clean: dict[str, Verdict] = {}
        self.seen: list[CleanExchange] = []
        self._play_clean_run()

    def _play_clean_run(self) -> None:
        """Note what each exercise saw, and the verdicts that a defect may change."""
        marks: list[tuple[str, int]] = []
        for event in self._check(DefectRun(seen=self.seen), ()):
            if isinstance(event, ExerciseStarted):
                marks.append((event.name, len(self.seen)))
            elif isinstance(event, RunFinished):
                self.clean = {result.id: result.verdict for result in event.results}
                if event.exit is not Exit.OK:
                    raise HarnessFault("the clean run failed, so the defects prove nothing: run `check emulator`")
        for (name, start), (_, end) in pairwise([*marks, ("", len(self.seen))]):
            for seen in self.seen[start:end]:
                self._exercises.setdefault(seen.scene, {})[name] = None
                streams = seen.frames is not None
                self._forms.setdefault(seen.scene, set()).add(streams)
                if seen.status < 300:
                    self._witnesses.setdefault((seen.scene.call, streams), {})[name] = None

    @cached_property
    def defects(self) -> list[WireDefect]:
        """Every defect that the clean run allows."""
        return generate(self.seen)

    def play(self, defect: WireDefect) -> dict[str, Any]:
        """Run `check` against one defect; return its row."""
        begun = time.perf_counter()
        order, run = self._order(defect), DefectRun(defect)
        finished: RunFinished | None = None
        fault = ""
        try:
            finished = _finish(self._check(run, order), set(order))
        except TargetFault:  # the handshake failed
            pass
        except HarnessFault as raised:
            fault = str(raised)
        outcome, killers, errors = self._judge(run, order, finished, fault)
        levels = {check.rule.id: check.rule.level for check in self.checks}
        reached = {levels.get(killer, Level.MUST) for killer in killers}
        excuse = None if defect.part == ODDITY else find_excuse(defect, warned=outcome == WARNED)
        return {
            "id": defect.id,
            **defect.to_record(),
            "outcome": outcome,
            "killers": list(killers),
            "level": str(Level.MUST if Level.MUST in reached else Level.SHOULD) if reached else "",
            "excuse": excuse.name if excuse is not None else "",
            "errors": list(errors),
            "seconds": round(time.perf_counter() - begun, 3),
        }

    def _judge(
        self, run: DefectRun, order: tuple[str, ...], finished: RunFinished | None, fault: str
    ) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
        """The outcome of a defect, the checks that killed it, and harness errors."""
        if fault:
            return ERROR, (), (fault,)
        if not run.shown and not (run.hit and run.differs_from(self._log(order))):
            return NOT_SHOWN, (), ()
        if finished is None:
            return FAILED, (HANDSHAKE,), ()
        other = [result for result in finished.results if self.clean.get(result.id) != result.verdict]
        if errors := [result for result in other if result.verdict is Verdict.ERROR]:
            return ERROR, (), tuple(f"{one.id}: {one.observation.reason}" for one in errors)
        if failed := _list_failed(finished, other):
            return FAILED, failed, ()
        if warned := _list_ids(other, Verdict.WARN):
            return WARNED, warned, ()
        # A stream may have been changed where its reader had left it; the head of an odd response is not compared.
        is_odd = run.defect is not None and run.defect.part == ODDITY
        return SURVIVED if is_odd or run.differs_from(self._log(order)) else NOT_SHOWN, (), ()

    def _order(self, defect: WireDefect) -> tuple[str, ...]:
        """The exercises that the defect touches, those with few requests first.

        The last one makes the same call in another mode or at another moment, as a stream if the defect is in one:
        what the server grants there may prove that it is wrong.
        """
        names: dict[str, None] = {}
        for scene, exercises in self._exercises.items():
            if touches(defect, scene):
                names.update(exercises)
        forms = self._forms.get(defect.scene, {False})
        seen = [self._witnesses.get((defect.scene.call, form), {}) for form in (max(forms), not max(forms))]
        others = next(filter(None, ([name for name in known if name not in names] for known in seen)), [])
        order = sorted(names, key=self._costs.__getitem__)
        return (*order, min(others, key=self._costs.__getitem__)) if others else tuple(order)

    def _log(self, order: tuple[str, ...]) -> DefectRun:
        """The responses in a clean run that took the exercises in this order."""
        if order not in self._logs:
            run = DefectRun()
            _finish(self._check(run, order), set(order))
            self._logs[order] = run
        return self._logs[order]

    def _check(self, run: DefectRun, order: tuple[str, ...]) -> Generator[RunEvent, None, None]:
        def build() -> EmbeddedService:
            wrapped: EmbeddedService = run.wrap(SERVERS.new_service(self._contract))
            return wrapped

        place = {name: number for number, name in enumerate(order)}
        checks = sorted(self.checks, key=lambda check: place.get(check.exercise.name, len(order)))
        target = embed_emulator(SERVERS, TargetOptions(), build)
        yield from check_target(target, checks, RunOptions(fail_fast=True, cleans=True))


def _finish(events: Generator[RunEvent, None, None], touched: Set[str]) -> RunFinished | None:
    """Play the exercises that the defect touches, which come first; then end the run."""
    finished = None
    for event in events:
        if isinstance(event, RunFinished):
            finished = event
        elif isinstance(event, ExerciseStarted) and event.name not in touched:
            for last in _interrupt(events):
                finished = last if isinstance(last, RunFinished) else finished
    return finished


def _interrupt(events: Generator[RunEvent, None, None]) -> Iterator[RunEvent]:
    with suppress(StopIteration):
        yield events.throw(KeyboardInterrupt)
    yield from events


def _list_failed(finished: RunFinished, other: Sequence[Result]) -> tuple[str, ...]:
    """The causes of an exit code other than 0: failures that the clean run lacks, or open exercises."""
    if failed := _list_ids(other, Verdict.FAIL):
        return failed
    if unjudged := tuple(result.id for result in finished.unjudged if result.verdict is not Verdict.NOT_RUN):
        return unjudged
    return finished.holes if finished.exit is not Exit.OK else ()


def _list_ids(results: Iterable[Result], verdict: Verdict) -> tuple[str, ...]:
    return tuple(result.id for result in results if result.verdict is verdict)


# The figures


@dataclass(frozen=True, slots=True)
class Score:
    """The outcomes of some defects that showed themselves; `excused` survived for a listed reason.

    `should` are those that only break rules of level SHOULD, or that a MUST rule tolerates for a listed reason.
    """

    failed: int = 0
    warned: int = 0
    should: int = 0
    excused: int = 0
    survived: int = 0

    @property
    def shown(self) -> int:
        """All of them."""
        return self.failed + self.warned + self.excused + self.survived

    @property
    def found(self) -> float:
        """The share that a check reports, in percent, of those without an excuse."""
        return _percent(self.failed + self.warned, self.shown - self.excused)

    @property
    def red(self) -> float:
        """The share that ends a run with another exit code than 0, in percent, of those that break a MUST."""
        return _percent(self.failed, self.shown - self.excused - self.should)

    def to_record(self) -> dict[str, Any]:
        """The score as members of a report."""
        return {
            "shown": self.shown,
            "failed": self.failed,
            "warned": self.warned,
            "warned_should": self.should,
            "excused": self.excused,
            "survived": self.survived,
            "found_percent": round(self.found, 1),
            "must_failed_percent": round(self.red, 1),
        }


def _percent(part: int, whole: int) -> float:
    return 100 * part / whole if whole else 100.0


def margin(score: Score) -> float:
    """Half of the interval of the share that is found, at 95 %: Wilson's, because the share is near 1."""
    number, share, spread = score.shown - score.excused, score.found / 100, 1.96
    inner = share * (1 - share) / number + spread**2 / (4 * number**2) if number else 0.0
    return round(100 * spread * inner**0.5 / (1 + spread**2 / number), 1) if number else 0.0


def sum_up(rows: Iterable[Row]) -> Score:
    """Return the score of some defects."""
    known = list(rows)
    counts = Counter(
        "excused" if row["outcome"] == SURVIVED and row["excuse"] else row["outcome"] for row in known
    )
    should = sum(row["outcome"] == WARNED and (row["level"] != Level.MUST or row["excuse"] != "") for row in known)
    return Score(counts[FAILED], counts[WARNED], should, counts["excused"], counts[SURVIVED])


GROUPS: dict[str, Callable[[Row], str]] = {
    "mode": lambda row: row["mode"],
    "moment": lambda row: row["moment"],
    "time": lambda row: row["when"],
    "operator": lambda row: f"{row['part']} {row['operator']}",
}
"""The tables of a score, and the group of a defect in each."""


def group_by(rows: Iterable[Row], of: Callable[[Row], str]) -> dict[str, Score]:
    """Return the score of each group, the largest group first."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row["outcome"] not in (NOT_SHOWN, ERROR):
            groups[of(row)].append(row)
    return {key: sum_up(groups[key]) for key in sorted(groups, key=lambda key: (-len(groups[key]), key))}


def list_survivors(rows: Iterable[Row]) -> list[str]:
    """Return the names of the defects that survived without a listed reason."""
    return [row["id"] for row in rows if row["outcome"] == SURVIVED and not row["excuse"]]


def split(rows: Iterable[Row]) -> tuple[list[Row], list[Row]]:
    """Return the defects, and the legal oddities."""
    known = list(rows)
    return [row for row in known if row["part"] != ODDITY], [row for row in known if row["part"] == ODDITY]


# The command


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lab score",
        description="Generate defects from the traffic of a clean run; count those that the checks report.",
        epilog="exit codes: 0 no floor is missed, no legal oddity fails; 1 otherwise; 3 no defect changed a byte",
    )
    parser.add_argument("globs", nargs="*", metavar="GLOB", help="run only the defects whose names match")
    parser.add_argument("--sample", type=int, default=300, metavar="N", help="defects to draw, 0 for all (300)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="seed of the sample (1)")
    parser.add_argument("-j", "--jobs", type=int, default=1, metavar="N", help="number of processes (1)")
    parser.add_argument("--list", action="store_true", help="list the names of the defects, and run nothing")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write each defect with its outcome")
    recorded = "run nothing: take the defects of an earlier --json file"
    parser.add_argument("--from", dest="recorded", type=Path, metavar="FILE", help=recorded)
    parser.add_argument("--against", type=Path, metavar="FILE", help="list what survives and did not in this file")
    parser.add_argument("--publish", action="store_true", help="write the figures of the site, docs/mutation.json")
    parser.add_argument("-v", "--verbose", action="store_true", help="list all survivors")
    return parser


def run(words: Sequence[str]) -> int:
    """Run the command."""
    options = _build_parser().parse_args(words)
    if options.recorded:
        record = json.loads(options.recorded.read_bytes())
    else:
        bench = DefectBench()
        chosen, generated = _choose(bench, options)
        if options.list:
            for defect in chosen:
                print(defect.id)
            return Exit.OK
        print(f"{len(chosen)} of {generated:,} generated defects and oddities, each in a run of its own")
        rows = sorted(_play_all(bench, chosen, options.jobs), key=lambda row: str(row["id"]))
        record = {"generated": generated, "seed": options.seed, "commit": find_commit(), "defects": rows}
    if options.json is not None:
        options.json.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", "utf-8")
    for line in format_report(record["defects"], verbose=options.verbose):
        print(line)
    if options.against is not None:
        before = set(list_survivors(json.loads(options.against.read_bytes())["defects"]))
        for name in list_survivors(record["defects"]):
            if name not in before:
                print(f"survives, and did not in {options.against}: {name}")
    if options.publish:
        earlier = json.loads(DATA.read_bytes())["before"]
        DATA.write_text(json.dumps(condense(record, earlier), indent=1, ensure_ascii=False) + "\n", "utf-8")
    code, verdict = conclude(record["defects"], {} if options.globs else load_floors())
    print(f"{FIRST_WORDS[code]}: {verdict}")
    return code


def _choose(bench: DefectBench, options: argparse.Namespace) -> tuple[list[WireDefect], int]:
    """The defects and oddities of a run, and how many could be generated.

    A sample of oddities, a tenth as many as the defects, runs with them.
    """
    defects, odd = bench.defects, generate_oddities()
    if options.globs:
        defects, odd = (
            [one for one in some if any(fnmatch.fnmatchcase(one.id, glob) for glob in options.globs)]
            for some in (defects, odd)
        )
        if not defects and not odd:
            raise UsageFault(f"no generated defect matches {', '.join(options.globs)}: `--list` shows names")
    whole = len(defects) + len(odd)
    if options.sample:
        defects = draw(defects, options.sample, options.seed)
        odd = draw(odd, max(1, options.sample // 10), options.seed)
    return [*defects, *odd], whole


def find_commit() -> str:
    """The commit that is measured; "" outside a checkout."""
    words = ["git", "-C", str(DATA.parent), "rev-parse", "--short=8", "HEAD"]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()


_bench: DefectBench | None = None
"""That of a worker process."""


def _begin_worker() -> None:
    global _bench
    _bench = DefectBench()


def _play_in_worker(defect: WireDefect) -> dict[str, Any]:
    assert _bench is not None
    return _bench.play(defect)


def _play_all(bench: DefectBench, chosen: Sequence[WireDefect], jobs: int) -> Iterator[dict[str, Any]]:
    if min(jobs, len(chosen)) <= 1:
        yield from map(bench.play, chosen)
        return
    with ProcessPoolExecutor(jobs, initializer=_begin_worker) as pool:
        for future in as_completed([pool.submit(_play_in_worker, one) for one in chosen]):
            yield future.result()


def format_report(rows: Sequence[Row], *, verbose: bool) -> Iterator[str]:
    """Yield the lines for a terminal."""
    defects, odd = split(rows)
    for name, of in GROUPS.items():
        yield f"score by {name}:"
        groups = group_by(defects, of)
        width = max(map(len, groups), default=0)
        for key, score in groups.items():
            counts = (
                f"{score.failed} failed, {score.warned} warned, {score.excused} listed, {score.survived} survived"
            )
            yield f"  {key:<{width}}  {counts}; {score.found:.1f} % found, {score.red:.1f} % of MUSTs failed"
    yield "checks that report most defects:"
    kills = Counter(killer for row in defects for killer in row["killers"])
    yield from (f"  {number:>5}  {check}" for check, number in kills.most_common(_MOST_RULES))
    survivors = list_survivors(defects)
    yield f"{format_count(len(survivors), 'defect')} survived{':' if survivors else ''}"
    shown = survivors if verbose else survivors[:_MOST_SURVIVORS]
    yield from (f"  {name}" for name in shown)
    if len(shown) < len(survivors):
        yield f"  {len(survivors) - len(shown)} more (-v lists all)"
    yield from (
        f"legal, but {row['outcome']}: {row['id']} ({', '.join(row['killers'])})" for row in odd if row["killers"]
    )
    yield from (f"harness error: {row['id']}: {row['errors'][0]}" for row in rows if row["errors"])


def conclude(rows: Sequence[Row], floors: Mapping[str, float]) -> tuple[Exit, str]:
    """Return the exit code and the verdict; enough defects have to reach the `floors`."""
    defects, odd = split(rows)
    score, failed = sum_up(defects), sum(row["outcome"] == FAILED for row in odd)
    if any(row["errors"] for row in rows):
        return Exit.HARNESS_ERROR, "some defects were not tested because of an error of the harness"
    if not score.shown:
        return Exit.NOTHING_RAN, "no generated defect changed what a client received"
    parts = [
        f"{score.found:.1f} % of {format_count(score.shown - score.excused, 'generated defect')} found",
        f"{score.red:.1f} % of those that break a MUST failed the run",
    ]
    reached = {"found": score.found, "red": score.red}
    low = [name for name, floor in floors.items() if score.shown >= _LEAST and reached[name] < floor]
    parts += [f"the share `{name}` is below its floor of {floors[name]:g} %" for name in low]
    parts += [f"{format_count(failed, 'legal oddity', 'legal oddities')} reported as defects"] if failed else []
    return Exit.FAILED if low or failed else Exit.OK, f"{'; '.join(parts)}."


def condense(record: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the page of the site needs of a report; `before` is an earlier score."""
    defects, odd = split(record["defects"])
    excused = Counter(row["excuse"] for row in defects if row["excuse"] and row["outcome"] == SURVIVED)
    return {
        "generated": record["generated"],
        "seed": record["seed"],
        "commit": record.get("commit", ""),
        "margin_percent": margin(sum_up(defects)),
        "not_shown": sum(row["outcome"] == NOT_SHOWN for row in record["defects"]),
        "score": sum_up(defects).to_record(),
        "before": before,
        "groups": {
            name: {key: score.to_record() for key, score in group_by(defects, of).items()}
            for name, of in GROUPS.items()
        },
        "rules": dict(Counter(killer for row in defects for killer in row["killers"]).most_common(_MOST_RULES)),
        "excused": dict(excused),
        "survivors": sorted(list_survivors(defects)),
        "oddities": {
            "played": sum(row["outcome"] != NOT_SHOWN for row in odd),
            "failed": sorted(row["id"] for row in odd if row["outcome"] == FAILED),
        },
    }
