"""`harness record --scenario NAME…`: the harness itself runs scenarios and keeps the recordings.

Layer 8.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.common_options import api_key_option, header_option, plain_http_option
from harness.cli.masking import hide
from harness.cli.options import COUNT, FOLDER, POSITIVE_SECONDS, Options, Trust, flag, option
from harness.cli.output import say, write_json
from harness.cli.serving import DUMMY_KEY
from harness.interactions import INTERACTIONS
from harness.outcome import Exit, UsageFault
from harness.outcome.words import format_count
from harness.report.screen import wants_colour

if TYPE_CHECKING:
    from harness.benches.record.session import Recorded, RecordingSession
    from harness.engine.targets import ResolvedTarget
    from harness.kit.check import Scenario

DEFAULT_TIMEOUT = 120.0

SCENARIOS_ONLY = (
    "cassettes", "api_key", "api_version", "model", "agent", "header", "timeout", "yes", "max_requests",
    "continued", "plain_http",
)  # fmt: skip

_AMPLE = 10
"""Factor from the estimate to the budget of requests if no bound was given: long runs are polled often."""


@dataclass(kw_only=True)
class ScenarioOptions(Options):
    """The options that only apply together with `--scenario`."""

    target: str | None
    ca_file: str | None
    json: bool
    scenario: Sequence[str] | None = option(
        "run these scenarios (or all) instead of waiting for clients", nargs="+", metavar="NAME", group="scenarios"
    )
    cassettes: str | None = option(
        "output folder", FOLDER, trust=Trust.CALL, shown="cassettes/live, /emulator or /other", group="scenarios"
    )
    api_key: str | None = api_key_option("scenarios")
    api_version: str | None = option("API version", metavar="V", shown="v1beta", group="scenarios")
    model: str | None = option("model to request", group="scenarios")
    agent: str | None = option("agent to request", group="scenarios")
    header: Sequence[tuple[str, str]] | None = header_option("scenarios")
    plain_http: bool = plain_http_option("scenarios")
    timeout: float = option(
        "limit in seconds for one interaction to settle", POSITIVE_SECONDS, DEFAULT_TIMEOUT, group="scenarios"
    )
    yes: bool = flag("do not ask for confirmation; needs --max-requests", trust=Trust.CALL, group="scenarios")
    max_requests: int | None = option("send at most N requests", COUNT, trust=Trust.CALL, group="scenarios")
    continued: bool = flag("resume an interrupted session", flags=("--continue",), group="scenarios")


def run_scenarios(arguments: ScenarioOptions) -> int:
    """Run the command. Exit code: 0 recorded without drift; 1 structural drift, findings, or something missing.

    3 the target supports none of the scenarios; 4 it could not be used from the first request on; 130 interrupted.
    """
    from harness.benches.record.session import RecordingSession
    from harness.checks.scenarios import select_scenarios
    from harness.report.recording_report import RecordingReport, session_record

    scenarios = select_scenarios(list(arguments.scenario or ()))
    session = RecordingSession(_resolve(arguments), Path(), arguments.max_requests or 0, ca_file=arguments.ca_file)
    if session.provenance.target == "emulator" and not session.target.info.secrets:
        arguments.api_key = DUMMY_KEY
        session.target = _resolve(arguments)
    session.folder = Path(arguments.cassettes or Path("cassettes") / session.provenance.target)
    session.continued = arguments.continued
    _confirm(arguments, session, scenarios)
    mask = session.target.make_mask()
    out = sys.stderr if arguments.json else sys.stdout
    report = RecordingReport(out, mask, colour=wants_colour(out, os.environ))
    session.hear = report.hear
    results: list[Recorded] = []

    def report_end() -> None:
        report.end(session, results, [scenario.name for scenario in scenarios])
        if arguments.json:
            write_json(session_record(session, results, mask))

    try:
        for result in session.run(scenarios):
            results.append(result)
            report.result(result)
    except KeyboardInterrupt:
        report_end()
        raise
    report_end()
    return _exit(results)


def _exit(results: Sequence[Recorded]) -> Exit:
    from harness.benches.record.proof import ScenarioState

    if any(result.is_news for result in results):
        first = results[0]
        return Exit.UNREACHABLE if first.state is ScenarioState.STOPPED and first.exchanges else Exit.FAILED
    there = any(result.state in (ScenarioState.RECORDED, ScenarioState.SKIPPED) for result in results)
    return Exit.OK if there else Exit.NOTHING_RAN


def _resolve(arguments: ScenarioOptions) -> ResolvedTarget:
    from harness.engine.targets import EMULATOR, TargetOptions, resolve_target

    if not arguments.target:
        raise UsageFault("name the server to record: --target https://generativelanguage.googleapis.com")
    if arguments.target == EMULATOR:
        raise UsageFault("recordings need real sockets: start `harness serve` and name its URL")
    options = TargetOptions(
        api_version=arguments.api_version or "",
        api_key=arguments.api_key or "",
        model=arguments.model or "",
        agent=arguments.agent or "",
        headers=tuple(arguments.header or ()),
        timeout=arguments.timeout,
        plain_http=arguments.plain_http or arguments.api_key == DUMMY_KEY,
    )
    found = resolve_target(INTERACTIONS, arguments.target, options)
    hide(found.info.secrets)
    return found


def _confirm(arguments: ScenarioOptions, session: RecordingSession, scenarios: Sequence[Scenario]) -> None:
    """Print the cost and ask for confirmation; sets the session's budget. Raises UsageFault without a yes."""
    _need_key(session)
    ahead = session.waiting(scenarios)
    estimate = sum(scenario.exercise.requests for scenario in ahead)
    creates = sum(scenario.exercise.interactions for scenario in ahead)
    session.budget = session.budget or estimate * _AMPLE
    settled = _list_settled(session, ahead)
    for scenario in ahead:
        say(f"  {scenario.name:<10} {scenario.shows}", to_errors=arguments.json)
        if settled.get(scenario.name):
            say(f"  {'':<10} settles {', '.join(settled[scenario.name])}", to_errors=arguments.json)
    what = format_count(len(ahead), "scenario") if ahead else "nothing is left to record"
    cost = f"{what}: about {format_count(estimate, 'request')}, {format_count(creates, 'interaction')}"
    cost += f", at most {format_count(session.budget, 'request')}"
    say(f"{cost}; target {session.target.info.url} ({session.provenance.target})", to_errors=arguments.json)
    if not session.target.info.secrets:
        say("no key is sent: GEMINI_API_KEY is not set and --api-key is missing", to_errors=arguments.json)
    if session.budget < estimate:
        say("this limit is too low: the session will stop early", to_errors=arguments.json)
    if arguments.yes:
        if not arguments.max_requests:
            raise UsageFault(f"--yes needs a bound: --max-requests {session.budget} is sufficient")
        return
    if not sys.stdin.isatty():
        raise UsageFault("no terminal to confirm on: use --yes --max-requests N for an unattended run")
    say("Continue? [y/N]", to_errors=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UsageFault("not confirmed: nothing was sent")


def _list_settled(session: RecordingSession, scenarios: Sequence[Scenario]) -> dict[str, list[str]]:
    """The sentences of the documents that a recording settles, by scenario: only the live service can."""
    if session.provenance.target != "live":
        return {}
    from harness.rules.ledger import load_ledger

    return {
        scenario.name: [line.id for line in load_ledger() if scenario.name in line.scenarios]
        for scenario in scenarios
    }


def _need_key(session: RecordingSession) -> None:
    """Raise UsageFault if the live service would be asked without any credential."""
    target = session.target
    if session.provenance.target == "live" and not target.info.secrets:
        raise UsageFault(
            f"the live service requires a key: set {INTERACTIONS.key_variable}, or name one with --api-key"
        )
