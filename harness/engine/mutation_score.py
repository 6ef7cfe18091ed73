"""The mutation score: `check` against a service behind a proxy that has one generated defect, run by run.

Layer 4. A clean run gives the traffic that defects are generated from, and the verdicts without a defect. Each
defect gets a run of its own, with all probes. That run plays the exercises whose exchanges the defect touches, and
stops at the first failure: the other exercises get the bytes of the clean run. Must not know which API it is:
`Api.load_defects` does.
"""

from __future__ import annotations

import fnmatch
import time
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import closing, suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from itertools import pairwise
from typing import Any

from harness.child_processes import begin_worker, use_bench, worker_pool
from harness.engine.decide import Policy, decide, exit_of
from harness.engine.events import (
    CheckFinished,
    ExerciseStarted,
    PhaseFinished,
    Planned,
    RunEvent,
    RunFinished,
    RunStarted,
    TargetInfo,
)
from harness.engine.kill_matrix import GENERATED, ODD, SCORED, load_checks
from harness.engine.results import DefectRow, Result
from harness.engine.run import RunOptions, check_target
from harness.engine.targets import TargetOptions, embed_emulator
from harness.kit.api import OTHER_KEY, PRIMARY_KEY, Api, EmbeddedService
from harness.outcome import (
    Exit,
    Finding,
    HarnessFault,
    Level,
    Observation,
    Outcome,
    Rule,
    TargetFault,
    UsageFault,
    Verdict,
)

DEFECTS = "defects"
"""The phase of a run; its notes are the defects that no client could see."""

HANDSHAKE = "handshake"
"""The killer of a defect with which no check could begin."""


_LEAST = 100
"""Defects that a score needs to be compared with its floors: of fewer, chance decides."""


class DefectOutcome(StrEnum):
    """The outcome of one defect."""

    FAILED = "failed"
    """The run ended with an exit code other than 0."""

    WARNED = "warned"
    """Only warnings show it."""

    SURVIVED = "survived"
    """Nothing shows it."""

    NOT_SHOWN = "not shown"
    """No byte that the client got was another one: it does not count."""

    ERROR = "harness error"


@dataclass(frozen=True, slots=True)
class PlayedDefect:
    """One defect and the outcome of `check`; `killers` are the checks that failed, or else those that warned."""

    defect: Any
    outcome: DefectOutcome
    killers: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    seconds: float = 0.0


