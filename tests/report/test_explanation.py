"""If a check has many exchanges, its failure shows those that explain the verdict."""

from __future__ import annotations

import re

import pytest
from msgspec import structs

from harness.engine.decide import Policy, decide
from harness.engine.results import Result
from harness.interactions import INTERACTIONS
from harness.outcome import Basis, Finding, Level, Observation, Outcome, Severity, Source, Verdict, Where
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
    text = PresentedRun(INTERACTIONS).present(failed(observation, *exchanges)).explain(detail=Detail.FULL)
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


def test_a_place_without_reports_names_none() -> None:
    """The test suite writes no report, so it does not say that one has the other exchanges."""
    reads = [exchange("GET", f"{ROOT}/v1_b?n={n}") for n in range(7)]
    observation = Observation(Outcome.NOT_MET, (Finding("get.odd", "it is odd"),))
    text = PresentedRun(INTERACTIONS).present(failed(observation, *reads)).explain(elsewhere="")
    assert re.search(r"^exchanges \(\d of 7\):$", text, re.MULTILINE)


def test_what_changed_it_comes_before_what_was_found() -> None:
    """An exchange that changed the state, such as a delete, is shown before the one with the finding."""
    deleted = exchange("DELETE", f"{ROOT}/v1_a", body={})
    child = exchange(sent={"input": "Hi", "previous_interaction_id": "v1_a"}, body={"id": "v1_c"})
    finding = Finding("get.odd", "it is odd", where=Where("child"))
    result = failed(Observation(Outcome.NOT_MET, (finding,)), made("v1_a"), deleted, child)
    text = PresentedRun(INTERACTIONS).present(result).explain()
    lines = [line for line in text.splitlines() if line.startswith("> ")]
    assert lines[:3] == [f'> POST {ROOT} {{"input": "Hi"}}', f"> DELETE {ROOT}/v1_a", f"> POST {ROOT}"]
    assert lines[-1].startswith('> {"input": "Hi", "previous_interaction_id": "v1_a"')


def test_what_shows_the_fault_is_in_full_and_one_script_repeats_all() -> None:
    """The exchange of the first finding has headers and body; the others are a line each way, without -v."""
    reads = [exchange("GET", f"{ROOT}/v1_b?n={n}", body={"id": "v1_b"}) for n in range(2)]
    finding = Finding("get.odd", "it is odd", where=Where("read[0]"))
    result = failed(Observation(Outcome.NOT_MET, (finding,)), made("v1_b"), *reads)
    text = PresentedRun(INTERACTIONS).present(result).explain()
    evidence, script = text.split("reproduce:\n")
    assert evidence.count("\n< 200\n") == 1
    assert f"\n> GET {ROOT}/v1_b?n=0\n< 200\n" in evidence
    assert f'\n> GET {ROOT}/v1_b?n=1\n< 200 {{"id": "v1_b"}}\n' in evidence
    assert script.count("curl ") == 3


def test_every_list_names_the_worst_finding() -> None:
    """Lists of failures name the finding that does the most harm, whichever was found first."""
    lenient = Finding("get.odd", "it is lenient", severity=Severity.NON_STRICT)
    broken = Finding("get.odd", "it is broken")
    shown = PresentedRun(INTERACTIONS).present(failed(Observation(Outcome.NOT_MET, (lenient, broken))))
    assert (shown.defect, shown.message, shown.findings[0].message) == ("it is broken",) * 3


def test_the_shown_part_has_the_member_that_a_finding_names() -> None:
    """The exchange of the first finding is in full, also before others; a line that is cut quotes the member."""
    body = {"id": "v1_a", "text": "x" * 500, "usage": {"total": 9.5}}
    looks = [exchange("GET", f"{ROOT}/v1_a?n={n}", body=body) for n in range(2)]
    findings = tuple(
        Finding("get.odd", "it is odd", where=Where(f"look{n}", pointer="$.usage.total")) for n in range(2)
    )
    result = structs.replace(failed(Observation(Outcome.NOT_MET, findings), *looks), named=("look0", "look1"))
    lines = PresentedRun(INTERACTIONS).present(result).explain().splitlines()
    whole, quoted = [line for line in lines if "9.5" in line]
    assert whole.startswith('< {"id": "v1_a"')
    assert quoted.endswith(', with "total": 9.5')


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
