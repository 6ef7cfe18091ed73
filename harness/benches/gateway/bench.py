"""Both ends of a gateway: sends requests as its client, and pairs them with what arrives upstream.

Performs the actions of exercises. Knows which requests upstream belong to which request of the client, from the
API's `RelayClient`; must not know which responses are right. Requests are sent one after another, so what arrives
belongs to the current one. A gateway may still be busy with an earlier request, so what arrives is matched where
possible by something that no other request has. Except for the watch at the end, every wait is for a condition and
is bounded.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Protocol

from harness import wire
from harness.kit.check import Close, Finish, Read
from harness.kit.relay import (
    CollectStrays,
    CountCalls,
    Kinship,
    NoteArrivals,
    Relay,
    RelayAside,
    RelayClient,
    RelayedExchange,
    RelayOpen,
    RelayTogether,
    Release,
)
from harness.outcome import HarnessFault
from harness.wire.message import observe, retry_after

# The gateway's upstream: a reference service, and a record of each request and how far its answer was read.
# Knows services and bodies; must not know the client's side. A carrier may call it from any thread.


class ReferenceService(Protocol):
    """A service that does what it should, and can be given responses."""

    def __call__(self, request: wire.Request) -> wire.Response: ...

    def script(self, script: Mapping[str, Any]) -> object:
        """Queue the response to a later request."""
        ...

    def release(self) -> int:
        """Let what a script holds go on."""
        ...


class UpstreamCall:
    """One request that arrived; observes how the gateway reads its answer, and wakes all that wait for it."""

    def __init__(self, request: wire.Request, clock: wire.LogicalClock, changed: threading.Condition) -> None:
        self.request = request
        self.ended: wire.Ending | None = None
        self._clock = clock
        self._changed = changed
        self._began = clock.now
        self._recorder = wire.ExchangeBuilder(request, began=clock.now)

    def record(self) -> wire.Exchange:
        """The call as an exchange; if its answer is still being read, with what has been read so far."""
        still = wire.Ending(by=wire.By.LIMIT, how=wire.How.TIMEOUT, detail="still being read")
        return self._recorder.finish(self.ended or still, self._clock.now - self._began)

    def note_head(self, status: int, headers: wire.Headers, framing: wire.Framing) -> None:
        with self._changed:
            self._recorder.head(status, headers, framing)

    def note_chunks(self, chunks: Sequence[wire.Chunk], start: int = 0, end: int = 1) -> None:
        with self._changed:
            self._recorder.chunks(chunks[start:end], self._clock.now - self._began)

    def note_end(self, ending: wire.Ending) -> None:
        with self._changed:
            self.ended = ending
            self._changed.notify_all()


class Upstream:
    """A `Service` that responds as the reference does and records all calls; `prime` sets other responses.

    `clock` is the reference's. `is_primable` selects the requests that get a primed response.
    """

    def __init__(
        self, reference: ReferenceService, clock: wire.LogicalClock, is_primable: Callable[[wire.Request], bool]
    ) -> None:
        self.clock = clock
        self.reference = reference
        self.calls: list[UpstreamCall] = []
        self._is_primable = is_primable
        self._changed = threading.Condition()
        self._primed: list[Relay] = []

    def __call__(self, request: wire.Request) -> wire.Response:
        with self._changed:
            call = UpstreamCall(request, self.clock, self._changed)
            is_primed = bool(self._primed) and self._is_primable(call.request)
            answer = self._primed.pop(0).answer if is_primed else None
            self.calls.append(call)
            self._changed.notify_all()
        response = answer(self.reference, request) if answer is not None else self.reference(request)
        return observe(response, call)

    def prime(self, *relays: Relay) -> None:
        """Play the scripts of these requests, and give the next ones their answers, in place of what was set."""
        with self._changed:
            self._primed = [*relays]
        for relay in relays:
            if relay.script is not None:
                self.reference.script(relay.script)

    def until(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Wait for at most `seconds` until `holds` returns true, and return whether it did."""
        with self._changed:
            return self._changed.wait_for(holds, seconds)

    def records(self, calls: Sequence[UpstreamCall]) -> tuple[wire.Exchange, ...]:
        with self._changed:
            return tuple(call.record() for call in calls)