class DefectBench:
    """The clean run, and what plays defects beside it."""

    def __init__(self, api: Api, revision: str) -> None:
        if api.load_defects is None:
            raise UsageFault(f"no defects can be generated for {api.title}: its Api value has no `load_defects`")
        self.model = api.load_defects()
        self._api = api
        self._revision = revision
        self._contract = api.load_contract(revision)
        self.checks = load_checks(api, revision)
        self._costs = {check.exercise.name: check.exercise.requests for check in self.checks}
        self._exercises: dict[Any, dict[str, None]] = {}
        self._forms: dict[Any, set[bool]] = {}
        self._witnesses: dict[tuple[str, bool], dict[str, None]] = {}
        self._logs: dict[tuple[str, ...], Any] = {}
        self.clean: dict[str, Verdict] = {}
        self.seen: Any = []
        self._play_clean_run()

    def _play_clean_run(self) -> None:
        """Note what each exercise saw, and the verdicts that a defect may change."""
        run = self.model.new_run(None, self._api.key_header, (PRIMARY_KEY, OTHER_KEY))
        run.seen = self.seen
        marks: list[tuple[str, int]] = []
        for event in self._check(run, ()):
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
    def defects(self) -> list[Any]:
        """Every defect that the clean run allows."""
        defects: list[Any] = self.model.generate(self.seen)
        return defects

    def play(self, defect: Any) -> PlayedDefect:
        """Run `check` against one defect."""
        begun = time.perf_counter()
        order = self._order(defect)
        run = self.model.new_run(defect, self._api.key_header, (PRIMARY_KEY, OTHER_KEY))
        finished: RunFinished | None = None
        fault = ""
        try:
            finished = self._finish(self._check(run, order), set(order))
        except TargetFault:
            pass
        except HarnessFault as raised:
            fault = str(raised)
        outcome, killers, errors = self._judge(run, order, finished, fault)
        return PlayedDefect(defect, outcome, killers, errors, time.perf_counter() - begun)

    def _finish(self, events: Generator[RunEvent, None, None], touched: Set[str]) -> RunFinished | None:
        """Play the exercises that the defect touches; the others get the bytes of the clean run."""
        finished = None
        for event in events:
            if isinstance(event, RunFinished):
                finished = event
            elif isinstance(event, ExerciseStarted) and event.name not in touched:
                for last in _interrupt(events):
                    finished = last if isinstance(last, RunFinished) else finished
        return finished

    def _judge(
        self, run: Any, order: tuple[str, ...], finished: RunFinished | None, fault: str
    ) -> tuple[DefectOutcome, tuple[str, ...], tuple[str, ...]]:
        """The outcome of a defect, the checks that killed it, and harness errors."""
        if fault:
            return DefectOutcome.ERROR, (), (fault,)
        if not run.shown and not (run.hit and run.differs_from(self._log(order))):
            return DefectOutcome.NOT_SHOWN, (), ()
        if finished is None:
            return DefectOutcome.FAILED, (HANDSHAKE,), ()
        return self._judge_changes(run, order, finished)

    def _judge_changes(
        self, run: Any, order: tuple[str, ...], finished: RunFinished
    ) -> tuple[DefectOutcome, tuple[str, ...], tuple[str, ...]]:
        """The same of a run that came to its end, by the results that are not as in the clean run."""
        other = [result for result in finished.results if self.clean.get(result.id) != result.verdict]
        if errors := [result for result in other if result.verdict is Verdict.ERROR]:
            return DefectOutcome.ERROR, (), tuple(f"{one.id}: {one.observation.reason}" for one in errors)
        if failed := _list_failed(finished, other):
            return DefectOutcome.FAILED, failed, ()
        if warned := _list_ids(other, Verdict.WARN):
            return DefectOutcome.WARNED, warned, ()
        # A stream may have been changed where its reader had left it; the head of an odd response is not compared.
        is_odd = run.defect.to_record()["part"] == "oddity"
        read = is_odd or run.differs_from(self._log(order))
        return DefectOutcome.SURVIVED if read else DefectOutcome.NOT_SHOWN, (), ()

    def _order(self, defect: Any) -> tuple[str, ...]:
        """The exercises that the defect touches, those with few requests first.

        The last one makes the same call in another mode or at another moment, as a stream if the defect is in one:
        what the server grants there may prove that it is wrong.
        """
        names: dict[str, None] = {}
        for scene, exercises in self._exercises.items():
            if self.model.touches(defect, scene):
                names.update(exercises)
        forms = self._forms.get(defect.scene, {False})
        seen = [self._witnesses.get((defect.scene.call, form), {}) for form in (max(forms), not max(forms))]
        others = next(filter(None, ([name for name in known if name not in names] for known in seen)), [])
        order = sorted(names, key=self._cost)
        return (*order, min(others, key=self._cost)) if others else tuple(order)

    def _cost(self, name: str) -> int:
        return self._costs[name]

    def _log(self, order: tuple[str, ...]) -> Any:
        """The responses in a clean run that took the exercises in this order."""
        if order not in self._logs:
            run = self.model.new_run(None, self._api.key_header, (PRIMARY_KEY, OTHER_KEY))
            self._finish(self._check(run, order), set(order))
            self._logs[order] = run
        return self._logs[order]

    def _check(self, run: Any, order: tuple[str, ...]) -> Generator[RunEvent, None, None]:
        def build() -> EmbeddedService:
            wrapped: EmbeddedService = run.wrap(self._api.new_service(self._contract, ""))
            return wrapped

        def choose(names: Sequence[str]) -> str:
            left = set(names)
            return next((name for name in order if name in left), names[0])

        target = embed_emulator(self._api, TargetOptions(revision=self._revision), build)
        options = RunOptions(fail_fast=True, choose=choose if order else None, cleans=True)
        yield from check_target(target, self.checks, options)


def _list_failed(finished: RunFinished, other: Sequence[Result]) -> tuple[str, ...]:
    """The causes of an exit code other than 0: failures that the clean run lacks, or open exercises."""
    if failed := _list_ids(other, Verdict.FAIL):
        return failed
    if unjudged := tuple(result.id for result in finished.unjudged if result.verdict is not Verdict.NOT_RUN):
        return unjudged
    return finished.holes if finished.exit is not Exit.OK else ()


