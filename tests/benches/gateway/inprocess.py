"""Judge a gateway in this process, without a socket and without waiting."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from harness.benches.gateway import GatewayBench, GatewayOptions, Upstream, judge_gateway
from harness.benches.gateway.bench import InFlightStream
from harness.checks.gateway import CATALOGUE, GatewayClient
from harness.cli.commands.gateway import UPSTREAM_SETTINGS
from harness.contract.requests import RequestBuilder
from harness.emulator import Emulator, Settings
from harness.engine.events import CheckFinished, Result
from harness.engine.selection import Selection
from harness.kit.relay import RelayedExchange
from harness.outcome import Outcome
from harness.transport import Limits, ServiceDriver
from harness.wire import LogicalClock, Service

NOTICED = frozenset({Outcome.NOT_MET, Outcome.NON_STRICT})


def bench_through(
    gateway: Callable[[Service], Service] = lambda upstream: upstream, *, idle: float = 11.0
) -> GatewayBench:
    """A bench (client, gateway, upstream) with a gateway that answers at once."""
    client, clock = GatewayClient(RequestBuilder(key="a-key"), idle=idle), LogicalClock()
    upstream = Upstream(Emulator(Settings(**UPSTREAM_SETTINGS), clock=clock), clock, client.is_primable)
    driver = ServiceDriver(gateway(upstream), clock, limits=Limits().within(5.0))
    return GatewayBench(driver, upstream, client, watch=0.0, real=False)


class Sides:
    """A client, a gateway that answers at once and its upstream, one request at a time."""

    def __init__(self, gateway: Callable[[Service], Service] = lambda upstream: upstream) -> None:
        self.bench = bench_through(gateway)
        self.upstream = self.bench.upstream
        assert isinstance(self.bench.client, GatewayClient)
        self.client = self.bench.client

    def create(self, name: str, **options: Any) -> RelayedExchange:
        """Send a create."""
        relayed: RelayedExchange = self.bench.perform(self.client.create(name, **options))
        return relayed

    def open(self, name: str, **options: Any) -> InFlightStream:
        """Send a streaming create and leave its stream to be read."""
        stream: InFlightStream = self.bench.perform(self.client.open(name, **options))
        return stream

    def get(self, name: str, found: str) -> RelayedExchange:
        """GET one interaction."""
        return self.bench.send(self.client.get(name, found))


def play_all(bench: GatewayBench, part: Generator[Any, Any, Any]) -> list[RelayedExchange]:
    """Perform the actions of an exercise, and return the exchanges that they brought."""
    brought: list[RelayedExchange] = []
    answer: Any = None
    while True:
        try:
            answer = bench.perform(part.send(answer))
        except StopIteration:
            return brought
        several = answer if isinstance(answer, list) else [answer]
        brought += [each for each in several if isinstance(each, RelayedExchange)]


def judged(gateway: Callable[[Service], Service], *only: str, **options: Any) -> dict[str, Result]:
    """The results of a gateway, by rule."""
    events = judge_gateway(
        bench_through(gateway), CATALOGUE, GatewayOptions(selection=Selection(checks=only), **options)
    )
    return {event.result.id: event.result for event in events if isinstance(event, CheckFinished)}


def noticing(results: dict[str, Result]) -> set[str]:
    """The rules that have a finding."""
    return {rule for rule, result in results.items() if result.observation.outcome in NOTICED}


def words(result: Result) -> str:
    """The text of all findings."""
    return "\n".join(f"{f.message} | {f.expected} | {f.actual}" for f in result.observation.findings)
