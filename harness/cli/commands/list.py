"""`harness list [GLOB…]`: the catalog."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.cli.arguments import read_options
from harness.cli.common_options import ExtensionOptions, contract_of, json_option, revision_option
from harness.cli.options import LOOKED_UP, Page, Trust, argument, flag
from harness.cli.output import page, write_json
from harness.cli.rules import load_every_check
from harness.engine.events import everything
from harness.engine.plan import make_plan
from harness.engine.selection import Selection
from harness.errors import UsageFault
from harness.interactions.servers import SERVERS
from harness.outcome import Subject
from harness.outcome.words import format_count
from harness.report.screen import Line, Role, align


@dataclass(kw_only=True)
class ListArguments(ExtensionOptions):
    """The options of `harness list`."""

    globs: Sequence[str] = argument("list only matching checks", nargs="*", default=(), metavar="GLOB")
    revision: str | None = revision_option()
    capabilities: bool = flag(
        "list what `--capability` declares or denies, and how many checks need each", trust=Trust.CALL
    )
    json: bool = json_option("print full records as JSON")

    page = Page("list", ("harness list 'resume.*'", "harness list --capabilities"), notes=LOOKED_UP)


OPTIONS = ListArguments


def run(words: Sequence[str]) -> int:
    """Run the command."""
    arguments = read_options(ListArguments, words)
    if arguments.capabilities:
        arguments.refuse(("revision",), "has no effect with --capabilities: remove one of them")
    selection = Selection(checks=tuple(arguments.globs))
    offered = everything(SERVERS.load_capabilities())
    plan = make_plan(load_every_check(), selection, offered, SERVERS.load_profiles())
    selected = [item.check for item in plan.checks if item.skip is None]
    if arguments.capabilities:
        known = SERVERS.load_capabilities()
        needing = {name: [check.id for check in selected if name in check.requires] for name in known}
        if arguments.json:
            write_json([{"capability": name, "meaning": known[name], "checks": needing[name]} for name in known])
        else:
            number = {name: format_count(len(needing[name]), "check") for name in known}
            page(*align([(name, f"{meaning} ({number[name]})") for name, meaning in known.items()]))
        return 0
    contract = contract_of(arguments.revision)
    checks = [check for check in selected if contract.holds(check.rule)]
    if not checks:
        raise UsageFault("no check of this revision matches: remove GLOB or --revision")
    if arguments.json:
        from harness.report.json_report import check_record

        write_json([check_record(check) for check in checks])
        return 0
    areas: dict[str, list[tuple[str, ...]]] = {}
    for check in checks:
        row = (f"  {check.id}", str(check.rule.level), check.title)
        areas.setdefault(check.rule.area, []).append(row)
    lines: list[str] = []
    for area, rows in areas.items():
        lines += [Line(SERVERS.load_areas().get(area, area), Role.HEADING), *align(rows), ""]
    rules = sum(check.rule.subject is Subject.RELAY for check in checks)
    counts = {"check": len(checks) - rules, "gateway rule": rules}
    page(*lines, ", ".join(format_count(count, what) for what, count in counts.items() if count))
    return 0
