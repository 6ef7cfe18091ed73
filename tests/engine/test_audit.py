"""Auditing all answers of a run: rules that hold everywhere also apply to what other exercises received."""

from __future__ import annotations

from typing import Any

import pytest

from harness.contract.requests import RequestBuilder
from harness.engine.audit import Audit, add_sightings
from harness.engine.decide import Baseline, Entry
from harness.engine.events import CheckFinished, Result
from harness.engine.run import RunOptions, check_target
from harness.interactions.servers import SERVERS
from harness.kit.check import Exercise, Send, Steps, exercise
from harness.outcome import Finding, Observation, Outcome, Verdict
from harness.report.presented_run import PresentedRun
from harness.wire import Exchange, Pause, Request, Response
from harness.wire.message import ReadyBody
from tests.contract.judge.history.test_denials import create, delete
from tests.engine import toys


class Misshapen(toys.ToyService):
    """GETs of the exercises in `spoiled` have numeric labels; with `pages`, errors are web pages."""

    spoiled: tuple[str, ...] = ()
    pages = False
    pauses = 0.0

    def __call__(self, request: Request) -> Response:
        if self.pages and request.method == "GET" and request.segments[-1] == "nothing":
            return Response.whole(404, toys.JSON, b"<html>")
        response = super().__call__(request)
        if request.method == "GET" and request.parameter("of") in self.spoiled:
            response = toys.answer({"id": request.segments[-1], "status": "completed", "labels": 5})
            response.body = ReadyBody([Pause(self.pauses), *response.body])
        return response


def reading(name: str, *, front_end: bool = False, count: int = 1, found: str = "") -> Exercise:
    """An exercise with a name of its own that creates one interaction and reads it `count` times."""

    @exercise(requests=1 + count, interactions=1, front_end=front_end)
    def run(t: RequestBuilder) -> Steps:
        created = yield Send(t.create(input="hi"))
        got = ""
        for _ in range(count):
            path = f"interactions/{found or created_id(created)}"
            got = yield Send(t.request("GET", path, query={"of": name}))
        return {"got": got}

    run.run.__name__ = name
    return run


def created_id(exchange: Exchange) -> str:
    """The id of the interaction that was created."""
    return exchange.body.decode().split('"id": "')[1].partition('"')[0]


def own(got: Exchange) -> list[Finding]:
    """A judge of the toy catalogue without findings."""
    return []


def broken(got: Exchange) -> list[Finding]:
    """A judge of the toy catalogue that always reports its rule as broken."""
    return [Finding("", "broken here")]


def run(*exercises: Exercise, judge: Any = own, rule: str = "get.schema", **options: Any) -> Result:
    """The result of one check, by default one that holds everywhere, after other exercises were run as well."""
    service = options.pop("service", Misshapen())
    first, *others = exercises
    held = toys.check(rule, first, judge, everywhere=options.pop("everywhere", True))
    rest = [toys.check(f"get.other-{number}", other, own) for number, other in enumerate(others)]
    events = check_target(toys.toy_target(service), (held, *rest), RunOptions(**options))
    results = {event.result.id: event.result for event in events if isinstance(event, CheckFinished)}
    assert len(results) == len(exercises)
    return results[rule]


def spoiling(*names: str) -> Misshapen:
    """A service that spoils the reads of the given exercises."""
    service = Misshapen()
    service.spoiled = names
    return service


@pytest.mark.parametrize("jobs", [1, 3])
def test_what_another_exercise_brings_counts(jobs: int) -> None:
    """A check fails if another exercise got a wrong answer; the evidence is that answer and its create."""
    result = run(reading("a"), reading("b"), reading("c"), service=spoiling("b"), jobs=jobs)
    assert result.verdict is Verdict.FAIL
    (finding,) = result.observation.findings
    assert (finding.rule, finding.where.pointer) == ("get.schema", "$.labels")
    assert finding.where.exchange.startswith("GET /v1beta/interactions/")
    assert [exchange.request.method for exchange in result.evidence] == ["POST", "GET"]
    assert "curl" in PresentedRun(SERVERS).present(result).explain()


