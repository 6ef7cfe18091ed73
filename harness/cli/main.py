"""Finds the command, runs it, and turns whatever happens into an exit code and a readable line.

Layer 7. The only place that catches faults of every kind. Usage and target problems never show a stack trace;
unexpected exceptions, which are bugs of ours, do. Commands are imported when they are called, so that
`harness --help` stays fast.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import NamedTuple, Protocol, cast

from harness import __version__
from harness.cli.masking import begin, show_text
from harness.cli.name_clash import shadow_note
from harness.cli.signal_handling import told_like_interrupted
from harness.outcome import Exit, HarnessFault, TargetFault, UsageFault
from harness.outcome.suggest import did_you_mean

BROKEN_PIPE = 141
_FULL = (errno.ENOSPC, errno.EDQUOT)
_OF_FILES = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP, errno.EIO)
"""What is wrong with a file, and never with the program that wants to use it."""


class Command(Protocol):
    """The interface of a command's module; `words` are the arguments after the command's name."""

    def run(self, words: Sequence[str]) -> int: ...


class CommandEntry(NamedTuple):
    """A command's module and its one-line help."""

    module: str
    help: str


COMMANDS: dict[str, CommandEntry] = {
    "check": CommandEntry("harness.cli.commands.check", "judge a server against the contract"),
    "list": CommandEntry("harness.cli.commands.list", "list the catalogue of checks"),
    "explain": CommandEntry(
        "harness.cli.commands.explain", "explain checks: rule, source, what breaks, what passes"
    ),
    "smoke": CommandEntry(
        "harness.cli.commands.smoke", "ask whether a server is up and authorised, and what it can do"
    ),
    "serve": CommandEntry("harness.cli.commands.serve", "serve the reference emulator, or one of its mutants"),
    "incidents": CommandEntry(
        "harness.cli.commands.incidents", "list what really went wrong for users of the API"
    ),
    "client": CommandEntry(
        "harness.cli.commands.client", "print the module that steers `harness serve` from JavaScript tests"
    ),
    "torture": CommandEntry(
        "harness.cli.commands.torture", "run a client once for every place where its connection can drop"
    ),
    "clients": CommandEntry(
        "harness.cli.commands.clients", "show what known clients make of each fault, or list them"
    ),
    "gateway": CommandEntry("harness.cli.commands.gateway", "judge a gateway from both sides at once"),
    "fuzz": CommandEntry(
        "harness.cli.commands.fuzz", "search a server for requests and histories that break its promises"
    ),
    "mutants": CommandEntry(
        "harness.cli.commands.mutants", "print the kill matrix: which check notices which mutant"
    ),
    "record": CommandEntry("harness.cli.commands.record", "record the traffic between clients and a server"),
    "replay": CommandEntry("harness.cli.commands.replay", "serve a recording again, byte for byte"),
    "proxy": CommandEntry(
        "harness.cli.commands.proxy", "stand in front of any server and break connections as told"
    ),
    "compare": CommandEntry(
        "harness.cli.commands.compare", "compare the reports of runs: targets, or one target then and now"
    ),
    "merge": CommandEntry("harness.cli.commands.merge", "put the shards of one run together again"),
    "diff": CommandEntry("harness.cli.commands.diff", "compare two recordings: drift of shape, drift of content"),
    "drift": CommandEntry("harness.cli.commands.drift", "compare the types of an official SDK with the schemas"),
    "verify": CommandEntry("harness.cli.commands.verify", "judge recorded traffic offline"),
    "completion": CommandEntry("harness.cli.commands.completion", "print the completion for bash, zsh or fish"),
    "doctor": CommandEntry("harness.cli.commands.doctor", "say what is installed and what is in the way"),
}

