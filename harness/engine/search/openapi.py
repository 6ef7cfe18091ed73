"""Runs schemathesis for each resource that the target serves, and combines the results."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from harness.engine.search.budget import Budget
from harness.engine.search.failure import AnswerCounts, EngineRun, Failure
from harness.engine.search.scenario_collector import ENGINE, MOST_SECONDS, OURS, ScenarioCollector, judging
from harness.engine.search.search_target import SearchTarget
from harness.engine.search.shrink import minimal
from harness.engine.traffic.deadline import Timer, TimeUp
from harness.kit.search import Family, SearchDocument
from harness.outcome import HarnessFault
from harness.wire.bodies import object_or_none

MORE_ROUNDS = 4
"""Further rounds of the stateful phase, with other seeds, as long as some link was never applied."""

LEAST_SECONDS = 10.0
"""What a resource gets at least before the next one has its turn: with less, following links proves nothing."""

LEAST_EXAMPLES = 8
"""The examples per operation of a resource with a small weight: fewer than that leave links untried."""

MORE_TIME = "give it more with --deadline"


def document(
    place: SearchTarget,
    budget: Budget,
    *,
    seed: int = 0,
    strict: bool = False,
    passed_over: frozenset[str] = frozenset(),
) -> EngineRun:
    """Run all phases against the target; a target in this process is served on a port meanwhile."""
    described = place.model.document
    if described is None:
        return EngineRun(engine=ENGINE, seconds=0.0, vacuous=("this API has no OpenAPI document",))
    timer = Timer(budget.seconds)
    place = place.within(timer)
    families = find_families(place, described, described.families)
    collected: list[ScenarioCollector] = []
    whole, plain = (described.build(place.requests, is_plain) for is_plain in (False, True))
    with _serve(place) as root, judging(place):
        try:
            for number, family in enumerate(families):
                if number and timer.over():
                    break
                left = None
                if budget.seconds is not None:
                    fair = timer.left * family.weight / sum(each.weight for each in families[number:])
                    left = min(timer.left, max(fair, LEAST_SECONDS))
                own = select_paths(whole, family)
                links = read_links(own)
                collector = ScenarioCollector(
                    place, family, described, links, root=root, strict=strict, passed_over=passed_over
                )
                collected.append(collector)
                fewer = max(LEAST_EXAMPLES, budget.schema * family.weight // described.families[0].weight)
                own_budget = replace(budget, seconds=left, schema=min(budget.schema, fewer))
                documents = [own, select_paths(plain, family)] if collector.is_first else [own]
                _search(collector, documents, place, root, own_budget, seed)
        except KeyboardInterrupt:
            timer.stop()
        answers = AnswerCounts()
        for collector in collected:
            place.clean(collector.ledger)
            answers.update(collector.answers)
    unproved = {
        collector.family.collection: reasons
        for collector in collected
        if _proves(collector) and (reasons := "; ".join(collector.vacuity()))
    }
    notes, late = tuple[str, ...](), ""
    rest = [family.collection for family in families[len(collected) :]]
    if timer.over() and not timer.stopped and (unproved or rest):
        parts = (("in part", list(unproved)), ("not at all", rest))
        searched = "; ".join(f"{', '.join(names)} {how}" for how, names in parts if names)
        limit = f"the time limit was reached after {budget.seconds:.0f} s: searched {searched}; {MORE_TIME}"
        if any(collector.began for collector in collected):  # what the time had room for was judged
            notes, unproved = (limit,), {}
        elif any(collector.mute for collector in collected):
            notes = (limit,)
        else:
            late, unproved = limit, {}
    return EngineRun(
        engine=ENGINE,
        seconds=timer.spent,
        counts={
            "resources": len(collected),
            "calls": sum(collector.calls for collector in collected),
            "successes": sum(collector.successes for collector in collected),
            "operations": sum(len(collector.reached) for collector in collected),
            "links": sum(len(collector.links) for collector in collected),
        },
        failures=tuple(minimal(place, failure) for failure in _list_failures(collected)),
        vacuous=tuple(f"/{collection}: {reasons}" for collection, reasons in unproved.items()),
        late=late,
        notes=(*notes, *_notes(collected, families, described.families), *place.notes()),
        answers=answers,
        stopped=timer.stopped,
    )


def _search(
    hearing: ScenarioCollector,
    documents: Sequence[dict[str, Any]],
    place: SearchTarget,
    root: str,
    budget: Budget,
    seed: int,
) -> None:
    """Run the stateful phase, then all others, then the first one again while some link was never applied.

    It alone applies links, and the others could use up a limited time. The next of the `documents` is used only if
    the target rejects nearly all that the one before allows.
    """
    timer, own = Timer(budget.seconds), documents[0]

    def follow_links(document: dict[str, Any], one: int, share: float) -> None:
        chains = timer if budget.seconds is None else Timer(timer.left * share)
        _execute(hearing, document, _configure(place, root, budget, chains, one, hearing, chained=True), chains)

    for own in documents if hearing.has_links else ():
        follow_links(own, seed, 0.5)
        if timer.over() or not hearing.is_rejected:
            break
    if not timer.over():
        _execute(hearing, own, _configure(place, root, budget, timer, seed, hearing), timer)
    for again in range(1, 1 + MORE_ROUNDS):
        if timer.over() or not (hearing.began and hearing.missing_links()):
            break
        follow_links(own, seed + again, 1.0)


def _execute(hearing: ScenarioCollector, own: dict[str, Any], configuration: dict[str, Any], timer: Timer) -> None:
    """Load the family's own document, run the engine, and pass its events to `hearing`.

    On a busy machine loading alone takes seconds, so the engine gets what is left after that. With a limit, the
    tool begins its phases again and again until the time is up: it is stopped after the first time.
    """
    import schemathesis
    from schemathesis.config import SchemathesisConfig
    from schemathesis.engine import events, from_schema

    config = SchemathesisConfig.from_dict(configuration)
    schema = schemathesis.openapi.from_dict(own, config=config)
    if configuration["phases"]["stateful"]["enabled"]:
        hearing.first_calls = set(getattr(schema.as_state_machine(), "_root_labels", ()))
    if timer.over():
        return
    # The tool takes whole seconds, at least one; None is no limit.
    config.max_time = None if timer.left == math.inf else max(1, int(timer.left))
    stream = from_schema(schema).execute()
    begun: set[Any] = set()
    is_again = False
    with _following_no_redirect():
        for event in stream:
            if isinstance(event, events.ScenarioFinished | events.FuzzScenarioFinished):
                hearing.scenario(event.recorder)
            elif isinstance(event, events.NonFatalError | events.FatalError):
                hearing.note_error(event)
            if isinstance(event, events.PhaseStarted) and event.operations is None:
                is_again |= event.phase.name in begun
                begun.add(event.phase.name)
            if timer.over() or is_again:
                stream.stop()
            elif isinstance(event, events.Interrupted):
                raise KeyboardInterrupt  # schemathesis took it for its own


@contextmanager
def _following_no_redirect() -> Iterator[None]:
    """Let the tool's first requests, which its configuration does not reach, follow no redirect, either."""
    from schemathesis.transport.requests import SameHostRedirectsSession as Session

    own = Session.get_redirect_target
    Session.get_redirect_target = lambda *_: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        Session.get_redirect_target = own  # type: ignore[method-assign]


