"""All output of a command, and its end by a signal: lines, JSON, and the files that `--report` names.

A fault that ends a run may quote the target, and the target may quote what it was sent. So the target's secrets,
and what looks like one, are hidden in everything that is printed outside reports, which have their own masks.

Texts of a target, a client or a file are masked and escaped where they are put into a sentence. `guarded_output`
is the last line behind that: whatever a text contains, standard output and standard error get no control sequence
except our own colors and erased line, and the runner of a CI system gets no command. `run_reports` follows a run
that judges.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import sys
import threading
from _thread import interrupt_main
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache, partial
from importlib import import_module
from pathlib import Path
from shutil import get_terminal_size
from types import FrameType
from typing import TYPE_CHECKING, Any, TextIO, TypeVar, cast

from msgspec import Struct

from harness.files import append_file, write_file
from harness.outcome import HarnessFault, UsageFault
from harness.outcome.words import break_commands, did_you_mean, dump, write_harmless
from harness.wire.message import escape_controls

if TYPE_CHECKING:
    from harness.report.presented_run import PresentedRun
    from harness.wire import Request
    from harness.wire.mask import Mask

Value = TypeVar("Value")

_told: set[str] = set()
_heard: list[str] = []
_unread: dict[tuple[int, str], Request] = {}
"""Heads in which nobody looked for keys yet, by the identity of their fields, which lives as long as they do."""
_lock = threading.Lock()


def begin() -> None:
    """Forget the secrets of earlier commands in this process."""
    _told.clear()
    _heard.clear()
    _unread.clear()
    _mask_of.cache_clear()


def hide(secrets: Mapping[str, str]) -> None:
    """Hide these secrets from now on."""
    _told.update(secrets.values())


def hear(request: Request) -> None:
    """Hide from now on the keys that a client's request carries; of many only the latest."""
    # Hot. The keys in a head are looked for when something is printed; a connection repeats the same head.
    head = (id(request.headers), request.target)
    if head not in _unread:
        if len(_unread) >= 256:
            with _lock:
                _read_heads()
        _unread[head] = request.without_body()


def _read_heads() -> None:
    """Look for keys in the heads that were only kept so far; the caller holds the lock."""
    from harness.wire.mask import keys_in

    latest_first = []
    while _unread:  # other threads go on hearing, so it is emptied one by one
        latest_first.append(_unread.popitem()[1])
    for request in reversed(latest_first):
        for key in keys_in(request):
            if len(key) >= 8 and key not in _heard:  # a shorter one would turn plain text into stars
                _heard.append(key)
                del _heard[:-50]


def show_text(text: str) -> str:
    """Mask a text and escape its control characters, so that it may be shown on a terminal without `say`."""
    return _mask().show(text)


def mask_text(text: str) -> str:
    """Mask a text that goes elsewhere than to a terminal, or there through `say`."""
    return _mask().text(text)


def hide_in(value: Value) -> Value:
    """The value with the secrets in its texts hidden, whatever writes it later."""
    from harness.wire.mask import hide_secrets

    return hide_secrets(value, _mask())


def mask_tree(value: Any) -> Any:
    """Mask every string in plain data so that it may be shown."""
    return _mask().tree(value)


def own_secrets() -> dict[str, str]:
    """The keys in the environment, by their variables: a run that has no target of its own must not show them."""
    from harness.interactions import INTERACTIONS

    return INTERACTIONS.keys_in(os.environ)


def hide_own(text: str) -> str:
    """Hide the keys of the environment in a text of ours: it may name a file that is named like one."""
    own = own_secrets()
    return _mask_of(frozenset((*own.values(), *_told))).hide_known(text) if own else text


def _mask() -> Mask:
    # Hide the environment's keys even if another key was chosen.
    with _lock:
        _read_heads()
        return _mask_of(frozenset((*own_secrets().values(), *_told, *_heard)))


@lru_cache(maxsize=2)
def _mask_of(secrets: frozenset[str]) -> Mask:
    """The mask for these secrets; kept, because making it takes far longer than masking a line with it."""
    from harness.contract.tables.protocol import PROTOCOL
    from harness.wire.mask import Mask

    return Mask({str(number): secret for number, secret in enumerate(secrets)}, PROTOCOL.secret_fields)


