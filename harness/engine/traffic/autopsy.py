"""Autopsy: whether a request was the end of a target that went away during a run and came back.

Layer 4. Somebody else may have stopped the target, so nothing is accused that did not happen twice: what it got
last is sent once more, alone, between two requests that are known to be harmless. Must not know what is judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from harness.engine.traffic.outages import Departure, Outages, is_cut, is_gone
from harness.wire import Driver, Exchange

_MOST = 4
"""Most departures that are looked into, and most suspects of each: every one may cost a restart."""

_TO_DIE = 0.25
"""Seconds that a target has to die after it has answered."""


@dataclass(frozen=True, slots=True)
class Death:
    """A request at which the target died twice: in the run, and `again` between two harmless requests."""

    first: Exchange
    before: Exchange
    again: Exchange
    after: Exchange

    @property
    def story(self) -> tuple[Exchange, ...]:
        """What a person needs to see, in its order."""
        return self.first, self.before, self.again, self.after


def find_deaths(outages: Outages, driver: Driver, note: Callable[[Exchange], object]) -> Iterator[Death]:
    """The deaths that come again, one for each time that the target went away. Raises TimeUp as any request does.

    What is sent again may create something: `note` gets each answer.
    """
    for departure in outages.departures[:_MOST]:
        death = _find_death(departure, outages, driver, note)
        outages.await_return(driver)
        if death is not None:
            yield death


def _find_death(
    departure: Departure, outages: Outages, driver: Driver, note: Callable[[Exchange], object]
) -> Death | None:
    for suspect in departure.suspects[:_MOST]:
        before = outages.ask_control(driver) if outages.await_return(driver) else None
        if before is None or is_gone(before):
            return None
        again = driver.send(suspect.request)
        note(again)
        cut = again.status is None and is_cut(again)
        if not cut:
            driver.wait(_TO_DIE)
        after = outages.ask_control(driver)
        if after is not None and (cut or is_gone(after)):
            return Death(suspect, before, again, after)
    return None
