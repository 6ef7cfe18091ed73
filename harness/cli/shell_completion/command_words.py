"""What a command takes: its options with their values, and what its arguments may be, read from its declaration.

Layer 7. Imports the command and, for names of checks and the like, what they are defined in: that takes seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from harness.cli.arguments import load_options
from harness.cli.options import FLAG, TALLY, Option
from harness.cli.shell_completion.completing import Candidate, CommandWords, OptionWords
from harness.interactions import INTERACTIONS


def describe_command(name: str) -> CommandWords:
    """The words of one command."""
    declared = load_options(name)
    items = declared.list_options().values()
    options = {
        word: OptionWords(item.about.partition(";")[0], True, item.kind not in (FLAG, TALLY), _list_values(item))
        for item in items
        for word in reversed(item.list_flags())
    }
    options["--help"] = OptionWords("show the options", True, False, [])
    if declared.page.folded:
        options["--help-all"] = OptionWords("explain every option", True, False, [])
    arguments = [value for item in items if not item.list_flags() for value in _list_values(item)]
    return CommandWords(options, arguments)


def _list_values(item: Option) -> list[Candidate]:
    if item.choices:
        return [Candidate(choice) for choice in item.choices]
    return list(_LISTS[item.completes]()) if item.completes else []


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
    "mutant": _list_mutants,
    "incident": _list_incidents,
    "client": _list_clients,
    "report": _list_formats,
    "revision": _list_revisions,
    "profile": _list_profiles,
    "capability": _list_capabilities,
    "target": _name_emulator,
}
"""The names that an option or an argument may take, by its word for completion."""
