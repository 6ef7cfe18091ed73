"""The proof that every check can fail: the whole catalogue against every mutant of the emulator.

It is split by area, so that it can be spread over processes: by the area of the mutants, and by the area of the
checks. Where one killer is enough, the one that is known is asked first (`tests/engine/killers.py`); without it, a
search plays the checks of one area after the other and stops at the first. The whole matrix, which shows that no
judge raises on what other mutants answer, is for `make test-all`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from itertools import chain
from typing import Any

import pytest

from harness.emulator.mutants import MUTANTS
from harness.engine import kill_matrix as matrices
from harness.engine.execute import PlayedExercise, play
from harness.engine.kill_matrix import Bench, CalledPlaces, kill_matrix
from harness.interactions import INTERACTIONS, embedded_settings
from harness.kit.api import Api
from harness.kit.check import Check, Exercise
from harness.kit.mutant import ReplacedFunction
from tests.engine.killers import CHECKS, VICTIMS, find_killers, load_killers

CATALOGUE = INTERACTIONS.load_catalogue()
MUTANTS_BY_AREA: dict[str, list[str]] = defaultdict(list)
UNNAMED_BY_AREA: dict[str, list[str]] = defaultdict(list)  # those that rows name are played with their checks
CHECKS_BY_AREA: dict[str, list[Check]] = defaultdict(list)
for mutant in MUTANTS.values():
    MUTANTS_BY_AREA[mutant.area].append(mutant.id)
    if mutant.id not in VICTIMS.values():
        UNNAMED_BY_AREA[mutant.area].append(mutant.id)
for check in CATALOGUE:
    CHECKS_BY_AREA[check.rule.area].append(check)


def akin(area_of_mutants: str, area_of_checks: str) -> bool:
    """Whether two areas are named alike: only the order of a search rests on it, never its result."""
    return area_of_mutants.startswith(area_of_checks) or area_of_checks.startswith(area_of_mutants[:3])


@pytest.mark.slow
@pytest.mark.parametrize("area", UNNAMED_BY_AREA)
def test_every_mutant_that_no_row_names_is_noticed(area: str) -> None:
    """It is noticed by the checks of one area, or by the whole catalogue, which reads all answers."""
    noticed: Counter[str] = Counter()  # who noticed its neighbours is asked first
    unnoticed = set()
    for mutant in UNNAMED_BY_AREA[area]:
        known = load_killers().get(mutant)
        if known and (find_killers([CHECKS[known]], mutant) or find_killers(CATALOGUE, mutant)):
            continue
        for checks in sorted(CHECKS_BY_AREA, key=lambda checks: (-noticed[checks], not akin(area, checks))):
            if find_killers(CHECKS_BY_AREA[checks], mutant):
                noticed[checks] += 1
                break
        else:
            if not find_killers(CATALOGUE, mutant):
                unnoticed.add(mutant)
    assert not unnoticed, (
        f"no check notices {', '.join(sorted(unnoticed))}: `harness mutants -v NAME` shows what they see of it; "
        "either it changes nothing, or a check has to look closer"
    )


@pytest.mark.slow
@pytest.mark.parametrize("area", CHECKS_BY_AREA)
def test_every_check_notices_the_mutant_of_its_row(area: str) -> None:
    """Every check notices the mutant that the row of its rule names, in its own exercise or in one of its area."""
    unproved = set()
    for check in CHECKS_BY_AREA[area]:
        mutant = VICTIMS.get(check.id, "none")
        if mutant not in MUTANTS or not (
            find_killers([check], mutant) or check.id in find_killers(CHECKS_BY_AREA[area], mutant)
        ):
            unproved.add(f"{check.id} ({mutant})")
    assert not unproved, (
        f"these checks do not notice the mutant of their row: {', '.join(sorted(unproved))}; name another in "
        "harness/rules, or add one to harness/emulator/mutants that breaks the rule"
    )


@pytest.mark.thorough
@pytest.mark.parametrize("area", MUTANTS_BY_AREA)
def test_the_whole_catalogue_notices_every_mutant(area: str) -> None:
    """No mutant gets away from the whole catalogue, and no exercise or judge raises, whatever a mutant answers."""
    matrix = kill_matrix(INTERACTIONS, MUTANTS_BY_AREA[area], jobs=1)
    assert matrix.errors == {}
    assert matrix.survivors == (), "see test_every_mutant_that_no_row_names_is_noticed"


def test_the_areas_are_the_whole() -> None:
    assert sorted(chain(*MUTANTS_BY_AREA.values())) == sorted(MUTANTS)
    assert {*VICTIMS.values(), *chain(*UNNAMED_BY_AREA.values())} >= MUTANTS.keys()
    assert len(list(chain(*CHECKS_BY_AREA.values()))) == len(CATALOGUE)


@pytest.mark.slow
def test_the_reference_breaks_nothing() -> None:
    """On the unchanged emulator no check fails; checks that are not met are untestable."""
    unmet = kill_matrix(INTERACTIONS, [], jobs=1).unmet
    assert [why for why in unmet.values() if not why.startswith("untestable")] == []


@pytest.fixture(scope="module")
def bench() -> Bench:
    """What the unchanged emulator answered, which takes as long as several mutants."""
    return Bench(INTERACTIONS, CATALOGUE)


@pytest.fixture
def one_bench(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each matrix that this process plays compares with the same bench."""
    monkeypatch.setattr(matrices, "Bench", lambda api, checks, revision: bench)


