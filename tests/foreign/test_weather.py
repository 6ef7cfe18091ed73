"""Correct servers in bad weather: whatever a proxy in front of them breaks, no rule fails, and the run says so."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from harness.contract import PROTOCOL
from harness.faults import cut
from harness.outcome import Exit
from harness.transport import ServerThread
from harness.transport.proxy import UpstreamServer
from tests.engine.test_weather import STORMS, draw_weather
from tests.foreign.judging import check_at
from tests.foreign.server import serving
from tests.foreign.test_ends import supervised
from tests.foreign.test_turns import Reciting

pytestmark = pytest.mark.slow

TIMEOUT = 2.0
PAUSES = (1, 5)
"""Seconds of a silence: one that is shorter than the time limit of a response, and one that is longer."""

SOME = ("create.*", "get.*", "stream.*", "resume.no-gap", "bg.settles", "chain.ok", "del.*", "err.*", "rob.conc*")


@contextmanager
def freezing(process: subprocess.Popen[bytes], source: random.Random) -> Iterator[None]:
    """Stop a process now and then, for a moment or for longer than a response may take."""
    over = threading.Event()

    def freeze() -> None:
        while not over.wait(source.uniform(0.5, 3.0)):
            process.send_signal(signal.SIGSTOP)
            over.wait(source.choice((0.1, 0.5, 3.0)))
            process.send_signal(signal.SIGCONT)

    thread = threading.Thread(target=freeze)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def burning(processes: int) -> Iterator[None]:
    """Keep the machine busy."""
    started = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def seeds(quick: int, whole: int) -> list[object]:
    """Some seeds; all but the first ones are for thorough runs."""
    more = (pytest.param(seed, marks=pytest.mark.thorough) for seed in range(quick, whole))
    return [*range(quick), *more]


@pytest.mark.parametrize("seed", seeds(1, 60))
@pytest.mark.parametrize("frozen", [True, False], ids=["in a process that is stopped", "that repeats its input"])
def test_weather_breaks_no_rule(frozen: bool, seed: int) -> None:
    """Resets, crashes, limits, silences and late responses in front of it; thorough runs ask the whole catalog."""
    source = random.Random(seed)
    with ExitStack() as stack:
        if frozen:
            running: list[subprocess.Popen[bytes]] = []
            url = stack.enter_context(supervised("harness-sends-no-such-thing", running=running))
            stack.enter_context(freezing(running[0], source))
        else:
            url = stack.enter_context(serving(Reciting()))
        if seed % 3 == 2:
            stack.enter_context(burning(3))
        plan = draw_weather(seed, STORMS, PAUSES)
        proxy = stack.enter_context(ServerThread(cut(UpstreamServer(url), plan, PROTOCOL)))
        globs = SOME if seed == 0 else ()
        report = check_at(proxy.url, *globs, words=("--timeout", f"{TIMEOUT}", "--api-key", "k"), shows=False)
    broken = [rule for rule, word in report.verdicts.items() if word in ("fail", "error")]
    assert [(rule, report.messages[rule]) for rule in broken] == []
    assert report.exit in (Exit.OK, Exit.INCOMPLETE)
