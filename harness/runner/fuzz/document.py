"""Engine: schemathesis on the project's OpenAPI document, in all its phases.

Layer 4. The only module that knows schemathesis, whose event objects are not declared stable: the extra pins it.
Judgement is ours: one check holds each answer to the contract, and of schemathesis' own checks those are kept
that a rule stands behind. A run proves that it was not vacuous (one wrong link in the document makes the tool's
stateful phase test nothing, in silence), and requests that got no answer are findings, not noise.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.outcome import Finding, HarnessFault
from harness.runner.fuzz.answers import alone
from harness.runner.fuzz.budget import Budget, Timer
from harness.runner.fuzz.failure import EngineRun, Failure, key_of
from harness.runner.fuzz.place import Place
from harness.runner.fuzz.recorded import exchange_of
from harness.runner.fuzz.rules import ANSWERED
from harness.runner.fuzz.tailored import tailored
from harness.wire import Exchange

ENGINE = "schema"
OURS = "harness_contract"
LEAST_SUCCESS = 0.1
"""A run in which a smaller share of the calls succeeded has tested refusals only."""

OWN_CHECKS: Mapping[str, str] = {
    "use_after_free": "del.gone",
    "ensure_resource_availability": "get.ok",
    "ignored_auth": "auth.wrong",
    "response_schema_conformance": "create.schema",
}
"""Checks of the tool, and the rule that a failure of each breaks."""

STRICT_CHECKS: Mapping[str, str] = {"negative_data_rejection": "err.unknown-field"}
"""Checks that real services fail by leniency; only in the strict profile."""

ECHOED = frozenset({"steps.base64", "steps.annotation-range", "steps.result-match", "steps.discriminator"})
"""Rules on the content of steps: what a read shows begins with the caller's own input, which is generated here."""

MORE_ROUNDS = 4
"""Further rounds of the stateful phase, with other seeds, while a link was never applied."""

MAX_EVENTS = 5000
_SCOPE = r"^/interactions"


def document(
    place: Place, budget: Budget, *, seed: int = 0, strict: bool = False, passed_over: frozenset[str] = frozenset()
) -> EngineRun:
    """Run all phases against the target; a target in this process is served on a port for as long."""
    timer = Timer(budget.seconds)
    with _served(place) as root:
        run = _Run(place, root, strict=strict, passed_over=passed_over)
        with tailored(place.resolved.target) as path:
            run.execute(path, _configuration(place, root, budget, seed, run.checks))
            for again in range(1, MORE_ROUNDS + 1):
                if not run.missing_links() or timer.over():
                    break
                run.execute(path, _stateful_only(_configuration(place, root, budget, seed + again, run.checks)))
    run.notice_unanswered()
    counts = {
        "calls": run.calls,
        "successes": run.successes,
        "operations": len(run.reached),
        "links": len(run.links),
    }
    return EngineRun(
        engine=ENGINE,
        seconds=timer.spent,
        counts=counts,
        failures=tuple(run.failures.values()),
        vacuous=tuple(run.vacuity()),
        notes=tuple(run.notes),
    )


