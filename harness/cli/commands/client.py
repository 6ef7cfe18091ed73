"""`harness client js`: print the client of the control API for tests in JavaScript and TypeScript.

Layer 7. The modules are in `client_modules/`; docs/javascript.md teaches them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.cli.arguments import read_options
from harness.cli.options import FOLDER, Options, Page, Trust, argument, flag, option
from harness.cli.output import say
from harness.outcome import UsageFault
from harness.written_files import write_file

_FOLDER = Path(__file__).parents[1] / "client_modules"
MODULE, TYPES = "harness.mjs", "harness.d.mts"


@dataclass(kw_only=True)
class ClientArguments(Options):
    """The options of `harness client`."""

    language: str = argument("js: an ES module, for TypeScript, too", choices=("js",))
    types: bool = flag("print its TypeScript declarations instead")
    output: str | None = option(
        f"write {MODULE} and {TYPES} into this folder", FOLDER, flags=("-o", "--output"), trust=Trust.CALL
    )

    page = Page("client", ("harness client js > harness.mjs", "harness client js --output tests/"))


OPTIONS = ClientArguments


def run(words: Sequence[str]) -> int:
    """Run the command."""
    arguments = read_options(ClientArguments, words)
    if arguments.output is None:
        say((_FOLDER / (TYPES if arguments.types else MODULE)).read_text("utf-8").rstrip("\n"))
        return 0
    arguments.refuse(("types",), "is not needed with --output, which writes both files")
    folder = Path(arguments.output)
    for name in (MODULE, TYPES):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_file(folder / name, (_FOLDER / name).read_text("utf-8"))
        except OSError as wrong:
            raise UsageFault(f"{folder / name} cannot be written: {wrong.strerror}") from None
        say(str(folder / name))
    return 0
