"""Which rules are judged in which mode and at which moment, as one run of all exercises shows it.

Layer 4. A cell counts the exchanges that the judge of a check received, and those that the judges of every
exchange looked at under its rule. Nothing in it is claimed by hand: the word of an empty cell follows from the
calls that the rule is judged on. Must not know which API it is.
"""

from __future__ import annotations

import fnmatch
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import closing
from dataclasses import dataclass
from itertools import product
from typing import Any, TypeAlias

from harness.engine.capabilities import everything
from harness.engine.cleanup import CreatedResources
from harness.engine.execute import PlayedExercise, play
from harness.engine.kill_matrix import group_by_exercise, load_checks
from harness.engine.targets import TargetOptions, embed_emulator
from harness.kit.api import OTHER_KEY, PRIMARY_KEY, Api, ApiContract, EmbeddedService
from harness.kit.check import Check, Exercise
from harness.outcome import HarnessFault
from harness.wire import Exchange

JUDGED, OPEN = "judged", "open"


@dataclass(frozen=True, slots=True)
class ModeMatrix:
    """The exchanges that each rule was judged on, by mode and moment, and why an empty cell is empty.

    `words` has an entry for each cell: `judged`, `open` (it could be judged, and nothing does), or in one word why
    it cannot be.
    """

    modes: tuple[str, ...]
    moments: tuple[str, ...]
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


def observe_matrix(api: Api, revision: str, globs: Sequence[str] = ()) -> ModeMatrix:
    """Play every exercise against the reference service, and note which judge received what.

    With `globs`, the matrix has only the rules that match one.
    """
    if api.load_defects is None:
        raise HarnessFault(f"{api.title} has no modes: its Api value has no `load_defects`")
    model, checks = api.load_defects(), load_checks(api, revision)
    judged = _count_judged(api, model, revision, checks)
    cells = list(product(model.modes, model.moments))

    def word_cell(check: Check, cell: tuple[str, str]) -> str:
        seen, calls = judged[check.id]
        if seen[cell]:
            return JUDGED
        if not check.everywhere and cell[1] not in {at for _, at in seen}:
            return "moment"
        why: str = model.explain_cell(*cell, frozenset(calls))
        return why

    words = {check.id: {cell: word_cell(check, cell) for cell in cells} for check in checks}
    shown = [check for check in checks if any(fnmatch.fnmatchcase(check.id, glob) for glob in globs or ("*",))]
    counts = {name: seen for name, (seen, _) in judged.items()}
    return ModeMatrix(model.modes, model.moments, tuple(shown), counts, words)


Judged: TypeAlias = tuple[Counter[tuple[str, str]], set[tuple[str, bool]]]


def _count_judged(api: Api, model: Any, revision: str, checks: Sequence[Check]) -> Mapping[str, Judged]:
    """Of each rule, how many exchanges it was judged on in each cell, and the calls of these."""
    contract = api.load_contract(revision)
    judged: dict[str, Judged] = {check.id: (Counter(), set()) for check in checks}
    passive = frozenset(check.id for check in checks if check.everywhere)
    for exercise, members in group_by_exercise(checks):
        run = model.new_run(None, api.key_header, (PRIMARY_KEY, OTHER_KEY))
        run.seen, run.hides_control = [], False
        played = _play_unchanged(api, run, contract, revision, exercise)
        scene_of = {id(one.request): one.scene for one in run.seen}
        for rule, exchange in _list_judged(played, members, passive, api):
            scene = scene_of.get(id(exchange.request))
            if scene is not None:
                seen, calls = judged[rule]
                seen[scene.mode, scene.moment] += 1
                calls.add((scene.call, exchange.is_stream))
    return judged


def _play_unchanged(
    api: Api, run: Any, contract: ApiContract, revision: str, exercise: Exercise
) -> PlayedExercise:
    """Play one exercise against the reference service behind a proxy that changes nothing and notes all."""

    def build() -> EmbeddedService:
        wrapped: EmbeddedService = run.wrap(api.new_service(contract, ""))
        return wrapped

    embedded = embed_emulator(api, TargetOptions(revision=revision), build)
    resolved = embedded.able(everything(api.load_capabilities()))
    with closing(resolved.connect()) as driver:
        return play(api, exercise, resolved.target, driver, CreatedResources(api))


def _list_judged(
    played: PlayedExercise, members: Sequence[Check], passive: Set[str], api: Api
) -> Iterator[tuple[str, Exchange]]:
    """The rules of an exercise and of all exchanges, each with an exchange that it was judged on."""
    for check in members:
        for exchange in played.list_looked(check):
            yield check.id, exchange
    for exchange in played.trail:
        yield from ((rule, exchange) for rule in api.read(exchange, None).judged if rule in passive)
