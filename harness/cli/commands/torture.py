"""`harness torture -- CMD`: run a client in any language through a set of cases, each with its own faults."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.child_processes import tool_environment
from harness.cli.arguments import read_options
from harness.cli.common_options import (
    ExtensionOptions,
    contract_of,
    deadline_option,
    revision_option,
    verbose_option,
)
from harness.cli.options import (
    COUNT,
    FLAG,
    PATH,
    POSITIVE_SECONDS,
    PROGRAM,
    WHOLE,
    Page,
    Trust,
    flag,
    option,
    parse_list,
)
from harness.cli.output import mask_text, own_secrets, read_report_words, say, write_json
from harness.cli.run_reports import BaselineOptions, Listeners, baseline_of, read_again
from harness.cli.serving import command_environment
from harness.engine.decide import note_failed
from harness.interactions import INTERACTIONS
from harness.interactions.clients import CLIENTS
from harness.outcome import Exit, UsageFault
from harness.outcome.words import did_you_mean
from harness.report.screen import Line, Role

if TYPE_CHECKING:
    from harness.benches.client.cases import Case
    from harness.benches.client.client_commands import Client, Task
    from harness.benches.client.ready import ReadyClient


TIMEOUT = 30.0
"""Seconds for each case."""

STARTING = 60.0
"""Seconds more that a client with a driver has for its first case: some take long to be imported."""

_IN_UTF_8 = {"PYTHONIOENCODING": "utf-8"}
"""Without it, a client in Python writes the code page of Windows, or stops at a character that is not in it."""

NOWHERE = "http://127.0.0.1:9"
"""The initial base URL of a client that gets another one for each case; nothing answers there."""


def new_client(
    command: Sequence[str], *, loop: bool, starting: float = 0.0, is_ready: bool = False
) -> Callable[[], Client]:
    """Make clients of a command; `loop` if it reads tasks. The first one may take `starting` seconds longer.

    A ready one was installed by us: it gets no variable but those that a tool needs, and runs where its driver
    is, because some SDKs read a `.env` of the current folder.
    """
    from harness.benches.client.client_commands import CommandClient, LoopClient

    def list_variables() -> Mapping[str, str]:
        return {**_IN_UTF_8, **(tool_environment() if is_ready else os.environ)}

    folder = Path(command[-1]).parent if is_ready else None
    if loop:
        return lambda: LoopClient(
            command, command_environment(NOWHERE, list_variables()), starting=starting, folder=folder
        )
    return lambda: CommandClient(command, lambda task: environment_of(task, list_variables()), folder=folder)


def environment_of(task: Task, variables: Mapping[str, str] | None = None) -> Mapping[str, str]:
    """The environment of a client: where the server is, and what to read there."""
    of_case = {"INTERACTION_ID": task.interaction, "HARNESS_CASE": task.case, "HARNESS_MODE": task.mode}
    return {**command_environment(task.base_url, os.environ if variables is None else variables), **of_case}


_NOTES = """\
CMD reads a stream: GET $INTERACTIONS_BASE_URL/v1beta/interactions/$INTERACTION_ID?stream=true
with any key as x-goog-api-key ($HARNESS_MODE names other modes). CMD prints only
the text, or writes {"text": …, "status": …} into the file $HARNESS_RESULT.
On failure its exit code is not 0.

