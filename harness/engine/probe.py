"""Finds out with few requests which capabilities a target has; never probes those that the user declared.

Sends at most `MOST_REQUESTS` requests, one after the other, not counting the clean-up, repeated GETs of resources
that are not there yet, and repetitions after a crash: a target that crashes now and then does not lack the
feature. This is also the smoke test: a target that cannot be reached, rejects everything or is another API raises
TargetFault, because then there is nothing to judge. The requests are the API's: `ServerApi.load_probes`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct, field

from harness.engine.events import Capabilities, Capability, CapabilityOrigin
from harness.engine.traffic.ledger import CreatedResources, GivenIds, RepeatedId
from harness.engine.traffic.outages import Outages, missing_answer
from harness.engine.traffic.perform import ActionRunner, drive
from harness.kit.api import SCRIPTABLE, TWO_KEYS, ApiRequests, Lack, ServerApi
from harness.kit.check import Part, Send
from harness.outcome.finding import LONGEST_REASON
from harness.outcome.words import shorten
from harness.wire import Driver, Exchange, Request
from harness.wire.bodies import object_or_none

MOST_REQUESTS = 34


class Probing(Struct, frozen=True, kw_only=True):
    """The results of a probe. `says` is what each create has to say; `notes` are for a reader of verdicts.

    `trail` are the exchanges, those of the clean-up last; `repeated` are ids that were given twice. `outage` is a
    sentence about one meanwhile, else `""`.
    """

    capabilities: Capabilities
    requests: int
    says: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    trail: tuple[Exchange, ...] = ()
    repeated: tuple[RepeatedId, ...] = ()
    outage: str = ""


class Prober:
    """Probes the capabilities that the user neither declared nor denied.

    `stated` are those that the user declared or denied; `needed` are the capabilities that matter to the
    run. If the run is ended meanwhile, the `ledger` still owes the deletion of created resources.
    """

    def __init__(
        self,
        api: ServerApi,
        driver: Driver,
        target: ApiRequests,
        stated: Iterable[Capability],
        needed: frozenset[str],
        ledger: CreatedResources | None = None,
        outages: Outages | None = None,
    ) -> None:
        self.api = api
        self.probes = api.load_probes()
        self._driver = driver
        self.target = target
        self.found = Capabilities(stated)
        self.needed = needed | self.probes.always
        self.ledger = ledger or CreatedResources(api)
        self._outages = outages
        self.hand = ActionRunner(api, driver, self.ledger, target.contract, given=GivenIds(api), outages=outages)
        self.notes: list[str] = []

    def run(self) -> Probing:
        """Ask, clean up, and return what is known. Raises TargetFault if there is nothing to judge."""
        if self.target.other_key:
            self.found.settle(Capability(TWO_KEYS, True, CapabilityOrigin.DECLARED, "a second key was given"))
        try:
            self._greet()
            self._ask_control()
            for question in self.probes.questions:
                if any(map(self.is_open, question.settles)):
                    question.ask(self)
                    self.hand.hang_up()
            requests = len(self.hand.trail)
            for request in self.ledger.list_closing_reads(self.hand.trail) if self.target.keeps else ():
                self.hand.perform(Send(request))
            outage = "" if self._outages is None else self._outages.describe(0, self.hand.trail, self._driver)
        finally:
            self.hand.hang_up()
            hand = ActionRunner(self.api, self._driver, self.ledger, self.target.contract, outages=self._outages)
            self.ledger.clean(hand.send)
        for name in self.probes.undiscoverable:
            if self.is_open(name):
                why = "no request can find it: declare it with `--capability`"
                self.settle(name, False, why, Lack.UNDECLARED)
        return Probing(
            capabilities=self.found.in_order(self.api.load_capabilities()),
            requests=requests,
            says=self.target.says,
            notes=tuple(self.notes),
            trail=(*self.hand.trail, *self.ledger.sent),
            repeated=tuple(self.hand.repeated),
            outage=outage,
        )

    def is_open(self, name: str) -> bool:
        """Whether the capability matters and is not settled yet."""
        return name in self.needed and self.found.get(name) is None

    def _greet(self) -> None:
        insist = any(item.how is CapabilityOrigin.DECLARED and item.name != TWO_KEYS for item in self.found)
        greeted = self.probes.greet(self.target, self.send, insist=insist)
        self.greeting: Exchange = greeted.answer
        self.notes += greeted.notes
        self.target = self.target.with_says(greeted.says)

    def ask(self, request: Request, *names: str) -> Exchange | None:
        exchange = self.send(request)
        return exchange if self.has_response(exchange, *names) else None

    def send(self, request: Request) -> Exchange:
        return self.hand.send(request)

    def has_response(self, exchange: Exchange, *names: str) -> bool:
        if not missing_answer(exchange):
            return True
        for name in names:
            answer = self.api.format_answer(exchange)
            note = f"its probe returned {answer}: assumed to be offered"
            self.found.settle(Capability(name, True, CapabilityOrigin.ASSUMED, note))
        return False

    def settle(
        self, name: str, present: bool, note: str, lack: Lack = Lack.REFUSED, *, owing_to: str = ""
    ) -> None:
        known = self.found.get(owing_to)
        first = known.owing_to if known is not None and known.owing_to else owing_to
        remedy = self.probes.remedies.get(name, "")
        origin = CapabilityOrigin.PROBED
        # A status of 3 MB was once the reason of a hundred checks, and a report had 240 MB.
        self.found.settle(Capability(name, present, origin, shorten(note, LONGEST_REASON), lack, first, remedy))

    def why_lacking(self, name: str) -> Lack | None:
        item = self.found.get(name)
        return None if item is None or item.present else item.lack

    def perform(self, part: Part[Any]) -> Any:
        return drive(part, self.hand)

    def _ask_control(self) -> None:
        """Ask whether the target has the control API, which announces what it can do."""
        exchange = self.hand.perform(Send(self.target.control("GET", "")))
        value = object_or_none(exchange.body) or {}
        announced = value.get("capabilities")
        if exchange.status != 200 or value.get("harness") != "emulator" or not isinstance(announced, list):
            self.settle(SCRIPTABLE, False, "no control API under /__harness__/")
            return
        found, origin = self.found, CapabilityOrigin.ANNOUNCED
        found.settle(Capability(SCRIPTABLE, True, origin, "the target has the control API"))
        for name in self.needed - {SCRIPTABLE, TWO_KEYS}:
            if name in announced or name not in self.probes.of_path:
                found.settle(Capability(name, name in announced, origin, "reported by its control API"))
