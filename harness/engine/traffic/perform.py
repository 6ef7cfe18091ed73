"""Performs the actions of an exercise, keeps the exchanges, and keeps track of what they created.

Knows no checks: the caller that runs an exercise decides what its exchanges mean. `CreatedResources` reads from
the exchanges what is still to be deleted at the target; checks never clean up.

`Outages` notes the times at which a target gave no response, and mishaps: failures that do not come again. A
refused connection proves nothing about the request that would have been sent on it. The target may have cut a
response short itself, or have ended. So an earlier request is sent once more: a target that lives responds to it.
What an exercise sees in an outage, also that resources are lost, is not held against the target. At the end
`find_deaths` finds out whether a request was its end.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import chain
from typing import Any, TypeVar, cast

from msgspec import Struct
from msgspec.structs import replace

from harness.engine.origins import referenced_ids
from harness.engine.traffic.deadline import TimeUp, hold_interrupts
from harness.engine.traffic.governed_driver import CHANCE, Attempt, DriverPolicy, Form, TimeoutBudget, classify
from harness.engine.traffic.retries import LATER, is_crash, is_cut, may_be_mishap
from harness.kit.api import ApiContract, TargetApi
from harness.kit.check import Action, Close, Collect, Finish, Listen, Open, Part, Read, Send, Together, Wait
from harness.outcome import Finding, HarnessFault, Unmet
from harness.outcome.words import format_count, quote_body
from harness.wire import At, By, Driver, Exchange, How, LiveStream, Request
from harness.wire.bodies import object_or_none
from harness.wire.delivery import Arrival, Inbox
from harness.wire.message import NOT_READY


class Departure(Struct):
    """A target that stopped responding, so many seconds into the run.

    `suspects` are the requests that it got last, the last one first: those that were cut off, else the last one
    with a response. `back`: it has responded again since. It was `asked` so often for the control.
    """

    seconds: float
    suspects: tuple[Exchange, ...]
    back: bool = False
    asked: int = 0


class Outages(DriverPolicy):
    """Notes, for all drivers of one run, when the target was gone; several threads may share one.

    The first GET with a whole response that is no stream becomes the control.

    A crash, a limit of requests or a cut response of a target that lives is its own if the same request has it
    `TIMES` in a row, or `LOSSES` if it is cut. Another request of its form, which succeeded before, is sent in
    between: if that is lost, too, the request is not the reason. From then on such a response to such a request
    is taken for the target's at once, as it fails anyway. Any other one is a mishap, perhaps of the way.

    If a request that was rejected for now is accepted later, the target, or a proxy before it, rejects by rate.
    From then on no rejection with that status is the target's: other requests may be why one never got through.
    But a call that never succeeds is down by itself, if what was accepted later is so just after it, each time.
    """

    TIMES = 4
    """Three may be a front end that starts again; more would take long where each request crashes."""

    LOSSES = 8
    """A way that lost five of six resumes once lost the same one four times in a row."""

    QUIET = 1.0
    """Seconds to wait before what is lost each time is held against the target: some count a connection for a
    while after its end, so that each of several in a row was refused, whatever it asked."""

    def __init__(self) -> None:
        self.timeouts = TimeoutBudget()
        self.seen = 0
        self.mishaps: list[Exchange] = []
        """What the same request did not have when it was sent again."""
        self.silences: list[tuple[Exchange, ...]] = []
        """Requests that got no byte, with each time that they were sent."""
        self.limited: list[Exchange] = []
        """Rejections that a limit of the rate explains."""
        self._is_full = False
        """Whether the target limits its connections."""
        self._stuck: dict[Form, tuple[Exchange, int, Exchange | None]] = {}
        """The forms of requests that fail each time: a loss, and the streams left and the last response before."""
        self._left = 0
        self._last: dict[tuple[object, ...], Exchange] = {}
        self._rejected: dict[tuple[str, str, bytes], tuple[int, Request | None]] = {}
        """The statuses of requests that were rejected for now, and those requests that were accepted later."""
        self._confirmed: set[tuple[object, ...]] = set()
        self.heard: dict[Form, dict[tuple[str, bytes], tuple[Request, int]]] = defaultdict(dict)
        """The requests of each form that succeeded, the last one last, with the bytes that they got."""
        self._quickest, self._times = float("inf"), [0.0]
        """Seconds of the quickest rejection, and of each success: a time limit separates them."""
        self.departures: list[Departure] = []
        self._begun = time.perf_counter()
        self._control: Request | None = None
        self._answered: Exchange | None = None
        self._cut: list[Exchange] = []
        self._lock = threading.Lock()
        self._waiting = threading.Lock()
        self._doubts = 0
        self._decided = threading.Condition()

    @property
    def gone(self) -> Departure | None:
        """How the target went away, if it has not come back."""
        return self.departures[-1] if self.departures and not self.departures[-1].back else None

    def after(self, attempt: Attempt, exchange: Exchange) -> Exchange:
        """Note what may be asked again, or a connection that was refused: that proves nothing."""
        with self._lock:
            self._left += exchange.ending.by is By.CLIENT
            if is_nobody(exchange):
                self._note_departure()
                return exchange.with_excuse(f"connection refused by the target: {exchange.ending.detail}")
            if is_cut(exchange) and exchange.request is not self._control:
                self._cut.append(exchange)
            elif exchange.status is not None and exchange.status not in NOT_READY:
                self._note_life(exchange)
                form = classify(exchange.request)
                self._last[form[:3]] = exchange
                if exchange.complete and exchange.succeeded:
                    self._times.append(exchange.seconds)
                    heard = self.heard[form]
                    heard.pop(key := (exchange.request.target, exchange.request.body), None)
                    heard[key] = exchange.request, len(exchange.body)
                    self._stuck.pop(form, None)
            sent = exchange.request.method, exchange.request.target, exchange.request.body
            if exchange.status in LATER:
                self._rejected[sent] = exchange.status, self._rejected.get(sent, (0, None))[1]
                self._quickest = min(self._quickest, exchange.seconds)
            elif sent in self._rejected and exchange.succeeded:
                self._rejected[sent] = self._rejected[sent][0], exchange.request
        return exchange

    def describe_rejections(self) -> Iterator[str]:
        """Clauses about calls that are down, and about a limit of the rate that kept others from being judged."""
        for form, (lost, number, last) in self._stuck.items():
            call = f"{'the stream of ' * form[3]}{lost.request.method} {lost.request.raw_path}"
            since = " since" if form in self.heard else ""
            left = f"; the client had left {format_count(number, 'stream')} before" if form[3] and number else ""
            if lost.hung and last is not None and not last.succeeded:  # it may have kept a lock
                left += f"; the last response before was {last.status}, to {quote_body(last.request.body, 100)}"
            yield f"{call} {describe_loss(lost)}, and no request like it succeeded{since}{left}"
        for first in self.limited[:1]:
            rejected = [status for status, _ in self._rejected.values()].count(first.status or 0)
            yield (
                f"{self.describe_limit()}: of {rejected} that it rejected with {first.status}, "
                f"{len(self.list_accepted(first))} were accepted later, some never (first {first.request.method} "
                f"{first.request.raw_path}); run with `-j 1` and `--rate N`, or raise the limit for this run"
            )
        if self._is_full:
            yield f"{_CROWDED}; run with `-j 1`, or raise the limit for this run"

    def describe_limit(self) -> str:
        """Name what a limit bounds: the time, if no rejection was quicker than the successes (but a few)."""
        is_timed = self._quickest > max(0.1, 0.9 * sorted(self._times)[-1 - len(self._times) // 20])
        timed = f"the time of a response, or of its queue, to {self._quickest:.2g} s" if is_timed else ""
        return f"the target, or a proxy before it, limits {timed or 'the rate or number of requests'}"

    def list_accepted(self, exchange: Exchange) -> list[Request]:
        """The requests that were accepted after they had been rejected like this one: by a limit of the rate."""
        return [request for status, request in [*self._rejected.values()] if request and status == exchange.status]

    def describe(self, since: int, trail: Sequence[Exchange], driver: Driver) -> str:
        """A sentence about an outage in an exercise, `""` without one; `since` is the number `seen` at its begin.

        If a response was cut off and nothing else decides, the control is sent. A target that is gone is given
        some seconds to come back, once. Raises TimeUp as any request does.
        """
        with self._decided:  # another worker may be about to find that the target was gone for a moment
            self._decided.wait_for(lambda: not self._doubts)
        lost = next((exchange for exchange in trail if is_nobody(exchange) or is_cut(exchange)), None)
        if self.seen == since and (lost is None or not self.is_gone_since(lost, driver)):
            return ""
        self.await_return(driver)
        if lost is None:
            return "the target was down for some time"
        how = f"was not sent ({lost.ending.detail})" if is_nobody(lost) else describe_loss(lost)
        return f"the target stopped responding: {lost.request.method} {lost.request.raw_path} {how}"

    def await_return(self, driver: Driver) -> bool:
        """Whether the target is there; a supervisor gets three seconds to start one that is gone.

        One worker asks, and the others wait for what it sees.
        """
        with self._waiting:
            while (gone := self.gone) is not None and self._control is not None and gone.asked < 12:
                gone.asked += 1
                driver.wait(0.25)
                self.ask_control(driver)
            return gone is None

    def ask_control(self, driver: Driver, timeout: float | None = None) -> Exchange | None:
        """Repeat an earlier request with a response; None if there is none."""
        if self._control is None:
            return None
        exchange = driver.send(self._control, timeout=timeout, sees=LATER)
        if is_gone(exchange):
            with self._lock:
                self._note_departure()
        return exchange

    def is_gone_since(self, exchange: Exchange, driver: Driver) -> bool:
        """Whether the target that cut an exchange answers nothing else, either: then that proves nothing."""
        control = self.ask_control(driver) if is_cut(exchange) else None
        return control is not None and is_gone(control)

    def is_awake(self, driver: Driver, hung: Exchange) -> bool:
        """Whether the target answers something else while a response has no end: else it is stopped, or too busy.

        That the end is missing is seen by our limit only, so the control has a tenth of the time that it had, or
        the second that an answer may take on a busy machine.
        """
        control = self.ask_control(driver, within := max(1.0, hung.seconds / 10))
        return control is None or (not control.hung and control.seconds <= within)

    def is_crowded(self, driver: Driver, number: int) -> bool:
        """Whether so many harmless requests at once are cut, too: the target, or a proxy, limits connections."""
        if self._control is None or self._is_full or not self.await_return(driver):
            return self._is_full
        crowd = Together((self._control,) * number)
        self._is_full = any(any(map(is_cut, driver.perform(crowd))) for _ in range(self.TIMES))
        return self._is_full

    def is_new(self, exchange: Exchange) -> bool:
        """Whether such a response to such a request is not known to be the target's."""
        is_down = classify(exchange.request) in self._stuck
        is_known = _kind_of(exchange) in self._confirmed and (is_down or not self.list_accepted(exchange))
        return not exchange.excuse and not is_known

    def find_heard(self, request: Request, ledger: CreatedResources, size: int = 0) -> Request:
        """The last other request of the same form that succeeded; the request itself if none did.

        It is about what only the owner of the ledger deletes, if one is: a control that another exercise had
        deleted meanwhile was rejected, and so a crash that came each time was taken for a chance. If one got more
        than `size` bytes, it did: the rest of another stream once ended before the place where this one was cut.
        """
        known = [*self.heard.get(classify(request), {}).values()]  # a copy: other workers add to it
        others = [(one, length) for one, length in known if one != request] or [(request, 0)]
        heard = [one for one, length in others if length > size] or [one for one, _ in others]
        return next(filter(ledger.owes_all_of, reversed(heard)), heard[-1])

    @contextmanager
    def doubt(self, *exchanges: Exchange) -> Iterator[None]:
        """While requests are sent again: what no byte answers may be an outage, also for the other workers."""
        doubts = sum(map(_has_no_byte, exchanges))
        with self._decided:
            self._doubts += doubts
        try:
            yield
        finally:
            with self._decided:
                self._doubts -= doubts
                self._decided.notify_all()

    def note_mishaps(self, *exchanges: Exchange) -> None:
        """Keep responses that repeated requests did not get again; without a byte, they count as an outage."""
        with self._lock:
            self.mishaps += exchanges
            self.seen += any(map(_has_no_byte, exchanges))

    def confirm(self, *times: Exchange) -> None:
        """Take such responses to such requests for the target's; `times` are those to one request."""
        self._confirmed.add(_kind_of(times[0]))
        if times[0].status in LATER:
            self.note_stuck(times[0])
        if all(map(_has_no_byte, times)) or (len(times) == self.LOSSES and not any(one.status for one in times)):
            self.silences.append(times)

    def note_stuck(self, exchange: Exchange) -> None:
        """Note that a request fails, and so does one of its form that succeeded before, if there is one."""
        if exchange.hung:
            self.timeouts.shorten(exchange)
        form = classify(exchange.request)
        self._stuck.setdefault(form, (exchange, self._left, self._last.get(form[:3])))

    def _note_departure(self) -> None:
        """Note that the target is gone, and if it just went, the last requests that it got before."""
        self.seen += 1
        if self.gone is not None:
            return
        # What was sent after another one had been cut off found a target that was dying already.
        first = [cut for cut in self._cut if not any(_is_after(cut, one) for one in self._cut if one is not cut)]
        answered = () if self._answered is None else (self._answered,)
        suspects = tuple(reversed(first or self._cut)) or answered
        if suspects:
            self.departures.append(Departure(time.perf_counter() - self._begun, suspects))

    def _note_life(self, exchange: Exchange) -> None:
        """Note a response: its process has outlived the requests that were cut off before it was sent."""
        self._answered = exchange
        whole = exchange.complete and exchange.status not in NOT_READY and not exchange.is_stream
        if self._control is None and whole and exchange.request.method == "GET":
            self._control = exchange.request
        self._cut = [cut for cut in self._cut if not _is_after(exchange, cut)]
        if (gone := self.gone) is not None and all(_is_after(exchange, cut) for cut in gone.suspects):
            gone.back = True


