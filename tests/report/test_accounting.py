"""The numbers of a run are the same on every surface, and they add up."""

from __future__ import annotations

import io
import json
import re
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from harness.cli import main
from harness.cli.output import render
from harness.engine.decide import Baseline, Policy, decide, exit_of
from harness.engine.events import Result, RunFinished
from harness.outcome import (
    FIRST_WORDS,
    Accounted,
    Basis,
    Because,
    Exit,
    Level,
    Observation,
    Outcome,
    Rule,
    Source,
    Verdict,
    Where,
)
from harness.outcome.finding import Finding
from harness.report.annotations import list_annotations
from harness.report.collected_run import CountedResult, account_for, conclude_checks, detail_lines, sum_up
from harness.report.presented_run import PresentedRun
from harness.report.terminal_report import TerminalReport
from tests.contract.exchanges import exchange
from tests.engine import toys
from tests.report.page.page_reader import PageReader
from tests.report.story import heard, told

_COUNT = re.compile(r"(\d+) (failed|warned|passed|not tested|not offered|excluded)")


@pytest.fixture(scope="module")
def story() -> PresentedRun:
    """One finished run with most outcomes."""
    return told()


def count_results(state: PresentedRun) -> Counter[str]:
    """The outcomes of the results, counted without the module under test."""
    return Counter(result.outcome.word for result in state.results)


def read_counts(line: str) -> Counter[str]:
    """The numbers of a line by their words."""
    return Counter({word: int(number) for number, word in _COUNT.findall(line)})


def test_a_rule_that_strict_fails_untested_is_not_called_broken() -> None:
    """No surface claims a defect that no response shows; a rule that is broken comes first."""
    state, rules = told(), [_silent_rule("must.one", Level.MUST), _silent_rule("should.one", Level.SHOULD)]
    seen = [
        Observation.untestable("no input is counted", Because.LACKING),
        Observation.of([Finding("x", "is bad")]),
    ]
    results = tuple(decide(rule, found, Policy(strict=True)) for rule, found in zip(rules, seen, strict=True))
    state.finished = RunFinished(results, 1.0, Exit.FAILED)
    broken, unjudged = state.causes
    assert (broken.title, broken.counts, broken.silent) == ("should.one fails", "1 SHOULD rule broken", True)
    assert (unjudged.title, unjudged.counts, unjudged.silent) == (
        "not tested: must.one holds",
        "1 MUST rule not tested (--strict)",
        False,
    )
    assert [shown.breaks for shown in state.presented] == ["", "text is lost"]


def _silent_rule(name: str, level: Level) -> Rule:
    return Rule(
        id=name, level=level, statement=f"{name} holds", breaks="text is lost", broken=f"{name} fails",
        source=Source(Basis.DOCUMENTED, "a page"), silent=True,
    )  # fmt: skip


def print_terminal(state: PresentedRun) -> list[str]:
    """The lines of the terminal for the same run."""
    out = io.StringIO()
    report = TerminalReport(out, state)
    for event in heard(toys.ToyService()):
        report.handle(event)
    return out.getvalue().splitlines()


def test_every_surface_has_the_same_numbers(story: PresentedRun, tmp_path: Path) -> None:
    """Terminal, JSON, Markdown, HTML, JUnit, annotations, badge and compare report one run alike."""
    expected = count_results(story)
    assert len(expected) > 3, "the run has most outcomes"
    verdict = str(story.verdict)
    lines = print_terminal(story)
    [totals] = [line for line in lines if re.match(r"\d+ checks in ", line)]
    assert read_counts(totals) == expected
    assert lines[-1] == verdict

    report = json.loads(render("json", story))
    words = {word.replace("_", " "): number for word, number in report["accounting"]["totals"].items()}
    assert {word: words[word] for word in expected} == dict(expected)
    assert words["total"] == expected.total()
    assert report["accounting"]["verdict"] == verdict

    markdown = render("markdown", story)
    rows = re.findall(r"^\| ([a-z ]+) \| (\d+) \|$", markdown, re.MULTILINE)
    assert {word: int(number) for word, number in rows} == dict(expected)
    assert f"**{verdict}**" in markdown

    page = PageReader.read(render("html", story)).text
    [shown] = re.findall(r"8 checks in \d+\.\d s: ([^.]*)\.", page)
    assert read_counts(shown) == expected
    assert verdict.partition(": ")[0] in page
    assert all(sentence in page for sentence in story.verdict.sentences)

    root = ET.fromstring(render("junit", story))
    assert int(root.attrib["failures"]) == expected["failed"]
    skipped = Counter(item.attrib["message"].partition(":")[0] for item in root.iter("skipped"))
    errors = Counter(item.attrib["type"].partition(":")[0] for item in root.iter("error"))
    assert (skipped + errors)["not tested"] == expected["not tested"]
    assert int(root.attrib["tests"]) == expected.total()
    properties = {item.attrib["name"]: item.attrib["value"] for item in root.iter("property")}
    assert properties["harness.verdict"] == verdict
    assert read_counts(properties["harness.totals"]) == expected

    annotations = list(list_annotations(story))
    errors_shown = sum(line.startswith("::error") for line in annotations)
    assert errors_shown == expected["failed"] + len(root.findall(".//error"))
    assert sum(line.startswith("::warning") for line in annotations) == expected["warned"]
    assert annotations[-1].endswith(f"::{verdict}")

    musts = Counter(result.outcome for result in story.results if result.rule.level is Level.MUST)
    badge = json.loads(render("badge", story))
    assert badge["message"] == f"{musts[Accounted.FAILED]} of {musts.total()} MUST failed"

    file, compared = tmp_path / "run.json", tmp_path / "compared.json"
    file.write_text(render("json", story), encoding="utf-8")
    assert main(["diff", str(file), str(file), "--report", f"json={compared}"]) == Exit.OK
    run = json.loads(compared.read_text(encoding="utf-8"))["runs"][0]
    assert {word.replace("_", " "): number for word, number in run["counts"].items()} == dict(expected)
    assert run["verdict"] == verdict