_EXITS = (
    "exit codes: 0 conformant · 1 unexpected failure or stale baseline · 2 usage ·\n"
    "3 nothing ran · 4 target unreachable, unauthorised, or a MUST got no answer ·\n"
    "5 bug in the harness · 130 interrupted (Ctrl-C, SIGTERM)"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; never raises."""
    words = list(sys.argv[1:] if argv is None else argv)
    begin()
    _prepare_streams()
    try:
        code = _run(words)
        sys.stdout.flush()
        return code
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(Exit.OK)
    except UsageFault as fault:
        return _say(f"harness: {show_text(str(fault))}", Exit.USAGE)
    except TargetFault as fault:
        return _say(f"harness: {show_text(str(fault))}", Exit.UNREACHABLE)
    except KeyboardInterrupt:
        return _say("harness: interrupted", Exit.INTERRUPTED)
    except BrokenPipeError:
        return _silence_pipe()
    except HarnessFault as fault:
        return _say(f"harness: a fault of the harness itself: {show_text(str(fault))}", Exit.HARNESS_ERROR)
    except Exception as wrong:
        return _say_unexpected(wrong)


def _prepare_streams() -> None:
    """Let every text be written to stdout and stderr, whatever they are."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # the shell closed it (`>&-`)
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - until the end
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a target's words must not break a plain terminal


def _say_unexpected(wrong: Exception) -> int:
    """Report a full disk or an unusable file in a line, and anything else as a bug with its traceback."""
    if isinstance(wrong, OSError) and wrong.errno in _FULL:
        _silence_pipe()
        return _say(f"harness: what it says cannot be written: {wrong.strerror}", Exit.USAGE)
    if isinstance(wrong, OSError) and wrong.errno in _OF_FILES and wrong.filename is not None:
        file = show_text(repr(os.fsdecode(wrong.filename)))
        return _say(f"harness: {file} cannot be used: {wrong.strerror}", Exit.USAGE)
    import traceback

    sys.stderr.write(show_text("".join(traceback.format_exception(wrong))))
    return _say(
        f"harness: this is a bug of the harness {__version__}, please report it with the lines above",
        Exit.HARNESS_ERROR,
    )


def _run(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help"):
        sys.stdout.write(_write_usage())
        return Exit.OK if words else Exit.USAGE
    if words[0] in ("-V", "--version"):
        sys.stdout.write(f"harness {__version__}\n")
        return Exit.OK
    if words[0] == "help":
        return _run([*words[1:], "--help"])
    name = words[0]
    if name not in COMMANDS:
        kind = "flag" if name.startswith("-") else "command"
        raise UsageFault(f"unknown {kind} {name!r}{did_you_mean(name, COMMANDS)} (see `harness --help`)")
    try:
        Path.cwd()
    except FileNotFoundError:
        raise UsageFault("the current folder was deleted: go to one that exists") from None
    if note := shadow_note():
        _say(f"harness: note: {note}", Exit.OK)
    with told_like_interrupted():  # SIGTERM, too, must unwind: what was created is deleted
        command = cast("Command", import_module(COMMANDS[name].module))
        return command.run(words[1:])


def _write_usage() -> str:
    rows = "\n".join(f"  {name:<10} {entry.help}" for name, entry in COMMANDS.items())
    return (
        "usage: harness COMMAND …\n\nContract tests and a reference emulator for the Gemini Interactions API.\n\n"
        f"commands:\n{rows}\n\n"
        f"`harness COMMAND --help` explains one. Start with `harness check emulator`.\n{_EXITS}\n"
    )


def _say(text: str, code: int) -> int:
    try:
        sys.stdout.flush()
        sys.stderr.write(text + "\n")
    except BrokenPipeError:
        return _silence_pipe()
    return int(code)


def _silence_pipe() -> int:
    """Discard further output: the reader went away (`| head`) or the disk is full, so later flushes would fail."""
    with contextlib.suppress(OSError, ValueError):  # stdout may be no file of the operating system
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return BROKEN_PIPE


__all__ = ["COMMANDS", "main"]
