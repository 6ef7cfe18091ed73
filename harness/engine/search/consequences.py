"""Folds failures under the failure that made them unavoidable, so that one defect is told once.

Layer 4, pure. The API says which rules rest on which, as for checks; a judge may name a cause itself. A cause
makes nothing better: a consequence that is worse than its cause stays a failure of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.engine.search.failure import EngineRun, Failure
from harness.engine.search.rules import RANK, rule_of
from harness.kit.api import Api
from harness.outcome import Severity


def fold(run: EngineRun, earlier: Sequence[Failure], api: Api) -> EngineRun:
    """The run with its consequences under their causes; if an earlier engine found the cause, a note says so."""
    roots: list[Failure] = []
    folded: list[tuple[Failure, Failure]] = []
    notes: list[str] = []
    for failure in run.failures:
        cause = _find_cause(failure, (*run.failures, *earlier), api)
        if cause is None:
            roots.append(failure)
        elif cause in run.failures:
            folded.append((failure, cause))
        else:
            notes.append(f"{failure.key} is a consequence of {cause.finding.stable_code}, which was found before")
    caused = {
        root.key: (*root.consequences, *(failure.key for failure, cause in folded if cause.key == root.key))
        for root in roots
    }
    return replace(
        run,
        failures=tuple(replace(root, consequences=tuple(dict.fromkeys(caused[root.key]))) for root in roots),
        notes=(*run.notes, *notes),
    )


def _find_cause(failure: Failure, others: Sequence[Failure], api: Api) -> Failure | None:
    """The failure that this one follows from, itself no consequence; None if there is none."""
    direct = next((other for other in others if other is not failure and _causes(other, failure, api)), None)
    if direct is None:
        return None
    rest = [other for other in others if other is not failure]
    return _find_cause(direct, rest, api) or direct


def _causes(cause: Failure, failure: Failure, api: Api) -> bool:
    """Whether one follows from the other; two that follow from each other are two failures."""
    return _follows(failure, cause, api) and not _follows(cause, failure, api)


def _follows(failure: Failure, cause: Failure, api: Api) -> bool:
    named = failure.finding.cause == cause.finding.stable_code and cause.defect.call == failure.defect.call
    rests = cause.rule in api.load_search().rests_on.get(failure.rule, ())
    return (named or rests) and _is_as_bad(cause, failure, api)


def _is_as_bad(cause: Failure, failure: Failure, api: Api) -> bool:
    if cause.finding.severity is not Severity.BROKEN or cause.replays.lost or cause.is_suspicion:
        return False
    return RANK[rule_of(cause.rule, api).level] >= RANK[rule_of(failure.rule, api).level]