_COLOR = r"(?:0?[0-4]|2[2-4]|3[1-79]|49|9[1-7])"
"""Colors and weights of ours and of pytest; none hides a text, as 8 does, or black on black."""

_OURS = re.compile(rf"(\x1b\[(?:{_COLOR}(?:;{_COLOR})*)?m|\r\n)")

_ERASED = "\r\x1b[2K"
_OWN = "harness:"


class GuardedStream:
    """A text stream that shows what would be obeyed as `\\uXXXX`, which means the same inside a string of JSON."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def __getattr__(self, name: str) -> Any:
        return getattr(self._out, name)

    def write(self, text: str) -> int:
        # The erased line of the progress is written alone; within a text it is somebody else's.
        if text != _ERASED:
            parts = _OURS.split(text)
            parts[::2] = map(write_harmless, parts[::2])
            text = "".join(parts)
        self._out.write(text)
        return len(text)

    def writelines(self, texts: Iterable[str]) -> None:
        for text in texts:
            self.write(text)

    def write_command(self, line: str) -> None:
        """Write a line of ours that a runner is to obey."""
        self._out.write(break_commands(line.replace("\n", " ")) + "\n")


def having(styled: str, text: str) -> str:
    """A text in the role of a line that has one; a plain one imports nothing."""
    made: str = getattr(styled, "having", str)(text)
    return made


def write_line(text: str, stream: TextIO, *, is_error: bool = False) -> None:
    """Write lines in their role, which a terminal gets wrapped between words unless they are a command.

    The label of an error, its first word, has the color of a failure.
    """
    from harness.report.screen import Role, Screen, wants_colour  # late: `--version` does not need it

    screen = Screen(stream, colour=wants_colour(stream, os.environ))
    if is_error and text.startswith(_OWN):
        text = screen.paint(Role.FAILED, _OWN) + text.removeprefix(_OWN)
    for line in text.split("\n"):
        screen.line(having(text, line))


_HELP = re.compile(
    r"^(?P<heading>\S[^\n:]*:)(?= |$)|^ +(?P<command>harness .*)|"
    r"(?P<id>(?<![\w-])--?[a-z][\w-]*|(?<=^  )[a-z]+(?=  ))",
    re.MULTILINE,
)
"""What is painted in a help text, by role: titles, examples, flags and commands."""


def paint_help(text: str) -> str:
    """A help text in which headings, examples and flags have the colors of their roles, where these are wanted."""
    from harness.report.screen import Role, Screen, wants_colour

    screen = Screen(sys.stdout, colour=wants_colour(sys.stdout, os.environ))
    return _HELP.sub(lambda found: screen.paint(Role(found.lastgroup or "plain"), found[0]), text)


@contextmanager
def guarded_output() -> Iterator[None]:
    """Guard standard output and standard error of this process while the block runs."""
    old = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (cast("TextIO", GuardedStream(stream)) for stream in old)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = old


INTERRUPT = signal.SIGINT
ENDING = (signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))
"""The signals that service managers and closing terminals send."""

_HAS_THREAD_KILL = hasattr(signal, "pthread_kill")


@contextmanager
def handle_signals(act: Callable[[int], object], *numbers: int) -> Iterator[None]:
    """Call `act` with each of these signals that arrives before the block ends.

    An ignored SIGHUP stays ignored: that is what `nohup` is for.
    """
    before = {}

    def handle_signal(number: int, frame: FrameType | None) -> None:
        act(number)

    for number in numbers:
        if number in ENDING[1:] and signal.getsignal(number) is signal.SIG_IGN:
            continue
        before[number] = signal.signal(number, handle_signal)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def ending_as_interrupted() -> Iterator[None]:
    """Unwind the block as for Ctrl-C if a signal stops an unattended run, so that nothing it started is left."""

    def interrupt(number: int) -> None:
        raise KeyboardInterrupt

    with handle_signals(interrupt, *ENDING), _repeating_lost_interrupts():
        yield


@contextmanager
def _repeating_lost_interrupts() -> Iterator[None]:
    """Interrupt once more if Python drops an interrupt, as where it comes while garbage is collected."""
    before = sys.unraisablehook

    def hear(lost: sys.UnraisableHookArgs) -> None:
        if not issubclass(lost.exc_type, KeyboardInterrupt):
            before(lost)
            return
        from threading import Timer, main_thread

        # Not from here: where the first one was lost, a second one would be, too. A real one, to end a wait.
        send = partial(signal.pthread_kill, main_thread().ident or 0) if _HAS_THREAD_KILL else interrupt_main
        again = Timer(0.05, send, (signal.SIGTERM,))
        again.daemon = True
        again.start()

    sys.unraisablehook = hear
    try:
        yield
    finally:
        sys.unraisablehook = before


def say(*texts: str, to_errors: bool = False, hide: Callable[[str], str] = hide_own) -> None:
    """Print lines, each in its role if it has one, or to standard error if the output is machine-readable.

    A terminal gets them wrapped between words, unless their role is that of a command, which is copied. Control
    characters are escaped, and keys of the environment hidden: a file or a server may be named like one.
    """
    for text in texts:
        shown = having(text, escape_controls(hide(text)))
        write_line(shown, sys.stderr if to_errors else sys.stdout)


def page(*lines: str) -> None:
    """Print lines to be read: on a terminal that has no room for them through the user's pager, as `git` does."""
    from harness.report.screen import Screen, wants_colour

    screen, variables = Screen(sys.stdout, colour=wants_colour(sys.stdout, os.environ)), os.environ
    rows = [row for line in lines for row in screen.rows(having(line, escape_controls(hide_own(line))))]
    program = shlex.split(variables.get("PAGER", "less"))
    direct = variables.get("NO_PAGER") or variables.get("CI") or program in ([], ["cat"]) or not screen.draws
    if not direct and len(rows) >= get_terminal_size().lines:
        with suppress(OSError), handle_signals(lambda _: None, INTERRUPT):  # Ctrl-C is for the pager
            from harness.child_processes import PIPE, start  # late: few commands fill a screen

            pager = start(program, {"LESS": "FRX", **variables}, stdin=PIPE)
            pager.communicate("\n".join((*rows, "")).encode())
            return
    say(*lines)