def is_nobody(exchange: Exchange) -> bool:
    """Whether no connection came about, so that the request was never sent."""
    ending = exchange.ending
    return exchange.status is None and ending.how is How.REFUSED and ending.at is At.BEFORE_HEADERS


def is_gone(control: Exchange) -> bool:
    """Whether the response to the control shows that the target is gone."""
    return is_nobody(control) or control.status in NOT_READY or _has_no_byte(control)


def _has_no_byte(exchange: Exchange) -> bool:
    """Whether the target ended the connection before the first byte of a response."""
    return exchange.status is None and is_cut(exchange)


def describe_loss(exchange: Exchange) -> str:
    """How a response was lost."""
    how = f"returned {exchange.status}" if exchange.complete else f"was cut ({exchange.ending.words})"
    return "did not end" if exchange.hung else how


def _kind_of(exchange: Exchange) -> tuple[object, ...]:
    return exchange.request.method, len(exchange.request.segments), exchange.status, exchange.ending.how


def _is_after(exchange: Exchange, other: Exchange) -> bool:
    """Whether a request was sent after the answer to another one had ended."""
    if exchange.began is None or other.began is None:
        return True
    return exchange.began >= other.began + other.seconds


# Autopsy: whether a request was the end of a target that went away during a run and came back.
# Another cause may have stopped the target, so only a repeated stop is a defect: its last request
# is sent once more, alone, between two requests that are known to be harmless. Must not know what is judged.


