"""Links the results of a run: an exercise stopped at a refused create, and the check that reports it is the cause.

Layer 4, pure. A cause never changes a verdict; it tells a reader where to begin.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from harness.engine.decide import with_cause, with_weight
from harness.engine.results import Result
from harness.kit.api import Api
from harness.outcome import Outcome
from harness.wire import Exchange


def stopped_at(trail: Sequence[Exchange]) -> Exchange | None:
    """The refused create at which an exercise stopped; None if it stopped elsewhere."""
    last = trail[-1] if trail else None
    return last if last is not None and last.request.method == "POST" and not last.succeeded else None


def link(results: Sequence[Result], stops: Mapping[str, Exchange], api: Api) -> tuple[Result, ...]:
    """The results in their order; those in `stops` (by id) name the code that explains where they stopped."""
    roots = [result for result in results if result.observation.outcome is Outcome.NOT_MET and result.evidence]
    causes = {result.id: root for result in results if (root := _root_of(result, stops, roots, api)) is not None}
    caused = Counter(root.id for root in causes.values())
    linked = []
    for result in results:
        if (root := causes.get(result.id)) is not None:
            result = with_cause(result, root.observation.findings[0].stable_code)
        linked.append(with_weight(result, caused[result.id]) if caused[result.id] else result)
    return tuple(linked)


def _root_of(result: Result, stops: Mapping[str, Exchange], roots: Sequence[Result], api: Api) -> Result | None:
    stop = stops.get(result.id)
    if stop is None or result.observation.findings:
        return None
    accused = (root for root in roots if root.observation.findings)
    return next((root for root in accused if any(_is_alike(e, stop, api) for e in root.evidence)), None)


def _is_alike(shown: object, stop: Exchange, api: Api) -> bool:
    """Whether evidence shows the same call with the same answer."""
    if not isinstance(shown, Exchange):
        return False
    return shown.status == stop.status and api.read(shown, None).call == api.read(stop, None).call
