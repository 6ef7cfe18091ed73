"""The matrix of rules, modes and moments as text and as a page of the site.

Layer 6. Each cell of a rule and a mode has a letter for each moment: a capital one is judged, a small one is open,
and a point is a moment that the rule or the mode rules out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from harness.engine.mode_matrix import JUDGED, OPEN, ModeMatrix
from harness.kit.check import Check

LETTERS = {
    "at once": "A", "while running": "R", "after the end": "E", "after delete": "D", "second key": "K",
    "two at a time": "T",
}  # fmt: skip
"""The letter of each moment."""

WORDS = {
    "moment": "the rule is about another moment",
    "call": "the rule is not judged on a call of this cell",
    "form": "the rule is about a stream, and the mode has none",
    "resource": "the rule is about another resource",
    "create": "a resumed stream is never the response to a create",
    "blocking": "the id of a plain create is known only when it has ended",
    "unseen": "no exchange with a scene is judged",
}
"""Why a cell cannot be judged, by the word that JSON has."""


def matrix_lines(matrix: ModeMatrix) -> Iterator[str]:
    """Yield the sums of the modes and moments, and a line for each rule."""
    yield from _sum_lines(matrix)
    yield ""
    width = max((len(check.id) for check in matrix.checks), default=0)
    yield f"{'rule':<{width}}  " + "  ".join(f"{mode:<{_width_of(mode)}}" for mode in matrix.modes)
    for check in matrix.checks:
        cells = "  ".join(f"{_cell(matrix, check, mode):<{_width_of(mode)}}" for mode in matrix.modes)
        yield f"{check.id:<{width}}  {cells}".rstrip()
    yield ""
    yield from (f"{letter}  {moment}" for moment, letter in LETTERS.items())
    yield "a capital letter: judged; a small one: open; a point: cannot be judged (`--json` has the reason)"


def matrix_records(matrix: ModeMatrix) -> list[dict[str, Any]]:
    """Return every cell as data: its word, and the number of exchanges that were judged."""
    return [
        {
            "id": check.id,
            "mode": mode,
            "moment": moment,
            "word": word,
            "exchanges": matrix.counts[check.id][mode, moment],
        }
        for check in matrix.checks
        for (mode, moment), word in matrix.words[check.id].items()
    ]


def matrix_page(matrix: ModeMatrix) -> str:
    """Return the page of the site."""
    words = Counter(word for check in matrix.checks for word in matrix.words[check.id].values())
    lines = [
        "# Rules, modes and moments",
        "",
        "Each rule is judged in some modes of an interaction and at some moments of its life. This page shows",
        "a run of all exercises against the emulator. A cell is judged if a judge received an exchange of it.",
        "`harness list --matrix` prints the same, `harness list --matrix --json` each cell with its word.",
        "",
        f"{words[JUDGED]:,} cells are judged, {words[OPEN]:,} are open. The others cannot be judged:",
        "",
        "| Word | Cells | Why |",
        "|---|---|---|",
        *(f"| {word} | {words[word]:,} | {why} |" for word, why in WORDS.items() if words[word]),
        "",
        "## Cells by mode and moment",
        "",
        "Judged and open cells, of all rules.",
        "",
        f"| Moment | {' | '.join(matrix.modes)} |",
        f"|---|{'---|' * len(matrix.modes)}",
    ]
    for moment in matrix.moments:
        cells = (_count(matrix, mode, moment) for mode in matrix.modes)
        lines.append(f"| {moment} | {' | '.join(cells)} |")
    lines += ["", "## Rules", "", "A capital letter is judged, a small one is open, a point cannot be judged.", ""]
    lines += [", ".join(f"{letter} {moment}" for moment, letter in LETTERS.items()) + ".", ""]
    lines += [f"| Rule | {' | '.join(matrix.modes)} |", f"|---|{'---|' * len(matrix.modes)}"]
    for check in matrix.checks:
        cells = (f"`{_cell(matrix, check, mode)}`" for mode in matrix.modes)
        lines.append(f"| [{check.id}](rules/{check.id}.md) | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _sum_lines(matrix: ModeMatrix) -> Iterator[str]:
    width = max(map(len, matrix.moments))
    yield f"{'judged/open':<{width}}  " + "  ".join(f"{mode:>{_width_of(mode)}}" for mode in matrix.modes)
    for moment in matrix.moments:
        cells = (f"{_count(matrix, mode, moment):>{_width_of(mode)}}" for mode in matrix.modes)
        yield f"{moment:<{width}}  " + "  ".join(cells)


def _count(matrix: ModeMatrix, mode: str, moment: str) -> str:
    judged, left = (matrix.count_cells(word, mode=mode, moment=moment) for word in (JUDGED, OPEN))
    return f"{judged}/{left}"


def _cell(matrix: ModeMatrix, check: Check, mode: str) -> str:
    words = matrix.words[check.id]
    letters = {JUDGED: str.upper, OPEN: str.lower}
    return "".join(
        letters[words[mode, moment]](LETTERS[moment]) if words[mode, moment] in letters else "."
        for moment in matrix.moments
    )


def _width_of(mode: str) -> int:
    return max(len(LETTERS), len(mode))
