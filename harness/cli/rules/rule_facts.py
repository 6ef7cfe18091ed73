"""The facts about each rule, with labels: `harness explain` prints them, the site has a page of them."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from textwrap import indent
from typing import Any, NamedTuple

from harness import rules
from harness.checks.capabilities import CAPABILITIES
from harness.checks.gateway.findings import cures_of
from harness.cli.rules import load_every_check
from harness.engine.search.failure import RULES as SEARCH_RULES
from harness.engine.search.failure import SEARCHED
from harness.interactions.mutants import load_mutants
from harness.kit.check import Check
from harness.outcome import Rule, Subject
from harness.outcome.words import format_count
from harness.resources import folder
from harness.rules import BY_ID, rows_of
from harness.rules.sentence_rows import sentences_of

_WITHOUT_CHECK: dict[str, tuple[Rule, ...]] = {
    "fuzz": (*SEARCH_RULES, *(row.rule for row in rows_of("search")), SEARCHED),
    "torture": tuple(row.rule for row in rows_of("clients")),
}
"""Rules that no check judges, by the command that does; those of requests are judged by `verify` alone."""


class Fact(NamedTuple):
    """A line about a rule; `url` is where its `text` can be read, if anywhere."""

    label: str
    text: str
    url: str = ""


class RuleFacts(NamedTuple):
    """One rule: its heading, and what is known of it. `command` is the one that judges it."""

    rule: Rule
    heading: str
    command: str
    facts: tuple[Fact, ...]


def describe_check(check: Check) -> RuleFacts:
    """A rule that a check of a server or a gateway judges."""
    rule = check.rule
    relayed = rule.subject is Subject.RELAY
    heading = "a rule of `harness gateway`" if relayed else check.title
    return RuleFacts(rule, heading, "gateway" if relayed else "check", tuple(_facts_of_check(check)))


def find_source(check: Check) -> str:
    """The row of a rule, its exercises, its judge and its mutant, each below the place where it is."""
    blocks = []
    for path in sorted(Path(rules.__file__).parent.glob("*.yaml")):
        text = f"\n{path.read_text('utf-8')}"
        if (start := text.find(f"\n{check.id}:")) >= 0:
            row = re.split(r"\n(?=\S)", text[start + 1 :], maxsplit=1)[0].rstrip()
            blocks.append((f"{path.name}:{text.count(chr(10), 0, start) + 1}", row))
    judges = [one for one in _list_functions(check.judge) if one.__module__ != "harness.checks.catalogue"]
    for function in (*(part.run for part in check.exercise.parts or (check.exercise,)), *dict.fromkeys(judges)):
        lines, number = inspect.getsourcelines(function)
        blocks.append((f"{function.__module__}:{number}", "".join(lines).rstrip()))
    if found := re.search(r"^  mutant: (\S+)", blocks[0][1] if blocks else "", re.MULTILINE):
        mutant = load_mutants()[found[1]]
        table = inspect.getsource(import_module(name := f"harness.emulator.mutants.{mutant.area}"))
        row = re.search(rf'row\("{mutant.id}",.*?(?=,\n    \w|,?\n\))', table, re.DOTALL)
        place = f":{table.count(chr(10), 0, row.start()) + 1}" if row else ", by life_rows"
        blocks.append((f"{name}{place} (harness serve --mutant {mutant.id})", row[0] if row else mutant.summary))
    return "\n".join(f"\n  # {place}\n{indent(text, '  ')}" for place, text in blocks)


def _list_functions(judge: Any) -> Iterator[Any]:
    """The functions of a judge: several if its row names several."""
    if isinstance(judge, partial):
        for part in (judge.func, *filter(callable, judge.args)):
            yield from _list_functions(part)
    else:
        yield judge


def describe_rule(rule: Rule) -> RuleFacts:
    """A rule of clients or of the fuzzer, for which there is no check."""
    command = next((command for command, rules in _WITHOUT_CHECK.items() if rule in rules), "verify")
    return RuleFacts(rule, f"a rule of `harness {command}`", command, tuple(_facts_of_rule(rule)))


def list_rules_without_check() -> tuple[Rule, ...]:
    """The rules of the fuzzer, of clients, of recordings and of the catalog itself."""
    checked = {check.rule.id for check in load_every_check()}
    recorded = (rule for rule in BY_ID.values() if rule.id not in checked)
    return tuple(dict.fromkeys((*(rule for rules in _WITHOUT_CHECK.values() for rule in rules), *recorded)))


def list_codes(rule_id: str) -> list[str]:
    """The codes of the findings that a rule can have, as baselines and reports name them."""
    codes = json.loads((folder("schemas") / "output" / "codes.json").read_bytes())["codes"]
    return [code for code in codes if code == rule_id or code.startswith(f"{rule_id}/")]


def _facts_of_rule(rule: Rule) -> Iterator[Fact]:
    yield Fact(f"requirement ({rule.level})", rule.statement)
    yield Fact("what breaks", rule.breaks)
    if rule.silent:
        yield Fact("silent", "Clients cannot detect this failure: the response looks complete and valid.")
    yield Fact("source", str(rule.source), rule.source.url)
    for sentence in sentences_of(rule.id):
        partly = f"; judged partly: {sentence.partly}" if sentence.partly else ""
        place = f"({sentence.page}, {sentence.section}; read on {sentence.read})"
        yield Fact("sentence", f"{sentence.words} {place}{partly}")


def _facts_of_check(check: Check) -> Iterator[Fact]:
    rule = check.rule
    yield from _facts_of_rule(rule)
    for cure in cures_of(check.id):
        yield Fact("known fix", cure)
    for outcome in check.accepts:
        yield Fact("passes", outcome)
    if check.everywhere:
        yield Fact("looks at", "every response of a run, in all exercises")
    yield Fact("profile", str(check.profile))
    for name in sorted(check.requires):
        yield Fact("needs", f"{name} (a target that {CAPABILITIES[name]})")
    if rule.since or rule.until:
        yield Fact("applies", f"from revision {rule.since or 'any'} until {rule.until or 'now'}")
    exercise = check.exercise
    created = format_count(exercise.interactions, "interaction")
    yield Fact("exercise", f"{exercise.name}, {format_count(exercise.requests, 'request')}, {created} created")
    relayed = rule.subject is Subject.RELAY
    alone = f"harness {'gateway URL' if relayed else 'check TARGET'} -c {check.id}"
    yield Fact("run it alone", alone)
