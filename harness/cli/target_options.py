"""The options that name a target and say how to send to it, and what each group turns into."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.cli import common_options
from harness.cli.options import KEY, POSITIVE_SECONDS, SECONDS, URL, VERSION, Trust, argument, option
from harness.cli.output import hide
from harness.cli.request_options import RequestOptions, read_target_options
from harness.contract.requests import DEFAULT_WAIT
from harness.engine.events import Capability, parse_capabilities
from harness.engine.targets import ServerTarget, resolve_target
from harness.interactions.servers import SERVERS
from harness.wire.addresses import is_loopback, read_host

TIMEOUT, LOCAL_TIMEOUT = DEFAULT_WAIT, 30.0
"""Seconds that a response may take by default, and one of a server on this machine."""


@dataclass(kw_only=True)
class TargetArguments(RequestOptions):
    """The target, and how to talk to it."""

    target: str | None = argument(
        "root URL, with or without an API version, or `emulator`",
        URL, nargs="?", metavar="TARGET", variable="HARNESS_TARGET", trust=Trust.SEND,
    )  # fmt: skip
    api_version: str | None = option(
        "API version, instead of the version in the URL", VERSION, shown="v1beta", group="target"
    )
    api_key: str | None = common_options.api_key_option("target")
    other_api_key: str | None = option(
        "key of another project, for `store.isolation` (which a key of the same project fails)",
        KEY, variable=SERVERS.other_key_variable, trust=Trust.CALL, group="target",
    )  # fmt: skip
    capability: Sequence[str] | None = option(
        "declare or deny a capability (repeatable)",
        repeats=True, metavar="+X|-Y", group="target",
    )  # fmt: skip
    wait: float | None = option("wait up to S seconds until the target is ready", SECONDS, group="target")
    timeout: float | None = option(
        "limit in seconds for one response, and for one interaction to settle",
        POSITIVE_SECONDS,
        shown=f"{LOCAL_TIMEOUT:.0f} on this machine, else {TIMEOUT:.0f}",
        group="target",
    )


def resolve(options: TargetArguments) -> ServerTarget:
    """Resolve the target that the options name, and hide its keys from then on. Raises UsageFault."""
    timeout = options.timeout or (LOCAL_TIMEOUT if is_here(options.target or "") else TIMEOUT)
    given = read_target_options(
        options,
        timeout,
        api_version=options.api_version or "",
        other_api_key=options.other_api_key or "",
        ca_file=options.ca_file,
        revision=common_options.revision_of(options.revision),
    )
    found = resolve_target(SERVERS, options.target, given)
    hide(found.info.secrets)
    return found


def said_capabilities(options: TargetArguments) -> tuple[Capability, ...]:
    """The capabilities that the user declared or denied."""
    return tuple(parse_capabilities(options.capability or (), SERVERS.load_capabilities()))


def is_here(url: str) -> bool:
    """Whether a server is on this machine."""
    host = read_host(url)
    return bool(host) and is_loopback(host)
