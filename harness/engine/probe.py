"""Finds out with few requests which capabilities a target has; never probes those that the user declared.

Layer 4. Sends at most `MOST_REQUESTS` requests, not counting the clean-up, repeated GETs of resources that are not
there yet, and repetitions after a crash: a target that crashes now and then does not lack the feature. This is
also the smoke test: a target that cannot be reached, rejects everything or is another API raises TargetFault,
because then there is nothing to judge. The requests are the API's: `Api.load_probes`.

Where responses are slow, several questions run side by side. One that needs the result of another one waits for
it in `why_lacking`, or for its end before it begins (`Question.after`). It waits only for questions before it, so
that the first open one can always go on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any

from msgspec import Struct, field

from harness.engine.capabilities import Capabilities, Capability, CapabilityOrigin
from harness.engine.cleanup import TOGETHER, CreatedResources
from harness.engine.closing_looks import ClosingLooks
from harness.engine.threads import Crew, Shared
from harness.engine.traffic.deadline import TimeUp
from harness.engine.traffic.perform import ActionRunner, GivenIds, RepeatedId, drive
from harness.engine.traffic.retries import missing_answer
from harness.kit.actions import Part, Send
from harness.kit.api import SCRIPTABLE, TWO_KEYS, Api, ApiRequests, Lack, Question
from harness.wire import Driver, Exchange, Request
from harness.wire.json_value import object_or_none

MOST_REQUESTS = 34
_TRIES = 3
"""How often a request is sent that is answered 5xx; whoever crashes each time is not asked on."""


class Probing(Struct, frozen=True, kw_only=True):
    """The results of a probe. `says`: see `checks.Target`; `notes` are sentences that a reader of verdicts needs.

    `trail` are the exchanges, those of the clean-up last; `repeated` are ids that were given twice. If it is
    `unseen`, nothing has looked again at what was created.
    """

    capabilities: Capabilities
    requests: int
    says: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    trail: tuple[Exchange, ...] = ()
    repeated: tuple[RepeatedId, ...] = ()
    unseen: bool = False


class Prober:
    """Probes the capabilities that the user neither declared nor denied.

    `stated` are those that the user declared or denied; `needed` are the capabilities that matter to the
    run. Once `is_late`, it sends nothing more, so that time is left to judge something. If the run is ended
    meanwhile, or where responses are slow, the `ledger` still owes the deletion of created resources.
    `count_readers` returns, given all exchanges so far, how many questions may run side by side; each thread gets
    a driver from `connect`.
    """

    def __init__(
        self,
        api: Api,
        driver: Driver,
        target: ApiRequests,
        stated: Iterable[Capability],
        needed: frozenset[str],
        ledger: CreatedResources | None = None,
        is_late: Callable[[Sequence[Exchange]], bool] = lambda trail: False,
        *,
        connect: Callable[[], Driver] | None = None,
        count_readers: Callable[[Sequence[Exchange]], int] = lambda trail: 1,
        looks: ClosingLooks | None = None,
    ) -> None:
        self.api = api
        self.probes = api.load_probes()
        self._is_late = is_late
        self._connect = connect
        self._count_readers = count_readers
        self._driver = driver
        self._given = GivenIds(api)
        self._stopped = threading.Event()
        self._settled: dict[str, threading.Event] = {}
        self._ended: dict[str, threading.Event] = {}
        self._asked: list[_Asking] = []
        self._readers = 1
        self._looks = looks
        self.target = target
        self.found = Capabilities(stated)
        self.needed = needed
        self.ledger = ledger or CreatedResources(api)
        self._notes: list[str] = []

    def run(self) -> Probing:
        """Ask, clean up, and return what is known. Raises TargetFault if there is nothing to judge."""
        if self.target.other_key:
            self.found.settle(Capability(TWO_KEYS, True, CapabilityOrigin.DECLARED, "a second key was given"))
        requests = 0
        try:
            first = self._new_asking(self._driver)
            self._greet(first)
            first.ask_control()
            self._ask_all()
            requests = len(self._list_trail())
            self._look_again()
        finally:
            for asking in self._asked:
                asking.hand.hang_up()
            if self._readers == 1 or not requests:
                self.ledger.clean(self._driver, together=self._readers)
        for name in self.probes.undiscoverable:
            if self.is_open(name):
                why = "no request can find it: declare it with `--capability`"
                first.settle(name, False, why, Lack.UNDECLARED)
        return Probing(
            capabilities=self.found.in_order(self.api.load_capabilities()),
            requests=requests,
            says=self.target.says,
            notes=(*self._notes, *(note for asking in self._asked for note in asking.notes)),
            trail=(*self._list_trail(), *self.ledger.read_cleanup(self.target.contract)),
            repeated=tuple(again for asking in self._asked for again in asking.hand.repeated),
            unseen=self._readers > 1,
        )

    def _new_asking(self, driver: Driver, settles: tuple[str, ...] = ()) -> _Asking:
        hand = ActionRunner(
            self.api,
            driver,
            self.ledger,
            self.target.contract,
            given=self._given,
            is_halted=self._stopped.is_set,
            overlaps=self._readers > 1,
        )
        self._asked.append(asking := _Asking(self, hand, settles))
        return asking

    def _look_again(self) -> None:
        """Send a closing look at each thing that the questions created; where responses are slow, workers do."""
        for asking in self._asked:
            asking.hand.hang_up()
        if self._looks is None:
            return
        if self._readers > 1:
            self._looks.together = TOGETHER
            return
        hand = self._new_asking(self._driver).hand
        self._looks.send(self.ledger.list_closing_looks(self._list_trail()), hand, one_at_a_time=True)

    def _list_trail(self) -> list[Exchange]:
        """All that was received, in the order in which it ended."""
        trail = [exchange for asking in self._asked for exchange in asking.hand.trail]
        return sorted(trail, key=_ended_at) if self._readers > 1 else trail

    def is_open(self, name: str) -> bool:
        """Whether the capability matters and is not settled yet."""
        return name in self.needed and self.found.get(name) is None

    def settle(self, item: Capability) -> None:
        """Record a capability, and let the questions go on that wait for it."""
        self.found.settle(item)
        if item.name in self._settled:
            self._settled[item.name].set()

    def await_settled(self, name: str) -> None:
        """Wait until a capability is settled, or its question has ended. Raises TimeUp if the run ends."""
        self._await(self._settled, [name])

    def await_end(self, names: Iterable[str]) -> None:
        """Wait until the questions about these capabilities have been asked. Raises TimeUp if the run ends."""
        self._await(self._ended, names)

    def _await(self, events: Mapping[str, threading.Event], names: Iterable[str]) -> None:
        for name in names:
            if (event := events.get(name)) is not None:
                event.wait()
        if self._stopped.is_set():
            raise TimeUp

    def _greet(self, first: _Asking) -> None:
        insist = any(item.how is CapabilityOrigin.DECLARED and item.name != TWO_KEYS for item in self.found)
        greeted = self.probes.greet(self.target, first.send, insist=insist)
        self.greeting = greeted.answer
        self._notes += greeted.notes
        self.target = self.target.with_says(greeted.says)

    def _ask_all(self) -> None:
        """Ask all questions, several at a time if the target and the number of those that are open allow it."""
        questions = self.probes.questions
        several = self._connect is not None and sum(any(map(self.is_open, one.settles)) for one in questions) > 1
        self._readers = self._count_readers(self._asked[0].hand.trail) if several else 1
        if self._connect is None or self._readers == 1:
            for question in questions:
                self._ask_about(question, self._driver)
            return
        connect = self._connect
        names = [name for question in questions for name in question.settles]
        self._settled, self._ended = ({name: threading.Event() for name in names} for _ in range(2))
        crew, waiting = Crew(self._stop), Shared(questions)

        def work() -> None:
            driver = crew.keep(connect())
            with closing(driver):
                for question in waiting:
                    if self._stopped.is_set():
                        break
                    self._ask_about(question, driver)

        crew.run(work, self._readers)

    def _stop(self) -> None:
        """Send nothing more, and release all that wait for the questions left."""
        self._stopped.set()
        for event in (*self._settled.values(), *self._ended.values()):
            event.set()

    def _ask_about(self, question: Question, driver: Driver) -> None:
        """Ask what is open, unless it is late."""
        asking = self._new_asking(driver, question.settles)
        try:
            names = [name for name in question.settles if self.is_open(name)]
            if names and not self._is_late(self._list_trail()):
                self.await_end(question.after)
                question.ask(asking)
                return
            for name in names:
                note = f"the probe of {name} was skipped, because responses are slow"
                self.found.settle(Capability(name, False, CapabilityOrigin.PROBED, note, Lack.UNASKED))
        finally:
            asking.hand.hang_up()
            for events in (self._settled, self._ended):
                for name in question.settles:
                    if name in events:
                        events[name].set()


def _ended_at(exchange: Exchange) -> float:
    return (exchange.began or 0.0) + exchange.seconds


class _Asking:
    """One question: sends its requests, and keeps their exchanges and notes for the reader.

    It `settles` some capabilities itself, so for these it waits for no other question.
    """

    def __init__(self, prober: Prober, hand: ActionRunner, settles: tuple[str, ...]) -> None:
        self._prober = prober
        self._settles = settles
        self.hand = hand
        self.notes: list[str] = []

    @property
    def target(self) -> ApiRequests:
        return self._prober.target

    @property
    def greeting(self) -> Exchange:
        return self._prober.greeting

    def ask(self, request: Request, *names: str) -> Exchange | None:
        """Send a request and return the answer; if none came, None, and these capabilities are assumed present."""
        exchange = self.send(request)
        return exchange if self.has_response(exchange, *names) else None

    def send(self, request: Request) -> Exchange:
        """Send a request, and again if the target crashed over it."""
        for _ in range(_TRIES):
            exchange: Exchange = self.hand.perform(Send(request))
            if exchange.status is None or exchange.status < 500 or not missing_answer(exchange):
                break
        return exchange

    def has_response(self, exchange: Exchange, *names: str) -> bool:
        """Whether an exchange has an answer; if it has none, these capabilities are assumed present."""
        if not missing_answer(exchange):
            return True
        for name in names:
            answer = self._prober.api.format_answer(exchange)
            note = f"its probe returned {answer}: assumed to be offered"
            self._prober.settle(Capability(name, True, CapabilityOrigin.ASSUMED, note))
        return False

    def settle(
        self, name: str, present: bool, note: str, lack: Lack = Lack.REFUSED, *, owing_to: str = ""
    ) -> None:
        """Record whether a capability is present, as observed; if it is not, why, and owing to which other one."""
        known = self._prober.found.get(owing_to)
        first = known.owing_to if known is not None and known.owing_to else owing_to
        remedy = self._prober.probes.remedies.get(name, "")
        origin = CapabilityOrigin.PROBED
        self._prober.settle(Capability(name, present, origin, note, lack, first, remedy))

    def why_lacking(self, name: str) -> Lack | None:
        """Why a requested capability is not present; None if it is, or if that is unknown.

        Waits until an earlier question has settled it.
        """
        if name not in self._settles:
            self._prober.await_settled(name)
        item = self._prober.found.get(name)
        return None if item is None or item.present else item.lack

    def perform(self, part: Part[Any]) -> Any:
        """Play a part of an exercise and return its result."""
        return drive(part, self.hand)

    def ask_control(self) -> None:
        """Ask whether the target has the control API, which announces what it can do."""
        exchange = self.hand.perform(Send(self.target.control("GET", "")))
        value = object_or_none(exchange.body) or {}
        announced = value.get("capabilities")
        if exchange.status != 200 or value.get("harness") != "emulator" or not isinstance(announced, list):
            self.settle(SCRIPTABLE, False, "no control API under /__harness__/")
            return
        found, origin = self._prober.found, CapabilityOrigin.ANNOUNCED
        found.settle(Capability(SCRIPTABLE, True, origin, "the target has the control API"))
        for name in self._prober.needed - {SCRIPTABLE, TWO_KEYS}:
            if name in announced or name not in self._prober.probes.of_path:
                found.settle(Capability(name, name in announced, origin, "reported by its control API"))
