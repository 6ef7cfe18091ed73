"""One run of the catalog for all items of a session, whichever process collects them.

The first process of a session runs the catalog in a thread, as `harness check` does, and writes each result as a
line of a file; all others read that file. So each exercise runs once, however pytest-xdist spreads the items over
its workers.

A plugin of pytest, which the one of the package loads if a URL is given. A wrong option is refused before anything
is collected: errors in a collection by a worker of pytest-xdist would look like failed tests.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from msgspec import Struct

from harness.contract import CURRENT
from harness.contract.contract import find_revision
from harness.engine.decide import Baseline, read_baseline
from harness.engine.events import CheckFinished, Result, everything
from harness.engine.plan import make_plan
from harness.engine.run import RunOptions, check_target
from harness.engine.selection import Selection
from harness.engine.targets import ServerTarget, TargetOptions, resolve_target
from harness.interactions.servers import SERVERS
from harness.kit.check import Check
from harness.outcome import HarnessFault, Level, TargetFault, UsageFault, Verdict
from harness.outcome.words import to_one_line, write_harmless
from harness.report.collected_run import CountedResult, account_for, conclude_counted
from harness.report.presented_run import PresentedRun

_LOOK = 0.02
"""Seconds between two looks at the file: far less than an exercise takes."""


class ItemResult(Struct, frozen=True):
    """The result of one check as an item of pytest reports it; no text has a secret, or what a terminal obeys."""

    counted: CountedResult
    reason: str = ""
    """Why it was not judged, or what is to be added to its verdict."""
    remark: str = ""
    """The first finding of a check that only warns."""
    excuse: str = ""
    """Why the baseline excuses it."""
    explanation: str = ""
    """Requirement, source, findings, exchanges and curl lines of a check that failed."""


class _Line(Struct, frozen=True, omit_defaults=True):
    """A result, or the class and the text of the error with which the run ended."""

    result: ItemResult | None = None
    fault: tuple[str, str] | None = None


class SharedRun:
    """The results of one run, for every process of a session that names the same `file`.

    Raises UsageFault, TargetFault or HarnessFault from `result` as the run did.
    """

    def __init__(self, file: Path, target: ServerTarget, baseline: Baseline, checks: Sequence[str]) -> None:
        self._file = file
        self._target = target
        self._baseline = baseline
        self._checks = checks
        self._results: dict[str, ItemResult] = {}
        self._fault: tuple[str, str] | None = None
        self._read = 0
        self._stopped = threading.Event()
        self._runner: threading.Thread | None = None
        self._lock = file.with_suffix(".lock").open("a+b")
        if _take(self._lock.fileno()) and not file.exists():
            self._runner = threading.Thread(target=self._run, name="harness-suite", daemon=True)
            self._runner.start()

    def result(self, check: str) -> ItemResult:
        while check not in self._results:
            self._read_lines()
            if check in self._results:
                break
            if self._fault is not None:
                kind, text = self._fault
                raise _FAULTS.get(kind, HarnessFault)(text)
            is_over = not self._runner.is_alive() if self._runner is not None else _take(self._lock.fileno())
            if is_over:
                self._read_lines()
                if check not in self._results and self._fault is None:
                    raise HarnessFault(f"the run of the catalog ended before it had a result of {check}")
                continue
            time.sleep(_LOOK)
        return self._results[check]

    def mask_text(self, text: str) -> str:
        """Return the text in one line, without secrets of the target and what a terminal or a runner obeys."""
        return write_harmless(to_one_line(self._target.make_mask().text(text)))

    def finish(self) -> None:
        """Let the run of this process end: other processes may still need its results."""
        if self._runner is not None:
            self._runner.join()
        self._lock.close()

    def stop(self) -> None:
        """End the run of this process early; what it created is deleted all the same."""
        self._stopped.set()
        self.finish()

    def _read_lines(self) -> None:
        with suppress(FileNotFoundError), self._file.open("rb") as file:
            file.seek(self._read)
            for line in file:
                if not line.endswith(b"\n"):
                    break  # it is being written
                self._read += len(line)
                read = msgspec.convert(json.loads(line), _Line)
                if read.result is not None:
                    self._results[read.result.counted.id] = read.result
                self._fault = self._fault or read.fault

    def _run(self) -> None:
        with self._file.open("ab", buffering=0) as file:
            for line in self._yield_lines():
                # A server may send lone surrogates, which only `json` writes: as escapes.
                file.write(json.dumps(msgspec.to_builtins(line)).encode("ascii") + b"\n")

    def _yield_lines(self) -> Iterator[_Line]:
        state = PresentedRun(SERVERS, elsewhere="")
        options = RunOptions(selection=Selection(checks=tuple(self._checks)), baseline=self._baseline)
        events = check_target(self._target, SERVERS.load_catalogue(), options)
        try:
            for event in events:
                state.handle(event)
                event = state.hide(event)
                if isinstance(event, CheckFinished):
                    yield _Line(result=self._describe(event.result, state))
                if self._stopped.is_set():
                    break
        except (UsageFault, TargetFault) as fault:
            yield _Line(fault=(type(fault).__name__, self.mask_text(str(fault))))
        except Exception as wrong:  # whatever it was, the items must not wait for ever
            yield _Line(fault=(type(wrong).__name__, self.mask_text(f"{type(wrong).__name__}: {wrong}")))
        finally:
            events.close()
        yield _Line(fault=("HarnessFault", "the run ended without a result of this check"))

    def _describe(self, result: Result, state: PresentedRun) -> ItemResult:
        messages = [finding.message for finding in result.observation.findings[:1]]
        fails = result.verdict in (Verdict.FAIL, Verdict.XFAIL, Verdict.ERROR)
        return ItemResult(
            CountedResult.of(result),
            reason=self.mask_text(result.observation.reason),
            remark=self.mask_text("; ".join(messages)) if result.verdict is Verdict.WARN else "",
            excuse=self.mask_text(self._baseline.reason(result.id)),
            explanation=write_harmless(state.present(result).explain()) if fails else "",
        )


_FAULTS = {"UsageFault": UsageFault, "TargetFault": TargetFault}


def _take(lock: int) -> bool:
    """Lock a file that no other process has locked; True if this process has it."""
    if os.name == "nt":
        import msvcrt

        locking, how = msvcrt.locking, msvcrt.LK_NBLCK  # type: ignore[attr-defined,unused-ignore]
        try:
            locking(lock, how, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


class SuiteOptions(NamedTuple):
    """The checks that become items, the known failures, and the target with its keys."""

    checks: tuple[Check, ...]
    baseline: Baseline
    target: ServerTarget


OPTIONS: pytest.StashKey[SuiteOptions] = pytest.StashKey()

COUNTED = "interactions_counted"
"""The property of a test item: what is counted of its result, as JSON, since workers of pytest-xdist report it."""


def pytest_configure(config: pytest.Config) -> None:
    """Read each option once. Raises UsageError, for which pytest exits with 4."""
    try:
        config.stash[OPTIONS] = _read_options(config.getoption)
    except UsageFault as fault:
        raise pytest.UsageError(write_harmless(str(fault))) from None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Generator[None]:
    """Write the totals and the verdict of the checks, after all other sections."""
    yield
    reports = [report for group in terminalreporter.stats.values() for report in group]
    properties = (pair for report in reports for pair in getattr(report, "user_properties", ()))
    counted = {str(value) for name, value in properties if name == COUNTED}
    if not counted:
        return
    results = sorted((msgspec.json.decode(one, type=CountedResult) for one in counted), key=lambda one: one.id)
    accounting = account_for(results, "check")
    totals = accounting.write_totals(sum(getattr(report, "duration", 0.0) for report in reports))
    lines = (totals, accounting.write_reasons(), str(conclude_counted(results, accounting)))
    terminalreporter.section("interactions checks")
    terminalreporter.write_line("\n".join(filter(None, lines)))


def _read_options(option: Callable[[str], Any]) -> SuiteOptions:
    revision = find_revision(option("--interactions-revision") or CURRENT, "--interactions-revision")
    level = option("--interactions-level") or "MAY"
    if level.upper() not in list(Level):
        raise UsageFault(f"--interactions-level={level!r} is not one of must, should, may")
    names = (name.strip() for name in (option("--interactions-profile") or "").split(","))
    # Nothing is known of the target during collection: every check becomes an item and may be skipped later.
    plan = make_plan(
        SERVERS.load_catalogue(),
        Selection(profiles=tuple(filter(None, names)), level=Level(level.upper())),
        everything(SERVERS.load_capabilities()),
        SERVERS.load_profiles(),
    )
    contract = SERVERS.load_contract(revision)
    chosen = (planned.check for planned in plan.checks if planned.skip is None)
    path = option("--interactions-baseline")
    ids = [check.id for check in SERVERS.load_catalogue()]
    key, other = (os.environ.get(name, "") for name in (SERVERS.key_variable, SERVERS.other_key_variable))
    keys = TargetOptions(api_key=key, other_api_key=other, revision=revision)
    return SuiteOptions(
        checks=tuple(check for check in chosen if contract.holds(check.rule)),
        baseline=read_baseline(Path(path), ids) if path else Baseline(),
        target=resolve_target(SERVERS, option("--interactions-url"), keys),
    )
