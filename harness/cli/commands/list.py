"""`harness list [GLOB…]`: the catalogue.

Layer 7.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.checks.capabilities import PROFILES
from harness.cli.arguments import Parser, add_revision_argument, contract_of, level_named
from harness.cli.output import say, write_json
from harness.cli.rules.every_check import load_every_check
from harness.engine.capabilities import everything
from harness.engine.plan import Selection, make_plan
from harness.interactions import INTERACTIONS
from harness.kit.check import Check
from harness.outcome import Subject
from harness.outcome.words import format_count


def run(words: Sequence[str]) -> int:
    """Run the command."""
    parser = Parser("list", "List the catalogue: the checks, and the rules of `harness gateway`.")
    parser.add_argument("globs", nargs="*", metavar="GLOB", help="list only matching checks")
    parser.add_argument(
        "--level", metavar="LEVEL", help="weakest level to list: must, should or may (default: may)"
    )
    parser.add_argument(
        "--profile", action="append", metavar="NAME", help=f"list only this profile: {', '.join(PROFILES)}"
    )
    add_revision_argument(parser)
    parser.add_argument("--json", action="store_true", help="print full records as JSON")
    arguments = parser.parse(words)
    selection = Selection(
        checks=tuple(arguments.globs),
        level=level_named(arguments.level),
        profiles=tuple(arguments.profile or ()),
    )
    plan = make_plan(
        load_every_check(),
        selection,
        everything(INTERACTIONS.load_capabilities()),
        INTERACTIONS.load_profiles(),
    )
    contract = contract_of(arguments)
    checks = [item.check for item in plan.checks if item.skip is None and contract.holds(item.check.rule)]
    if arguments.json:
        from harness.report.records import check_record

        write_json([check_record(check) for check in checks])
    else:
        _print(checks)
    return 0


def _print(checks: Sequence[Check]) -> None:
    width = max((len(check.id) for check in checks), default=0)
    for check in checks:
        needs = f" (needs {', '.join(sorted(check.requires))})" if check.requires else ""
        say(f"{check.id:<{width}}  {check.rule.level:<6}  {check.profile:<10}  {check.title}{needs}")
    rules = sum(check.rule.subject is Subject.RELAY for check in checks)
    counts = {"check": len(checks) - rules, "gateway rule": rules}
    say(", ".join(format_count(count, what) for what, count in counts.items() if count))
