"""The judges of the checks on cancelling: in time, too late, or something that does not exist."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from harness.outcome import Because
from harness.wire import By, Ending, How
from tests.checks._play import CRASH, DEAD, DONE, EMPTY, REFUSED, case, judge, judged, refusal, shows
from tests.checks._streams import event, streamed, text_events

RUNNING = shows("in_progress", steps=None)
CANCELLED = shows("cancelled", steps=[])
BARE = shows("cancelled", steps=None, usage=None)
ENDED = streamed(text_events("Hi", status="cancelled"))
STALLED = replace(ENDED, ending=Ending(by=By.LIMIT, how=How.STALL, detail="nothing came"))
ERROR = event("error", error={"code": "cancelled", "message": "Called off."})
CUT = replace(EMPTY, ending=STALLED.ending, notes={})


BESIDE = {"run": RUNNING, "bystander": RUNNING, "waits": 0, "stuck": 0, "posted": None, "posted_polled": [],
          "silent": None}  # fmt: skip
SOLE = {"cancelled": CANCELLED, "posted": None, "posted_polled": [], "posted_stream": None, "replay": ENDED}
SILENT = replace(STALLED, began=0.0, seconds=30.0, notes={})  # a stream of 30 seconds that its limit cut


def canceled_after(seconds):
    """A cancel at this moment."""
    return replace(CANCELLED, began=seconds, notes={})


POSTED = {**SOLE, "stream": ENDED, "posted_polled": [CANCELLED]}
WAITED = {**BESIDE, "bystander": judged(replace(RUNNING, seconds=3.0, notes={})), "waits": 1}


def posted(cancelled, *polled):
    """A run whose create is streamed, and that was canceled beside one that could be."""
    one = {"posted": cancelled, "posted_polled": [*polled]}
    return {**BESIDE, "held": False, "cancelled": CANCELLED, "polled": [CANCELLED], **one}


CASES = [
    case("cancel.ok", "not_met", "beside streams that block", **WAITED, held=False, cancelled=REFUSED,
         polled=[DONE]),
    case("cancel.ok", "non_strict", "beside short streams that block", **{**BESIDE, "waits": 1}, held=False,
         cancelled=REFUSED, polled=[DONE]),
    case("cancel.state", "untestable", "beside a stream that blocks", **WAITED, held=False, cancelled=REFUSED,
         polled=[DONE], beside=None),
    case("cancel.ok", "met", "beside a slow create", **{**WAITED, "waits": 0}, held=False, cancelled=CANCELLED,
         polled=[CANCELLED]),
    case("cancel.ok", "met", "not yet", **BESIDE, held=True, cancelled=RUNNING, polled=[CANCELLED]),
    case("cancel.ok", "untestable", "over before", **BESIDE, held=False, cancelled=REFUSED, polled=[DONE]),
    case("cancel.ok", "untestable", "lost after", **BESIDE, held=False, cancelled=REFUSED, polled=[DEAD]),
    case("cancel.ok", "not_met", "refused, though it stood still", **BESIDE, held=True, cancelled=REFUSED,
         polled=[DONE]),
    case("cancel.ok", "not_met", "refused while running", **BESIDE, held=False, cancelled=REFUSED,
         polled=[RUNNING]),
    case("cancel.ok", "not_met", "refused, then seen running, then over", **BESIDE, held=False,
         cancelled=REFUSED, polled=[RUNNING, DONE]),
    case("cancel.ok", "not_met", "no interaction", **BESIDE, held=True, cancelled=EMPTY, polled=[CANCELLED]),
    case("cancel.ok", "met", "cut by the time limit", **BESIDE, held=True, cancelled=CUT, polled=[CANCELLED]),
    case("cancel.ok", "not_met", "another interaction", **BESIDE, held=True,
         cancelled=shows("cancelled", id="v1_two"), polled=[CANCELLED]),
    case("cancel.ok", "not_met", "silent at the second", **{**BESIDE, "silent": DEAD}, held=True,
         cancelled=CANCELLED, polled=[CANCELLED]),
    case("cancel.ok", "met", "a streamed create", **posted(CANCELLED, CANCELLED)),
    case("cancel.ok", "met", "a streamed create, over before", **posted(REFUSED, DONE)),
    case("cancel.ok", "not_met", "a streamed create, refused", **posted(REFUSED, RUNNING, DONE)),
    case("cancel.state", "met", "a streamed create", **posted(CANCELLED, CANCELLED), beside=None),
    case("cancel.state", "not_met", "a streamed create goes on", **posted(RUNNING, RUNNING, DONE), beside=None),
    case("cancel.state", "met", "a streamed create, over at once", **posted(RUNNING, DONE), beside=None),
    case("cancel.state", "met", "after a delay", **BESIDE, held=True, cancelled=CANCELLED,
         polled=[RUNNING, RUNNING, CANCELLED], beside=None),
    case("cancel.state", "met", "another run goes on", **BESIDE, held=False, cancelled=CANCELLED,
         polled=[CANCELLED],
         beside=RUNNING),
    case("cancel.state", "untestable", "over before", **BESIDE, held=False, cancelled=RUNNING, polled=[DONE],
         beside=None),
    case("cancel.state", "non_strict", "overtaken by the end, or ignored", **BESIDE, held=False, cancelled=RUNNING,
         polled=[RUNNING, DONE], beside=None),
    case("cancel.state", "not_met", "answered as cancelled, then completed", **BESIDE, held=False,
         cancelled=CANCELLED,
         polled=[DONE], beside=None),
    case("cancel.state", "not_met", "in progress for long, then completed", **BESIDE, held=False,
         cancelled=RUNNING,
         polled=[RUNNING] * 20 + [DONE], beside=None),
    case("cancel.shows-output", "met", "nothing was produced", cancelled=BARE, polled=[BARE]),
    case("cancel.shows-output", "met", "counted later", cancelled=shows("cancelled", usage=None),
         polled=[shows("cancelled")]),
    case("cancel.shows-output", "not_met", "no output", cancelled=CANCELLED, polled=[shows("cancelled")]),
    case("cancel.state", "untestable", "refused, then seen running", **BESIDE, held=False, cancelled=REFUSED,
         polled=[RUNNING, DONE], beside=None),
    case("cancel.state", "not_met", "completed, though it stood still", **BESIDE, held=True, cancelled=CANCELLED,
         polled=[DONE], beside=None),
    case("cancel.state", "not_met", "runs on", **BESIDE, held=False, cancelled=CANCELLED,
         polled=[RUNNING, RUNNING],
         beside=None),
    case("cancel.stays", "untestable", "never was", polled=[RUNNING], later=DONE),
    case("cancel.stays", "not_met", "comes back", polled=[RUNNING, CANCELLED], later=DONE),
    case("cancel.result-stays", "untestable", "gone", later=CANCELLED, latest=refusal(404)),
    case("cancel.result-stays", "not_met", "costs more", later=CANCELLED,
         latest=shows("cancelled", usage={"total_tokens": 500})),
    case("cancel.get-after", "not_met", "gone", run=RUNNING, later=refusal(404)),
    case("cancel.stream-ends", "met", "completed", **SOLE, stream=ENDED),
    case("cancel.stream-ends", "not_met", "stalls later", **{**SOLE, "replay": STALLED}, stream=ENDED),
    case("cancel.stream-ends", "untestable", "its limit passed before the cancel",
         **{**SOLE, "cancelled": canceled_after(29.0)}, stream=SILENT),
    case("cancel.stream-ends", "not_met", "its limit passed after the cancel",
         **{**SOLE, "cancelled": canceled_after(1.0)}, stream=SILENT),
    case("cancel.stream-ends", "met", "refused later", **{**SOLE, "replay": refusal(400)}, stream=ENDED),
    case("cancel.stream-ends", "met", "an error", **SOLE, stream=streamed([*text_events("Hi")[:4], ERROR])),
    case("cancel.stream-ends", "not_met", "JSON", **SOLE, stream=RUNNING),
    case("cancel.stream-ends", "non_strict", "silently", **SOLE, stream=streamed(text_events("Hi")[:4])),
    case("cancel.stream-ends", "non_strict", "as if completed", **SOLE, stream=streamed(text_events("Hi"))),
    case("cancel.stream-ends", "met", "of the create", **{**POSTED, "posted_stream": ENDED}),
    case("cancel.stream-ends", "not_met", "of the create, stalls", **{**POSTED, "posted_stream": STALLED}),
    case("cancel.stream-ends", "not_met", "completed later", stream=ENDED,
         **{**SOLE, "replay": streamed(text_events("Hi"))}),
    case("cancel.foreground", "met", "refused", foreground=REFUSED),
    case("cancel.foreground", "met", "unchanged", foreground=DONE),
    case("cancel.foreground", "met", "an empty object", foreground=EMPTY),
    case("cancel.foreground", "not_met", "crash", foreground=CRASH),
    case("cancel.settled", "met", "refused", settled=REFUSED),
    case("cancel.settled", "not_met", "dead", settled=DEAD),
    case("cancel.keeps-result", "untestable", "never read", got=REFUSED, after=DONE),
    case("cancel.keeps-result", "not_met", "another status", got=DONE, after=shows("cancelled")),
    case("cancel.keeps-result", "not_met", "gone", got=DONE, after=refusal(404)),
    case("cancel.keeps-background-result", "not_met", "emptied", settled_before=DONE, settled_after=CANCELLED),
    case("cancel.unknown", "non_strict", "403", cancelled=refusal(403)),
]  # fmt: skip


@pytest.mark.parametrize("check_id", ["cancel.ok", "cancel.state"])
def test_a_lost_race_is_nobodys_fault(check_id):
    """If the run ended before the cancel arrived, the result is marked as a lost race."""
    seen = {**BESIDE, "held": False, "cancelled": REFUSED, "polled": [DONE], "beside": None}
    assert judge(check_id, **seen).because is Because.RACE_LOST


def test_an_accepted_cancel_is_not_said_to_have_come_too_late():
    """If a run ends normally after an accepted cancel, the reason does not claim that the cancel came too late."""
    seen = judge("cancel.state", **BESIDE, held=False, cancelled=RUNNING, polled=[DONE], beside=None)
    assert seen.because is Because.RACE_LOST
    assert seen.reason == "the cancel was accepted, but the run ended as completed"
