"""Shared by the commands that listen on a port: the address, the announcement, and how long they serve.

Layer 8. Must not know what is served.
"""

from __future__ import annotations

import json
import os
import ssl
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Any

from harness.cli.child_command import ChildCommand
from harness.cli.common_options import json_option
from harness.cli.options import HOST, PATH, PORT, Options, Trust, option
from harness.cli.output import say
from harness.cli.signal_handling import ENDING, INTERRUPT, handle_signals
from harness.documents import open_file
from harness.outcome import Exit, UsageFault

DUMMY_KEY = "harness-dummy-key"
"""What a client of the emulator sends that has no key; any will do."""

BASE_URL_VARIABLES = ("INTERACTIONS_BASE_URL", "GOOGLE_GEMINI_BASE_URL", "GEMINI_BASE_URL")
"""google-genai (Python and JavaScript) reads the second one; the others are for the user's own code."""

_PORT = 8000
_FILES = 65_536
_LOCAL = "127.0.0.1,localhost,::1"


@dataclass(kw_only=True)
class ListenOptions(Options):
    """Where to listen, and how to announce it."""

    port: int | None = option(
        "port to listen on; 0 picks a free one", PORT, shown=f"{_PORT}, or a free one with CMD", trust=Trust.CALL
    )
    host: str = option("address to listen on", HOST, "127.0.0.1", trust=Trust.BIND)
    json: bool = json_option("print machine-readable lines")


@dataclass(kw_only=True)
class TlsOptions(Options):
    """What https needs."""

    tls_cert: str | None = option("serve https with this PEM certificate chain", PATH, trust=Trust.CALL)
    tls_key: str | None = option("private key, if in a separate file (PEM)", PATH, trust=Trust.CALL)


def tls_context(arguments: TlsOptions) -> ssl.SSLContext | None:
    """The server's TLS context, None for plain http. Raises UsageFault for an invalid certificate or key file."""
    if arguments.tls_cert is None:
        if arguments.tls_key is not None:
            raise UsageFault("--tls-key without --tls-cert: name the certificate that the key belongs to")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        for file in filter(None, (arguments.tls_cert, arguments.tls_key)):
            open_file(file).close()  # the library would wait for a pipe for ever
        context.load_cert_chain(arguments.tls_cert, arguments.tls_key)
    except (OSError, ssl.SSLError) as wrong:
        files = " and ".join(filter(None, (arguments.tls_cert, arguments.tls_key)))
        raise UsageFault(f"{files}: no certificate with its private key in PEM ({wrong})") from None
    return context


def port_to_take(arguments: ListenOptions, command: Sequence[str] | None) -> int:
    """The port to listen on: the one given, else the default, or a free one for a command."""
    if arguments.port is not None:
        return arguments.port
    return _PORT if command is None else 0


def announce(url: str, text: str, *, as_json: bool, page: str = "", **facts: Any) -> None:
    """Print the address as the first line, followed by `text` and the inspector's `page`, or as a JSON object."""
    if as_json:
        say(json.dumps({"base_url": url, "pid": os.getpid(), **({"inspector": page} if page else {}), **facts}))
    else:
        say(url)
        say(text)
        if page:
            say(f"watch it in a browser: {page}")
    sys.stdout.flush()


def serve_until_done(
    serving: AbstractContextManager[Any],
    started: Callable[[], None],
    command: Sequence[str] | None,
    environment: Callable[[], Mapping[str, str]],
) -> int:
    """Serve while a command runs, or until a signal comes; return the command's exit code, or 0.

    `started` announces the server. With a command it is not called: it would mix with the command's output.
    `serving` is exited properly, whatever signal comes.
    """
    _open_as_many_files_as_may_be()
    if command is not None:
        running = ChildCommand()
        with handle_signals(running.handle_signal, INTERRUPT, *ENDING), serving:
            return running.run(command, environment())
    stopped = threading.Event()
    with handle_signals(lambda number: stopped.set(), INTERRUPT, *ENDING), serving:
        started()
        # With a timeout, because a wait without one cannot be interrupted on every platform.
        while not stopped.wait(1.0):
            pass
    return int(Exit.OK)


def _open_as_many_files_as_may_be() -> None:
    """Raise the soft limit on open files, usually 1,024: a connection takes one, through a recorder two."""
    try:
        import resource
    except ImportError:  # no such limit on this platform
        return
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if most == resource.RLIM_INFINITY else min(most, _FILES)
    with suppress(OSError, ValueError):  # some systems allow less than they report
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def local_environment(url: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a command that must talk to `url`, bypassing any proxy; everything else stays."""
    kept = dict(environment)
    for name in ("NO_PROXY", "no_proxy"):
        kept[name] = f"{kept[name]},{_LOCAL}" if kept.get(name) else _LOCAL
    return {**kept, **dict.fromkeys(BASE_URL_VARIABLES, url)}
