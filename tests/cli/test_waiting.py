"""A command that waits for its target says so while it waits."""

from __future__ import annotations

import threading

import pytest

from harness.cli.target_options import wait_for
from harness.wire import Request, Response
from tests.engine import toys


class Silent(toys.ToyService):
    """A service that holds its first answer back until somebody said that they wait."""

    def __init__(self, said: threading.Event) -> None:
        super().__init__()
        self.said = said

    def __call__(self, request: Request) -> Response:
        assert self.said.wait(60), "nobody said anything"
        return super().__call__(request)


def test_it_says_that_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even while one request hangs, a line tells for whom it waits and how long at most."""
    said, lines = threading.Event(), []

    def hear(text: str, *, to_errors: bool) -> None:
        lines.append((text, to_errors))
        said.set()

    monkeypatch.setattr("harness.cli.target_options.say", hear)
    wait_for(toys.toy_target(Silent(said)), 60.0, untold=0.001)
    assert lines[0] == ("waiting up to 60 s for a response of http://toy.invalid", True)


def test_a_target_that_is_up_is_not_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is said of a target that answers at once, and nothing is sent without --wait."""
    service = toys.ToyService()
    wait_for(toys.toy_target(service), 60.0, untold=600.0)
    sent = len(service.log)
    wait_for(toys.toy_target(service), None)
    assert (capsys.readouterr().err, sent, len(service.log)) == ("", 1, 1)
