"""`python -m lab NAME`: runs one of the machines. `lab/README.md` says what each is for."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

from harness.errors import HarnessFault, TargetFault, UsageFault
from harness.outcome import Exit

COMMANDS = {
    "alone": ("lab.alone", "list the checks that have another result alone than in the whole run, on mutants"),
    "clients": (
        "lab.clients.command",
        "run known clients against each fault, and write the table of the outcomes",
    ),
    "facts": ("lab.facts", "show what recordings say otherwise than the tables of models"),
    "golden": ("lab.golden.command", "record every output of the commands, to compare two states of the code"),
    "ledger": ("lab.ledger", "list the sentences of the documents, with the rules that judge each"),
    "missed": ("lab.missed", "list the generated defects that the random search finds, and no check reports"),
    "modes": ("lab.modes", "show the modes and moments in which each rule is judged"),
    "path": ("lab.path", "list the files that a failure passes, from its response to three reports"),
    "pictures": ("lab.pictures", "take the pictures of the report and of the inspector that the README shows"),
    "peers": ("lab.peers.publish", "install and judge other implementations, and write the pages about them"),
    "sentences": ("lab.sentences", "show for which mutants the first cause of a run is their defect"),
    "score": ("lab.score", "count the generated defects that the checks report"),
    "drift": ("lab.drift.command", "compare the types of an official SDK with the schemas; propose a revision"),
}
"""Each has a module with `run(words)`, which returns an exit code, and a line of help."""


def main(words: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    if not words or words[0] not in COMMANDS:
        width = max(map(len, COMMANDS))
        listed = "".join(f"  {name:<{width}}  {about}\n" for name, (_, about) in COMMANDS.items())
        wanted = bool(words) and words[0] in ("-h", "--help")
        (sys.stdout if wanted else sys.stderr).write(f"usage: python -m lab NAME …\n\n{listed}")
        return Exit.OK if wanted else Exit.USAGE
    try:
        code: int = import_module(COMMANDS[words[0]][0]).run(words[1:])
    except (UsageFault, TargetFault, HarnessFault) as fault:
        sys.stderr.write(f"lab: {fault}\n")
        return Exit.USAGE if isinstance(fault, UsageFault) else Exit.HARNESS_ERROR
    except KeyboardInterrupt:
        sys.stderr.write("lab: interrupted\n")
        return Exit.INTERRUPTED
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
