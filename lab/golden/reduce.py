"""Functions that keep only the part of an output that does not depend on time or chance."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

Reduce = Callable[[str], Any]
_NUMBER = re.compile(r"\d+")


_TIMED = {"cancel.keeps-background-result"}
"""Rules whose case only comes about if a run ends by itself before a history cancels it."""


def broken_rules(text: str) -> Any:
    """Of the JSON of `fuzz`: exit code, what was vacuous, which rule broke with which verdict, known or new."""
    record = json.loads(text)
    return {
        "exit": record["exit"],
        "vacuous": sorted(reason for engine in record["engines"] for reason in engine["vacuous"]),
        "failures": sorted({_failure(one) for one in record["failures"] if one["rule"] not in _TIMED}),
    }


def _failure(failure: dict[str, Any]) -> str:
    return f"{failure['outcome']} {failure['rule']}{' (known)' if failure['known'] else ''}"


def verdicts(text: str) -> Any:
    """Of the JSON of `gateway`: the exit code, and each rule's verdict and messages, without their numbers."""
    record = json.loads(text)
    return {
        "exit": record["exit"],
        "rules": {
            rule["id"]: [
                rule["outcome"],
                *sorted({_NUMBER.sub("<n>", each["message"]) for each in rule["findings"]}),
            ]
            for rule in record["rules"]
        },
    }


def outcomes(text: str) -> Any:
    """Of the JSON of `check` or `gateway`: the exit code, the totals, and the outcome of each rule."""
    record = json.loads(text)
    return {
        "exit": record["exit"],
        "totals": record["accounting"]["totals"],
        "checks": {check["id"]: check["outcome"] for check in record.get("checks") or record["rules"]},
    }


def untimed(text: str) -> Any:
    """Of the JSON of `check`: all but in which order, and with how many polls, several workers played."""
    return {name: value for name, value in json.loads(text).items() if name != "timings"}


REDUCE: dict[str, Reduce] = {
    "broken-rules": broken_rules,
    "outcomes": outcomes,
    "untimed": untimed,
    "verdicts": verdicts,
}
