"""`harness explain ID…`: everything that is known about a check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.cli.arguments import read_options
from harness.cli.common_options import ExtensionOptions, json_option
from harness.cli.options import LOOKED_UP, Page, argument, flag
from harness.cli.output import page, say, write_json
from harness.cli.rules import load_every_check
from harness.cli.rules.rule_facts import (
    RuleFacts,
    describe_check,
    describe_rule,
    find_source,
    list_codes,
    list_rules_without_check,
)
from harness.engine.events import everything
from harness.engine.plan import make_plan
from harness.engine.selection import Selection
from harness.errors import UsageFault
from harness.incidents import load_incidents
from harness.interactions.mutants import load_mutants
from harness.interactions.servers import SERVERS
from harness.outcome.words import did_you_mean, list_some
from harness.report.screen import Line, Role


@dataclass(kw_only=True)
class ExplainArguments(ExtensionOptions):
    """The options of `harness explain`."""

    ids: Sequence[str] = argument(
        "id of a check or rule, glob, area, or code; or `model NAME…`: a model, or all",
        nargs="+",
        metavar="ID",
    )

    source: bool = flag("also print the row of the rule, what its exercise sends, and what judges it")
    json: bool = json_option("print the facts as JSON")

    page = Page(
        "explain", ("harness explain resume.no-gap", "harness explain --source chain.unknown"), notes=LOOKED_UP
    )


OPTIONS = ExplainArguments


def run(words: Sequence[str]) -> int:
    """Run the command. The code of a finding (`rule/word`) explains its rule, `model NAME…` a model."""
    arguments = read_options(ExplainArguments, words)
    if arguments.ids[0] == "model":
        from harness.contract.models.profiles import describe_model, describe_models

        if arguments.json:
            raise UsageFault("a model is text only: schemas/output/models.json has the facts of all")
        texts = [describe_model(name) for name in arguments.ids[1:]] or [describe_models()]
        say("\n\n".join("\n".join(text) for text in texts))
        return 0
    for name in arguments.ids:
        rule, slash, _ = name.partition("/")
        known = list_codes(rule) if slash else []
        if known and name not in known:
            few = f": {rule} has the codes {list_some(known, 5)}"
            raise UsageFault(f"no finding has the code {name!r}{did_you_mean(name, known, otherwise=few)}")
    ids = list(dict.fromkeys(name.partition("/")[0] for name in arguments.ids))
    own = [rule for rule in list_rules_without_check() if rule.id in ids]
    others = [name for name in ids if name not in {rule.id for rule in own}]
    for name in others:
        if name in load_mutants():
            raise UsageFault(f"{name!r} is a mutant, not a check: `harness mutants --list {name}` describes it")
        if name in load_incidents():
            raise UsageFault(f"{name!r} is an incident, not a check: `harness incidents {name}` describes it")
    described = [(describe_rule(rule), "") for rule in own]
    if others:
        everything_offered = everything(SERVERS.load_capabilities())
        selection = Selection(checks=tuple(others))
        plan = make_plan(load_every_check(), selection, everything_offered, SERVERS.load_profiles())
        chosen = [planned.check for planned in plan.checks if planned.skip is None]
        described += [(describe_check(one), find_source(one) if arguments.source else "") for one in chosen]
    if arguments.json:
        write_json([_record(facts, source) for facts, source in described])
        return 0
    lines: list[str] = []
    for facts, source in described:
        lines += [""] if lines else []
        lines.append(Line(f"{facts.rule.id}: {facts.heading}", Role.HEADING))
        for fact in facts.facts:
            url = f" {fact.url}" if fact.url else ""
            lines.append(Line(f"  {fact.label}: {fact.text}{url}", _ROLES.get(fact.label, Role.PLAIN)))
        lines += source.split("\n") if source else []
    page(*lines)
    return 0


_ROLES = {"run it alone": Role.COMMAND, "source": Role.QUIET, "sentence": Role.QUIET, "known fix": Role.HELP}


def _record(facts: RuleFacts, source: str) -> dict[str, Any]:
    listed = [{"label": f.label, "text": f.text, **({"url": f.url} if f.url else {})} for f in facts.facts]
    about = {"id": facts.rule.id, "heading": facts.heading, "level": str(facts.rule.level), "facts": listed}
    return about | ({"code": source} if source else {})
