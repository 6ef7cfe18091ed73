"""One run of the catalog for all items of a session, whichever process collects them.

The first process of a session runs the catalog in a thread, as `harness check` does, and writes each result as a
line of a file; all others read that file. So each exercise runs once, however pytest-xdist spreads the items over
its workers.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from harness.engine.decide import Baseline
from harness.engine.events import CheckFinished, Result
from harness.engine.run import RunOptions, check_target
from harness.engine.selection import Selection
from harness.engine.targets import ServerTarget
from harness.interactions.servers import SERVERS
from harness.outcome import HarnessFault, TargetFault, UsageFault, Verdict
from harness.outcome.words import to_one_line, write_harmless
from harness.report.collected_run import CountedResult
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
        """Return the result of a check, once the run has it."""
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
        state = PresentedRun(SERVERS)
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
            explanation=write_harmless(state.present(result).explain(elsewhere="")) if fails else "",
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
