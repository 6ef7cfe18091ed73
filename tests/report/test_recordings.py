"""The report of a recording session: one line per scenario, each drift once, no secrets, what is missing."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from harness.benches.record.diff import Drift, Drifts
from harness.benches.record.session import Recorded, RecordingSession, ScenarioState
from harness.engine.targets import TargetOptions, resolve_target
from harness.interactions.recordings import RECORDINGS
from harness.interactions.servers import SERVERS
from harness.outcome import Exit, Finding, Severity
from harness.report.recordings import RecordingReport, session_record
from harness.wire.mask import Mask

KEY = "a-key-of-the-maintainer"
RENAMED = Drifts(3, {Drift("body.usage", "object", "absent"): ["POST /v1/interactions"]})


def reported(*results: Recorded, out: io.StringIO | None = None, colour: bool = False) -> str:
    """What the user sees of these results."""
    stream = out or io.StringIO()
    report = RecordingReport(stream, Mask({"GEMINI_API_KEY": KEY}), colour=colour)
    for number, result in enumerate(results, 1):
        report.begin(result.name, number, len(results))
        report.result(result)
    return stream.getvalue()


@pytest.fixture
def session() -> RecordingSession:
    """A session whose target is never contacted."""
    return RecordingSession(
        resolve_target(SERVERS, "https://x.test", TargetOptions(api_key=KEY)),
        RECORDINGS,
        Path("cassettes/other"),
        9,
    )


def test_a_drift_is_shown_once_however_many_scenarios_show_it() -> None:
    """A drift seen in several scenarios is shown once, while each scenario states how many it has."""
    finding = Finding("usage.types", "a token count is negative, or not an integer")
    news = Recorded("a", ScenarioState.RECORDED, exchanges=3, findings=(finding, finding), drifts=RENAMED)
    said = reported(news, Recorded("b", ScenarioState.RECORDED, exchanges=1, findings=(finding,), drifts=RENAMED))
    assert said.splitlines() == [
        "a: recorded, 3 exchanges, 2 findings, 1 structural drift",
        "  usage.types a token count is negative, or not an integer",
        f"  structure  {next(iter(RENAMED.shape))}",
        "b: recorded, 1 exchange, 1 finding, 1 structural drift",
    ]


@pytest.mark.parametrize(
    ("result", "line"),
    [
        (Recorded("a", ScenarioState.RECORDED, exchanges=4), "recorded, 4 exchanges"),
        (
            Recorded(
                "a",
                ScenarioState.RECORDED,
                exchanges=4,
                findings=(Finding("err.shape", "no code"), Finding("b.c", "d", severity=Severity.INFORMATION)),
            ),
            "recorded, 4 exchanges, 1 finding, 1 note\n  err.shape no code\n  b.c d",
        ),
        (Recorded("a", ScenarioState.RECORDED, drifts=Drifts(2)), "recorded, no structural drift"),
        (
            Recorded("a", ScenarioState.FAILED, "it broke", had_predecessor=True),
            "failed, it broke, the older recording stays",
        ),
        (Recorded("a", ScenarioState.FAILED, f"bad key {KEY}\x1b[2J"), "failed, bad key ***\\x1b[2J"),
        (Recorded("a", ScenarioState.RECORDED, left=("/x",)), "recorded\n  left behind (its deletion failed): /x"),
    ],
)
def test_lines(result: Recorded, line: str) -> None:
    """A scenario's line states its result without secrets and without terminal control characters."""
    assert reported(result) == f"a: {line}\n"


def test_the_end_says_how_to_go_on(session: RecordingSession) -> None:
    """The summary lists the scenarios that are to be recorded again; unsupported ones are not missing."""
    out = io.StringIO()
    results = [
        Recorded("a", ScenarioState.RECORDED), Recorded("b", ScenarioState.UNSUPPORTED, "no agents"),
        Recorded("c", ScenarioState.STOPPED, "the quota is exhausted"),
    ]  # fmt: skip
    report = RecordingReport(out, Mask())
    report.end(session, results, ["a", "b", "c", "d"])
    report.conclude(results, 4, Exit.FAILED)
    assert out.getvalue().splitlines() == [
        "1 of 4 scenarios recorded in cassettes/other; 0 requests sent",
        "missing; repeat the command for these: --send c d",
        "FAILED: 4 scenarios, 3 not recorded.",
    ]


def test_the_data_hold_no_secret(session: RecordingSession) -> None:
    """Secrets from the target are masked in the session's data too."""
    told = session_record(
        session, [Recorded("a", ScenarioState.FAILED, f"bad key {KEY}")], Mask({"GEMINI_API_KEY": KEY})
    )
    assert told["scenarios"][0]["reason"] == "bad key ***"
    assert KEY not in str(told)
