"""What may stand where the cursor is: commands, options, and the values that an option or an argument takes.

Layer 7. A shell asks at each press of TAB, so this imports next to nothing. Must not know any shell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from harness.cli.main import COMMANDS


class Candidate(NamedTuple):
    """A word that fits, and what it means."""

    word: str
    about: str = ""


class OptionWords(NamedTuple):
    """An option: what it is for, whether it is offered, whether it takes a value, and which; none: a file."""

    about: str
    shown: bool
    takes: bool
    values: list[Candidate]


class CommandWords(NamedTuple):
    """The options of a command, and what its arguments may be; none: files."""

    options: dict[str, OptionWords]
    arguments: list[Candidate]


def complete(
    words: Sequence[str], current: str, describe_command: Callable[[str], CommandWords]
) -> list[Candidate]:
    """The candidates for `current`, after the `words` behind `harness`; empty where a file may stand."""
    if not words:
        known = [Candidate(name, entry.help) for name, entry in COMMANDS.items()]
        known += [Candidate("--help", "list the commands"), Candidate("--version", "print the version")]
    elif words[0] == "help":
        known = [Candidate(name, entry.help) for name, entry in COMMANDS.items()]
    elif words[0] in COMMANDS and "--" not in words:
        known = list(_list_known(describe_command(words[0]), words[-1] if words[1:] else "", current))
    else:
        known = []  # the command line of a client, or of nothing that we know
    return [candidate for candidate in known if candidate.word.startswith(current)]


def _list_known(command: CommandWords, before: str, current: str) -> Iterator[Candidate]:
    option = command.options.get(before)
    if option is not None and option.takes:
        yield from option.values
    elif current.startswith("-"):
        yield from (Candidate(word, option.about) for word, option in command.options.items() if option.shown)
    elif before != "=":  # bash gives `html=page.html` as three words, of which the last is a file
        yield from command.arguments
