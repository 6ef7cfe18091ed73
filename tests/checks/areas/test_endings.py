"""The judges of the checks on background runs with an unusual start or end, on hand-made exchanges."""

from __future__ import annotations

import pytest

from harness.outcome import Because
from harness.wire import Exchange
from tests.checks._play import DONE, REFUSED, answer, case, interaction, judge, shows
from tests.checks._streams import event, streamed, text_events

# --- background runs with an unusual start or end, on hand-made exchanges

RUNNING = shows("in_progress", steps=None)
QUEUED = shows("queued", steps=None)
FAILED = shows("failed", steps=[], errors=[{"code": "api_error", "message": "No."}])
FAILED_STREAM = streamed(text_events("He", status="failed"))
ERROR_STREAM = streamed([*text_events("He")[:4], event("error", error={"code": "api_error", "message": "No."})])
COMPLETED_STREAM = streamed(text_events("He"))
SHORT = shows("incomplete")
SHORT_STREAM = streamed(text_events("He", status="incomplete"))
TERSE = shows("completed", usage={"total_output_tokens": 1})

CASES = [
    case("bg.queued", "met", "and on", queued=True, history=[QUEUED, QUEUED, RUNNING, DONE]),
    case("bg.queued", "untestable", "no queue", queued=False, history=[RUNNING, DONE]),
    case("bg.queued", "not_met", "hidden", queued=True, history=[RUNNING, DONE]),
    case("bg.queued", "not_met", "for ever", queued=False, history=[QUEUED, QUEUED]),
    case("bg.queued", "not_met", "again after running", queued=False, history=[QUEUED, RUNNING, QUEUED, DONE]),
    case("bg.failed-diag", "met", "errors", failed=FAILED),
    case("bg.failed-diag", "met", "in a step", failed=shows("failed", steps=[
        {"type": "model_output", "error": {"code": 13, "message": "No."}}
    ])),
    case("bg.failed-diag", "not_met", "neither", failed=shows("failed")),
    case("bg.failed-visible", "not_met", "completed", failed=DONE),
    case("bg.failed-streamed", "met", "as its status", failed_stream=FAILED_STREAM),
    case("bg.failed-streamed", "met", "as an error event", failed_stream=ERROR_STREAM),
    case("bg.failed-streamed", "not_met", "completed", failed_stream=COMPLETED_STREAM),
    case("bg.incomplete-visible", "met", "in both", cut_short=SHORT, its_stream=SHORT_STREAM),
    case("bg.incomplete-visible", "untestable", "in neither", cut_short=DONE, its_stream=COMPLETED_STREAM),
    case("bg.incomplete-visible", "not_met", "not in the stream", cut_short=SHORT, its_stream=COMPLETED_STREAM),
]  # fmt: skip


@pytest.mark.parametrize(
    ("check_id", "exchanges"),
    [
        ("bg.queued", {"queued": False, "history": [RUNNING, DONE]}),
        ("bg.incomplete-visible", {"cut_short": TERSE, "its_stream": COMPLETED_STREAM}),
    ],
)
def test_luck_is_nobodys_fault(check_id, exchanges):
    """A state that a target cannot be forced into is reported as a lost race, not as a failure."""
    assert judge(check_id, **exchanges).because is Because.RACE_LOST


def test_an_ignored_limit_is_no_luck():
    """A run that made more than the one token it was allowed has not merely been terse."""
    observed = judge("bg.incomplete-visible", cut_short=DONE, its_stream=COMPLETED_STREAM)
    assert observed.because is Because.LACKING
    assert "was ignored: the run returned 3" in observed.reason


# --- long answers, on hand-made exchanges


def shows(*texts: str, **fields: object) -> Exchange:
    """A look at an interaction with these outputs."""
    steps = [{"type": "model_output", "content": [{"type": "text", "text": text}]} for text in texts]
    return answer(body=interaction(steps=steps, **fields))


def told(*texts: str, found: str = "v1_one") -> Exchange:
    """The stream of the same."""
    first, *_, last = text_events(found=found)
    events = [first]
    for index, text in enumerate(texts):
        events += [
            event("step.start", index=index, step={"type": "model_output"}),
            event("step.delta", index=index, delta={"type": "text", "text": text}),
            event("step.stop", index=index),
        ]
    return streamed([*events, last])


HOP = shows("One, ", status="in_progress")
LOOKS = [answer(body=interaction(steps=None, status="in_progress")), HOP, shows("One, ", "two.")]
STREAM = told("One, ", "two.")
GOOD = {"asked": "v1_one", "text": "", "polled": LOOKS, "streamed": STREAM}

CASES += [
    case("long.same-id", "met", "two outputs", **GOOD),
    case("long.same-id", "met", "no stream", **{**GOOD, "streamed": REFUSED}),
    case("long.same-id", "untestable", "one hop", **{**GOOD, "polled": [shows("One.")], "streamed": told("One.")}),
    case("long.same-id", "not_met", "another id in a look", **{**GOOD, "polled": [shows("a", "b", id="v1_two")]}),
    case("long.same-id", "not_met", "another id told", **{**GOOD, "streamed": told("a", "b", found="v1_two")}),
    case("long.join", "untestable", "one hop", **{**GOOD, "polled": [shows("One.")]}),
    case("long.join", "untestable", "nothing to compare", **{**GOOD, "streamed": REFUSED}),
    case("long.join", "not_met", "a word lost in the stream", **{**GOOD, "streamed": told("One, ", "wo.")}),
    case("long.join", "not_met", "a word said twice", **{**GOOD, "polled": [shows("One, ", "One, two.")]}),
]  # fmt: skip
