"""Finds the command, runs it, and turns whatever happens into an exit code and a readable line.

The only place that catches faults of every kind. Usage and target problems never show a stack trace; unexpected
exceptions, which are bugs of ours, do. Commands are imported when they are called, so that `harness --help` stays
fast.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import gc
import io
import os
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from harness import __version__
from harness.cli.output import begin, ending_as_interrupted, guarded_output, paint_help, show_text, write_line
from harness.outcome import FIRST_WORDS, Exit, HarnessFault, TargetFault, UsageFault
from harness.outcome.words import did_you_mean

BROKEN_PIPE = 141
_FULL = (errno.ENOSPC, errno.EDQUOT)
_OF_FILES = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP, errno.EIO)
"""What is wrong with a file, and never with the program that wants to use it."""


class CommandEntry(NamedTuple):
    """A command's one-line help, the first sentence of its own help. `table`: its table in a file.

    The table is below `[tool.harness]`, "" is that table itself, and None none.
    """

    help: str
    table: str | None = None


GROUPS: dict[str, dict[str, CommandEntry]] = {
    "a server": {
        "check": CommandEntry("judge a server against the contract of the Interactions API", ""),
        "fuzz": CommandEntry("search a server for requests and sequences that break a rule", "fuzz"),
        "list": CommandEntry("list the catalog of checks"),
        "explain": CommandEntry("explain checks: rule, source, what breaks, what passes"),
        "mutants": CommandEntry("print which check kills which mutant of the emulator"),
    },
    "a gateway or proxy": {
        "gateway": CommandEntry("judge a gateway as its client and as its upstream", "gateway")
    },
    "a client": {
        "torture": CommandEntry("run a client against injected stream faults, one case at a time", "torture"),
        "incidents": CommandEntry("list documented production failures that the emulator reproduces"),
    },
    "an application": {
        "serve": CommandEntry("serve the emulator, or one of its mutants"),
        "proxy": CommandEntry("forward to any server and drop connections by a fault plan"),
    },
    "recordings": {
        "record": CommandEntry("record the traffic between clients and a server, byte for byte"),
        "replay": CommandEntry("serve a cassette, byte for byte"),
        "verify": CommandEntry("judge recorded traffic offline", "verify"),
        "redact": CommandEntry("remove secrets from cassettes in place", "recordings"),
        "diff": CommandEntry("compare two recordings, or the reports of several runs"),
    },
}
"""The commands by what a person has."""

COMMANDS: dict[str, CommandEntry] = {name: entry for group in GROUPS.values() for name, entry in group.items()}

_USAGE = """\
Contract tests and a reference emulator for the Gemini Interactions API.

examples:
  harness check emulator
  harness serve -- pytest

usage: harness COMMAND …