OBSERVATIONS = st.builds(
    lambda outcome, because, cause: Observation(
        outcome,
        (Finding("a.x", "wrong"),) if outcome in (Outcome.NOT_MET, Outcome.NON_STRICT) else (),
        because=because,
        cause=cause,
    ),
    st.sampled_from(Outcome),
    st.sampled_from(Because),
    st.sampled_from(["", "a.x", "a.y/z"]),
)


@given(st.lists(st.tuples(st.sampled_from(Level), OBSERVATIONS), max_size=12), st.booleans())
def test_the_numbers_add_up(seen: list[tuple[Level, Observation]], strict: bool) -> None:
    """Totals, levels and the verdict are sums of the same outcomes, whatever was observed."""
    results = tuple(
        decide(
            Rule(
                id=f"a.r{number}",
                level=level,
                statement="It is so.",
                breaks="It breaks.",
                source=Source(Basis.DOCUMENTED, "Manual"),
            ),
            observation,
            Policy(strict=strict, baseline=Baseline()),
        )
        for number, (level, observation) in enumerate(seen)
    )
    counted = [*map(CountedResult.of, results)]
    accounting = account_for(counted, "check")
    assert accounting.total == len(results) == read_counts(accounting.write_totals(0.0)).total()
    assert sum(sum(counts.values()) for counts in accounting.levels.values()) == len(results)
    not_tested = [result for result in results if result.outcome is Accounted.NOT_TESTED]
    assert sorted(name for group in accounting.not_tested for name in group.ids) == sorted(
        r.id for r in not_tested
    )
    assert all(group.number == len(group.ids) for group in accounting.not_tested)

    code = exit_of(results)
    verdict = str(conclude_checks(RunFinished(results, 0.0, code), counted, accounting))
    assert verdict.startswith(f"{FIRST_WORDS[code]}: ")
    musts = sum(accounting.musts.values())
    passed = accounting.musts.get(Accounted.PASSED, 0)
    if musts and passed < musts:
        said = re.sub(r" \([^)]*\)", "", verdict)
        words = rf"(\d+) of {musts} (?:MUST checks? failed(?:; ([^;.]*))?|passed, ([^;.]*))"
        number, others, rest = re.search(words, said).groups(default="")  # type: ignore[union-attr]
        assert int(number) + read_counts(others + rest).total() == musts
    assert (Verdict.FAIL in {result.verdict for result in results}) == bool(
        accounting.counts.get(Accounted.FAILED)
    )


def untested(name: str, level: Level, because: Because, needs: str = "") -> Result:
    """A check that was not tested."""
    observation = structs.replace(Observation.untestable("the target has none", because), needs=needs)
    return decide(toys.rule(name, level), observation, Policy())


@pytest.mark.parametrize(("status", "effect", "listed"), [(200, True, 1), (400, True, 0), (200, False, 0)])
def test_a_refused_request_was_not_accepted(status: int, effect: bool, listed: int) -> None:
    found = Finding("a.root", "no effect", where=Where("created"))
    rule = structs.replace(toys.rule("a.root"), effect=effect)
    result = decide(rule, Observation.of([found]), Policy())
    shown = (exchange(sent={"input": "hi"}, body={}, status=status),)
    result = structs.replace(result, evidence=shown, named=("created",))
    lines = list(detail_lines([result]))
    assert lines == ["accepted (2xx) but not fulfilled: a.root"] * listed


@pytest.mark.parametrize(
    ("other", "fate"), [(Accounted.EXCLUDED, "was selected"), (Accounted.NOT_TESTED, "failed")]
)
def test_only_what_was_selected_can_fail(other: Accounted, fate: str) -> None:
    counts = {Accounted.EXCLUDED: 3, other: 3}
    assert sum_up(counts, 0, "MUST check", str)[0] == f"no MUST check {fate}"
