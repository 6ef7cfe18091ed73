"""Finds out with few requests what a target can do; never asks about what the user declared.

Layer 4. Sends at most `MOST_REQUESTS` requests, not counting the clean-up, repeated looks at what is not there
yet, and what is asked again because it crashed: who crashes now and then does not lack what was asked for. This is
also the smoke test: a target that cannot be reached, refuses everything or is another API raises TargetFault,
because then there is nothing to judge. The requests are the API's: `Api.load_probes`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.engine.capabilities import Capabilities, Capability, CapabilityOrigin
from harness.engine.cleanup import CreatedResources
from harness.engine.traffic.perform import ActionRunner, RepeatedId, drive
from harness.engine.traffic.retries import missing_answer
from harness.kit.actions import Part, Send
from harness.kit.api import SCRIPTABLE, TWO_KEYS, Api, ApiRequests, Lack, Question
from harness.wire import Driver, Exchange, Request
from harness.wire.json_value import object_or_none

MOST_REQUESTS = 34
_TRIES = 3
"""How often a request is sent that is answered 5xx; whoever crashes each time is not asked on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probing:
    """What a probe found. `says`: see `checks.Target`; `notes` are sentences that a reader of verdicts needs.

    `trail` are the answers, those to the clean-up last; `repeated` are ids that were given twice.
    """

    capabilities: Capabilities
    requests: int
    says: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    trail: tuple[Exchange, ...] = ()
    repeated: tuple[RepeatedId, ...] = ()


class Prober:
    """Asks the target about the capabilities that the user said nothing about.

    `said` is what the user declared or denied; `needed` are the capabilities that matter to the run. Once
    `is_late`, nothing more is asked, so that time is left to judge something. If the run is ended meanwhile, what
    was created is still owed by the `ledger`.
    """

    def __init__(
        self,
        api: Api,
        driver: Driver,
        target: ApiRequests,
        said: Iterable[Capability],
        needed: frozenset[str],
        ledger: CreatedResources | None = None,
        is_late: Callable[[Sequence[Exchange]], bool] = lambda trail: False,
    ) -> None:
        self._api = api
        self._probes = api.load_probes()
        self._is_late = is_late
        self.driver = driver
        self.target = target
        self.found = Capabilities(said)
        self.needed = needed
        self.ledger = ledger or CreatedResources(api)
        self.notes: list[str] = []
        self._hand = ActionRunner(api, driver, self.ledger, target.contract)

    def run(self) -> Probing:
        """Ask, clean up, and return what is known. Raises TargetFault if there is nothing to judge."""
        if self.target.other_key:
            self.found.settle(Capability(TWO_KEYS, True, CapabilityOrigin.DECLARED, "a second key was given"))
        try:
            self._greet()
            self._ask_control()
            for question in self._probes.questions:
                self._ask_about(question)
        finally:
            self._hand.hang_up()
            self.ledger.clean(self.driver)
        for name in self._probes.undiscoverable:
            if self._open(name):
                why = "cannot be probed: declare it with --capability"
                self.settle(name, False, why, Lack.UNDECLARED)
        return Probing(
            capabilities=self.found.in_order(self._api.load_capabilities()),
            requests=len(self._hand.trail),
            says=self.target.says,
            notes=tuple(self.notes),
            trail=(*self._hand.trail, *self._read_cleanup()),
            repeated=tuple(self._hand.repeated),
        )

    def _read_cleanup(self) -> Iterator[Exchange]:
        for exchange in self.ledger.sent:
            self._api.read(exchange, self.target.contract)
            yield exchange

    def ask(self, request: Request, *names: str) -> Exchange | None:
        """Send a request and return the answer; if none came, None, and these capabilities are assumed present."""
        exchange = self._send(request)
        return exchange if self.heard(exchange, *names) else None

    def _ask_about(self, question: Question) -> None:
        """Ask what is open, unless it is late."""
        names = [name for name in question.settles if self._open(name)]
        if names and not self._is_late(self._hand.trail):
            question.ask(self)
            return
        for name in names:
            note = f"the probe of {name} was skipped, because responses are slow"
            self.found.settle(Capability(name, False, CapabilityOrigin.PROBED, note, Lack.UNASKED))

    def _send(self, request: Request) -> Exchange:
        """Send a request, and again if the target crashed over it."""
        for _ in range(_TRIES):
            exchange: Exchange = self._hand.perform(Send(request))
            if exchange.status is None or exchange.status < 500 or not missing_answer(exchange):
                break
        return exchange

    def heard(self, exchange: Exchange, *names: str) -> bool:
        """Whether an exchange has an answer; if it has none, these capabilities are assumed present."""
        if not missing_answer(exchange):
            return True
        for name in names:
            answer = self._api.format_answer(exchange)
            note = f"its probe returned {answer}: assumed to be offered"
            self.found.settle(Capability(name, True, CapabilityOrigin.ASSUMED, note))
        return False

    def settle(
        self, name: str, present: bool, note: str, lack: Lack = Lack.REFUSED, *, owing_to: str = ""
    ) -> None:
        """Record whether a capability is present, as observed; if it is not, why, and owing to which other one."""
        known = self.found.get(owing_to)
        first = known.owing_to if known is not None and known.owing_to else owing_to
        remedy = self._probes.remedies.get(name, "")
        self.found.settle(Capability(name, present, CapabilityOrigin.PROBED, note, lack, first, remedy))

    def why_lacking(self, name: str) -> Lack | None:
        """Why a capability that was asked for is not present; None if it is, or if nothing is known of it."""
        item = self.found.get(name)
        return None if item is None or item.present else item.lack

    def perform(self, part: Part[Any]) -> Any:
        """Play a part of an exercise and return its result."""
        return drive(part, self._hand)

    def _open(self, name: str) -> bool:
        """Whether the capability matters and is not settled yet."""
        return name in self.needed and self.found.get(name) is None

    def _greet(self) -> None:
        insist = any(item.how is CapabilityOrigin.DECLARED and item.name != TWO_KEYS for item in self.found)
        greeted = self._probes.greet(self.target, self._send, insist=insist)
        self.greeting = greeted.answer
        self.notes += greeted.notes
        self.target = self.target.with_says(greeted.says)

    def _ask_control(self) -> None:
        exchange = self._hand.perform(Send(self.target.control("GET", "")))
        value = object_or_none(exchange.body) or {}
        announced = value.get("capabilities")
        if exchange.status != 200 or value.get("harness") != "emulator" or not isinstance(announced, list):
            self.settle(SCRIPTABLE, False, "no control API under /__harness__/")
            return
        self.found.settle(
            Capability(SCRIPTABLE, True, CapabilityOrigin.ANNOUNCED, "the target has the control API")
        )
        for name in self.needed - {SCRIPTABLE, TWO_KEYS}:
            self.found.settle(
                Capability(name, name in announced, CapabilityOrigin.ANNOUNCED, "reported by its control API")
            )
