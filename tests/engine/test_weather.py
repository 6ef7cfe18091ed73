"""A target that is right and slow: what a limit of ours cuts breaks no rule, whichever responses are cut."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from harness.contract import PROTOCOL, load
from harness.emulator import Emulator, Settings
from harness.engine.events import RunFinished
from harness.engine.run import RunOptions, check_target
from harness.engine.selection import Selection
from harness.engine.targets import OTHER_KEY, PRIMARY_KEY, TargetOptions, embed_emulator
from harness.faults import cut
from harness.interactions.servers import SERVERS
from harness.kit.api import EmbeddedService
from harness.outcome import Exit, Verdict
from harness.transport import Limits, ServiceDriver
from harness.wire import DriverAction, Request, Response, Service, Together

TIMEOUT = 20.0
BROKEN = (Verdict.FAIL, Verdict.ERROR)
SILENCES = ("silence:5+{}", "silence:1+{}", "silence:0+{}", "late:{}")
"""What happens to creates and reads: a pause, which some limit of the run may cut."""

STORMS = (
    *SILENCES, "headers,rst", "event:3,rst", "event:2,rst", "status:500", "status:502", "status:503", "status:429"
)  # fmt: skip
"""The same, with resets, crashes and limits."""

EVERYWHERE = ("creates", "gets", "resumes", "cancels", "deletes")
HURRICANES = (
    *STORMS, "before-headers,rst", "before-headers,stall", "headers,stall", "event:0,stall", "event:3,stall",
    "completion,stall", "byte:1,stall", "byte:1,rst", "status:504"
)  # fmt: skip
"""What may be lost, or may have no end, of each call."""


def draw_weather(
    seed: int,
    kinds: Sequence[str],
    pauses: Sequence[int] = (12, 30, 90),
    scopes: Sequence[str] = EVERYWHERE[:2],
) -> str:
    """A fault plan in which some calls of each scope have bad weather, up to three in a row; most pass.

    `pauses` are in seconds.
    """
    source = random.Random(seed)
    parts = []
    for scope in scopes:
        steps = []
        for _ in range(4):
            bad = source.choice(kinds).format(source.choice(pauses))
            steps += [f"pass,times:{source.randint(1, 9)}", f"{bad},times:{source.randint(1, 3)}"]
        parts.append(f"{scope}={'/'.join(steps)}")
    return "/".join(parts)


def judge_in(plan: str, *checks: str, driver: type[ServiceDriver] = ServiceDriver) -> RunFinished:
    """Judge the emulator behind a fault plan, in virtual time, as a server that all workers share."""
    emulator = SERVERS.new_service(load())
    return judge_behind(emulator, cut(emulator, plan, PROTOCOL), *checks, driver=driver)


def judge_behind(
    emulator: EmbeddedService, service: Service, *checks: str, driver: type[ServiceDriver] = ServiceDriver
) -> RunFinished:
    """Judge a service in the time of an emulator, which it wraps."""

    def connect(session: str = "") -> ServiceDriver:
        return driver(service, emulator.clock, limits=Limits().within(TIMEOUT))

    emulator_target = embed_emulator(SERVERS, TargetOptions(timeout=TIMEOUT))
    target = replace(emulator_target, connect=connect, throwaway=False)
    options = RunOptions(selection=Selection(checks=checks), jobs=1)
    *_, finished = check_target(target, SERVERS.load_catalogue(), options)
    assert isinstance(finished, RunFinished)
    return finished


def test_a_stream_that_is_cut_beside_others_is_no_second_create() -> None:
    """It was compared with its own excused copy, and then had an id that was given before."""
    finished = judge_in("creates=pass,times:5/silence:5+12,times:4", "rob.concurrent-streams", "create.id-unique")
    assert [result.id for result in finished.results if result.verdict in BROKEN] == []
    assert finished.exit in (Exit.OK, Exit.INCOMPLETE)


@pytest.mark.slow
@pytest.mark.parametrize(
    "seed", [1, 2, *(pytest.param(seed, marks=pytest.mark.thorough) for seed in range(3, 60))]
)
def test_a_target_that_is_slow_now_and_then_breaks_no_rule(seed: int) -> None:
    """It stops for some seconds, before it does what a request asks or after that; its runs take as long."""
    source = random.Random(seed)
    emulator = Emulator(Settings(lasts=2.0, pace=0.1, keys={PRIMARY_KEY: "one", OTHER_KEY: "two"}))

    def stop() -> None:
        if source.random() < 0.2:
            emulator.clock.reached(emulator.clock.now + source.uniform(0.3, 3.0))

    def answer(request: Request) -> Response:
        stop()
        is_control = request.segments[0] == "__harness__"  # which would hold its runs
        response = emulator(replace(request, target="/v1beta/none") if is_control else request)
        stop()
        return response

    finished = judge_behind(emulator, answer)
    told = {result.id: result.verdict for result in finished.results if result.verdict in (*BROKEN, Verdict.WARN)}
    assert told.keys() <= {"err.shape"}


@pytest.mark.slow
@pytest.mark.parametrize("kinds", [SILENCES, STORMS, HURRICANES], ids=["silence", "storm", "hurricane"])
@pytest.mark.parametrize(
    "seed", [*range(3), *(pytest.param(seed, marks=pytest.mark.thorough) for seed in range(3, 150))]
)
def test_weather_breaks_no_rule(seed: int, kinds: Sequence[str]) -> None:
    """Each rule holds, or is not judged; the exit code says which."""
    scopes = EVERYWHERE if kinds is HURRICANES else EVERYWHERE[:2]
    finished = judge_in(draw_weather(seed, kinds, scopes=scopes))
    assert [result.id for result in finished.results if result.verdict in BROKEN] == []
    assert finished.exit in (Exit.OK, Exit.INCOMPLETE)


LOSSES = {
    "a resume that has no response once": ["resumes=pass,times:16/before-headers,stall", "resume.*"],
    "a stream that is read live, and again, without an end": ["resumes=event:3,stall,times:2", "resume.*"],
    "a deletion after the probe that crashes once": ["deletes=status:500", "err.no-crash"],
    "five of six resumes": ["resumes=" + "pass/before-headers,rst,times:5/" * 20 + "pass", "resume.*", "err.*"],
    "eighteen resumes in a row": ["resumes=pass,times:6/event:3,rst,times:18/pass", "resume.*"],
    "streams, beside rests that end before a cut": ["resumes=pass,times:20/event:3,rst,times:18/pass", "resume.*"],
    "a cancel without a response, five times": ["cancels=pass,times:2/before-headers,stall,times:5", "cancel.ok"],
    "each resume in a gateway": ["resumes=pass,times:2/status:504,times:all", "resume.*"],
    "each read in a gateway": ["gets=pass,times:8/status:502,shape:html,times:all", "get.*"],
    "a rejection that is cut five times": ["deletes=byte:1,rst,times:5", "del.*", "http.length"],
}
"""What is lost on the way, and the checks that once took it for a defect."""


@pytest.mark.slow
@pytest.mark.parametrize("words", LOSSES.values(), ids=LOSSES)
def test_what_is_lost_on_the_way_is_no_defect(words: list[str]) -> None:
    """A run with bad weather has one of these in hundreds."""
    finished = judge_in(*words)
    assert [result.id for result in finished.results if result.verdict in BROKEN] == []
    assert finished.exit in (Exit.OK, Exit.INCOMPLETE)


def test_what_does_not_come_again_is_told() -> None:
    """A crash that may be of the network breaks no rule, and is not kept from the reader either."""
    finished = judge_in("creates=pass,times:9/status:500/pass,times:3/headers,rst", "create.*", "err.*")
    assert [result.id for result in finished.results if result.verdict in BROKEN] == []
    assert [(one.status, one.complete) for one in finished.mishaps] == [(500, True), (None, False)]


def test_what_comes_each_time_is_the_targets() -> None:
    finished = judge_in("creates=pass,times:9/status:500,times:all", "create.*", "err.*")
    assert "err.no-crash" in [result.id for result in finished.results if result.verdict is Verdict.FAIL]
    assert finished.mishaps == ()


def test_a_call_that_is_down_is_no_limit_of_the_rate() -> None:
    """Others are rejected now and then, and accepted as soon as they are sent again."""
    flaky = "pass,times:3/status:503/" * 90
    finished = judge_in(f"cancels=status:503,times:all/creates={flaky}pass", "c*.ok")
    assert {result.id for result in finished.results if result.judged} == {"create.ok", "chain.ok"}
    assert "/cancel returned 503, and no request like it succeeded" in "; ".join(finished.holes)


class Crowd(ServiceDriver):
    """A target that answers requests one by one, and none that it gets at once."""

    def perform(self, action: DriverAction) -> Any:
        crashing = ServiceDriver(lambda request: Response.json(500, b"{}"))
        return (crashing if isinstance(action, Together) else super()).perform(action)


def test_a_crash_of_requests_at_once_is_the_targets() -> None:
    """Alone, each of them has a response; they are sent at once again."""
    finished = judge_in("creates=pass", "rob.concurrent*", "err.no-crash", driver=Crowd)
    assert "err.no-crash" in [result.id for result in finished.results if result.verdict is Verdict.FAIL]


def test_a_response_that_is_lost_now_and_then_is_not_the_targets() -> None:
    """Of eight at once, some are lost each time; so are some that are sent one by one."""
    plan = "creates=" + "/".join(["pass,times:8", "headers,rst"] * 60)
    finished = judge_in(plan, "rob.concurrent*", "err.*")
    assert [result.id for result in finished.results if result.verdict in BROKEN] == []
    assert len(finished.mishaps) > 1
