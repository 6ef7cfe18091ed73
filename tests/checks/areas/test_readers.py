"""The judges of the checks on several readers of one run, on hand-made exchanges."""

from __future__ import annotations

from tests.checks._play import DONE, MISSING, answer, case, interaction, judge, refusal
from tests.checks._streams import event, numbered, streamed, text_events

EVENTS = numbered(text_events("He", "llo ", "world"))
WHOLE = streamed(EVENTS)
HALF = streamed(EVENTS[::2])
TWICE = streamed([*EVENTS, EVENTS[3]])
EMPTY = streamed([])
BEAT = event("interaction.heartbeat")
EMPTY_ERROR = event("error")
BACK = {"had": EVENTS[:5], "token": "ev4", "replay": WHOLE}


def polled(status):
    """What the polls of a run showed, the last of them this status."""
    return [answer(body=interaction(status="in_progress")), answer(body=interaction(status=status))]


def joined(text, found):
    """The same text in one delta, where another reader got several."""
    return {"event_id": found, **event("step.delta", index=1, delta={"type": "text", "text": text})}


BOTH = [WHOLE, WHOLE]
NO_NEWEST = {"known": [], "newest_rests": []}
NEVER = {"had_all": [], "late_rest": None, **NO_NEWEST}
TOGETHER = {**NEVER, "readers": BOTH}
HAD = {"had_all": EVENTS[:7], **NO_NEWEST}
NEWEST = {**TOGETHER, "known": [EVENTS[:7]]}
FIRST_PART = [*EVENTS[:6], *EVENTS[7:]]

