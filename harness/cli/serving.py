"""Shared by the commands that listen on a port: the address, and a command beside the server.

Must not know what is served.
"""

from __future__ import annotations

import math
import os
import signal
import ssl
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType

from harness.child_processes import Child, explain_not_started, replace_keys, start
from harness.cli.common_options import json_option
from harness.cli.options import HOST, PATH, PORT, Options, Trust, ValueKind, option
from harness.cli.output import INTERRUPT
from harness.files import explain_unread, open_file
from harness.interactions import INTERACTIONS
from harness.outcome import UsageFault

DUMMY_KEY = "harness-dummy-key"
"""What a client of the emulator sends that has no key; any will do."""

BASE_URL_VARIABLES = ("INTERACTIONS_BASE_URL", "GOOGLE_GEMINI_BASE_URL", "GEMINI_BASE_URL", "GEMINI_API_BASE")
"""google-genai (Python and JavaScript) reads the second one, LiteLLM the last; the others are for own code."""

PAGE_FIELDS = ("content-type", "authorization", "x-goog-api-key", "x-goog-api-client", "x-goog-user-project")
"""Headers that pages of other origins may send; the live service omits api-revision, too (third-party source)."""

WITHHELD_VARIABLES = (
    "GOOGLE_API_KEY",  # google-genai prefers it to GEMINI_API_KEY, so a real key would reach our log
    "GOOGLE_GENAI_API_KEY",
    "GOOGLE_GENAI_ACCESS_TOKEN",
    "GOOGLE_GENAI_USE_VERTEXAI",
    "GOOGLE_GENAI_USE_ENTERPRISE",
)

_PORT = 8400  # not 8000, where the servers of many users listen, as in our examples
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


def name_speed(example: str, metavar: str, named: Mapping[str, float] = MappingProxyType({})) -> ValueKind:
    """The kind of an option that is a factor of time, such as `2x`, or one of these names."""
    words = ", ".join([*named, f"{'or ' if named else ''}a factor such as {example}"])

    def read(text: str) -> float:
        try:
            factor = named.get(text) or float(text.removesuffix("x"))
        except ValueError:
            factor = 0.0
        if not factor > 0 or (factor == math.inf and text not in named):
            raise ValueError(f"{text!r} is not a speed: write {words}")
        return factor

    return ValueKind(words, read, metavar=metavar)


@dataclass(kw_only=True)
class TlsOptions(Options):
    """The options of HTTPS."""

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
        why = explain_unread(wrong) if not isinstance(wrong, ssl.SSLError) else "not PEM, or of different keys"
        step = "name a PEM file with both, or the key with --tls-key"
        raise UsageFault(f"{files}: no certificate with its private key ({why}): {step}") from None
    return context


def port_to_take(arguments: ListenOptions) -> int:
    """The port to listen on: the one given, else the default, or a free one for a command."""
    if arguments.port is not None:
        return arguments.port
    return _PORT if arguments.child is None else 0


def open_as_many_files_as_may_be() -> None:
    """Raise the soft limit on open files, usually 1,024: a connection takes one, through a recorder two."""
    try:
        import resource
    except ImportError:  # no such limit on this platform
        return
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if most == resource.RLIM_INFINITY else min(most, _FILES)
    with suppress(OSError, ValueError):  # some systems allow less than they report
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def ask_for_client(url: str, arguments: ListenOptions) -> str:
    """A question to the user whose server at `url` got no request."""
    used = BASE_URL_VARIABLES[0] if arguments.child is not None else f"the base URL {url}"
    return f"does the client use {used}?"


def local_environment(url: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a command that must talk to `url`, bypassing any proxy; everything else stays."""
    kept = dict(environment)
    for name in ("NO_PROXY", "no_proxy"):
        kept[name] = f"{kept[name]},{_LOCAL}" if kept.get(name) else _LOCAL
    return {**kept, **dict.fromkeys(BASE_URL_VARIABLES, url)}


# A command beside the server that it uses: it gets the signals that end us, and never outlives us.


PATIENCE = 10.0
"""Seconds that a command has to end after it was told to."""


class ChildCommand:
    """A command, and the signals that are passed on to it.

    On a terminal the command stays in our process group, so that it can read from the terminal. Ctrl-C reaches it
    from there, and it decides itself what to do. Without a terminal it gets its own process group: every signal
    goes to all members (such as the children of a shell), and the group is killed once the command has ended.
    """

    def __init__(self) -> None:
        self._alone = not _on_a_terminal()
        self._child: Child | None = None
        self._has_begun = False
        self._early: list[int] = []  # that came while the command was being started
        self._told: list[int] = []
        self._last: threading.Timer | None = None

    def run(self, command: Sequence[str], environment: Mapping[str, str]) -> int:
        """Run the command; return its exit code as a shell reports it, or 128 + the signal that ended it.

        Raises UsageFault for a command that cannot be run.
        """
        if self._told:
            return 128 + self._told[0]
        self._has_begun = True
        try:
            child = start(command, environment, process_group=0 if self._alone else None)
        except OSError as wrong:
            raise UsageFault(explain_not_started(command, wrong)) from None
        self._child = child
        for number in self._early:
            self._pass_on(number)
        code = child.wait()
        if self._last is not None:
            self._last.cancel()
        if self._alone:  # a shell's background job ignores SIGINT, and the server stops now
            _signal_group(child, signal.SIGKILL)
        if self._told:
            return 128 + self._told[0]
        return code if code >= 0 else 128 - code

    def handle_signal(self, number: int) -> None:
        """Pass a signal on; kill the command if it does not end in time.

        Raises KeyboardInterrupt for a Ctrl-C that comes before the command was started.
        """
        if number != INTERRUPT:
            self._told.append(number)
        elif not self._has_begun:
            raise KeyboardInterrupt
        elif not self._alone:
            return
        if self._child is not None:
            self._pass_on(number)
        else:
            self._early.append(number)

    def _pass_on(self, number: int) -> None:
        self._send(number)
        if self._last is None:
            self._last = threading.Timer(PATIENCE, self._kill, (number,))
            self._last.daemon = True
            self._last.start()

    def _kill(self, number: int) -> None:
        if self._child is not None and self._child.returncode is None:
            self._told.append(number)  # the exit code names what the user sent, not how the command was ended
            self._send(signal.SIGKILL)

    def _send(self, number: int) -> None:
        child = self._child
        if child is None or child.returncode is not None:
            return
        if self._alone:
            _signal_group(child, number)
        else:
            with suppress(ProcessLookupError):
                os.kill(child.pid, number)


def _signal_group(child: Child, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)


def _on_a_terminal() -> bool:
    """Whether a terminal's signals reach our process group."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def command_environment(url: str, environment: Mapping[str, str], keys: Sequence[str] = ()) -> dict[str, str]:
    """The environment of a command that must talk only to `url`; it has no real Gemini API key.

    `keys` are the keys that the server accepts; the command gets the first two. Without any, it gets a dummy key.
    """
    withheld = {name.upper() for name in (*WITHHELD_VARIABLES, INTERACTIONS.other_key_variable)}
    usual = {name: value for name, value in environment.items() if name.upper() not in withheld}
    names = (INTERACTIONS.key_variable, INTERACTIONS.other_key_variable)
    given = dict(zip(names, keys or (DUMMY_KEY,), strict=False))
    replaced = replace_keys(environment, given[names[0]])
    return {**local_environment(url, {name: replaced[name] for name in usual}), **given}
