"""`harness completion SHELL`: the completion of commands, options and names for a shell.

Layer 8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.cli.completion_words import complete, read_command
from harness.cli.options import Options, Page, argument


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

_BASH = r"""
_harness() {
  local IFS=$'\n' word
  COMPREPLY=($("${COMP_WORDS[0]}" completion bash ASK "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
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
  lines=(${(f)"$("${words[1]}" completion zsh ASK "${(@)words[2,CURRENT]}" 2>/dev/null)"})
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
    set -l found ($before[1] completion fish ASK $before[2..-1] (commandline -ct) 2>/dev/null)
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
