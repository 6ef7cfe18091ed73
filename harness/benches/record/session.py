"""Records scenarios, one cassette each, and replaces a cassette only with one that was proved.

Layer 5. A session has a budget of requests, waits out short refusals, stops at an exhausted quota or a lost
connection, keeps what is finished and can be continued. Each recording is replayed and compared with what was
seen, judged against the contract, and compared with its predecessor. Recordings of the live service and of the
emulator never replace each other.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.benches.record.proof import (
    ScenarioState,
    may_be_recorded,
    problem_of,
    refused_since,
    replay_difference,
)
from harness.benches.record.recorder import Recorder, Summary, make_folder, provenance_of
from harness.benches.recordings.diff import Drifts, diff_recordings
from harness.benches.recordings.verify import verify
from harness.cassette import Provenance, Target, load
from harness.cassette.journal import lock
from harness.cassette.layout import replace_file
from harness.engine.cleanup import CreatedResources
from harness.engine.execute import PlayedExercise, play
from harness.engine.targets import ResolvedTarget
from harness.engine.traffic.governed_driver import GovernedDriver
from harness.engine.traffic.retries import Retries, format_refusal
from harness.engine.traffic.traffic_policy import RequestBudget
from harness.kit.check import Scenario
from harness.outcome import Finding, Severity, UsageFault
from harness.outcome.words import format_count
from harness.transport import UrlDriver
from harness.wire import Exchange

NOT_BEGUN = "not begun"

_STATE = ".recording.json"
_LOCK = ".recording.lock"
_DONE = frozenset({ScenarioState.RECORDED, ScenarioState.UNSUPPORTED})


@dataclass(frozen=True, slots=True)
class Begun:
    """A scenario begins, the `number`-th `of` all."""

    name: str
    number: int
    of: int


@dataclass(frozen=True, slots=True)
class Waits:
    """The target asked for a pause of some seconds, and the session waits."""

    seconds: float
    asked: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """One scenario's result. `drifts` is None if no predecessor was compared; `left` could not be deleted."""

    name: str
    state: ScenarioState
    reason: str = ""
    exchanges: int = 0
    findings: tuple[Finding, ...] = ()
    drifts: Drifts | None = None
    had_predecessor: bool = False
    left: tuple[str, ...] = ()

    @property
    def is_news(self) -> bool:
        """Whether a person should look: something is missing, changed its shape or breaks the contract."""
        if self.state is ScenarioState.UNSUPPORTED:
            return self.had_predecessor
        fine = self.state in (ScenarioState.RECORDED, ScenarioState.SKIPPED)
        is_wrong = any(finding.severity is not Severity.INFORMATION for finding in self.findings)
        return not fine or is_wrong or (self.drifts is not None and bool(self.drifts.shape))


Event = Begun | Waits