class _Run:
    """Hears the events of one execution."""

    def __init__(self, place: Place, root: str, *, strict: bool, passed_over: frozenset[str]) -> None:
        self._place = place
        self._root = root
        self._passed_over = passed_over
        self.checks = {**OWN_CHECKS, **(STRICT_CHECKS if strict else {})}
        self.calls = self.meant = self.successes = 0
        self.reached: set[str] = set()
        self.links: Counter[str] = Counter()
        self.failures: dict[str, Failure] = {}
        self.unanswered: list[str] = []
        self.notes: list[str] = []
        self.declared: dict[str, set[str]] = {}
        self.roots: set[str] = set()

    def execute(self, path: Path, configuration: dict[str, Any]) -> None:
        """Load the document, run the engine, hear every event."""
        import schemathesis
        from schemathesis.config import SchemathesisConfig
        from schemathesis.engine import events, from_schema

        _register(self._place)
        config = SchemathesisConfig.from_dict(configuration)
        schema = schemathesis.openapi.from_path(str(path), config=config).include(path_regex=_SCOPE)
        self.declared = declared_links(path)
        self.roots = set(getattr(schema.as_state_machine(), "_root_labels", ()))
        for event in from_schema(schema).execute():
            if isinstance(event, events.ScenarioFinished | events.FuzzScenarioFinished):
                phase = getattr(event, "phase", None)
                self._scenario(event.recorder, wrong_on_purpose=getattr(phase, "name", "") == "COVERAGE")
            elif isinstance(event, events.NonFatalError | events.FatalError):
                self.unanswered.append(_told(event))

    def _scenario(self, recorder: Any, *, wrong_on_purpose: bool = False) -> None:
        """Take in one scenario. The coverage phase is nearly all wrong requests: it counts for no share."""
        for case_id, interaction in recorder.interactions.items():
            self.calls += 1
            status = interaction.response.status_code if interaction.response is not None else 0
            if not wrong_on_purpose:
                self.meant += 1
                self.successes += 200 <= status < 300
            node = recorder.cases.get(case_id)
            if node is None:
                continue
            if status:
                self.reached.add(node.value.operation.label)
            if node.is_transition_applied and node.transition is not None:
                self.links[_link_name(node.transition)] += 1
        for case_id, checks in recorder.checks.items():
            for check in checks:
                if check.failure_info is not None:
                    self._failed(recorder, case_id, check.name, check.failure_info.failure)

    def _failed(self, recorder: Any, case_id: str, name: str, failure: Any) -> None:
        finding = getattr(failure, "finding", None)
        if finding is None:
            rule = self.checks.get(name)
            if rule is None:
                return
            lines = [line.strip() for line in str(failure.message).splitlines() if line.strip()]
            finding = Finding(rule, f"{failure.title}: {lines[0] if lines else ''}".strip(": "), actual=name)
        if not self._place.judged(finding) or key_of(finding) in self._passed_over:
            return
        trail = tuple(_trail(recorder, case_id, self._root))
        kept = self.failures.get(key_of(finding))
        if kept is None or len(trail) < len(kept.trail):
            self.failures[key_of(finding)] = Failure(engine=ENGINE, finding=finding, trail=trail)

    def missing_links(self) -> list[str]:
        """Declared links that led nowhere yet: which ones the tool takes is a matter of chance."""
        return sorted({link for links in self.declared.values() for link in links} - self.links.keys())

    def notice_unanswered(self) -> None:
        """Calls that brought a network error are findings of their own."""
        if self.unanswered:
            finding = Finding(ANSWERED, "calls without an answer", "an answer", self.unanswered[0])
            if self._place.judged(finding):
                self.failures.setdefault(finding.rule, Failure(engine=ENGINE, finding=finding))

    def vacuity(self) -> Iterator[str]:
        """Why the run proves nothing, if so."""
        if not self.calls:
            yield "no call was made"
            return
        if missing := sorted(self.declared.keys() - self.reached):
            yield f"never reached: {', '.join(missing)}"
        if "POST /interactions" not in self.roots:
            yield "the stateful phase does not begin with POST /interactions"
        if missing := self.missing_links():
            yield f"links never applied: {', '.join(missing)}"
        if self.successes < LEAST_SUCCESS * self.meant or not self.meant:
            yield f"only {self.successes} of {self.meant} calls succeeded"


def _told(event: Any) -> str:
    """The words of an error event: not all of them have the same fields."""
    info = getattr(event, "info", None)
    return str(getattr(info, "message", info or getattr(event, "exception", event))).strip()[:300]


def declared_links(path: Path) -> dict[str, set[str]]:
    """The links that the document declares, by the operation they lead from: `POST /interactions: get`."""
    found: dict[str, set[str]] = {}
    for route, item in json.loads(path.read_bytes())["paths"].items():
        if not route.startswith("/interactions"):
            continue
        for method, operation in item.items():
            if isinstance(operation, dict) and "responses" in operation:
                label = f"{method.upper()} {route}"
                links = operation["responses"].get("200", {}).get("links", {})
                found[label] = {f"{label}: {name}" for name in links}
    return found


