"""What only the site and its tables need: parts for a page of another project, and the facts of every rule."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.cli.rules import load_every_check
from harness.cli.rules.rule_facts import RuleFacts, describe_check, describe_rule, list_rules_without_check
from harness.look import read_icons, read_script, read_style
from harness.report.html_report import FOLDER, render_values


def render_part(name: str, *, folder: Path | None = None, **values: Any) -> str:
    """A part for another project's page: a shadow tree, so that neither has the other's styles."""
    style = _for_shadow(read_style("matrix", "picture"))
    script = read_script("copy", "matrix")
    return render_values(name, folder, style=style, icons=read_icons(), script=script, **values)


def part_style() -> str:
    """The style sheet of parts that show evidence; one file, because there are hundreds of such parts."""
    return _for_shadow("\n".join((read_style("picture"), (FOLDER / "page.css").read_text("utf-8"))))


def _for_shadow(style: str) -> str:
    return style.replace(":root", ":host").replace("body {", ".part {")


def describe_everything() -> Iterator[RuleFacts]:
    """Every rule once: of servers, gateways, the fuzzer and clients."""
    described = (*map(describe_check, load_every_check()), *map(describe_rule, list_rules_without_check()))
    first: dict[str, RuleFacts] = {}
    for facts in described:
        first.setdefault(facts.rule.id, facts)
    yield from first.values()
