"""The rules: one row each in `<area>.yaml`.

A row has the statement, the effect of a violation, the source, and the judge. It feeds the checks, their words,
`harness explain`, `harness list`, the pages of rules and the codes of findings. The names in `exercise` and
`judge` are looked up by `checks/catalogue.py`, so that a reader of the words imports no check.

`areas.yaml` has the order of the areas, `sources.yaml` the documents; `schemas/rule.schema.json` is the schema of
a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness.outcome import Level, Rule
from harness.rules.tables import RuleRow, load_tables

_TABLES = load_tables()

AREAS: tuple[str, ...] = _TABLES.areas
"""The areas of the API's own rules, in the order in which they are listed."""

SUBJECTS: Mapping[str, str] = _TABLES.subjects
"""What reports call the subject of a rule, by the first part of its id."""

ROWS: Mapping[str, RuleRow] = {row.rule.id: row for row in _TABLES.rows}
"""Every row by the id of its rule: those of the areas, then those of gateways, clients and searches."""


def rows_of(area: str) -> Iterator[RuleRow]:
    """Yield the rows of one area, in the order of its file."""
    return (row for row in ROWS.values() if row.area == area)


BY_ID: Mapping[str, Rule] = {id_: row.rule for id_, row in ROWS.items() if row.area in AREAS}
"""The rules of the API itself."""


def level_of(rule_id: str) -> Level:
    """Return the level of a rule; MUST for an unknown one, so that its findings are not overlooked."""
    row = ROWS.get(rule_id)
    return row.rule.level if row is not None and row.area in AREAS else Level.MUST
