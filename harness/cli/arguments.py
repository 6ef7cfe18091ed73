"""Argument parsing for all commands: an argparse parser that reports mistakes as usage faults with suggestions.

Layer 7.
"""

from __future__ import annotations

import argparse
import re
import shutil
import textwrap
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NoReturn

from harness.outcome import HarnessFault, Level, UsageFault
from harness.outcome.suggest import did_you_mean
from harness.wire.message import is_sendable

if TYPE_CHECKING:
    from harness.contract import Contract

_UNKNOWN = re.compile(r"unrecognized arguments: (.*)", re.DOTALL)
_WIDEST_HELP = 118
"""Longer lines are hard to read, however wide a terminal is."""

_TAKES_A_SIGN = ("--capability",)


_only_parsers: ContextVar[bool] = ContextVar("only_parsers", default=False)


class _ParserBuilt(BaseException):
    """The parser of a command, in place of its run. No fault: it must pass whatever a command catches."""

    def __init__(self, parser: Parser) -> None:
        super().__init__(parser)
        self.parser = parser


def parser_of(run: Callable[[Sequence[str]], int]) -> Parser:
    """The parser of a command, given its `run`; nothing is parsed, and nothing runs."""
    token = _only_parsers.set(True)
    try:
        run([])
    except _ParserBuilt as built:
        return built.parser
    finally:
        _only_parsers.reset(token)
    raise HarnessFault(f"{run.__module__} runs without a parser")


class Parser(argparse.ArgumentParser):
    """Raises UsageFault instead of exiting. Flags cannot be abbreviated; `-x` in `--capability -x` is a value."""

    def __init__(self, command: str, description: str, **options: Any) -> None:
        self._folded: Sequence[str] = ()
        super().__init__(
            prog=f"harness {command}",
            description=description,
            allow_abbrev=False,
            formatter_class=self._make_formatter,
            **options,
        )

    def fold(self, names: Sequence[str]) -> None:
        """Let `--help` only name these options, so that it fits a screen; `--help-all` explains all."""
        flags = {action.dest: action.option_strings[-1] for action in self._actions if action.option_strings}
        about = "explain every option, and exit"
        self.add_argument("--help-all", nargs=0, action=_HelpOnAll, default=argparse.SUPPRESS, help=about)
        title = f"further options, which `{self.prog} --help-all` explains"
        self._further = self.add_argument_group(title, ", ".join(flags[name] for name in names))
        self._folded = (*names, "help", "help_all")

    def unfold(self) -> None:
        """Let the help explain every option."""
        self._folded, self._further.description = (), None

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """Parse the words after the command's name."""
        if _only_parsers.get():
            raise _ParserBuilt(self)
        return self.parse_args(_join_signed(words))

    def refuse(self, arguments: argparse.Namespace, names: Sequence[str], why: str) -> None:
        """Raise UsageFault for the first of these options that was given, because it would be ignored."""
        flags = {action.dest: action.option_strings[-1] for action in self._actions if action.option_strings}
        for name in names:
            if getattr(arguments, name) != self.get_default(name):
                raise UsageFault(f"{flags[name]} {why}")

    def error(self, message: str) -> NoReturn:
        unknown = _UNKNOWN.search(message)
        if unknown is None:
            raise UsageFault(f"{message} (see `{self.prog} --help`)")
        word = unknown[1].split()[0]
        flag = word.partition("=")[0]
        if not flag.startswith("-"):
            raise UsageFault(f"there is one argument too many, {word!r}{self._advise(word)}")
        known = [option for option in self._option_string_actions if option.startswith("--")]
        hint = did_you_mean(flag, known, otherwise=f" (see `{self.prog} --help`)")
        raise UsageFault(f"unknown flag {flag!r}{hint}")

    def _make_formatter(self, prog: str) -> _HelpFormatter:
        return _HelpFormatter(prog, self._folded)

    def _advise(self, word: str) -> str:
        """What to do about an argument too many: it may be a server, or a command whose `--` was forgotten."""
        if "://" in word and "--target" in self._option_string_actions:
            return f": write --target {word}"
        dashes = ": write `--` before a command to run" if "-- CMD" in (self.usage or "") else ""
        return f"{dashes} (see `{self.prog} --help`)"


