"""The foreign server itself, and what a run leaves there: nothing."""

from __future__ import annotations

import itertools
import threading
import time
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from tests.foreign.judging import check
from tests.foreign.rows import vary
from tests.foreign.server import ForeignService, Handler, Json, Refused, Run, serving

pytestmark = pytest.mark.slow


class Endless(ForeignService):
    """Its runs never end."""

    lasts = 1e9


def test_no_thread_of_a_run_without_an_end_outlives_its_server() -> None:
    """A thread that waits for an event is over once the server is: its waits would count in other tests."""
    before = set(threading.enumerate())
    body = {"model": "gemini-3.8-flash", "input": "Hi.", "background": True, "stream": True}
    with serving(Endless()) as url, httpx.stream("POST", f"{url}/v1beta/interactions", json=body) as answer:
        next(answer.iter_raw())
    for thread in set(threading.enumerate()) - before:
        thread.join(timeout=10)
    assert set(threading.enumerate()) <= before


def test_no_thread_of_a_kept_connection_outlives_its_server() -> None:
    """A thread that waits for the next request of a client is over once the server is, though it stays."""
    before = set(threading.enumerate())
    with httpx.Client() as client:
        with serving(ForeignService()) as url:
            assert client.get(f"{url}/v1beta/interactions/i1").status_code >= 400
        assert set(threading.enumerate()) <= before


def test_an_interaction_is_shown_as_of_one_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that ends while it is shown is shown in progress or completed, not half of each."""
    moments = itertools.count()
    monkeypatch.setattr("tests.foreign.server.time", SimpleNamespace(monotonic=lambda: next(moments)))
    for lasts in range(6):
        shown = ForeignService().show(Run("i1", {"model": "gemini-3.8-flash"}, lasts, 4, begun=next(moments)))
        ended = shown["status"] == "completed"
        assert (ended, ended) == ("usage" in shown, shown["created"] != shown["updated"])


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


def test_a_limit_of_requests_at_once_costs_no_verdict() -> None:
    """What was refused beside other requests is asked again, alone."""
    report = check(vary(ForeignService, handler=Limited)(), "chain.*", "rob.*", "store.*", "create.*", "err.*")
    assert (report.exit, report.faults) == (0, {})


def test_a_run_leaves_nothing_behind_where_it_asks_much_at_once() -> None:
    """What the probe and the first exercise made is handed on, and deleted with the rest."""
    service = Distant()
    report = check(service, "chain.*", "rob.concurrent-streams", "store.*", "err.*", words=("--api-key", "k"))
    assert (report.exit, report.faults, service.runs) == (0, {}, {})
    assert next(service.numbers) > 20