@dataclass(eq=False)
class GatewayBench:
    """`driver` sends to the gateway, `upstream` stands behind it, and `client` builds the requests.

    `watch` is how many seconds the run lasts at least. `real`: the gateway has threads of its own, so the
    upstream's side may need a moment. `find_end` describes how its process ended, `""` if it runs or is not ours;
    `find_refused`, why what arrived last was no request.
    """

    driver: wire.Driver
    upstream: Upstream
    client: RelayClient
    _: KW_ONLY
    watch: float = 10.0
    real: bool = True
    find_end: Callable[[], str] = str
    find_refused: Callable[[], str] = str
    _began: float = field(default_factory=time.monotonic, init=False)
    _mine: set[int] = field(default_factory=set, init=False)
    _unpaired: list[Relay] = field(default_factory=list, init=False)
    _given_up: list[Relay] = field(default_factory=list, init=False)

    def perform(self, action: Any) -> Any:
        match action:
            case Relay():
                return self.send(action)
            case RelayOpen(relay, timeout):
                return InFlightStream(self, relay, timeout)
            case RelayAside():
                return AsideRequest(self, action)
            case RelayTogether(relays):
                return self._send_together(relays)
            case Read(stream, events):
                return stream.read(events)
            case Finish(stream):
                return stream.finish()
            case Close(stream):
                return stream.close()
            case NoteArrivals(stream, arrivals):
                stream.arrivals = arrivals
            case Release():
                self.upstream.reference.release()
            case CountCalls():
                return len(self.upstream.calls)
            case CollectStrays(name, exchange, start):
                # All calls since number `start` that no client sent, once the time to watch is over.
                self.driver.wait(max(0.0, self.watch - (time.monotonic() - self._began)))
                strays = self._list_fresh(start)
                relayed = RelayedExchange(name=name, client=exchange, upstream=self.upstream.records(strays))
                self.client.note(relayed)
                return relayed
            case _:
                raise HarnessFault(f"an exercise yielded {action!r}, which no gateway bench can perform")
        return None

    def send(self, relay: Relay, *, repeat: bool = True) -> RelayedExchange:
        """Send one request and read its answer; repeat it once if the gateway itself asks to wait (`Retry-After`).

        A circuit breaker refuses all requests for a moment after a few errors of the upstream, which the run
        makes on purpose: an exchange that was put off would leave its rule without a judgment.
        """
        start = self.begin(relay)
        relayed = self.pair(relay, self.driver.send(relay.request), start)
        pause = retry_after(relayed.client.headers) if relayed.put_off else None
        if pause is None or pause > self.client.patience or not repeat:
            return relayed
        self.driver.wait(pause)
        self._given_up.remove(relay)
        return self.send(relay, repeat=False)

    def begin(self, *relays: Relay) -> int:
        """Expect calls that belong to these requests, until each is paired; return the number of the next call."""
        if self.client.is_primable(relays[0].request):
            self.upstream.prime(*relays)
        self._unpaired += relays
        return len(self.upstream.calls)

    def _send_together(self, relays: Sequence[Relay]) -> list[RelayedExchange]:
        start = self.begin(*relays)
        exchanges = self.driver.together([relay.request for relay in relays])
        return [self.pair(relay, exchange, start) for relay, exchange in zip(relays, exchanges, strict=True)]

    def pair(
        self, relay: Relay, client: wire.Exchange, start: int, arrivals: tuple[int, ...] | None = None
    ) -> RelayedExchange:
        """Both sides of one request: the client's, and its own calls since number `start`."""
        self.wait_until_ended(start, 1.0)  # the upstream's side may end a moment after the client's
        self.upstream.prime()
        self._unpaired.remove(relay)
        fresh = self._list_fresh(start, relay)
        # The calls that are certainly this request; if there are none, those that are like it.
        kinship = [(call, self.client.compare_calls(relay, call.request)) for call in fresh]
        same = [call for call, kin in kinship if kin is Kinship.SAME]
        mine = same or [call for call, kin in kinship if kin is Kinship.ALIKE]
        misrouted = [] if mine else fresh[:1]
        self._mine.update(map(id, (*mine, *misrouted)))
        # A gateway that polls on its own may have asked the same: the answer is the one that the client got.
        got, records = (client.status, client.body), self.upstream.records(mine)
        calls = sorted(records, key=lambda one: one.status is not None and (one.status, one.body) == got)
        relayed = RelayedExchange(
            name=relay.name,
            client=client,
            upstream=tuple(calls),
            misrouted=self.upstream.records(misrouted),
            pairs=self.client.pairs,
            arrivals=arrivals,
            product=self.client.product,
        )
        if relayed.stayed and not relayed.answered:
            self._given_up.append(relay)
        self.client.note(relayed)
        return relayed

    def _list_fresh(self, start: int, *own: Relay) -> list[UpstreamCall]:
        """The calls since number `start` that certainly are `own`, or belong to no other request.

        The first late call of a request that its client had given up belongs to that request from then on.
        """
        fresh = []
        for call in self.upstream.calls[start:]:
            if id(call) in self._mine:
                continue
            if self._find_sender(own, call):
                fresh.append(call)
            elif late := self._find_sender(self._given_up, call):
                self._given_up.remove(late)
                self._mine.add(id(call))
            elif not self._find_sender(self._unpaired, call):
                fresh.append(call)
        return fresh

    def _find_sender(self, relays: Sequence[Relay], call: UpstreamCall) -> Relay | None:
        """The first of these requests that the call certainly is."""
        kin = (relay for relay in relays if self.client.compare_calls(relay, call.request) is Kinship.SAME)
        return next(kin, None)

    def wait_until_ended(self, start: int, seconds: float) -> None:
        """Wait until no answer to the calls since number `start` is being read."""
        calls = self.upstream.calls
        self.upstream.until(lambda: all(call.ended for call in calls[start:]), seconds if self.real else 0.0)