def test_a_repeated_defect_is_told_once_and_counted() -> None:
    result = run(reading("a"), reading("b", count=5), reading("c", count=2), service=spoiling("b", "c"))
    (finding,) = result.observation.findings
    assert finding.message.endswith("not number, in 7 of 13 responses")  # a probe, four closing reads
    service = spoiling("b", "c")
    service.pauses = 2.0
    result = run(reading("a"), reading("b", count=5), reading("c", count=2), service=service)
    assert "(in each that takes 2 s or more, and in no other)" in result.observation.findings[0].message


def test_without_defects_nothing_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    """If all answers are right, the check passes. No answer is audited for rules that were not selected."""
    assert run(reading("a"), reading("b")).verdict is Verdict.PASS
    monkeypatch.delattr(Audit, "_judge")
    assert run(reading("a"), everywhere=False).verdict is Verdict.PASS


def test_a_broken_rule_needs_no_second_witness() -> None:
    """A finding from the check's own exercise is not supplemented by findings from others."""
    result = run(reading("a"), reading("b"), judge=broken, service=spoiling("b"))
    assert [finding.message for finding in result.observation.findings] == ["broken here"]


def test_a_front_end_may_have_errors_of_its_own() -> None:
    """Web pages as errors break the rule, except where a front end may have sent them."""
    service = Misshapen()
    service.pages = True
    pages = [reading("b", found="nothing", front_end=front_end) for front_end in (False, True)]
    verdicts = [run(reading("a"), other, rule="err.shape", service=service).verdict for other in pages]
    assert verdicts == [Verdict.FAIL, Verdict.PASS]


def test_an_untestable_check_learns_from_the_others() -> None:
    """A check that is untestable by its own exercise fails if another exercise shows its rule broken."""
    unseen = toys.check("get.schema", toys.unmet, toys.nothing, everywhere=True)
    other = toys.check("get.other", reading("b"), own)
    events = check_target(toys.toy_target(spoiling("b")), (unseen, other), RunOptions())
    outcomes = {e.result.id: e.result.observation.outcome for e in events if isinstance(e, CheckFinished)}
    assert outcomes["get.schema"] is Outcome.NOT_MET


def test_a_baseline_excuses_it() -> None:
    baseline = Baseline([Entry("get.schema", "known", "")])
    assert run(reading("a"), reading("b"), service=spoiling("b"), baseline=baseline).verdict is Verdict.XFAIL


@pytest.mark.parametrize("one_service", [True, False])
@pytest.mark.parametrize(("later", "told"), [("i3", 1), ("i1", 0)])
def test_a_denial_of_an_id_that_is_given_again_proves_nothing(later: str, told: int, one_service: bool) -> None:
    """Two exercises at once may share an id that is given twice; one deletes what the other then looks for."""
    audit = Audit(frozenset({"del.ok"}), SERVERS)
    audit.note_denials([create(200), create(200, "i2"), delete(200, "i2"), delete(404)])
    audit.note_denials([create(200, later)])
    audit.settle_denials(one_service=one_service)
    assert len(audit.list_sightings("del.ok")) == (told if one_service else 1)


def test_a_contradiction_that_is_explained_is_blocked() -> None:
    """What answers contradict each other in is left to the check that knows why; what one answer shows is not."""
    own = Observation(Outcome.MET)
    seen = Finding.from_code("get.same/usage", "changed")
    for code in ("get.same", "get.same/usage"):
        blocked = add_sightings(own, [seen], compared=True, explained={code: "get.usage"})
        assert (blocked.outcome, blocked.cause, blocked.findings) == (Outcome.BLOCKED, "get.usage", ())
    for compared, code in ((True, ""), (True, "get.same/steps"), (False, "get.same")):
        explained = {code: "get.usage"}
        assert add_sightings(own, [seen], compared=compared, explained=explained).findings == (seen,)
