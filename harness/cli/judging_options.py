"""The groups of options of the commands that judge, and what each group turns into.

Layer 8.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Protocol

from msgspec.structs import replace

from harness.benches.server.reachability import wait_until_up
from harness.cli.common_options import (
    OutputOptions,
    api_key_option,
    ca_file_option,
    header_option,
    plain_http_option,
    revision_of,
    revision_option,
)
from harness.cli.masking import hide, mask_text
from harness.cli.options import (
    KEY,
    PATH,
    POSITIVE_NUMBER,
    POSITIVE_SECONDS,
    SECONDS,
    URL,
    VERSION,
    Options,
    Trust,
    argument,
    flag,
    option,
)
from harness.cli.output import require_writable, say
from harness.contract.requests import DEFAULT_WAIT
from harness.engine.baseline import Baseline, read_baseline
from harness.engine.capabilities import Capability, parse_capabilities
from harness.engine.decide import exit_with
from harness.engine.events import RunFinished
from harness.engine.targets import ResolvedTarget, TargetOptions, resolve_target
from harness.engine.traffic.retries import MAX_TOTAL_WAIT, ReportWait
from harness.engine.traffic.traffic_policy import TrafficPolicy
from harness.interactions import INTERACTIONS
from harness.outcome import Exit, UsageFault
from harness.report.screen import Heartbeat
from harness.wire.addresses import is_loopback, read_host
from harness.written_files import write_file

TIMEOUT, LOCAL_TIMEOUT = DEFAULT_WAIT, 30.0
"""Seconds that a response may take by default, and one of a server on this machine."""

LOCAL_DEADLINE = 600.0
"""Seconds that a run against this machine may take by default; a run against others has no limit."""
_WAITING_EVERY = 5.0
"""Seconds between two lines."""


@dataclass(kw_only=True)
class TargetArguments(Options):
    """The target, and how to talk to it."""

    target: str | None = argument(
        "root URL, with or without an API version, or `emulator`",
        URL, nargs="?", metavar="TARGET", variable="HARNESS_TARGET", trust=Trust.SEND, completes="target",
    )  # fmt: skip
    api_version: str | None = option(
        "API version, instead of the version in the URL", VERSION, shown="v1beta", group="target"
    )
    api_key: str | None = api_key_option("target")
    other_api_key: str | None = option(
        "key of another project, for `store.isolation` (which a key of the same project fails)",
        KEY, variable=INTERACTIONS.other_key_variable, trust=Trust.CALL, group="target",
    )  # fmt: skip
    revision: str | None = revision_option("target")
    model: str | None = option("model to request", group="target")
    agent: str | None = option("agent to request", group="target")
    header: Sequence[tuple[str, str]] | None = header_option("target")
    ca_file: str | None = ca_file_option("target")
    plain_http: bool = plain_http_option("target")
    capability: Sequence[str] | None = option(
        "declare or deny a capability (repeatable)",
        repeats=True, metavar="+X|-Y", completes="capability", group="target",
    )  # fmt: skip
    wait: float | None = option("wait up to S seconds until the target is ready", SECONDS, group="target")
    timeout: float | None = option(
        "limit in seconds for one response, and for one interaction to settle",
        POSITIVE_SECONDS,
        shown=f"{LOCAL_TIMEOUT:.0f} on this machine, else {TIMEOUT:.0f}",
        group="target",
    )


class NamesTarget(Protocol):
    """Options that name a target and say how to talk to it."""

    target: str | None
    api_key: str | None
    model: str | None
    agent: str | None
    header: Sequence[tuple[str, str]] | None
    plain_http: bool


def resolve_named(options: NamesTarget, timeout: float, **more: Any) -> ResolvedTarget:
    """Resolve a target by what all commands know of it; `more` are further `TargetOptions`. Raises UsageFault.

    From then on, its keys are hidden in everything that the command prints.
    """
    given = TargetOptions(
        api_key=options.api_key or "",
        model=options.model or "",
        agent=options.agent or "",
        headers=tuple(options.header or ()),
        timeout=timeout,
        plain_http=options.plain_http,
    )
    found = resolve_target(INTERACTIONS, options.target, replace(given, **more))
    hide(found.info.secrets)
    return found


def resolve(options: TargetArguments) -> ResolvedTarget:
    """Resolve the target that the options name. Raises UsageFault."""
    timeout = options.timeout or (LOCAL_TIMEOUT if _is_here(options.target or "") else TIMEOUT)
    return resolve_named(
        options,
        timeout,
        api_version=options.api_version or "",
        other_api_key=options.other_api_key or "",
        ca_file=options.ca_file,
        revision=revision_of(options),
    )


def said_capabilities(options: TargetArguments) -> tuple[Capability, ...]:
    """The capabilities that the user declared or denied."""
    return tuple(parse_capabilities(options.capability or (), INTERACTIONS.load_capabilities()))


def wait_for(target: ResolvedTarget, seconds: float | None, *, every: float = _WAITING_EVERY) -> None:
    """Return once the target returns any response. Raises TargetFault if it does not within `seconds`.

    Standard error shows the wait while it lasts. Without seconds nothing is sent.
    """
    if not seconds:
        return
    waiting = f"waiting up to {seconds:g} s for a response of {target.info.url}"
    heartbeat = Heartbeat(lambda: say(waiting, to_errors=True), seconds=every)
    try:
        wait_until_up(target, seconds)
    finally:
        heartbeat.stop()
        heartbeat.join(_WAITING_EVERY)  # a line that it has begun comes before whatever comes next


@dataclass(kw_only=True)
class TrafficOptions(Options):
    """How fast to send requests, and how long to wait out a 429 or 503."""

    rate: float | None = option("send at most N requests per second", POSITIVE_NUMBER, group="rate limits")
    max_wait: float = option(
        "wait at most S seconds in total after 429 and 503", SECONDS, MAX_TOTAL_WAIT, group="rate limits"
    )


def traffic_policy(options: TrafficOptions, report_wait: ReportWait | None = None) -> TrafficPolicy:
    """The policy that the options name; `report_wait` is called for each wait."""
    return TrafficPolicy(rate=options.rate, max_wait=options.max_wait, report_wait=report_wait)


@dataclass(kw_only=True)
class DeadlineOptions(Options):
    """How long the whole run may take."""

    deadline: float | None = option(
        "stop the run after S seconds and list the checks that were not tested; 0 = no limit",
        SECONDS, shown=f"{LOCAL_DEADLINE:.0f} on this machine; else none", group="run",
    )  # fmt: skip


def deadline_of(options: DeadlineOptions, target: ResolvedTarget) -> float | None:
    """The seconds that the whole run may take, None for no limit."""
    if options.deadline is not None:
        return options.deadline or None
    return LOCAL_DEADLINE if _is_here(target.info.url) else None


def _is_here(url: str) -> bool:
    """Whether a server is on this machine."""
    host = read_host(url)
    return bool(host) and is_loopback(host)


@dataclass(kw_only=True)
class BaselineOptions(OutputOptions):
    """The same for a command that judges, and the file of known failures."""

    baseline: str | None = option(
        "file of known failures, each with a reason", PATH, trust=Trust.INSIDE, group="verdicts"
    )
    baseline_update: bool = flag(
        "add new failures to the baseline, and remove stale entries", trust=Trust.CALL, group="verdicts"
    )


def baseline_of(
    options: BaselineOptions, known: Collection[str], *, is_known: Callable[[str], bool] = lambda _: False
) -> Baseline:
    """The baseline that the options name, empty if none or still to be made. Raises UsageFault."""
    if not options.baseline:
        if options.baseline_update:
            raise UsageFault("--baseline-update needs --baseline FILE")
        return Baseline()
    path = Path(options.baseline)
    if options.baseline_update:
        require_writable(path, "--baseline")
        for name in ("fail_fast", "enough"):
            if getattr(options, name, None):
                early = f"--{name.replace('_', '-')}"
                raise UsageFault(
                    f"--baseline-update needs a complete run, but {early} ends it early: remove one of them"
                )
        if not path.exists():
            return Baseline()
    return read_baseline(path, known, is_known=is_known)


def finish(options: BaselineOptions, old: Baseline, finished: RunFinished, *, vacuous: bool = False) -> Exit:
    """The exit code of a finished run; if the baseline is to be rewritten, the one it has under the new one.

    A run that was not whole rewrites nothing: the file would pass checks that were not tested. Standard error also
    reports an interrupt: the output may be a file.
    """
    if finished.exit is Exit.INTERRUPTED:
        say("harness: interrupted", to_errors=True)
    if not options.baseline_update:
        return finished.exit
    if gap := finished.holes[0] if finished.holes else finished.halted or _NOT_WHOLE.get(finished.exit, ""):
        say(
            f"baseline {options.baseline}: unchanged, because the run was incomplete: {mask_text(gap)}",
            to_errors=options.json,
        )
        return finished.exit
    new = old.with_failures(finished.results, date.today().isoformat()).without_stale(finished.results)
    added, gone = len(new.entries.keys() - old.entries.keys()), len(old.entries.keys() - new.entries.keys())
    try:
        write_file(Path(options.baseline or ""), new.text())
    except OSError as wrong:
        say(f"harness: the baseline {options.baseline} cannot be written: {wrong.strerror}", to_errors=True)
        return finished.exit
    code = exit_with(finished.results, new, vacuous=vacuous)
    changed = f"baseline {options.baseline}: {added} added, {gone} removed"
    conforms = "conformant" if code == Exit.OK else "still not conformant"
    say(f"{changed}; with it, this run is {conforms}", to_errors=options.json)
    return code


_NOT_WHOLE = {
    Exit.NOTHING_RAN: "no check ran",
    Exit.HARNESS_ERROR: "harness error",
    Exit.INTERRUPTED: "it was interrupted",
}
"""Why a run does not say all that it would say of its target, by exit code."""
