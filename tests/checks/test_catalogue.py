"""The catalogue as a whole: how its checks describe themselves, and their verdicts on the reference emulator."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from msgspec import structs

from harness.checks import areas
from harness.checks.capabilities import CAPABILITIES, PROFILE_GATES
from harness.checks.catalogue import CATALOGUE, build_check
from harness.checks.vocabulary import expect
from harness.contract.judge import body, stream
from harness.contract.judge.body import judge_crash
from harness.contract.judge.history.history_judge import HEARD
from harness.contract.judge.history.resources import RULES as OF_RESOURCES
from harness.contract.tables import protocol, stream_order
from harness.emulator import Emulator, Settings
from harness.emulator.mutants import MUTANTS
from harness.engine.events import Capabilities, Capability, CapabilityOrigin
from harness.engine.plan import make_plan
from harness.engine.selection import Selection
from harness.kit.check import Check
from harness.outcome import Outcome
from harness.rules import AREAS, BY_ID, ROWS
from harness.transport import ServiceDriver
from harness.wire import LogicalClock
from tests.checks._play import TARGET, play
from tests.in_one_test import in_one_test

CLAIMS_A_LEVEL = re.compile(r"\b(must|shall|should|ought)\b", re.IGNORECASE)

OFFLINE = {
    "tool.result-name": "speaks of a client's recorded requests, which no target answers for",
    "request.schema": "speaks of a client's recorded requests, which no target answers for",
}
"""Rules that no check tests against a target, and why."""

OF_SEVERAL = {
    "stream.evid-delta": "a target without event ids breaks no rule, so its own check asks for one first",
    "request.schema": "about a recorded request",
    "tool.result-name": "about a recorded request",
}
"""Rules that are judged from a single answer but not applied to every answer of a run, and why."""

OF_THE_WHOLE = {"http.length", "http.json-valid", "http.gzip", "err.status", "get.ok", "create.id-unique"}
"""Rules that an answer breaks as a whole, from which other findings follow (`judge_causes`)."""

OF_THE_RUN = {"create.ok", "get.ok", "del.ok", "cancel.ok", "resume.opens", "rob.concurrent-streams"}
"""Rules that all answers of a run together can break (`judge/history/run_judge.py`)."""

IMPORTED = {"environment_of", "first_call", "result_of", "pack"}
"""Functions of areas that other modules import: scenarios to record, and tests."""

AUDITED = {"stream.bare-error": "its mutants show in the exercises of other checks alone"}
"""Checks that notice no mutant in their own exercise, and why."""

BY_EXERCISE: dict[str, list[Check]] = defaultdict(list)
for _check in CATALOGUE:
    BY_EXERCISE[_check.exercise.name].append(_check)


def test_every_rule_has_its_check():
    """Every rule of the contract has a check, except the rules that only recordings can break."""
    lacking = BY_ID.keys() - OFFLINE - {check.id for check in CATALOGUE}
    assert not lacking, (
        f"{', '.join(sorted(lacking))} has no check: name its exercise and its judge in its row of "
        "harness/rules, or list the rule in OFFLINE if only recordings can break it"
    )
    idle = {check.id for check in CATALOGUE} & {*OFFLINE}
    assert not idle, f"{', '.join(sorted(idle))} has a check: take it off OFFLINE"


def test_what_one_answer_can_break_is_asked_of_every_answer():
    """Every rule that a single answer can break has a check that is applied to every answer (`everywhere`)."""
    judges = (
        body, judge_crash, stream, stream_order, protocol,
        body,
    )  # fmt: skip
    source = "".join(map(inspect.getsource, judges))
    named = {found for found in re.findall(r'"([a-z]+\.[a-z0-9-]+)(?:/[a-z0-9-]+)?"', source) if found in BY_ID}
    assert len(named) > 40
    assert {check.id for check in CATALOGUE if check.everywhere} == (
        (named - set(OF_SEVERAL)) | OF_THE_WHOLE | HEARD | OF_THE_RUN | {*OF_RESOURCES.values()}
    )


@in_one_test(check=[check for check in CATALOGUE if len(check.wants) > 1 and not check.about])
def test_a_judge_of_several_names_the_one_that_it_expects(check):
    """A finding without its exchange is explained by no other finding, and a report shows all of them."""
    judge = check.judge
    while isinstance(judge, partial):
        judge = judge.func
    source = ast.parse(textwrap.dedent(inspect.getsource(judge)))
    unnamed = [
        ast.unparse(node)
        for node in ast.walk(source)
        if isinstance(node, ast.YieldFrom) and isinstance(node.value, ast.Call)
        if (name := ast.unparse(node.value.func)).startswith("expect_") and hasattr(expect, name)
        if any(isinstance(given, ast.Name) and given.id in check.wants for given in node.value.args[:2])
    ]
    assert not unnamed, f"{judge.__name__}: write `yield from at(NAME, …)`"


@in_one_test(check=CATALOGUE)
def test_says_what_it_is(check):
    """A title is one short claim that does not repeat the level; accepted outcomes and the source are stated."""
    assert 10 < len(check.title) < 90
    assert not check.title.endswith(".")
    assert not CLAIMS_A_LEVEL.search(check.title)
    assert check.accepts
    assert check.rule.effect or not check.proves
    assert all(outcome == outcome.strip() and not outcome.endswith(".") for outcome in check.accepts)
    assert not any(CLAIMS_A_LEVEL.search(outcome) for outcome in check.accepts)
    assert check.rule.source.page
    assert all(text.endswith((".", ")")) for text in (check.rule.statement, check.rule.breaks))


@in_one_test(name=BY_EXERCISE)
def test_reference_keeps_every_rule(name):
    """Against the reference, each exercise costs what it declares, and all its checks are met."""
    exercise = BY_EXERCISE[name][0].exercise
    played = play(exercise, reference(), replace(TARGET, capabilities=frozenset(CAPABILITIES)))
    assert played.unmet is None
    sent = f"requests={played.requests}, interactions={played.interactions}"
    assert sent == f"requests={exercise.requests}, interactions={exercise.interactions}", "what @exercise declares"
    observed = {check.id: check.observe(played.exchanges) for check in BY_EXERCISE[name]}
    assert {i: o for i, o in observed.items() if o.outcome is not Outcome.MET} == {}


def reference() -> ServiceDriver:
    """A fresh emulator that knows the keys of two projects."""
    clock = LogicalClock()
    keys = {TARGET.key: "one", TARGET.other_key: "two"}
    return ServiceDriver(Emulator(Settings(platform="any", keys=keys), clock=clock), clock)


def test_what_a_row_rests_on_takes_effect():
    """Beside what many checks of its kind rest on."""
    lost = {check.id: {*ROWS[check.id].rests_on} - {*check.rests_on} for check in CATALOGUE}
    del lost["rob.concurrent-streams"]  # all that it rests on follows from other rows
    assert not any(lost.values()), lost


@pytest.mark.parametrize(("changes", "says"), [
    ({"judge": "lacks_nothin"}, r"areas\.resume has no 'lacks_nothin': did you mean 'lacks_n"),
    ({"exercise": "vocabulary.shared.streams"}, r"vocabulary\.shared has no 'streams'"),
    ({"judge": {"expect_luck": "first"}}, r"areas\.resume has no 'expect_luck'"),
    ({"profile": "cores"}, "there is no profile 'cores': did you mean 'core'"),
    ({"requires": ("magic",)}, "there is no capability 'magic'"),
    ({"about": "nothing"}, "there is no result in `about` 'nothing'"),
], ids=["judge", "exercise", "shared", "profile", "capability", "about"])  # fmt: skip
def test_a_row_that_names_what_is_not_there_is_refused(changes, says):
    """A row whose judge, exercise, profile, capability or result does not exist is named, with what was meant."""
    with pytest.raises(ValueError, match=rf"resume\.yaml: resume\.no-gap: .*{says}"):
        build_check(structs.replace(ROWS["resume.no-gap"], **changes), "harness.checks.areas.resume")


def list_judges(judge):
    """The names in the `judge` of a row, which may be one, a mapping, or several of these."""
    if isinstance(judge, str | Mapping):
        return [judge] if isinstance(judge, str) else [*judge]
    return [name for part in judge for name in list_judges(part)]


def test_every_function_of_an_area_has_a_row():
    """A public function of an area's module that no row and no other function names is left over."""
    for area in AREAS:
        path = Path(areas.__path__[0], f"{area}.py")
        tree = ast.parse(path.read_text("utf-8"))
        functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name[0] != "_"}
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} | IMPORTED
        judges = {name for row in ROWS.values() for name in list_judges(row.judge)}
        named = {word.rpartition(".")[2] for word in judges | {row.exercise for row in ROWS.values()}}
        assert not functions - used - named, f"{path.name}: {functions - used - named}"


