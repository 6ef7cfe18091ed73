"""The options that name a target and say how to send to it, and what each group turns into."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from msgspec.structs import replace

from harness.benches.server.reachability import wait_until_up
from harness.cli import common_options
from harness.cli.masking import hide
from harness.cli.options import (
    KEY,
    POSITIVE_SECONDS,
    SECONDS,
    URL,
    VERSION,
    Options,
    Trust,
    argument,
    option,
)
from harness.cli.output import say
from harness.contract.requests import DEFAULT_WAIT
from harness.engine.capabilities import Capability, parse_capabilities
from harness.engine.targets import ResolvedTarget, TargetOptions, resolve_target
from harness.interactions.servers import SERVERS
from harness.wire.addresses import is_loopback, read_host

TIMEOUT, LOCAL_TIMEOUT = DEFAULT_WAIT, 30.0
"""Seconds that a response may take by default, and one of a server on this machine."""


@dataclass(kw_only=True)
class RequestOptions(Options):
    """The fields of each request, and its way to the server."""

    header: Sequence[tuple[str, str]] | None = common_options.header_option("target")
    revision: str | None = common_options.revision_option("target")
    model: str | None = option("model to request", group="target")
    agent: str | None = option("agent to request", group="target")
    ca_file: str | None = common_options.ca_file_option("target")
    plain_http: bool = common_options.plain_http_option("target")


@dataclass(kw_only=True)
class TargetArguments(RequestOptions):
    """The target, and how to talk to it."""

    target: str | None = argument(
        "root URL, with or without an API version, or `emulator`",
        URL, nargs="?", metavar="TARGET", variable="HARNESS_TARGET", trust=Trust.SEND, completes="target",
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
    found = resolve_target(SERVERS, options.target, replace(given, **more))
    hide(found.info.secrets)
    return found


def resolve(options: TargetArguments) -> ResolvedTarget:
    """Resolve the target that the options name. Raises UsageFault."""
    timeout = options.timeout or (LOCAL_TIMEOUT if is_here(options.target or "") else TIMEOUT)
    return resolve_named(
        options,
        timeout,
        api_version=options.api_version or "",
        other_api_key=options.other_api_key or "",
        ca_file=options.ca_file,
        revision=common_options.revision_of(options.revision),
    )


def said_capabilities(options: TargetArguments) -> tuple[Capability, ...]:
    """The capabilities that the user declared or denied."""
    return tuple(parse_capabilities(options.capability or (), SERVERS.load_capabilities()))


def wait_for(target: ResolvedTarget, seconds: float | None) -> None:
    """Return once the target returns any response. Raises TargetFault if it does not within `seconds`.

    Standard error names the wait. Without seconds nothing is sent.
    """
    if seconds:
        say(f"waiting up to {seconds:g} s for a response of {target.info.url}", to_errors=True)
        wait_until_up(target, seconds)


def is_here(url: str) -> bool:
    """Whether a server is on this machine."""
    host = read_host(url)
    return bool(host) and is_loopback(host)
