"""The sentences of documents: each has rules or a reason, each MUST has a sentence that carries it."""

from __future__ import annotations

import ast
import json
from functools import cache
from pathlib import Path

import jsonschema
import pytest

from harness.checks.scenarios import SCENARIOS
from harness.outcome import Basis, Level
from harness.rules import ROWS
from harness.rules.sentence_rows import load_sentences, read_sentences, sentences_of
from harness.rules.tables import load_sources
from lab import ledger
from lab.__main__ import main
from lab.ledger import REASONS, count_sentences
from lab.site import describe_everything

ROOT = Path(__file__).resolve().parents[2]
UNSTATED = (Basis.INFERRED, Basis.COMPARED)
"""Kinds of rules that no document states: what follows from documents, and what two sides of a gateway show."""
OF_REQUESTS = ("request.schema", "tool.result-name", "fuzz.kept")
"""Rules of recorded requests, and of a search: neither judges what one server returns."""


def test_every_must_has_a_sentence_of_its_source() -> None:
    """A MUST is carried by a sentence of the document that its row cites."""
    bare = [
        f"{row.rule.id} ({row.rule.source.page})"
        for row in ROWS.values()
        if row.rule.level is Level.MUST and row.rule.source.basis not in UNSTATED
        if row.rule.source.page not in {sentence.page for sentence in sentences_of(row.rule.id)}
    ]
    assert not bare


def test_every_stated_rule_has_a_sentence() -> None:
    """A rule that a document states, a type shows or somebody saw is judged for a sentence."""
    judged = {rule for sentence in load_sentences() for rule in sentence.rules}
    stated = {row.rule.id for row in ROWS.values() if row.rule.source.basis not in UNSTATED}
    missing = sorted(stated - judged)
    assert not missing, f"name these rules at a sentence in harness/rules/sentences/, or write one: {missing}"


def test_a_sentence_has_rules_or_a_reason() -> None:
    """Each sentence is judged, or says why it is not; a wrong server is noticed, unless another side is judged."""
    for sentence in load_sentences():
        assert bool(sentence.rules) != bool(sentence.because), sentence.id
        assert (sentence.reason in REASONS) == bool(sentence.because), sentence.id
        others = [rule for rule in sentence.rules if rule.startswith(("client.", "gw.")) or rule in OF_REQUESTS]
        assert sentence.mutants or sentence.false_on or others == list(sentence.rules), sentence.id


def test_a_test_of_the_emulator_exists() -> None:
    named = [(sentence.id, *sentence.test.partition("::")[::2]) for sentence in load_sentences() if sentence.test]
    assert [(line, path, name) for line, path, name in named if name not in _tests_of(path)] == []


def test_a_scenario_that_settles_a_sentence_exists() -> None:
    named = {scenario for sentence in load_sentences() for scenario in sentence.scenarios}
    assert named <= SCENARIOS.keys()
    assert SCENARIOS.keys() - named == {"background"}  # all that it shows was recorded live


@cache
def _tests_of(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_every_document_of_a_rule_has_sentences() -> None:
    """Each document that says something of the API is read, and its sentences stand together."""
    pages = {page["title"] for page in load_sources().values() if page["says"] != ["compared"]}
    read = [sentence.page for sentence in load_sentences()]
    assert pages == set(read)
    assert len(dict.fromkeys(read)) == sum(one != other for one, other in zip(read, ["", *read], strict=False))


def test_no_two_lines_of_a_document_are_the_same() -> None:
    lines = [(sentence.page, sentence.section, sentence.words) for sentence in load_sentences()]
    assert len(set(lines)) == len(lines)


LINE = """\
reference:
  read: "2026-11-20"
  sentences:
    ok: {section: Create, says: It works., rules: [create.ok]}
"""


@pytest.mark.parametrize(("text", "line", "says"), [
    (LINE.replace("rules: [create.ok]", "test: tests/x.py::test_y"), 4, "reference.*not valid"),
    (LINE.replace("[create.ok]", "[create.okay]"), 4, "names 'create.okay', .*did you mean 'create.ok'"),
    (LINE.replace("reference:", "referense:"), 1, "no 'referense': did you mean 'reference'"),
    (LINE.replace("rules: [create.ok]", "not_judged: hidden"), 4, "not valid|because"),
    (LINE.replace('"2026-11-20"', "yesterday"), 2, "yesterday"),
    (LINE.replace("works.", "works"), 4, "It works"),
    (LINE.replace("reference:", "null:"), 1, "no 'null'"),
    ("", 1, 'null is not of type "object"'),
    (LINE.replace("rules: [create.ok]", "not_judged: hidden, because: It is., partly: All."), 4, "rules"),
    (LINE.replace("[create.ok]", '[create.ok], false_on: {call: "GET x"}'), 4, "false_on|propert"),
], ids=[
    "no rule, no reason", "rule", "document", "no because", "day", "no sentence", "null", "empty",
    "partly not judged", "false without a change",
])  # fmt: skip
def test_a_wrong_line_is_named(text: str, line: int, says: str) -> None:
    with pytest.raises(ValueError, match=says) as wrong:
        tuple(read_sentences({"sentences/x": text.encode()}))
    assert str(wrong.value).startswith(f"sentences/x.yaml:{line}: ")


def test_a_document_stands_in_one_file() -> None:
    with pytest.raises(ValueError, match=r"sentences/y\.yaml:1: reference: sentences/x\.yaml has this document"):
        tuple(read_sentences({"sentences/x": LINE.encode(), "sentences/y": LINE.encode()}))


def test_explain_shows_the_sentences_of_a_rule() -> None:
    described = {facts.rule.id: facts for facts in describe_everything()}
    shown = [fact.text for fact in described["resume.exclusive"].facts if fact.label == "sentence"]
    assert len(shown) == len(sentences_of("resume.exclusive")) >= 3
    assert all(sentence.words in "\n".join(shown) for sentence in sentences_of("resume.exclusive"))


def test_the_sentences_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """`python -m lab ledger` prints a line each and the counts; globs choose by sentence or by rule."""
    assert main(["ledger"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:-1]] == [sentence.id for sentence in load_sentences()]
    assert lines[-1] == count_sentences(load_sentences())
    assert main(["ledger", "--json", "resume.exclusive", "long-decode.*"]) == 0
    chosen = json.loads(capsys.readouterr().out)
    schema = json.loads(Path(ledger.__file__).with_name("ledger.schema.json").read_bytes())
    jsonschema.Draft202012Validator(schema).validate(chosen)
    assert {"long-decode.hops", "background.resume", "openapi.cursor-after"} - {line["id"] for line in chosen} == {
        "background.resume"
    }


def test_a_glob_for_nothing_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A glob that chooses no sentence is an error, not an empty list."""
    assert main(["ledger", "nothing.*"]) == 2
    assert "nothing.*" in capsys.readouterr().err
