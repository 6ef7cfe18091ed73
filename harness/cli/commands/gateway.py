"""`harness gateway URL`: judge a gateway from both sides at once, with the emulator as its upstream.

Layer 7.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from functools import partial
from typing import TYPE_CHECKING, Any

from harness.benches.server.reachability import wait_until_up
from harness.cli.arguments import (
    Parser,
    add_header_argument,
    add_plain_http_argument,
    add_revision_argument,
    contract_of,
    positive_seconds,
    revision_of,
    some_seconds,
)
from harness.cli.baseline_options import add_baseline_arguments, baseline_of, finish
from harness.cli.commands.serve import command_environment
from harness.cli.configuration import apply_section
from harness.cli.guarding import Access, page_access
from harness.cli.inspecting import add_open_argument, new_inspector, open_page, page_of
from harness.cli.masking import hide, mask_text, say_masked
from harness.cli.output import Listeners, add_output_arguments, say
from harness.cli.serving import port, split_command
from harness.cli.waiting import wait_for
from harness.engine.targets import (
    EMULATOR,
    ResolvedTarget,
    TargetOptions,
    resolve_target,
)
from harness.interactions import INTERACTIONS
from harness.outcome import HarnessFault, TargetFault, UsageFault
from harness.wire import LogicalClock

if TYPE_CHECKING:
    from harness.benches.gateway.gateway_process import Started

UPSTREAM_VARIABLE = "HARNESS_UPSTREAM_URL"
UPSTREAM_PORT = 9100
UPSTREAM_SETTINGS: dict[str, Any] = {"platform": "any", "require_key": False, "models": "any", "ticks": 12}
"""A gateway may use its own key or none, and its own model names. Runs last long enough to be acted on."""

_REPEATED = (
    "api_version", "api_key", "revision", "model", "agent", "ca_file", "upstream_port", "upstream_host",
    "wait", "timeout", "patience", "idle", "watch",
)  # fmt: skip
"""Options with a value that decide what a rule sees."""

_STARTING = 120.0
"""Seconds that a gateway started by CMD may take to come up."""
_ONE_LOOK = 1.0
_DYING = 0.5


def run(words: Sequence[str]) -> int:
    """Run the command."""
    own, command = split_command(words, "gateway")
    parser = _parser()
    arguments = apply_section("gateway", parser, own)
    target = _resolve(arguments)
    from harness.benches.gateway import GatewayBench, GatewayOptions, Upstream, judge_gateway
    from harness.benches.gateway.gateway_process import run_command
    from harness.benches.gateway.run import select_rules
    from harness.cassette import Target
    from harness.checks.gateway import CATALOGUE, GatewayClient
    from harness.emulator import Emulator, Settings
    from harness.engine.traffic.deadline import Deadline, Timer
    from harness.engine.traffic.governed_driver import GovernedDriver
    from harness.report.commands.gateway import GatewayPresentation
    from harness.transport import ServerThread

    baseline = baseline_of(arguments, [check.id for check in CATALOGUE.checks])
    options = GatewayOptions(
        only=tuple(arguments.only or ()),
        strict=arguments.strict,
        baseline=baseline,
        gateway=target.info,
        repeated=tuple(map(mask_text, _list_repeated(parser, arguments, command))),
    )
    select_rules(CATALOGUE, options.only)  # report an unknown rule before anything is started
    requests: Any = target.target  # of this API, as `_resolve` made it
    client = GatewayClient(requests, patience=arguments.patience, idle=arguments.idle)
    clock = LogicalClock()
    emulator = Emulator(Settings(**UPSTREAM_SETTINGS), clock=clock, contract=contract_of(arguments))
    upstream = Upstream(emulator, clock, client.is_primable)
    granted = page_access(arguments.upstream_host)
    inspector = new_inspector(
        arguments,
        granted,
        emulator.contract,
        command="gateway",
        target=lambda: Target.EMULATOR,
        facts={"target": target.info.url, "words": "It waits for the requests of the gateway."},
    )
    host, own_port = arguments.upstream_host, arguments.upstream_port
    served = ServerThread(inspector.around(upstream), host=host, port=own_port, clock=upstream.clock)
    with ExitStack() as stack:
        server = stack.enter_context(served)
        listeners = Listeners(arguments, GatewayPresentation(server.url), baseline)
        _announce(arguments, server.url, granted)
        environment = gateway_environment(server.url, os.environ)
        process = None if command is None else stack.enter_context(run_command(command, environment))
        stack.enter_context(listeners.reporting_faults_of(target.info))
        _wait(target, arguments.wait, process)
        limit = Deadline(Timer(arguments.deadline or None), arguments.timeout)
        driver = stack.enter_context(closing(GovernedDriver(target.connect(), [limit])))
        # A dying process drops its connections a moment before its parent can see that it is dead.
        find_end = str if process is None else partial(process.find_end, _DYING)
        bench = GatewayBench(driver, upstream, client, watch=arguments.watch, find_end=find_end)
        finished = listeners.follow(judge_gateway(bench, CATALOGUE, options))
        if process is not None and (ended := process.wait_for_end(within=_DYING if finished.exit else 0.0)):
            say_masked(f"note: {ended}", to_errors=True)
        if server.errors:
            raise HarnessFault(f"the upstream erred: {server.errors[0]}")
    return finish(arguments, baseline, finished)


def _announce(arguments: argparse.Namespace, url: str, granted: Access) -> None:
    """Say where the upstream is, before anybody waits for the gateway."""
    say(f"upstream: {url} (point your gateway's upstream there)", to_errors=arguments.json)
    if arguments.open:
        say(f"watch it in a browser: {page_of(url, granted)}", to_errors=arguments.json)
        open_page(arguments, page_of(url, granted))
    sys.stdout.flush()


def _list_repeated(parser: Parser, arguments: argparse.Namespace, command: Sequence[str] | None) -> Iterator[str]:
    """What a line has to repeat so that a rule comes out the same; the caller masks keys."""
    for name in _REPEATED:
        value = getattr(arguments, name)
        if value is not None and value != parser.get_default(name):
            said = f"{value:g}" if isinstance(value, float) else str(value)
            yield from (f"--{name.replace('_', '-')}", said)
    for name, value in arguments.header or ():
        yield from ("--header", f"{name}: {value}")
    if arguments.strict:
        yield "--strict"
    if command is not None:
        yield from ("--", *command)


def _parser() -> Parser:
    parser = Parser(
        "gateway",
        "Judge a gateway from both sides at once: the harness is its client and, as the emulator, its upstream.",
        usage="harness gateway URL [options] [-- CMD …]",
        epilog=_EPILOG,
    )
    parser.add_argument("target", nargs="?", help="URL of the gateway, with or without an API version")
    group = parser.add_argument_group("gateway")
    group.add_argument(
        "--api-version", metavar="V", help="API version to use instead of the URL's (default: v1beta)"
    )
    group.add_argument(
        "--api-key", metavar="KEY", help=f"key that the client sends (default: ${INTERACTIONS.key_variable})"
    )
    add_header_argument(group)
    add_revision_argument(group)
    group.add_argument("--model", help="model to ask for, by the gateway's name for it")
    group.add_argument("--agent", help="agent to ask for")
    group.add_argument("--ca-file", metavar="FILE", help="additional certificates to trust (PEM)")
    add_plain_http_argument(group)
    group = parser.add_argument_group("upstream")
    group.add_argument(
        "--upstream-port",
        type=port,
        default=UPSTREAM_PORT,
        metavar="N",
        help=f"port to listen on; 0 picks a free one (default: {UPSTREAM_PORT})",
    )
    group.add_argument(
        "--upstream-host", default="127.0.0.1", metavar="HOST", help="address to listen on (default: 127.0.0.1)"
    )
    add_open_argument(group)
    _add_time_arguments(parser)
    group = parser.add_argument_group("verdicts and output")
    group.add_argument("--only", action="append", metavar="GLOB", help="judge only matching rules (repeatable)")
    group.add_argument("--strict", action="store_true", help="broken SHOULDs fail, too")
    add_baseline_arguments(group)
    add_output_arguments(group, verbose="list every rule and explain warnings")
    return parser


def _add_time_arguments(parser: Parser) -> None:
    group = parser.add_argument_group("time")
    group.add_argument(
        "--wait",
        type=some_seconds,
        metavar="S",
        help="wait up to S seconds for the gateway to come up (default: 0, or 120 with CMD)",
    )
    group.add_argument(
        "--timeout", type=positive_seconds, default=30.0, metavar="S", help="limit for one request (default: 30)"
    )
    group.add_argument(
        "--patience",
        type=positive_seconds,
        default=5.0,
        metavar="S",
        help="limit for what should happen at once (default: 5)",
    )
    group.add_argument(
        "--idle",
        type=some_seconds,
        default=11.0,
        metavar="S",
        help="how long a stream stands still while the others pass; 0 leaves that out (default: 11)",
    )
    group.add_argument(
        "--watch",
        type=some_seconds,
        default=10.0,
        metavar="S",
        help="how long to watch for requests that no client made (default: 10)",
    )
    group.add_argument(
        "--deadline",
        type=some_seconds,
        metavar="S",
        help="end the run after S seconds from the first trial, judge what passed, and say what was left "
        "out (default: no limit)",
    )


_EPILOG = f"""\
CMD starts the gateway: it finds its upstream in ${UPSTREAM_VARIABLE} (also $GOOGLE_GEMINI_BASE_URL), and is
stopped at the end with all it started. Without CMD, first configure your gateway to use http://127.0.0.1:{UPSTREAM_PORT}.
Nothing is billed: the upstream is the built-in emulator."""


def _resolve(arguments: argparse.Namespace) -> ResolvedTarget:
    if arguments.target == EMULATOR:
        raise UsageFault("the emulator is the upstream here: name the URL of the gateway in front of it")
    key = os.environ.get(INTERACTIONS.key_variable, "") if arguments.api_key is None else arguments.api_key
    options = TargetOptions(
        api_version=arguments.api_version or "",
        api_key=key.strip(),
        model=arguments.model or "",
        agent=arguments.agent or "",
        headers=tuple(arguments.header or ()),
        timeout=arguments.timeout,
        ca_file=arguments.ca_file,
        revision=revision_of(arguments),
        named_by=getattr(arguments, "target_file", ""),
        plain_http=arguments.plain_http,
    )
    found = resolve_target(INTERACTIONS, arguments.target, options)
    hide(found.info.secrets)
    return found


def gateway_environment(upstream: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a gateway: it has the URL of the upstream and no real Gemini API key."""
    return {**command_environment(upstream, environment), UPSTREAM_VARIABLE: upstream}


def _wait(target: ResolvedTarget, seconds: float | None, process: Started | None) -> None:
    """Wait until the gateway answers. Raises TargetFault if it does not, or if its process has ended."""
    if process is None:
        wait_for(target, seconds)
        return
    until = time.monotonic() + (_STARTING if seconds is None else seconds)
    while True:
        if ended := process.wait_for_end():
            raise TargetFault(ended)
        try:
            wait_until_up(target, _ONE_LOOK)
            break
        except TargetFault as fault:
            if time.monotonic() > until:
                raise TargetFault(f"{fault}\nit said: {process.words or 'nothing'}") from None