CASES = [
    case("resume.two-readers", "met", "both", readers=[WHOLE, WHOLE], replay=WHOLE, waits=0),
    case("resume.two-readers", "not_met", "shared out", readers=[WHOLE, HALF], replay=WHOLE, waits=0),
    case("resume.two-readers", "not_met", "events twice", readers=[TWICE, WHOLE], replay=WHOLE, waits=0),
    case("resume.two-readers", "not_met", "one is empty", readers=[WHOLE, EMPTY], replay=WHOLE, waits=0),
    case("resume.two-readers", "not_met", "one is refused", readers=[WHOLE, refusal(409)], replay=WHOLE, waits=0),
    case("resume.two-readers", "untestable", "no replay", readers=[WHOLE, WHOLE], replay=DONE, waits=0),
    case("bg.survives-hangup", "met", "it went on", polled=polled("completed"), twin=None),
    case("bg.survives-hangup", "met", "it waits for a tool", polled=polled("requires_action"), twin=DONE),
    case("bg.survives-hangup", "not_met", "it stands still", polled=polled("in_progress"), twin=DONE),
    case("bg.survives-hangup", "not_met", "gone", polled=[MISSING], twin=DONE),
    case("bg.survives-hangup", "not_met", "so does one that is read", polled=polled("in_progress"),
         twin=polled("in_progress")[-1]),
    case("bg.survives-hangup", "untestable", "all fail", polled=polled("failed"), twin=polled("failed")[-1]),
    case("resume.live", "not_met", "shared out", **NEVER, readers=[streamed(FIRST_PART), streamed(EVENTS[:5])],
         rest=streamed([EVENTS[6], *EVENTS[8:]]), **BACK),
    case("resume.from-create", "met", "the rest", rest=streamed(EVENTS[5:]), **BACK),
    case("resume.from-create", "not_met", "refused", rest=refusal(400), **BACK),
    case("resume.from-create", "not_met", "only what came later", rest=streamed(EVENTS[8:]), **BACK),
    case("resume.from-create", "not_met", "ids of its own", rest=streamed(EVENTS[5:]), token="ev4", replay=WHOLE,
         had=[{**one, "event_id": f"ev{number}"} for number, one in enumerate(EVENTS[:4], 1)]),
    case("resume.live", "met", "the rest", **TOGETHER, rest=streamed(EVENTS[5:]), **BACK),
    case("resume.live", "non_strict", "the boundary once more", **TOGETHER, rest=streamed(EVENTS[4:]), **BACK),
    case("resume.live", "non_strict", "a replay that joins its deltas", **TOGETHER, rest=streamed(EVENTS[7:]),
         had=EVENTS[:7],
         token="ev6", replay=streamed([*EVENTS[:6], joined("Hello world", "ev8"), *EVENTS[9:]])),
    case("resume.live", "not_met", "a joined replay of another text", **TOGETHER, rest=streamed(EVENTS[7:]),
         had=EVENTS[:7],
         token="ev6", replay=streamed([*EVENTS[:6], joined("Hello worlds", "ev8"), *EVENTS[9:]])),
    case("resume.live", "met", "heartbeats and empty errors of the connection", **TOGETHER, **{
        **BACK, "rest": streamed([BEAT, *EVENTS[5:7], EMPTY_ERROR, *EVENTS[7:]])
    }),
    case("resume.live", "not_met", "an error with a word in it", **TOGETHER, **{
        **BACK, "rest": streamed([*EVENTS[5:7], {**EMPTY_ERROR, "error": {"code": "api_error"}}, *EVENTS[7:]])
    }),
    case("resume.live", "not_met", "only what came later", **TOGETHER, rest=streamed(EVENTS[8:]), **BACK),
    case("resume.live", "not_met", "all of it", **TOGETHER, rest=WHOLE, **BACK),
    case("resume.live", "not_met", "JSON", **TOGETHER, rest=DONE, **BACK),
    case("resume.live", "not_met", "refused", **TOGETHER, rest=refusal(400), **BACK),
    case("resume.live", "met", "other ids in the replay", **TOGETHER, rest=streamed(EVENTS[5:]),
         had=EVENTS[:5], token="ev4",
         replay=streamed(text_events("He", "llo ", "world"))),
    case("resume.live", "untestable", "a replay of less than was read", **TOGETHER, rest=WHOLE, **{
        **BACK, "token": "gone", "had": numbered([*EVENTS, {}], name="gone"), "replay": streamed(EVENTS[:2])
    }),
    case("resume.live", "not_met", "canceled by nobody", **TOGETHER,
         rest=streamed(text_events("Hel", "lo ", "world", status="cancelled")[5:]), **BACK),
    case("resume.live", "met", "at the newest event, too", **{**NEWEST, "newest_rests": [streamed(EVENTS[7:])]},
         rest=streamed(EVENTS[5:]), **BACK),
    case("resume.live", "not_met", "all of it at the newest event", **{**NEWEST, "newest_rests": [WHOLE]},
         rest=streamed(EVENTS[5:]), **BACK),
    case("resume.live", "met", "after the end", readers=BOTH, rest=streamed(EVENTS[5:]), **BACK, **HAD,
         late_rest=streamed(EVENTS[7:])),
    case("resume.live", "not_met", "all of it after the end", readers=BOTH, rest=streamed(EVENTS[5:]), **BACK,
         **HAD, late_rest=WHOLE),
    case("resume.live", "not_met", "less of it after the end", readers=BOTH, rest=streamed(EVENTS[5:]), **BACK,
         **HAD, late_rest=streamed(EVENTS[9:])),
    case("resume.live", "untestable", "no replay to compare with", **TOGETHER, rest=WHOLE,
         **{**BACK, "replay": DONE}),
]  # fmt: skip


def test_a_word_that_comes_twice_is_no_gap():
    """Streams that all end early are not called divided, also if they have a delta twice."""
    events = numbered(text_events("no ", "no ", "yes ", "well"))
    early = streamed(events[:8])
    seen = {"had": events[:5], "token": "ev4", "rest": streamed(events[5:8]), "replay": streamed(events)}
    [finding] = judge("resume.live", **NEVER, readers=[early, early], **seen).findings
    assert finding.message.startswith("the stream after 'ev4' skips 4 events")