exit codes: 0 no rule is broken · 1 a rule is broken · 2 usage, or CMD fails without a
fault · 3 nothing ran · 4 stopped early · 130 interrupted"""

DEFAULT_ENDINGS = "rst,end"
_PLAYED = "cases (--dry-run lists them)"
_VERDICTS = "verdicts and reports"
_case_option = partial(option, group=_PLAYED, once="selects")


@dataclass(kw_only=True)
class TortureArguments(ExtensionOptions, BaselineOptions):
    """The options of `harness torture`."""

    set: str | None = _case_option(
        "quick (58 cases), standard (445), application (457), thorough (822), every-byte, table, polling, turns, "
        "tools, cancelling",
        metavar="NAME", shown="that of the mode",
    )  # fmt: skip
    incidents: str | None = _case_option(
        "documented incidents instead: all, or these", metavar="LIST", nargs="?", const="all"
    )
    last_failed: bool = _case_option(
        "run only the cases that failed in the last run from this folder", FLAG, False, trust=Trust.CALL
    )
    only: Sequence[str] | None = _case_option(
        "run only matching kinds of the set (repeatable)", flags=("-c", "--only"), repeats=True, metavar="GLOB"
    )
    exclude: Sequence[str] | None = _case_option(
        "exclude matching kinds of the set (repeatable)", repeats=True, metavar="GLOB"
    )
    cuts: Sequence[str] | None = _case_option(
        "drops instead: every-event, structural, every-byte, or a plan", repeats=True, metavar="WHERE"
    )
    endings: str | None = _case_option(
        "endings of the connection at --cuts", metavar="LIST", shown=DEFAULT_ENDINGS
    )
    event_ids: str = _case_option(
        "which events carry an id: all, deltas, sparse (every third), none, or odd (with + and /)",
        default="all",
        metavar="LIST",
    )
    resume: str = _case_option(
        "where a resumed stream begins: exclusive (after the cursor), or inclusive (repeats an event)",
        default="exclusive", choices=("exclusive", "inclusive"), metavar="HOW",
    )  # fmt: skip
    revision: str | None = revision_option(_PLAYED)
    script: str | None = _case_option(
        "the response (docs/emulator-reference.md)", metavar="JSON", shown="that of the mode"
    )
    further: str | None = _case_option("the response in further turns", metavar="JSON", shown="that of the mode")
    scenario: str | None = _case_option("serve a file of scripted responses", PATH, trust=Trust.INSIDE)
    cassette: str | None = _case_option("serve a recorded stream", PATH, trust=Trust.INSIDE)
    client: str | None = _case_option(
        "run a known client instead of CMD (docs/clients.md has the names)",
        PROGRAM, trust=Trust.RUN, group="the client",
    )  # fmt: skip
    mode: str | None = _case_option(
        "follow, create, background, poll, chain, tools or cancel",
        metavar="NAME", shown="follow", group="the client",
    )  # fmt: skip
    loop: bool = flag("start the client once, and send it the tasks (docs/torture.md)", group="the client")
    timeout: float = option(
        "limit in seconds for each started case", POSITIVE_SECONDS, TIMEOUT, group="the client"
    )
    jobs: int | None = option(
        "parallel clients", COUNT, flags=("-j", "--jobs"), shown="two for each processor", group="the client"
    )
    dry_run: bool = flag("list the cases and run nothing", trust=Trust.CALL, group=_VERDICTS, once="reports")
    allow: Sequence[str] = option(
        "only warn about this rule or finding, such as client.ends (repeatable)",
        metavar="RULE", repeats=True, default=(), group=_VERDICTS,
    )  # fmt: skip
    enough: int | None = _case_option(
        "end a kind after N equal failures", WHOLE, shown="5; with a baseline: 0, never", group=_VERDICTS
    )
    fail_fast: bool = _case_option("stop at the first failure", FLAG, False, group=_VERDICTS)
    deadline: float | None = deadline_option("no limit", _VERDICTS)
    verbose: int = verbose_option("name every case")

    page = Page(
        "torture",
        ("harness torture -- node client.mjs", "harness torture --client google-genai --set quick"),
        usage="[options] -- CMD … (or --client NAME[==VERSION])",
        groups=(_PLAYED, "the client", _VERDICTS),
        notes=_NOTES,
        regrouped={"": _PLAYED, "verdicts": _VERDICTS, "run": _VERDICTS, "output": _VERDICTS},
        shares=frozenset({"revision"}),
    )


OPTIONS = TortureArguments

_NO_INCIDENTS = (
    "set", "only", "exclude", "cuts", "endings", "script", "scenario", "cassette", "event_ids", "resume",
    "further",
)  # fmt: skip
"""The options that name cases of other kinds than incidents, or what the stream of those is."""


def run(words: Sequence[str]) -> int:
    """Run the command."""
    arguments = read_options(TortureArguments, words)
    command = arguments.child
    from harness.benches.client.ready import find_ready, install

    ready = None if arguments.client is None else find_ready(arguments.client)
    if command is not None and ready is not None:
        raise UsageFault("--client NAME and a command after -- both name the client: use one of them")
    if command is None and ready is None:
        raise UsageFault("name the client to torture: harness torture [options] -- CMD …, or --client NAME")
    if arguments.incidents is not None:
        arguments.refuse(_NO_INCIDENTS, "and --incidents both select cases: use one of them")
    _settle_mode(arguments, ready)
    if arguments.cuts or arguments.endings:
        arguments.refuse(("set", "only", "exclude"), "and --cuts or --endings both select cases: use one of them")
    event_ids, base = _read_base(arguments)
    cases = _list_cases(arguments, base, event_ids)
    if arguments.dry_run:
        read_report_words(arguments.report)
        code = Exit.OK if cases else Exit.NOTHING_RAN
        if arguments.json:
            write_json([{"kind": case.kind, "case": str(case)} for case in cases])
            return code
        for kind, same in groupby(cases, lambda case: case.kind):
            listed = list(same)
            if kind:
                say(Line(f"# {kind}: {len(listed)}", Role.HEADING))
            say(*(Line(str(case), Role.COMMAND) for case in listed))
        return code
    if ready is not None:
        arguments.loop = ready.loops
        command = install(ready, tell=lambda text: say(f"harness: {text}", to_errors=True))
    return _play(cases, base, command or (), arguments, ready)


def _settle_mode(arguments: TortureArguments, ready: ReadyClient | None) -> None:
    """Find the mode, and the set that is usual for it. Raises UsageFault if the client has no such mode."""
    model = CLIENTS.load_client_model()
    if arguments.mode is None:
        arguments.mode = model.usual_mode.name if ready is None else ready.modes[0]
    if arguments.mode not in model.modes:
        hint = did_you_mean(arguments.mode, model.modes)
        raise UsageFault(f"--mode {arguments.mode!r} is not a mode{hint}")
    if ready is not None and arguments.mode not in ready.modes:
        raise UsageFault(f"--mode {arguments.mode}: {ready.name} has {', '.join(ready.modes)}")
    if arguments.set is None and not (arguments.cuts or arguments.endings):
        arguments.set = model.modes[arguments.mode].usual_set


def _play(
    cases: Sequence[Case],
    base: Case,
    command: Sequence[str],
    arguments: TortureArguments,
    ready: ReadyClient | None,
) -> int:
    from harness.benches.client.bench import ENOUGH, torture
    from harness.benches.client.bench import TortureOptions as BenchOptions
    from harness.benches.client.judgement.outcome import is_result_id, read_allowed, result_id
    from harness.engine.decide import Policy
    from harness.engine.events import TargetInfo
    from harness.report.commands.torture import TortureRun

    enough = arguments.enough
    if enough is None:  # a baseline names cases
        enough = 0 if arguments.baseline else ENOUGH
    baseline = baseline_of(arguments, [result_id(case) for case in cases], is_known=is_result_id)
    shown = shlex.join(map(mask_text, command)) if ready is None else ready.spec
    run = f"torture {shown} {arguments.mode}"
    if arguments.last_failed and (failed := read_again(arguments, run, "case")):
        cases = [case for case in cases if result_id(case) in failed] or cases
    listeners = Listeners(arguments, TortureRun(INTERACTIONS), baseline)
    options = BenchOptions(
        jobs=arguments.jobs or 2 * (os.cpu_count() or 1),
        seconds=arguments.timeout,
        enough=enough,
        undisturbed=base,
        fail_fast=arguments.fail_fast,
        deadline=arguments.deadline or None,
        policy=Policy(strict=arguments.strict, baseline=baseline),
        repeat=lambda *words: arguments.repeat(*words, *(() if ready is None else ("--client", ready.spec))),
        allowed=read_allowed(arguments.allow, "--allow"),
        client=TargetInfo(name=shown, secrets=own_secrets()),
    )
    starting = 0.0 if ready is None else STARTING
    new = new_client(command, loop=arguments.loop, starting=starting, is_ready=ready is not None)
    finished = listeners.follow(torture(CLIENTS, cases, new, options))
    note_failed(run, finished.results)
    return finished.exit


def _read_base(arguments: TortureArguments) -> tuple[list[str], Case]:
    """The settings of event ids to play, and what all cases share."""
    from harness.benches.client.cases import EVENT_IDS, Case

    event_ids = parse_list("--event-ids", arguments.event_ids, EVENT_IDS)
    sources = ("script", "scenario", "cassette")
    given = [name for name in sources if getattr(arguments, name) is not None]
    if len(given) > 1:
        raise UsageFault(f"--{given[0]} and --{given[1]} both define the stream: use one of them")
    if arguments.cassette is not None and event_ids != ["all"]:
        raise UsageFault("--cassette has its own event ids: remove --event-ids")
    base = Case(
        plan="pass",
        mode=CLIENTS.load_client_model().modes[arguments.mode or ""],
        script=_parse_script("--script", arguments.script),
        further=_parse_script("--further", arguments.further),
        event_ids=event_ids[0],
        resume=arguments.resume,
        scenario=arguments.scenario,
        cassette=arguments.cassette,
        contract=contract_of(arguments.revision),
    )
    return event_ids, base


def _list_cases(arguments: TortureArguments, base: Case, event_ids: Sequence[str]) -> list[Case]:
    """The cases of `--incidents`, of `--cuts`, or else of a set; `base` is what all of them share."""
    from harness.benches.client.cases import ENUMERATIONS, cases_of, cases_of_incidents, cases_of_set
    from harness.faults import Drop

    if arguments.incidents is not None:
        named = arguments.incidents.split(",")
        return cases_of_incidents(CLIENTS, base, [] if named == ["all"] else [word.strip() for word in named])
    if arguments.cuts or arguments.endings:
        endings = parse_list("--endings", arguments.endings or DEFAULT_ENDINGS, [str(drop) for drop in Drop])
        cases: list[Case] = []
        for where in arguments.cuts or ["every-event"]:
            cuts = where if where in ENUMERATIONS else [where]
            try:
                cases += cases_of(CLIENTS, base, cuts=cuts, endings=endings, event_ids=event_ids)
            except UsageFault as wrong:
                known = ", ".join(ENUMERATIONS)
                raise UsageFault(f"--cuts {where!r} is neither one of {known} nor a plan\n{wrong}") from None
        return list(dict.fromkeys(cases))
    only, exclude = arguments.only or (), arguments.exclude or ()
    return cases_of_set(CLIENTS, arguments.set or "", base, event_ids=event_ids, only=only, exclude=exclude)


def _parse_script(flag: str, text: str | None) -> dict[str, Any] | None:
    """The script that an argument gives; None if it is not given. Raises UsageFault."""
    from harness.emulator.scripts import parse
    from harness.emulator.service import unfold
    from harness.wire.bodies import object_or_none

    if text is None:
        return None
    value = object_or_none(text.encode())
    if value is None:
        raise UsageFault(
            f"{flag} {text!r} is not a JSON object: write for example "
            f"""{flag} '{{"text": "Hello.", "status": "failed"}}' (docs/emulator-reference.md)"""
        )
    for script in unfold(value):
        parse(script)
    return value
