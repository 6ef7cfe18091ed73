"""The arguments that name a target and how to talk to it, shared by `check`, `fuzz` and `smoke`.

Layer 7.
"""

from __future__ import annotations

import argparse
import os
from urllib.parse import urlsplit

from harness.cli.arguments import (
    Parser,
    add_header_argument,
    add_plain_http_argument,
    add_revision_argument,
    positive_number,
    positive_seconds,
    revision_of,
    some_seconds,
)
from harness.cli.configuration import fill_in, read_configuration
from harness.cli.masking import hide
from harness.engine.capabilities import Capability, parse_capabilities
from harness.engine.targets import (
    ResolvedTarget,
    TargetOptions,
    resolve_target,
)
from harness.engine.traffic.retries import MAX_TOTAL_WAIT, ReportWait
from harness.engine.traffic.traffic_policy import TrafficPolicy
from harness.interactions import INTERACTIONS
from harness.outcome import UsageFault
from harness.wire.addresses import is_loopback

DEFAULT_TIMEOUT = 60.0
LOCAL_DEADLINE = 90.0
"""Seconds that a run against this machine may take by default; a run against others has no limit."""


def add_target_arguments(parser: Parser) -> None:
    """Add the target and its options. Defaults are None so that configured values can fill them in."""
    parser.add_argument("target", nargs="?", help="root URL, with or without an API version, or `emulator`")
    group = parser.add_argument_group("target")
    group.add_argument(
        "--api-version", metavar="V", help="API version to use instead of the URL's (default: v1beta)"
    )
    group.add_argument("--api-key", metavar="KEY", help=f"API key (default: ${INTERACTIONS.key_variable})")
    group.add_argument(
        "--other-api-key",
        metavar="KEY",
        help="key of ANOTHER project, for store.isolation: a second one of the same project fails it "
        f"(default: ${INTERACTIONS.other_key_variable})",
    )
    add_revision_argument(group)
    group.add_argument("--model", help="model to ask for")
    group.add_argument("--agent", help="agent to ask for")
    add_header_argument(group)
    group.add_argument("--ca-file", metavar="FILE", help="additional certificates to trust (PEM)")
    add_plain_http_argument(group)
    group.add_argument(
        "--capability", action="append", metavar="+X|-Y", help="declare or deny a capability (repeatable)"
    )
    group.add_argument(
        "--wait", type=some_seconds, metavar="S", help="wait up to S seconds for the target to come up"
    )
    group.add_argument(
        "--timeout",
        type=positive_seconds,
        metavar="S",
        help="limit for one request, and for one interaction to finish (default: 60)",
    )


def add_traffic_arguments(parser: Parser) -> None:
    """Add the options for how fast to send requests and how long to wait out a 429 or 503."""
    group = parser.add_argument_group("rate limits")
    group.add_argument("--rate", type=positive_number, metavar="N", help="send at most N requests per second")
    group.add_argument(
        "--max-wait",
        type=some_seconds,
        metavar="S",
        help=f"wait out 429 and 503 for at most S seconds in total (default: {MAX_TOTAL_WAIT:.0f})",
    )


def add_deadline_argument(group: argparse._ArgumentGroup) -> None:
    """Add the option for how long the whole run may take; `deadline_of` reads it."""
    group.add_argument(
        "--deadline",
        type=some_seconds,
        metavar="S",
        help="end the whole run after S seconds, and say what was left out; 0 for no limit "
        f"(default: {LOCAL_DEADLINE:.0f} on this machine, else none)",
    )


def deadline_of(arguments: argparse.Namespace, target: ResolvedTarget) -> float | None:
    """The seconds that the whole run may take, None for no limit."""
    if arguments.deadline is not None:
        return arguments.deadline or None
    host = urlsplit(target.info.url).hostname or ""
    return LOCAL_DEADLINE if host and is_loopback(host) else None


def traffic_policy(arguments: argparse.Namespace, report_wait: ReportWait | None = None) -> TrafficPolicy:
    """The policy from the arguments; `report_wait` is called for each wait. Raises UsageFault for a rate of 0."""
    if arguments.rate is not None and arguments.rate <= 0:
        raise UsageFault("a rate of 0 would send nothing: give requests a second, 0.5 for one every two seconds")
    longest = MAX_TOTAL_WAIT if arguments.max_wait is None else arguments.max_wait
    return TrafficPolicy(rate=arguments.rate, max_wait=longest, report_wait=report_wait)


def parse_with_configuration(parser: Parser, words: list[str]) -> argparse.Namespace:
    """Parse, then fill gaps from `[tool.harness]`; an empty target on the command line stays empty."""
    arguments = parser.parse(words)
    fill_in(arguments, read_configuration())
    return arguments


def resolve(arguments: argparse.Namespace) -> ResolvedTarget:
    """Resolve the target that arguments, environment and configuration name. Raises UsageFault."""
    found = resolve_target(
        INTERACTIONS,
        arguments.target,
        TargetOptions(
            api_version=arguments.api_version or "",
            api_key=_choose_key(arguments.api_key, INTERACTIONS.key_variable),
            other_api_key=_choose_key(arguments.other_api_key, INTERACTIONS.other_key_variable),
            model=arguments.model or "",
            agent=arguments.agent or "",
            headers=tuple(arguments.header or ()),
            timeout=arguments.timeout or DEFAULT_TIMEOUT,
            ca_file=arguments.ca_file,
            revision=revision_of(arguments),
            named_by=getattr(arguments, "target_file", ""),
            plain_http=arguments.plain_http,
        ),
    )
    hide(found.info.secrets)
    return found


def said_capabilities(arguments: argparse.Namespace) -> tuple[Capability, ...]:
    """The capabilities that the user declared or denied."""
    return tuple(parse_capabilities(arguments.capability or (), INTERACTIONS.load_capabilities()))


def _choose_key(given: str | None, variable: str) -> str:
    key = (os.environ.get(variable, "") if given is None else given).strip()
    if not (key.isascii() and key.isprintable()):
        raise UsageFault(f"the key ({'--api-key' if given else variable}) holds characters no header can carry")
    return key