class InFlightStream:
    """A stream on its way through the gateway, read step by step."""

    def __init__(self, bench: GatewayBench, relay: Relay, timeout: float | None) -> None:
        self.start = bench.begin(relay)
        self.arrivals: tuple[int, ...] | None = None
        self._bench = bench
        self._relay = relay
        self._stream: wire.LiveStream = bench.driver.open(relay.request, timeout=timeout)

    def read(self, events: int) -> list[wire.Frame]:
        """Read the next events; fewer if they do not arrive in time."""
        return self._stream.read(events)

    def finish(self) -> RelayedExchange:
        return self._pair(self._stream.finish())

    def close(self) -> RelayedExchange:
        """Disconnect, and give the upstream time to notice it."""
        client = self._stream.close()
        self._bench.wait_until_ended(self.start, self._bench.client.patience)
        return self._pair(client)

    def _pair(self, client: wire.Exchange) -> RelayedExchange:
        return self._bench.pair(self._relay, client, self.start, self.arrivals)


class AsideRequest:
    """A request whose answer is read on a thread of its own, while others pass."""

    def __init__(self, bench: GatewayBench, aside: RelayAside) -> None:
        self.relay = aside.relay
        self.start = bench.begin(aside.relay)
        self._bench = bench
        self._timeout = aside.timeout
        self._exchange: wire.Exchange | None = None
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._send, name="harness-aside", daemon=True)
        self._thread.start()
        if not bench.real:
            self._thread.join()
        until = time.monotonic() + bench.client.patience
        while self._thread.is_alive() and time.monotonic() < until:
            if bench.upstream.until(self._has_arrived, 0.05):
                break

    def _has_arrived(self) -> bool:
        calls, client = self._bench.upstream.calls[self.start :], self._bench.client
        return any(client.compare_calls(self.relay, call.request) is not Kinship.NONE for call in calls)

    def finish(self) -> RelayedExchange:
        """Wait for the end of its answer. Raises what sending it raised."""
        self._thread.join()
        if self._fault is not None:
            raise self._fault
        assert self._exchange is not None
        return self._bench.pair(self.relay, self._exchange, self.start)

    def _send(self) -> None:
        try:  # opened and not sent, so that closing the driver closes it
            self._exchange = self._bench.driver.open(self.relay.request, timeout=self._timeout).finish()
        except BaseException as fault:
            self._fault = fault