def say_masked(text: str, *, to_errors: bool = False) -> None:
    """Print one line that may quote a target or a client; the keys of the environment are hidden, too."""
    say(text, to_errors=to_errors, hide=mask_text)


def say_places(found: Iterable[tuple[str, str, str]]) -> None:
    """Print files, places and excerpts; a header that is in each entry of a cassette has one line."""
    alike: dict[tuple[str, str, str], list[str]] = {}
    for file, text, shown in found:
        alike.setdefault((file, re.sub(r"\d+", "", text), shown), []).append(f"{file}: {text} {shown}".rstrip())
    for first, *others in alike.values():
        say_masked(first + (f" (and {len(others)} more like it; --json lists them)" if others else ""))


@contextmanager
def telling(what: str) -> Iterator[None]:
    """While it lasts, say on standard error what is done, and since when: nothing else is printed meanwhile."""
    from harness.report.screen import Heartbeat, Screen

    screen, lock = Screen(sys.stderr, status=escape_controls(hide_own(what))), threading.Lock()

    def beat() -> None:
        with lock:
            screen.break_silence()

    heartbeat = Heartbeat(beat)
    try:
        yield
    finally:
        heartbeat.stop()
        with lock:
            screen.clear()


def make_once_sayer(begin: str) -> Callable[[str], None]:
    """Return a function that prints each text once on standard error, after this: a dead target is asked often."""
    said: set[str] = set()

    def say_once(text: str) -> None:
        if text not in said and len(said) < 100:
            said.add(text)
            say_masked(f"{begin}{text}", to_errors=True)

    return say_once


def print_fault(fault: HarnessFault) -> None:
    """Print a fault of our own server when it happens: its client sees only a 500, or a connection that breaks."""
    say_masked(f"error: {fault}", to_errors=True)


def write_json(value: Any) -> None:
    """Print machine-readable output."""
    sys.stdout.write(dump(value))


STEP_SUMMARY = "GITHUB_STEP_SUMMARY"
"""The variable of the file that GitHub Actions shows as the summary of a job."""

MISSING = "check the spelling, or record it with `harness record`"
"""What to do about a recording that is not there."""


