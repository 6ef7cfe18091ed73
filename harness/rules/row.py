"""`RuleRow`: a rule, and what its check needs beside it. Layer 0."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from harness.outcome import Basis, Harm, Level, Rule, Source, Subject

Record: TypeAlias = Mapping[str, Any]
"""A row as `rules.json` publishes it: the defaults filled in, the source spelled out."""

JudgeName: TypeAlias = str | Mapping[str, Any]
"""The name of a judge, or a shared judge with what it gets: `{expect_status: twice, accepts: [409]}`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRow:
    """One row. `mutant` is the defect that its check is known to notice in its own exercise alone.

    `looks_at` are globs for the results of a relay, from which its exercises follow; `overhears` are globs for
    results of other exercises. The other names are those of `harness.kit.check.Check`. A row without `judge` has
    no check.
    """

    rule: Rule
    area: str
    title: str
    profile: str = ""
    requires: tuple[str, ...] = ()
    exercise: str = ""
    judge: JudgeName = ""
    about: str = ""
    everywhere: bool = False
    looks_at: tuple[str, ...] = ()
    overhears: tuple[str, ...] = ()
    rests_on: tuple[str, ...] = ()
    accepts: tuple[str, ...] = ()
    mutant: str = ""


_HARMS = {harm.name.lower(): harm for harm in Harm}
_WORDS = ("area", "title", "profile", "exercise", "judge", "about", "everywhere", "mutant")
_LISTS = ("requires", "looks_at", "overhears", "rests_on", "accepts")


def read_record(record: Record) -> RuleRow:
    """Return the row of a record. Raises ValueError for a level that its basis cannot carry."""
    source = record["source"]
    rule = Rule(
        id=record["id"],
        level=Level(record["level"]),
        statement=record["statement"],
        breaks=record["breaks"],
        source=Source(Basis(source["basis"]), source["page"], source["section"], source["url"]),
        broken=record.get("broken", ""),
        since=record.get("since", ""),
        until=record.get("until"),
        harm=_HARMS[record.get("harm", "rest")],
        silent=record.get("silent", False),
        subject=Subject.RELAY if "looks_at" in record else Subject.EXERCISE,
    )
    words: dict[str, Any] = {name: record[name] for name in _WORDS if name in record}
    words |= {name: tuple(record[name]) for name in _LISTS if name in record}
    return RuleRow(rule=rule, **words)
