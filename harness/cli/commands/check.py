"""`harness check TARGET`: judge a server against the contract.

Layer 7.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Generator, Sequence
from contextlib import closing
from datetime import date
from pathlib import Path

from harness.benches.server.reachability import wait_until_up
from harness.cli.arguments import Parser, count, level_named
from harness.cli.output import ReportFiles, say, write_json
from harness.cli.target_options import (
    add_target_arguments,
    add_traffic_arguments,
    parse_with_configuration,
    resolve,
    said_capabilities,
    traffic_policy,
)
from harness.engine import plan as planning
from harness.engine.baseline import Baseline, read_baseline
from harness.engine.capabilities import Capabilities, Capability, everything
from harness.engine.events import Event, Result
from harness.engine.plan import Selection, make_plan
from harness.engine.probe import MOST_REQUESTS
from harness.engine.run import RunOptions, check_target
from harness.kit.check import Check
from harness.outcome import Exit, UsageFault, Verdict, exit_code
from harness.outcome.words import counted
from harness.report.formats import render
from harness.report.json_report import render as render_json
from harness.report.run_state import Story
from harness.report.screen import wants_colour
from harness.report.terminal import TerminalReport


def run(words: Sequence[str]) -> int:
    """Run the command."""
    arguments = parse_with_configuration(_parser(), list(words))
    target = resolve(arguments)
    catalogue = planning.load_catalogue()
    said = said_capabilities(arguments)
    story, screen = _listeners(arguments)
    options = RunOptions(
        selection=_selection(arguments),
        said=said,
        baseline=_baseline(arguments, catalogue),
        strict=bool(arguments.strict),
        fail_fast=bool(arguments.fail_fast),
        jobs=arguments.jobs or 1,
        traffic=traffic_policy(arguments, screen.waiting if screen is not None else None),
    )
    make_plan(catalogue, options.selection, Capabilities(said))  # report an unknown id before anything is sent
    if arguments.dry_run:
        return _dry_run(catalogue, options.selection, said, as_json=arguments.json)
    files = ReportFiles(arguments.report or ())
    wait_until_up(target, arguments.wait or 0.0)
    _listen(check_target(target, catalogue, options), story, screen)
    files.write(lambda name: render(name, story))
    if arguments.json:
        sys.stdout.write(render_json(story))
    _, finished = story.whole()
    if arguments.baseline_update or arguments.baseline_prune:
        return _rewrite_baseline(arguments, options.baseline, finished.results)
    return finished.exit


def _parser() -> Parser:
    parser = Parser("check", "Judge a server against the contract of the Interactions API.", epilog=_EPILOG)
    add_target_arguments(parser)
    add_traffic_arguments(parser)
    group = parser.add_argument_group("selection")
    group.add_argument(
        "-c", "--check", action="append", metavar="GLOB", help="run only matching checks (repeatable)"
    )
    group.add_argument("--exclude", action="append", metavar="GLOB", help="leave out matching checks (repeatable)")
    group.add_argument(
        "--level", metavar="LEVEL", help="weakest level to judge: must, should or may (default: may)"
    )
    group.add_argument("--profile", action="append", metavar="NAME", help="run only this profile (repeatable)")
    group = parser.add_argument_group("verdicts")
    group.add_argument("--strict", action="store_true", default=None, help="broken SHOULDs fail, too")
    group.add_argument("--baseline", metavar="FILE", help="file of known, explained failures")
    group.add_argument("--baseline-update", action="store_true", help="add new failures to the baseline file")
    group.add_argument("--baseline-prune", action="store_true", help="remove stale entries from the baseline file")
    group = parser.add_argument_group("run")
    group.add_argument("-j", "--jobs", type=count, metavar="N", help="exercises to run in parallel (default: 1)")
    group.add_argument("--fail-fast", action="store_true", default=None, help="stop at the first failure")
    group.add_argument("--dry-run", action="store_true", help="print what would be sent, and send nothing")
    group = parser.add_argument_group("output")
    group.add_argument(
        "--report", action="append", metavar="FORMAT=PATH", help="json, junit, markdown, html, badge"
    )
    group.add_argument("--json", action="store_true", help="print the JSON report and nothing else")
    group.add_argument(
        "-v", "--verbose", action="store_true", help="list every selected check and explain warnings"
    )
    group.add_argument("--color", choices=("auto", "always", "never"), default="auto")
    return parser


_EPILOG = """\
429 and 503 are waited out. If a MUST gets no answer in the end, the exit code is 4.
Without --profile, the profile `core` runs, and every other profile whose capabilities the probe found.
Defaults come from [tool.harness] in pyproject.toml. A live target is billed for what the checks create:
--dry-run prints how much that is."""


def _selection(arguments: argparse.Namespace) -> Selection:
    profiles = [name.strip() for word in arguments.profile or () for name in word.split(",")]
    return Selection(
        checks=tuple(arguments.check or ()),
        exclude=tuple(arguments.exclude or ()),
        level=level_named(arguments.level),
        profiles=tuple(profiles),
    )


def _baseline(arguments: argparse.Namespace, catalogue: Sequence[Check]) -> Baseline:
    changes = arguments.baseline_update or arguments.baseline_prune
    if not arguments.baseline:
        if changes:
            raise UsageFault("--baseline-update and --baseline-prune need --baseline FILE: which file to change")
        return Baseline()
    path = Path(arguments.baseline)
    if arguments.baseline_update and not path.exists():
        return Baseline()
    return read_baseline(path, [check.id for check in catalogue])


def _rewrite_baseline(arguments: argparse.Namespace, old: Baseline, results: Sequence[Result]) -> int:
    """Write the changed baseline; return the exit code that the run has under the new baseline."""
    new = old.updated(results, date.today().isoformat()) if arguments.baseline_update else old
    new = new.pruned(results) if arguments.baseline_prune else new
    added, gone = len(new.entries.keys() - old.entries.keys()), len(old.entries.keys() - new.entries.keys())
    try:
        Path(arguments.baseline).write_text(new.text(), encoding="utf-8")
    except OSError as wrong:
        raise UsageFault(f"the baseline {arguments.baseline} cannot be written: {wrong.strerror}") from None
    unjudged = any(result.unjudged and result.check.id not in new for result in results)
    code = exit_code((_seen_with(result, new) for result in results), unjudged=unjudged)
    changed = f"baseline {arguments.baseline}: {added} added, {gone} removed"
    conforms = "conformant" if code == Exit.OK else "still not conformant"
    say(f"{changed}; with it, this run is {conforms}", to_errors=arguments.json)
    return code


def _seen_with(result: Result, baseline: Baseline) -> Verdict:
    if result.verdict is Verdict.FAIL and result.check.id in baseline:
        return Verdict.XFAIL
    if result.verdict is Verdict.STALE and result.check.id not in baseline:
        return Verdict.PASS
    return result.verdict


def _listeners(arguments: argparse.Namespace) -> tuple[Story, TerminalReport | None]:
    """The listeners of the run; there is no screen with --json."""
    from harness.contract.tables.protocol import PROTOCOL

    story = Story(PROTOCOL.secret_fields)
    if arguments.json:
        return story, None
    colour = wants_colour(sys.stdout, os.environ, arguments.color)
    return story, TerminalReport(sys.stdout, story, colour=colour, verbose=arguments.verbose)


def _listen(events: Generator[Event, None, None], story: Story, screen: TerminalReport | None) -> None:
    with closing(events):
        for event in events:
            story.hear(event)
            if screen is not None:
                screen.hear(event)


def _dry_run(
    catalogue: Sequence[Check], selection: Selection, said: Sequence[Capability], *, as_json: bool
) -> int:
    """Print how much would be sent at most, assuming every capability that was not denied."""
    denied = {item.name for item in said if not item.present}
    plan = make_plan(catalogue, selection, everything(but=denied))
    requests, interactions = plan.cost
    selected = [planned.check.id for planned in plan.checks if planned.skip is None]
    if as_json:
        write_json(
            {
                "requests": requests,
                "interactions": interactions,
                "probe_requests": MOST_REQUESTS,
                "exercises": len(plan.groups),
                "checks": selected,
            }
        )
    else:
        say(
            f"{counted(len(selected), 'check')} in {counted(len(plan.groups), 'exercise')}: at most "
            f"{counted(requests, 'request')}, which create {counted(interactions, 'interaction')}; besides, at "
            f"most {MOST_REQUESTS} requests to probe, and one deletion for each thing created. Nothing was sent."
        )
    return Exit.OK if selected else Exit.NOTHING_RAN