def _link_name(transition: Any) -> str:
    """`POST /interactions: get` of the tool's `POST /interactions -> [200] get -> GET …`."""
    source, _, rest = str(transition.id).partition(" -> [")
    name = rest.partition("] ")[2].partition(" -> ")[0]
    return f"{source}: {name}"


def _configuration(
    place: Place, root: str, budget: Budget, seed: int, checks: Mapping[str, str]
) -> dict[str, Any]:
    target = place.resolved.target
    headers = dict(target.request("GET", "").headers.items())
    time_limit = {} if budget.seconds is None else {"max-time": max(1, int(budget.seconds))}
    return {
        "seed": seed,
        "max-failures": 200,
        "base-url": f"{root}/{target.version}",
        "headers": headers,
        "request-timeout": 30,
        "max-stream-events": MAX_EVENTS,
        "continue-on-failure": True,
        "generation": {"max-examples": budget.schema, "database": "none"},
        "checks": {"enabled": False, **{name: {"enabled": True} for name in (OURS, *checks)}},
        "phases": {
            "examples": {"enabled": True},
            "coverage": {"enabled": budget.coverage},
            "fuzzing": {"enabled": True},
            "stateful": {"enabled": True, "max-steps": 10, "inference": {"algorithms": []}},
        },
        **time_limit,
    }


def _stateful_only(configuration: dict[str, Any]) -> dict[str, Any]:
    phases = {name: {"enabled": False} for name in ("examples", "coverage", "fuzzing")}
    return {**configuration, "phases": {**configuration["phases"], **phases}}


# --- our check


_place: Place | None = None
_kinds: dict[str, type] = {}


def _register(place: Place) -> None:
    """The tool keeps its checks in a global registry: ours is entered once, and told where it looks."""
    global _place
    import schemathesis
    from schemathesis.checks import CHECKS

    _place = place
    if OURS not in CHECKS.get_all_names():
        schemathesis.check(harness_contract)


def harness_contract(ctx: Any, response: Any, case: Any) -> None:
    """Hold one answer to the contract: shape, order, errors, leaks. Raises the tool's own kind of failure."""
    if _place is None:
        raise HarnessFault("the check runs without a place to look at")
    exchange = exchange_of(response.request, response, "")
    creates = exchange.request.method == "POST" and exchange.request.segments[-1] == "interactions"
    for finding in alone(exchange, _place.resolved.target.key):
        if _place.judged(finding) and (creates or finding.rule not in ECHOED):
            raise _failure(finding, case)


def _failure(finding: Finding, case: Any) -> AssertionError:
    from schemathesis.core.failures import Failure as ToolFailure

    kind = _kinds.get(key_of(finding))
    if kind is None:  # the tool tells failures apart by their class alone
        kind = _kinds[key_of(finding)] = type(f"Broken[{key_of(finding)}]", (ToolFailure,), {})
    failure: Any = kind(
        operation=case.operation.label, title=finding.rule, message=finding.message, case_id=case.id
    )
    failure.finding = finding
    assert isinstance(failure, AssertionError)
    return failure


def _trail(recorder: Any, case_id: str, root: str) -> Iterator[Exchange]:
    """The calls that led to a case, its own last."""
    chain = [case_id]
    while (node := recorder.cases.get(chain[0])) is not None and node.parent_id is not None:
        chain.insert(0, node.parent_id)
    for each in chain:
        interaction = recorder.interactions.get(each)
        if interaction is not None and interaction.response is not None:
            yield exchange_of(interaction.response.request, interaction.response, root)


@contextmanager
def _served(place: Place) -> Iterator[str]:
    """The root URL of the target; the embedded one is put behind a port."""
    if place.resolved.info.url:
        yield place.resolved.info.url
        return
    from harness.transport import ServerThread

    driver = place.resolved.connect()
    service = getattr(driver, "service", None) or getattr(driver, "_service", None)
    if service is None:
        raise HarnessFault("the schema engine needs a URL or a driver to a service in this process")
    with ServerThread(service, clock=service.clock) as server:
        yield server.url
    driver.close()
