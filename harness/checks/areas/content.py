"""Checks of the content of an answer: its token counts, and the fields of its steps.

The contract judges these rules on any body; here they are applied to a target's answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from harness.checks.vocabulary.expect import interaction_in
from harness.contract.judge.body import has_to_count
from harness.contract.transcript import output_steps
from harness.outcome import Finding, Unmet
from harness.wire import Exchange


def need_usage(answer: Exchange) -> Iterator[Finding]:
    if not isinstance(interaction_in(answer).get("usage"), dict):
        raise Unmet("the response contains no usage")
    return iter(())


def need_count(answer: Exchange) -> Iterator[Finding]:
    if not has_to_count(interaction_in(answer)):
        raise Unmet("the response is not completed, or has no text or no total")
    return iter(())


def _need_members(names: tuple[str, ...], what: str, answer: Exchange) -> Iterator[Finding]:
    if not _holds(output_steps(interaction_in(answer)), names):
        raise Unmet(f"the response contains {what}")
    return iter(())


need_data = partial(_need_members, ("signature", "data"), "neither data nor a signature")
need_results = partial(_need_members, ("call_id",), "no result step")
need_annotations = partial(_need_members, ("annotations",), "no annotation")


def _holds(value: Any, names: tuple[str, ...]) -> bool:
    if isinstance(value, Mapping):
        return any(name in value for name in names) or any(_holds(one, names) for one in value.values())
    return isinstance(value, list) and any(_holds(one, names) for one in value)
