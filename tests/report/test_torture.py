"""A torture report keeps the order of the cases and shows the error output of a failed client."""

from __future__ import annotations

from harness.benches.client.client_commands import how
from harness.benches.client.judgement.outcome import run_of
from harness.engine.decide import Policy, decide
from harness.engine.events import (
    ClientRun,
    PhaseFinished,
    Planned,
    Reproduction,
    Result,
    RunFinished,
    TargetInfo,
    WireMoment,
)
from harness.interactions import INTERACTIONS
from harness.outcome import Exit, Finding, Observation, Severity
from harness.report.commands.torture import TortureRun, drop_map, fault_matrix, groups, map_lines
from harness.report.evidence.evidence_text import client_lines
from harness.report.presented_run import PresentedRun
from harness.rules import ROWS
from harness.wire.stream_picture import picture_lines
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


def ended(
    number: int, plan: str, words: str = "", *, moments: tuple[WireMoment, ...] = (), event: int = 0
) -> Result:
    """A case in which the client gave up."""
    case = new_case(plan=plan)
    run = ClientRun(
        number=number,
        name=plan,
        settings={},
        row=case.row,
        outcome="reported",
        event=event,
        stderr=words,
        moments=moments,
    )
    return decide(
        RECOVERS,
        Observation.of([Finding(RECOVERS.id, "gave up", code=f"{RECOVERS.id}/reported")]),
        Policy(),
        show=lambda _: (run,),
        reproduction=Reproduction(command=f"harness torture {' '.join(case.list_words())} -- client"),
    )


def test_a_cause_is_called_by_its_rule_and_two_of_one_rule_by_their_kinds() -> None:
    whole, once = ROWS["client.whole"].rule, ROWS["client.once"].rule
    cases = [
        decide(rule, Observation.of([Finding(rule.id, said, code=code)]), Policy(), result_id=code)
        for rule, said, code in (
            (whole, "lost a word", "client.whole/silent-loss"),
            (whole, "did not see the end", "client.whole/unfinished"),
            (once, "has a word twice", "client.once/duplicated"),
        )
    ]
    assert {(cause.title, cause.problem) for cause in run_of_cases(*cases).causes} == {
        (f"{whole.broken} (silent loss)", "the client lost a word"),
        (f"{whole.broken} (unfinished)", "the client did not see the end"),
        (once.broken, "the client has a word twice"),
    }


def test_the_verdict_names_the_causes_in_the_order_of_the_list() -> None:
    """The most frequent of equal rules comes first, in the last line as above and on a page."""

    def case(number: int, word: str) -> Result:
        run = ClientRun(number=number, name=f"event:{number}", settings={}, outcome=word, row="end")
        rule = ROWS["client.once" if word == "duplicated" else "client.whole"].rule
        finding = Finding(rule.id, word, code=f"{rule.id}/{word}")
        return decide(rule, Observation.of([finding]), Policy(), result_id=run.name, show=lambda _: (run,))

    words = ("duplicated", "silent-loss", "silent-loss", "hole", "hole", "hole")
    state = run_of_cases(*(case(number, word) for number, word in enumerate(words)))
    state.planned = Planned(len(words), len(words))
    causes = [cause.key for cause in state.causes]
    assert causes == ["client.whole/hole", "client.whole/silent-loss", "client.once/duplicated"]
    assert [group[0].explained_by for group in groups(state.results)] == causes
    assert f"(3 causes: {', '.join(causes)})" in str(state.verdict)


def test_a_wrong_result_that_only_warns_is_no_silent_failure() -> None:
    """The columns of a page add up to its outcomes; the list has words for each case."""
    rule = ROWS["client.status"].rule
    text = "has the text from event 6 on ('a: b') twice: it started again"

    def case(number: int, severity: Severity) -> Result:
        run = ClientRun(number=number, name=f"event:{number}", settings={}, outcome="wrong-status", row="end")
        finding = Finding(rule.id, text, severity=severity)
        return decide(rule, Observation.of([finding]), Policy(), show=lambda _: (run,))

    state = run_of_cases(case(0, Severity.BROKEN), case(1, Severity.NON_STRICT))
    matrix = fault_matrix(state)
    assert matrix.columns == ("silent failure", "warned")
    assert [cell and cell.text for cell in matrix.rows[0].cells] == ["1/2", "1/2"]
    assert {shown.row_title for shown in state.presented} == {"the client has the text from event 6 on twice"}


def test_the_map_of_drops_is_in_the_order_of_the_cases() -> None:
    """Rows are in the order of the cases, whichever case ended first; the legend has the words of the signs."""
    drops = drop_map(run_of_cases(ended(1, "event:0,end"), ended(0, "event:0,rst")))
    assert drops is not None
    assert [row.name for row in drops.rows] == ["rst", "end"]
    lines = list(map_lines(drops))
    assert [line.split() for line in lines[:2]] == [["rst", "e"], ["end", "e"]]
    assert lines[2].endswith(": e reported")


def test_a_cell_of_the_map_has_the_picture_of_its_worst_case() -> None:
    """What the client received stands in the columns of the whole stream; what never came is drawn."""
    moments = (
        WireMoment(
            at=0.0, request="GET /x", answer="200", fault="rst", columns=(0, 1, 2), broke="the server reset it"
        ),
        WireMoment(at=0.1, request="GET /x", answer="200", columns=(2, 4), start=3),
    )
    drops = drop_map(run_of_cases(ended(0, "event:3,rst", moments=moments), events=6))
    assert drops is not None
    (cell,) = [cell for row in drops.rows for cell in row.cells if cell is not None]
    assert cell.picture is not None
    assert list(picture_lines(cell.picture))[:2] == ["request 1  ooox", "request 2  ..2_o_"]
    assert cell.command


def run_of_cases(*results: Result, events: int = 1) -> PresentedRun:
    """A finished run with these cases."""
    state = TortureRun(INTERACTIONS)
    state.target = TargetInfo(name="client")
    state.phases = [PhaseFinished(name="plain", counts={"events": events}, notes=("text",))]
    state.finished = RunFinished(results, 1.0, Exit.FAILED)
    return state


def test_the_error_is_shown_that_a_dump_follows() -> None:
    """The last lines of standard error are shown; the result of the client names the error, wherever it stands."""
    assert told(NODE) == ["  }", "}", "Node.js v20.20.2"]
    assert how(1, NODE) == "exit code 1: TypeError: terminated"
    assert told("  File x\n    y()\nValueError: odd\n") == ["  File x", "    y()", "ValueError: odd"]


def told(words: str) -> list[str]:
    """The lines of standard error that a report shows."""
    lines = list(client_lines(run_of(ended(0, "event:0,rst", words)), verbose=False))
    return [line.removeprefix("  ") for line in lines[lines.index("standard error ends with:") + 1 :]]
