"""The page at the root of a server: the option `--open`, the words that name it, and the inspector of a command.

Must not know what is served.
"""

from __future__ import annotations

import datetime
import json
import os
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

from harness.child_processes import open_browser
from harness.cli.guarding import Access
from harness.cli.options import flag
from harness.cli.output import ENDING, INTERRUPT, handle_signals, own_secrets, say
from harness.cli.serving import ChildCommand, open_as_many_files_as_may_be
from harness.outcome import Exit
from harness.report.screen import Line, Role

if TYPE_CHECKING:
    from harness.cassette import Target
    from harness.inspector import Actions, Inspector


_FROM_HERE = {"//0.0.0.0:": "//127.0.0.1:", "//[::]:": "//[::1]:"}
"""Addresses that a server listens on and no browser calls, and what to call instead."""


def open_option(group: str = "") -> Any:
    """Declare the option that opens the page."""
    about = "open the inspector, a page at the server's root that shows its traffic"
    return flag(about, group=group, once="reports")


class ShowsPage(Protocol):
    """Options that say whether to open the page, how to announce the server, and what runs beside it."""

    open: bool
    json: bool
    child: list[str] | None


def new_inspector(
    arguments: ShowsPage,
    granted: Access,
    contract: Any,
    *,
    command: str,
    target: Callable[[], Target] | None,
    actions: Actions | None = None,
    facts: dict[str, Any] | None = None,
    sees_all: bool = False,
    secure: bool = False,
) -> Inspector:
    """The inspector of a command; `target` is the kind of server of a saved cassette; None: none is saved."""
    from harness.cassette import Provenance
    from harness.inspector import Inspector
    from harness.interactions.traffic import TRAFFIC
    from harness.report.evidence.curl import Display, curl
    from harness.wire import Request
    from harness.wire.mask import Mask

    secrets = own_secrets()
    fields = TRAFFIC.load_protocol().secret_fields

    def to_curl(request: Request, root: str) -> str:
        """The client's own key becomes the variable, in any case: it may be a real one."""
        key = request.headers.get(TRAFFIC.key_header)
        mask = Mask({**secrets, TRAFFIC.key_variable: key}, fields)
        return curl(request, Display(TRAFFIC, root, mask))

    return Inspector(
        TRAFFIC,
        contract,
        granted.guard,
        command=command,
        to_curl=to_curl,
        actions=actions,
        provenance=None
        if target is None
        else lambda: Provenance(
            recorder="harness inspector",
            target=target(),
            recorded=datetime.datetime.now(datetime.UTC).date().isoformat(),
            api=TRAFFIC.name,
            revision=contract.revision,
        ),
        facts=facts,
        secrets=secrets,
        sees_all=sees_all,
        ahead=arguments.open,
        scheme="https" if secure else "http",
    )


def page_of(url: str, granted: Access) -> str:
    """The address of the page; with a token, it is after the `#`, which no browser sends anywhere."""
    for everywhere, here in _FROM_HERE.items():
        url = url.replace(everywhere, here)
    return f"{url}/#token={granted.token}" if granted.token else f"{url}/"


def open_page(arguments: ShowsPage, page: str) -> None:
    """Open the page in a browser if `--open` was given. The command does not wait for the browser."""

    def browse() -> None:
        if not open_browser(page):
            say(f"no browser found: open {page}", to_errors=True)

    if arguments.open:
        threading.Thread(target=browse, name="harness-browser", daemon=True).start()


def serve_with_page(
    serving: AbstractContextManager[Any],
    arguments: ShowsPage,
    granted: Access,
    inspector: Inspector,
    *,
    welcome: Callable[[str], str],
    environment: Callable[[str], Mapping[str, str]],
    facts: Mapping[str, Any] | None = None,
) -> int:
    """Serve while the command after `--` runs, or until a signal comes; return its exit code, or 0.

    `serving` is entered as a server that has a URL, and exited properly, whatever signal comes. `welcome` follows
    the URL, `facts` stand beside it in JSON; with a command nothing is announced, as it would mix with its output.
    `environment` makes that of the command.
    """
    open_as_many_files_as_may_be()
    if arguments.child is not None:
        running = ChildCommand()
        with handle_signals(running.handle_signal, INTERRUPT, *ENDING), serving as server:
            open_page(arguments, page_of(server.url, granted))
            code = running.run(arguments.child, environment(server.url))
            inspector.finish()
            return code
    stopped = threading.Event()
    with handle_signals(lambda number: stopped.set(), INTERRUPT, *ENDING), serving as server:
        url, page = server.url, page_of(server.url, granted)
        if arguments.json:
            line = {"base_url": url, "pid": os.getpid(), "inspector": page, **(facts or {})}
            say(Line(json.dumps(line), Role.COMMAND))
        else:
            say(f"{url}\n{welcome(url)}\nwatch it in a browser: {page}")
        sys.stdout.flush()
        open_page(arguments, page)
        # With a timeout, because a wait without one cannot be interrupted on every platform.
        while not stopped.wait(1.0):
            pass
        inspector.finish()
    return int(Exit.OK)
