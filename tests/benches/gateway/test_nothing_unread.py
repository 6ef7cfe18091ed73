"""Nothing that a gateway run receives goes unread: a defect in any one response is found."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.benches.gateway import GatewayOptions, judge_gateway
from harness.checks.gateway import CATALOGUE
from harness.engine.events import CheckFinished
from harness.outcome import Verdict
from harness.wire import Request, Response, Service
from tests.benches.gateway.inprocess import bench_through, noticing
from tests.engine.test_nothing_unread import doubled, edited, other_text, put, without
from tests.engine.wire_defects import WireDefect, is_create, is_streamed

SHOWS_TOO_LITTLE = {
    "reach.create": "is sent before anything is judged",
    "reach.first": "is sent before anything is judged",
    "alive.create": "only shows whether the gateway responds",
    "loss.json": "the upstream sends no response",
    "loss.stream": "the upstream sends no response",
    "truncation.none": "ends before its first text",
    "hang_up.stream": "the client disconnects before the first text",
    "busy.rest": "the resumed part has no text",
    "tools.stream": "has calls and no text",
    **{f"fields.{form}": "has calls and no text" for form in ("as-a-stream", "as-a-stream-in-the-background")},
    "ends.empty": "has no output",
    "plain.delete": "is an empty object",
}
"""Responses in which these defects cannot be seen, and why."""

DEFECTS: dict[str, Callable[[int], WireDefect]] = {
    "another status": lambda once: WireDefect(is_json, put(status="budget_exceeded"), once=once),
    "token counts that are no numbers": lambda once: WireDefect(
        is_create, put(usage={"total_tokens": "9"}), once=once
    ),
    "other text": lambda once: WireDefect(is_streamed, events=edited("step.delta", other_text), once=once),
}
DAMAGED: dict[str, Callable[[int], WireDefect]] = {
    "no step.stop": lambda once: WireDefect(is_streamed, events=without("step.stop"), once=once),
    "a step.start twice": lambda once: WireDefect(is_streamed, events=doubled("step.start"), once=once),
}
"""For one response each, because several kinds of streams have no such event."""


def is_json(request: Request) -> bool:
    """Whether a request asks for JSON."""
    return not is_streamed(request)


def find_in(defect: WireDefect) -> tuple[set[str], str]:
    """The rules that a gateway with this defect breaks, and the name of the exchange that was damaged."""
    damaged: list[Request] = []
    names: dict[tuple[str, str, bytes], str] = {}

    def damage(upstream: Service) -> Service:
        def gateway(request: Request) -> Response:
            response, seen = upstream(request), defect.seen
            try:
                return defect.apply(request, response)
            finally:
                if defect.seen > seen and defect.seen == defect.once:
                    damaged.append(request)

        return gateway

    bench = bench_through(damage)
    note = bench.client.note

    def keep(relayed: object) -> None:
        names.setdefault(_identify(relayed.client.request), relayed.name)  # type: ignore[attr-defined]
        note(relayed)  # type: ignore[arg-type]

    bench.client.note = keep  # type: ignore[method-assign]
    events = list(judge_gateway(bench, CATALOGUE, GatewayOptions()))
    results = {event.result.id: event.result for event in events if isinstance(event, CheckFinished)}
    raised = "".join(r.observation.reason for r in results.values() if r.verdict is Verdict.ERROR)
    assert not raised or "DecodeError" in raised  # the damage itself failed: a chunk that is no text, or no JSON
    if raised:
        return {"no damage"}, ""
    return noticing(results), names.get(_identify(damaged[0]), "") if damaged else ""


def _identify(request: Request) -> tuple[str, str, bytes]:
    return request.method, request.target, request.body


@pytest.mark.slow
@pytest.mark.parametrize("step", [40, pytest.param(1, marks=pytest.mark.thorough)])
@pytest.mark.parametrize("defect", DEFECTS.values(), ids=DEFECTS)
def test_a_defect_of_one_response_is_found_in_whichever_exercise(
    defect: Callable[[int], WireDefect], step: int
) -> None:
    """Each response that can be damaged is damaged once, and some rule breaks that is not only an addition."""
    counter = defect(1_000_000)
    find_in(counter)
    assert counter.seen > 25
    unseen = {
        name
        for once in sorted({*range(1, counter.seen + 1, step), counter.seen})
        for found, name in [find_in(defect(once))]
        if not found - {"gw.additions"}
    }
    assert unseen <= set(SHOWS_TOO_LITTLE)


@pytest.mark.slow
@pytest.mark.parametrize("defect", DAMAGED.values(), ids=DAMAGED)
@pytest.mark.parametrize("once", [5, *(pytest.param(once, marks=pytest.mark.thorough) for once in (12, 21)), 28])
def test_a_damaged_stream_is_found(defect: Callable[[int], WireDefect], once: int) -> None:
    found, name = find_in(defect(once))
    assert found, name


def test_an_undamaged_gateway_breaks_nothing() -> None:
    assert find_in(WireDefect(is_json, put(), once=3))[0] == set()
