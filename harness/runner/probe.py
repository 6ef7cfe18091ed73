"""Finds out what a target can do, with few requests, and says so; what the user declared is never asked.

Layer 4. At most `MOST_REQUESTS` requests, clean-up apart. Also the smoke test: a target that cannot be reached or
refuses us altogether raises TargetFault, because then there is nothing to judge.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from harness.checks.target import Target, segment
from harness.outcome import TargetFault
from harness.runner.capabilities import Capabilities, Capability, How
from harness.runner.ledger import Ledger
from harness.wire import Driver, Exchange, Request

MOST_REQUESTS = 13
GREETING = "Say hi."
SLOW_INPUT = "Write a story of about 300 words."
_STREAM_LOOK = 6
_REFUSALS = {
    401: "unauthorised: pass --api-key or set GEMINI_API_KEY",
    402: "it wants a payment before it answers",
    403: "this key may not use it",
    429: "the quota of this key is used up: try again later",
}
EVENT_STREAM = "text/event-stream"
_UNSETTLED = frozenset({"in_progress", "queued"})


@dataclass(frozen=True, slots=True)
class Probe:
    """One question: the capabilities that it settles, and how it is asked."""

    settles: tuple[str, ...]
    ask: Callable[[Prober], None]


class Prober:
    """Asks the target what nobody said yet. `needed` are the capabilities whose presence matters to the run."""

    def __init__(self, driver: Driver, target: Target, said: Iterable[Capability], needed: frozenset[str]) -> None:
        self.driver = driver
        self.target = target
        self.found = Capabilities(said)
        self.needed = needed
        self.ledger = Ledger()
        self.requests = 0
        self.interaction: dict[str, Any] = {}

    def run(self) -> Capabilities:
        """Ask, clean up, and give what is known. Raises TargetFault as `reach` does."""
        if self.target.other_key:
            self.found.settle(Capability("two-keys", True, How.DECLARED, "a second key was given"))
        try:
            self.reach()
            self._ask_control()
            for probe in PROBES:
                if any(self.open_question(name) for name in probe.settles):
                    probe.ask(self)
        finally:
            self.ledger.clean(self.driver)
        return self.found

    def reach(self) -> None:
        """The one create that shows whether the target talks to us at all."""
        exchange = self.send(self.target.create(input=GREETING))
        _refuse_unreachable(exchange)
        if exchange.headers.media_type() == EVENT_STREAM:
            self.target = replace(self.target, says_stream=True)
            exchange = self.send(self.target.create(input=GREETING))
        self.interaction = _interaction(exchange)
        if not self.interaction.get("status"):
            note = f"a plain create answered {exchange.status} and no interaction{_message(exchange)}"
            for name in self.needed:
                if self.open_question(name):
                    self.settle(name, False, note)

    def open_question(self, name: str) -> bool:
        """Whether it matters and nobody answered it yet."""
        return name in self.needed and self.found.get(name) is None

    def settle(self, name: str, present: bool, note: str) -> None:
        """Answer one question by what was seen."""
        self.found.settle(Capability(name, present, How.PROBED, note))

    def send(self, request: Request) -> Exchange:
        """One counted request."""
        self.requests += 1
        exchange = self.driver.send(request)
        self.ledger.note(exchange)
        return exchange

    def _ask_control(self) -> None:
        exchange = self.send(self.target.control("GET", ""))
        value = _object(exchange)
        announced = value.get("capabilities")
        if exchange.status != 200 or value.get("harness") != "emulator" or not isinstance(announced, list):
            self.settle("script", False, "no control API under /__harness__/")
            return
        self.found.settle(Capability("script", True, How.ANNOUNCED, "it has the control API"))
        for name in self.needed - {"script", "two-keys"}:
            self.found.settle(Capability(name, name in announced, How.ANNOUNCED, "said by its control API"))


class Probing(NamedTuple):
    """What a probe found, the number of requests it took, and whether creates must say `stream: false`."""

    capabilities: Capabilities
    requests: int
    says_stream: bool


def probe(driver: Driver, target: Target, said: Iterable[Capability], needed: frozenset[str]) -> Probing:
    """Find out what the target can do. Raises TargetFault."""
    prober = Prober(driver, target, said, needed)
    return Probing(prober.run(), prober.requests, prober.target.says_stream)


def _refuse_unreachable(exchange: Exchange) -> None:
    if exchange.status is None:
        ending = exchange.ending
        raise TargetFault(
            f"the target gave no answer ({ending.how}{f': {ending.detail}' if ending.detail else ''})"
        )
    if why := _REFUSALS.get(exchange.status):
        raise TargetFault(f"the target answered {exchange.status} to a plain create: {why}{_message(exchange)}")


def _message(exchange: Exchange) -> str:
    error = _object(exchange).get("error")
    text = error.get("message") if isinstance(error, dict) else None
    return f" (it says: {text[:200]!r})" if isinstance(text, str) else ""


# One function a question, in the order they are asked.


def _storage(ask: Prober) -> None:
    found = ask.interaction.get("id")
    if not isinstance(found, str) or not found:
        ask.settle("store", False, "the create answered no id")
        return
    status = ask.send(ask.target.get(found)).status
    ask.settle("store", status is not None and 200 <= status < 300, f"GET of a new interaction answered {status}")


def _thoughts(ask: Prober) -> None:
    seen = "thought" in _step_types(ask.interaction)
    ask.settle("thoughts", seen, "a thought step came" if seen else "no thought step came")


def _authentication(ask: Prober) -> None:
    found = ask.interaction.get("id")
    stored = isinstance(found, str) and bool(found)
    path = f"interactions/{segment(str(found)) if stored else 'harness-probe'}"
    status = ask.send(ask.target.request("GET", path, key="harness-wrong-key")).status
    # A 400 means a refused key only where the id is one that exists.
    refused = status in (401, 403) or (status == 400 and stored)
    ask.settle("auth", refused, f"a wrong key got {status}")


def _version_one(ask: Prober) -> None:
    if ask.target.version == "v1":
        ask.settle("v1", False, "v1 is the version under test already")
        return
    exchange = ask.send(ask.target.request("POST", "interactions", {}, version="v1"))
    served = exchange.status is not None and exchange.status not in (404, 405, 501) and bool(_object(exchange))
    ask.settle("v1", served, f"POST /v1/interactions without fields answered {exchange.status}")


def _streaming(ask: Prober) -> None:
    exchange = ask.send(ask.target.create(input=GREETING, stream=True))
    kind = exchange.headers.media_type()
    crashed = exchange.status is not None and exchange.status >= 500  # it tries to, and the checks have to say so
    streams = crashed or (exchange.status == 200 and kind == EVENT_STREAM)
    ask.settle("stream", streams, f"stream=true answered {exchange.status} {kind or 'without a type'}")


def _background(ask: Prober) -> None:
    created = _interaction(ask.send(ask.target.create(input=SLOW_INPUT, background=True)))
    found, status = created.get("id"), created.get("status")
    runs = isinstance(found, str) and bool(found) and status in _UNSETTLED
    ask.settle("background", runs, f"background=true answered status {status!r}")
    events = _first_events(ask, found) if runs else []
    slow = runs and not any(event.get("event_type") == "interaction.completed" for event in events)
    ask.settle("background-slow", slow, "still running when looked at" if slow else "over when looked at")
    carried = any(isinstance(event.get("event_id"), str) for event in events)
    ask.settle("event-ids", carried, f"{len(events)} events of a background stream looked at")


def _first_events(ask: Prober, found: Any) -> list[dict[str, Any]]:
    ask.requests += 1
    stream = ask.driver.open(ask.target.get(str(found), stream=True))
    try:
        frames = stream.read(_STREAM_LOOK)
    finally:
        ask.ledger.note(stream.close())
    values = [_loads(frame.data) for frame in frames]
    return [value for value in values if isinstance(value, dict)]


def _functions(ask: Prober) -> None:
    tool = {
        "type": "function",
        "name": "get_weather",
        "description": "Gives the weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    }
    config = {"tool_choice": "any"}
    answer = _interaction(
        ask.send(ask.target.create(input="Weather in Paris?", tools=[tool], generation_config=config))
    )
    called = "function_call" in _step_types(answer)
    ask.settle("functions", called, "the function was called" if called else "no function_call step came")


def _search(ask: Prober) -> None:
    answer = _interaction(
        ask.send(ask.target.create(input="What is today's news?", tools=[{"type": "google_search"}]))
    )
    ran = "google_search_call" in _step_types(answer)
    ask.settle("search", ran, "a search step came" if ran else "no google_search_call step came")


def _agents(ask: Prober) -> None:
    request = ask.target.create(agent=ask.target.agent, input=GREETING, environment="remote", background=True)
    answer = _interaction(ask.send(request))
    runs = bool(answer.get("status"))
    ask.settle("agents", runs, f"agent {ask.target.agent!r} {'ran' if runs else 'did not run'}")
    given = isinstance(answer.get("environment_id"), str)
    ask.settle("environments", given, "an environment_id came" if given else "no environment_id came")


def _webhooks(ask: Prober) -> None:
    exchange = ask.send(ask.target.request("GET", "webhooks", query={"page_size": 1}))
    listed = exchange.status == 200 and isinstance(_loads(exchange.body), dict)
    ask.settle("webhooks", listed, f"GET webhooks answered {exchange.status}")


def _undiscoverable(ask: Prober) -> None:
    for name in ("two-keys", "agents-crud", "continuation"):
        if ask.open_question(name):
            ask.settle(name, False, "cannot be found by asking: declare it with --capability")


PROBES: tuple[Probe, ...] = (
    Probe(("thoughts",), _thoughts),
    Probe(("store",), _storage),
    Probe(("auth",), _authentication),
    Probe(("v1",), _version_one),
    Probe(("stream",), _streaming),
    Probe(("background", "background-slow", "event-ids"), _background),
    Probe(("functions",), _functions),
    Probe(("search",), _search),
    Probe(("agents", "environments"), _agents),
    Probe(("webhooks",), _webhooks),
    Probe(("two-keys", "agents-crud", "continuation"), _undiscoverable),
)


def _interaction(exchange: Exchange) -> dict[str, Any]:
    """The body of a 2xx JSON answer, `{}` for anything else."""
    if exchange.status is None or not 200 <= exchange.status < 300:
        return {}
    return _object(exchange)


def _object(exchange: Exchange) -> dict[str, Any]:
    value = _loads(exchange.body)
    return value if isinstance(value, dict) else {}


def _step_types(interaction: dict[str, Any]) -> set[str]:
    steps = interaction.get("steps")
    return {str(s.get("type")) for s in steps if isinstance(s, dict)} if isinstance(steps, list) else set()


def _loads(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None
