"""Records scenarios, one cassette each, and replaces a cassette only with one that was proved.

A session has a budget of requests, waits out short refusals, stops at an exhausted quota or a lost connection,
and keeps what is finished. Nothing may have failed in a scenario, and its replay must be the same
(`problem_of`, `replay_difference`). Each recording is also judged against the contract, and compared with its
predecessor. Recordings of the live service and of the emulator never replace each other.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from harness.benches.record.diff import Drifts, diff_recordings
from harness.benches.record.provenance import provenance_of
from harness.benches.record.recorder import Recorder, Summary, prepare_folder
from harness.benches.record.verify import verify
from harness.cassette import Player, Provenance, Recording, Target, load
from harness.cassette.journal import alone
from harness.cassette.layout import replace_file
from harness.engine.events import format_refusal
from harness.engine.execute import PlayedExercise, play
from harness.engine.targets import ResolvedTarget
from harness.engine.traffic.governed_driver import GovernedDriver
from harness.engine.traffic.ledger import CreatedResources
from harness.engine.traffic.outages import LATER, Retries
from harness.engine.traffic.traffic_policy import BUDGET_SPENT, RequestBudget
from harness.kit.api import RecordingsApi
from harness.kit.check import Scenario
from harness.kit.wrong_call import explain_wrong_call
from harness.outcome import Finding, Level, Outcome, Rule, Severity, UsageFault
from harness.outcome.words import format_count
from harness.transport import ServiceDriver, UrlDriver
from harness.wire import By, Exchange

_PLACEHOLDER = re.compile(rb"REDACTED-[0-9]+")
_UNAUTHORISED = frozenset({401, 403})
_REFUSALS = "400"


class ScenarioState(StrEnum):
    """The state of a scenario after its recording."""

    RECORDED = "recorded"
    UNSUPPORTED = "unsupported"
    UNFAITHFUL = "unfaithful"
    REFUSED = "refused"
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


def refused_since(drifts: Drifts) -> str:
    """The request that the older recording has an answer to and that is refused now; "" if there is none."""
    for drift, labels in drifts.shape.items():
        if drift.place == "status" and drift.before < _REFUSALS <= drift.after:
            return f"{labels[0].exchange} returned {drift.before} and is now rejected with {drift.after}"
    return ""


NOT_BEGUN = "not begun"


@dataclass(frozen=True, slots=True)
class Recorded:
    """One scenario's result.

    `drifts` is None if no predecessor was compared; `left` could not be deleted.
    """

    name: str
    state: ScenarioState
    reason: str = ""
    exchanges: int = 0
    findings: tuple[Finding, ...] = ()
    breaks_contract: bool = False
    drifts: Drifts | None = None
    had_predecessor: bool = False
    left: tuple[str, ...] = ()

    @property
    def is_news(self) -> bool:
        """Whether a person should look: something is missing, changed its shape or breaks the contract."""
        if self.state is ScenarioState.UNSUPPORTED:
            return self.had_predecessor
        fine = self.state is ScenarioState.RECORDED
        return not fine or self.breaks_contract or (self.drifts is not None and bool(self.drifts.shape))


def breaks_contract(findings: Iterable[Finding], rules: Mapping[str, Rule]) -> bool:
    """Whether a finding asks for a look. What a MAY rule leaves open is shown, but fails no session."""
    broken = (finding.rule for finding in findings if finding.severity is not Severity.INFORMATION)
    return any(rule not in rules or rules[rule].level is not Level.MAY for rule in broken)


@dataclass(slots=True)
class RecordingSession:
    """A recording session: what judges the cassettes, where they go, and how many requests may be sent at most.

    `begin` is called with the name of a scenario, its number and how many there are, `wait` with a pause that the
    target requests: its seconds and the rejection.
    """

    target: ResolvedTarget
    api: RecordingsApi
    folder: Path
    budget: int
    ca_file: str | None = None
    begin: Callable[[str, int, int], None] = lambda name, number, count: None
    wait: Callable[[float, Exchange], None] = lambda seconds, rejection: None
    spent: int = 0
    provenance: Provenance = field(init=False)
    done: list[str] = field(init=False, default_factory=list)
    """The scenarios whose files are in place."""
    _reached: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        made = provenance_of(
            self.target.info.url,
            self.target.api,
            recorder="harness record --send",
            ca_file=self.ca_file,
            revision=self.target.target.contract.revision,
        )
        self.provenance = replace(made, api_version=self.target.info.version)

    def run(self, scenarios: Sequence[Scenario]) -> Generator[Recorded, None, None]:
        """Record one after the other. Raises UsageFault if the folder has recordings of another class of target.

        A recording replaces its predecessor only when the caller, having seen its result, asks for the next one.
        """
        for scenario in scenarios:
            refuse_foreign(self._locate(scenario.name), self.provenance.target)
        prepare_folder(self.folder)
        with alone(self.folder / "recording"):  # two sessions would delete each other's files as leftovers
            yield from self._record_each(scenarios)

    def _record_each(self, scenarios: Sequence[Scenario]) -> Iterator[Recorded]:
        stopped = False
        for number, scenario in enumerate(scenarios, 1):
            if stopped:
                yield Recorded(scenario.name, ScenarioState.STOPPED, NOT_BEGUN)
                continue
            self.begin(scenario.name, number, len(scenarios))
            fresh = self.folder / f".{scenario.name}.new.yaml"
            try:
                result = self._record(scenario, fresh)
                yield result
                if result.state is ScenarioState.RECORDED:
                    replace_file(self._locate(scenario.name), fresh.read_bytes())
                    self.done.append(scenario.name)
            finally:
                for left in self.folder.glob(f".{scenario.name}.new.*"):  # of a killed session, too
                    left.unlink()
            stopped = result.state is ScenarioState.STOPPED

    def _locate(self, name: str) -> Path:
        return self.folder / f"{name}.yaml"

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
        traffic = verify([fresh], contract, self.api).traffic
        findings = tuple(finding.at(file=str(path)) for finding in traffic.findings)
        wrong = breaks_contract(findings, self.target.api.load_rules())
        result = replace(result, findings=findings, breaks_contract=wrong)
        before = load(path).recordings if result.had_predecessor else None
        if before is None:
            return result
        drifts = diff_recordings(before, recordings, self.target.api.load_protocol())
        result = replace(result, drifts=drifts)
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
            like=self._locate(scenario.name),
            ca_file=self.ca_file,
            provenance=self.provenance,
            # The driver sends a request that was refused for now again; a client of the replay has no reason to.
            wanted=lambda exchange: exchange.status not in LATER,
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
                left += ledger.clean(driver.send)
        return played, recorder.summary, left

    def _govern(self, driver: UrlDriver, *budgets: RequestBudget) -> GovernedDriver:
        return GovernedDriver(driver, [Retries(math.inf, self.wait), *budgets])


def refuse_foreign(path: Path, target: Target) -> None:
    """Raise UsageFault if the file to be replaced is of another class of target, or is no recording at all."""
    for name, kind in (("live", Target.LIVE), ("emulator", Target.EMULATOR)):
        if path.parent.name == name and path.parent.parent.name == "cassettes" and kind is not target:
            raise UsageFault(
                f"{path.parent} contains recordings of the {name}, but this target is {target}: use --cassette"
            )
    provenance = load(path).provenance if path.is_file() else None
    if provenance is not None and provenance.target is not target:
        raise UsageFault(
            f"{path} was recorded from {provenance.target}, this target is {target}: "
            "name another folder with --cassette, or delete the file"
        )
