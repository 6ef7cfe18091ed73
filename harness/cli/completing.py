"""What may stand where the cursor is: commands, options, and the values that an option or an argument takes.

Layer 7. The parsers of the commands say all but the names of checks and the like. Must not know any shell.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import NamedTuple, cast

from harness.cli.arguments import parser_of
from harness.cli.main import COMMANDS, Command
from harness.interactions import INTERACTIONS


class Candidate(NamedTuple):
    """A word that fits, and what it means."""

    word: str
    about: str = ""


def complete(words: Sequence[str], current: str) -> list[Candidate]:
    """The candidates for `current`, after the `words` behind `harness`; empty where a file may stand."""
    if not words:
        known = [Candidate(name, entry.help) for name, entry in COMMANDS.items()]
        known += [Candidate("--help", "list the commands"), Candidate("--version", "print the version")]
    elif words[0] == "help":
        known = [Candidate(name, entry.help) for name, entry in COMMANDS.items()]
    elif words[0] in COMMANDS and "--" not in words:
        known = list(_list_known(words[0], words[1:], current))
    else:
        known = []  # the command line of a client, or of nothing that we know
    return [candidate for candidate in known if candidate.word.startswith(current)]


def _list_known(command: str, words: Sequence[str], current: str) -> Iterator[Candidate]:
    module = cast("Command", import_module(COMMANDS[command].module))
    actions = parser_of(module.run)._actions
    options = {word: action for action in actions for word in action.option_strings}
    before = words[-1] if words else ""
    if before in options and options[before].nargs != 0:
        yield from _list_values(command, options[before])
    elif current.startswith("-"):
        for action in actions:
            if action.help is not argparse.SUPPRESS:
                yield from (Candidate(word, _first_words(action)) for word in reversed(action.option_strings))
    elif before != "=":  # bash gives `html=page.html` as three words, of which the last is a file
        for action in actions:
            if not action.option_strings:
                yield from _list_values(command, action)


def _first_words(action: argparse.Action) -> str:
    return " ".join((action.help or "").split()).partition(";")[0] % {"default": action.default}


def _list_values(command: str, action: argparse.Action) -> Iterator[Candidate]:
    if action.choices is not None:
        yield from (Candidate(str(choice)) for choice in action.choices)
        return
    about = f"{command} {action.dest}"
    listing = _LISTS.get(about) or _LISTS.get(action.dest)
    if listing is not None:
        yield from listing()


def _list_checks() -> Iterator[Candidate]:
    from harness.cli.catalogue import load_every_check

    return (Candidate(check.id, check.title) for check in load_every_check())


def _list_mutants() -> Iterator[Candidate]:
    return (Candidate(name, mutant.summary) for name, mutant in INTERACTIONS.load_mutants().items())


def _list_incidents() -> Iterator[Candidate]:
    from harness.incidents import load_incidents

    return (Candidate(name, incident.title) for name, incident in load_incidents().items())


def _list_clients() -> Iterator[Candidate]:
    from harness.benches.client.ready.ready_clients import READY

    return (Candidate(client.name, client.about) for client in READY)


def _list_formats() -> Iterator[Candidate]:
    from harness.report.formats import FORMATS

    return (Candidate(f"{name}=") for name in FORMATS)


def _list_revisions() -> Iterator[Candidate]:
    from harness.contract import REVISIONS

    return (Candidate(name) for name in REVISIONS)


def _list_profiles() -> Iterator[Candidate]:
    return (Candidate(name) for name in INTERACTIONS.load_profiles())


def _list_capabilities() -> Iterator[Candidate]:
    return (Candidate(name, about) for name, about in INTERACTIONS.load_capabilities().items())


def _name_emulator() -> Iterator[Candidate]:
    yield Candidate("emulator", "the reference emulator, in this process")


_LISTS: Mapping[str, Callable[[], Iterator[Candidate]]] = {
    "check": _list_checks,
    "exclude": _list_checks,
    "only": _list_checks,
    "explain ids": _list_checks,
    "list globs": _list_checks,
    "mutants globs": _list_mutants,
    "mutant": _list_mutants,
    "incident": _list_incidents,
    "incidents names": _list_incidents,
    "client": _list_clients,
    "clients names": _list_clients,
    "report": _list_formats,
    "revision": _list_revisions,
    "profile": _list_profiles,
    "capability": _list_capabilities,
    **{f"{command} target": _name_emulator for command in ("check", "fuzz", "smoke")},
}
"""The names that an option or an argument takes, by its name, after that of the command where others differ."""