@dataclass(slots=True)
class RecordingSession:
    """A recording session: where the cassettes go, and how many requests may be sent at most.

    `hear` is called with what happens between two results.
    """

    target: ResolvedTarget
    folder: Path
    budget: int
    ca_file: str | None = None
    continued: bool = False
    hear: Callable[[Event], None] = lambda event: None
    spent: int = 0
    provenance: Provenance = field(init=False)
    _reached: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        made = provenance_of(
            self.target.info.url,
            self.target.api,
            recorder="harness record --scenario",
            ca_file=self.ca_file,
            revision=self.target.target.contract.revision,
        )
        self.provenance = replace(made, api_version=self.target.info.version)

    def waiting(self, scenarios: Sequence[Scenario]) -> list[Scenario]:
        """The scenarios that are still to record: all, or in a continued session those that are not done."""
        done = self._read_done() if self.continued else []
        return [scenario for scenario in scenarios if scenario.name not in done]

    def run(self, scenarios: Sequence[Scenario]) -> Generator[Recorded, None, None]:
        """Record one after the other. Raises UsageFault if recordings of another class of target are in the way.

        A recording replaces its predecessor only when the caller, having seen its result, asks for the next one.
        """
        for scenario in scenarios:
            refuse_foreign(self._locate(scenario.name), self.provenance.target)
        make_folder(self.folder)
        with self._lock_folder():
            yield from self._record_each(scenarios)

    def _record_each(self, scenarios: Sequence[Scenario]) -> Iterator[Recorded]:
        ahead = [scenario.name for scenario in self.waiting(scenarios)]
        done = [scenario.name for scenario in scenarios if scenario.name not in ahead]
        stopped = False
        for scenario in scenarios:
            if scenario.name not in ahead:
                yield Recorded(scenario.name, ScenarioState.SKIPPED, "recorded before the session was interrupted")
                continue
            if stopped:
                yield Recorded(scenario.name, ScenarioState.STOPPED, NOT_BEGUN)
                continue
            self.hear(Begun(scenario.name, ahead.index(scenario.name) + 1, len(ahead)))
            with self._open_fresh(scenario.name) as fresh:
                result = self._record(scenario, fresh)
                yield result
                if result.state is ScenarioState.RECORDED:
                    replace_file(self._locate(scenario.name), fresh.read_bytes())
            if result.state is ScenarioState.STOPPED:
                stopped = True
            elif result.state in _DONE:
                done = [*done, scenario.name]
                self._remember(done)
        if len(done) == len(scenarios):
            (self.folder / _STATE).unlink(missing_ok=True)

    def _locate(self, name: str) -> Path:
        return self.folder / f"{name}.yaml"

    def _read_done(self) -> list[str]:
        try:
            return [str(name) for name in json.loads((self.folder / _STATE).read_text("utf-8"))["done"]]
        except (OSError, ValueError, LookupError, TypeError):
            return []

    def _remember(self, done: list[str]) -> None:
        replace_file(self.folder / _STATE, json.dumps({"done": done}).encode())

    @contextmanager
    def _lock_folder(self) -> Iterator[None]:
        """Lock the folder: two sessions would delete each other's files as leftovers. Raises CassetteError."""
        path = self.folder / _LOCK
        with path.open("wb") as file:
            lock(file, path)
            try:
                yield
            finally:
                path.unlink(missing_ok=True)

    @contextmanager
    def _open_fresh(self, name: str) -> Iterator[Path]:
        """The path for a new recording; afterwards its files are deleted, and those that a killed session left."""
        try:
            yield self.folder / f".{name}.new.yaml"
        finally:
            for left in self.folder.glob(f".{name}.new.*"):
                left.unlink()

    # One scenario.

    def _record(self, scenario: Scenario, fresh: Path) -> Recorded:
        """Play the scenario, replay the recording, judge it, and compare it with its predecessor."""
        name, path = scenario.name, self._locate(scenario.name)
        if self.spent + scenario.exercise.requests > self.budget:
            reason = f"it takes {format_count(scenario.exercise.requests, 'request')}, and --max-requests leaves "
            return Recorded(name, ScenarioState.STOPPED, f"{reason}{self.budget - self.spent}")
        played, summary, left = self._play(scenario, fresh)
        result = Recorded(
            name,
            ScenarioState.RECORDED,
            exchanges=len(played.trail),
            had_predecessor=path.is_file(),
            left=tuple(left),
        )
        problem = problem_of(played, summary, reached=self._reached)
        self._reached = True
        if problem is not None:
            return replace(result, state=problem.state, reason=problem.reason)
        recordings = load(fresh).recordings
        difference = replay_difference(scenario, self.target, played.trail, recordings)
        if difference:
            return replace(result, state=ScenarioState.UNFAITHFUL, reason=difference)
        contract = self.target.target.contract
        findings = tuple(
            finding.at(file=str(path)) for finding in verify([fresh], contract, self.target.api).traffic.findings
        )
        before = load(path).recordings if result.had_predecessor else None
        if before is None:
            return replace(result, findings=findings)
        drifts = diff_recordings(before, recordings, self.target.api.load_protocol())
        result = replace(result, findings=findings, drifts=drifts)
        if refused := refused_since(drifts):
            reason = f"{refused}: the older recording stays (delete {path} to replace it)"
            return replace(result, state=ScenarioState.REFUSED, reason=reason)
        return result

    def _play(self, scenario: Scenario, path: Path) -> tuple[PlayedExercise, Summary, list[str]]:
        """Drive the scenario through a recorder; however it ends, delete what it created, unrecorded."""
        ledger, left = CreatedResources(self.target.api), list[str]()
        recorder = Recorder(
            self.target.info.url,
            path,
            self.target.api,
            mode="all",
            encoding="identity",
            ca_file=self.ca_file,
            provenance=self.provenance,
            wanted=may_be_recorded,
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
            direct = UrlDriver(self.target.info.url, ca_file=self.ca_file)
            with closing(self._govern(direct)) as driver:
                left += ledger.clean(driver)
        return played, recorder.summary, left

    def _govern(self, driver: UrlDriver, *budgets: RequestBudget) -> GovernedDriver:
        return GovernedDriver(driver, [Retries(math.inf, self._waits), *budgets])

    def _waits(self, seconds: float, refusal: Exchange) -> None:
        self.hear(Waits(seconds, format_refusal(refusal)))


def refuse_foreign(path: Path, target: Target) -> None:
    """Raise UsageFault if the file to be replaced is of another class of target, or is no recording at all."""
    for name, kind in (("live", Target.LIVE), ("emulator", Target.EMULATOR)):
        if path.parent.name == name and path.parent.parent.name == "cassettes" and kind is not target:
            raise UsageFault(
                f"{path.parent} contains recordings of the {name}, but this target is {target}: use --cassettes"
            )
    provenance = load(path).provenance if path.is_file() else None
    if provenance is not None and provenance.target is not target:
        raise UsageFault(
            f"{path} was recorded from {provenance.target}, this target is {target}: "
            "name another folder with --cassettes, or delete the file"
        )
