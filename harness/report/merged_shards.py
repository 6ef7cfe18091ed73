"""Joins the shards of a run: their stored events become those of one run.

Layer 6. Each command has its merge; it gives the functions that end a live run what the shards saw, so that a
merged run is decided, ordered and reported as if it had been one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import attrgetter
from pathlib import Path
from typing import Any, Protocol, TypeVar

from msgspec import structs

from harness.benches.client.bench import UNDISTURBED
from harness.engine.audit import add_sightings, merge_sightings
from harness.engine.baseline import Baseline
from harness.engine.capabilities import Capabilities
from harness.engine.causes import link
from harness.engine.conductor import Conductor, Judged
from harness.engine.decide import Policy, exit_of, exit_of_cases, tell_forgotten
from harness.engine.events import CheckFinished, PhaseFinished, Planned, RunEvent, RunFinished, RunStarted
from harness.engine.kill_matrix import (
    REFERENCE,
    PlayedMutant,
    PlayedReference,
    load_checks,
    tell_matrix,
    to_matrix,
)
from harness.engine.mutation_score import DEFECTS, FAIR, conclude_score
from harness.engine.plan import PlannedCheck, RunPlan
from harness.engine.results import (
    ClientRun,
    DefectRow,
    Evidence,
    KillRow,
    LoggedExchange,
    Reproduction,
    Result,
    of_kind,
)
from harness.engine.search.budget import digest_rules, merge_runs
from harness.engine.search.failure import SEARCHED, AnswerCounts, EngineRun, Failure, SeenDefect, fold, rule_of
from harness.engine.shards import DIVIDED_OTHERWISE, ShardReport, require_catalogue, require_one_run
from harness.engine.traffic.patience import TimeoutLosses
from harness.engine.traffic.retries import Waited
from harness.kit.api import Api
from harness.kit.check import Check
from harness.outcome import Exit, Observation, Severity, UsageFault, Verdict
from harness.outcome.words import to_one_line
from harness.report.commands.fuzz import FuzzPresentation, key_of_failure
from harness.report.commands.mutants import MutantsPresentation, ScorePresentation
from harness.report.commands.presentation import Presentation
from harness.report.commands.torture import TorturePresentation
from harness.report.stored_events import StoredRun, read_events, unreadable


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedRun:
    """The words of the command that the shards ran, and the events of the whole run, all at once.

    `started` is when the first shard began, None if no file has it.
    """

    presentation: Presentation
    events: tuple[RunEvent, ...]
    started: datetime | None = None
    capabilities: Capabilities
    revision: str = ""


class Merge(Protocol):
    """Makes one run of its shards. Raises UsageFault if they are not one."""

    def __call__(
        self, shards: Sequence[StoredRun], api: Api, *, same_target: bool
    ) -> tuple[Presentation, Sequence[RunEvent]]: ...


def merge_stored_runs(
    paths: Sequence[Path],
    api: Api,
    *,
    same_target: bool = False,
    mask: Callable[[Any], Any] = lambda record: record,
) -> MergedRun:
    """Read the files and make one run of them. Raises UsageFault if they are not all shards of one run.

    `mask` hides secrets in plain data, as in `read_events`.
    """
    shards: dict[str, StoredRun] = {}
    for path in paths:
        if str(path) in shards:
            raise UsageFault(f"{str(path)!r} is named twice: name the events of each shard once")
        shards[str(path)] = read_events(path, api, mask)
    stored = list(shards.values())
    merge, parts = _find_merge(stored), [shard.part for shard in stored]
    presentation, events = merge(stored, api, same_target=same_target)
    known = Baseline(parts[0].baseline)
    return MergedRun(
        presentation=presentation,
        events=tuple(one for event in events for one in tell_forgotten(event, known)),
        started=min((shard.started for shard in stored if shard.started), default=None),
        capabilities=stored[0].capabilities,
        revision=getattr(stored[0].part, "revision", ""),
    )


def _require_no_better(
    shards: Sequence[StoredRun], results: Sequence[Result], folded: Set[str] = frozenset()
) -> None:
    """Raise UsageFault if a failure of a shard is none of the whole run: another shard may have been changed.

    A failure of the whole run may explain it, as in a run that was not divided; those that `folded` names follow
    from others. A known failure explains nothing here: the shard did not see it. No member of a file counts.
    """
    broken = [result for result in results if result.verdict in (Verdict.FAIL, Verdict.ERROR)]
    kept = {_key_of(result) for result in broken} | (folded if broken else set())
    roots = {result.id for result in broken}
    kept |= {_key_of(result) for result in results if _is_explained(result, roots)}
    for shard in shards:
        for result in shard.results:
            if result.verdict is Verdict.FAIL and (key := _key_of(result)) not in kept:
                raise UsageFault(
                    f"{shard.name!r} reports that {key[:80]} failed, and the whole run would not: another shard "
                    "was changed, or has a known failure that explains it. Run the shards again, or add it to the "
                    "baseline"
                )


def _end_early(finished: RunFinished, shards: Sequence[StoredRun]) -> RunFinished:
    """The end of the whole run if a shard of it did not come to its own end."""
    ends = [shard.finished for shard in shards]
    codes = [code for code in (Exit.INTERRUPTED, Exit.HARNESS_ERROR) if any(end.exit is code for end in ends)]
    halted = "; ".join(filter(None, dict.fromkeys(end.halted for end in ends)))
    return structs.replace(finished, exit=codes[0] if codes else finished.exit, halted=halted)


def _key_of(result: Result) -> str:
    """The name of a result in a run: of a search, the key of its failure."""
    return (result.reproduction.key if result.reproduction else "") or result.id


def _is_explained(result: Result, roots: Set[str]) -> bool:
    """Whether a broken rule of the same run blocks a check, or the run is incomplete because of it."""
    is_blocked = result.verdict is Verdict.BLOCKED and result.observation.cause.partition("/")[0] in roots
    return is_blocked or result.unjudged


def _find_merge(shards: Sequence[StoredRun]) -> Merge:
    kinds = {shard.command: shard.name for shard in shards}
    if len(kinds) > 1:
        listed = ", ".join(f"{name!r} is of `harness {kind}`" for kind, name in kinds.items())
        raise UsageFault(f"the files are of different commands ({listed}): merge the shards of one run")
    [kind] = kinds
    if kind not in MERGES:
        raise UsageFault(f"runs of `harness {kind}` cannot be merged: those of {', '.join(MERGES)} can")
    return MERGES[kind]


def _describe(shard: StoredRun, **more: str) -> ShardReport:
    """The shared facts of the shards of one run; `more` has to be equal, too."""
    target = shard.target
    words = {"name": target.name, "url": target.url, "version": target.version, "model": target.model}
    return ShardReport(name=shard.name, target={**words, "agent": target.agent, **more}, part=shard.part)


class _StoredCheck:
    """The record of a shard about a check that it ran."""

    def __init__(self, result: Result) -> None:
        self._evidence = tuple(of_kind(LoggedExchange, result.evidence))

    def evidence(self, check: Check, observation: Observation, /) -> tuple[Evidence, ...]:
        """All of it."""
        return self._evidence

    def names_of(self, evidence: Sequence[Evidence], /) -> tuple[str, ...]:
        """The names that findings gave it."""
        return _name_logged(evidence)


class _StoredAudit:
    """The sightings in the responses of all shards under the rules that apply to each."""

    def __init__(self, shards: Sequence[StoredRun], catalogue: Sequence[Check]) -> None:
        self._shards = shards
        self._order = {name: number for number, name in enumerate(check.exercise.name for check in catalogue)}

    def observe(self, check: Check, own: Observation, *, explained: Set[str] = frozenset()) -> Observation:
        """The observation of a check, with the defects that the exercises showed, in the order of the catalog."""
        seen = [one for shard in self._shards for one in shard.part.sightings.get(check.id, ())]
        seen.sort(key=lambda one: self._order.get(one.exercise, len(self._order)))
        compared = any(check.id in shard.part.compared for shard in self._shards)
        judged = sum((Counter(shard.part.judged.get(check.id, {})) for shard in self._shards), Counter[str]())
        return add_sightings(own, merge_sightings(seen), compared=compared, explained=explained, judged=judged)

    def evidence(self, check: Check) -> tuple[Evidence, ...]:
        """The evidence that any shard stored for a check."""
        stored = (result for shard in self._shards for result in shard.results if result.id == check.id)
        return tuple(item for result in stored for item in tuple(of_kind(LoggedExchange, result.evidence)))

    def names_of(self, evidence: Sequence[Evidence], /) -> tuple[str, ...]:
        """The names that findings gave it."""
        return _name_logged(evidence)


def _name_logged(evidence: Sequence[Evidence]) -> tuple[str, ...]:
    return tuple(item.name if isinstance(item, LoggedExchange) else "" for item in evidence)


def _merge_checks(
    shards: Sequence[StoredRun], api: Api, *, same_target: bool
) -> tuple[Presentation, Sequence[RunEvent]]:
    """Feed what the shards stored to the decisions of a live run."""
    first, reports = shards[0], [_describe(shard) for shard in shards]
    try:
        contract = api.load_contract(first.part.revision)
    except LookupError:
        raise UsageFault(
            f"{first.name!r} judges by the revision {first.part.revision!r}, which this version does not know"
        ) from None
    catalogue = [check for check in api.load_catalogue() if contract.holds(check.rule)]
    require_one_run(reports, same_target=same_target)
    _require_one_view(shards)
    require_catalogue(reports[0], catalogue)
    homes = _find_homes(shards, catalogue)
    plan = RunPlan(tuple(_plan_again(check, homes[check.id]) for check in catalogue))
    policy = Policy(strict=first.part.strict, baseline=Baseline(first.part.baseline))
    conductor = Conductor(plan, policy, _StoredAudit(shards, catalogue))
    stops = {name: stop for shard in shards for name, stop in shard.part.stops.items()}
    results = link(conductor.decide_all(_judge_again(shards, plan, homes)), stops, api)
    _require_no_better(shards, results)
    return Presentation(), (
        RunStarted(first.target),
        Planned(len(results), len(plan.groups)),
        *map(CheckFinished, results),
        _finish(results, [shard.finished for shard in shards]),
    )


def _find_homes(shards: Sequence[StoredRun], catalogue: Sequence[Check]) -> dict[str, StoredRun]:
    """The shard of each check, by id: the one that ran it, else one that decided it."""
    homes = {name: shard for shard in shards for name in shard.part.observations}
    homes |= {name: shard for shard in shards for name in shard.part.ran}
    if missing := [check.id for check in catalogue if check.id not in homes]:
        raise UsageFault(
            f"no report contains {', '.join(missing[:3])} ({len(missing)} in all): {DIVIDED_OTHERWISE}"
        )
    return homes


def _judge_again(shards: Sequence[StoredRun], plan: RunPlan, homes: Mapping[str, StoredRun]) -> Iterator[Judged]:
    """The observation of each check in the shard that ran it."""
    stored = {(shard.name, result.id): result for shard in shards for result in shard.results}
    for planned in plan.checks:
        if planned.skip is None:
            name, home = planned.check.id, homes[planned.check.id]
            with unreadable(home.name):
                own, result = home.part.observations[name], stored[home.name, name]
            yield Judged(planned, own, _StoredCheck(result), result.seconds)


def _plan_again(check: Check, home: StoredRun) -> PlannedCheck:
    skip = None if check.id in home.part.ran else home.part.observations[check.id]
    return PlannedCheck(check, home.capabilities.declared(check.requires), skip)


def _require_one_view(shards: Sequence[StoredRun]) -> None:
    """The probe of each shard must have seen the same target."""
    first = {item.name: item.present for item in shards[0].capabilities}
    for shard in shards[1:]:
        seen = {item.name: item.present for item in shard.capabilities}
        differs = [name for name in {**first, **seen} if first.get(name) != seen.get(name)]
        if differs:
            raise UsageFault(
                f"{shards[0].name!r} and {shard.name!r} name different targets ({', '.join(sorted(differs))}): "
                "run both shards again, or declare the capabilities with --capability"
            )


def _finish(results: tuple[Result, ...], ends: Sequence[RunFinished]) -> RunFinished:
    """The end of the whole run; times, waits and losses add up."""
    interrupted = any(end.exit is Exit.INTERRUPTED for end in ends)
    holes = tuple(dict.fromkeys(hole for end in ends for hole in end.holes))
    return RunFinished(
        results,
        sum(end.seconds for end in ends),
        Exit.INTERRUPTED if interrupted else exit_of(results, unjudged=bool(holes)),
        tuple(path for end in ends for path in end.leftovers),
        reduce(_add_up, map(attrgetter("waited"), ends)),
        reduce(_add_up, map(attrgetter("cut"), ends)),
        next(filter(None, map(attrgetter("halted"), ends)), ""),
        holes=holes,
        unread=sum(end.unread for end in ends),
    )


Sums = TypeVar("Sums", Waited, TimeoutLosses)
Row = TypeVar("Row", bound=KillRow)

_ID = re.compile(r"[\w.-]{1,80}", re.ASCII)
"""The id of a check."""


def _add_up(one: Sums, other: Sums) -> Sums:
    """The sums of two shards; of a text, the first that there is."""
    pairs: dict[str, tuple[Any, Any]] = {
        member.name: (getattr(one, member.name), getattr(other, member.name)) for member in structs.fields(one)
    }
    sums: dict[str, Any] = {name: a or b if isinstance(a, str) else a + b for name, (a, b) in pairs.items()}
    return structs.replace(one, **sums)


def _merge_mutants(
    shards: Sequence[StoredRun], api: Api, *, same_target: bool
) -> tuple[Presentation, Sequence[RunEvent]]:
    reports = [ShardReport(name=shard.name, target={}, part=shard.part) for shard in shards]
    require_one_run(reports, same_target=same_target)
    part, mutants = reports[0].part, api.load_mutants()
    checks = load_checks(api, part.revision)
    require_catalogue(reports[0], checks)
    if any(phase.name == DEFECTS for phase in shards[0].phases):
        return ScorePresentation(), _merge_scores(shards, api)
    reference = _read_reference(shards)
    with unreadable(reports[0].name):
        summaries = {name: mutants[name].summary for name in part.whole}
    played = [
        PlayedMutant(row.mutant, row.killers, row.errors, result.seconds)
        for shard in shards
        for row, result in _read_rows(shard, KillRow)
    ]
    interrupted = any(shard.finished.exit is Exit.INTERRUPTED for shard in shards)
    matrix = to_matrix(part.whole, checks, [reference, *played], interrupted=interrupted)
    return MutantsPresentation(), tuple(tell_matrix(matrix, summaries, whole=len(summaries) == len(mutants)))


def _read_rows(shard: StoredRun, kind: type[Row], unseen: Sequence[str] = ()) -> list[tuple[Row, Result]]:
    """The rows of a shard with their results; it ran those that `unseen` names without one.

    Raises UsageFault for a row that is missing, is of another shard, is there twice, or names no check.
    """
    rows = [(row, result) for result in shard.results for row in of_kind(kind, result.evidence)]
    with unreadable(shard.name):
        if odd := next((one for row, _ in rows for one in row.killers if not _ID.fullmatch(one)), None):
            raise ValueError(f"{odd!r:.80} names no check")
    _require_own(shard, [*unseen, *(row.mutant for row, _ in rows)])
    return rows


def _require_own(shard: StoredRun, names: Sequence[str]) -> None:
    """Raise UsageFault unless the names are those that the shard ran, each once.

    Otherwise a forged shard could replace what another one saw, and a cut one would count as tested.
    """
    own, counts = frozenset(shard.part.ran), Counter(names)
    if odd := next((name for name, count in counts.items() if count > 1 or name not in own), None):
        what = "two results" if odd in own else "a result"
        why = "a shard has one of each" if odd in own else f"shard {shard.part.shard} did not run it"
        raise UsageFault(f"{shard.name!r} contains {what} of {odd!r:.80}, but {why}: run the shard again")
    lost = [name for name in shard.part.ran if name not in counts]
    if lost and not _ended_early(shard):
        raise UsageFault(
            f"{shard.name!r} contains no result of {lost[0]!r:.80} ({len(lost)} in all), but shard "
            f"{shard.part.shard} ran it: run the shard again"
        )


def _ended_early(shard: StoredRun) -> bool:
    """Whether an interruption or a limit kept a shard from its whole part."""
    return bool(shard.finished.halted) or shard.finished.exit in (Exit.INTERRUPTED, Exit.HARNESS_ERROR)


def _merge_scores(shards: Sequence[StoredRun], api: Api) -> Sequence[RunEvent]:
    """The score of all defects of the shards."""
    part = shards[0].part
    numbers = {name: number for number, name in enumerate(part.whole)}
    results: list[Result] = []
    phases: list[PhaseFinished] = []
    for shard in shards:
        with unreadable(shard.name):
            [phase] = (phase for phase in shard.phases if phase.name == DEFECTS)
            phases.append(phase)
            results += (result for _, result in _read_rows(shard, DefectRow, phase.notes))
    if other := next((n for n, phase in enumerate(phases) if phase.counts != phases[0].counts), 0):
        raise UsageFault(
            f"{shards[0].name!r} and {shards[other].name!r} generated different defects: run both shards again"
        )
    interrupted = any(shard.finished.exit is Exit.INTERRUPTED for shard in shards)
    results.sort(key=lambda result: numbers[of_kind(DefectRow, result.evidence)[0].mutant])
    assert api.load_defects is not None  # `score_defects` had it
    notes = tuple(sorted(note for phase in phases for note in phase.notes))
    return (
        RunStarted(shards[0].target),
        Planned(len(numbers), 0),
        *map(CheckFinished, results),
        *conclude_score(
            results,
            structs.replace(phases[0], notes=notes),
            api.load_defects().floors if part.selection == FAIR else {},
            interrupted=interrupted,
            seconds=sum(shard.finished.seconds for shard in shards),
        ),
    )


def _read_reference(shards: Sequence[StoredRun]) -> PlayedReference:
    """The result of the unchanged emulator, on which all shards must agree."""
    seen = []
    for shard in shards:
        with unreadable(shard.name):
            [notes] = (phase.notes for phase in shard.phases if phase.name == REFERENCE)
            seen.append(PlayedReference(dict(note.split(": ", 1) for note in notes)))
        if seen[-1] != seen[0]:
            differs = sorted(seen[0].unmet.keys() ^ seen[-1].unmet.keys()) or list(seen[-1].unmet)
            raise UsageFault(
                f"{shards[0].name!r} and {shard.name!r} do not agree on what the unchanged emulator meets "
                f"({', '.join(differs[:3])}): run both shards again"
            )
    return seen[0]


def _merge_torture(
    shards: Sequence[StoredRun], api: Api, *, same_target: bool
) -> tuple[Presentation, Sequence[RunEvent]]:
    undisturbed = [_read_undisturbed(shard) for shard in shards]
    texts = [f"{phase.counts.get('events')} {phase.notes}" for phase in undisturbed]
    require_one_run(
        [_describe(shard, text=text) for shard, text in zip(shards, texts, strict=True)], same_target=same_target
    )
    whole, results = shards[0].part.whole, _read_cases(shards)
    code = exit_of_cases(results, halted=len(results) < len(whole))
    seconds = sum(shard.finished.seconds for shard in shards)
    return TorturePresentation(), (
        RunStarted(shards[0].target),
        Planned(len(whole), len(whole)),
        undisturbed[0],
        *map(CheckFinished, results),
        _end_early(RunFinished(tuple(results), seconds, code), shards),
    )


def _read_cases(shards: Sequence[StoredRun]) -> list[Result]:
    """The results of the cases, in the order of the whole run."""
    numbers = {name: number for number, name in enumerate(shards[0].part.whole)}
    results: list[Result] = []
    for shard in shards:
        with unreadable(shard.name):
            cases = [result for result in shard.results if of_kind(ClientRun, result.evidence)]
            _require_own(shard, [result.id for result in cases])
            results += sorted(cases, key=lambda result: numbers[result.id])
    return sorted(results, key=lambda result: numbers[result.id])


def _read_undisturbed(shard: StoredRun) -> PhaseFinished:
    """How the client read the stream without a fault."""
    with unreadable(shard.name):
        [phase] = (phase for phase in shard.phases if phase.name == UNDISTURBED)
        return structs.replace(phase, seconds=0.0, counts=dict(phase.counts), notes=phase.notes[:1])


def _merge_searches(
    shards: Sequence[StoredRun], api: Api, *, same_target: bool
) -> tuple[Presentation, Sequence[RunEvent]]:
    from harness.engine.search.run import finish_search, tell_run  # what draws requests need not be installed

    require_one_run([_describe(shard) for shard in shards], same_target=same_target)
    first = shards[0]
    if digest_rules(api) != first.part.catalogue:
        raise UsageFault(
            f"{first.name!r} was written with other rules: merge with the version that ran the shards"
        )
    runs: dict[str, Sequence[EngineRun]] = {}
    ran: dict[tuple[LoggedExchange, ...], str] = {}
    for shard in shards:
        with unreadable(shard.name):
            runs[f"shard {shard.part.shard}"] = list(_read_runs(shard, api))
            for number, text in shard.options["ran"].items():
                ran[tuple(of_kind(LoggedExchange, shard.results[int(number)].evidence))] = to_one_line(str(text))
    baseline = Baseline(first.part.baseline)
    with unreadable(first.name):
        seed, excluded = int(first.options["seed"]), [str(name) for name in first.options["excluded"]]
    presentation = FuzzPresentation(seed, excluded=excluded, baseline=baseline)
    merged = merge_runs(runs, api)
    policy = Policy(strict=first.part.strict, baseline=baseline)
    events: list[RunEvent] = [RunStarted(first.target), Planned(0, len(merged))]
    results: list[Result] = []
    earlier: list[Failure] = []
    consequences: set[str] = set()
    for run in merged:
        folded = fold(run, earlier, api)
        consequences |= {one.key for one in run.failures} - {one.key for one in folded.failures}
        earlier += folded.failures
        own_events = list(tell_run(folded, policy, api))
        events += own_events
        results += [event.result for event in own_events if isinstance(event, CheckFinished)]
    _require_no_better(shards, results, consequences)
    for result in results:
        presentation.ran[key_of_failure(result)] = ran.get(tuple(of_kind(LoggedExchange, result.evidence)), "")
    finished = finish_search(results, sum(run.seconds for run in merged))
    return presentation, (*events, _end_early(finished, shards))


def _read_runs(shard: StoredRun, api: Api) -> Iterator[EngineRun]:
    """The run of each engine. Raises KeyError for a failure of a rule that there is not."""
    found = [_to_failure(result) for result in shard.results if result.rule.id != SEARCHED.id]
    for failure in found:
        rule_of(failure.rule, api)
    for phase in shard.phases:
        yield EngineRun(
            engine=phase.name,
            seconds=phase.seconds,
            counts=phase.counts,
            failures=tuple(failure for failure in found if failure.engine == phase.name),
            vacuous=phase.vacuous,
            notes=phase.notes,
            answers=AnswerCounts.read(phase.calls),
        )


def _to_failure(result: Result) -> Failure:
    """The failure that was decided to be this result; its severity was lowered if it never happened again."""
    again, finding = result.reproduction or Reproduction(), result.observation.findings[0]
    severity = Severity.NON_STRICT if result.id.endswith("?") else Severity.BROKEN
    return Failure(
        engine=result.phase,
        defect=SeenDefect(structs.replace(finding, severity=severity, weight=1), again.call),
        history=again.steps,
        logged=tuple(of_kind(LoggedExchange, result.evidence)),
        seen=finding.weight - len(again.consequences),
        known=again.known,
        unshrunk=again.unshrunk,
        replays=again.replays,
        consequences=again.consequences,
    )


MERGES: Mapping[str, Merge] = {
    "check": _merge_checks,
    "mutants": _merge_mutants,
    "fuzz": _merge_searches,
    "torture": _merge_torture,
}
"""How the shards of each command are put together."""
