"""The judges of the checks on streams, on hand-made streams. The tests of `contract` cover each stream rule."""

from __future__ import annotations

from array import array

import pytest
from msgspec.structs import replace

from harness.checks.catalogue import CATALOGUE
from harness.outcome import Outcome
from harness.rules import BY_ID
from harness.wire import Arrivals, Exchange
from tests.checks._play import DEAD, DONE, REFUSED, answer, case, interaction, judge, refusal, says, shows
from tests.checks._streams import (
    begun,
    call_events,
    event,
    numbered,
    search_events,
    streamed,
    text_events,
    thought_events,
)

# --- streams, on hand-made streams. The tests of `contract` cover each stream rule

GOOD = text_events("He", "llo")
TEXT = streamed(GOOD)
CALL = streamed(call_events('{"location":', '"Paris"}'))
BACKGROUND = streamed(numbered(GOOD))
STREAMS = {"text": TEXT, "tool": CALL, "background": BACKGROUND}
CUT, KNOWN = streamed(text_events("To ż", "\ufffd\ufffdłć.")), says("To żółć.")
HELLO = answer(body=interaction(steps=[
    {"type": "user_input", "content": [{"type": "text", "text": "Say hi."}]},
    {"type": "thought", "signature": "c2ln"},
    {"type": "model_output", "content": [{"type": "text", "text": "Hello"}]},
]))  # fmt: skip


UNSIGNED = {"text": streamed([one for one in GOOD if one.get("delta", {}).get("type") != "thought_signature"])}


def without(*types):
    """The text stream without the events of these types."""
    return streamed([one for one in GOOD if one["event_type"] not in types])