_MOST = 4
"""Most departures that are looked into, and most suspects of each: every one may cost a restart."""


class Death(Struct, frozen=True):
    """A request at which the target stopped in the run, and what was sent `again`: it, between two harmless ones.

    If the target `lives`, only the worker that got the request may have ended: where a supervisor owns the socket,
    no connection is refused.
    """

    first: Exchange
    again: tuple[Exchange, ...]
    lives: bool = False

    @property
    def story(self) -> tuple[Exchange, ...]:
        """The exchanges that a person needs, in their order."""
        return self.first, *self.again


def find_deaths(outages: Outages, driver: Driver, note: Callable[[Exchange], object]) -> Iterator[Death]:
    """The deaths that come again, one for each time that the target went away. Raises TimeUp as any request does.

    What is sent again may create something: `note` gets each answer.
    """
    for departure in outages.departures[:_MOST]:
        death = _find_death(departure, outages, driver, note)
        outages.await_return(driver)
        if death is not None:
            yield death


def _find_death(
    departure: Departure, outages: Outages, driver: Driver, note: Callable[[Exchange], object]
) -> Death | None:
    for suspect in departure.suspects[:_MOST]:
        death = None
        while True:
            before = outages.ask_control(driver) if outages.await_return(driver) else None
            if before is None or is_gone(before):
                return death
            again = driver.send(suspect.request)
            note(again)
            cut = _has_no_byte(again)
            if not cut:
                driver.wait(0.25)  # it may die after it has answered
            after = outages.ask_control(driver)
            if after is None or not (cut or is_gone(after)):
                break
            if death is not None:
                return death
            death = Death(suspect, (before, again, after))
            driver.wait(Outages.QUIET)
    return None


