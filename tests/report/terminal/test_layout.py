"""What a person sees at 80 columns: no explanation of more than 25 rows, no summary of more than 12."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import pytest

from harness.engine.decide import Policy, decide
from harness.engine.events import (
    CheckFinished,
    Deleting,
    Planned,
    Result,
    RunEvent,
    RunFinished,
    RunStarted,
    TargetInfo,
    TimeoutLosses,
    Waited,
)
from harness.interactions import INTERACTIONS
from harness.outcome import Because, Exit, Finding, Observation, Where
from harness.report.finding_text import quote, quote_place, shorten_target
from harness.report.presented_run import PresentedRun
from harness.report.terminal_report import MOST_ROWS, TerminalReport
from harness.wire import Exchange
from tests.contract.exchanges import ROOT, exchange
from tests.report.golden_files import Terminal

SIGNATURE = "Eo4C" + "q" * 340
LONG_TEXT = "a text of the model that goes on and on " * 50
STEPS = [{"type": "thought", "signature": SIGNATURE}] * 40 + [{"type": "model_output", "text": LONG_TEXT, "n": 1}]


def watch(*events: RunEvent, columns: int = 80, verbose: int = 0, quiet: bool = False) -> str:
    """The output of a run of these events, without its progress lines."""
    out, state = Terminal(columns), PresentedRun(INTERACTIONS)
    report = TerminalReport(out, state, verbose=verbose, quiet=quiet, now=lambda: 0.0)
    for event in (RunStarted(TargetInfo(name="x", url="http://x")), Planned(4, 4), *events):
        state.handle(event)
        report.handle(event)
    return re.sub(r"[^\r\n]*\r\x1b\[2K", "", out.getvalue())


def fail(name: str, findings: Sequence[Finding], *evidence: Exchange) -> Result:
    """A broken rule with this evidence."""
    return decide(INTERACTIONS.load_rules()[name], Observation.of(findings), Policy(), show=lambda _: evidence)


@pytest.fixture(autouse=True)
def _eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")


LOOKS = [
    exchange("GET", f"{ROOT}/v1_{'b' * 70}?n={n}", body={"id": "v1_b", "steps": STEPS, "status": "done"})
    for n in range(9)
]
MANY = [
    Finding(
        "get.schema", f"wrong {n} " * 12, "x" * 3_000, json.dumps(STEPS), where=Where(pointer="$.steps[40].text")
    )
    for n in range(30)
]


@pytest.mark.parametrize(
    "result",
    [
        fail("get.schema", MANY, *LOOKS),
        fail("resume.no-gap", MANY, *LOOKS[:1]),
        fail("create.schema", [Finding("create.schema", "a word " * 400, cure="do this " * 90)], *LOOKS),
    ],
)
def test_no_explained_failure_is_longer_than_a_screen(result: Result) -> None:
    """Whatever findings quote, the explanation has 25 rows at most; the source stays, and the rest is counted."""
    text = watch(CheckFinished(result), RunFinished((result,), 1.0, Exit.FAILED))
    block = text.partition("\nFAILED      ")[2].partition("\n\n")[0].splitlines()
    assert len(block) <= MOST_ROWS
    assert "source: " in block[-1] + block[-2]
    assert "-v prints" in "".join(block)
    assert max(map(len, block)) <= 80
    whole = watch(CheckFinished(result), RunFinished((result,), 1.0, Exit.FAILED), verbose=2)
    assert len(whole) > 10 * len(text)


def test_no_summary_is_longer_than_twelve_rows() -> None:
    """The end of a run has at most 12 rows below the failures, also where it has everything to report."""
    rules = INTERACTIONS.load_rules()
    results = [fail(name, [Finding(name, "no")]) for name in ("get.ok", "create.id", "stream.opens", "create.ok")]
    for because in (Because.LACKING, Because.NO_ANSWER, Because.OUR_LIMIT, Because.NOT_TRIED, Because.RACE_LOST):
        names = [name for name in rules if name not in ("get.ok", "create.id")][:40]
        untested = Observation.untestable("it has no such thing", because, "429")
        results += [decide(rules[name], untested, Policy()) for name in names]
    finished = RunFinished(
        tuple(results), 9.0, Exit.FAILED, leftovers=(f"{ROOT}/v1_{'b' * 70}",) * 20, waited=Waited(9, 80.0),
        cut=TimeoutLosses(3, 9.0, "GET interactions/{id}", 7), halted="the time limit was reached (--deadline)",
    )  # fmt: skip
    summary = watch(finished).rpartition("\n\n")[2].splitlines()
    assert len(summary) <= 12, summary
    assert summary[0].startswith("204 checks in ")
    assert any(row.startswith("FAILED: ") for row in summary[-3:])


def test_an_interrupted_run_names_its_own_reason() -> None:
    """What it deletes comes at once, and the checks that it did not reach have no time limit as their reason."""
    rule = INTERACTIONS.load_rules()["get.ok"]
    left = decide(rule, Observation.untestable("the run ended before", Because.INTERRUPTED, "not run"), Policy())
    text = watch(Deleting(14), RunFinished((left,), 1.0, Exit.INTERRUPTED, halted="it was interrupted"))
    assert "deleting 14 resources that the run created (Ctrl-C again to stop)\n" in text
    assert "not tested: 1 interrupted: get.ok" in text
    assert "time limit" not in text
    assert text.splitlines()[-2].startswith("INTERRUPTED: ")


def test_long_values_of_the_wire_are_named_by_their_beginning_and_length() -> None:
    """A body, a path and the member that a finding names; of what is not there, nothing."""
    body = json.dumps({"id": "v1_b", "steps": STEPS, "status": "done"})
    assert '"signature": "Eo4C… (344)"' in quote(body)
    assert quote(body, 60).endswith(" …")
    assert quote("not JSON, " + "x" * 50) == "not JSON, xxxx… (50)"
    assert shorten_target(f"GET {ROOT}/v1_{'b' * 70}?stream=true") == f"GET {ROOT}/v1_b… (73)?stream=true"
    assert [*quote_place(body, "$.steps[40].text")] == [
        '     "type": "model_output"',
        f'  -> "text": "a text of the model that goes… ({len(LONG_TEXT)})"',
        '     "n": 1',
    ]
    assert [*quote_place(body, "$.nothing.there")] == [*quote_place("no JSON", "$.id")] == []
