"""The options that say who may call a server, and who may steer it; shared by the commands that serve.

Must not know what is served.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.cli.options import Options, Trust, ValueKind, flag, option
from harness.outcome import UsageFault

if TYPE_CHECKING:
    from harness.benches.server.page_guard import PageGuard, Pages

TOKEN_VARIABLE = "HARNESS_CONTROL_TOKEN"
"""The token of control calls: a variable and no option, because every user of a machine can list the options."""

_TOKEN = re.compile(r"[!-~]+")
_NAME = re.compile(r"[^\s/@*]+")


def _read_host(text: str) -> str:
    name = text.lower().removesuffix(".")
    if _NAME.fullmatch(name) is None or (":" in name and name.count(":") < 2):
        raise ValueError(f"{text!r} is not a host: write its name alone, such as build7.example.com")
    return name.strip("[]")


_HOST_NAME = ValueKind("the name of a host", _read_host, metavar="NAME", is_place=True)


def cors_option() -> Any:
    """Declare that pages of any origin may call; `access` gets it as `cors`."""
    return flag("allow calls from web pages of any origin (default: of this machine)")


@dataclass(kw_only=True)
class HostOptions(Options):
    """The names that a server may be called by."""

    allow_host: Sequence[str] | None = option(
        "additional host name under which clients may call the server (repeatable)",
        _HOST_NAME, repeats=True, trust=Trust.CALL,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Access:
    """The guard to put around a service, and the token that control calls need (`""`: none)."""

    guard: PageGuard
    token: str

    @property
    def note(self) -> str:
        """A note for the user on start, as the end of a sentence; `""` without a token."""
        return f"; control calls need the header x-harness-token: {self.token}" if self.token else ""

    @property
    def facts(self) -> dict[str, str]:
        """The token for programs, as members of the JSON on start."""
        return {"control_token": self.token} if self.token else {}

    @property
    def environment(self) -> dict[str, str]:
        """The token as a variable of the command that the server runs for."""
        return {TOKEN_VARIABLE: self.token} if self.token else {}


def access(
    host: str,
    allow_host: Sequence[str] | None = None,
    *,
    cors: bool = False,
    pages: Pages | None = None,
    opened_by: str = "--cors",
    program_hosts: Sequence[str] = (),
) -> Access:
    """The access to a server at `host`; with `cors`, pages of any origin may call what is served.

    Otherwise those of this machine may, or the `pages` that are given. Without a token in the variable, one is
    needed only beyond this machine. `opened_by` is the option that lets pages call. By one of the `program_hosts`,
    only programs call.
    """
    from harness.benches.server.page_guard import PageGuard, Pages
    from harness.interactions import INTERACTIONS
    from harness.wire.addresses import is_loopback

    token = os.environ.get(TOKEN_VARIABLE, "")
    if token and _TOKEN.fullmatch(token) is None:  # it is a secret, so it is not quoted
        raise UsageFault(f"{TOKEN_VARIABLE} is not a token: use visible ASCII characters without spaces")
    if not (token or is_loopback(host)):
        token = secrets.token_urlsafe(24)
    guard = PageGuard(
        INTERACTIONS.load_protocol(),
        host=host,
        allowed_hosts=allow_host or (),
        program_hosts=program_hosts,
        token=token,
        pages=pages or (Pages.ANY if cors else Pages.LOCAL),
        opened_by=opened_by,
    )
    return Access(guard, token)
