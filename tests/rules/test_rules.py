"""All rules are complete, cite a source and are known to the judges that name them."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from harness import contract
from harness.cli.rules import load_every_check
from harness.outcome import Basis, Level, Rule
from harness.rules import BY_ID, ROWS, SUBJECTS
from harness.rules.sentence_rows import load_sentences
from harness.rules.tables import load_sources
from tests.in_one_test import in_one_test

RULES = in_one_test(rule=BY_ID.values())


@RULES
def test_a_rule_is_complete(rule: Rule) -> None:
    """Each rule has an id, a statement, what breaks without it, and a source."""
    assert re.fullmatch(r"[a-z]+(\.[a-z0-9-]+)+", rule.id)
    assert rule.statement.endswith(".")
    assert rule.breaks.endswith((".", ".)"))
    assert rule.source.page
    assert 0 < len(rule.broken) <= 80, "`broken` is the title of a cause"


def test_no_two_causes_have_the_same_title() -> None:
    assert [words for words, number in Counter(rule.broken for rule in BY_ID.values()).items() if number > 1] == []


@RULES
def test_a_rule_is_no_stricter_than_its_source(rule: Rule) -> None:
    if rule.source.basis in (Basis.OBSERVED, Basis.INFERRED):
        assert rule.level is not Level.MUST


def test_every_document_is_cited_and_has_one_address() -> None:
    pages = load_sources().values()
    cited = {row.rule.source.page for row in ROWS.values()} | {sentence.page for sentence in load_sentences()}
    assert cited == {page["title"] for page in pages}
    assert len({page["title"] for page in pages}) == len(pages)
    addresses = [page["url"] for page in pages if "url" in page]
    assert len(addresses) == len(set(addresses))


@RULES
def test_a_rule_names_the_place_in_its_document(rule: Rule) -> None:
    """Nobody has to read a whole document to find the words of a rule."""
    assert len(rule.source.section) >= 2


WEAKENED = {
    "stream.evid-delta": Level.MAY,  # no background stream that was recorded keeps it
    "err.code-word": Level.MAY,  # sentences and numbers were seen live
    "err.code-string": Level.SHOULD,
    "err.code-status": Level.SHOULD,  # one overload came under three codes
    "agent.chain-needs-env": Level.SHOULD,  # the guide obliges the client; the refusal was only seen
    "create.labels": Level.MAY,  # the Gemini API refuses good ones, too
    "tool.result-name": Level.MAY,  # optional in the types, required live
    "stream.sig-last": Level.MAY,  # empty signatures come between summaries
    "stream.bare-error": Level.MAY,  # the service itself breaks it
    "stream.completed-usage": Level.SHOULD,  # one stream ended without, and GET had it
    "chain.echo": Level.MAY,  # never seen
    "http.unlisted": Level.MAY,  # provision_sandbox, compaction and others were seen
    "decision.zero-output": Level.MAY,
    "file.resume": Level.MAY,
}
"""Rules that news of the service has weakened, the highest level they may have, and why."""


@pytest.mark.parametrize(("rule", "highest"), WEAKENED.items(), ids=WEAKENED)
def test_what_the_service_itself_breaks_is_no_promise(rule: str, highest: Level) -> None:
    """A rule whose source is weakened by what the service was seen to do keeps its lower level."""
    order = [Level.MAY, Level.SHOULD, Level.MUST]
    assert order.index(BY_ID[rule].level) <= order.index(highest)


def test_every_rule_that_a_judge_names_exists() -> None:
    folder = Path(contract.__file__).parent
    areas = {rule.area for rule in BY_ID.values()}
    named = {
        found
        for path in folder.rglob("*.py")
        for found in re.findall(r'"([a-z]+\.[a-z0-9-]+)"', path.read_text("utf-8"))
        if found.partition(".")[0] in areas
    }
    assert len(named) > 40
    assert named <= BY_ID.keys()


def test_every_area_has_a_title() -> None:
    checked = {check.rule.area for check in load_every_check()}
    assert set(SUBJECTS) == checked | {rule.area for rule in BY_ID.values()}
    assert len(set(SUBJECTS.values())) == len(SUBJECTS)