_GONE = frozenset({404, 410})


class CreatedResources:
    """Created resources by path; several threads may note exchanges at once.

    Unless it `deletes` them at all, no interrupt has to wait for the response that names one.
    """

    def __init__(self, api: TargetApi, *, deletes: bool = True) -> None:
        self.deletes = deletes
        self._api = api
        self._owed: dict[tuple[str, ...], Request] = {}
        self._open: dict[tuple[str, ...], tuple[Request, Request]] = {}
        self._keys: dict[str, str] = {}
        self._lock = threading.Lock()
        self.sent: list[Exchange] = []
        """The deletions of the last clean-up."""

    @property
    def owed(self) -> list[str]:
        """Paths of the resources that were created and not deleted."""
        return ["/" + "/".join(segments) for segments in self._owed]

    def owes_all_of(self, request: Request) -> bool:
        """Whether all that a request refers to was created here, and is not deleted."""
        return {path[-1] for path in self._owed}.issuperset(referenced_ids(request, self._api))

    def note(self, exchange: Exchange) -> None:
        """Record what one finished exchange created or deleted."""
        request = exchange.request
        with self._lock:
            if key := request.headers.get(self._api.key_header):
                self._keys[request.raw_path] = key
            if request.method == "DELETE" and _is_deleted(exchange):
                self._owed.pop(request.segments, None)
            for delete in self._api.list_deletes(exchange):
                self._owed[delete.segments] = self._with_key(delete, request.raw_path)
            if (naming := self._api.new_naming_request(exchange)) is not None:
                self._open[naming.segments] = (naming, request)

    def list_closing_reads(self, trail: Sequence[Exchange]) -> list[Request]:
        """The reads of all that an exercise created and left, but of what several of them have shown as settled.

        A run that was only created, or read once, is compared with nothing else; one that should not be kept must
        not be found. Where an answer did not end in time, no other one is waited for.
        """
        if any(exchange.hung for exchange in trail):
            return []
        reads: dict[tuple[str, ...], Request] = {}
        settled: Counter[tuple[str, ...]] = Counter()
        for exchange in trail:
            request = exchange.request
            if request.method == "GET" and not request.query and self._shows_settled(exchange):
                settled[request.segments] += 1
            for delete in self._api.list_deletes(exchange):
                reads[delete.segments] = Request("GET", delete.target.partition("?")[0], delete.headers)
        with self._lock:
            owed = self._owed.keys()
            # After two reads of a settled run a third one would tell nothing new: these were compared.
            return [read for path, read in reads.items() if path in owed and settled[path] < 2]

    def _shows_settled(self, exchange: Exchange) -> bool:
        if not self._is_run(exchange.request):  # what is no run does not go on
            return exchange.succeeded
        found = self._api.read_status(object_or_none(exchange.body) or {}) if exchange.succeeded else None
        return found is not None and self._api.is_settled(found[1])

    def clean(
        self, send: Callable[[Request], Exchange], at_once: Callable[..., Iterable[Exchange]] = map
    ) -> list[str]:
        """Delete what is owed, newest first, and return the paths that could not be deleted.

        A run in progress may refuse its deletion, so it is cancelled before a second attempt. If `send` raises,
        what is left is still owed. Deletions of runs may be sent `at_once`; `map` sends one after the other.
        """
        self.sent = []
        self._ask_for_names(send)
        with self._lock:
            newest = list(self._owed.values())[::-1]
        # Nothing needs a run, and a run may need anything else: runs come first, then what is newest.
        runs, others = ([one for one in newest if self._is_run(one) is is_run] for is_run in (True, False))
        left = []
        for delete, sent in zip((*runs, *others), chain(at_once(send, runs), map(send, others)), strict=True):
            self.sent.append(sent)
            # Where it was lost on the way, `send` may have sent and noted it once more.
            is_gone = _is_deleted(sent) or delete.segments not in self._owed
            if not is_gone and (sent.status is None or not self._stop_and_delete(send, delete)):
                left.append("/" + "/".join(delete.segments))
            with self._lock:
                self._owed.pop(delete.segments, None)
        return left

    def _is_run(self, request: Request) -> bool:
        return self._api.collection in request.segments

    def _ask_for_names(self, send: Callable[[Request], Exchange]) -> None:
        """Ask what else was made by creates whose answers did not tell, as long as they are not deleted."""
        with self._lock:
            pairs = [pair for path, pair in self._open.items() if path in self._owed]
            self._open.clear()
        for naming, request in pairs:
            self.note(replace(send(naming), request=request))

    def _with_key(self, delete: Request, path: str) -> Request:
        """The request with a key: the last part of an upload has none, but a request for its path had one."""
        key = self._keys.get(path)
        if key is None or delete.headers.get(self._api.key_header) or "authorization" in delete.headers:
            return delete
        return Request("DELETE", delete.target, delete.headers.having(self._api.key_header, key))

    def _stop_and_delete(self, send: Callable[[Request], Exchange], delete: Request) -> bool:
        """Stop what refused its deletion, and delete it; whether it is gone."""
        stop = self._api.new_stop_request(delete.segments, delete.headers)
        if stop is None:
            return False
        send(stop)
        return _is_deleted(send(delete))


