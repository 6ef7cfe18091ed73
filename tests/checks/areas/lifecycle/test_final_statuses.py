"""The judges of the checks on background runs with an unusual start or end, on hand-made exchanges."""

from __future__ import annotations

import pytest

from harness.outcome import Because
from tests.checks._play import case, judge, shows
from tests.checks._streams import event, streamed, text_events

DONE = shows("completed")
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
    case("bg.failed-visible", "met", "in both", failed=FAILED, failed_stream=FAILED_STREAM),
    case("bg.failed-visible", "met", "as an error event", failed=FAILED, failed_stream=ERROR_STREAM),
    case("bg.failed-visible", "not_met", "not in GET", failed=DONE, failed_stream=FAILED_STREAM),
    case("bg.failed-visible", "not_met", "not in the stream", failed=FAILED, failed_stream=COMPLETED_STREAM),
    case("bg.incomplete-visible", "met", "in both", cut_short=SHORT, its_stream=SHORT_STREAM),
    case("bg.incomplete-visible", "untestable", "in neither", cut_short=DONE, its_stream=COMPLETED_STREAM),
    case("bg.incomplete-visible", "not_met", "not in GET", cut_short=DONE, its_stream=SHORT_STREAM),
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
    assert "was ignored: the run made 3" in observed.reason
