"""Functions that keep only the part of an output that does not depend on time or chance."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

Reduce = Callable[[str], Any]


def broken_rules(text: str) -> Any:
    """Of the JSON of `fuzz`: the exit code, what was vacuous, and which rule broke with which verdict."""
    record = json.loads(text)
    return {
        "exit": record["exit"],
        "vacuous": sorted(reason for engine in record["engines"] for reason in engine["vacuous"]),
        "failures": sorted({f"{failure['verdict']} {failure['rule']}" for failure in record["failures"]}),
    }


REDUCE: dict[str, Reduce] = {"broken-rules": broken_rules}