def _list_ids(results: Iterable[Result], verdict: Verdict) -> tuple[str, ...]:
    return tuple(result.id for result in results if result.verdict is verdict)


def _interrupt(events: Generator[RunEvent, None, None]) -> Iterator[RunEvent]:
    """End a run now; it still accounts for every check."""
    with suppress(StopIteration):
        yield events.throw(KeyboardInterrupt)
    yield from events


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
        """The share that ends a run with another exit code than 0, of those that break a MUST."""
        return _percent(self.failed, self.musts)

    @property
    def musts(self) -> int:
        """The number of those that break a MUST and have no excuse."""
        return self.shown - self.excused - self.should


def _percent(part: int, whole: int) -> float:
    return 100 * part / whole if whole else 100.0


def sum_up(rows: Iterable[DefectRow]) -> Score:
    """Return the score of some defects."""
    counts = Counter(
        "excused" if row.outcome == DefectOutcome.SURVIVED and row.excuse else str(row.outcome) for row in rows
    )
    should = sum(
        row.outcome == DefectOutcome.WARNED and (row.level != Level.MUST or row.excuse != "") for row in rows
    )
    return Score(counts["failed"], counts["warned"], should, counts["excused"], counts["survived"])


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreOptions:
    """How many defects to draw (0: all) by which seed, which `globs` their names must match, and how to run them.

    A sample of oddities, a tenth as many as the defects, runs with them.
    """

    number: int = 300
    seed: int = 1
    globs: tuple[str, ...] = ()
    jobs: int = 1
    revision: str = ""

    @property
    def is_fair(self) -> bool:
        """Whether the defects are a fair sample of all that could be generated."""
        return not self.globs


def score_defects(api: Api, options: ScoreOptions) -> Generator[RunEvent, None, None]:
    """Generate defects, play a sample or all, and judge whether the score reaches its floor."""
    begun = time.perf_counter()
    yield RunStarted(TargetInfo(name="the emulator behind a proxy"))
    bench = DefectBench(api, options.revision)
    chosen, generated = _choose(bench, options)
    yield Planned(len(chosen), 0)
    played: list[tuple[PlayedDefect, Result | None]] = []
    interrupted = False
    try:
        with closing(_judge_all(api, bench, chosen, options)) as judged:
            for one, result in judged:
                played.append((one, result))
                if result is not None:
                    yield CheckFinished(result)
    except KeyboardInterrupt:
        interrupted = True
    order = {defect.id: number for number, defect in enumerate(chosen)}
    played.sort(key=lambda pair: order[pair[0].defect.id])
    yield from conclude_score(
        [result for _, result in played if result is not None],
        PhaseFinished(
            name=DEFECTS,
            counts={"generated": generated, "checks": len(bench.checks), "seed": options.seed},
            notes=tuple(sorted(one.defect.id for one, result in played if result is None)),
        ),
        bench.model.floors if options.is_fair else {},
        interrupted=interrupted,
        seconds=time.perf_counter() - begun,
    )


def conclude_score(
    results: Sequence[Result],
    phase: PhaseFinished,
    floors: Mapping[str, float],
    *,
    interrupted: bool,
    seconds: float,
) -> Iterator[RunEvent]:
    """The end of a run: what its results are together, which a fair sample lets `floors` judge."""
    yield phase
    ended = list(results)
    rows = [row for row in map(_row_of, results) if row.place["part"] != "oddity"]
    if floors and not interrupted:
        ended += _judge_score(sum_up(rows), floors)
    code = Exit.INTERRUPTED if interrupted else _exit_of_score(ended, rows, phase.notes)
    yield RunFinished(tuple(ended), seconds, code)


def _exit_of_score(results: Sequence[Result], rows: Sequence[DefectRow], unseen: Sequence[str]) -> Exit:
    code = exit_of(results)
    if code is Exit.OK and unseen and not rows:
        return Exit.NOTHING_RAN  # legal oddities alone prove nothing about defects
    return code


def _judge_all(
    api: Api, bench: DefectBench, chosen: Sequence[Any], options: ScoreOptions
) -> Generator[tuple[PlayedDefect, Result | None], None, None]:
    """Each defect with its result, None if it changed nothing that the client received."""
    levels = {check.rule.id: check.rule.level for check in bench.checks}
    with closing(_play_all(api, bench, chosen, options)) as played:
        for one in played:
            is_shown = one.outcome is not DefectOutcome.NOT_SHOWN
            yield one, _judge_defect(bench.model, one, levels) if is_shown else None


