"""The picture on a rule's page: the requests of its check to the emulator, and to a mutant that breaks the rule.

Nothing is drawn by hand: both sides are played when the site is built, and shown as a report shows them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

from msgspec.structs import replace
from rule_pages import shown_mutant

from harness.benches.gateway import GatewayBench, GatewayOptions, Upstream, judge_gateway
from harness.benches.gateway.run import ExerciseRunner, parts_of
from harness.checks.gateway import CATALOGUE, GatewayClient
from harness.cli.commands.gateway import UPSTREAM_SETTINGS
from harness.contract.requests import RequestBuilder
from harness.emulator import Emulator, Settings
from harness.emulator.mutants import MUTANTS
from harness.engine.events import CheckFinished, Result, RunStarted, TargetInfo, everything
from harness.engine.execute import PlayedExercise, play
from harness.engine.origins import with_origins
from harness.engine.run import RunOptions, check_target
from harness.engine.selection import Selection
from harness.engine.targets import ServerTarget, TargetOptions, embed_emulator
from harness.engine.traffic.ledger import CreatedResources
from harness.errors import TargetFault
from harness.interactions.servers import SERVERS, embedded_settings
from harness.kit.check import Check, Exercise
from harness.kit.relay import RelayedExchange
from harness.outcome import Observation, Outcome, Verdict
from harness.report.presented_run import PresentedRun
from harness.transport import Limits, ServiceDriver
from harness.wire import LogicalClock, Service
from lab.gateways import MUTANTS as GATEWAYS
from lab.site import render_part

STYLE = "harness-parts.css"
"""The sheet that all pictures share, in the root of the site."""

PLACE = "<!-- the picture of the rule -->"
"""Where the picture stands; it comes when the search has read the page."""

_ALL = everything(SERVERS.load_capabilities())
_MOST_EXCHANGES = 7
"""Exchanges of the right side: more of them show nothing new."""


@cache
def _checks() -> dict[str, Check]:
    return {check.id: check for check in SERVERS.load_catalogue()}


def draw_rule(rule: str) -> str:
    """The picture of a rule as a part of its page; `""` if no check of a server or a gateway judges it."""
    sides = list(_list_sides(rule))
    return render_part("rule_part", sides=sides, sheet=f"../{STYLE}") if sides else ""


def _list_sides(rule: str) -> Iterator[dict[str, Any]]:
    if rule in _checks() and (mutant := shown_mutant(rule)):
        yield from _show("Right: the emulator", _play_right(_checks()[rule]))
        wrong = _play_wrong(_checks()[rule], partial(MUTANTS[mutant].build, embedded_settings()))
        yield from _show(f"Wrong: the mutant {mutant}", wrong)
    elif found := next((one for one in GATEWAYS.values() if one.area == rule), None):
        wrong = _relay_wrong(found.build, rule)
        yield from _show("Right: a gateway that changes nothing", _relay_right(wrong))
        yield from _show(f"Wrong: the mutant {found.id}", wrong)


def _show(title: str, result: Result | None) -> Iterator[dict[str, Any]]:
    """One side as the template shows it: the finding, the stream, the sequence."""
    if result is None:
        return
    state = PresentedRun(SERVERS)
    state.handle(RunStarted(TargetInfo(name="emulator", url="", version="v1beta", model="", agent="")))
    shown = state.present(result)
    story = shown.story
    is_right = title.startswith("Right")
    if shown.events is not None and (is_right or shown.events.folds):
        story = None  # the picture says it in less room
    if shown.findings or shown.events or story:
        yield {"title": title, "d": shown, "story": story, "is_right": is_right}


def _play_right(check: Check) -> Result | None:
    played = _play_once(check.exercise)
    seen = [] if played.failure else played.list_wanted(check)
    return _pass(check, with_origins(seen, played.trail, played.api)[:_MOST_EXCHANGES], played) if seen else None


@cache
def _play_once(exercise: Exercise) -> PlayedExercise:
    """What the emulator returns; several checks share an exercise."""
    return _play(exercise, embed_emulator(SERVERS, TargetOptions()).able(_ALL))


def _play(exercise: Exercise, target: ServerTarget) -> PlayedExercise:
    driver = target.connect()
    try:
        return play(SERVERS, exercise, target.target, driver, CreatedResources(SERVERS))
    finally:
        driver.close()


def _pass(check: Check, evidence: tuple[Any, ...], played: PlayedExercise) -> Result:
    observation = played.observe(check)
    return Result(
        id=check.id,
        rule=check.rule,
        title=check.title,
        observation=observation,
        verdict=Verdict.PASS,
        evidence=evidence,
        named=played.names_of(evidence),
    )


def _play_wrong(check: Check, build: Callable[[], Any]) -> Result | None:
    target = embed_emulator(SERVERS, TargetOptions(), build)
    options = RunOptions(stated=tuple(_ALL), selection=Selection(checks=(check.id,)))
    try:
        events = list(check_target(target, [check], options))
    except TargetFault:  # a mutant that returns nothing else is no target
        events = []
    results = [event.result for event in events if isinstance(event, CheckFinished)]
    if results and results[0].evidence:
        return results[0]
    played = _play(
        check.exercise, target.able(_ALL)
    )  # a broken MAY passes, and a result that passed has no evidence
    return _pass(check, played.evidence(check, played.observe(check)), played)


def _build_bench(gateway: Callable[[Service], Service]) -> GatewayBench:
    clock = LogicalClock()
    client = GatewayClient(RequestBuilder(key="a-key"), idle=11.0)
    upstream = Upstream(Emulator(Settings(**UPSTREAM_SETTINGS), clock=clock), clock, client.is_primable)
    driver = ServiceDriver(gateway(upstream), clock, limits=Limits().within(5.0))
    return GatewayBench(driver, upstream, client, watch=0.0, real=False)


def _relay_wrong(gateway: Callable[[Service], Service], rule: str) -> Result:
    events = judge_gateway(_build_bench(gateway), CATALOGUE, GatewayOptions(selection=Selection(checks=(rule,))))
    return next(event.result for event in events if isinstance(event, CheckFinished))


def _relay_right(wrong: Result) -> Result:
    """The exchanges that are wrong through a mutant, through a gateway that changes nothing."""
    runner = ExerciseRunner(_build_bench(lambda upstream: upstream))
    check = next(check for check in CATALOGUE.checks if check.id == wrong.id)
    for _ in runner.play(parts_of(check)):
        pass
    named = dict.fromkeys(item.name for item in wrong.evidence if isinstance(item, RelayedExchange))
    relayed = tuple(runner.results[name] for name in named if name in runner.results)
    return replace(wrong, observation=Observation(Outcome.MET), verdict=Verdict.PASS, evidence=relayed, named=())