@pytest.mark.parametrize("path", sorted(Path(areas.__file__).parent.glob("*.py")), ids=lambda path: path.stem)
def test_no_finding_of_a_shared_judge_is_dropped(path):
    """A judge yields its findings, so a call of it that stands alone judges nothing: write `yield from`."""
    alone = [node.value for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Expr)]
    called = [ast.unparse(call.func) for call in alone if isinstance(call, ast.Call)]
    assert [name for name in called if name.rpartition(".")[2].startswith(("expect_", "judge_"))] == []


def test_the_areas_have_one_set_of_names():
    """Each table of rules has a module of checks, one of tests and one of mutants, all of its name."""
    tests = Path(__file__).parent / "areas"
    assert {path.stem for path in Path(areas.__path__[0]).glob("[a-z]*.py")} == set(AREAS)
    assert {path.stem.removeprefix("test_") for path in tests.glob("test_*.py")} == set(AREAS)
    assert list(dict.fromkeys(mutant.area for mutant in MUTANTS.values())) == list(AREAS)


def test_every_check_names_a_mutant():
    checks = {check.id for check in CATALOGUE} - {*AUDITED}
    wrong = {check: ROWS[check].mutant for check in checks if ROWS[check].mutant not in MUTANTS}
    assert not wrong, f"write `mutant:` in these rows; `harness mutants -v` shows which mutants they kill: {wrong}"


def test_projects_are_told_apart_whichever_resources_a_target_keeps():
    """A second key is enough: no other resource has to be there."""
    able = Capabilities([Capability("two-keys", True, CapabilityOrigin.DECLARED)])
    plan = make_plan(CATALOGUE, Selection(), able, PROFILE_GATES)
    assert {planned.check.id: planned.skip for planned in plan.checks}["store.isolation-kept"] is None