{groups}
`harness COMMAND --help` explains one.
exit codes: 0 conformant · 1 unexpected failure or stale baseline · 2 usage ·
3 nothing ran · 4 target unreachable, key rejected, or no response to a MUST ·
5 error in the harness · 130 interrupted (Ctrl-C, SIGTERM)
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; never raises."""
    words = list(sys.argv[1:] if argv is None else argv)
    begin()
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # the shell closed it (`>&-`)
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - until the end
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a target's words must not break a plain terminal
    with guarded_output():
        try:
            code = _run(words)
            sys.stdout.flush()
            return code
        except SystemExit as stop:
            return stop.code if isinstance(stop.code, int) else int(Exit.OK)
        except UsageFault as fault:
            return _say(f"harness: {show_text(str(fault))}", Exit.USAGE)
        except TargetFault as fault:
            _say(f"harness: {show_text(str(fault))}", Exit.INCOMPLETE)
            return _say(f"{FIRST_WORDS[Exit.INCOMPLETE]}: the target was not tested.", Exit.INCOMPLETE)
        except KeyboardInterrupt:
            return _say(f"{FIRST_WORDS[Exit.INTERRUPTED]}: the command ended early.", Exit.INTERRUPTED)
        except BrokenPipeError:
            return _silence_pipe()
        except HarnessFault as fault:
            return _say(f"harness: error of the harness: {show_text(str(fault))}", Exit.HARNESS_ERROR)
        except Exception as wrong:
            return _say_unexpected(wrong)


def _say_unexpected(wrong: Exception) -> int:
    """Report a full disk or an unusable file in a line, and anything else as a bug with its traceback."""
    if isinstance(wrong, OSError) and wrong.errno in _FULL:
        _silence_pipe()
        return _say(f"harness: cannot write its output: {wrong.strerror}", Exit.USAGE)
    if isinstance(wrong, OSError) and wrong.errno in _OF_FILES and wrong.filename is not None:
        file = show_text(repr(os.fsdecode(wrong.filename)))
        return _say(f"harness: {file} cannot be used: {wrong.strerror}", Exit.USAGE)
    import traceback

    sys.stderr.write(show_text("".join(traceback.format_exception(wrong))))
    return _say(
        f"harness: this is a defect of harness {__version__}; please report it with the lines above",
        Exit.HARNESS_ERROR,
    )


def _run(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help"):
        groups = (
            f"{title}:\n" + "".join(f"  {name:<10} {entry.help}\n" for name, entry in commands.items())
            for title, commands in GROUPS.items()
        )
        sys.stdout.write(paint_help(_USAGE.format(groups="\n".join(groups))))
        return Exit.OK if words else Exit.USAGE
    if words[0] in ("-V", "--version"):
        sys.stdout.write(f"harness {__version__}\n")
        return Exit.OK
    if words[0] == "help":
        return _run([*words[1:], "--help"])
    name = words[0]
    if name not in COMMANDS:
        is_flag = name.startswith("-")
        near = did_you_mean(name, ("--help", "--version") if is_flag else COMMANDS)
        raise UsageFault(f"unknown {'flag' if is_flag else 'command'} {name!r}{near} (see `harness --help`)")
    try:
        Path.cwd()
    except FileNotFoundError:
        raise UsageFault("the current folder was deleted: go to one that exists") from None
    if note := shadow_note():
        _say(f"harness: note: {note}", Exit.OK)
    # SIGTERM, too, must unwind: what was created is deleted
    with ending_as_interrupted(), _tuned(name):
        return int(import_module(f"harness.cli.commands.{name}").run(words[1:]))


@contextlib.contextmanager
def _tuned(command: str) -> Iterator[None]:
    """Look for garbage rarely where most is kept that is made, and at the end of no command.

    Those two took 4 % and 12 % of the time of a check of the emulator; the end was most of a wait after Ctrl-C.
    """
    atexit.register(gc.freeze)
    if command not in ("check", "verify", "diff"):
        yield
        return
    before = gc.get_threshold()
    gc.set_threshold(500_000, *before[1:])
    try:
        yield
    finally:
        gc.freeze()  # all that was made counts as old; else the old threshold would look through it now
        gc.unfreeze()
        gc.set_threshold(*before)


def shadow_note(folder: Path | None = None) -> str:
    """A warning about `harness.py` or `harness/` in `folder` (default: the current one); `""` if there is none."""
    # If theirs comes first on the path, none of our code runs and nothing can warn them: so warn while ours does.
    here = folder or Path.cwd()
    ours = Path(__file__).resolve().parents[1]
    for theirs in (here / "harness.py", here / "harness" / "__init__.py"):
        if theirs.is_file() and ours not in theirs.resolve().parents:
            return (
                f"this folder has a module named `harness` of its own ({theirs.relative_to(here)}), which hides "
                "this package wherever Python looks here first (`python -m harness`, `python -m pytest`): use the "
                "commands `interactions-harness` and `pytest`, or rename that module"
            )
    return ""


def _say(text: str, code: int) -> int:
    try:
        sys.stdout.flush()
        write_line(text, sys.stderr, is_error=bool(code))
    except BrokenPipeError:
        return _silence_pipe()
    except OSError:  # the disk is full: the reason is lost, but the exit code is that of the command
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    return int(code)


def _silence_pipe() -> int:
    """Discard further output: the reader went away (`| head`) or the disk is full, so later flushes would fail."""
    with contextlib.suppress(OSError, ValueError):  # stdout may be no file of the operating system
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return BROKEN_PIPE


__all__ = ["COMMANDS", "main"]
