"""A torture report keeps the order of the cases and shows the error output of a failed client."""

from __future__ import annotations

from harness.engine.decide import Policy, decide
from harness.engine.results import ClientRun, Reproduction, Result
from harness.interactions import INTERACTIONS
from harness.outcome import Finding, Observation
from harness.report.commands.torture import group_lines, strip_lines
from harness.report.run_state import RunState
from harness.rules import ROWS
from tests.benches.client.cases import new_case

RECOVERS = ROWS["client.recovers"].rule

NODE = """
TypeError: terminated
    at Fetch.onAborted (node:internal/deps/undici/undici:11350:53) {
  [cause]: SocketError: other side closed
      at Socket.emit (node:events:536:35) {
    code: 'UND_ERR_SOCKET'
  }
}

Node.js v20.20.2
"""


def ended(number: int, plan: str, words: str = "") -> Result:
    """A case in which the client gave up."""
    case = new_case(plan=plan)
    run = ClientRun(number=number, name=plan, settings={}, row=case.row, outcome="reported", event=0, stderr=words)
    return decide(
        RECOVERS,
        Observation.of([Finding(RECOVERS.id, "gave up", code=f"{RECOVERS.id}/reported")]),
        Policy(),
        show=lambda _: (run,),
        reproduction=Reproduction(command=case.command_line(["client"])),
    )


def test_strips_are_in_the_order_of_the_cases() -> None:
    """Strips are in the order of the cases, whichever case ended first."""
    lines = list(strip_lines([ended(1, "event:0,end"), ended(0, "event:0,rst")], 1))
    assert [line.split()[0] for line in lines[:2]] == ["rst", "end"]


def test_the_error_is_shown_that_a_dump_follows() -> None:
    """The last lines of standard error are shown, preceded by the error line if they do not include it."""
    assert told(NODE) == ["TypeError: terminated", "…", "  }", "}", "Node.js v20.20.2"]
    assert told("  File x\n    y()\nValueError: odd\n") == ["  File x", "    y()", "ValueError: odd"]


def told(words: str) -> list[str]:
    """The lines of standard error that a report shows."""
    lines = list(group_lines([ended(0, "event:0,rst", words)], RunState(INTERACTIONS)))
    return [line.removeprefix("    ") for line in lines[lines.index("  standard error ends with:") + 1 : -1]]