class FormatEntry(Struct, frozen=True):
    """A format: the module whose `render` writes it, and the suffixes of its files, the usual one first."""

    module: str
    suffixes: tuple[str, ...]


FORMATS: Mapping[str, FormatEntry] = {
    "json": FormatEntry("json_report", (".json",)),
    "junit": FormatEntry("junit", (".xml",)),
    "markdown": FormatEntry("markdown", (".md",)),
    "html": FormatEntry("html_report", (".html", ".htm")),
    "badge": FormatEntry("badge", (".json",)),
}


def render(name: str, state: PresentedRun) -> str:
    """Render a finished run in the named format, which must be one of FORMATS."""
    text: str = import_module(f"harness.report.{FORMATS[name].module}").render(state)
    return text


class ReportFiles:
    """The report files of the `FORMAT=PATH` arguments, which are checked before the run.

    A report of an earlier run stays until the new one takes its place. The job summary of GitHub Actions is
    appended to, because it holds the output of other steps.
    """

    def __init__(self, words: Iterable[str] | None, formats: Collection[str] = FORMATS) -> None:
        self._files = read_report_words(words, formats)

    def write(self, render: Callable[[str], str], *, interim: bool = False) -> list[str]:
        """Write every report of a run that is over, or may be killed; `render` returns the text for a format.

        Returns the reports that could not be written: a command that lacks one does not exit with 0.
        """
        missing = []
        for name, path in self._files:
            is_summary = str(path) == os.environ.get(STEP_SUMMARY, "")
            if interim and is_summary:
                continue
            text = render(name)
            try:
                (append_file if is_summary else write_file)(path, text)
            except OSError as wrong:
                if interim:  # the end of the run reports it once
                    continue
                old = "; the file there is of an earlier run" if path.is_file() else ""
                missing.append(f"the {name} report is missing")
                why = f"{str(path)!r} cannot be written: {wrong.strerror}{old}"
                say(f"harness: {missing[-1]}: {why}", to_errors=True)
        return missing


def read_report_words(words: Iterable[str] | None, formats: Collection[str] = FORMATS) -> list[tuple[str, Path]]:
    """Format and file of each `FORMAT=PATH`. Raises UsageFault if it cannot be written; touches nothing."""
    files: list[tuple[str, Path]] = []
    taken: dict[str, str] = {}
    for word in words or ():
        name, _, text = word.partition("=")
        if name not in formats:
            raise UsageFault(f"--report: unknown format {name!r}{did_you_mean(name, formats)} (write FORMAT=PATH)")
        if not text:
            raise UsageFault(f"--report {word!r} has no path: write {name}=PATH")
        path, own = Path(text), FORMATS[name].suffixes
        require_writable(path, "--report")
        if path.suffix.lower() in _OTHERS.difference(own):  # programs that open it expect that format
            what = "JSON for an endpoint badge of shields.io" if name == "badge" else name
            right = path.with_suffix(own[0])
            raise UsageFault(
                f"--report: {name} writes {what}, but {str(path)!r} has another suffix: write {name}={right}"
            )
        if (other := taken.setdefault(os.path.realpath(path), name)) != name:
            raise UsageFault(f"--report: {other} and {name} both name {str(path)!r}: give each its own file")
        files.append((name, path))
    return files


_OTHERS = {".svg", ".png", ".pdf"}.union(*(entry.suffixes for entry in FORMATS.values()))
"""Suffixes that say what is in a file; with any other, a file may hold any format."""


def require_writable(path: Path, option: str) -> None:
    """Raise UsageFault if a file that an option names cannot be written; touches nothing."""
    if not path.parent.is_dir():
        folder = str(path.parent)
        raise UsageFault(
            f"{option}: there is no folder {folder!r} to write {path.name!r} to: create it, or name another one"
        )
    if path.is_dir():
        raise UsageFault(f"{option}: {str(path)!r} is a folder: name a file in it")
    try:
        path.stat()
    except FileNotFoundError:
        pass
    except OSError as wrong:  # such as a link to itself
        raise UsageFault(f"{option}: {str(path)!r} cannot be written: {wrong.strerror}") from None
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise UsageFault(f"{option}: {str(path)!r} cannot be written: no permission")
