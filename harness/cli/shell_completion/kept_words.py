"""What the commands take, kept between presses of TAB: finding it out takes seconds, reading it milliseconds.

Layer 7. The files are in the user's cache folder. They count only for the code that wrote them, and where they
cannot be written all is found out again.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from harness import __version__
from harness.cli.shell_completion.completing import Candidate, CommandWords, OptionWords
from harness.written_files import write_file

_PACKAGE = Path(__file__).parents[2]


def read_command(name: str) -> CommandWords:
    """The words of a command; the first time they are found out, and kept."""
    stamp, file = _stamp(), _find_folder() / f"{name}.json"
    with contextlib.suppress(OSError, ValueError, TypeError):  # it is missing, or not ours
        kept_stamp, words = json.loads(file.read_text("utf-8"))
        if kept_stamp == stamp:
            return _from_json(*words)
    from harness.cli.shell_completion.command_words import describe_command

    found = describe_command(name)
    with contextlib.suppress(OSError):
        write_file(file, json.dumps((stamp, found), ensure_ascii=False))
    return found


def _find_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "harness", "completion")


def _stamp() -> str:
    """What changes whenever the code does: the version, and when a file of the package was last written."""
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