def _proves(hearing: ScenarioCollector) -> bool:
    """Whether a vacuous search counts; only of the first family it does if no create is accepted."""
    return hearing.is_first or hearing.began


def _list_failures(collected: Sequence[ScenarioCollector]) -> list[Failure]:
    """One failure of each kind, from the family in which it took the fewest requests."""
    found: dict[str, Failure] = {}
    for failure in (failure for collector in collected for failure in collector.failures.values()):
        kept = found.setdefault(failure.key, failure)
        if len(failure.trail) < len(kept.trail):
            found[failure.key] = failure
    seen = sum((collector.seen for collector in collected), Counter())
    return [replace(failure, seen=seen[key]) for key, failure in found.items()]


def _notes(
    collected: Sequence[ScenarioCollector], families: Sequence[Family], described: Sequence[Family]
) -> Iterator[str]:
    if absent := [family.collection for family in described if family not in families]:
        yield f"not served, so not searched: {', '.join(absent)}"
    for collector in collected:
        if _proves(collector):
            yield from collector.notes()
        elif collector.calls:
            yield f"no create below /{collector.family.collection} was accepted; all were rejected"


def _configure(
    place: SearchTarget,
    root: str,
    budget: Budget,
    timer: Timer,
    seed: int,
    hearing: ScenarioCollector,
    *,
    chained: bool = False,
) -> dict[str, Any]:
    """The tool's settings for its stateful phase, or for all others.

    The first has valid calls alone: after those that are refused there is no link to follow.
    """
    target = place.requests
    headers = target.request("GET", "").headers.items()
    return {
        "seed": seed,
        "max-failures": 200,
        "cache": {"enabled": False},  # the current folder could bring one, with requests that the tool sends first
        "base-url": _quote(f"{root}/{place.resolved.info.version}"),
        "headers": {_quote(name): _quote(value) for name, value in headers},
        "request-timeout": max(0.1, min(MOST_SECONDS, target.wait, timer.left / 4)),  # tool's first requests
        "max-redirects": 0,  # the response to judge is the first one, and another path may be somebody else's
        "max-stream-events": 5000,
        "continue-on-failure": True,
        "generation": {
            "max-examples": budget.schema,
            "database": "none",
            **({"mode": "positive"} if chained else {}),
        },
        "checks": {"enabled": False, **{name: {"enabled": True} for name in (OURS, *hearing.checks)}},
        "phases": {
            "examples": {"enabled": not chained},
            "coverage": {"enabled": budget.coverage and not chained},
            "fuzzing": {"enabled": not chained},
            "stateful": {"enabled": chained, "max-steps": 10, "inference": {"algorithms": []}},
        },
    }


