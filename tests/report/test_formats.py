"""Claims that hold for every format: secrets stay out, half a run is no report, hostile text does no harm."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections import Counter
from html.parser import HTMLParser

import jsonschema
import pytest

from harness.outcome import Verdict
from harness.report.formats import FORMATS, render
from harness.report.story import Story
from harness.resources import folder
from tests.report.story import CATALOGUE, told
from tests.runner import toys


@pytest.fixture(scope="module")
def story() -> Story:
    """One finished run for all tests of this module."""
    return told()


@pytest.mark.parametrize("name", FORMATS)
def test_no_secret_in_any_format(name: str, story: Story) -> None:
    """The key appears in a finding and in each request, and in no report."""
    assert toys.KEY not in render(name, story)


@pytest.mark.parametrize("name", FORMATS)
def test_half_a_run_is_no_report(name: str) -> None:
    """Before the run has finished nothing is rendered: a truncated report would look whole."""
    with pytest.raises(RuntimeError, match="not finished"):
        render(name, Story())


@pytest.mark.parametrize("name", FORMATS)
def test_text_can_always_be_written(name: str, story: Story) -> None:
    """Whatever a target answered, the report is valid UTF-8 without control characters a terminal obeys."""
    text = render(name, story)
    text.encode("utf-8")
    assert not set(text) & {"\x1b", "\x00"}


def test_json_fits_its_schema_and_adds_up(story: Story) -> None:
    """The JSON report is one object that its published schema describes; the buckets add up to the total."""
    report = json.loads(render("json", story))
    schema = json.loads((folder("schemas") / "output" / "check.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(report, schema)
    summary = dict(report["summary"])
    assert summary.pop("total") == sum(summary.values()) == len(CATALOGUE)
    assert set(summary) == {str(verdict) for verdict in Verdict}
    assert Counter(check["verdict"] for check in report["checks"]) == Counter(
        {verdict: number for verdict, number in summary.items() if number}
    )


def test_junit_counts_agree_with_the_cases(story: Story) -> None:
    """The XML parses, every check is one case, and each suite's numbers are those of its cases."""
    root = ET.fromstring(render("junit", story))
    assert len(root.findall(".//testcase")) == len(CATALOGUE) == int(root.attrib["tests"])
    for suite in root.findall("testsuite"):
        for tag, attribute in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
            assert len(suite.findall(f"testcase/{tag}")) == int(suite.attrib[attribute]), suite.attrib
    assert int(root.attrib["failures"]) == 3, "two failures and one stale entry"
    assert int(root.attrib["errors"]) == 1


def test_html_is_self_contained_and_balanced(story: Story) -> None:
    """The page refers to nothing outside itself, and a target's markup is text in it."""
    page = render("html", story)
    seen = _Tags()
    seen.feed(page)
    assert not seen.references
    assert "b" not in seen.tags
    assert "script" not in seen.tags
    assert page.count("<tr id=") == len(CATALOGUE)


class _Tags(HTMLParser):
    """Collects tags, and attributes that would load something."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.references: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.references += [name for name, _ in attrs if name in ("src", "href")]


def test_markdown_fences_hold(story: Story) -> None:
    """Backticks in an answer do not end the block that quotes it."""
    lines = render("markdown", story).splitlines()
    fences = [line for line in lines if set(line.removesuffix("text")) == {"`"}]
    assert len(fences) % 2 == 0
    assert max(len(fence) for fence in fences) >= 5
    assert "| fail | 2 |" in lines


@pytest.mark.parametrize(
    ("service", "colour", "message"),
    [(toys.ToyService(), "lightgrey", "2/7 passed"), (toys.ToyService(forgets=True), "lightgrey", "1/3 passed")],
)
def test_badge_is_never_green_by_mistake(service: toys.ToyService, colour: str, message: str) -> None:
    """A run with an error of ours is grey, and the message counts what ran."""
    badge = json.loads(render("badge", told(service)))
    assert (badge["color"], badge["message"]) == (colour, message)
    assert badge["schemaVersion"] == 1
