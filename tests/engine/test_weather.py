"""A target that is right and slow: what a limit of ours cuts breaks no rule, whichever responses are cut."""

from __future__ import annotations

import random

import pytest
from msgspec.structs import replace

from harness.contract import PROTOCOL, load
from harness.engine.events import RunFinished
from harness.engine.plan import Selection
from harness.engine.run import RunOptions, check_target
from harness.engine.targets import TargetOptions, embed_emulator
from harness.faults import cut
from harness.interactions import INTERACTIONS
from harness.outcome import Exit, Verdict
from harness.transport import Limits, ServiceDriver

TIMEOUT = 20.0
BROKEN = (Verdict.FAIL, Verdict.ERROR)
SILENCES = ("silence:5+{}", "silence:1+{}", "silence:0+{}", "late:{}")
"""What happens to creates and reads: a pause, of which some are longer than a limit of the run."""


def draw_weather(seed: int) -> str:
    """A fault plan in which some creates and some reads are silent; most pass."""
    source = random.Random(seed)
    parts = []
    for scope in ("creates", "gets"):
        steps = []
        for _ in range(4):
            bad = source.choice(SILENCES).format(source.choice((12, 30, 90)))
            steps += [f"pass,times:{source.randint(1, 9)}", f"{bad},times:{source.randint(1, 3)}"]
        parts.append(f"{scope}={'/'.join(steps)}")
    return "/".join(parts)


def judge_in(plan: str, *checks: str) -> RunFinished:
    """Judge the emulator behind a fault plan, in virtual time, as a server that all workers share."""
    emulator = INTERACTIONS.new_service(load(), "")
    service = cut(emulator, plan, PROTOCOL)

    def connect(session: str = "") -> ServiceDriver:
        return ServiceDriver(service, emulator.clock, limits=Limits().within(TIMEOUT))

    emulator_target = embed_emulator(INTERACTIONS, TargetOptions(timeout=TIMEOUT))
    target = replace(emulator_target, connect=connect, throwaway=False)
    options = RunOptions(selection=Selection(checks=checks), jobs=1)
    *_, finished = check_target(target, INTERACTIONS.load_catalogue(), options)
    assert isinstance(finished, RunFinished)
    return finished


def test_a_stream_that_is_cut_beside_others_is_no_second_create() -> None:
    """It was compared with its own excused copy, and then had an id that was given before."""
    finished = judge_in("creates=pass,times:5/silence:5+12,times:4", "rob.concurrent-streams", "create.id-unique")
    assert [result.id for result in finished.results if result.verdict in BROKEN] == []
    assert finished.exit in (Exit.OK, Exit.UNREACHABLE)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_silence_breaks_no_rule(seed: int) -> None:
    """Each rule holds, or is not judged; the exit code says which."""
    finished = judge_in(draw_weather(seed))
    assert [result.id for result in finished.results if result.verdict in BROKEN] == []
    assert finished.exit in (Exit.OK, Exit.UNREACHABLE)
