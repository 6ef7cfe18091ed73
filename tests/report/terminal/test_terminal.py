"""The terminal report shows everything a reader needs, with colour and progress only on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from msgspec import structs

from harness.engine.events import Capabilities, Capability, CapabilityOrigin, Waiting
from harness.engine.run import RunOptions, check_target
from harness.engine.traffic.traffic_policy import TrafficPolicy
from harness.interactions import INTERACTIONS
from harness.kit.check import Check
from harness.outcome import Level
from harness.report.presented_run import PresentedRun
from harness.report.screen import leave_unpainted, wants_colour
from harness.report.terminal_report import TerminalReport, sum_up
from harness.wire import Request, Response
from tests.engine import toys
from tests.report.golden_files import Terminal
from tests.report.story import CATALOGUE


def watched(
    service: toys.ToyService | None = None,
    *,
    terminal: bool = False,
    colour: bool = False,
    verbose: bool = False,
    catalogue: Sequence[Check] = CATALOGUE,
) -> str:
    """The output of a run over the toy catalogue."""
    screen, story = Terminal(80 if terminal else 0), PresentedRun(INTERACTIONS)
    report = TerminalReport(screen, story, colour=colour, verbose=verbose)
    options = RunOptions(
        traffic=TrafficPolicy(report_wait=lambda seconds, refusal: report.handle(Waiting(seconds, refusal)))
    )
    for event in check_target(toys.toy_target(service or toys.ToyService()), catalogue, options):
        story.handle(event)
        report.handle(event)
    return screen.getvalue()


def test_progress_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal shows the running exercise, then the deleting, and erases each line before the next one."""
    monkeypatch.setenv("TERM", "xterm")
    text = watched(terminal=True)
    assert "[1/4] create and get" in text
    assert "deleting what the run created" in text
    assert text.count("\x1b[2K") == 6


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
    text = " ".join(watched(Busy(), terminal=terminal, verbose=True).split())  # a terminal folds long lines
    assert text.count("the target requests a pause: ") == 1
    assert "returned 429 (rate_limit_exceeded)" in text
    assert ("waits 2.0 s (429)" in text) is terminal
    assert "pauses that the target requested" in text


def test_what_had_no_answer_is_told_at_the_end() -> None:
    """MUST checks without an answer are counted with their reason and what to do about it."""
    assert "\nhelp: `--rate N` sends at most N requests" in watched(Busy())
    assert "\nno response: 2 checks (429: 2)\n" in watched(Busy(), verbose=True)
    assert "--rate" not in watched()


@pytest.mark.parametrize(
    ("terminal", "environment", "colour"),
    [
        (True, {}, True),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        (True, {"TERM": "dumb"}, False),
        (False, {}, False),
        (False, {"FORCE_COLOR": "1"}, True),
        (False, {"CLICOLOR_FORCE": "1"}, True),
        (False, {"CLICOLOR_FORCE": "0"}, False),
        (True, {"CLICOLOR": "0"}, False),
    ],
)
def test_colour(terminal: bool, environment: dict[str, str], colour: bool) -> None:
    """Color is used only on a terminal, unless a variable of the user decides otherwise."""
    assert wants_colour(Terminal(80 if terminal else 0), environment) is colour


def test_a_may_rule_that_is_not_met_is_explained_if_nothing_else_is() -> None:
    """Alone it has its block, of several each has a row."""
    odd = next(check for check in CATALOGUE if check.id == "get.odd")
    rules = [structs.replace(odd.rule, id=name, level=Level.MAY) for name in "ab"]
    alike = [structs.replace(odd, rule=rule) for rule in rules]
    one, two = watched(catalogue=alike[:1]), watched(catalogue=alike)
    assert "NOTE        a [MAY] toy get.odd\n" in one
    assert "\n  finding: it is completed\n" in one
    assert "\n  > GET /v1beta/interactions/" in one
    assert "  note   a [MAY]: it is completed\n  note   b [MAY]: it is completed\n" in two
    assert "NOTE" not in two
    assert "NOTE        b [MAY]" in watched(catalogue=alike, verbose=True)


def test_a_warning_behind_a_failure_is_explained_before_it() -> None:
    """Other warnings have a row only."""
    odd = next(check for check in CATALOGUE if check.id == "get.odd")
    levels = {"a": Level.MUST, "get.odd": Level.SHOULD, "c": Level.SHOULD}
    rules = [structs.replace(odd.rule, id=name, level=level) for name, level in levels.items()]
    failed, *warned = [structs.replace(odd, rule=rule) for rule in rules]
    shown = watched(catalogue=[structs.replace(failed, explained_by=("get.odd",)), *warned])
    assert shown.index("WARNED      get.odd [SHOULD]") < shown.index("FAILED      a [MUST]")
    assert "; a consequence of get.odd" in shown
    assert "WARNED      c" not in shown


def test_what_no_probe_decided_is_not_offered() -> None:
    """It is listed by itself."""
    items = [Capability(name, True, CapabilityOrigin(name)) for name in ("probed", "assumed")]
    lines = [*sum_up(Capabilities(items), leave_unpainted)]
    assert lines == ["  offered: 1 of 2", "  assumed (the probe got no response that decides): assumed"]
