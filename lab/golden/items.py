"""What is recorded: command lines, the files they find, and the files they write.

Words in braces are filled in by the recorder: `{python}`, `{programs}` (this package's), `{port}` (a free
one, the same in all steps of an item).
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from lab.golden.mask import Mask


@dataclass(frozen=True, slots=True)
class Step:
    """One command: what follows `harness`, and the names or globs of the files to read afterwards."""

    words: tuple[str, ...]
    writes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Item:
    """One file of a recording: commands that run one after the other in a folder of their own.

    `given` are texts of files in that folder, `folders` those copied into it: `cassettes`, or `corpus`, without
    which the item is skipped. `keep` names a function of `reduce` that leaves only a part of the output, where the
    rest is a matter of time or chance.
    """

    name: str
    steps: tuple[Step, ...]
    given: Mapping[str, str] = field(default_factory=dict)
    folders: tuple[str, ...] = ()
    masks: tuple[Mask, ...] = ()
    keep: str = ""


def step(words: str | tuple[str, ...], *writes: str) -> Step:
    """A step; a string is split as a shell would."""
    return Step(tuple(shlex.split(words)) if isinstance(words, str) else words, writes)


def steps(*lines: str) -> tuple[Step, ...]:
    """Steps that write nothing."""
    return tuple(step(line) for line in lines)


def serving(inner: str, *options: str) -> tuple[str, ...]:
    """The words that serve the emulator while `harness inner` runs; `URL` in it stands for the server's."""
    return ("serve", "--port", "0", *options, "--", "sh", "-c", f"exec {{python}} -m harness {inner}")


URL = '"$INTERACTIONS_BASE_URL"'
"""The server's address in the commands of `serving`."""