def _quote(text: str) -> str:
    """A text of the tool's configuration, where it would put the variable NAME for `${NAME}`."""
    return text.replace("${", "$${")


@contextmanager
def _serve(place: SearchTarget) -> Iterator[str]:
    """The root URL of the target; an embedded one is served on a port."""
    if place.resolved.info.url:
        yield place.resolved.info.url
        return
    from harness.transport import ServerThread, ServiceDriver

    driver = place.resolved.connect()
    if not isinstance(driver, ServiceDriver):
        raise HarnessFault("the schema engine needs a URL or a driver to a service in this process")
    with ServerThread(driver.service, clock=driver.clock) as server:
        yield server.url
    driver.close()


# Which resources of the document a target serves, and the links that the document declares for them.
# Each resource is searched on its own. In one state machine for all of them, the tool would begin only with
# those creates that look most likely to succeed, and never reach the operations that depend on the others.


def find_families(place: SearchTarget, document: SearchDocument, wanted: Sequence[Family]) -> tuple[Family, ...]:
    """The wanted families that the target serves, and the user does not deny; the first one needs no request."""
    first = document.families[0]
    found = [first] if first in wanted else []
    with place.world() as world, suppress(TimeUp):
        for family in wanted:
            if family != first and family.capability not in place.denied:
                if family.keeps:
                    answer = world.driver.send(place.requests.request("GET", family.collection), timeout=5.0)
                    value = object_or_none(answer.body)
                    is_served = answer.status == 200 and value is not None and "error" not in value
                else:  # a route that exists answers a create without any field so
                    answer = world.driver.send(place.requests.request("POST", family.collection, {}), timeout=5.0)
                    is_served = answer.status in (200, 400, 422) and object_or_none(answer.body) is not None
                found += [family] if is_served else []
    return tuple(found)


def select_paths(document: dict[str, Any], family: Family) -> dict[str, Any]:
    """The document with the paths of a resource alone."""
    own = {route: item for route, item in document["paths"].items() if route.split("/")[1] == family.collection}
    return {**document, "paths": own}


def read_links(document: dict[str, Any]) -> dict[str, set[str]]:
    """The declared links, such as `POST /things: get`, by the operation that they start from."""
    found: dict[str, set[str]] = {}
    for route, item in document["paths"].items():
        for method, operation in item.items():
            if isinstance(operation, dict) and "responses" in operation:
                label = f"{method.upper()} {route}"
                links = operation["responses"].get("200", {}).get("links", {})
                found[label] = {f"{label}: {name}" for name in links}
    return found