CITED = [
    {"type": "text", "text": "Hello", "annotations": [{"type": "url_citation", "start_index": 0, "end_index": 5}]}
]
SEARCH = {"type": "google_search_call", "id": "s1", "arguments": {"queries": ["x"]}}
CASES = [
    case("stream.terminal", "met", "three kinds", text=TEXT, streams=STREAMS),
    case("stream.terminal", "not_met", "one kind just ends", text=TEXT, streams={
        **STREAMS, "tool": without("interaction.completed")
    }),
    case("stream.terminal", "untestable", "no stream at all", text=DONE, streams={}),
    case("stream.args-join", "met", "joined", text=TEXT, streams=STREAMS),
    case("stream.args-join", "not_met", "half an object", text=TEXT, streams={
        "tool": streamed(call_events('{"location":'))
    }),
    case("stream.args-join", "untestable", "no call", text=TEXT, streams={"text": TEXT}),
    case("stream.sig-last", "untestable", "none", text=TEXT, streams={"tool": CALL}),
    case("stream.evid-unique", "met", "all different", text=TEXT, streams=STREAMS),
    case("stream.evid-unique", "not_met", "all alike", text=TEXT, streams={
        "background": begun(GOOD, name="ev")
    }),
    case("stream.evid-unique", "non_strict", "all alike in the foreground", text=TEXT, streams={
        "text": streamed(numbered(GOOD, name="ev"))
    }),
    case("stream.evid-unique", "untestable", "none", text=TEXT, streams={"text": TEXT}),
    case("stream.completed-usage", "untestable", "never completed", text=TEXT, streams={
        "text": without("interaction.completed")
    }),
    case("stream.letters", "non_strict", "by chance", plain=KNOWN, streams={"text": CUT, "replay": CUT}),
    case("stream.letters", "not_met", "cut in a known word", plain=KNOWN, streams={"a": CUT, "b": CUT}),
    case("stream.equals-get", "met", "the same", streams=STREAMS, stored={"text": HELLO}),
    case("stream.equals-get", "met", "the text is not its matter", streams=STREAMS, stored={"text": DONE}),
    case("stream.equals-get", "non_strict", "another step", streams=STREAMS, stored={
        "text": answer(body=interaction(steps=[]))
    }),
    case("stream.equals-get", "not_met", "a search for something else", streams={
        "text": streamed(search_events({"queries": ["one"]}))
    }, stored={"text": answer(body=interaction(steps=[{**SEARCH, "arguments": {"queries": ["two"]}}]))}),
    case("stream.equals-get", "not_met", "a part of a search", streams={
        "text": streamed(search_events({"queries": ["one"]}))
    }, stored={"text": answer(body=interaction(steps=[{**SEARCH, "arguments": {"queries": ["one", "two"]}}]))}),
    case("stream.equals-get", "not_met", "a summary that comes twice", streams={
        "text": streamed(thought_events("I think.", "I think."))
    }, stored={"text": answer(body=interaction(steps=[
        {"type": "thought", "summary": [{"type": "text", "text": "I think."}]}
    ]))}),
    case("stream.signature", "not_met", "a search that is signed twice", streams={
        "text": streamed(search_events({}, "c2ln", "c2ln"))
    }, stored={"text": answer(body=interaction(steps=[{**SEARCH, "signature": "c2ln"}]))}),
    case("stream.signature", "met", "a search that is not signed in the stream", streams={
        "text": streamed(search_events({}))
    }, stored={"text": answer(body=interaction(steps=[{**SEARCH, "signature": "c2ln"}]))}),
    case("stream.equals-get", "not_met", "citations that are not streamed", streams=STREAMS, stored={
        "text": answer(body=interaction(steps=[
            {"type": "thought", "signature": "c2ln"}, {"type": "model_output", "content": CITED}
        ]))
    }),
    case("stream.signature", "not_met", "twice", streams=STREAMS, stored={
        "text": answer(body=interaction(steps=[{"type": "thought", "signature": "c2"}]))
    }),
    case("stream.signature", "met", "signed in the stream only", streams=STREAMS, stored={"text": DONE}),
    case("stream.signature", "met", "another one", streams=STREAMS, stored={
        "text": answer(body=interaction(steps=[{"type": "thought", "signature": "b3RoZXI="}]))
    }),
    case("stream.signature", "met", "unsigned in both", streams=UNSIGNED, stored={
        "text": answer(body=interaction(steps=[{"type": "thought"}]))
    }),
    case("stream.signature", "untestable", "no id", streams=STREAMS, stored={}),
    case("stream.text", "not_met", "a part is lost", streams=STREAMS, stored={
        "text": answer(body=interaction(steps=[{"type": "model_output", "content": [
            {"type": "text", "text": "Hel, lo"}
        ]}]))
    }),
    case("stream.text", "untestable", "never stored", streams=STREAMS, stored={"text": refusal(404)}),
    case("stream.text", "untestable", "failed", streams=STREAMS, stored={
        "text": answer(body=interaction(status="failed", steps=[]))
    }),
    case("stream.equals-get", "not_met", "never stored", streams=STREAMS, stored={"text": refusal(404)}),
    case("stream.equals-get", "untestable", "no id", streams=STREAMS, stored={}),
    case("stream.end-matches-get", "untestable", "never stored", streams=STREAMS, stored={"text": refusal(404)}),
    case("stream.end-matches-get", "not_met", "another cost", streams=STREAMS, stored={
        "text": answer(body=interaction(usage={"total_tokens": 6}))
    }),
    case("stream.opens", "met", "no tools", text=TEXT, tool=REFUSED, thought=REFUSED),
    case("stream.opens", "not_met", "JSON", text=DONE, tool=CALL, thought=TEXT),
    case("stream.opens", "not_met", "refused", text=REFUSED, tool=CALL, thought=TEXT),
    case("stream.equals-get", "not_met", "no interaction", streams=STREAMS, stored={"text": answer(body=[])}),
    case("stream.bg-and-stream", "not_met", "refused", background=REFUSED),
    case("stream.bg-and-stream", "not_met", "no id", background=streamed(text_events("Hi", found=""))),
    case("stream.bg-and-stream", "not_met", "dead", background=DEAD),
    case("stream.evid-delta", "met", "on each", background=begun(GOOD)),
    case("stream.evid-delta", "met", "on deltas only", background=begun(GOOD, only="step.delta")),
    case("stream.evid-delta", "not_met", "elsewhere only", background=begun(GOOD, only="step.start")),
    case("stream.evid-delta", "untestable", "none", background=TEXT),
    case("resume.foreground", "met", "refused", text=TEXT, replay=REFUSED),
    case("resume.foreground", "not_met", "JSON", text=TEXT, replay=DONE),
    case("resume.foreground", "not_met", "cut short", text=TEXT, replay=streamed(GOOD[:4])),
    case("resume.foreground", "untestable", "no id", text=TEXT, replay=None),
]  # fmt: skip


def test_every_rule_of_a_stream_has_a_check():
    """Every rule in the contract's `stream` area has a check, also rules added later."""
    judged = {check.id for check in CATALOGUE}
    assert {rule.id for rule in BY_ID.values() if rule.area == "stream"} <= judged


