"""How a run behaves towards its target: how fast it sends, and how long it waits when it is told to retry later.

Layer 4. Puts the policies of one run together; all its drivers share them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.engine.traffic.deadline import Deadline
from harness.engine.traffic.governed_driver import DriverPolicy, GovernedDriver
from harness.engine.traffic.outages import Outages
from harness.engine.traffic.pacing import Pacing
from harness.engine.traffic.retries import MAX_TOTAL_WAIT, ReportWait, Retries
from harness.engine.traffic.timeout_budget import TimeoutBudget
from harness.wire import Driver


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficPolicy:
    """`rate` is in requests per second, None for no limit; `max_wait` is in seconds for the whole run.

    `report_wait` is called before each wait, on the thread that waits.
    """

    rate: float | None = None
    max_wait: float = MAX_TOTAL_WAIT
    report_wait: ReportWait | None = None

    def new_retries(self) -> Retries:
        """Fresh `Retries` for one run."""
        return Retries(self.max_wait, self.report_wait)

    def wrapper(
        self,
        retries: Retries,
        timeouts: TimeoutBudget | None = None,
        deadline: Deadline | None = None,
        outages: Outages | None = None,
    ) -> Callable[[Driver], Driver]:
        """The wrapper for each driver of one run; without `timeouts` each answer gets the whole timeout."""
        policies: list[DriverPolicy] = [retries]
        policies += [policy for policy in (outages, timeouts, deadline) if policy is not None]
        if self.rate is not None:
            policies.append(Pacing(self.rate))
        return lambda driver: GovernedDriver(driver, policies)
