"""The foreign server itself: it leaves nothing behind."""

from __future__ import annotations

import threading

import httpx

from tests.foreign.server import ForeignService, serving


class Endless(ForeignService):
    """Its runs never end."""

    lasts = 1e9


def test_no_thread_of_a_run_without_an_end_outlives_its_server() -> None:
    """A thread that waits for an event is over once the server is: its waits would count in other tests."""
    before = set(threading.enumerate())
    body = {"model": "gemini-3.5-flash", "input": "Hi.", "background": True, "stream": True}
    with serving(Endless()) as url, httpx.stream("POST", f"{url}/v1beta/interactions", json=body) as answer:
        next(answer.iter_raw())
    for thread in set(threading.enumerate()) - before:
        thread.join(timeout=10)
    assert set(threading.enumerate()) <= before
