"""A whole fuzz run: stored failures first, then each engine in turn, ignoring the findings of earlier ones.

Emits the events of a run; the findings of an engine become results when it ends. A `Store` is one folder per
target with one small JSON file per failure that has a history. That contains no ids and no requests, so it can run
on any target, and a file in it cannot choose what is sent where. A file that cannot be read is skipped with a
note.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import structs

from harness.engine.decide import Baseline, Policy, exit_of
from harness.engine.events import (
    Capability,
    CheckFinished,
    ExerciseStarted,
    Planned,
    Progressed,
    Replays,
    Result,
    RunEvent,
    RunFinished,
    RunStarted,
)
from harness.engine.probe import Prober
from harness.engine.search.budget import Budget
from harness.engine.search.failure import SEARCHED, AnswerCounts, EngineRun, Failure, fold
from harness.engine.search.openapi import LEAST_SECONDS, document
from harness.engine.search.rounds import HISTORY, LAWS, search
from harness.engine.search.scenario_collector import ENGINE as SCHEMA
from harness.engine.search.search_target import SearchTarget, play
from harness.engine.search.shrink import minimal
from harness.engine.selection import Chosen
from harness.engine.targets import ServerTarget
from harness.engine.traffic.deadline import INTERRUPTED, Deadline, Timer, TimeUp
from harness.engine.traffic.governed_driver import GovernedDriver
from harness.engine.traffic.patience import FLOOR, Patience
from harness.files import explain_unread, make_folder, read_file, write_file
from harness.kit.search import SearchModel
from harness.outcome import Exit, TargetFault, UsageFault, Verdict
from harness.wire import Driver

if TYPE_CHECKING:
    from hypothesis.database import ExampleDatabase

STORED = "stored"


class Store:
    """The failures of one target, in a folder below `root`."""

    def __init__(self, root: Path, resolved: ServerTarget) -> None:
        self._mask = resolved.make_mask()
        target = resolved.info.kept_name
        words = re.sub(r"[^a-z0-9]+", "-", self._mask.text(target).lower()).strip("-")[:60] or "target"
        self.folder = root / f"{words}-{hashlib.sha256(target.encode()).hexdigest()[:8]}"

    def keep(self, failure: Failure) -> Path | None:
        """Write one failure and return its file; None if it has no history to play again. Raises OSError."""
        if not failure.history:
            return None
        key = self._mask.text(failure.key)
        record = {
            "key": key,
            "engine": failure.engine,
            "message": self._mask.text(failure.finding.message),
            "unshrunk": failure.unshrunk,
            "history": [step.record() for step in failure.history],
        }
        stem = re.sub(r"[^a-z0-9.-]+", "_", key.lower().replace("?", " lenient")).strip("_")
        path = self.folder / f"{stem}.json"
        make_folder(self.folder)
        write_file(path, self._mask.hide_known(json.dumps(record, indent=1, ensure_ascii=False)) + "\n")
        return path

    def keep_all(self, run: EngineRun, model: SearchModel) -> EngineRun:
        """Write all failures and warnings of an engine; its notes name one that cannot be written."""
        try:
            for failure in run.failures:
                if failure.decide(Policy(), model).verdict is not Verdict.INFO:
                    self.keep(failure)
        except OSError as wrong:
            note = f"the failures cannot be stored in {str(self.folder)!r}: {wrong.strerror}"
            return replace(run, notes=(*run.notes, note))
        return run

    def list_stored(self) -> list[Path]:
        """The files of the stored failures. Raises UsageFault if their folder cannot be read."""
        try:
            files = self.folder.iterdir() if self.folder.is_dir() else ()
            return sorted(path for path in files if path.suffix == ".json")
        except OSError as wrong:
            raise UsageFault(f"{str(self.folder)!r} cannot be read: {explain_unread(wrong)}") from None

    def replay(self, place: SearchTarget) -> EngineRun:
        """Play everything that is stored, and shrink what was not; remove what no longer fails."""
        failures: list[Failure] = []
        notes: list[str] = []
        played, answers = 0, AnswerCounts()
        for path in self.list_stored():
            try:
                record = json.loads(read_file(path))
                found = list(_play_again(place, record, answers))
            except TimeUp:
                notes.append("the time limit was reached before all of them were run")
                break
            except KeyboardInterrupt:
                place.timer.stop()
                notes.append("the search was interrupted before all of them were run")
                break
            except (ValueError, KeyError, TypeError) as wrong:
                notes.append(f"{path.name} is not a stored failure ({wrong}): remove it")
                continue
            except OSError as wrong:
                notes.append(f"{path.name} cannot be read: {explain_unread(wrong)}")
                continue
            played += 1
            key = self._mask.text(record["key"])
            kept = next((failure for failure in found if self._mask.text(failure.key) == key), None)
            if kept is not None:
                failures.append(kept if record.get("unshrunk") == "" else minimal(place, kept))
                continue
            notes.append(f"{record['key']} no longer fails: {path.name} was removed")
            try:
                path.unlink(missing_ok=True)
            except OSError as wrong:
                notes[-1] = f"{record['key']} no longer fails: {path.name} cannot be removed: {wrong.strerror}"
        return EngineRun(
            engine=STORED,
            seconds=place.timer.spent,
            counts={"replayed": played, "still failing": len(failures)},
            failures=tuple(failures),
            late="" if played else "no stored failure was run",
            notes=(*notes, *place.notes()),
            answers=answers,
            stopped=place.timer.stopped,
        )


def _play_again(place: SearchTarget, record: dict[str, Any], answers: AnswerCounts) -> Iterator[Failure]:
    if not (record["key"].isprintable() and record["engine"].isprintable()):  # both are printed in a line
        raise ValueError("its key has several lines")
    history = [place.model.read_step(step) for step in record["history"]]
    if not history:
        raise ValueError("it has no history")
    for failure in play(place, history, STORED, answers):
        yield replace(failure, engine=record["engine"], known=True, replays=Replays(1, 1))


ENGINES = (HISTORY, LAWS, SCHEMA)

_SHARES = {STORED: 1, HISTORY: 2, LAWS: 1, SCHEMA: 2}
"""How a limited time is divided; what an engine does not need, the next ones get."""

_WORST_FIRST = (Verdict.ERROR, Verdict.FAIL, Verdict.STALE, Verdict.WARN, Verdict.XFAIL, Verdict.INFO)
_RANK = {verdict: rank for rank, verdict in enumerate((*_WORST_FIRST, *(set(Verdict) - set(_WORST_FIRST))))}


@dataclass(frozen=True, slots=True, kw_only=True)
class FuzzOptions:
    """The user's choices.

    The seconds of the `budget` bound the whole run. If `store` is None, failures are not stored; those in it are
    sent again first. `chosen` are the rules and codes that are reported.
    """

    engines: tuple[str, ...] = ENGINES
    budget: Budget
    seed: int = 0
    chosen: Chosen = field(default_factory=Chosen)
    strict: bool = False
    baseline: Baseline = field(default_factory=Baseline)
    stated: tuple[Capability, ...] = ()
    database: ExampleDatabase | None = None
    store: Path | None = None


def fuzz(
    resolved: ServerTarget,
    model: SearchModel,
    options: FuzzOptions,
    notify: Callable[[Progressed], object] = lambda _: None,
) -> Generator[RunEvent, None, None]:
    """Run the engines; `notify` hears how far they are. Raises TargetFault if the target cannot be probed.

    After a KeyboardInterrupt, what was found until then is reported; a second one ends the run at once.
    """
    begun = time.perf_counter()
    policy = Policy(strict=options.strict, baseline=options.baseline)
    yield RunStarted(resolved.info)
    stored = options.store is not None and bool(Store(options.store, resolved).list_stored())
    yield Planned(0, len(options.engines) + stored)
    results: list[Result] = []
    timer = Timer(options.budget.seconds)
    with closing(_runs(resolved, model, options, notify, timer)) as runs:
        for happened in runs:
            events: list[RunEvent] = [happened] if isinstance(happened, ExerciseStarted) else [happened.phase()]
            if isinstance(happened, EngineRun):
                found = [failure.decide(policy, model) for failure in happened.failures]
                found.insert(0, happened.decide(policy))
                results += found
                events += map(CheckFinished, found)
            for event in events:
                try:
                    yield event
                except KeyboardInterrupt:
                    timer.stop()

    def order(result: Result) -> tuple[int, str]:
        return (_RANK[result.verdict], result.id) if result.observation.findings else (-1, "")

    # The engines come first, in their order, then what they found, worst first.
    ordered = tuple(sorted(results, key=order))
    proves = any(one.rule is SEARCHED and one.verdict is Verdict.PASS for one in ordered)
    code = exit_of(ordered, vacuous=not proves)
    finished = RunFinished(ordered, time.perf_counter() - begun, code)
    yield structs.replace(finished, exit=Exit.INTERRUPTED, halted=INTERRUPTED) if timer.stopped else finished


def _runs(
    resolved: ServerTarget,
    model: SearchModel,
    options: FuzzOptions,
    notify: Callable[[Progressed], object],
    timer: Timer,
) -> Generator[ExerciseStarted | EngineRun, None, None]:
    """Each engine that begins, and what it did. After an interrupt the timer is stopped, and no other begins."""
    with _place(resolved, model, options, timer) as place:
        earlier: list[Failure] = []
        store = Store(options.store, resolved) if options.store is not None else None
        shares, proves = dict(_SHARES), False
        whole = sum(_SHARES[engine] for engine in options.engines)
        if len(options.engines) > 1 and timer.left * _SHARES[SCHEMA] / whole < LEAST_SECONDS:
            shares[SCHEMA] = 0  # the others can use this time
        waiting = [*([STORED] if store is not None and store.list_stored() else []), *options.engines]
        while waiting:
            engine = waiting[0]
            share = timer.left * shares[engine] / max(1, sum(shares[one] for one in waiting))
            del waiting[0]
            yield ExerciseStarted(engine)
            if store is not None and engine == STORED:
                done = store.replay(place.within(Timer(None if share == math.inf else share)))
            else:
                known = frozenset(failure.key for failure in earlier)
                done = _run_engine(engine, place, options, timer, share, known, notify)
            if done.stopped:
                timer.stop()
            if done.late and not proves and engine != STORED:
                done = replace(done, vacuous=(done.late,), late="")
            proves |= not (done.vacuous or done.late)
            if store is not None:
                done = store.keep_all(done, model)
            folded = fold(done, earlier, model)
            earlier += done.failures
            yield folded


def _run_engine(
    engine: str,
    place: SearchTarget,
    options: FuzzOptions,
    timer: Timer,
    share: float,
    known: frozenset[str],
    notify: Callable[[Progressed], object],
) -> EngineRun:
    """The run of an engine; it keeps its findings if it is interrupted, unless it was still reading modules."""
    begun = time.perf_counter()

    def tell(counts: Mapping[str, int], findings: int, left: float) -> None:
        notify(Progressed(engine, counts, findings, time.perf_counter() - begun, left))

    if timer.stopped:
        return EngineRun(
            engine=engine, seconds=0.0, vacuous=("the run was interrupted before it began",), stopped=True
        )
    if not share or timer.over():
        least = f"it needs {LEAST_SECONDS:g} s of the time" if not share else "the time limit was reached before"
        return EngineRun(engine=engine, seconds=0.0, late=f"left out: {least}; --deadline gives more")
    watched = replace(place, progress=tell, timer=timer)
    budget = options.budget if share == math.inf else replace(options.budget, seconds=share)
    try:
        if engine == SCHEMA:
            return document(watched, budget, seed=options.seed, strict=options.strict, passed_over=known)
        return search(
            watched, budget, engine=engine, seed=options.seed, database=options.database, passed_over=known
        )
    except KeyboardInterrupt:
        return EngineRun(
            engine=engine, seconds=0.0, vacuous=("the run was interrupted as it began",), stopped=True
        )


@contextmanager
def _place(
    resolved: ServerTarget, model: SearchModel, options: FuzzOptions, timer: Timer
) -> Iterator[SearchTarget]:
    driver = resolved.connect()
    try:
        able = _probe(driver, resolved, model.needed, options, timer)
        denied = frozenset(item.name for item in options.stated if not item.present)
        patience = None  # in this process nothing hangs
        if not resolved.throwaway:
            # A limited time has room for five hangs.
            floor = FLOOR if options.budget.seconds is None else max(0.5, min(FLOOR, options.budget.seconds / 5))
            patience = Patience(model.name_call, able.target.wait, floor)
        yield SearchTarget(
            able,
            model,
            able.target.capabilities,
            options.chosen,
            denied,
            None if resolved.throwaway else driver,
            patience,
        )
    finally:
        driver.close()


def _probe(
    driver: Driver, resolved: ServerTarget, needed: frozenset[str], options: FuzzOptions, timer: Timer
) -> ServerTarget:
    try:
        bounded = GovernedDriver(driver, [Deadline(timer, resolved.target.wait)], owned=False)
        found = Prober(resolved.api, bounded, resolved.target, options.stated, needed).run()
    except TimeUp:
        raise TargetFault(
            f"the target did not respond to the first probes within {options.budget.seconds:g} s: "
            "give the run more time with --deadline S"
        ) from None
    return resolved.able(found.capabilities, found.says)


def replay(target: ServerTarget, model: SearchModel, history: Sequence[dict[str, object]]) -> list[str]:
    """Play a stored history on a target and return the keys of its failures: for regression tests."""
    place = SearchTarget(target, model, frozenset(target.api.load_capabilities()))
    found = play(place, [model.read_step(step) for step in history], HISTORY)
    mask = target.make_mask()
    return [mask.text(failure.key) for failure in found]


__all__ = ["ENGINES", "FuzzOptions", "fuzz", "replay"]
