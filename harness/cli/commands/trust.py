"""`harness trust [PATH…]`: the user's word for a file of a folder, which then decides what needs that word.

Layer 8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.cli.arguments import load_options, read_options, read_settings
from harness.cli.folder_trust import (
    FILE,
    FolderFile,
    change_trusted,
    find_damage,
    find_file,
    read_folder_file,
    read_trusted,
    require_own_store,
)
from harness.cli.main import COMMANDS
from harness.cli.options import PATH, Options, Page, Trust, argument, flag
from harness.cli.output import say
from harness.foreign_folders import identify
from harness.outcome import Exit, UsageFault


@dataclass(kw_only=True)
class TrustArguments(Options):
    """The options of `harness trust`."""

    paths: Sequence[str] = argument(
        f"a {FILE}, or a folder that has one, instead of the nearest file",
        PATH, nargs="*", default=(), metavar="PATH", trust=Trust.CALL,
    )  # fmt: skip
    list: bool = flag("list the trusted files", trust=Trust.CALL)
    remove: bool = flag("no longer trust these files", trust=Trust.CALL)

    page = Page(
        "trust",
        ("harness trust", "harness trust --list"),
        notes=f"""\
A {FILE} of a folder may always set how results are judged. It needs your consent to choose the receiver of a
key, to read or write outside its folder, and to overwrite files other than reports. It also needs your consent to
name a client to install, and to let other machines connect. Read the file first: the command prints its settings.

Trust covers the path and the content: a changed file is not trusted. The list of trusted files is
$XDG_STATE_HOME/harness/trusted.json (~/.local/state without the variable). In CI, $HARNESS_TRUST names folders
that are trusted with any content. docs/security.md describes the whole boundary.

exit codes: 0 done · 1 --list: a trusted file has changed or is gone · 2 usage""",
    )


OPTIONS = TrustArguments


def run(words: Sequence[str]) -> int:
    """Run the command."""
    options = read_options(TrustArguments, words)
    require_own_store()
    if options.list:
        options.refuse(("remove",), "and --list are two commands: give one of them")
        if options.paths:
            raise UsageFault(f"--list shows all trusted files: write it without {options.paths[0]!r}")
        return _list()
    if options.remove:
        return _remove([_name_file(Path(path)) for path in options.paths] or [_find_nearest().path])
    files = [read_folder_file(_name_file(Path(path))) for path in options.paths] or [_find_nearest()]
    if damage := find_damage():
        say(f"note: {damage}; it is replaced", to_errors=True)
    for file in files:
        settings = _list_settings(file)
        change_trusted(add=[file])
        say(f"trusted: {identify(file.path)}")
        for line in settings or ["the file has no [tool.harness], so it sets nothing"]:
            say(f"  {line}")
    return Exit.OK


def _list() -> Exit:
    stale = 0
    if damage := find_damage():
        raise UsageFault(f"{damage}: `harness trust PATH` replaces it")
    trusted = read_trusted()
    if not trusted:
        say("no file is trusted: `harness trust` trusts the nearest pyproject.toml")
    for path, digest in trusted.items():
        try:
            state = "" if read_folder_file(Path(path)).digest == digest else " (changed since: not trusted)"
        except UsageFault:
            state = " (cannot be read: not trusted)"
        stale += bool(state)
        say(f"{path}{state}")
    if stale:
        say(
            "help: read the file, then run `harness trust PATH`, or remove it with `harness trust --remove PATH`",
            to_errors=True,
        )
    return Exit.FAILED if stale else Exit.OK


def _remove(paths: Sequence[Path]) -> Exit:
    known = read_trusted()
    for path in paths:
        if identify(path) not in known:
            raise UsageFault(f"{path} is not trusted: `harness trust --list` shows the files that are")
    change_trusted(remove=paths)
    for path in paths:
        say(f"no longer trusted: {identify(path)}")
    return Exit.OK


def _name_file(path: Path) -> Path:
    return path / FILE if path.is_dir() else path


def _find_nearest() -> FolderFile:
    file = find_file()
    if file is None:
        raise UsageFault(f"there is no {FILE} in this folder or its parents: name one, `harness trust PATH`")
    return file


def _list_settings(file: FolderFile) -> list[str]:
    """Each setting of the file as `key = value`. Raises UsageFault for a file that no command would take."""
    lines: dict[str, None] = {}
    for name, entry in COMMANDS.items():
        if entry.table is not None:
            cls = load_options(name)
            declared = cls.list_options()
            for option, (value, place) in read_settings(cls, file).items():
                key = place.partition(": ")[2]
                lines[f"{key} = {'…' if declared[option].key == 'header' else value!r}"] = None
    return list(lines)
