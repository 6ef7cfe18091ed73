"""`harness completion SHELL`: the completion of commands, options and names for a shell, written by `shtab`."""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from harness.cli.arguments import load_options, read_options
from harness.cli.main import COMMANDS
from harness.cli.options import FLAG, FOLDER, TALLY, Options, Page, argument
from harness.outcome import UsageFault


@dataclass(kw_only=True)
class CompletionArguments(Options):
    """The options of `harness completion`."""

    shell: str = argument("shell that reads the script", choices=("bash", "zsh", "fish"))

    page = Page(
        "completion",
        (
            "harness completion bash > ~/.local/share/bash-completion/completions/harness",
            "harness completion fish > ~/.config/fish/completions/harness.fish",
        ),
        notes="""\
For zsh, write the script as `_harness` into a folder of $fpath. Write it again after an update of harness: it has
the names of checks, mutants and incidents. It needs `pip install 'interactions-harness[completion]'`.

exit codes: 0 printed · 2 usage, or shtab is not installed""",
    )


OPTIONS = CompletionArguments


def run(words: Sequence[str]) -> int:
    """Run the command."""
    options = read_options(CompletionArguments, words)
    if importlib.util.find_spec("shtab") is None:
        raise UsageFault("shtab is not installed: pip install 'interactions-harness[completion]'")
    import shtab

    print(shtab.complete(build_tree(), options.shell).strip())
    return 0


def build_tree() -> argparse.ArgumentParser:
    """All commands as one parser, with the words that each option and argument takes."""
    import shtab

    listed = list_words()
    tree = argparse.ArgumentParser(prog="harness")
    tree.add_argument("--version", action="store_true", help="print the version")
    commands = tree.add_subparsers()
    for name, entry in COMMANDS.items():
        parser = commands.add_parser(name, help=entry.help)
        for item in load_options(name).list_options().values():
            flags = item.list_flags()
            if item.only_in_file:
                continue
            # No text of a shell may be in a help: shtab writes it into the script.
            about = item.about.partition(";")[0].replace("`", "").replace("%", "%%")
            if item.kind in (FLAG, TALLY):
                parser.add_argument(*flags, action="store_true", help=about)
                continue
            known = item.choices or [*listed.get(item.completes, ())]
            names = flags or [item.name]
            added = parser.add_argument(*names, nargs=item.nargs, help=about, choices=known or None)
            if not known:
                added.complete = shtab.DIRECTORY if item.kind is FOLDER else shtab.FILE  # type: ignore[attr-defined]
    return tree


def list_words() -> Mapping[str, Collection[str]]:
    """The names that an option or an argument may take, by its word for completion."""
    from harness.benches.client.ready import READY
    from harness.cli.output import FORMATS
    from harness.cli.rules import load_every_check
    from harness.contract import REVISIONS
    from harness.incidents import load_incidents
    from harness.interactions.mutants import load_mutants
    from harness.interactions.servers import SERVERS

    return {
        "check": [check.id for check in load_every_check()],
        "mutant": load_mutants(),
        "incident": load_incidents(),
        "client": [client.name for client in READY],
        "report": [f"{name}=" for name in FORMATS],
        "revision": REVISIONS,
        "profile": SERVERS.load_profiles(),
        "capability": SERVERS.load_capabilities(),
        "target": ["emulator"],
    }