@pytest.mark.slow
@pytest.mark.usefixtures("one_bench")
def test_processes_agree() -> None:
    """Two processes, each with a bench of its own, find the same killers for the same mutants."""
    some = list(MUTANTS)[:2]
    assert kill_matrix(INTERACTIONS, some, jobs=2).kills == kill_matrix(INTERACTIONS, some, jobs=1).kills


@pytest.mark.slow
@pytest.mark.usefixtures("one_bench")
def test_asking_every_judge_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The matrix is the same without the shortcut that skips judges when the exchanges are equal."""
    some = list(MUTANTS)[::100]
    kills = kill_matrix(INTERACTIONS, some, jobs=1).kills
    monkeypatch.setattr(matrices, "_fingerprint", lambda _: (object(),))
    assert kill_matrix(INTERACTIONS, some, jobs=1).kills == kills


@pytest.mark.slow
@pytest.mark.usefixtures("one_bench")
def test_playing_every_exercise_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The matrix is the same without the shortcut that leaves out exercises in which a mutant is not called."""
    asked = [name for name, mutant in MUTANTS.items() if any(place.at_call for place in mutant.places or ())]
    compared = [name for name, mutant in MUTANTS.items() if any(place.differs for place in mutant.places or ())]
    some = [*list(MUTANTS)[50::200], *asked[::50], *compared[::40]]
    kills = kill_matrix(INTERACTIONS, some, jobs=1).kills
    monkeypatch.setattr(matrices.CalledPlaces, "include", lambda calls, places: True)
    assert kill_matrix(INTERACTIONS, some, jobs=1).kills == kills


