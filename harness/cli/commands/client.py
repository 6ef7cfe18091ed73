"""`harness client js`: print the client of the control API for tests in JavaScript and TypeScript.

Layer 7. The modules are in `client_modules/`; docs/javascript.md teaches them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.cli.arguments import Parser
from harness.cli.output import say
from harness.outcome import UsageFault

_FOLDER = Path(__file__).parents[1] / "client_modules"
MODULE, TYPES = "harness.mjs", "harness.d.mts"


def run(words: Sequence[str]) -> int:
    """Run the command."""
    parser = Parser("client", "Print a module without dependencies that steers `harness serve` from tests.")
    parser.add_argument("language", choices=("js",), help="js: an ES module, for TypeScript, too")
    parser.add_argument("--types", action="store_true", help="print its TypeScript declarations instead")
    parser.add_argument("-o", "--output", metavar="DIR", help=f"write {MODULE} and {TYPES} into this folder")
    arguments = parser.parse(words)
    if arguments.output is None:
        say((_FOLDER / (TYPES if arguments.types else MODULE)).read_text("utf-8").rstrip("\n"))
        return 0
    parser.refuse(arguments, ("types",), "is not needed with --output, which writes both files")
    folder = Path(arguments.output)
    for name in (MODULE, TYPES):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text((_FOLDER / name).read_text("utf-8"), encoding="utf-8")
        except OSError as wrong:
            raise UsageFault(f"{folder / name} cannot be written: {wrong.strerror}") from None
        say(str(folder / name))
    return 0
