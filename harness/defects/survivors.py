"""Why a generated defect may survive: the table `survivors.yaml` of the rules, as patterns over defects.

Layer 2.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from harness import rules
from harness.defects.wire_defect import WireDefect
from harness.documents import load_yaml

FILE = Path(rules.__file__).parent / "generated" / "survivors.yaml"

LEGAL, UNSEEN, TOLERATED = KINDS = ("legal", "unseen", "tolerated")
"""The kinds of reasons: the API allows it, no client can tell, or a MUST rule accepts it with a warning."""

_PLACES = ("part", "operator", "field", "value", "call", "mode", "moment", "when")


@dataclass(frozen=True, slots=True)
class Excuse:
    """One entry: the defects that it covers, and the sentence that excuses them."""

    name: str
    kind: str
    because: str
    patterns: Mapping[str, tuple[str, ...]]

    def covers(self, record: Mapping[str, Any]) -> bool:
        """Whether a defect, given as its record, is one of these."""
        return all(
            any(fnmatch.fnmatchcase(str(record[place]), glob) for glob in globs)
            for place, globs in self.patterns.items()
        )


def read_excuses(table: Mapping[str, Any]) -> tuple[Excuse, ...]:
    """Return the entries of a table. Raises ValueError for an entry that is wrong."""
    found = []
    for name, row in table.items():
        unknown = set(row) - {*_PLACES, "kind", "because"}
        if unknown or row.get("kind") not in KINDS or not row.get("because", "").endswith("."):
            raise ValueError(
                f"survivors.yaml: {name!r} needs `kind` ({' or '.join(KINDS)}), `because` (a sentence) and "
                f"patterns for {', '.join(_PLACES)}; it has {', '.join(row)}"
            )
        patterns = {
            place: tuple(map(str, row[place] if isinstance(row[place], list) else [row[place]]))
            for place in _PLACES
            if place in row
        }
        found.append(Excuse(name, row["kind"], row["because"], patterns))
    return tuple(found)


@cache
def _load() -> Mapping[str, Any]:
    table: Mapping[str, Any] = load_yaml(FILE.read_bytes())
    return table


@cache
def load_excuses() -> tuple[Excuse, ...]:
    """Return the entries of the package."""
    return read_excuses(_load()["survivors"])


def load_floors() -> dict[str, float]:
    """Return the least shares in percent that a score must reach, by name."""
    return {str(name): float(floor) for name, floor in _load()["floors"].items()}


def find_excuse(defect: WireDefect, *, warned: bool = False) -> Excuse | None:
    """Return the first entry that covers a defect, which a check `warned` of or which survived."""
    record = defect.to_record()
    fitting = (reason for reason in load_excuses() if (reason.kind == TOLERATED) is warned)
    return next((reason for reason in fitting if reason.covers(record)), None)