@pytest.mark.thorough
@pytest.mark.parametrize("area", MUTANTS_BY_AREA)
def test_playing_every_exercise_changes_no_row(area: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for each mutant of an area: no condition hides a kill."""
    kills = kill_matrix(INTERACTIONS, MUTANTS_BY_AREA[area], jobs=1).kills
    monkeypatch.setattr(matrices.CalledPlaces, "include", lambda calls, places: True)
    assert kill_matrix(INTERACTIONS, MUTANTS_BY_AREA[area], jobs=1).kills == kills


def list_played(monkeypatch: pytest.MonkeyPatch) -> list[Exercise]:
    """The exercises that are played from now on, in order; a bench plays all of them on the reference before."""
    played: list[Exercise] = []

    def note(api: Api, exercise: Exercise, *rest: Any, **named: Any) -> PlayedExercise:
        played.append(exercise)
        return play(api, exercise, *rest, **named)

    monkeypatch.setattr(matrices, "play", note)
    return played


def test_an_exercise_in_which_no_call_passes_the_test_of_a_mutant_is_not_played(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each call has its key looked at; only one exercise sends one without a key: there the mutant can act."""
    keyless, other = CHECKS["auth.missing"], CHECKS["del.gone"]
    mutant = MUTANTS["key-missing-crashes"]
    bench = Bench(INTERACTIONS, [keyless, other])
    played = list_played(monkeypatch)
    assert bench.row(mutant.id, partial(mutant.build, embedded_settings()), mutant.places).killers == (keyless.id,)
    assert played == [keyless.exercise]


def test_an_exercise_in_which_a_mutant_returns_the_same_is_not_played(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each interaction has a status; only one exercise of the two sees the status that this mutant changes."""
    failing, other = CHECKS["bg.failed-visible"], CHECKS["create.id"]
    mutant = MUTANTS["failed-shown-completed"]
    bench = Bench(INTERACTIONS, [failing, other])
    played = list_played(monkeypatch)
    assert bench.row(mutant.id, partial(mutant.build, embedded_settings()), mutant.places).killers == (failing.id,)
    assert played == [failing.exercise]


@pytest.mark.parametrize(
    ("mutant", "check", "other"),
    [
        (
            "input-image-dropped",
            "create.input-image",
            "create.ok",
        ),  # a create that gives a field of an order another value
        ("chain-streamed-ignored", "chain.streamed", "create.ok"),  # a condition on the run that was made
        ("camel-case-accepted", "rob.case", "create.ok"),  # a change that edits the body in place
        ("bad-utf8-accepted", "rob.bad-utf8", "create.ok"),  # a condition on the call
        ("key-not-needed", "auth.missing", "create.ok"),  # a condition in place of a method
        ("deleted-shown", "del.gone", "create.ok"),  # a part that is as the reference until a delete
        ("deep-json-kills", "rob.deep-json", "create.ok"),  # the same, until a request that passes a test
        ("unknown-route-200", "err.unknown-route", "err.malformed-json"),  # what raises returns nothing to change
    ],
)
def test_an_exercise_that_a_condition_excludes_is_not_played(
    mutant: str, check: str, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(INTERACTIONS, [CHECKS[check], CHECKS[other]])
    played = list_played(monkeypatch)
    row = MUTANTS[mutant]
    assert bench.row(mutant, partial(row.build, embedded_settings()), row.places).killers == (check,)
    assert played == [CHECKS[check].exercise]


def test_what_changes_the_reference_when_it_is_asked_is_not_believed() -> None:
    """A mutant may remember what it saw; then it counts as concerned wherever its function is called."""

    def called(value: int) -> int:
        return value

    place = ReplacedFunction(called.__code__, differs=lambda result, value: False)
    calls = CalledPlaces([place])
    with calls.watch():
        called(1)
    assert not calls.include((place,))
    calls.distrust()
    assert calls.include((place,))


@pytest.mark.parametrize(("given", "differs"), [(0, False), (1, True), (2, True)])
def test_what_raises_returns_nothing_that_a_mutant_could_change(given: int, differs: bool) -> None:
    """A function that returns None, or yields, is compared; one that raises is as in the reference."""

    def returns(value: int) -> int | None:
        return 1 // value if value < 2 else None

    def yields(value: int) -> Iterator[int | None]:
        yield returns(value) and None

    for called in (returns, lambda value: returns(value), lambda value: list(yields(value))):
        place = ReplacedFunction(called.__code__, differs=lambda result, value: True)  # type: ignore[attr-defined]
        calls = CalledPlaces([place])
        with calls.watch(), suppress(ZeroDivisionError):
            called(given)
        assert calls.include((place,)) is differs


def test_an_exercise_that_calls_nothing_of_a_mutant_is_not_played(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two exercises only the one that deletes is played, if a mutant changes deletes; both, if nobody knows."""
    deleting, other = CHECKS["del.gone"], CHECKS["err.malformed-json"]
    mutant = MUTANTS["delete-keeps"]
    build = partial(mutant.build, embedded_settings())
    bench = Bench(INTERACTIONS, [deleting, other])
    played = list_played(monkeypatch)
    assert bench.row(mutant.id, build, mutant.places).killers == (deleting.id,)
    assert played == [deleting.exercise]
    assert bench.row(mutant.id, build).killers == (deleting.id,)
    assert played[1:] == [deleting.exercise, other.exercise]
