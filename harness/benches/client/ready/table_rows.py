"""The rows of the table of clients: faults, one case of each, and what already happened to others.

Layer 5.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TypeAlias

from harness.benches.client.cases.case import Case
from harness.benches.client.cases.case_sets import cases_of_set
from harness.benches.client.cases.incident_cases import incident_case
from harness.kit.api import Api
from harness.kit.client_model import ClientIncident

GIVEN, POLLS = "follow", "poll"
TABLES = {
    "create": "table",
    "background": "table",
    GIVEN: "table",
    POLLS: "polling-table",
    "chain": "turns-table",
    "tools": "turns-table",
    "cancel": "cancelling-table",
}
"""The set that is the table of each mode."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """A row: a fault, or an incident that is played."""

    name: str
    about: str
    is_incident: bool = False


PlayedRow: TypeAlias = tuple[TableRow, Case]


def base_of(api: Api, mode: str) -> Case:
    """What all cases of a mode share: a stream to which nothing happens."""
    return Case(plan="pass", mode=api.load_client_model().modes[mode])


def rows_of(api: Api, mode: str, only: Collection[str] = ()) -> list[PlayedRow]:
    """The rows that a client meets in a mode, the faults first, each with its case; `only` names some of them."""
    found = [*_list_fault_rows(api, mode), *_list_incident_rows(api, mode)]
    return [(row, case) for row, case in found if not only or row.name in only]


def list_row_names(api: Api) -> list[str]:
    """The names of all rows, each once."""
    return list(dict.fromkeys(row.name for mode in TABLES for row, _ in rows_of(api, mode)))


def _list_fault_rows(api: Api, mode: str) -> list[PlayedRow]:
    about = {kind.name: kind.about for kind in api.load_client_model().sets[TABLES[mode]]}
    cases = cases_of_set(api, TABLES[mode], base_of(api, mode))
    return [(TableRow(name=case.kind, about=about[case.kind]), case) for case in cases]


def _list_incident_rows(api: Api, mode: str) -> list[PlayedRow]:
    return [
        (TableRow(name=one.name, about=one.title, is_incident=True), incident_case(one, base_of(api, mode)))
        for one in api.load_client_model().load_incidents().values()
        if _is_met(one, mode)
    ]


def _is_met(incident: ClientIncident, mode: str) -> bool:
    """Whether a client in this mode meets it. What happens to polls is a row of those that poll alone."""
    return mode in incident.modes and not (mode == GIVEN and POLLS in incident.modes)
