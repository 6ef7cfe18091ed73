"""`harness record --scenario NAME…`: the harness itself drives scenarios and keeps the recordings.

Layer 6.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli.arguments import Parser, count, header, positive_seconds
from harness.cli.diff import drift_record, print_drifts
from harness.cli.reporting import say, write_json
from harness.outcome import Exit, UsageFault
from harness.report.wirelog import printable

if TYPE_CHECKING:
    from harness.runner.record_scenarios import Scenario
    from harness.runner.record_session import Recorded, Session
    from harness.runner.targets import ResolvedTarget

DEFAULT_TIMEOUT = 120.0


def add_scenario_arguments(parser: Parser) -> None:
    """What only counts together with `--scenario`."""
    group = parser.add_argument_group("scenarios")
    group.add_argument(
        "--scenario", nargs="+", metavar="NAME", help="drive these (or all) instead of waiting for clients"
    )
    group.add_argument("--cassettes", metavar="DIR", help="where they go (cassettes/live, /emulator or /other)")
    group.add_argument("--api-key", metavar="KEY", help="default: $GEMINI_API_KEY")
    group.add_argument("--api-version", metavar="V", help="path segment (v1beta)")
    group.add_argument("--model", help="model to ask for")
    group.add_argument("--agent", help="agent to ask for")
    group.add_argument(
        "-H", "--header", action="append", type=header, metavar="'N: V'", help="sent with each request"
    )
    group.add_argument("--timeout", type=positive_seconds, metavar="S", help="for one run to settle (120)")
    group.add_argument("--yes", action="store_true", help="do not ask; needs --max-requests")
    group.add_argument("--max-requests", type=count, metavar="N", help="send no more than this")
    group.add_argument(
        "--continue", dest="continued", action="store_true", help="go on with an interrupted session"
    )


def run_scenarios(arguments: argparse.Namespace) -> int:
    """0: recorded without drift; 1: drift of shape, findings, or something missing; 3 or 4: nothing recorded."""
    from harness.runner.record_scenarios import chosen
    from harness.runner.record_session import Session, State

    scenarios = chosen(list(arguments.scenario))
    target = _target(arguments)
    estimate = sum(scenario.exercise.requests for scenario in scenarios)
    budget = arguments.max_requests or estimate * 10
    session = Session(target, Path(), budget, ca_file=arguments.ca_file, continued=arguments.continued)
    session.folder = Path(arguments.cassettes or Path("cassettes") / session.provenance.target)
    _confirm(arguments, session, scenarios, estimate)
    results = []
    for result in session.run(scenarios):
        results.append(result)
        if not arguments.json:
            _print(result)
    if arguments.json:
        write_json(session_record(session, results))
    else:
        say(f"{session.spent} requests sent; cassettes in {session.folder}")
    states = {result.state for result in results}
    if State.RECORDED not in states and State.SKIPPED not in states:
        return Exit.UNREACHABLE if State.STOPPED in states else Exit.NOTHING_RAN
    return Exit.FAILED if any(map(_is_news, results)) else Exit.OK


def _target(arguments: argparse.Namespace) -> ResolvedTarget:
    from harness.runner.targets import EMULATOR, KEY_VARIABLE, TargetOptions, resolve_target

    if not arguments.target:
        raise UsageFault("name the server to record: --target https://generativelanguage.googleapis.com")
    if arguments.target == EMULATOR:
        raise UsageFault("recordings are made over real sockets: start `harness serve` and name its URL")
    options = TargetOptions(
        api_version=arguments.api_version or "",
        api_key=arguments.api_key or os.environ.get(KEY_VARIABLE, ""),
        model=arguments.model or "",
        agent=arguments.agent or "",
        headers=tuple(arguments.header or ()),
        timeout=arguments.timeout or DEFAULT_TIMEOUT,
    )
    return resolve_target(arguments.target, options)


def _confirm(
    arguments: argparse.Namespace, session: Session, scenarios: Sequence[Scenario], estimate: int
) -> None:
    """Say what it will cost, and go on only with a yes. Raises UsageFault."""
    creates = sum(scenario.exercise.interactions for scenario in scenarios)
    names = ", ".join(scenario.name for scenario in scenarios)
    cost = f"{names}: about {estimate} requests, {creates} interactions, at most {session.budget} requests"
    say(f"{cost}; target {session.target.info.url} ({session.provenance.target})", to_errors=arguments.json)
    if arguments.yes:
        if not arguments.max_requests:
            raise UsageFault(f"--yes needs a bound: --max-requests {session.budget} would be ample")
        return
    if not sys.stdin.isatty():
        raise UsageFault("nobody is there to confirm: say --yes --max-requests N for an unattended run")
    say("Go on? [y/N]", to_errors=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UsageFault("not confirmed: nothing was sent")


def _print(result: Recorded) -> None:
    what = f"{result.exchanges} exchanges" if result.exchanges else ""
    say(
        printable(
            f"{result.name}: {result.state}" + "".join(f", {part}" for part in (what, result.reason) if part)
        )
    )
    for finding in result.findings:
        say(printable(f"  {finding.where.exchange}: {finding.rule} {finding.message}"))
    if result.drifts is not None:
        print_drifts(result.drifts, quiet=True)


def _is_news(result: Recorded) -> bool:
    """Whether a person should look at it."""
    from harness.runner.record_session import State

    fine = result.state in (State.RECORDED, State.SKIPPED, State.UNSUPPORTED)
    return not fine or bool(result.findings) or (result.drifts is not None and bool(result.drifts.shape))


def session_record(session: Session, results: Sequence[Recorded]) -> dict[str, Any]:
    """A session as `schemas/output/record-scenarios.schema.json` describes it."""
    return {
        "target": session.target.info.url,
        "class": str(session.provenance.target),
        "folder": str(session.folder),
        "requests": session.spent,
        "scenarios": [_result(session, result) for result in results],
    }


def _result(session: Session, result: Recorded) -> dict[str, Any]:
    path = str(session.folder / f"{result.name}.yaml")
    drifts = None if result.drifts is None else drift_record(path, path, result.drifts)
    return {
        "name": result.name,
        "state": str(result.state),
        "reason": result.reason,
        "exchanges": result.exchanges,
        "findings": [
            {"exchange": finding.where.exchange, "rule": finding.rule, "message": finding.message}
            for finding in result.findings
        ],
        "drifts": drifts and {name: drifts[name] for name in ("compared", "shape", "content")},
    }
