"""`harness gateway URL`: judge a gateway from both sides at once, with the emulator as its upstream."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from msgspec import structs

from harness.benches.server.reachability import is_responding
from harness.cli.arguments import read_options
from harness.cli.common_options import contract_of, deadline_option, revision_of, selection, verbose_option
from harness.cli.guarding import HostOptions, access
from harness.cli.inspecting import new_inspector, open_option, open_page, page_of
from harness.cli.options import (
    FLAG,
    HOST,
    KEY,
    PORT,
    POSITIVE_SECONDS,
    SECONDS,
    URL,
    Page,
    Trust,
    argument,
    flag,
    option,
)
from harness.cli.output import say, say_masked
from harness.cli.request_options import RequestOptions, resolve_server, wait_for
from harness.cli.run_reports import EXIT_CODES, BaselineOptions, Listeners, baseline_of, read_again
from harness.cli.serving import DUMMY_KEY, command_environment
from harness.engine.decide import note_failed
from harness.engine.targets import EMULATOR, ResolvedTarget
from harness.interactions import INTERACTIONS
from harness.outcome import HarnessFault, TargetFault, UsageFault
from harness.wire import LogicalClock
from harness.wire.addresses import read_host

if TYPE_CHECKING:
    from harness.benches.gateway.run import Started

UPSTREAM_VARIABLE = "HARNESS_UPSTREAM_URL"
KEY_VARIABLE = "HARNESS_GATEWAY_KEY"
"""Not that of the API: the upstream is the emulator, so no request of a run needs a real key."""

UPSTREAM_PORT = 9100
UPSTREAM_SETTINGS: dict[str, Any] = {"platform": "any", "require_key": False, "models": "any", "ticks": 12}
"""A gateway may use its own key or none, and its own model names. Runs last long enough to be acted on."""

_KEY_NAMES = {INTERACTIONS.key_variable: KEY_VARIABLE}
"""A `curl` line of a finding goes to the gateway, so it names the key of the gateway."""

_HELD_BACK = ("gw.live/buffered", "gw.live/compressed")
"""Findings that leave nothing of the streaming: `--streams` declares that the gateway streams."""

_DYING = 0.5
"""Seconds within which a process that has dropped its connections is seen to be dead."""


@dataclass(kw_only=True)
class GatewayArguments(RequestOptions, HostOptions, BaselineOptions):
    """The options of `harness gateway`."""

    target: str | None = argument(
        "URL of the gateway, with or without an API version",
        URL, nargs="?", variable="HARNESS_TARGET", trust=Trust.SEND,
    )  # fmt: skip
    api_key: str | None = option(
        "key that the client sends, if the gateway has keys of its own", KEY, variable=KEY_VARIABLE,
        trust=Trust.CALL, shown=f"${KEY_VARIABLE}, or {DUMMY_KEY}", group="gateway",
    )  # fmt: skip
    model: str | None = option("model to request, by its name in the gateway", group="target")
    upstream_port: int = option("port to listen on; 0 picks a free one", PORT, UPSTREAM_PORT, group="upstream")
    upstream_host: str = option("address to listen on", HOST, "127.0.0.1", trust=Trust.BIND, group="upstream")
    open: bool = open_option("upstream")
    wait: float | None = option(
        "wait up to S seconds until the gateway accepts connections",
        SECONDS,
        shown="0, or 120 with CMD",
        group="time",
    )
    timeout: float = option("limit for one request", POSITIVE_SECONDS, 30.0, group="time")
    patience: float = option(
        "longest wait for the gateway to pass on an event or a disconnect", POSITIVE_SECONDS, 5.0, group="time"
    )
    idle: float = option(
        "duration of the pause in an idle stream; 0 = no idle stream", SECONDS, 11.0, group="time"
    )
    watch: float = option("duration of the watch for requests that no client sent", SECONDS, 10.0, group="time")
    deadline: float | None = deadline_option("no limit", "time")
    last_failed: bool = selection(
        "judge only the rules that failed in the last run from this folder", FLAG, False, trust=Trust.CALL
    )
    streams: bool = flag("also fail if the gateway buffers streams until their end", group="verdicts")
    verbose: int = verbose_option("list every rule and explain warnings")

    page = Page(
        "gateway",
        (
            "harness gateway http://127.0.0.1:4000",
            "harness gateway http://127.0.0.1:4000 \\\n    -- my-gateway --port 4000 --upstream http://127.0.0.1:9100",
        ),
        usage="URL [options] [-- CMD …]",
        regrouped={"target": "gateway"},
        groups=("gateway", "upstream", "time", "selection", "verdicts", "output"),
        notes=f"""\
