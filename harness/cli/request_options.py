"""The options of requests to a server that its URL names, and what they turn into; nothing here knows a check."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from msgspec.structs import replace

from harness.benches.server.reachability import wait_until_up
from harness.cli import common_options
from harness.cli.options import Options, option
from harness.cli.output import hide, say
from harness.contract.requests import AGENT, MODEL
from harness.engine.targets import ResolvedTarget, TargetOptions, resolve_url
from harness.interactions.targets import TARGETS


@dataclass(kw_only=True)
class RequestOptions(Options):
    """The fields of each request, and its way to the server."""

    header: Sequence[tuple[str, str]] | None = common_options.header_option("target")
    revision: str | None = common_options.revision_option("target")
    model: str | None = option("model to request", shown=MODEL, group="target")
    agent: str | None = option("agent to request", shown=AGENT, group="target")
    ca_file: str | None = common_options.ca_file_option("target")
    plain_http: bool = common_options.plain_http_option("target")


class NamesTarget(Protocol):
    """Options that name a target and say how to talk to it."""

    target: str | None
    api_key: str | None
    model: str | None
    agent: str | None
    header: Sequence[tuple[str, str]] | None
    plain_http: bool


def read_target_options(options: NamesTarget, timeout: float, **more: Any) -> TargetOptions:
    """The options of a target that all commands have; `more` are further ones."""
    given = TargetOptions(
        api_key=options.api_key or "",
        model=options.model or "",
        agent=options.agent or "",
        headers=tuple(options.header or ()),
        timeout=timeout,
        plain_http=options.plain_http,
    )
    return replace(given, **more)


def resolve_server(options: NamesTarget, timeout: float, **more: Any) -> ResolvedTarget:
    """Resolve the URL of a server. Raises UsageFault.

    From then on, its keys are hidden in everything that the command prints.
    """
    found = resolve_url(TARGETS, (options.target or "").strip(), read_target_options(options, timeout, **more))
    hide(found.info.secrets)
    return found


def wait_for(
    target: ResolvedTarget, seconds: float | None, has_ended: Callable[[], object] = lambda: False
) -> None:
    """Wait as `wait_until_up` does, after a line on standard error. Without seconds nothing is sent."""
    if seconds:
        say(f"waiting up to {seconds:g} s for a response of {target.info.url}", to_errors=True)
        wait_until_up(target, seconds, has_ended=has_ended)