def _is_deleted(deleted: Exchange) -> bool:
    return deleted.succeeded or deleted.status in _GONE


# The ids that the creates of a run returned: one that comes again identifies nothing.
# All workers of a run share one, unless each has a session of its own, in which ids may be what they are
# elsewhere. If another create got the same id meanwhile, an exercise may have seen the effects of that one.
# Must not know what is judged.


class GivenId(Struct, frozen=True):
    """A create that returned an id, by its caller, at a time on the clock of this process."""

    exchange: Exchange
    owner: object
    moment: float


class RepeatedId(Struct, frozen=True):
    """A create that returned an id of an earlier one, and the finding about that."""

    exchange: Exchange
    earlier: Exchange
    finding: Finding


class GivenIds:
    """The owners of all given ids; several threads may note exchanges at once."""

    def __init__(self, api: TargetApi) -> None:
        self._api = api
        self._given: dict[str, list[GivenId]] = defaultdict(list)
        self._repeats = False
        self._lock = threading.Lock()

    def note(self, exchange: Exchange, owner: object) -> RepeatedId | None:
        """Record what a finished exchange was given; what is wrong if another create was given that before.

        The owner is who deletes what it made, whenever it is through.
        """
        identity = self._api.read_new_id(exchange)
        if not identity:
            return None
        with self._lock:
            given = self._given[identity]
            if any(known.exchange is exchange for known in given):  # one of several at once is noted twice
                return None
            found = next(iter(self._api.judge_new_id([identity] if given else [], identity)), None)
            given.append(GivenId(exchange, owner, time.perf_counter()))
            self._repeats |= len(given) > 1
        return None if found is None else RepeatedId(exchange, given[0].exchange, found)

    def judge_shared(self, trail: Iterable[Exchange], owner: object, since: float) -> dict[str, Finding]:
        """The finding about each id in a trail that several creates were given: of this owner since a time, and
        of all others.
        """
        if not self._repeats:
            return {}
        shared = {}
        for identity in {self._api.read_new_id(exchange) for exchange in trail}:
            with self._lock:
                others = list(self._given.get(identity, ()))
            if sum(given.moment >= since or given.owner is not owner for given in others) > 1:
                shared[identity] = next(iter(self._api.judge_new_id([identity], identity)))
        return shared

    def forget(self) -> None:
        """Forget all ids: a target that was gone for a while may have forgotten them, too."""
        with self._lock:
            self._given.clear()


