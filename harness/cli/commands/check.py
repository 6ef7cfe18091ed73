"""`harness check TARGET`: judge a server against the contract."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.cli.arguments import read_options
from harness.cli.common_options import ExtensionOptions, deadline_option, level_option, selection, verbose_option
from harness.cli.options import COUNT, FLAG, POSITIVE_NUMBER, SECONDS, Page, Trust, flag, option
from harness.cli.output import page, read_report_words, say, write_json
from harness.cli.request_options import wait_for
from harness.cli.run_reports import EXIT_CODES, BaselineOptions, Listeners, baseline_of, read_again
from harness.cli.target_options import TargetArguments, is_here, resolve, said_capabilities
from harness.contract.models.profiles import describe_life, find_profile
from harness.engine.decide import note_failed
from harness.engine.events import Capability, Waiting, everything
from harness.engine.plan import make_plan
from harness.engine.probe import MOST_REQUESTS
from harness.engine.run import RunOptions, check_target
from harness.engine.selection import Selection
from harness.engine.traffic.outages import MAX_TOTAL_WAIT
from harness.engine.traffic.traffic_policy import TrafficPolicy
from harness.interactions import INTERACTIONS
from harness.kit.api import ServerApi
from harness.kit.check import Check
from harness.outcome import Exit, Level
from harness.outcome.words import format_count
from harness.report.presented_run import PresentedRun
from harness.report.screen import align

SMOKE, _SMOKE_CHECK = "smoke", "create.ok"
"""The profile that only reports whether a server is up and what it can do, and its check."""

LOCAL_DEADLINE = 600.0
"""Seconds that a run against this machine may take by default; a run against others has no limit."""


@dataclass(kw_only=True)
class CheckArguments(TargetArguments, ExtensionOptions, BaselineOptions):
    """The options of `harness check`; their keys in a file are those of `[tool.harness]`."""

    rate: float | None = option("send at most N requests per second", POSITIVE_NUMBER, group="rate limits")
    max_wait: float = option(
        "wait at most S seconds in total after 429 and 503", SECONDS, MAX_TOTAL_WAIT, group="rate limits"
    )
    last_failed: bool = selection(
        "run only the checks that failed in the last run from this folder", FLAG, False, trust=Trust.CALL
    )
    level: Level = level_option()
    profile: Sequence[str] | None = selection(
        f"run only this profile (repeatable); {SMOKE}: one create, and a probe of all capabilities",
        repeats=True, metavar="NAME",
    )  # fmt: skip
    strict: bool = flag(
        "also fail on broken SHOULD rules, unless their source is only inferred, and on MUST checks of an offered "
        "feature that were not tested",
        group="verdicts",
    )
    jobs: int | None = option(
        "exercises to run in parallel",
        COUNT,
        flags=("-j", "--jobs"),
        group="run",
        shown="8 on a target with sessions (docs/control.md), 4 on another server, 1 on the live service",
    )
    deadline: float | None = deadline_option(f"{LOCAL_DEADLINE:.0f} on this machine; else none", "run")
    fail_fast: bool = flag("stop at the first failure", group="run", once="selects")
    dry_run: bool = flag(
        "print the requests and the rules that need them, and send nothing",
        trust=Trust.CALL, group="run", once="reports",
    )  # fmt: skip
    verbose: int = verbose_option("list every selected check and the waits of slow exercises, explain warnings")

    page = Page(
        "check",
        ("harness check emulator", "harness check https://gateway.example/v1beta --report html=report.html"),
        groups=("target", "rate limits", "selection", "verdicts", "run", "output"),
        notes="""\
The run waits after 429 and 503. After Ctrl-C it deletes its interactions and writes its reports.

Without --profile, the profile `core` runs, and every other profile whose capabilities the probe found.

Defaults come from [tool.harness] in pyproject.toml. A live target bills the interactions of the checks: --dry-run
prints their number.