@pytest.mark.parametrize(
    ("rule", "broken"),
    [
        ("stream.first", GOOD[1:]),
        ("stream.created-once", [GOOD[0], *GOOD]),
        ("stream.start-before", [*GOOD[:2], *GOOD[3:]]),
        ("stream.stop-once", [*GOOD[:4], *GOOD[5:]]),
        ("stream.index-contiguous", [GOOD[0], *GOOD[5:]]),
        ("stream.completed-last", [*GOOD, GOOD[1]]),
        ("stream.event-type", [*GOOD[:3], {"index": 0}, *GOOD[3:]]),
    ],
)
def test_findings_of_the_contract_arrive(rule, broken):
    """A check reports what the contract finds in one of several streams, and names that stream."""
    observation = judge(rule, text=TEXT, streams={**STREAMS, "replay": streamed(broken)})
    assert observation.outcome is Outcome.NOT_MET
    assert {finding.where.exchange for finding in observation.findings} == {"streams[replay]"}


# --- asking for and receiving a stream, on hand-made exchanges

SLOW = replace(DONE, seconds=0.5)
RUNNING = shows("in_progress")
ERROR = event("error", error={"code": "deadline_exceeded", "message": "Too late."})


def came(*moments: float) -> Exchange:
    """A stream whose body came in equal pieces, after so many seconds."""
    stream = streamed(GOOD)
    size = -(-stream.size // len(moments))
    pieces = Arrivals(array("Q", [size] * len(moments)), array("d", moments), len(moments))
    return replace(stream, arrivals=pieces, seconds=moments[-1], notes=dict(stream.notes))


LATE = came(2.0, 2.1)
LATE = replace(LATE, request=replace(LATE.request, body=b'{"background": true}'))
POSTED = {"slow": came(0.1), "looked": RUNNING, "unstreamed": None, "going": None, "uncoded": None}
ONCE = {**POSTED, "fetched": None, "looked_again": None}
BRIEF = {**ONCE, "looked": DONE, "going": RUNNING, "unstreamed": RUNNING,
         "slow": replace(LATE, arrivals=came(0.8, 0.81).arrivals)}  # fmt: skip

CASES += [
    case("stream.incremental", "met", "by GET, too", **POSTED, fetched=came(0.1), looked_again=RUNNING),
    case("stream.incremental", "met", "over at once by GET", **POSTED, fetched=came(0.1, 0.2), looked_again=DONE),
    case("stream.incremental", "met", "refused by GET", **POSTED, fetched=refusal(400), looked_again=DONE),
    case("stream.incremental", "non_strict", "at the end by GET", **POSTED, fetched=came(3.0, 3.1),
         looked_again=DONE),
    case("stream.incremental", "met", "one after the other", **{**ONCE, "slow": came(0.1, 2.0), "looked": None}),
    *(case("stream.incremental", outcome, name, **{**BRIEF, **changes}) for outcome, name, changes in [
        ("not_met", "short but for compression", {"uncoded": RUNNING}),
        ("non_strict", "short", {}),
        ("untestable", "too short", {"going": DONE}),
    ]),
    *(case("stream.incremental", outcome, name, **{**ONCE, "slow": slow, "looked": looked, **changes})
      for outcome, name, slow, looked, changes in [
        ("untestable", "over at once", came(0.1, 0.11), DONE, {}),
        ("non_strict", "short", came(0.1, 0.11), DONE, {"going": RUNNING}),
        ("untestable", "no stream", DONE, None, {}),
        ("untestable", "all is slow", came(2.0, 2.1), SLOW, {}),
        ("non_strict", "all at the end", came(2.0, 2.1), DONE, {}),
        ("not_met", "no id", LATE, DONE, {"unstreamed": RUNNING}),
        ("non_strict", "slow", LATE, DONE, {"unstreamed": DONE}),
    ]),
    case("stream.error-shape", "met", "reported", failing=streamed([*GOOD[:3], ERROR])),
    case("stream.error-shape", "met", "no details", failing=streamed([*GOOD[:3], event("error")])),
    case("stream.error-shape", "not_met", "silence", failing=streamed(GOOD[:3])),
    case("stream.hangup", "met", "both well", after=DONE, looked=DONE),
    case("stream.hangup", "non_strict", "gone", after=DONE, looked=refusal(404)),
    case("stream.hangup", "met", "no id", after=DONE, looked=None),
    case("stream.hangup", "not_met", "the next call fails", after=refusal(500), looked=DONE),
    case("stream.hangup", "not_met", "the next call is too much", after=refusal(503), looked=DONE),
    case("stream.hangup", "not_met", "the server is gone", after=DEAD, looked=None),
    case("stream.hangup", "not_met", "reading fails", after=DONE, looked=refusal(500)),
]  # fmt: skip
