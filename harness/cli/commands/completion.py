"""`harness completion SHELL`: the completion of commands, options and names for a shell.

Layer 8.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from harness import __version__
from harness.cli.main import COMMANDS
from harness.cli.options import Options, Page, argument

if TYPE_CHECKING:
    from harness.cli.options import Option
    from harness.kit.api import Api


# What may stand where the cursor is: commands, options, and the values that an option or an argument takes.


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


_PACKAGE = Path(__file__).parents[1]


def read_command(name: str) -> CommandWords:
    """The words of a command; the first time they are found out, and kept."""
    stamp, file = _stamp(), _find_folder() / f"{name}.json"
    with contextlib.suppress(OSError, ValueError, TypeError):  # it is missing, or not ours
        kept_stamp, words = json.loads(file.read_text("utf-8"))
        if kept_stamp == stamp:
            return _from_json(*words)
    found = describe_command(name)
    with contextlib.suppress(OSError):
        from harness.written_files import write_file

        write_file(file, json.dumps((stamp, found), ensure_ascii=False))
    return found


def _find_folder() -> Path:
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))  # as `resources.cache_folder`, which takes time to import
    return (named if named.is_absolute() else Path.home() / ".cache") / "harness" / "completion"


def _stamp() -> str:
    """A value that changes whenever the code does: the version, and the time of the last change of a file."""
    return f"{__version__} {_PACKAGE} {max(_list_times(str(_PACKAGE)))}"


def _list_times(folder: str) -> Iterator[int]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name == "__pycache__":
                continue
            if entry.is_dir():
                yield from _list_times(entry.path)
            else:
                yield entry.stat().st_mtime_ns


_Pairs: TypeAlias = list[tuple[str, str]]


def _from_json(options: dict[str, tuple[str, bool, bool, _Pairs]], arguments: _Pairs) -> CommandWords:
    return CommandWords(
        {
            word: OptionWords(about, shown, takes, [Candidate(*value) for value in values])
            for word, (about, shown, takes, values) in options.items()
        },
        [Candidate(*value) for value in arguments],
    )


def describe_command(name: str) -> CommandWords:
    """The words of one command."""
    from harness.cli.arguments import load_options
    from harness.cli.options import FLAG, TALLY

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
    from harness.cli.rules import list_every_check

    return (Candidate(check.id, check.title) for check in list_every_check())


def _list_mutants() -> Iterator[Candidate]:
    return (Candidate(name, mutant.summary) for name, mutant in _api().load_mutants().items())


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
    return (Candidate(name) for name in _api().load_profiles())


def _list_capabilities() -> Iterator[Candidate]:
    return (Candidate(name, about) for name, about in _api().load_capabilities().items())


def _name_emulator() -> Iterator[Candidate]:
    yield Candidate("emulator", "the built-in emulator, in this process")


def _api() -> Api:
    from harness.interactions import INTERACTIONS

    return INTERACTIONS


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


@dataclass(kw_only=True)
class CompletionArguments(Options):
    """The options of `harness completion`."""

    shell: str = argument("shell that reads the script", choices=("bash", "zsh", "fish"))

    page = Page(
        "completion",
        ('eval "$(harness completion bash)"', "harness completion fish | source"),
        notes="""\
Add the line of your shell to its start-up file:

  ~/.bashrc                    eval "$(harness completion bash)"
  ~/.zshrc, after compinit     eval "$(harness completion zsh)"
  ~/.config/fish/config.fish   harness completion fish | source

The script also completes the names of checks, mutants and incidents.""",
    )


OPTIONS = CompletionArguments


def run(words: Sequence[str]) -> int:
    """Run the command."""
    if words[1:2] == [_REPLY]:
        return _reply(words[0], words[2:])
    from harness.cli.arguments import read_options

    options = read_options(CompletionArguments, words)
    print(_SCRIPTS[options.shell].replace("ASK", _REPLY).strip())
    return 0


def _reply(shell: str, words: Sequence[str]) -> int:
    """Print what may stand in place of the last word; bash shows no descriptions."""
    *before, current = words or [""]
    for word, about in complete(before, current, read_command):
        print(word if shell == "bash" or not about else f"{word}\t{about}")
    return 0


_REPLY = "--reply"
"""How the scripts below ask. It comes before any parser, because a `--` of the user's may follow."""

# A shell asks before the user presses Enter, and fish while they type. So `./harness`, which a folder may have
# brought, is not started: the one on PATH answers for it.
_BASH = r"""
_harness() {
  local IFS=$'\n' word program=${COMP_WORDS[0]##*/}
  COMPREPLY=($("$program" completion bash ASK "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
  for word in "${COMPREPLY[@]}"; do
    if [[ $word == *= ]]; then compopt -o nospace; fi
  done
}
complete -o default -F _harness harness interactions-harness
"""
# bash splits words at `=`, so that `--flag=value` comes as three; zsh and fish give words as they stand.

_ZSH = r"""
_harness() {
  local -a lines described
  local program=${words[1]:t}
  lines=(${(f)"$("$program" completion zsh ASK "${(@)words[2,CURRENT]}" 2>/dev/null)"})
  if (( ! $#lines )); then
    _files
    return
  fi
  described=("${(@)lines//:/\\:}")
  described=("${(@)described/$'\t'/:}")
  _describe harness described -S ''
}
compdef _harness harness interactions-harness
"""

_FISH = r"""
function __harness_complete
    set -l before (commandline -opc)
    set -l program (string replace -r '^.*/' '' -- $before[1])
    set -l found ($program completion fish ASK $before[2..-1] (commandline -ct) 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c harness -f -a '(__harness_complete)'
complete -c interactions-harness -f -a '(__harness_complete)'
"""

_SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