class _HelpOnAll(argparse.Action):
    """Prints the help with what was folded away."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        assert isinstance(parser, Parser)
        parser.unfold()
        parser.print_help()
        parser.exit()


class _HelpFormatter(argparse.HelpFormatter):
    """Fills prose to the width of the terminal, but a paragraph with an indented line is kept as it is.

    Leaves the folded options out.
    """

    def __init__(self, prog: str, folded: Sequence[str]) -> None:
        super().__init__(prog, width=min(shutil.get_terminal_size().columns - 2, _WIDEST_HELP))
        self._folded = folded

    def add_argument(self, action: argparse.Action) -> None:
        if action.dest not in self._folded:
            super().add_argument(action)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        paragraphs = [part.strip("\n") for part in text.split("\n\n")]
        return "\n\n".join(
            part
            if "\n " in part or part.startswith(" ")
            else "\n".join(indent + line for line in self._split_lines(part, width - len(indent)))
            for part in paragraphs
        )

    def _split_lines(self, text: str, width: int) -> list[str]:
        """As inherited, but `--event-ids` is one word."""
        return textwrap.wrap(" ".join(text.split()), width, break_on_hyphens=False)


def _join_signed(words: Sequence[str]) -> list[str]:
    """Join `--capability -x` into one word: argparse would take `-x` for a flag."""
    joined: list[str] = []
    for word in words:
        if joined and joined[-1] in _TAKES_A_SIGN and word.startswith("-"):
            joined[-1] = f"{joined[-1]}={word}"
        else:
            joined.append(word)
    return joined


def positive_seconds(text: str) -> float:
    """A number of seconds above zero."""
    value = _number(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} must be a positive number of seconds")
    return value


def positive_number(text: str) -> float:
    """A number above zero."""
    value = _number(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} must be a number above 0")
    return value


def some_seconds(text: str) -> float:
    """A number of seconds, zero allowed."""
    value = _number(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} must be a number of seconds, 0 or more")
    return value


def count(text: str) -> int:
    """A whole number from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number, 1 or more")
    return int(text)


def header(text: str) -> tuple[str, str]:
    """`Name: value`."""
    name, colon, value = text.partition(":")
    if not colon or not is_sendable(name.strip(), value):
        # The intended value may be a key, so the message does not repeat it.
        what = f"what stands for {name.strip()!r}" if colon else "this"
        raise argparse.ArgumentTypeError(f"{what} is no header: write it as 'Name: value'")
    return name.strip(), value.strip()


def add_header_argument(group: argparse._ArgumentGroup) -> None:
    """Add the option for headers of the user's own."""
    group.add_argument(
        "-H",
        "--header",
        action="append",
        type=header,
        metavar="'N: V'",
        help="header to send with every request (repeatable)",
    )


def add_plain_http_argument(group: argparse._ArgumentGroup) -> None:
    """Add the option that lets a key cross the network in plain text."""
    group.add_argument(
        "--plain-http", action="store_true", help="send the key over plain HTTP to another machine, too"
    )


def add_revision_argument(parser: argparse._ActionsContainer) -> None:
    """Add the option for the revision of the API; `contract_of` reads it."""
    from harness.contract import CURRENT, REVISIONS

    known = ", ".join(REVISIONS)
    parser.add_argument(
        "--revision",
        metavar="DATE",
        help=f"revision of the API, or the folder of one (default: {CURRENT}; known: {known})",
    )


def revision_of(arguments: argparse.Namespace) -> str:
    """The revision that was named, or the current one; for a folder its path. Raises UsageFault."""
    from harness.contract import CURRENT
    from harness.contract.revision_names import find_revision

    return find_revision(arguments.revision or CURRENT, "--revision")


def contract_of(arguments: argparse.Namespace) -> Contract:
    """The contract of the revision that was named. Raises UsageFault for an unknown one."""
    from harness.contract import load

    return load(revision_of(arguments))


def level_named(text: str | None) -> Level:
    """The weakest level to include; without `text`, every level is included. Raises UsageFault."""
    levels = {level.lower(): level for level in Level}
    word = (text or "may").lower()
    if word not in levels:
        raise UsageFault(f"unknown level {text!r}{did_you_mean(word, levels)}")
    return levels[word]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
