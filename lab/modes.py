"""`python -m lab modes`: which rules are judged in which mode and at which moment, as one run shows.

A cell counts the exchanges that the judge of a check received, and those that the judges of every exchange looked
at under its rule. Nothing in it is claimed by hand: the word of an empty cell follows from the calls that the rule
is judged on. The output is the page of the site.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import closing
from dataclasses import dataclass
from itertools import product
from typing import Any, TypeAlias

from harness.engine.events import everything
from harness.engine.execute import PlayedExercise, play
from harness.engine.targets import TargetOptions, embed_emulator
from harness.engine.traffic.ledger import CreatedResources
from harness.interactions.servers import SERVERS
from harness.kit.api import EmbeddedService
from harness.kit.check import Check, Exercise
from harness.outcome import Exit
from harness.wire import Exchange
from lab.defects.scenes import MODES, MOMENTS, explain_cell
from lab.defects.wrapped_service import DefectRun
from lab.kill_matrix import group_by_exercise, load_checks

JUDGED, OPEN = "judged", "open"


@dataclass(frozen=True, slots=True)
class ModeMatrix:
    """The exchanges that each rule was judged on, by mode and moment, and why an empty cell is empty.

    `words` has an entry for each cell: `judged`, `open` (it could be judged, and nothing does), or in one word why
    it cannot be.
    """

    checks: tuple[Check, ...]
    counts: Mapping[str, Mapping[tuple[str, str], int]]
    words: Mapping[str, Mapping[tuple[str, str], str]]

    def count_cells(self, word: str, *, mode: str = "", moment: str = "") -> int:
        """Return how many cells have this word, in all modes and moments or in one."""
        return sum(
            found == word and mode in ("", cell[0]) and moment in ("", cell[1])
            for check in self.checks
            for cell, found in self.words[check.id].items()
        )


def observe_matrix(globs: Sequence[str] = ()) -> ModeMatrix:
    """Play every exercise against the reference service, and note which judge received what.

    With `globs`, the matrix has only the rules that match one.
    """
    checks = load_checks()
    judged = _count_judged(checks)
    cells = list(product(MODES, MOMENTS))

    def word_cell(check: Check, cell: tuple[str, str]) -> str:
        seen, calls = judged[check.id]
        if seen[cell]:
            return JUDGED
        if not check.everywhere and cell[1] not in {at for _, at in seen}:
            return "moment"
        return explain_cell(*cell, frozenset(calls))

    words = {check.id: {cell: word_cell(check, cell) for cell in cells} for check in checks}
    shown = [check for check in checks if any(fnmatch.fnmatchcase(check.id, glob) for glob in globs or ("*",))]
    counts = {name: seen for name, (seen, _) in judged.items()}
    return ModeMatrix(tuple(shown), counts, words)


Judged: TypeAlias = tuple[Counter[tuple[str, str]], set[tuple[str, bool]]]


def _count_judged(checks: Sequence[Check]) -> Mapping[str, Judged]:
    """Of each rule, how many exchanges it was judged on in each cell, and the calls of these."""
    judged: dict[str, Judged] = {check.id: (Counter(), set()) for check in checks}
    passive = frozenset(check.id for check in checks if check.everywhere)
    for exercise, members in group_by_exercise(checks):
        run = DefectRun(seen=[], hides_control=False)
        played = _play_unchanged(run, exercise)
        scene_of = {id(one.request): one.scene for one in run.seen or ()}
        for rule, exchange in _list_judged(played, members, passive):
            scene = scene_of.get(id(exchange.request))
            if scene is not None:
                seen, calls = judged[rule]
                seen[scene.mode, scene.moment] += 1
                calls.add((scene.call, exchange.is_stream))
    return judged


def _play_unchanged(run: DefectRun, exercise: Exercise) -> PlayedExercise:
    """Play one exercise against the reference service behind a proxy that changes nothing and notes all."""
    contract = SERVERS.load_contract("")

    def build() -> EmbeddedService:
        wrapped: EmbeddedService = run.wrap(SERVERS.new_service(contract))
        return wrapped

    embedded = embed_emulator(SERVERS, TargetOptions(), build)
    resolved = embedded.able(everything(SERVERS.load_capabilities()))
    with closing(resolved.connect()) as driver:
        return play(SERVERS, exercise, resolved.target, driver, CreatedResources(SERVERS))


def _list_judged(
    played: PlayedExercise, members: Sequence[Check], passive: Set[str]
) -> Iterator[tuple[str, Exchange]]:
    """The rules of an exercise and of all exchanges, each with an exchange that it was judged on."""
    for check in members:
        for exchange in played.list_wanted(check):
            yield check.id, exchange
    for exchange in played.trail:
        yield from ((rule, exchange) for rule in SERVERS.read(exchange, None).judged if rule in passive)


# The matrix as text, as data, and as a page of the site.


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
        "`python -m lab modes` prints the same, and with `--json` each cell with its word.",
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
        f"| Moment | {' | '.join(MODES)} |",
        f"|---|{'---|' * len(MODES)}",
    ]
    for moment in MOMENTS:
        cells = (_count(matrix, mode, moment) for mode in MODES)
        lines.append(f"| {moment} | {' | '.join(cells)} |")
    lines += ["", "## Rules", "", "A capital letter is judged, a small one is open, a point cannot be judged.", ""]
    lines += [", ".join(f"{letter} {moment}" for moment, letter in LETTERS.items()) + ".", ""]
    lines += [f"| Rule | {' | '.join(MODES)} |", f"|---|{'---|' * len(MODES)}"]
    for check in matrix.checks:
        cells = (f"`{_cell(matrix, check, mode)}`" for mode in MODES)
        lines.append(f"| [{check.id}](rules/{check.id}.md) | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _count(matrix: ModeMatrix, mode: str, moment: str) -> str:
    judged, left = (matrix.count_cells(word, mode=mode, moment=moment) for word in (JUDGED, OPEN))
    return f"{judged}/{left}"


def _cell(matrix: ModeMatrix, check: Check, mode: str) -> str:
    words = matrix.words[check.id]
    letters = {JUDGED: str.upper, OPEN: str.lower}
    return "".join(
        letters[words[mode, moment]](LETTERS[moment]) if words[mode, moment] in letters else "."
        for moment in MOMENTS
    )


def run(words: Sequence[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m lab modes", description="Show the modes and moments in which each rule is judged."
    )
    parser.add_argument("globs", nargs="*", metavar="GLOB", help="show only the rules whose ids match")
    parser.add_argument("--json", action="store_true", help="print each cell with its word as JSON")
    options = parser.parse_args(words)
    matrix = observe_matrix(options.globs)
    if options.json:
        sys.stdout.write(json.dumps(matrix_records(matrix), indent=1) + "\n")
    else:
        sys.stdout.write(matrix_page(matrix))
    return Exit.OK
