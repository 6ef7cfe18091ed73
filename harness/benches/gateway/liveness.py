"""Makes the trials of a run, and notices when the gateway has stopped answering.

Layer 5. A gateway that stops answering costs the whole timeout for each remaining passage, and none of these says
anything about a rule. So after a few passages without an answer, the gateway is sent a plain create, which it
answered before. If it answers that, the run goes on, and what it left unanswered is held against it. If it does
not, the run stops, and only what came before is judged. Must not know what is right.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.benches.gateway.bench import Line
from harness.benches.gateway.catalogue.exercises import Passages, Trial
from harness.benches.gateway.catalogue.findings import NotApplicable
from harness.benches.gateway.catalogue.rules import GatewayCheck
from harness.benches.gateway.relayed_exchange import Passage
from harness.engine.events import ExerciseStarted, RunStopped
from harness.engine.execute import error
from harness.outcome import Because, Observation, Outcome, Unmet
from harness.outcome.words import format_count
from harness.wire import By, Exchange

SILENT = 3
"""Number of passages in a row without an answer after which a plain create checks that the gateway is there."""


@dataclass(frozen=True, slots=True)
class _Silence:
    """The number of the first passage without an answer, and the trials that were finished before it."""

    start: int
    finished: frozenset[str]


class TrialRunner:
    """Makes the trials; keeps their passages, and why a trial or the whole run stopped early."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._trials: tuple[str, ...] = ()
        self._finished: set[str] = set()
        self._stops: dict[str, Observation] = {}
        self._silence: _Silence | None = None
        self.passages: list[Passage] = []
        self.stopped: RunStopped | None = None

    def play(self, trials: Sequence[Trial]) -> Iterator[ExerciseStarted | RunStopped]:
        """Make the trials; those that span the others begin first and end last."""
        self._trials = tuple(trial.name for trial in trials)
        spanning = [(trial, trial.run(self._line)) for trial in trials if trial.spans]
        for trial, running in spanning:
            yield ExerciseStarted(trial.name)
            self._advance(trial, running)
        for trial in trials:
            if not trial.spans and self.stopped is None:
                yield ExerciseStarted(trial.name)
                self._exhaust(trial, trial.run(self._line))
        if self._silence is not None:  # too few to ask until now: did the gateway skip these, or stop answering?
            self._ask(self._silence)
        if self.stopped is not None:
            yield self.stopped
            return
        for trial, running in spanning:
            yield ExerciseStarted(trial.name)
            self._exhaust(trial, running)

    def _exhaust(self, trial: Trial, running: Passages) -> None:
        while self.stopped is None and self._advance(trial, running):
            pass

    def _advance(self, trial: Trial, running: Passages) -> bool:
        try:
            passage = next(running)
        except StopIteration:
            pass
        except NotApplicable as missing:
            self._stops[trial.name] = Observation(Outcome.NOT_APPLICABLE, reason=str(missing))
        except Unmet as unmet:
            self._stops[trial.name] = Observation.untestable(unmet.reason)
        except Exception:
            self._stops[trial.name] = error(f"the trial {trial.name} raised")
        else:
            self.passages.append(passage)
            self._hear(passage)
            return True
        self._finished.add(trial.name)
        return False

    def _hear(self, passage: Passage) -> None:
        if _answered(passage.client):
            self._silence = None
            return
        if self._silence is None:
            self._silence = _Silence(len(self.passages) - 1, frozenset(self._finished))
        if len(self.passages) - self._silence.start >= SILENT:
            self._ask(self._silence)

    def _ask(self, silence: _Silence) -> None:
        """See whether the gateway still answers; if not, stop and drop the passages that it could not answer."""
        self._silence = None
        if _answered(self._line.create("alive.create").client):
            return
        silent = self.passages[silence.start :]
        del self.passages[silence.start :]
        self._finished = set(silence.finished)
        self._stops = {name: stop for name, stop in self._stops.items() if name in silence.finished}
        unfinished = tuple(name for name in self._trials if name not in silence.finished)
        self.stopped = RunStopped(
            reason=_why(silent, len(unfinished), len(self._trials)),
            unfinished=unfinished,
            silent=len(silent),
            evidence=silent[0],
        )

    def observe(self, check: GatewayCheck) -> Observation:
        """The observation of a check, or why it has none."""
        said = self._judge(check)
        if said.outcome in (Outcome.NOT_MET, Outcome.ERROR):
            return said
        if self._untried(check):
            return Observation.untestable("not tried", Because.NOT_TRIED, "not tried")
        silent = any(passage.client.status is None for passage in check.select(self.passages))
        if said.outcome is Outcome.UNTESTABLE and silent:
            return Observation.untestable(said.reason, Because.NO_ANSWER, "no answer")
        return said

    def _judge(self, check: GatewayCheck) -> Observation:
        stop = next((self._stops[name] for name in sorted(check.trials) if name in self._stops), None)
        if stop is not None and (stop.outcome is Outcome.ERROR or not check.select(self.passages)):
            return stop
        try:
            said = check.observe(self.passages)
        except Exception:
            return error(f"the judge of {check.id} raised")
        return stop if stop is not None and said.outcome is Outcome.UNTESTABLE else said

    def _untried(self, check: GatewayCheck) -> bool:
        """Whether a passage that the check wants was not made because the run stopped."""
        if self.stopped is None:
            return False
        made = {passage.name for passage in self.passages}
        wanted = [want for want in check.wants if want.partition(".")[0] in self.stopped.unfinished]
        return any("*" in want or want not in made for want in wanted)


def _why(silent: Sequence[Passage], unfinished: int, trials: int) -> str:
    """Why a run stopped early, and what to do about it."""
    exchange = silent[0].client
    came = "no answer" if exchange.status is None else f"an answer ({exchange.status}) without an end"
    also = f", nor had the next {len(silent) - 1}" if len(silent) > 1 else ""
    return (
        f"the passage {silent[0].name} had {came} ({exchange.ending.words}){also}, nor had a plain create, "
        f"which the gateway had answered before; {unfinished} of {format_count(trials, 'trial')} not made, or not "
        "to the end. See what the gateway logged then; if it is only slow, allow more with --timeout"
    )


def _answered(exchange: Exchange) -> bool:
    """Whether the gateway answered, and our own time limit did not have to end the answer."""
    return exchange.status is not None and exchange.ending.by is not By.LIMIT
