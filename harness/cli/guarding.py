"""The options that say who may call a server, and who may steer it; shared by `serve`, `replay` and `proxy`.

Layer 7. Must not know what is served.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.cli.arguments import Parser
from harness.outcome import UsageFault
from harness.wire import Request

if TYPE_CHECKING:
    from harness.benches.server.page_guard import PageGuard

TOKEN_VARIABLE = "HARNESS_CONTROL_TOKEN"

_TOKEN = re.compile(r"[!-~]+")
_TOKEN_FORM = "use visible ASCII characters without spaces"
_NAME = re.compile(r"[^\s/@*]+")


def add_host_argument(parser: Parser) -> None:
    """Add the option for the names that the server may be called by."""
    parser.add_argument(
        "--allow-host",
        action="append",
        type=_parse_host,
        metavar="NAME",
        help="name by which clients may call the server, besides addresses and local names (repeatable)",
    )


def add_guard_arguments(parser: Parser) -> None:
    """The same, and the option for the token of control calls."""
    add_host_argument(parser)
    parser.add_argument(
        "--control-token",
        type=_parse_token,
        metavar="TOKEN",
        help="token that control calls must send as x-harness-token "
        f"(default: none on this machine's own addresses; else ${TOKEN_VARIABLE}, or a random one)",
    )


@dataclass(frozen=True, slots=True)
class Access:
    """The guard to put around a service, and the token that control calls need (`""`: none)."""

    guard: PageGuard
    token: str

    @property
    def note(self) -> str:
        """What to print for the user on start, as the end of a sentence; `""` without a token."""
        return f"; control calls need the header x-harness-token: {self.token}" if self.token else ""

    @property
    def facts(self) -> dict[str, str]:
        """The same for programs."""
        return {"control_token": self.token} if self.token else {}

    @property
    def environment(self) -> dict[str, str]:
        """The same for the command that the server runs for."""
        return {TOKEN_VARIABLE: self.token} if self.token else {}


def access(arguments: argparse.Namespace, *, closed: bool = False) -> Access:
    """The access that the arguments grant; `closed` keeps out pages of other origins altogether."""
    from harness.benches.server.page_guard import PageGuard
    from harness.interactions import INTERACTIONS

    token = _token_for(arguments)
    guard = PageGuard(
        INTERACTIONS.load_protocol(),
        host=arguments.host,
        allowed_hosts=arguments.allow_host or (),
        token=token,
        closed=closed,
        reaches_out=registers_receiver,
    )
    return Access(guard, token)


def registers_receiver(request: Request) -> bool:
    """Whether a call names an address that a server would deliver to: a webhook, or the receiver of one run."""
    if request.method not in ("POST", "PATCH", "PUT"):
        return False
    if "webhooks" in request.segments:
        return True
    try:
        value = json.loads(request.body)
    except (ValueError, RecursionError):  # the service refuses it, too
        return False
    return _holds(value, "webhook_config")


def _holds(value: Any, name: str) -> bool:
    """Whether an object anywhere in a JSON value has a member of this name."""
    left = [value]
    while left:
        item = left.pop()
        if isinstance(item, dict):
            if name in item:
                return True
            left.extend(item.values())
        elif isinstance(item, list):
            left.extend(item)
    return False


def page_access(host: str, allow_host: Sequence[str] | None = None) -> Access:
    """The access to the page of a command whose server is not steered: a token only beyond this machine."""
    return access(argparse.Namespace(host=host, allow_host=allow_host, control_token=None))


def _token_for(arguments: argparse.Namespace) -> str:
    from harness.wire.addresses import is_loopback

    if arguments.control_token is not None:
        return str(arguments.control_token)
    if is_loopback(arguments.host):
        return ""
    given = os.environ.get(TOKEN_VARIABLE, "")
    if given and _TOKEN.fullmatch(given) is None:
        raise UsageFault(f"{TOKEN_VARIABLE} is no token: {_TOKEN_FORM}")
    return given or secrets.token_urlsafe(24)


def _parse_token(text: str) -> str:
    if _TOKEN.fullmatch(text) is None:
        raise argparse.ArgumentTypeError(f"this is no token: {_TOKEN_FORM}")  # it is a secret, so it is not quoted
    return text


def _parse_host(text: str) -> str:
    name = text.lower().removesuffix(".")
    if _NAME.fullmatch(name) is None or (":" in name and name.count(":") < 2):
        raise argparse.ArgumentTypeError(f"{text!r} is no host: write its name alone, such as build7.example.com")
    return name.strip("[]")
