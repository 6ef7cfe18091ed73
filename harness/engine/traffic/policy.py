"""How a run behaves towards its target: how fast it sends, and how long it waits when it is told to retry later.

Layer 4. Wraps the drivers of one run in `polite`, `endurance` and `pace`; all drivers share one of each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.engine.traffic.pacing import Pace, PacedDriver
from harness.engine.traffic.retries import MOST_WAITING, Patience, PoliteDriver, Told
from harness.engine.traffic.timeout_budget import Endurance, EnduringDriver
from harness.wire import Driver


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """`rate` is in requests per second, None for no limit; `max_wait` is in seconds for the whole run.

    `told` is called before each wait, on the thread that waits.
    """

    rate: float | None = None
    max_wait: float = MOST_WAITING
    told: Told | None = None

    def patience(self) -> Patience:
        """A fresh `Patience` for one run."""
        return Patience(self.max_wait, self.told)

    def wrapper(self, patience: Patience, endurance: Endurance | None = None) -> Callable[[Driver], Driver]:
        """The wrapper for each driver of one run; without `endurance` each answer gets the whole timeout."""
        pace = Pace(self.rate) if self.rate is not None else None

        def wrap(driver: Driver) -> Driver:
            paced: Driver = driver if pace is None else PacedDriver(driver, pace)
            return PoliteDriver(paced if endurance is None else EnduringDriver(paced, endurance), patience)

        return wrap
