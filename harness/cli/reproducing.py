"""Runs the curl lines of a failure before they are printed, and says what came of it.

Layer 7.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from harness.benches.server.script_run import MOST_SECONDS, is_alike, is_runnable, run_commands
from harness.engine.cleanup import CreatedResources
from harness.engine.results import Result
from harness.engine.targets import ResolvedTarget
from harness.engine.traffic.deadline import Timer
from harness.report.evidence.curl import curl_lines, name_answer_file
from harness.report.evidence.display import Display
from harness.report.evidence.reproduction import trail_of
from harness.wire import Exchange
from harness.wire.mask import Mask

SAME = "run, with the same answers"

_LEAST_SECONDS = 2.0
"""What the lines of one failure get, however little time is left."""


class CurlRuns:
    """Runs curl lines against one target, as long as `seconds` (None: no limit) have not passed."""

    def __init__(self, target: ResolvedTarget, seconds: float | None) -> None:
        self._target = target
        self._timer = Timer(seconds)

    def run(self, result: Result) -> str:
        """Run the lines of one failure; return what to say of them, "" if it has none."""
        trail = trail_of(result)
        if not trail:
            return ""
        if not is_runnable():
            return "not run, as curl is not installed"
        if self._timer.over():
            return "not run, as time was up"
        with self._serve() as root:
            lines = curl_lines(trail, Display(self._target.api, root, Mask(self._target.info.secrets)))
            requests = [exchange.request for exchange in trail]
            patience = min(MOST_SECONDS, max(_LEAST_SECONDS, self._timer.left))
            answers = run_commands(lines, requests, self._target.info.secrets, patience, name_answer_file)
            self._clean(answers)
        accused = next((number for number, exchange in enumerate(trail) if exchange.hung), -1)
        if answers[accused].excuse or (answers[accused].status is None and self._timer.over()):
            return "not run to the end, as time was up"
        return _compare(trail[accused], answers[accused])

    @contextmanager
    def _serve(self) -> Iterator[str]:
        """The root URL of the target; a service in this process is served on a port."""
        if self._target.info.url:
            yield self._target.info.url
            return
        from harness.transport import ServerThread, ServiceDriver

        driver = self._target.connect()
        assert isinstance(driver, ServiceDriver)
        with ServerThread(driver.service, clock=driver.clock) as server:
            yield server.url
        driver.close()

    def _clean(self, answers: list[Exchange]) -> None:
        if self._target.throwaway:
            return
        ledger = CreatedResources(self._target.api)
        for answer in answers:
            ledger.note(answer)
        driver = self._target.connect()
        with suppress(TimeoutError):
            ledger.clean(driver)
        driver.close()


def _compare(seen: Exchange, again: Exchange) -> str:
    if is_alike(seen, again):
        return SAME
    if seen.hung and not again.hung:
        return "run, but the answer that never ended did so"
    one, other = (exchange.status or "no answer" for exchange in (seen, again))
    if one == other:
        return f"run, but the last answer ({one}) has another form"
    return f"run, but the last answer was {other} instead of {one}"
