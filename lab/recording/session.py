"""Records scenarios, one cassette each, and replaces a cassette only with one that was proved.

A session has a budget of requests, waits out short refusals, and stops at an exhausted quota or a lost connection.
Nothing may have failed in a scenario, and its replay must be the same (`problem_of`, `replay_difference`).
Recordings of the live service and of the emulator never replace each other. An older recording is in version
control: `git diff` shows the drift, and `harness verify` judges the new one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from harness.benches.record.provenance import provenance_of
from harness.benches.record.recorder import Recorder, Summary, prepare_folder
from harness.cassette import Player, Provenance, Recording, Target, load, save
from harness.cassette.journal import alone
from harness.cassette.layout import replace_file
from harness.engine.execute import PlayedExercise, play
from harness.engine.targets import ResolvedTarget
from harness.engine.traffic.governed_driver import (
    LATER,
    Attempt,
    DriverPolicy,
    GovernedDriver,
    Retries,
    format_refusal,
)
from harness.engine.traffic.perform import CreatedResources
from harness.kit.wrong_call import explain_wrong_call
from harness.outcome import Outcome, Unmet, UsageFault
from harness.outcome.words import format_count
from harness.transport import ServiceDriver, UrlDriver
from harness.wire import By, Exchange
from lab.recording.scenarios import Scenario

_PLACEHOLDER = re.compile(rb"REDACTED-[0-9]+")
_UNAUTHORISED = frozenset({401, 403})


BUDGET_SPENT = "the budget of requests (--max-requests) is used up"


class RequestBudget(DriverPolicy):
    """At most `limit` requests, repetitions included; `sent` is how many there were."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.sent = 0

    def before(self, attempts: Sequence[Attempt]) -> float:
        """Count the requests. Raises Unmet(BUDGET_SPENT) instead of sending more than the limit."""
        if self.sent + len(attempts) > self._limit:
            raise Unmet(BUDGET_SPENT)
        self.sent += len(attempts)
        return 0.0


class ScenarioState(StrEnum):
    """The state of a scenario after its recording."""

    RECORDED = "recorded"
    UNSUPPORTED = "unsupported"
    UNFAITHFUL = "unfaithful"
    FAILED = "failed"
    STOPPED = "stopped"


class RecordingProblem(NamedTuple):
    """Why there is nothing to keep. STOPPED means that the scenarios that follow would fail as well."""

    state: ScenarioState
    reason: str


def problem_of(played: PlayedExercise, summary: Summary, *, reached: bool) -> RecordingProblem | None:
    """The problem of a scenario, or None; `reached`: an earlier scenario could use the target."""
    # As the recorder saw it: it is nearer to the target than the driver.
    loss = summary.unanswered[0] if summary.unanswered else "the recorder disconnected"
    if played.trail and not reached:
        first, why = played.trail[0], ""
        if first.status is None:
            why = loss
        elif wrong := explain_wrong_call(first):
            why = f"{format_refusal(first)}: {wrong}"
        elif first.status in _UNAUTHORISED:
            why = format_refusal(first)
        if why:
            return RecordingProblem(ScenarioState.STOPPED, f"the target cannot be used: {why}")
    for exchange in played.trail:
        request, status = exchange.request, exchange.status
        if status is None:
            return RecordingProblem(ScenarioState.STOPPED, f"the connection to the target was lost: {loss}")
        if status == 429:
            after = exchange.headers.get("retry-after")
            when = f", again after {after} s" if after.isdecimal() else ""
            why = f"the quota is exhausted: {format_refusal(exchange)}{when}"
            return RecordingProblem(ScenarioState.STOPPED, why)
        if status >= 500 or status == 408:
            return RecordingProblem(ScenarioState.FAILED, f"the service failed: {format_refusal(exchange)}")
        if not exchange.complete and exchange.ending.by is not By.CLIENT:
            why = f"the response to {request.method} {request.raw_path} was truncated: {exchange.ending.words}"
            return RecordingProblem(ScenarioState.FAILED, why)
    if summary.unanswered:  # though the driver asked again on a fresh connection
        return RecordingProblem(ScenarioState.FAILED, f"a connection to the target was dropped: {loss}")
    if lost := summary.unsaved or next(iter(summary.unrecorded), ""):
        return RecordingProblem(ScenarioState.UNFAITHFUL, lost)
    failure = played.failure
    if failure is None:
        return None
    if failure.reason == BUDGET_SPENT:
        return RecordingProblem(ScenarioState.STOPPED, failure.reason)
    unmet = failure.outcome is Outcome.UNTESTABLE
    return RecordingProblem(ScenarioState.UNSUPPORTED if unmet else ScenarioState.UNFAITHFUL, failure.reason)


def replay_difference(
    scenario: Scenario, target: ResolvedTarget, seen: Sequence[Exchange], recordings: Sequence[Recording]
) -> str:
    """How a replay of the recordings differs from what the same client saw before; "" if it does not."""
    player = Player(recordings, target.api.load_protocol())
    driver = ServiceDriver(player)
    try:
        again = play(target.api, scenario.exercise, target.target, driver, CreatedResources(target.api)).trail
    finally:
        driver.close()
    if player.misses:
        return f"its replay lacks a response: {player.misses[0]}"
    if len(again) != len(seen):
        return f"its replay takes {format_count(len(again), 'exchange')} instead of {len(seen)}"
    for number, (before, after) in enumerate(zip(seen, again, strict=True), 1):
        if not _is_alike(before, after):
            return f"its replay differs in exchange {number}, {before.request.method} {before.request.raw_path}"
    return ""