CMD starts the gateway, which finds its upstream in ${UPSTREAM_VARIABLE} (also $GOOGLE_GEMINI_BASE_URL). At the end
the run stops CMD and its child processes. Without CMD, first configure your gateway to use
http://127.0.0.1:{UPSTREAM_PORT}. The run costs nothing: the upstream is the built-in emulator.

{EXIT_CODES.format("gateway unreachable, or no response to a MUST")}""",
        shares=frozenset(
            {"target", "revision", "model", "agent", "header", "ca-file", "plain-http", "strict", "wait",
             "timeout"}
        ),
    )  # fmt: skip


OPTIONS = GatewayArguments


def run(words: Sequence[str]) -> int:
    """Run the command."""
    arguments = read_options(GatewayArguments, words)
    command = arguments.child
    if not (arguments.target or "").strip():
        raise UsageFault(
            "no gateway was given (is a variable unset?): name its URL, such as http://127.0.0.1:4000"
        )
    target = _resolve(arguments)
    from harness.benches.gateway import GatewayBench, Upstream, judge_gateway
    from harness.benches.gateway import GatewayOptions as JudgingOptions
    from harness.benches.gateway.run import run_command, select_rules
    from harness.cassette import Target
    from harness.checks.gateway import CATALOGUE, GatewayClient
    from harness.emulator import Emulator, Settings
    from harness.engine.traffic.deadline import Deadline, Timer
    from harness.engine.traffic.governed_driver import GovernedDriver
    from harness.report.commands.gateway import GatewayRun
    from harness.transport import ServerThread
    from harness.transport.client.origin import Origin, is_listener

    baseline = baseline_of(arguments, [check.id for check in CATALOGUE.checks])
    run = f"gateway {target.info.kept_name}"
    failed = read_again(arguments, run, "rule") if arguments.last_failed else set()
    options = JudgingOptions(
        selection=arguments.selected(check.id for check in CATALOGUE.checks if check.id in failed),
        strict=arguments.strict,
        declared=_HELD_BACK if arguments.streams else (),
        baseline=baseline,
        gateway=target.info,
        repeat=arguments.repeat,
    )
    select_rules(CATALOGUE, options.selection)  # report an unknown rule before anything is started
    requests: Any = target.target  # of this API, as `_resolve` made it
    product = PurePath(command[0]).name if command else ""
    client = GatewayClient(requests, patience=arguments.patience, idle=arguments.idle, product=product)
    clock = LogicalClock()
    emulator = Emulator(Settings(**UPSTREAM_SETTINGS), clock=clock, contract=contract_of(arguments.revision))
    upstream = Upstream(emulator, clock, client.is_primable)
    # A gateway may forward the Host of its client, or be built for one upstream.
    names = (read_host(target.info.url), *INTERACTIONS.live_hosts)
    granted = access(arguments.upstream_host, arguments.allow_host, opened_by="", program_hosts=names)
    inspector = new_inspector(
        arguments,
        granted,
        emulator.contract,
        command="gateway",
        target=lambda: Target.EMULATOR,
        facts={"target": target.info.url, "words": "It waits for the requests of the gateway."},
    )
    host, own_port = arguments.upstream_host, arguments.upstream_port
    served = ServerThread(
        inspector.around(granted.guard.around(upstream)), host=host, port=own_port, clock=upstream.clock
    )
    with ExitStack() as stack:
        try:
            server = stack.enter_context(served)
        except UsageFault as fault:  # the listener names the options of the other servers
            raise UsageFault(str(fault).replace("--host, --port", "--upstream-host, --upstream-port")) from None
        stack.callback(inspector.finish)
        if is_listener(Origin.parse(target.info.url), host, server.port):
            raise UsageFault(
                f"{target.info.url} is the upstream that this command serves, not a gateway: name the URL of the "
                "gateway, and configure it to use that upstream"
            )
        listeners = Listeners(arguments, GatewayRun(INTERACTIONS, upstream=server.url), baseline)
        say(f"upstream: {server.url} (point your gateway's upstream there)", to_errors=arguments.json)
        if arguments.open:
            page = page_of(server.url, granted)
            say(f"watch it in a browser: {page}", to_errors=arguments.json)
            open_page(arguments, page)
        sys.stdout.flush()
        environment = gateway_environment(server.url, os.environ)
        if command is not None and is_responding(target):  # the run would judge another gateway than that of CMD
            raise UsageFault(
                f"{target.info.url} returns a response before CMD has started: stop the program that listens "
                "there, choose another port, or leave out `-- CMD`"
            )
        process = None if command is None else stack.enter_context(run_command(command, environment))
        stack.enter_context(listeners.reporting_faults_of(target.info))
        _wait(target, arguments.wait, process)
        limit = Deadline(Timer(arguments.deadline or None), arguments.timeout)
        driver = stack.enter_context(closing(GovernedDriver(target.connect(), [limit])))
        # A dying process drops its connections a moment before its parent can see that it is dead.
        find_end = str if process is None else partial(process.find_end, _DYING)
        bench = GatewayBench(
            driver, upstream, client, watch=arguments.watch, find_end=find_end, find_refused=lambda: server.refused
        )
        finished = listeners.follow(judge_gateway(bench, CATALOGUE, options))
        note_failed(run, finished.results)
        if process is not None and (ended := process.wait_for_end(within=_DYING if finished.exit else 0.0)):
            say_masked(f"note: {ended}", to_errors=True)
        if server.errors:
            raise HarnessFault(f"the upstream erred: {server.errors[0]}")
    return finished.exit


def _resolve(arguments: GatewayArguments) -> ResolvedTarget:
    if arguments.target == EMULATOR:
        raise UsageFault("the emulator is the upstream here: name the URL of the gateway")
    if not (arguments.target or "").lower().startswith(("http://", "https://")):
        raise UsageFault(f"{arguments.target!r} is not the URL of a gateway: write it like http://127.0.0.1:4000")
    revision = revision_of(arguments.revision)
    found = resolve_server(arguments, arguments.timeout, ca_file=arguments.ca_file, revision=revision)
    secrets = {_KEY_NAMES.get(name, name): value for name, value in found.info.secrets.items()}
    requests: Any = found.target
    if not (arguments.api_key or arguments.header):  # a header may be the key of the gateway
        requests = replace(requests, key=DUMMY_KEY)
    return structs.replace(found, target=requests, info=structs.replace(found.info, secrets=secrets))


def gateway_environment(upstream: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a gateway: the URL of the upstream, no real Gemini API key, and none of a client."""
    keys = (f"{DUMMY_KEY}-of-the-gateway",)
    return {**command_environment(upstream, environment, keys), UPSTREAM_VARIABLE: upstream}


def _wait(target: ResolvedTarget, seconds: float | None, process: Started | None) -> None:
    """Wait until the gateway returns a response, for two minutes if CMD starts it.

    Raises TargetFault if it does not, or if its process has ended.
    """
    if process is None:
        wait_for(target, seconds)
        return
    try:
        wait_for(target, 120.0 if seconds is None else seconds, process.find_end)
    except TargetFault as fault:
        ended = process.wait_for_end()
        raise TargetFault(ended or f"{fault}\noutput of the command: {process.words or 'nothing'}") from None