T = TypeVar("T")

MAX_ACTIONS = 100_000
"""An exercise that asks for more actions than this is treated as an endless loop in our code."""

_STOPPED = "the target stopped responding"

_CROWDED = "the target, or a proxy before it, limits connections: harmless requests at once are cut, too"

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


class ActionRunner:
    """Performs actions, and remembers the open streams and, in `trail`, the finished exchanges.

    `given` are the ids of the whole run; `repeated` gets what was given again here.

    If the answers are to be `judged`, `perform` raises Unmet for one with an excuse: our own haste cut it short,
    or `outages` show it to be none of the target's. Without these every response is the target's.
    """

    def __init__(
        self,
        api: TargetApi,
        driver: Driver,
        ledger: CreatedResources,
        contract: ApiContract,
        *,
        judged: bool = False,
        is_halted: Callable[[], bool] = lambda: False,
        given: GivenIds | None = None,
        outages: Outages | None = None,
    ) -> None:
        self._outages = outages
        self._is_halted = is_halted
        self._given = GivenIds(api) if given is None else given
        self._api = api
        self._driver = driver
        self._ledger = ledger
        self._contract = contract
        self._judged = judged
        self._open: dict[int, LiveStream] = {}
        self._unread: dict[int, Request] = {}
        self._receivers: list[Inbox] = []
        self.trail: list[Exchange] = []
        self.repeated: list[RepeatedId] = []

    def perform(self, action: Action) -> Any:
        """Perform an action and return its result; see `wire.driver`."""
        if self._is_halted():  # the time that others then get is for deleting
            raise TimeUp
        before = len(self.trail)
        try:
            brought = self._perform(action)
        except TimeUp as up:
            if up.exchange is not None:
                self._ledger.note(up.exchange)
            raise
        if self._judged:
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
                raise Unmet(f"{self._api.format_request(exchange)} {what}: {exchange.excuse}")

    def _perform(self, action: Action) -> Any:
        match action:
            case Send(request):
                with self._hold(request):
                    sent: Exchange = self._driver.perform(action)
                    return self._keep(*([sent] if sent.status in action.sees else self._confirm([sent])))
            case Open(request):
                with self._hold(request):
                    stream: LiveStream = self._driver.perform(action)
                    self._open[id(stream)] = stream
                    if request.method == "POST":
                        self._unread[id(stream)] = request
                return stream
            case Together(requests):
                with self._hold(*requests):
                    exchanges = self._driver.perform(replace(action, note=self._note))
                    return [self._keep(exchange) for exchange in self._confirm(exchanges)]
            case Wait(seconds):
                return self._driver.perform(Wait(seconds, is_idle=not self._open))
            case Listen():
                self._receivers.append(receiver := self._driver.listen())
                return receiver
            case Collect():  # deliveries are evidence, too, but nothing in them was created by us
                arrivals: list[Arrival] = self._driver.perform(action)
                self.trail.extend(arrival.exchange for arrival in arrivals)
                for arrival in arrivals:
                    self._api.read(arrival.exchange, self._contract)
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
        return hold_interrupts(*requests) if self._ledger.deletes else nullcontext()

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
        outages = self._outages
        if outages is None or self._is_halted():
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
                is_gone = any(outages.is_gone_since(one, self._driver) for one in lost)
                if is_gone and (was_gone or not outages.await_return(self._driver)):
                    why = _CROWDED if outages.is_crowded(self._driver, len(requests)) else _STOPPED
                    return [one.with_excuse(why) if is_cut(one) else one for one in exchanges]
                again: list[Exchange] = self._driver.perform(Together(requests, note=self._note))
                lost, was_gone = [one for one in again if is_crash(one)], is_gone
                if lost:
                    if any(map(_has_no_byte, lost)):
                        self._driver.wait(Outages.QUIET)
                    again = list(map(self._send_and_note, requests))
                    if not any(map(is_crash, again)):
                        continue
                outages.note_mishaps(*crashed)
                return again
        if any(map(_has_no_byte, crashed)) and outages.is_crowded(self._driver, len(requests)):
            return [one.with_excuse(_CROWDED) if is_cut(one) else one for one in exchanges]
        for one in crashed:
            outages.confirm(one)
        return exchanges

    def _confirm_alone(self, outages: Outages, exchange: Exchange, is_read: bool) -> Exchange:
        """A read and a create are the same the second time; what is read, or changes something, is excused.

        A target that is gone meanwhile proves nothing: it was stopped, perhaps by another request.
        """
        if exchange.hung and not exchange.excuse:
            return self._confirm_endless(outages, exchange, is_read)
        if not may_be_mishap(exchange) or not outages.is_new(exchange):
            return exchange
        self._note(exchange)
        times, was_gone, is_same = [exchange], False, self._is_repeatable(exchange)
        heard, was_lost = outages.find_heard(exchange.request, self._ledger, len(exchange.body)), set[bool]()
        with outages.doubt(exchange):
            for left in reversed(range(Outages.LOSSES - 1 if is_cut(exchange) else Outages.TIMES - 1)):
                if not left and _has_no_byte(exchange):
                    self._driver.wait(Outages.QUIET)
                is_gone = outages.is_gone_since(times[-1], self._driver)
                if is_gone and (was_gone or not outages.await_return(self._driver)):
                    return exchange.with_excuse(_STOPPED)
                if is_cut(exchange) and heard != exchange.request:
                    was_lost.add(is_cut(self._send_and_note(heard)))
                again, was_gone = self._send_and_note(exchange.request), is_gone
                is_chance = len(was_lost) > 1 or (is_same and True in was_lost)
                if is_chance or not may_be_mishap(again):
                    outages.note_mishaps(exchange)
                    if is_chance:
                        outages.note_stuck(exchange)
                    if not is_chance and is_same and not is_read:
                        return again
                    return exchange.with_excuse(f"it {describe_loss(exchange)} once, and not again")
                times.append(again)
        if self._is_limited(outages, exchange):
            outages.limited.append(exchange)
            return exchange.with_excuse(outages.describe_limit())
        outages.confirm(*times)
        return exchange

    def _is_limited(self, outages: Outages, exchange: Exchange) -> bool:
        """Whether a limit of the rate may be why a request was rejected each time (`Outages`)."""
        accepted = outages.list_accepted(exchange)
        if not accepted or classify(exchange.request) in outages.heard:
            return bool(accepted)
        for request in (exchange.request, accepted[-1]) * (Outages.TIMES - 1):
            self._note(again := self._driver.send(request, sees=LATER))
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
        times, heard = [stream], outages.find_heard(stream.request, self._ledger)
        is_same = method != "POST" or self._is_repeatable(stream)
        # A read without a byte is the target's if it never gets one, and another of its form always does.
        is_silent = method == "GET" and stream.status is None and most == Outages.LOSSES
        within, was_lost = max(1.0, stream.seconds / (2 if is_readable else 4)), set[bool]()
        while outages.is_awake(self._driver, times[-1]):
            for _ in range(0 if heard == stream.request else 1 if is_same else Outages.TIMES - 1):
                control = self._send_and_note(heard, within)
                was_lost.add(control.hung)
                if len(was_lost) > 1 or (is_same and control.hung):
                    outages.note_mishaps(stream)
                    outages.note_stuck(stream)
                    return stream.with_excuse(CHANCE)
                most = min(most, Outages.TIMES if control.succeeded and is_readable else most)
            if not is_readable and (not is_silent or heard == stream.request):
                return stream
            if len(times) == most:
                outages.confirm(*times)
                for reading in times[1:] if is_readable else ():
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
            times.append(again)
        return stream.with_excuse(_ASLEEP)

    def _is_repeatable(self, exchange: Exchange) -> bool:
        request = exchange.request
        return request.method == "GET" or request.segments[-1:] == (self._api.collection,)

    def _send_and_note(self, request: Request, timeout: float | None = None) -> Exchange:
        self._note(exchange := self._driver.send(request, timeout=timeout))
        return exchange

    def _keep(self, exchange: Exchange) -> Exchange:
        self._note(exchange)
        self.trail.append(exchange)
        return exchange

    def _note(self, exchange: Exchange) -> None:
        self._api.read(exchange, self._contract)  # all who read it later judge by this contract
        self._ledger.note(exchange)
        if (again := self._given.note(exchange, self._ledger)) is not None:
            self.repeated.append(again)
