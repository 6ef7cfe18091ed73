"""Every rule of the contract, by id. Layer 1.

One module per area, each with its `RULES`; data only. A rule belongs to the module of its subject, whichever
part judges it: the stream judge, the body judge, the history judge or a check.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from importlib import import_module

from harness.contract.tables.harms import HARMS, SILENT
from harness.outcome import Level, Rule

AREAS = (
    "http",
    "create",
    "content",
    "storage",
    "stream",
    "streaming",
    "resume",
    "background",
    "long_decode",
    "chain",
    "tools",
    "tool_search",
    "agents",
    "environments",
    "webhooks",
    "resources",
    "deliveries",
    "credentials",
    "triggers",
    "robustness",
)


def _collect(areas: Iterable[str]) -> dict[str, Rule]:
    rules: dict[str, Rule] = {}
    for area in areas:
        for rule in import_module(f"{__name__}.{area}").RULES:
            if rule.id in rules:
                raise ValueError(f"two rules are called {rule.id!r}; the second one is in {area}.py")
            rules[rule.id] = replace(rule, harm=HARMS.get(rule.id, rule.harm), silent=rule.id in SILENT)
    return rules


BY_ID: dict[str, Rule] = _collect(AREAS)
"""All rules, in the order in which they are best read."""


def level_of(rule_id: str) -> Level:
    """The level of a rule; MUST for an unknown rule, so that its findings are not overlooked."""
    rule = BY_ID.get(rule_id)
    return rule.level if rule is not None else Level.MUST
