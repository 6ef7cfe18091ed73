"""If a check has many exchanges, its failure shows those that explain the verdict."""

from __future__ import annotations

import pytest
from msgspec import structs

from harness.engine.decide import Policy, decide
from harness.engine.events import Result
from harness.interactions import INTERACTIONS
from harness.outcome import Basis, Finding, Level, Observation, Outcome, Source, Verdict, Where
from harness.report.evidence.evidence_text import Detail
from harness.report.presented_run import PresentedRun
from harness.wire import Exchange
from tests.contract.exchanges import ROOT, exchange
from tests.engine import toys


def made(name: str) -> Exchange:
    """A create request and its response."""
    return exchange(sent={"input": "Hi"}, body={"id": name, "status": "completed"})


def failed(observation: Observation, *exchanges: Exchange) -> Result:
    """A failure of the toy check with this evidence."""
    rule = toys.ODD.rule
    return Result(
        id=rule.id, rule=rule, title="", observation=observation, verdict=Verdict.FAIL, evidence=exchanges
    )


def explained(*exchanges: Exchange, place: str) -> list[str]:
    """The requests that are shown, and the note about those that are not."""
    finding = Finding("get.odd", "it is odd", where=Where(place))
    observation = Observation(Outcome.NOT_MET, (finding,))
    text = PresentedRun(INTERACTIONS).present(failed(observation, *exchanges)).explain()
    return [line for line in text.splitlines() if line.startswith(("> GET", "> POST", "exchanges ("))]


@pytest.mark.parametrize(
    ("place", "shown"),
    [
        ("read[0]", [f"> POST {ROOT}", f"> GET {ROOT}/v1_b?n=0", f"> GET {ROOT}/v1_b?n=1"]),
        ("", [f"> POST {ROOT}"] * 2 + [f"> GET {ROOT}/v1_b?n=2", f"> GET {ROOT}/v1_b?n=3", f"> GET {ROOT}/v1_c"]),
    ],
)
def test_many_exchanges(place: str, shown: list[str]) -> None:
    """The first exchanges named in findings are shown, or without names the last ones; both with their creates."""
    reads = [exchange("GET", f"{ROOT}/v1_b?n={n}") for n in range(4)]
    told = f"exchanges ({len(shown)} of 7; the JSON and HTML reports have all):"
    found = explained(made("v1_c"), made("v1_b"), *reads, exchange("GET", f"{ROOT}/v1_c"), place=place)
    assert found == [told, *shown]


def test_what_changed_it_comes_before_what_was_found() -> None:
    """An exchange that changed the state, such as a delete, is shown before the one with the finding."""
    deleted = exchange("DELETE", f"{ROOT}/v1_a", body={})
    child = exchange(sent={"input": "Hi", "previous_interaction_id": "v1_a"}, body={"id": "v1_c"})
    finding = Finding("get.odd", "it is odd", where=Where("child"))
    result = failed(Observation(Outcome.NOT_MET, (finding,)), made("v1_a"), deleted, child)
    text = PresentedRun(INTERACTIONS).present(result).explain()
    lines = [line for line in text.splitlines() if line.startswith(("> POST", "> DELETE"))]
    assert lines == [f"> POST {ROOT}", f"> DELETE {ROOT}/v1_a", f"> POST {ROOT}"]


@pytest.mark.parametrize(
    ("outcome", "basis", "heading", "breaks", "means"),
    [
        (Outcome.NON_STRICT, Basis.DOCUMENTED, "[SHOULD, met in a lenient reading]", False, "counts as met"),
        (Outcome.NOT_MET, Basis.INFERRED, "[SHOULD, only inferred]", True, "source is only inferred"),
        (Outcome.NOT_MET, Basis.OBSERVED, "[SHOULD]", True, ""),
    ],
)
def test_a_warning_names_why_strict_does_not_fail_it(
    outcome: Outcome, basis: Basis, heading: str, breaks: bool, means: str
) -> None:
    """The line of a warning names what keeps it from failing; a lenient one has no effect of a broken rule."""
    rule = structs.replace(toys.ODD.rule, level=Level.SHOULD, source=Source(basis, "a page"))
    observation = Observation(outcome, (Finding(rule.id, "it is odd"),))
    shown = PresentedRun(INTERACTIONS).present(decide(rule, observation, Policy()))
    text = shown.explain()
    assert heading in shown.heading
    assert ("what breaks: " in text) is breaks
    assert means in text.partition("what it means: ")[2].partition("\n")[0]


def test_a_failure_shows_a_finding_that_another_one_explains() -> None:
    """Where each finding has a cause elsewhere, the explanation on a screen has them all the same."""
    finding = Finding("get.odd", "it is odd", cause="get.other")
    shown = PresentedRun(INTERACTIONS).present(failed(Observation(Outcome.NOT_MET, (finding,))))
    assert "finding: it is odd; a consequence of get.other" in [*shown.list_lines(Detail.BRIEF)]