def _is_alike(before: Exchange, after: Exchange) -> bool:
    """Whether a client could not tell the two apart, except for secrets; after a hang-up, as far as both go."""
    if before.status != after.status:
        return False
    clear, *rest = _PLACEHOLDER.split(after.body)
    if By.CLIENT in (before.ending.by, after.ending.by):
        return before.body.startswith(clear) or (not rest and clear.startswith(before.body))
    if before.ending.how is not after.ending.how:
        return False
    if not rest:
        return before.body == clear
    # The parts in order, with something in place of each placeholder; each is found once, so that this is linear.
    *middle, last = map(re.escape, rest)
    parts = b"".join(b"(?>.+?%b)" % part for part in middle)
    return re.fullmatch(b"%b%b.+%b" % (re.escape(clear), parts, last), before.body, re.DOTALL) is not None


@dataclass(frozen=True, slots=True)
class Recorded:
    """One scenario's result; `left` could not be deleted."""

    name: str
    state: ScenarioState
    reason: str = ""
    exchanges: int = 0
    left: tuple[str, ...] = ()

    def __str__(self) -> str:
        parts = [f"{self.name}: {self.state}", format_count(self.exchanges, "exchange") * bool(self.exchanges)]
        lines = [", ".join(filter(None, [*parts, self.reason]))]
        return "\n".join([*lines, *(f"  left behind (its deletion failed): {path}" for path in self.left)])


@dataclass(slots=True)
class RecordingSession:
    """A recording session: where the cassettes go, and how many requests may be sent at most.

    `hear` gets a line for each pause that the target requests.
    """

    target: ResolvedTarget
    folder: Path
    budget: int
    hear: Callable[[str], None] = lambda line: None
    spent: int = 0
    provenance: Provenance = field(init=False)
    _reached: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        made = provenance_of(self.target.info.url, self.target.api, recorder="python -m lab record")
        self.provenance = replace(made, api_version=self.target.info.version)

    def run(self, scenarios: Sequence[Scenario]) -> Iterator[Recorded]:
        """Record one after the other. Raises UsageFault if the folder is of another class of target."""
        for scenario in scenarios:
            _refuse_foreign(self._locate(scenario.name), self.provenance.target)
        prepare_folder(self.folder)
        with alone(self.folder / "recording"):  # two sessions would delete each other's files as leftovers
            for scenario in scenarios:
                fresh = self.folder / f".{scenario.name}.new.yaml"
                try:
                    result = self._record(scenario, fresh)
                    if result.state is ScenarioState.RECORDED:
                        replace_file(self._locate(scenario.name), fresh.read_bytes())
                finally:
                    for left in self.folder.glob(f".{scenario.name}.new.*"):  # of a killed session, too
                        left.unlink()
                yield result
                if result.state is ScenarioState.STOPPED:
                    return

    def _locate(self, name: str) -> Path:
        return self.folder / f"{name}.yaml"

    def _record(self, scenario: Scenario, fresh: Path) -> Recorded:
        """Play the scenario, and replay its recording."""
        if self.spent + scenario.exercise.requests > self.budget:
            reason = f"it takes {format_count(scenario.exercise.requests, 'request')}, and --max-requests leaves "
            return Recorded(scenario.name, ScenarioState.STOPPED, f"{reason}{self.budget - self.spent}")
        played, summary, left = self._play(scenario, fresh)
        problem = problem_of(played, summary, reached=self._reached)
        self._reached = True
        if problem is None:
            # The driver sends a request that was refused for now again; a client of the replay has no reason to.
            recordings = [each for each in load(fresh).recordings if each.status not in LATER]
            save(fresh, recordings, self.provenance)
            if difference := replay_difference(scenario, self.target, played.trail, recordings):
                problem = RecordingProblem(ScenarioState.UNFAITHFUL, difference)
        state, reason = problem or (ScenarioState.RECORDED, "")
        return Recorded(scenario.name, state, reason, len(played.trail), tuple(left))

    def _play(self, scenario: Scenario, path: Path) -> tuple[PlayedExercise, Summary, list[str]]:
        """Drive the scenario through a recorder; however it ends, delete what it created, unrecorded."""
        ledger, left = CreatedResources(self.target.api), list[str]()
        recorder = Recorder(
            self.target.info.url,
            path,
            self.target.api,
            mode="all",
            encoding="identity",
            secrets=self.target.info.secrets.values(),
        )
        try:
            with recorder:
                budget = RequestBudget(self.budget - self.spent)
                with closing(self._govern(UrlDriver(recorder.url), budget)) as driver:
                    try:
                        played = play(self.target.api, scenario.exercise, self.target.target, driver, ledger)
                    finally:
                        self.spent += budget.sent
        finally:
            direct = UrlDriver(self.target.info.url)
            with closing(self._govern(direct)) as driver:
                left += ledger.clean(driver.send)
        return played, recorder.summary, left

    def _govern(self, driver: UrlDriver, *budgets: RequestBudget) -> GovernedDriver:
        def hear(seconds: float, refusal: Exchange) -> None:
            self.hear(f"waiting {seconds:g} s, as the target requests: {format_refusal(refusal)}")

        return GovernedDriver(driver, [Retries(math.inf, hear), *budgets])


def _refuse_foreign(path: Path, target: Target) -> None:
    """Raise UsageFault if the file to be replaced is of another class of target, or is no recording at all."""
    provenance = load(path).provenance if path.is_file() else None
    if provenance is not None and provenance.target is not target:
        raise UsageFault(
            f"{path} was recorded from {provenance.target}, this target is {target}: "
            "name another folder with --folder, or delete the file"
        )
