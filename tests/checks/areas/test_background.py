"""The judges of the checks on background runs, on hand-made exchanges."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from harness.outcome import Because
from tests.checks._play import DEAD, DONE, REFUSED, answer, case, interaction, judge, refusal, shows
from tests.checks._streams import CALL, call_events, streamed, text_events

RUNNING = shows("in_progress", steps=None)
SIGNED = {"type": "thought", "signature": "c2ln"}
SOME = shows("in_progress", steps=[SIGNED, {"type": "model_output", "content": [{"type": "text", "text": "H"}]}])
MORE = shows("in_progress", steps=[SIGNED, {"type": "model_output", "content": [{"type": "text", "text": "Hi"}]}])
QUEUED = shows("queued", steps=None)
SLOW = replace(RUNNING, seconds=61.0)
AFTER_TWO = replace(RUNNING, seconds=2.0)
UNHELD = {"held": False, "foreground": None, "short": None, "twice": None}
WAITED = {"created": AFTER_TWO, "held": False, "longer": None, "foreground": AFTER_TWO,
          "twice": AFTER_TWO}  # fmt: skip
DONE_AFTER_TWO = replace(DONE, seconds=2.0)
TIMELESS = answer(body=interaction(updated=None))
SILENT = shows("failed", steps=[])
FAILED = shows("failed", steps=[], errors=[{"code": "api_error", "message": "No."}])


def at(updated):
    """A poll that shows this time of the last change."""
    return answer(body=interaction(updated=updated))


NO_STREAM = {"outlived": None, "past_caches": None, "retries": []}
LOOKS = [replace(RUNNING, began=began, notes={}) for began in (0.0, 30.0)]
STREAMED_LATE = replace(DONE, seconds=20.0, notes={})
KNOWN = {"outlived": RUNNING, "past_caches": RUNNING, "retries": []}

CASES = [
    case("bg.create", "met", "running", created=RUNNING),
    case("bg.create", "met", "queued", created=QUEUED),
    case("bg.create", "met", "over already", created=DONE),
    case("bg.create", "met", "an unknown status", created=shows("paused")),
    case("bg.create", "not_met", "no id", created=shows("in_progress", id=None)),
    case("bg.create", "not_met", "no status", created=answer(body=interaction(status=None))),
    case("bg.create", "not_met", "refused", created=REFUSED),
    case("bg.create", "not_met", "dead", created=DEAD),
    case("bg.at-once", "untestable", "over already", created=DONE, **UNHELD, longer=None),
    case("bg.at-once", "met", "a longer one runs", created=DONE, **UNHELD, longer=RUNNING),
    case("bg.at-once", "not_met", "a longer one is over, too", created=DONE, **UNHELD, longer=DONE),
    case("bg.at-once", "not_met", "at the end", **WAITED, short=RUNNING),
    case("bg.at-once", "met", "late, not at the end", **{**WAITED, "foreground": SLOW}, short=RUNNING),
    case("bg.at-once", "met", "late once", **{**WAITED, "twice": RUNNING}, short=RUNNING),
    case("bg.get-at-once", "met", "over at once", looked=DONE, pairs=[]),
    case("bg.get-at-once", "met", "late twice", looked=DONE_AFTER_TWO, pairs=[(DONE_AFTER_TWO, DONE)] * 2),
    case("bg.get-at-once", "met", "always slow", looked=DONE_AFTER_TWO, pairs=[(DONE_AFTER_TWO,) * 2] * 3),
    case("bg.get-at-once", "not_met", "at the end", looked=DONE_AFTER_TWO, pairs=[(DONE_AFTER_TWO, DONE)] * 3),
    case("bg.at-once", "untestable", "refused", created=REFUSED, **{**UNHELD, "held": True}, longer=None),
    case("bg.fast", "untestable", "refused", created=REFUSED),
    case("bg.fast", "not_met", "as slow as the run", created=SLOW),
    case("bg.settles", "met", "an unknown status", polled=[RUNNING, shows("paused")]),
    case("bg.settles", "not_met", "never", polled=[RUNNING, RUNNING]),
    case("bg.settles", "not_met", "gone", polled=[RUNNING, refusal(404)]),
    case("bg.result", "untestable", "failed once", **NO_STREAM | {"retries": [DONE, DONE] * 2}, polled=[FAILED]),
    case("bg.result", "non_strict", "says why", **NO_STREAM | {"retries": [DONE, FAILED] * 2}, polled=[FAILED]),
    case("bg.result", "not_met", "fails", **NO_STREAM | {"retries": [DONE, FAILED] * 2}, polled=[SILENT]),
    case("bg.result", "non_strict", "goes on", **NO_STREAM | {"retries": [DONE, RUNNING] * 2}, polled=LOOKS),
    case("bg.result", "untestable", "goes on as long as streams", polled=LOOKS,
         **NO_STREAM | {"retries": [STREAMED_LATE, RUNNING] * 2}),
    case("bg.result", "not_met", "no steps", **NO_STREAM, polled=[shows("completed", steps=[])]),
    case("bg.result", "not_met", "a stream that knows more", **KNOWN, polled=[RUNNING]),
    case("bg.same-id", "met", "a brief 404", created=RUNNING, polled=[refusal(404), DONE]),
    case("bg.same-id", "not_met", "another", created=RUNNING, polled=[RUNNING, shows("completed", id="v1_two")]),
    case("bg.no-regress", "not_met", "gone", polled=[DONE], later=[DONE, refusal(404)]),
    case("bg.grows", "met", "more of it", polled=[SOME, MORE, DONE]),
    case("bg.grows", "met", "a run that failed shows none", polled=[SOME, MORE, SILENT]),
    case("bg.grows", "not_met", "less of it", polled=[MORE, SOME, DONE]),
    case("bg.grows", "not_met", "less at the end", polled=[MORE, shows("completed", steps=[SIGNED])]),
    case("bg.transition", "met", "skipped", created=QUEUED, polled=[DONE]),
    case("bg.transition", "met", "unknown", created=RUNNING, polled=[shows("paused"), DONE]),
    case("bg.transition", "not_met", "out of the end", created=RUNNING, polled=[DONE, RUNNING, DONE]),
    case("bg.transition", "untestable", "no status", created=REFUSED, polled=[REFUSED]),
    case("bg.updated", "met", "no times", created=TIMELESS, polled=[TIMELESS], later=[]),
    case("bg.updated", "met", "equal instants, written otherwise", created=RUNNING, later=[], polled=[
        DONE, at("2026-11-19T23:00:01-08:00"), at("2026-11-20T07:00:01.000Z"), at("2026-11-20T07:00:01+00:00")
    ]),
    case("bg.updated", "not_met", "back", created=RUNNING, polled=[DONE, at("2026-11-20T06:00:00Z")], later=[]),
]  # fmt: skip

WAITS = streamed(call_events('{"location": "Paris"}'))
ENDS = streamed(call_events('{"location": "Paris"}', status="completed"))
SPEAKS = streamed(text_events("Sunny."))

CASES += [
    case("bg.requires-action", "not_met", "its stream has ended", called=RUNNING, outlived=RUNNING),
    case("bg.requires-action", "met", "waits", called=shows("requires_action", steps=[CALL]), outlived=None),
    case("bg.requires-action", "untestable", "no call", called=DONE, outlived=None),
    case("bg.requires-action", "not_met", "waits for nothing", called=shows("requires_action"), outlived=None),
    case("bg.requires-action", "untestable", "cut short", called=shows("incomplete", steps=[CALL]), outlived=None),
    case("bg.requires-action", "not_met", "completed", called=shows("completed", steps=[CALL]), outlived=None),
    case("bg.requires-action-streamed", "met", "one is refused", call_streams={"GET": REFUSED, "POST": WAITS}),
    case("bg.requires-action-streamed", "untestable", "no call", call_streams={"GET": SPEAKS, "POST": SPEAKS}),
    case("bg.requires-action-streamed", "not_met", "not in GET", call_streams={"GET": ENDS, "POST": WAITS}),
    case("bg.requires-action-streamed", "not_met", "not in POST", call_streams={"GET": WAITS, "POST": ENDS}),
]


@pytest.mark.parametrize(("seconds", "told"), [(0.1, "seems to be ignored"), (8.0, "waits for the run")])
def test_a_create_that_was_over_at_once_did_not_wait(seconds, told):
    """What brought a finished run soon ignores `background`; what took long waited."""
    longer = replace(DONE, seconds=seconds)
    (found,) = judge("bg.at-once", created=DONE, **UNHELD, longer=longer).findings
    assert told in found.message


def test_a_fast_run_is_nobodys_fault():
    """A run that could not be held and was over at once is reported as a lost race, not as a failure."""
    assert judge("bg.at-once", created=DONE, **UNHELD, longer=None).because is Because.RACE_LOST
