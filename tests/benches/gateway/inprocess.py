"""Judge a gateway in this process, without a socket and without waiting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.benches.gateway import GatewayOptions, Line, Upstream, judge_gateway
from harness.contract.requests import RequestBuilder
from harness.engine.events import CheckFinished
from harness.engine.results import Result
from harness.outcome import Outcome
from harness.transport import Limits, ServiceDriver
from harness.wire import Service

NOTICED = frozenset({Outcome.NOT_MET, Outcome.NON_STRICT})


def line_through(gateway: Callable[[Service], Service] = lambda upstream: upstream, **options: Any) -> Line:
    """A line (client, gateway, upstream) through a gateway that answers at once."""
    upstream = Upstream()
    driver = ServiceDriver(gateway(upstream), upstream.clock, limits=Limits().within(5.0))
    return Line(driver, upstream, RequestBuilder(key="a-key"), watch=0.0, real=False, **options)


def judged(gateway: Callable[[Service], Service], *only: str, **options: Any) -> dict[str, Result]:
    """The results of a gateway, by rule."""
    events = judge_gateway(line_through(gateway), GatewayOptions(only=only, **options))
    return {event.result.id: event.result for event in events if isinstance(event, CheckFinished)}


def noticing(results: dict[str, Result]) -> set[str]:
    """The rules that have a finding."""
    return {rule for rule, result in results.items() if result.observation.outcome in NOTICED}


def words(result: Result) -> str:
    """The text of all findings."""
    return "\n".join(f"{f.message} | {f.expected} | {f.actual}" for f in result.observation.findings)
