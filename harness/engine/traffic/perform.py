"""Performs the actions of an exercise, and keeps the exchanges in the order in which they ended.

Knows no checks: its caller decides what exchanges mean. The `ledger` gets what they created. What may be a mishap
is sent again beside a sibling, which succeeded before, until `outages` shows whether it is the target's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, TypeVar, cast

from msgspec.structs import replace

from harness.engine.traffic.deadline import TimeUp, hold_interrupts
from harness.engine.traffic.governed_driver import CHANCE, classify
from harness.engine.traffic.ledger import CreatedResources, GivenIds, RepeatedId
from harness.engine.traffic.outages import (
    CROWDED,
    LATER,
    Outages,
    describe_loss,
    has_no_byte,
    is_crash,
    is_cut,
    may_be_mishap,
)
from harness.kit.api import ApiContract, TargetApi
from harness.kit.check import Action, Close, Collect, Finish, Listen, Open, Part, Read, Send, Together, Wait
from harness.outcome import HarnessFault, Unmet
from harness.wire import Driver, Exchange, LiveStream, Request
from harness.wire.delivery import Arrival, Inbox

T = TypeVar("T")

MAX_ACTIONS = 100_000
"""An exercise that asks for more actions than this is treated as an endless loop in our code."""

_STOPPED = "the target stopped responding"

_ASLEEP = "the target was silent to other requests, too"

_FIRST_EVENT_SECONDS = 1.0
"""How long to wait for the event that names what a stream has created, before the stream is hung up."""


def drive(steps: Part[T], hand: ActionRunner) -> T:
    """Perform the actions of an exercise, or of a part of one, and return what it returns. Raises what it raises.

    Raises HarnessFault after `MAX_ACTIONS` actions.
    """
    answer: Any = None
    try:
        for _ in range(MAX_ACTIONS):
            try:
                action = steps.send(answer)
            except StopIteration as stop:
                return cast("T", stop.value)
            answer = hand.perform(action)
    finally:
        steps.close()
    raise HarnessFault(f"an exercise requested more than {MAX_ACTIONS} actions")


@dataclass(eq=False)
class ActionRunner:
    """Performs actions, and remembers the open streams and, in `trail`, the finished exchanges.

    `given` are the ids of the whole run, if they matter; `repeated` gets what was given again here.

    If the answers are to be `judged`, `perform` raises Unmet for one with an excuse: our own haste cut it short,
    or `outages` show it to be none of the target's. Without these every response is the target's.
    """

    api: TargetApi
    driver: Driver
    ledger: CreatedResources
    contract: ApiContract
    _: KW_ONLY
    judged: bool = False
    is_halted: Callable[[], bool] = lambda: False
    given: GivenIds | None = None
    outages: Outages | None = None
    trail: list[Exchange] = field(default_factory=list, init=False)
    repeated: list[RepeatedId] = field(default_factory=list, init=False)
    _open: dict[int, LiveStream] = field(default_factory=dict, init=False)
    _unread: dict[int, Request] = field(default_factory=dict, init=False)
    _receivers: list[Inbox] = field(default_factory=list, init=False)

    def perform(self, action: Action) -> Any:
        """Perform an action and return its result; see `wire.driver`."""
        if self.is_halted():  # the time that others then get is for deleting
            raise TimeUp
        before = len(self.trail)
        try:
            brought = self._perform(action)
        except TimeUp as up:
            if up.exchange is not None:
                self.ledger.note(up.exchange)
            raise
        if self.judged:
            self.refuse_excused(self.trail[before:])
        return brought

    def send(self, request: Request) -> Exchange:
        """Send one request, and again if its response may be a mishap."""
        return cast("Exchange", self.perform(Send(request)))

    def send_all(self, requests: Sequence[Request], at_once: int) -> Iterator[Exchange]:
        """Send requests as `send` does, so many at a time."""
        for first in range(0, len(requests), at_once):
            several = tuple(requests[first : first + at_once])
            yield from self.perform(Together(several)) if len(several) > 1 else map(self.send, several)

    def refuse_excused(self, exchanges: Iterable[Exchange]) -> None:
        """Raise Unmet if one has an excuse: then nothing may be held against the target."""
        for exchange in exchanges:
            if exchange.excuse:
                what = "had no response" if exchange.status is None else "proves nothing"
                raise Unmet(f"{self.api.format_request(exchange)} {what}: {exchange.excuse}")

    def _perform(self, action: Action) -> Any:
        match action:
            case Send(request):
                with self._hold(request):
                    sent: Exchange = self.driver.perform(action)
                    return self._keep(*([sent] if sent.status in action.sees else self._confirm([sent])))
            case Open(request):
                with self._hold(request):
                    stream: LiveStream = self.driver.perform(action)
                    self._open[id(stream)] = stream
                    if request.method == "POST":
                        self._unread[id(stream)] = request
                return stream
            case Together(requests):
                with self._hold(*requests):
                    exchanges = self.driver.perform(replace(action, note=self._note))
                    return [self._keep(exchange) for exchange in self._confirm(exchanges)]
            case Wait(seconds):
                return self.driver.perform(Wait(seconds, is_idle=not self._open))
            case Listen():
                self._receivers.append(receiver := self.driver.listen())
                return receiver
            case Collect():  # deliveries are evidence, too, but nothing in them was created by us
                arrivals: list[Arrival] = self.driver.perform(action)
                self.trail.extend(arrival.exchange for arrival in arrivals)
                for arrival in arrivals:
                    self.api.read(arrival.exchange, self.contract)
                return arrivals
            case Read(stream, events):
                with self._hold_until_read(stream):
                    return stream.read(events)
            case Finish(stream):
                with self._hold_until_read(stream):
                    return self._finish(stream, stream.finish())
            case Close(stream):
                return self._finish(stream, stream.close())
        raise HarnessFault(f"an exercise yielded {action!r}, which is not an action")

    def hang_up(self) -> None:
        """Close every receiver and every stream that is still open; the streams' exchanges are kept too.

        Of an unread create the first event is read, as it names the resource to delete.
        """
        while self._receivers:
            self._receivers.pop().close()
        while self._open:
            key, stream = self._open.popitem()
            try:
                if key in self._unread:
                    stream.hurry(_FIRST_EVENT_SECONDS)
                    stream.read(1)
                self._keep(*self._confirm([stream.close()], is_read=True))
            except TimeUp as up:  # the next request raises it again
                if up.exchange is not None:
                    self._note(up.exchange)

    def _hold(self, *requests: Request) -> AbstractContextManager[None]:
        return hold_interrupts(*requests) if self.ledger.deletes else nullcontext()

    @contextmanager
    def _hold_until_read(self, stream: LiveStream) -> Iterator[None]:
        """The bytes that an interrupt takes from a reader's hand would be those that name what was created."""
        request = self._unread.get(id(stream))
        if request is None:
            yield
            return
        with self._hold(request):
            yield
            del self._unread[id(stream)]

    def _finish(self, stream: LiveStream, exchange: Exchange) -> Exchange:
        """Forget a stream only after its end, so that an interrupted read still gets it closed and noted."""
        self._open.pop(id(stream), None)
        return self._keep(*self._confirm([exchange.with_interruption(self.trail)], is_read=True))

    def _confirm(self, exchanges: list[Exchange], *, is_read: bool = False) -> list[Exchange]:
        """The exchanges that are the target's (`Outages`); for mishaps, the responses when they are sent again."""
        outages = self.outages
        if outages is None or self.is_halted():
            return exchanges
        if len(exchanges) > 1:
            exchanges = self._confirm_at_once(outages, exchanges)
        return [self._confirm_alone(outages, exchange, is_read) for exchange in exchanges]

    def _confirm_at_once(self, outages: Outages, exchanges: list[Exchange]) -> list[Exchange]:
        """Confirm requests that were sent at once, of which some crashed.

        That is the target's if some crash each time that they are sent at once, and none beside it, one by one,
        unless harmless requests at once are cut, too.
        """
        crashed = [one for one in exchanges if is_crash(one) and outages.is_new(one)]
        if not crashed or not all(map(self._is_repeatable, exchanges)):
            return exchanges
        requests, lost, was_gone = tuple(one.request for one in exchanges), crashed, False
        with outages.doubt(*crashed):
            for _ in range(Outages.TIMES - 1):
                is_gone = any(outages.is_gone_since(one, self.driver) for one in lost)
                if is_gone and (was_gone or not outages.await_return(self.driver)):
                    why = CROWDED if outages.is_crowded(self.driver, len(requests)) else _STOPPED
                    return [one.with_excuse(why) if is_cut(one) else one for one in exchanges]
                again: list[Exchange] = self.driver.perform(Together(requests, note=self._note))
                lost, was_gone = [one for one in again if is_crash(one)], is_gone
                if lost:
                    if any(map(has_no_byte, lost)):
                        self.driver.wait(Outages.QUIET)
                    again = list(map(self._send_and_note, requests))
                    if not any(map(is_crash, again)):
                        continue
                outages.note_mishaps(*crashed)
                return again
        if any(map(has_no_byte, crashed)) and outages.is_crowded(self.driver, len(requests)):
            return [one.with_excuse(CROWDED) if is_cut(one) else one for one in exchanges]
        for one in crashed:
            outages.confirm(one)
        return exchanges

    def _confirm_alone(self, outages: Outages, exchange: Exchange, is_read: bool) -> Exchange:
        """A read and a create are the same the second time; what is read, or changes something, is excused.

        A target that is gone meanwhile proves nothing; nor does a loss that its sibling has, too, or now and then.
        """
        if exchange.hung and not exchange.excuse:
            return self._confirm_endless(outages, exchange, is_read)
        if not may_be_mishap(exchange) or not outages.is_new(exchange):
            return exchange
        self._note(exchange)
        tries, was_gone, is_same, sibling_lost = [exchange], False, self._is_repeatable(exchange), set[bool]()
        sibling = outages.find_sibling(exchange.request, self.ledger, len(exchange.body))
        with outages.doubt(exchange):
            for left in reversed(range(Outages.LOSSES - 1 if is_cut(exchange) else Outages.TIMES - 1)):
                if not left and has_no_byte(exchange):
                    self.driver.wait(Outages.QUIET)
                is_gone = outages.is_gone_since(tries[-1], self.driver)
                if is_gone and (was_gone or not outages.await_return(self.driver)):
                    return exchange.with_excuse(_STOPPED)
                if is_cut(exchange) and sibling != exchange.request:
                    sibling_lost.add(is_cut(self._send_and_note(sibling)))
                again, was_gone = self._send_and_note(exchange.request), is_gone
                is_chance = len(sibling_lost) > 1 or (is_same and True in sibling_lost)
                if is_chance or not may_be_mishap(again):
                    outages.note_mishaps(exchange)
                    if is_chance:
                        outages.note_stuck(exchange)
                    if not is_chance and is_same and not is_read:
                        return again
                    return exchange.with_excuse(f"it {describe_loss(exchange)} once, and not again")
                tries.append(again)
        if self._is_limited(outages, exchange):
            outages.limited.append(exchange)
            return exchange.with_excuse(outages.describe_limit())
        outages.confirm(*tries)
        return exchange

    def _is_limited(self, outages: Outages, exchange: Exchange) -> bool:
        """Whether a limit of the rate may be why a request was rejected each time (`Outages`)."""
        accepted = outages.list_accepted(exchange)
        if not accepted or classify(exchange.request) in outages.heard:
            return bool(accepted)
        for request in (exchange.request, accepted[-1]) * (Outages.TIMES - 1):
            self._note(again := self.driver.send(request, sees=LATER))
            if (again.status == exchange.status) is not (request is exchange.request):
                return True
        return False

    def _confirm_endless(self, outages: Outages, stream: Exchange, is_read: bool) -> Exchange:
        """A response without an end is the target's if it responds to others, and if no reading of a stream ends.

        Then the trail keeps the other readings, too. A stream that was read live may lack its end because of what
        happened meanwhile, such as a cancel, so a later reading excuses nothing.
        """
        # A stopped server once lost two cancels in a row, which was taken for its response to them.
        method, _, _, asks_for_stream, _ = classify(stream.request)
        is_readable = method == "GET" and (asks_for_stream or stream.is_stream)
        is_live = is_read and stream.status is not None
        # It may have slept until just before it was asked, and one connection may have been silent, so a target
        # that is known for endless streams still gets a second chance. Without a control that ends, four in a row
        # may be the way's.
        most = Outages.LOSSES if outages.is_new(stream) else 2
        readings, sibling = [stream], outages.find_sibling(stream.request, self.ledger)
        is_same = method != "POST" or self._is_repeatable(stream)
        # A read without a byte is the target's if it never gets one, and another of its form always does.
        is_silent = method == "GET" and stream.status is None and most == Outages.LOSSES
        within, sibling_hung = max(1.0, stream.seconds / (2 if is_readable else 4)), set[bool]()
        while outages.is_awake(self.driver, readings[-1]):
            for _ in range(0 if sibling == stream.request else 1 if is_same else Outages.TIMES - 1):
                beside = self._send_and_note(sibling, within)
                sibling_hung.add(beside.hung)
                if len(sibling_hung) > 1 or (is_same and beside.hung):
                    outages.note_mishaps(stream)
                    outages.note_stuck(stream)
                    return stream.with_excuse(CHANCE)
                most = min(most, Outages.TIMES if beside.succeeded and is_readable else most)
            if not is_readable and (not is_silent or sibling == stream.request):
                return stream
            if len(readings) == most:
                outages.confirm(*readings)
                for reading in readings[1:] if is_readable else ():
                    self._keep(reading)
                return stream
            again = self._send_and_note(stream.request, within)
            if not again.hung or again.excuse:
                if is_live:
                    return stream
                outages.note_mishaps(stream)
                if not is_read and not may_be_mishap(again) and not again.excuse:
                    return again
                return stream.with_excuse(CHANCE)
            readings.append(again)
        return stream.with_excuse(_ASLEEP)

    def _is_repeatable(self, exchange: Exchange) -> bool:
        request = exchange.request
        return request.method == "GET" or request.segments[-1:] == (self.api.collection,)

    def _send_and_note(self, request: Request, timeout: float | None = None) -> Exchange:
        self._note(exchange := self.driver.send(request, timeout=timeout))
        return exchange

    def _keep(self, exchange: Exchange) -> Exchange:
        self._note(exchange)
        self.trail.append(exchange)
        return exchange

    def _note(self, exchange: Exchange) -> None:
        self.api.read(exchange, self.contract)  # all who read it later judge by this contract
        self.ledger.note(exchange)
        if self.given is not None and (again := self.given.note(exchange, self.ledger)) is not None:
            self.repeated.append(again)
