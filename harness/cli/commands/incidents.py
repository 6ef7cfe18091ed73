"""`harness incidents [NAME…]`: what really went wrong for users of the API, and how to play it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.cli.arguments import read_options
from harness.cli.common_options import json_option
from harness.cli.options import LOOKED_UP, Options, Page, argument
from harness.cli.output import page, write_json
from harness.incidents import Incident, find_incident, load_areas, load_incidents
from harness.incidents.incident import format_modes, format_origin
from harness.interactions.mutants import load_mutants
from harness.outcome import UsageFault
from harness.outcome.words import format_count
from harness.report.screen import Line, Role, align


@dataclass(kw_only=True)
class IncidentsArguments(Options):
    """The options of `harness incidents`."""

    names: Sequence[str] = argument("explain these", nargs="*", default=(), metavar="NAME")
    json: bool = json_option("print the list as JSON")

    page = Page("incidents", ("harness incidents", "harness incidents resume-refused-as-too-old"), notes=LOOKED_UP)


OPTIONS = IncidentsArguments


def run(words: Sequence[str]) -> int:
    """Run the command."""
    arguments = read_options(IncidentsArguments, words)
    for name in arguments.names:
        if name not in load_incidents() and name in load_mutants():
            raise UsageFault(
                f"{name!r} is a mutant, not an incident: `harness mutants --list {name}` describes it"
            )
    chosen = [find_incident(name) for name in arguments.names]
    if arguments.json:
        write_json([incident.to_dict() for incident in chosen or load_incidents().values()])
        return 0
    explained = [line for one in chosen for line in ("", *_explain(one))]
    page(*explained[1:] or _list())
    return 0


def _list() -> Iterator[str]:
    for area in load_areas():
        yield Line(area.title, Role.HEADING)
        yield from align([(f"  {incident.name}", incident.title) for incident in area.incidents])
        yield ""
    many = format_count(len(load_incidents()), "incident")
    yield f"{many}; `harness incidents NAME` explains one, docs/incidents.md all"


def _explain(incident: Incident) -> Iterator[str]:
    yield Line(incident.name, Role.HEADING)
    yield f"  {incident.title}"
    for label, text in (
        ("on the wire", incident.wire),
        ("what goes wrong", incident.mistake),
        ("a correct client", incident.client),
        ("to reproduce it", incident.meet.words),
        ("outcome", incident.follow or "no single run can show it"),
    ):
        yield Line(f"  {label:<17}{' '.join(text.split())}", hang=19)
    yield f"  {format_modes(incident)}"
    yield f"  {format_origin(incident)}"
    yield Line(f"  harness serve --incident {incident.name}", Role.COMMAND)
