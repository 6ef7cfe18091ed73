"""`python -m lab record`: record the scenarios of the library from a server, one cassette each."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from harness.engine.targets import TargetOptions, resolve_target
from harness.interactions import INTERACTIONS
from harness.interactions.servers import SERVERS
from harness.outcome import FIRST_WORDS, Exit, UsageFault
from harness.outcome.words import format_count
from lab.recording.scenarios import SCENARIOS, select_scenarios
from lab.recording.session import Recorded, RecordingSession, ScenarioState


def run(words: Sequence[str]) -> int:
    """Record and return the exit code: 0 all, 1 something is missing, 3 nothing is supported, 4 no target."""
    parser = argparse.ArgumentParser(prog="python -m lab record", description=__doc__)
    parser.add_argument("scenario", nargs="+", help=f"{', '.join(SCENARIOS)}; or all")
    parser.add_argument("--target", required=True, metavar="URL", help="the server")
    parser.add_argument("--folder", type=Path, help="default: cassettes/live, /emulator or /other")
    parser.add_argument("--max-requests", type=int, default=0, help="without it, nothing is sent")
    options = parser.parse_args(words)
    scenarios = select_scenarios(options.scenario)
    key = os.environ.get(INTERACTIONS.key_variable, "")
    target = resolve_target(SERVERS, options.target, TargetOptions(api_key=key, timeout=120))
    if not target.info.url:
        raise UsageFault("recordings need real sockets: start `harness serve` and name its URL")
    session = RecordingSession(target, Path(), options.max_requests)
    session.folder = options.folder or Path("cassettes") / session.provenance.target
    mask = target.make_mask()
    session.hear = lambda line: print(mask.show(line), flush=True)
    estimate = sum(scenario.exercise.requests for scenario in scenarios)
    creates = sum(scenario.exercise.interactions for scenario in scenarios)
    cost = f"about {format_count(estimate, 'request')}, {format_count(creates, 'interaction')}"
    session.hear(f"{format_count(len(scenarios), 'scenario')} of {target.info.url}: {cost}")
    if not key:
        raise UsageFault(f"set {INTERACTIONS.key_variable}; the emulator takes any key")
    if not options.max_requests:
        raise UsageFault(f"nothing was sent: --max-requests {10 * estimate} is sufficient")
    results: list[Recorded] = []
    try:
        for result in session.run(scenarios):
            results.append(result)
            for line in str(result).splitlines():
                session.hear(line)
    finally:  # after Ctrl-C, too
        there = [result.name for result in results if result.state is ScenarioState.RECORDED]
        unable = [result.name for result in results if result.state is ScenarioState.UNSUPPORTED]
        missing = [scenario.name for scenario in scenarios if scenario.name not in there + unable]
        session.hear(f"{len(there)} of {format_count(len(scenarios), 'scenario')} in {session.folder}, "
                     f"{format_count(session.spent, 'request')} sent")  # fmt: skip
        if missing:
            session.hear(f"missing, to be named again: {' '.join(missing)}")
    is_gone = results[0].state is ScenarioState.STOPPED and results[0].exchanges
    code = Exit.INCOMPLETE if is_gone else Exit.FAILED if missing else Exit.OK if there else Exit.NOTHING_RAN
    print(f"{FIRST_WORDS[code]}: `git diff` shows the drift, `harness verify {session.folder}` judges")
    return code
