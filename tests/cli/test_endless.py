"""Tests of `harness check` against a target whose answers never end, over real sockets."""

from __future__ import annotations

import itertools
import re
import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.engine.traffic.governed_driver import IN_A_ROW
from harness.transport import ServerThread
from harness.wire import Chunk, Chunked, Headers, Pause, Piece, PieceBody, Request, Response
from tests.cli.conftest import Harness, fits

EVENT = b'data: {"event_type":"interaction.created","interaction":{"id":"v1_x","status":"in_progress"}}\n\n'
TINY = b"data: {}\n\n"


class Endless:
    """Answers every request with an endless stream of tiny events."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> Response:
        with self._lock:
            self.asked.append(request.method)
        tiny: Iterator[tuple[Piece, ...]] = itertools.repeat((Pause(0.005), Chunk(TINY)))
        pieces = itertools.chain((Chunk(EVENT),), itertools.chain.from_iterable(tiny))
        headers = Headers((("content-type", "text/event-stream"),))
        return Response(200, headers, Chunked(), PieceBody(pieces))


@pytest.fixture
def target() -> Iterator[tuple[Endless, str]]:
    """The target, and its URL."""
    service = Endless()
    with ServerThread(service) as server:
        yield service, server.url


@pytest.mark.slow
def test_the_whole_catalogue_costs_a_handful_of_requests(
    harness: Harness, target: tuple[Endless, str], tmp_path: Path
) -> None:
    """After a few endless answers the other requests are not sent, and every report says what was not judged.

    Until one response has ended, one request is under way at a time, so its cost does not depend on time.
    """
    service, url = target
    reports = [f"{kind}={tmp_path}/x.{kind}" for kind in ("json", "junit", "markdown")]
    done = harness("check", url, "--timeout", "0.1", *(word for one in reports for word in ("--report", one)))
    assert done.code in (1, 4), done.out + done.err
    deletions = service.asked.count("DELETE")
    assert IN_A_ROW <= len(service.asked) - deletions < 50  # one without a control is sent eight times
    assert deletions <= IN_A_ROW
    assert re.search(r"^(FAILED|INCOMPLETE): .*\d\d\d time limit reached", done.out, re.MULTILINE)
    assert done.out.count("NOT TESTED") < 20
    record = fits("check", tmp_path / "x.json")
    assert record["cut"]["answers"] >= IN_A_ROW
    assert record["cut"]["unsent"] > IN_A_ROW
    unsent, endless = record["cut"]["unsent"], record["cut"]["answers"]
    assert done.out.count(f"\n{unsent} requests were not sent: {endless} responses did not end in time\n") == 1
    assert len(record["not_judged"]) > 100
    errors = {case.get("name", "").partition(":")[0] for case in ET.parse(tmp_path / "x.junit").iter("testcase")
              if case.find("error") is not None}  # fmt: skip
    assert errors - {"answers"} == set(record["not_judged"])  # "answers": none of its runs ever came to an end


@pytest.mark.slow
def test_a_smoke_test_does_not_pass_on_answers_alone(harness: Harness, target: tuple[Endless, str]) -> None:
    """The events of an interaction came, and no response ended: the target was not tested."""
    done = harness("check", target[1], "--profile", "smoke", "--timeout", "1")
    assert done.code == 4, done.out
    assert "INCOMPLETE: " in done.out
    assert "1 time limit reached" in done.out
