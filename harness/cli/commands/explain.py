"""`harness explain ID…`: everything that is known about a check.

Layer 7.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.benches.client.outcome import RULES as CLIENT_RULES
from harness.checks.capabilities import CAPABILITIES
from harness.checks.gateway.cures import cures_of
from harness.cli.arguments import Parser, add_revision_argument, contract_of
from harness.cli.catalogue import load_every_check
from harness.cli.output import say
from harness.contract import Contract
from harness.engine.capabilities import everything
from harness.engine.plan import Selection, make_plan
from harness.engine.search.rules import RULES
from harness.interactions import INTERACTIONS
from harness.kit.check import Check
from harness.outcome import Rule, Subject
from harness.outcome.words import format_count


def run(words: Sequence[str]) -> int:
    """Run the command."""
    parser = Parser(
        "explain",
        "Explain checks and rules of gateways: rule, source, what breaks without it, what passes, what it costs.",
    )
    parser.add_argument("ids", nargs="+", metavar="ID", help="id of a check or rule, glob or area")
    add_revision_argument(parser)
    arguments = parser.parse(words)
    contract = contract_of(arguments)
    own = [rule for rule in (*RULES, *CLIENT_RULES) if rule.id in arguments.ids]
    others = [name for name in arguments.ids if name not in {rule.id for rule in own}]
    checks = _blocks(others, contract) if others else []
    say("\n\n".join(["\n".join(_rule_lines(rule)) for rule in own] + checks))
    return 0


def _blocks(ids: Sequence[str], contract: Contract) -> list[str]:
    plan = make_plan(
        load_every_check(),
        Selection(checks=tuple(ids)),
        everything(INTERACTIONS.load_capabilities()),
        INTERACTIONS.load_profiles(),
    )
    chosen = [planned.check for planned in plan.checks if planned.skip is None]
    return ["\n".join((*_lines(check), *_absence(check.rule, contract))) for check in chosen]


def _absence(rule: Rule, contract: Contract) -> Iterator[str]:
    if not contract.holds(rule):
        yield f"  not in revision {contract.revision}"


def _rule_lines(rule: Rule) -> Iterator[str]:
    """Explain a rule of the fuzzer or of clients, for which there is no check."""
    yield f"{rule.id}: a rule of `harness {'torture' if rule in CLIENT_RULES else 'fuzz'}`"
    yield f"  requirement ({rule.level}): {rule.statement}"
    yield f"  source: {rule.source}"
    yield f"  what breaks: {rule.breaks}"


def _lines(check: Check) -> Iterator[str]:
    rule = check.rule
    relayed = rule.subject is Subject.RELAY
    yield f"{check.id}: {'a rule of `harness gateway`' if relayed else check.title}"
    yield f"  requirement ({rule.level}): {rule.statement}"
    yield f"  source: {rule.source}{f' {rule.source.url}' if rule.source.url else ''}"
    yield f"  what breaks: {rule.breaks}"
    for cure in cures_of(check.id):
        yield f"  known cure: {cure}"
    for outcome in check.accepts:
        yield f"  passes: {outcome}"
    if check.everywhere:
        yield "  looks at: every answer of a run, whichever exercise brings it"
    yield f"  profile: {check.profile}"
    for name in sorted(check.requires):
        yield f"  needs: {name} (a target that {CAPABILITIES[name]})"
    if rule.since or rule.until:
        yield f"  holds: from revision {rule.since or 'any'} until {rule.until or 'now'}"
    exercise = check.exercise
    created = format_count(exercise.interactions, "interaction")
    yield f"  exercise: {exercise.name}, {format_count(exercise.requests, 'request')}, {created} created"
    alone = f"harness gateway URL --only {check.id}" if relayed else f"harness check TARGET -c {check.id}"
    yield f"  run it alone: {alone}"
