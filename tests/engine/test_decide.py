"""Verdicts and exit codes are decided in one place, with the baseline and its codes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from harness.engine.decide import Baseline, Entry, Policy, decide, exit_of, read_baseline, with_baseline
from harness.engine.events import CheckFinished, ExerciseStarted, RunFinished
from harness.engine.run import RunOptions, check_target
from harness.engine.targets import TargetOptions, embed_emulator
from harness.interactions.servers import SERVERS
from harness.outcome import Because, Exit, Finding, Level, Observation, Unmet, UsageFault, Verdict, Where
from harness.report.presented_run import PresentedRun
from harness.wire import Exchange, Request, Response
from tests.engine import toys
from tests.engine.toys import rule
from tests.engine.wire_defects import DamagedService, WireDefect, is_create

RULE = rule("get.odd")
GAP, OTHER = "get.odd/gap", "get.odd/other"


def broken(*codes: str) -> Observation:
    """An observation with a finding for each code."""
    return Observation.of(Finding("get.odd", "odd", code=code) for code in codes)


@pytest.mark.parametrize(
    ("entries", "seen", "verdict"),
    [
        ([], [GAP], Verdict.FAIL),
        ([""], [GAP, OTHER], Verdict.XFAIL),
        ([GAP], [GAP], Verdict.XFAIL),
        ([GAP], [GAP, OTHER], Verdict.FAIL),
        ([GAP, OTHER], [GAP, OTHER], Verdict.XFAIL),
        ([GAP], [], Verdict.STALE),
    ],
)
def test_an_entry_may_excuse_one_defect(entries: list[str], seen: list[str], verdict: Verdict) -> None:
    baseline = Baseline(Entry("get.odd", "known", "", code) for code in entries)
    result = decide(RULE, broken(*seen), Policy(baseline=baseline))
    assert result.verdict is verdict
    assert result.excuse == ("known" if entries else "")


def test_an_update_excuses_what_is_new_by_its_code() -> None:
    """If some defects of a check are excused by their codes, an update adds the codes of the others."""
    old = Baseline([Entry("get.odd", "known", "", GAP)])
    result = decide(RULE, broken(GAP, OTHER), Policy(baseline=old))
    new = old.with_failures([result], "2026-11-20")
    assert list(new.entries) == [f"get.odd {GAP}", f"get.odd {OTHER}"]
    assert exit_of([with_baseline(result, new)]) is Exit.OK


@pytest.mark.parametrize(
    ("because", "unjudged"),
    [
        (Because.LACKING, False),
        (Because.RACE_LOST, False),
        (Because.NO_ANSWER, False),
        (Because.OUR_LIMIT, True),
        (Because.NOT_TRIED, True),
    ],
)
def test_what_was_not_tried_counts_at_any_level(because: Because, unjudged: bool) -> None:
    """A SHOULD without an answer is no reason to be red; one that was not tried is."""
    observation = Observation.untestable("r", because)
    result = decide(rule("get.should", Level.SHOULD), observation, Policy())
    assert result.unjudged is unjudged
    assert exit_of([result]) is (Exit.INCOMPLETE if unjudged else Exit.NOTHING_RAN)


# --- the baseline file: it can only ratchet, keeps reasons, and never hides a typo


KNOWN = ["create.ok", "get.odd", "stream.first"]


def read(text: str, folder: Path) -> Baseline:
    """Read a baseline file with this text."""
    path = folder / "baseline.yaml"
    path.write_text(text, encoding="utf-8")
    return read_baseline(path, KNOWN)


def test_round_trip(tmp_path: Path) -> None:
    """A baseline that is written reads back the same."""
    coded = Entry("get.odd", "b", "2026-11-20", "get.odd/gap")
    before = Baseline([Entry("get.odd", "a reason: with a colon", "2026-11-20"), coded])
    assert read(before.text(), tmp_path).entries == before.entries
    assert read(Baseline().text(), tmp_path).entries == {}


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("- id: get.odd\n  raeson: x\n", "did you mean 'reason'"),
        ("- id: stream.first\n  finding: stream.first/no-evnt\n", "did you mean 'stream.first/no-event'"),
        ("get.odd: x\n", "is not a list: write "),
        ("- get.odd\n", "has no id"),
        ("- [\n", "line 2 is not readable as YAML"),
    ],
)
def test_wrong_files_are_usage_faults(text: str, hint: str, tmp_path: Path) -> None:
    with pytest.raises(UsageFault, match=hint):
        read(text, tmp_path)


# --- a run that ends early reports what its exchanges showed under rules whose exercise was not played


def test_an_interrupted_run_reports_what_it_saw_under_rules_it_did_not_reach() -> None:
    """The run ends after one exercise, whose exchanges break a rule that another exercise would prove."""
    defect = WireDefect(is_create, body=lambda body, _: body.update(model=17))
    target = embed_emulator(SERVERS, TargetOptions(), lambda: DamagedService(defect))
    catalog = sorted(SERVERS.load_catalogue(), key=lambda check: check.exercise.name != "every_input_form")
    events = check_target(target, catalog, RunOptions())
    started = 0
    seen = []
    for event in events:
        seen.append(event)
        started += isinstance(event, ExerciseStarted)
        if started == 2:
            with suppress(StopIteration):
                seen.append(events.throw(KeyboardInterrupt))
            seen += events
            break
    *_, finished = seen
    assert isinstance(finished, RunFinished)
    assert finished.exit is Exit.INTERRUPTED
    verdicts = {event.result.id: event.result.verdict for event in seen if isinstance(event, CheckFinished)}
    assert verdicts["create.schema"] is Verdict.FAIL
    assert verdicts["get.schema"] is Verdict.NOT_RUN


# --- an exercise that stopped at a refused create names the check that found the create refused


class Refusing(toys.ToyService):
    """Refuses every create after those of the probe."""

    def __call__(self, request: Request) -> Response:
        if request.method == "POST" and self.made:
            return toys.answer({"error": {"code": "invalid_request", "message": "no"}}, 400)
        return super().__call__(request)


@toys.exercise(requests=1, interactions=1)
def creates(t: toys.RequestBuilder) -> toys.Steps:
    """A create, whatever becomes of it."""
    created = yield toys.Send(t.create(input="hi"))
    return {"created": created}


@toys.exercise(requests=1, interactions=1)
def needs_one(t: toys.RequestBuilder) -> toys.Steps:
    """Stops if the create is refused."""
    created = yield toys.Send(t.create(input="hi"))
    if created.status != 200:
        raise Unmet("the create was refused")
    return {"created": created}


@toys.exercise(requests=1)
def needs_another(t: toys.RequestBuilder) -> toys.Steps:
    """Stops for a reason that is no create."""
    yield toys.Send(t.get("nothing"))
    raise Unmet("the target has no x")


CATALOGUE = (
    toys.check("create.ok", creates, toys.answers_200),
    toys.check("get.one", needs_one, toys.nothing),
    toys.check("get.other", needs_another, toys.nothing),
)


def finished() -> tuple[PresentedRun, RunFinished]:
    """The state and the last event of a run in which creates are refused."""
    state = PresentedRun(SERVERS)
    for event in check_target(toys.toy_target(Refusing()), CATALOGUE, RunOptions()):
        state.handle(event)
        assert not isinstance(event, CheckFinished) or not event.result.observation.cause
    return state, state.whole()[1]


def test_a_stop_at_a_refused_create_has_a_cause() -> None:
    """The check that could not begin names the code of the one that failed, which weighs one more for it."""
    _, last = finished()
    root, caused, other = last.results
    assert caused.observation.cause == root.observation.findings[0].stable_code == "create.ok"
    assert (root.weight, other.observation.cause) == (2, "")


def test_a_consequence_is_explained_in_short() -> None:
    state, last = finished()
    root, caused, _ = last.results
    assert "curl" in state.present(root).explain()
    assert state.present(caused).explain().startswith("blocked by create.ok")


def says(code: str, pointer: str, expected: str = "string") -> Callable[[Exchange], Iterator[Finding]]:
    """A judge that finds a value of another type."""

    def judge(created: Exchange) -> Iterator[Finding]:
        yield Finding.from_code(code, "of another type", expected, "7", where=Where("created", pointer=pointer))

    return judge


SHAPES = (
    toys.check("create.shape", creates, says("create.shape/type", "$.steps[0].at")),
    toys.check("get.shape", creates, says("get.shape/type", "$.steps[3].at")),
    toys.check("get.another-place", creates, says("get.another-place/type", "$.at")),
    toys.check("get.another-type", creates, says("get.another-type/type", "$.steps[0].at", "array")),
    toys.check("get.another-word", creates, says("get.another-word/missing", "$.steps[0].at")),
)


def test_what_several_rules_find_at_one_place_is_one_reason() -> None:
    """Each rule is broken, and a reader has one thing to mend; another place, type or word is another."""
    state = PresentedRun(SERVERS)
    for event in check_target(toys.toy_target(toys.ToyService()), SHAPES, RunOptions()):
        state.handle(event)
    last = state.whole()[1]
    assert [result.verdict for result in last.results] == [Verdict.FAIL] * len(SHAPES)
    assert [cause.key for cause in state.causes] == [
        "create.shape/type",
        "get.another-place/type",
        "get.another-type/type",
        "get.another-word/missing",
    ]
    assert " (4 causes: " in str(state.verdict)
    root, same, *_ = last.results
    assert "a consequence of create.shape/type" in state.present(same).explain()
    assert root.observation.findings[0].cause == ""
