"""`harness client js`: the npm package for tests in JavaScript and TypeScript, as this installation has it.

Layer 8. The package is in `javascript/`; docs/javascript.md teaches it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.cli.arguments import read_options
from harness.cli.options import FOLDER, Options, Page, Trust, argument, flag, option
from harness.cli.output import say
from harness.outcome import UsageFault
from harness.resources import folder
from harness.written_files import make_folder, write_file

MODULE, TYPES = "index.js", "index.d.ts"


@dataclass(kw_only=True)
class ClientArguments(Options):
    """The options of `harness client`."""

    language: str = argument("js: an npm package, with types for TypeScript", choices=("js",))
    types: bool = flag("print its TypeScript declarations instead")
    output: str | None = option(
        "write the package into this folder; `npm install FOLDER` installs it",
        FOLDER,
        flags=("-o", "--output"),
        trust=Trust.CALL,
    )

    page = Page(
        "client", ("harness client js --output vendor/interactions-harness", "harness client js > harness.mjs")
    )


OPTIONS = ClientArguments


def run(words: Sequence[str]) -> int:
    """Run the command."""
    arguments = read_options(ClientArguments, words)
    package = folder("javascript")
    if arguments.output is None:
        say((package / (TYPES if arguments.types else MODULE)).read_text("utf-8").rstrip("\n"), whole=True)
        return 0
    arguments.refuse(("types",), "is not needed with --output, which writes them, too")
    target = Path(arguments.output)
    if target.is_file():
        raise UsageFault(f"--output: {arguments.output!r} is a file: name a folder, old or new")
    for source in list_files(package):
        try:
            make_folder(target)
            write_file(target / source.name, source.read_text("utf-8"))
        except OSError as wrong:
            why = f"{target / source.name} cannot be written: {wrong.strerror}"
            raise UsageFault(f"{why}: name another folder") from None
        say(str(target / source.name))
    return 0


def list_files(package: Path) -> list[Path]:
    """The files of the package, as `npm pack` takes them."""
    return sorted(
        path for path in package.iterdir() if path.suffix in (".js", ".ts") or path.name == "package.json"
    )
