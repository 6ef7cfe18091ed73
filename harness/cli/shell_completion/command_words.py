"""What a command takes: its options with their values, and what its arguments may be, read from its parser.

Layer 7. Imports the command and, for names of checks and the like, what they are defined in: that takes seconds.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import cast

from harness.cli.arguments import parser_of
from harness.cli.main import COMMANDS, Command
from harness.cli.shell_completion.completing import Candidate, CommandWords, OptionWords
from harness.interactions import INTERACTIONS


def describe_command(name: str) -> CommandWords:
    """The words of one command."""
    actions = parser_of(cast("Command", import_module(COMMANDS[name].module)).run)._actions
    options = {
        word: OptionWords(
            about="" if action.help is argparse.SUPPRESS else _take_first_words(action),
            shown=action.help is not argparse.SUPPRESS,
            takes=action.nargs != 0,
            values=_list_values(name, action),
        )
        for action in actions
        for word in reversed(action.option_strings)
    }
    arguments = [value for action in actions if not action.option_strings for value in _list_values(name, action)]
    return CommandWords(options, arguments)


def _take_first_words(action: argparse.Action) -> str:
    return " ".join((action.help or "").split()).partition(";")[0] % {"default": action.default}


def _list_values(command: str, action: argparse.Action) -> list[Candidate]:
    if action.choices is not None:
        return [Candidate(str(choice)) for choice in action.choices]
    listing = _LISTS.get(f"{command} {action.dest}") or _LISTS.get(action.dest)
    return [] if listing is None else list(listing())


def _list_checks() -> Iterator[Candidate]:
    from harness.cli.rules.every_check import load_every_check

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
