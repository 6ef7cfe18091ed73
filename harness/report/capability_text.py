"""What a target can do and what not, in words for a terminal: in a few lines, or each with what was seen.

Layer 6.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from harness.engine.capabilities import Capabilities, Capability
from harness.kit.api import Lack
from harness.report.commands.presentation import Paint

_OFFERED, _NOT_DONE = "offered", "accepted but not fulfilled"
_LACKS = {
    Lack.NOT_DONE: _NOT_DONE,
    Lack.REFUSED: "not offered",
    Lack.UNSEEN: "not tested (requested, but not observed)",
    Lack.DENIED: "excluded",
    Lack.UNASKED: "not tested (time limit reached)",
    Lack.UNDECLARED: "not tested (needs `--capability` or `--other-api-key`)",
}
_COLOURS = {_OFFERED: "32", _NOT_DONE: "31"}


def sum_up(capabilities: Capabilities, paint: Paint) -> Iterator[str]:
    """A line for what is offered, and one for each reason why others are not."""
    rows: dict[str, list[str]] = {words: [] for words in (_OFFERED, *_LACKS.values())}
    for item in capabilities:
        rows[_words_of(item)].append(item.name)
    for words, names in rows.items():
        if names:
            yield f"  {paint(_COLOURS.get(words, '2'), f'{words}:')} {', '.join(names)}"


def list_each(capabilities: Capabilities, paint: Paint, clean: Callable[[str], str]) -> Iterator[str]:
    """A line for each: whether it is offered, how that is known, and what was seen, which `clean` makes safe."""
    for item in capabilities:
        missing = paint("31", "!") if item.lack is Lack.NOT_DONE else "-"
        sign = paint("32", "+") if item.present else missing
        note = f" ({' '.join(item.note.split())})" if item.note else ""
        yield f"  {sign}{item.name:<16} {item.how}{clean(note)}"


def _words_of(item: Capability) -> str:
    return _OFFERED if item.present else _LACKS[item.lack]