def _choose(bench: DefectBench, options: ScoreOptions) -> tuple[list[Any], int]:
    """The defects and oddities of the whole run, and how many could be generated."""
    defects, odd = bench.defects, bench.model.generate_oddities()
    if options.globs:
        defects, odd = (
            [one for one in some if any(fnmatch.fnmatchcase(one.id, glob) for glob in options.globs)]
            for some in (defects, odd)
        )
        if not defects and not odd:
            raise UsageFault(
                f"no generated defect matches {', '.join(options.globs)}: `harness mutants --generated --list` "
                "shows a sample of their names"
            )
    whole = len(defects) + len(odd)
    if options.number:
        defects = bench.model.draw(defects, options.number, options.seed)
        odd = bench.model.draw(odd, max(1, options.number // 10), options.seed)
    return [*defects, *odd], whole


def list_defects(api: Api, options: ScoreOptions) -> list[str]:
    """Return the names of the defects that a run with these options plays."""
    chosen = _choose(DefectBench(api, options.revision), options)[0]
    return [defect.id for defect in chosen]


def _row_of(result: Result) -> DefectRow:
    row = result.evidence[0]
    assert isinstance(row, DefectRow)
    return row


def _judge_defect(model: Any, played: PlayedDefect, rules: Mapping[str, Level]) -> Result:
    """The result of one defect or oddity."""
    defect, outcome = played.defect, played.outcome
    place = defect.to_record()
    rule = ODD if place["part"] == "oddity" else GENERATED
    warned = outcome is DefectOutcome.WARNED
    found = None if rule is ODD else model.find_excuse(defect, warned=warned)
    excuse = found.name if found is not None else ""
    levels = {rules.get(killer, Level.MUST) for killer in played.killers}
    level = Level.MUST if Level.MUST in levels else Level.SHOULD if levels else ""
    row = DefectRow(defect.id, played.killers, played.errors, place, str(outcome), excuse, level)
    return decide(
        rule,
        _observe_defect(played, rule, excuse),
        Policy(),
        result_id=f"{rule.id}[{defect.id}]",
        title=defect.id,
        show=lambda _: (row,),
        seconds=played.seconds,
    )


def _observe_defect(played: PlayedDefect, rule: Rule, excuse: str) -> Observation:
    """A defect has to be reported, unless it is excused; a legal oddity must not be."""
    outcome = played.outcome
    if outcome is DefectOutcome.ERROR:
        return Observation(Outcome.ERROR, reason="\n".join(played.errors))
    found: list[Finding] = []
    if rule is ODD and outcome is DefectOutcome.FAILED:
        found = [Finding(rule.id, f"it fails {', '.join(played.killers)}", "no finding", str(outcome))]
    elif rule is GENERATED and outcome is DefectOutcome.SURVIVED and not excuse:
        found = [Finding(rule.id, "no check reports it", "a finding", "none")]
    return Observation.of(found)


def _judge_score(score: Score, floors: Mapping[str, float]) -> Iterator[Result]:
    """The result of a score that rests on enough defects."""
    if score.shown < _LEAST:
        return
    reached = {"found": score.found, "red": score.red}
    findings = [
        Finding(SCORED.id, f"the share {name} is below its floor", f"{floor:.1f} %", f"{reached[name]:.1f} %")
        for name, floor in floors.items()
        if reached[name] < floor
    ]
    yield decide(SCORED, Observation.of(findings), Policy(), title="the mutation score reaches its floor")


def _play_all(
    api: Api, bench: DefectBench, chosen: Sequence[Any], options: ScoreOptions
) -> Generator[PlayedDefect, None, None]:
    """Play defects over processes; whatever ends it early ends the processes at once."""
    from concurrent.futures import as_completed

    if min(options.jobs, len(chosen)) <= 1:
        yield from map(bench.play, chosen)
        return
    with worker_pool(min(options.jobs, len(chosen)), begin_worker, (DefectBench, api, options.revision)) as pool:
        for future in as_completed([pool.submit(use_bench, DefectBench.play, one) for one in chosen]):
            yield future.result()
