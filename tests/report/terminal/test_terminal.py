"""The terminal report shows everything a reader needs, with colour and progress only on a terminal."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence

import pytest

from harness.engine.events import Waiting
from harness.engine.run import RunOptions, check_target
from harness.engine.traffic.traffic_policy import TrafficPolicy
from harness.interactions import INTERACTIONS
from harness.kit.check import Check
from harness.outcome import Level
from harness.report.presented_run import PresentedRun
from harness.report.screen import wants_colour
from harness.report.terminal_report import TerminalReport
from harness.wire import Request, Response
from tests.engine import toys
from tests.report.story import CATALOGUE


class Screen(io.StringIO):
    """A stream that says whether it is a terminal."""

    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


def watched(
    service: toys.ToyService | None = None,
    *,
    terminal: bool = False,
    colour: bool = False,
    verbose: bool = False,
    catalogue: Sequence[Check] = CATALOGUE,
) -> str:
    """The output of a run over the toy catalogue."""
    screen, story = Screen(terminal=terminal), PresentedRun(INTERACTIONS)
    report = TerminalReport(screen, story, colour=colour, verbose=verbose)
    options = RunOptions(
        traffic=TrafficPolicy(report_wait=lambda seconds, refusal: report.handle(Waiting(seconds, refusal)))
    )
    for event in check_target(toys.toy_target(service or toys.ToyService()), catalogue, options):
        story.handle(event)
        report.handle(event)
    return screen.getvalue()


@pytest.mark.parametrize(
    "line",
    [
        "target: http://toy.invalid (API version v1beta), model m",
        "the worst failure: get.odd [MUST] toy get.odd",
        "  requirement (MUST): get.odd holds",
        "  source: Toy manual, Chapter 1 (documented) https://toy.invalid/manual",
        "  what breaks: toys break",
        "    actual:   status completed for ***",
        "  > GET /v1beta/interactions/i3",
        "  > x-goog-api-key: ***",
        "  < 200",
        "  reproduce:",
        '  curl -sS -N -i -X GET http://toy.invalid/v1beta/interactions/"${ID0}" \\',
        "WARNED      get.should [SHOULD] toy get.should: it is completed",
    ],
)
def test_lines(line: str) -> None:
    """A failure is shown with requirement, source, expected, actual, exchange and curl lines."""
    assert line in watched().splitlines()


def test_a_failure_names_its_source_last() -> None:
    """A reader learns what came, what breaks and how to see it again before the place in a document."""
    lines = watched().split("the worst failure: get.odd [MUST] toy get.odd\n")[1].splitlines()
    parts = ("requirement (MUST)", "finding:", "what breaks:", "> GET", "reproduce:", "curl", "source:")
    places = [next(n for n, line in enumerate(lines) if line.strip().startswith(part)) for part in parts]
    assert places == sorted(places)


def test_an_error_shows_our_traceback() -> None:
    """A bug in the harness is shown with its traceback, so that it can be reported."""
    assert "KeyError: 'a bug'" in watched()


def test_totals_name_every_bucket_that_is_not_empty() -> None:
    """The last lines count all checks by verdict and say what the result means."""
    lines = watched().splitlines()
    assert re.fullmatch(r"8 checks in \d+\.\d s: 2 failed, 1 warned, 3 passed, 2 not tested\.", lines[-7])
    assert lines[-6] == (
        "not tested: 1 feature not observed: rob.unmet; 1 harness error: rob.raises (-v gives details)."
    )
    assert lines[-5] == "1 MUST check was not tested (rob.unmet): the target has no x"
    assert lines[-4].startswith("  help: ")
    assert lines[-3].startswith("note: a harness error is a defect of the harness")
    assert lines[-2] == "-v explains each warning and failure"
    assert lines[-1] == (
        "HARNESS ERROR: 1 check ended with a harness error; 2 of 7 MUST checks failed "
        "(2 causes: get.odd, get.hostile); 3 passed, 2 not tested."
    )
    assert "-v explains" not in watched(verbose=True)


def test_what_was_not_tested_is_named_with_v() -> None:
    """A check that could not be tested has a line with -v; otherwise the ledger counts it, and names a MUST."""
    line = "NOT TESTED  rob.unmet [MUST] toy rob.unmet: the target has no x"
    assert line not in watched()
    assert line in watched(verbose=True)


def test_untested_shoulds_are_named_in_one_line() -> None:
    """Without -v, the checks that could not be tested are named in one line: some of them, MUST checks first."""
    wishes = [toys.check(f"rob.wish-{n}", toys.unmet, toys.nothing, level=Level.SHOULD) for n in range(8)]
    text = watched(catalogue=[*CATALOGUE, *wishes])
    line = "not tested: 9 feature not observed: rob.unmet, rob.wish-0 and 7 more; 1 harness error: rob.raises "
    assert f"{line}(-v gives details)." in text.splitlines()


def test_plain_text_without_a_terminal() -> None:
    """Output that is not a terminal contains no escape sequences and no carriage returns."""
    assert not set(watched()) & {"\x1b", "\r"}


def test_progress_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal shows the running exercise, then the deleting, and erases each line before the next one."""
    monkeypatch.setenv("TERM", "xterm")
    text = watched(terminal=True)
    assert "[1/4] create and get" in text
    assert "deletes what the run created" in text
    assert text.count("\x1b[2K") == 5


class Busy(toys.ToyService):
    """Refuses two requests with 429, and every request whose last path segment is `x`."""

    def __call__(self, request: Request) -> Response:
        if len(self.log) in (5, 6) or request.segments[-1] == "x":
            self.log.append("refused")
            return toys.answer({"error": {"code": "rate_limit_exceeded", "message": "later"}}, 429)
        return super().__call__(request)


@pytest.mark.parametrize("terminal", [False, True])
def test_waits_are_announced(terminal: bool) -> None:
    """The first wait gets a line, each one is shown in a terminal's progress, and the end sums them up."""
    text = " ".join(watched(Busy(), terminal=terminal).split())  # a terminal folds long lines
    assert text.count("the target requests a pause: ") == 1
    assert "returned 429 (rate_limit_exceeded)" in text
    assert ("waits 2.0 s (429)" in text) is terminal
    assert "pauses that the target requested" in text


def test_what_had_no_answer_is_told_at_the_end() -> None:
    """MUST checks without an answer are counted with their reason and what to do about it."""
    text = watched(Busy())
    assert "\nno response: 1 check (429: 1)\nhelp: `--rate N` sends at most N requests" in text
    assert "\nno response:" not in watched()


def test_verbose_names_every_check() -> None:
    """With -v, passed checks are listed too."""
    assert "PASSED      create.ok [MUST] toy create.ok" in watched(verbose=True)


@pytest.mark.parametrize(
    ("terminal", "environment", "colour"),
    [
        (True, {}, True),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        (True, {"TERM": "dumb"}, False),
        (False, {}, False),
        (False, {"FORCE_COLOR": "1"}, True),
    ],
)
def test_colour(terminal: bool, environment: dict[str, str], colour: bool) -> None:
    """Color is used only on a terminal, unless a variable of the user decides otherwise."""
    assert wants_colour(Screen(terminal=terminal), environment) is colour
