"""What a run asks at once costs no verdict, and leaves nothing behind."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from harness.outcome import Exit
from tests.foreign.judging import check
from tests.foreign.rows import vary
from tests.foreign.server import ForeignService, Handler, Json, Refused

pytestmark = pytest.mark.slow


class Distant(ForeignService):
    """Right, and each create takes so long that much is asked at the same time."""

    def create(self, body: Json) -> Any:
        time.sleep(0.15)
        return super().create(body)


class Limited(Handler):
    """Right, slow, and it refuses what comes while eight requests are under way."""

    places = threading.Semaphore(8)

    def dispatch(self, data: bytes) -> Any:
        if not self.places.acquire(blocking=False):
            raise Refused(429, "rate_limit_exceeded", "Too many requests at once.")
        try:
            time.sleep(0.15)
            return super().dispatch(data)
        finally:
            self.places.release()


class Full(Handler):
    """Right, and it closes each connection that comes while seven are open, as a small proxy does."""

    places = threading.Semaphore(7)
    lingers = 0.0

    def handle(self) -> None:
        if self.places.acquire(blocking=False):
            try:
                super().handle()
            finally:
                threading.Timer(self.lingers, self.places.release).start()


class Lingering(Full):
    """It notices late that a connection is closed, so that one alone after many is closed, too."""

    places = threading.Semaphore(7)
    lingers = 0.2


@pytest.mark.parametrize("handler", [Limited, Full, Lingering])
def test_a_limit_of_what_comes_at_once_costs_no_verdict(handler: type[Handler]) -> None:
    """What was refused beside other requests is asked again, alone; connections beyond a number are not judged.

    How many a busy machine opens at once is chance: tests/engine/test_execute.py names the limit without it.
    """
    globs = "chain.* rob.* store.* create.* err.*" if handler is Limited else "rob.conc* err.*"
    report = check(vary(ForeignService, handler=handler)(), *globs.split())
    assert report.faults == {}
    assert report.exit in ({Exit.OK} if handler is Limited else {Exit.OK, Exit.INCOMPLETE})


def test_a_run_leaves_nothing_behind_where_it_asks_much_at_once() -> None:
    """What the probe and the first exercise made is handed on, and deleted with the rest."""
    service = Distant()
    report = check(service, "chain.*", "rob.concurrent-streams", "store.*", "err.*", words=("--api-key", "k"))
    assert (report.exit, report.faults, service.runs) == (0, {}, {})
    assert next(service.numbers) > 20
