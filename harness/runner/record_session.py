"""Records scenarios, one cassette each, and replaces a cassette only by one that has proved itself.

Layer 4. A session has a budget of requests, stops at the first sign of an exhausted quota, keeps what is finished
and can be continued. Each recording is replayed and compared with what was seen, judged against the contract, and
compared with its predecessor. Recordings of the live service and of the emulator never take each other's place.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from harness.cassette import CassetteError, Player, Provenance, Recording, Target, load
from harness.cassette.layout import replace_file
from harness.contract.offline import verify
from harness.contract.protocol import PROTOCOL
from harness.outcome import Finding, Outcome, Unmet, UsageFault
from harness.runner.diff import Drifts, diff_recordings
from harness.runner.ledger import Ledger
from harness.runner.play import Played, play
from harness.runner.record import Recorder, Summary, provenance_of
from harness.runner.record_scenarios import Scenario
from harness.runner.targets import ResolvedTarget
from harness.transport import ServiceDriver, UrlDriver
from harness.wire import By, Driver, Exchange, LiveStream, Request

_PLACEHOLDER = b"REDACTED-"
_STATE = ".recording.json"
_EXHAUSTED = 429
_UNAUTHORISED = frozenset({401, 403})


class State(StrEnum):
    """What became of a scenario."""

    RECORDED = "recorded"
    UNSUPPORTED = "unsupported"
    UNFAITHFUL = "unfaithful"
    STOPPED = "stopped"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Recorded:
    """One scenario's result. `drifts` is None where there was no predecessor."""

    name: str
    state: State
    reason: str = ""
    exchanges: int = 0
    findings: tuple[Finding, ...] = ()
    drifts: Drifts | None = None
    replaced: bool = False


@dataclass(slots=True)
class Session:
    """How to record: where the cassettes go, and how many requests may be sent at most."""

    target: ResolvedTarget
    folder: Path
    budget: int
    ca_file: str | None = None
    continued: bool = False
    spent: int = 0
    provenance: Provenance = field(init=False)
    _reached: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        made = provenance_of(self.target.info.url, recorder="harness record --scenario", ca_file=self.ca_file)
        self.provenance = replace(made, api_version=self.target.info.version)

    def run(self, scenarios: Sequence[Scenario]) -> Iterator[Recorded]:
        """Record one after the other. Raises UsageFault where recordings of another class are in the way."""
        for scenario in scenarios:
            refuse_foreign(self._path(scenario.name), self.provenance.target)
        done = self._done() if self.continued else []
        stopped = ""
        for scenario in scenarios:
            if scenario.name in done:
                yield Recorded(scenario.name, State.SKIPPED, "recorded before the session was interrupted")
            elif stopped:
                yield Recorded(scenario.name, State.STOPPED, stopped)
            else:
                result = self._record(scenario)
                if result.state is State.STOPPED:
                    stopped = result.reason
                else:
                    done = [*done, scenario.name]
                    self._remember(done)
                yield result
        if not stopped:
            (self.folder / _STATE).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.yaml"

    def _done(self) -> list[str]:
        try:
            return [str(name) for name in json.loads((self.folder / _STATE).read_text("utf-8"))["done"]]
        except (OSError, ValueError, LookupError, TypeError):
            return []

    def _remember(self, done: list[str]) -> None:
        replace_file(self.folder / _STATE, json.dumps({"done": done}).encode())

    # One scenario.

    def _record(self, scenario: Scenario) -> Recorded:
        name, cost = scenario.name, scenario.exercise.requests
        if self.spent + cost > self.budget:
            return Recorded(name, State.STOPPED, f"the budget of {self.budget} requests would be exceeded")
        self.folder.mkdir(parents=True, exist_ok=True)
        fresh = self.folder / f".{name}.new.yaml"
        try:
            played, summary = self._play(scenario, fresh)
            problem = self._problem(name, played, summary)
            return problem or self._prove(scenario, played, fresh)
        finally:
            fresh.unlink(missing_ok=True)

    def _play(self, scenario: Scenario, path: Path) -> tuple[Played, Summary]:
        """Drive the scenario through a recorder; what it created is deleted past it."""
        ledger = Ledger()
        url = self.target.info.url
        recorder = Recorder(
            url, path, PROTOCOL, mode="all", encoding="identity", ca_file=self.ca_file, provenance=self.provenance
        )
        with recorder:
            driver = _Counting(UrlDriver(recorder.url), self.budget - self.spent)
            try:
                played = play(scenario.exercise, self.target.target, driver, ledger)
            finally:
                driver.close()
                self.spent += driver.sent
        direct = UrlDriver(url, ca_file=self.ca_file)
        try:
            ledger.clean(direct)
        finally:
            direct.close()
        return played, recorder.summary

    def _problem(self, name: str, played: Played, summary: Summary) -> Recorded | None:
        """Why there is nothing to keep."""
        count = len(played.trail)
        refused = next((exchange for exchange in played.trail if exchange.status == _EXHAUSTED), None)
        if refused is not None:
            after = refused.headers.get("retry-after")
            when = f" (it says: again after {after} s)" if after else ""
            return Recorded(name, State.STOPPED, f"the quota is exhausted{when}: --continue goes on later", count)
        first = played.trail[0] if played.trail else None
        if first is not None and not self._reached and (first.status is None or first.status in _UNAUTHORISED):
            how = f"status {first.status}" if first.status else str(first.ending.how)
            return Recorded(
                name, State.STOPPED, f"the target cannot be used: {how} {first.ending.detail}".strip(), count
            )
        self._reached = True
        if summary.unrecorded:
            return Recorded(name, State.UNFAITHFUL, summary.unrecorded[0], count)
        failure = played.failure
        if failure is not None:
            spent = failure.reason == _Counting.SPENT
            unmet = failure.outcome is Outcome.UNTESTABLE
            state = State.STOPPED if spent else State.UNSUPPORTED if unmet else State.UNFAITHFUL
            return Recorded(name, state, failure.reason, count)
        return None

    def _prove(self, scenario: Scenario, played: Played, fresh: Path) -> Recorded:
        """Replay it, judge it, compare it with its predecessor, and put it in place."""
        name, count = scenario.name, len(played.trail)
        recordings = load(fresh).recordings
        difference = replay_difference(scenario, self.target, played.trail, recordings)
        if difference:
            return Recorded(name, State.UNFAITHFUL, difference, count)
        path = self._path(name)
        findings = tuple(finding.at(file=str(path)) for finding in verify([fresh]).findings)
        drifts = diff_recordings(load(path).recordings, recordings, PROTOCOL) if path.is_file() else None
        replace_file(path, fresh.read_bytes())
        return Recorded(name, State.RECORDED, "", count, findings, drifts, drifts is not None)


