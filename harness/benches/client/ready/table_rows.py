"""The rows of the table of clients: faults, one case of each, and what already happened to others.

Layer 5.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TypeAlias

from harness.benches.client.case_sets import SETS, cases_of_set
from harness.benches.client.client_modes import MODES
from harness.benches.client.drop_case import Case
from harness.benches.client.incident_cases import incident_case
from harness.incidents import Encounter, Incident, load_incidents

POLLS = "poll"
TABLES = {"create": "table", "background": "table", "follow": "table", POLLS: "polling-table"}
"""The set that is the table of each mode."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """A row: a fault, or an incident that is played."""

    name: str
    about: str
    is_incident: bool = False


PlayedRow: TypeAlias = tuple[TableRow, Case]


def base_of(mode: str) -> Case:
    """What all cases of a mode share: a stream to which nothing happens."""
    spec = MODES[mode]
    return Case(plan="pass", script=dict(spec.script), further=spec.further, mode=mode)


def rows_of(mode: str, only: Collection[str] = ()) -> list[PlayedRow]:
    """The rows that a client meets in a mode, the faults first, each with its case; `only` names some of them."""
    found = [*_fault_rows(mode), *_incident_rows(mode)]
    return [(row, case) for row, case in found if not only or row.name in only]


def list_row_names() -> list[str]:
    """The names of all rows, each once."""
    return list(dict.fromkeys(row.name for mode in TABLES for row, _ in rows_of(mode)))


def _fault_rows(mode: str) -> list[PlayedRow]:
    about = {kind.name: kind.about for kind in SETS[TABLES[mode]]}
    cases = cases_of_set(TABLES[mode], base_of(mode))
    return [(TableRow(name=case.kind, about=about[case.kind]), case) for case in cases]


def _incident_rows(mode: str) -> list[PlayedRow]:
    return [
        (TableRow(name=one.name, about=one.title, is_incident=True), incident_case(one, base_of(mode)))
        for one in load_incidents().values()
        if _is_met(one, mode)
    ]


def _is_met(incident: Incident, mode: str) -> bool:
    """Whether what went wrong concerns the calls of a client in this mode."""
    return incident.can_be_followed and (incident.meet is Encounter.POLL) == (mode == POLLS)
