"""What of a fault plan never happened, in words. Layer 1.

A plan that nothing met makes a test green that has tested nothing.
"""

from __future__ import annotations

from harness.faults.plan import Plan, Scope
from harness.faults.service import FaultyService
from harness.outcome.words import format_count

_CALLED = {Scope.STARTS: "first stream", Scope.RESUMES: "resumed stream", Scope.ALL: "request"}
"""What a connection of a scope is called, where its name without the `s` does not say it."""


def find_unmet(faulty: FaultyService) -> str:
    """Why a fault of a plan never took effect; "" if each did. Of a drawn plan, one fault is enough."""
    return next(filter(None, (_find_unmet_of(faulty, part) for part in faulty.plan.parts)), "")


def _find_unmet_of(faulty: FaultyService, plan: Plan) -> str:
    """The same of one part of the plan."""
    log = [suffered for suffered in faulty.log if suffered.scope is plan.scope]
    if plan.seed is not None and any(suffered.fired for suffered in log):
        return ""
    called = _CALLED.get(plan.scope, plan.scope.removesuffix("s"))
    first, came = 1, faulty.count_of(plan.scope)
    for connection in plan.connections:
        last = first + connection.times - 1 if connection.times is not None else came
        met = [suffered for suffered in log if first <= suffered.number <= max(first, last)]
        missing = [fault for fault in connection.faults if not any(fault in one.fired for one in met)]
        if missing and not met:
            return f"it is for {called} {first}, and {format_count(came, called)} came"
        if missing:
            return f"no {called} came as far as {missing[0]}"
        first = last + 1
    return ""