"""
        + EXIT_CODES.format("target unreachable, key rejected, or no response to a MUST"),
    )


OPTIONS = CheckArguments


def run(words: Sequence[str]) -> int:
    """Run the command."""
    arguments = read_options(CheckArguments, words)
    target = resolve(arguments)
    catalogue = target.api.load_catalogue()
    stated = said_capabilities(arguments)
    baseline = baseline_of(arguments, [check.id for check in catalogue])
    run = f"check {target.info.kept_name}"
    failed = read_again(arguments, run, "check") if arguments.last_failed else set()
    chosen = _read_selection(arguments, [check.id for check in catalogue if check.id in failed])
    if arguments.dry_run:
        read_report_words(arguments.report)
        return _dry_run(target.api, catalogue, chosen, stated, as_json=arguments.json)
    if arguments.model and (note := describe_life(find_profile(arguments.model))):
        say(f"note: {note}", to_errors=True)
    shown = PresentedRun(INTERACTIONS, times_exercises=arguments.verbose > 0, repeat=arguments.repeat)
    listeners = Listeners(arguments, shown, baseline)
    limit = arguments.deadline
    options = RunOptions(
        selection=chosen,
        stated=stated,
        baseline=baseline,
        strict=arguments.strict,
        fail_fast=arguments.fail_fast,
        jobs=arguments.jobs,
        deadline=(LOCAL_DEADLINE if is_here(target.info.url) else None) if limit is None else limit or None,
        probes_all=_is_smoke(arguments),
        traffic=TrafficPolicy(
            rate=arguments.rate,
            max_wait=arguments.max_wait,
            report_wait=lambda seconds, refusal: listeners.handle(Waiting(seconds, refusal)),
        ),
    )
    with listeners.reporting_faults_of(target.info):
        wait_for(target, arguments.wait)
        finished = listeners.follow(check_target(target, catalogue, options))
    note_failed(run, finished.results)
    return finished.exit


def _is_smoke(arguments: CheckArguments) -> bool:
    return list(arguments.profile or ()) == [SMOKE]


def _read_selection(arguments: CheckArguments, again: Sequence[str]) -> Selection:
    if _is_smoke(arguments):
        arguments.refuse(("only", "exclude"), f"selects checks, and as does --profile {SMOKE}: remove one of them")
        return Selection(checks=(_SMOKE_CHECK,))
    profiles = [name.strip() for word in arguments.profile or () for name in word.split(",")]
    return arguments.selected(again, level=arguments.level, profiles=tuple(profiles))


def _dry_run(
    api: ServerApi,
    catalogue: Sequence[Check],
    selection: Selection,
    stated: Sequence[Capability],
    *,
    as_json: bool,
) -> int:
    """Print what would be sent at most and for which rules, assuming every capability that was not denied."""
    denied = {item.name for item in stated if not item.present}
    plan = make_plan(catalogue, selection, everything(api.load_capabilities(), but=denied), api.load_profiles())
    sent, made = plan.cost
    selected = [check.id for check in plan.running]
    rows = [(one.requests, one.interactions, one.name, [item.check.id for item in of]) for one, of in plan.groups]
    if as_json:
        keys = ("requests", "interactions", "exercise", "checks")
        exercises = [dict(zip(keys, row, strict=True)) for row in rows]
        total = {"requests": sent, "interactions": made, "probe_requests": MOST_REQUESTS}
        write_json({**total, "exercises": exercises, "checks": selected})
    else:
        cells = [(*map(str, numbers), name, " ".join(rules)) for *numbers, name, rules in rows]
        page(
            *align([("requests", "creates", "exercise", "rules that need it"), *cells]),
            f"{format_count(len(selected), 'check')} in {format_count(len(rows), 'exercise')}: at most "
            f"{format_count(sent, 'request')}, which create {format_count(made, 'interaction')}; in addition at "
            f"most {MOST_REQUESTS} requests to probe, and a GET and a DELETE for each created resource. "
            "Nothing was sent.",
        )
    return Exit.OK if selected else Exit.NOTHING_RAN