class _Counting:
    """A driver with a budget; what goes beyond is not sent and raises `Unmet`."""

    SPENT = "the budget of requests is spent: --max-requests allows no more"

    def __init__(self, driver: Driver, budget: int) -> None:
        self._driver = driver
        self._budget = budget
        self.sent = 0

    def _count(self, requests: int = 1) -> None:
        if self.sent + requests > self._budget:
            raise Unmet(self.SPENT)
        self.sent += requests

    def send(self, request: Request, *, timeout: float | None = None) -> Exchange:
        self._count()
        return self._driver.send(request, timeout=timeout)

    def open(self, request: Request) -> LiveStream:
        self._count()
        return self._driver.open(request)

    def together(self, requests: Sequence[Request]) -> list[Exchange]:
        self._count(len(requests))
        return self._driver.together(requests)

    def wait(self, seconds: float) -> None:
        self._driver.wait(seconds)

    def close(self) -> None:
        self._driver.close()


def replay_difference(
    scenario: Scenario, target: ResolvedTarget, seen: Sequence[Exchange], recordings: Sequence[Recording]
) -> str:
    """What a replay of the recordings gives the same client that it did not get before, "" when nothing."""
    player = Player(recordings, PROTOCOL)
    driver = ServiceDriver(player)
    try:
        again = play(scenario.exercise, target.target, driver, Ledger()).trail
    finally:
        driver.close()
    if player.misses:
        return f"its replay lacks an answer: {player.misses[0]}"
    if len(again) != len(seen):
        return f"its replay takes {len(again)} exchanges instead of {len(seen)}"
    for number, (before, after) in enumerate(zip(seen, again, strict=True), 1):
        if not _same(before, after):
            return f"its replay differs in exchange {number}, {before.request.method} {before.request.raw_path}"
    return ""


def _same(before: Exchange, after: Exchange) -> bool:
    """Whether a client could not tell them apart; where it hung up, as far as both go; but for secrets."""
    if before.status != after.status:
        return False
    if _PLACEHOLDER in after.body:
        return True
    if By.CLIENT in (before.ending.by, after.ending.by):
        return before.body.startswith(after.body) or after.body.startswith(before.body)
    return before.body == after.body and before.ending.how is after.ending.how


def refuse_foreign(path: Path, target: Target) -> None:
    """Raise UsageFault where recordings of one class of target would replace those of another."""
    for name, kind in (("live", Target.LIVE), ("emulator", Target.EMULATOR)):
        if path.parent.name == name and path.parent.parent.name == "cassettes" and kind is not target:
            raise UsageFault(
                f"{path.parent} holds recordings of the {name}, this target is {target}: use --cassettes"
            )
    if not path.is_file():
        return
    try:
        provenance = load(path).provenance
    except CassetteError:
        return
    if provenance is not None and provenance.target is not target:
        raise UsageFault(
            f"{path} was recorded from {provenance.target}, this target is {target}: "
            "name another folder with --cassettes, or delete the file"
        )
