"""Whatever is wrong with an answer as a whole is told before all that follows from it."""

from __future__ import annotations

from typing import Any

import pytest

from harness.contract import load
from harness.contract.judge.history.history_judge import HistoryJudge
from harness.contract.judge.roots import judge_roots
from harness.outcome import Severity
from harness.wire import At, By, Ending, Exchange, How
from tests.contract.exchanges import ROOT, exchange

FOUND = {"id": "i1", "status": "completed"}
GONE = {"error": {"code": "not_found", "message": "There is no such interaction."}}
PATH = f"{ROOT}/i1"


def seen(status: int = 200, body: Any = FOUND, **request: Any) -> Exchange:
    """An exchange that was read by the current contract."""
    return exchange(status=status, body=body, **{"method": "GET", "target": PATH, **request})


CREATED = seen(method="POST", target=ROOT, sent={"input": "hi"})
SHOWN = seen()
DELETED = seen(body={}, method="DELETE")
DELETED_BY_ANOTHER = seen(body={}, method="DELETE", key="other")
REFUSED_ANOTHER = seen(404, GONE, method="DELETE", key="other")
UNKEPT = seen(method="POST", target=ROOT, sent={"input": "hi", "store": False})
OTHER_CALLER = seen(key="other")
LOST = seen(404, GONE)
CHAINED = seen(404, GONE, method="POST", target=ROOT, sent={"input": "hi", "previous_interaction_id": "i1"})
ANOTHER = seen(body={**FOUND, "id": "i2"})
CANCELLED = seen(body={**FOUND, "id": "i3"}, method="POST", target=f"{PATH}/cancel")
CUT = Ending(By.SERVER, How.FIN, At.IN_BODY, declared=90, sent=40)


@pytest.mark.parametrize(
    ("answer", "root"),
    [
        (SHOWN, []),
        (LOST, []),
        (seen(200, GONE), ["err.status"]),
        (seen(500, GONE), ["err.status"]),
        (seen(200, b'{"id": "i1"'), ["http.json-valid"]),
        (seen(200, b'{"id": "i1"', ending=CUT), ["http.length", "http.json-valid"]),
        (ANOTHER, ["get.ok"]),
        (seen(body={**FOUND, "steps": {"type": "model_output"}}), ["get.schema"]),
        (seen(body={**FOUND, "steps": None}), []),
        (seen(body={**FOUND, "steps": [{"type": "model_output", "content": "hi"}]}), ["get.schema"]),
        (seen(body={**FOUND, "steps": [{"type": "model_output", "content": [{"type": "text", "text": 1}]}]}), []),
        (seen(body={**FOUND, "id": 1}), ["get.schema"]),
        (CANCELLED, []),
    ],
    ids=[
        "right",
        "refused",
        "an error that succeeds",
        "a refusal under 500",
        "broken JSON",
        "cut",
        "of another",
        "one step",
        "no steps",
        "content as text",
        "one text that is none",
        "a number as id",
        "a cancel of another",
    ],
)
def test_the_worst_comes_first(answer: Exchange, root: list[str]) -> None:
    """An answer that is no whole message explains why it is no JSON, and not the other way round."""
    assert [finding.rule for finding in judge_roots(answer, [])] == root


def test_ids_that_do_not_last_explain_other_answers() -> None:
    """That a cancel shows another id follows from a GET that did so, and from nothing else."""
    assert [finding.stable_code for finding in judge_roots(CANCELLED, [ANOTHER])] == ["get.ok/other"]
    assert list(judge_roots(CANCELLED, [SHOWN])) == []


@pytest.mark.parametrize(
    ("before", "answer", "severities"),
    [
        ([CREATED, SHOWN], LOST, [Severity.BROKEN]),
        ([CREATED], LOST, [Severity.INFORMATION]),
        ([SHOWN], CHAINED, [Severity.INFORMATION]),
        ([SHOWN], seen(404, GONE, target=f"{PATH}?stream=true"), [Severity.INFORMATION]),
        ([SHOWN, DELETED], LOST, []),
        ([SHOWN, DELETED_BY_ANOTHER], LOST, []),
        ([SHOWN, REFUSED_ANOTHER], LOST, [Severity.BROKEN]),
        ([UNKEPT], LOST, []),
        ([OTHER_CALLER], LOST, []),
        ([SHOWN], seen(404, GONE, target="/v1/interactions/i1"), []),
        ([SHOWN], seen(403, GONE), []),
    ],
    ids=[
        "shown, then gone", "just created", "continued", "a stream", "deleted", "deleted by another",
        "refused to another", "not kept", "of another key", "another version", "forbidden",
    ],
)  # fmt: skip
def test_what_was_there_is_lost(before: list[Exchange], answer: Exchange, severities: list[Severity]) -> None:
    """Only a plain GET after one that showed the interaction proves a loss; what was deleted is none."""
    found = list(judge_roots(answer, before))
    assert [finding.severity for finding in found] == severities
    assert {finding.stable_code for finding in found} <= {"get.ok/lost"}


def test_a_rejected_delete_that_took_effect_is_named() -> None:
    (lost,) = judge_roots(LOST, [SHOWN, REFUSED_ANOTHER])
    assert lost.message.startswith("a rejected DELETE took effect: GET ")
    (lost,) = judge_roots(LOST, [REFUSED_ANOTHER, SHOWN])
    assert lost.message.startswith("GET "), "it was there after the DELETE"


def test_an_error_that_succeeds_says_nothing_of_the_history() -> None:
    """A refusal under a status of success is told as that, and not as a deletion without effect."""
    judge = HistoryJudge(load(), sole_client=True)
    for before in (CREATED, DELETED):
        judge.note(before)
    assert not judge.note(seen(200, GONE)).findings
    assert [finding.rule for finding in judge.note(SHOWN).findings] == ["del.gone"]
