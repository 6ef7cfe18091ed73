"""The site: a page for each rule, every code a fragment, and a strict build where MkDocs is installed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from harness.resources import folder
from harness.rules.sentence_rows import load_sentences
from lab.ledger import REASONS
from lab.site import describe_everything
from tests.docs.site import rule_index, rule_pages, sentences_page


def test_each_rule_has_a_page_and_a_row() -> None:
    """Every rule of every command is in the index, which links to its page."""
    pages = dict(rule_pages())
    linked = re.findall(r"^\| \[([^\]]+)\]\(([^)]+)\.md\)", rule_index(), re.MULTILINE)
    assert {name for name, _ in linked} == {target for _, target in linked} == pages.keys()
    commands = {facts.command for facts in describe_everything()}
    assert commands == {"check", "gateway", "fuzz", "torture", "verify"}


def test_each_rule_has_an_example_of_right_and_wrong() -> None:
    """The page of a rule shows what meets it, and a defect that breaks it, which a mutant has if there is one."""
    pages = dict(rule_pages())
    drawn = {facts.rule.id for facts in describe_everything() if facts.command in ("check", "gateway")}
    for rule, page in pages.items():
        example = page.partition("\n## Example\n")[2].partition("\n## Sources\n")[0]
        parts = ["Right", "Wrong", *([] if rule in drawn else ["Picture"])]
        assert re.findall(r"^- \*\*(\w+)\*\*: \S+", example, re.MULTILINE) == parts
    assert "(`harness serve --mutant resume-skips-one`)" in pages["resume.no-gap"]
    assert "For example: One delta is dropped." in pages["gw.events"]
    assert "- **Wrong**: A deleted interaction can be read. For example: " in pages["del.gone"]


def test_each_code_is_a_fragment_of_the_page_of_its_rule() -> None:
    """A report can link to any finding by its code."""
    pages = dict(rule_pages())
    codes = json.loads((folder("schemas") / "output" / "codes.json").read_bytes())["codes"]
    for code in codes:
        rule, _, word = code.partition("/")
        assert f"`{code}`{{ #{word or 'finding'} }}" in pages[rule]


def test_what_a_rule_says_is_shown_as_it_is() -> None:
    """Characters that mean something in Markdown are escaped."""
    pages = dict(rule_pages())
    described = {facts.rule.id: facts for facts in describe_everything()}
    starred = next(name for name, facts in described.items() if "_" in facts.rule.statement)
    (line,) = [line for line in pages[starred].splitlines() if re.match(r"\*\*(MUST|SHOULD|MAY)\*\*", line)]
    assert line.replace("\\", "").endswith(described[starred].rule.statement)
    assert "\\_" in line


@pytest.mark.slow
def test_each_rule_of_servers_and_gateways_has_a_picture(site: Path) -> None:
    """Its page draws what meets the rule and what breaks it, as the requests of its check show them."""
    judged = {facts.rule.id for facts in describe_everything() if facts.command in ("check", "gateway")}
    pages = {rule: (site / "rules" / f"{rule}.html").read_text("utf-8") for rule in judged}
    drawn = {rule: re.findall(r'class="rule-side"><h3>.*?</span> (\w+): ', page) for rule, page in pages.items()}
    assert {rule: sides for rule, sides in drawn.items() if sides != ["Right", "Wrong"]} == {}
    wrong = pages["resume.no-gap"].partition("Wrong: the mutant resume-skips-one")[2]
    assert 'class="cell missing' in wrong
    assert "missing: it never came" in wrong


@pytest.mark.slow
def test_the_site_is_built_without_a_warning(site: Path) -> None:
    """A strict build: every link leads somewhere; pages request nothing, and have what is generated."""
    page = (site / "index.html").read_text("utf-8")
    loaded = re.findall(r"<(?:script|img|link)\b[^>]*(?:src|href)=\"(https?:[^\"]+)\"", page)
    assert [url for url in loaded if "canonical" not in url] == []
    generated = {
        "clients.html": "at-a-glance",
        "clients/map.html": "map",
        "incidents.html": "stream-cut-at-600s",
        "api-changes.html": "google-genai-330-to-340-2026-11-16",
    }
    for name, heading in generated.items():
        assert f'id="{heading}"' in (site / name).read_text("utf-8"), name
    assert '<button type="button" class="outcome' in (site / "clients.html").read_text("utf-8")
    words = json.loads((site / "search" / "search_index.json").read_text("utf-8"))["docs"]
    assert sum(len(one["text"].split()) for one in words if one["location"].startswith("clients.html")) < 1_500


def test_the_page_has_every_sentence_and_its_rules() -> None:
    page = sentences_page()
    assert page.count("](rules/") == sum(len(sentence.rules) for sentence in load_sentences())
    assert sum(line.startswith("| ") for line in page.splitlines()) - 1 - len(REASONS) - page.count(
        "| Section | Sentence |"
    ) == len(load_sentences())


def test_the_page_of_a_rule_begins_with_its_effect() -> None:
    """A reader learns what breaks, and sees right and wrong, before sources and details."""
    headings = ["Example", "Sources", "Check", "Findings"]
    for rule, page in rule_pages():
        assert re.findall(r"^## (.+)$", page, re.MULTILINE) == headings, rule
        before = page.partition("\n## Example\n")[0]
        assert re.findall(r"^\*\*([^*]+)\*\*: ", before, re.MULTILINE)[1] == "What breaks", rule
        fragments = re.findall(r"\{ #(\S+) \}", page)
        assert {*fragments} & {heading.lower() for heading in headings} == set(), rule


@pytest.mark.slow
def test_a_wrong_address_leads_to_a_next_step(site: Path) -> None:
    """The page of the theme says only that it was not found."""
    page = (site / "404.html").read_text("utf-8")
    assert "Page not found" in page
    assert "Search for its subject, or choose a page from the navigation." in page
