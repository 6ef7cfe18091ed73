"""Every format hides secrets, refuses an unfinished run and escapes hostile text."""

from __future__ import annotations

import ast
import io
import json
import re
from collections import Counter
from pathlib import Path

import jsonschema
import pytest

import harness
from harness.cli.output import FORMATS, render
from harness.engine.run import RunOptions, check_target
from harness.interactions import INTERACTIONS
from harness.kit.check import Check
from harness.outcome import Accounted, Finding
from harness.report.presented_run import PresentedRun
from harness.report.terminal_report import TerminalReport
from harness.resources import folder
from tests.engine import toys
from tests.report.golden_files import FILES
from tests.report.page.page_reader import PageReader, find_faults
from tests.report.story import CATALOGUE, told


@pytest.fixture(scope="module")
def story() -> PresentedRun:
    """One finished run for all tests of this module."""
    return told()


WRITERS = {"annotations", *(entry.module for entry in FORMATS.values())} - {"json_report"}
"""The modules that write a presented run; the other two are records of all that the run found."""

CHOICES = {"Result", "Verdict", "Reason", "Outcome", "describe_stale", "account_for"}
"""What a format would need in order to choose, word or count for itself."""


@pytest.mark.parametrize("module", sorted(WRITERS))
def test_a_format_chooses_nothing(module: str) -> None:
    """A writer takes its values from the presented run: it names nothing that a choice could rest on."""
    tree = ast.parse((Path(harness.__file__).parent / "report" / f"{module}.py").read_text("utf-8"))
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert not used & CHOICES


def test_the_page_of_reports_names_each_format() -> None:
    """The other pages link there, so that a new format is named in one place; its layout is a golden file."""
    page = (Path(harness.__file__).parents[1] / "docs/reports.md").read_text("utf-8")
    line = next(line for line in page.splitlines() if "FORMAT=PATH" in line)
    assert set(re.findall(r"`([a-z]+)`", line)) == set(FORMATS), "name each in the first lines of docs/reports.md"
    kept = {Path(file).suffix for file in FILES}
    unkept = [name for name, entry in FORMATS.items() if kept.isdisjoint(entry.suffixes)]
    assert not unkept, "add it to FILES of tests/report/golden_files.py"


@pytest.mark.parametrize("name", FORMATS)
def test_no_secret_in_any_format(name: str, story: PresentedRun) -> None:
    """The API key appears in a finding and in every request, but in no report."""
    assert toys.KEY not in render(name, story)


@pytest.mark.parametrize("name", FORMATS)
def test_half_a_run_is_no_report(name: str) -> None:
    """Rendering before the run has finished raises, since a truncated report would look complete."""
    with pytest.raises(RuntimeError, match="not finished"):
        render(name, PresentedRun(INTERACTIONS))


@pytest.mark.parametrize("name", FORMATS)
def test_text_can_always_be_written(name: str, story: PresentedRun) -> None:
    """Whatever the target sent, a report is valid UTF-8 without terminal control characters."""
    text = render(name, story)
    text.encode("utf-8")
    assert not set(text) & {"\x1b", "\x00"}


FIX = "nginx: `proxy_buffering off;`, and no `gzip` for text/event-stream"


def _break(rule: str, fix: str) -> Check:
    """A check that fails, with a known fix."""
    return toys.check(rule, toys.create_and_get, lambda got: [Finding(rule, f"{rule} is late", cure=fix)])


@pytest.mark.parametrize(("name", "times"), [("html", 1), ("markdown", 1), ("terminal", 1), ("junit", 2)])
def test_a_fix_of_several_rules_stands_once(name: str, times: int) -> None:
    """The first finding has it in full, a later one names its rule; a case of JUnit is read alone."""
    state, out = PresentedRun(INTERACTIONS), io.StringIO()
    terminal = TerminalReport(out, state, verbose=1)
    checks = [_break("get.first", FIX), _break("get.second", FIX), _break("get.third", "none for it")]
    for event in check_target(toys.toy_target(toys.ToyService()), checks, RunOptions()):
        state.handle(event)
        terminal.handle(event)
    text = out.getvalue() if name == "terminal" else re.sub("</?code>", "`", render(name, state))
    text = re.sub(r"\s+", " ", text)
    assert text.count(FIX) == times
    assert text.count("the same as for `get.first`") == 2 - times
    assert text.count("none for it") == 1, "a short one is written again"


def test_json_fits_its_schema_and_adds_up(story: PresentedRun) -> None:
    """The JSON report matches its published schema, and its counts add up to the total."""
    report = json.loads(render("json", story))
    schema = json.loads((folder("schemas") / "output" / "check.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(report, schema)
    totals = dict(report["accounting"]["totals"])
    assert totals.pop("in_baseline") == 0
    assert totals.pop("total") == sum(totals.values()) == len(CATALOGUE)
    assert set(totals) == {str(outcome) for outcome in Accounted}
    assert Counter(check["outcome"] for check in report["checks"]) == Counter(
        {outcome: number for outcome, number in totals.items() if number}
    )


def test_html_is_self_contained_and_balanced(story: PresentedRun) -> None:
    """The HTML report loads nothing external, its markup is sound, and markup from the target is escaped."""
    page = render("html", story)
    assert find_faults(page) == []
    reader = PageReader.read(page)
    assert "</script><b>" in reader.text
    assert reader.tags.count("script") == 2, "two scripts of ours"
    assert {f"{check.id}" for check in CATALOGUE} <= set(reader.ids)
