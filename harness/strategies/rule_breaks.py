"""One way to break each rule about the order and shape of a stream.

Layer 2. Each function takes the events of a legal stream (creation, a first step of two text deltas with index 0,
a completion) and returns events that break the rule it is registered for; they may break others as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from harness.strategies.stream import DONE, EventStream

Json = dict[str, Any]
Events = list[Any]
Change = Callable[[st.DrawFn, Events], Events]


@dataclass(frozen=True, slots=True)
class Breakage:
    """A way to break one rule. `cursors`: it applies only to streams whose deltas carry an event_id."""

    rule: str
    change: Change
    cursors: bool = False

    def apply(self, draw: st.DrawFn, stream: EventStream) -> EventStream:
        """Return the broken stream."""
        events = self.change(draw, [dict(event) for event in stream.events if not isinstance(event, bytes)])
        return stream.having(*events, breaks=self.rule, done=self.rule != "stream.done")


BREAKAGES: dict[str, Breakage] = {}


def _breaks(rule: str, *, cursors: bool = False) -> Callable[[Change], Change]:
    def register(change: Change) -> Change:
        BREAKAGES[rule] = Breakage(rule, change, cursors)
        return change

    return register


def _find_event(events: Events, kind: str) -> int:
    return next(i for i, event in enumerate(events) if event["event_type"] == kind)


def _copy_as_stranger(event: Json) -> Json:
    """A copy without an event_id, so that no cursor is repeated."""
    return {name: value for name, value in event.items() if name != "event_id"}


@_breaks("stream.first")
def _no_creation(draw: st.DrawFn, events: Events) -> Events:
    return events[1:]


@_breaks("stream.created-once")
def _created_again(draw: st.DrawFn, events: Events) -> Events:
    at = draw(st.integers(1, len(events) - 1))
    return [*events[:at], _copy_as_stranger(events[0]), *events[at:]]


@_breaks("stream.created-status")
def _created_settled(draw: st.DrawFn, events: Events) -> Events:
    events[0]["interaction"] = {**events[0]["interaction"], "status": "completed"}
    return events


@_breaks("stream.id-constant")
def _change_id(draw: st.DrawFn, events: Events) -> Events:
    events[0]["interaction"] = {**events[0]["interaction"], "id": "v1_one"}
    events[-1]["interaction"] = {**events[-1]["interaction"], "id": "v1_other"}
    return events


@_breaks("stream.start-before")
def _not_started(draw: st.DrawFn, events: Events) -> Events:
    del events[_find_event(events, "step.start")]
    return events


@_breaks("stream.stop-once")
def _stop_twice_or_never(draw: st.DrawFn, events: Events) -> Events:
    at = _find_event(events, "step.stop")
    return [*events[:at], *events[at + 1 :]] if draw(st.booleans()) else [
        *events[: at + 1], _copy_as_stranger(events[at]), *events[at + 1 :]
    ]  # fmt: skip


@_breaks("stream.index-contiguous")
def _index_left_out(draw: st.DrawFn, events: Events) -> Events:
    gap = draw(st.integers(1, 3))
    return [{**event, "index": event["index"] + gap} if "index" in event else event for event in events]


@_breaks("stream.index-reuse")
def _index_again(draw: st.DrawFn, events: Events) -> Events:
    start, stop = _find_event(events, "step.start"), _find_event(events, "step.stop")
    again = [_copy_as_stranger(event) for event in events[start : stop + 1]]
    return [*events[: stop + 1], *again, *events[stop + 1 :]]


@_breaks("stream.no-interleave")
def _interleave(draw: st.DrawFn, events: Events) -> Events:
    stop = _find_event(events, "step.stop")
    steps = [event["index"] for event in events if "index" in event]
    other = {"index": max(steps) + 1, "step": {"type": "thought"}, "event_type": "step.start"}
    return [*events[:stop], other, *events[stop:]]


@_breaks("stream.stop-usage")
def _usage_of_each_step(draw: st.DrawFn, events: Events) -> Events:
    stop = _find_event(events, "step.stop")
    start, most = _find_event(events, "step.start"), draw(st.integers(1, 1000))
    number = max(event["index"] for event in events if "index" in event) + 1
    other = [{**event, "index": number} for event in (events[start], events[stop])]
    other[1] = {**other[1], "usage": {"total_tokens": draw(st.integers(0, most - 1))}}
    events[stop] = {**events[stop], "usage": {"total_tokens": most}}
    last = max(place for place, event in enumerate(events) if event["event_type"] == "step.stop")
    return [*events[: last + 1], *other, *events[last + 1 :]]


@_breaks("stream.delta-fits")
def _insert_misfit(draw: st.DrawFn, events: Events) -> Events:
    wrong: Json = draw(
        st.sampled_from(
            ({"type": "thought_signature", "signature": "c2ln"}, {"type": "arguments_delta", "arguments": "{}"})
        )
    )
    events[_find_event(events, "step.delta")]["delta"] = wrong
    return events


@_breaks("stream.args-join")
def _cut_arguments(draw: st.DrawFn, events: Events) -> Events:
    start = _find_event(events, "step.start")
    events[start]["step"] = {"type": "function_call", "id": "c1", "name": "f", "arguments": {}}
    for at, text in ((start + 1, '{"a":'), (start + 2, "1")):
        events[at]["delta"] = {"type": "arguments_delta", "arguments": text}
    return events


@_breaks("stream.sig-last")
def _signed_early(draw: st.DrawFn, events: Events) -> Events:
    start = _find_event(events, "step.start")
    events[start]["step"] = {"type": "thought"}
    events[start + 1]["delta"] = {"type": "thought_signature", "signature": "c2ln"}
    events[start + 2]["delta"] = {"type": "thought_summary", "content": {"type": "text", "text": "late"}}
    return events


@_breaks("stream.completed-last")
def _goes_on(draw: st.DrawFn, events: Events) -> Events:
    late = _copy_as_stranger(draw(st.sampled_from(events)))
    return [*events, late]


@_breaks("stream.terminal")
def _never_over(draw: st.DrawFn, events: Events) -> Events:
    return events[:-1]


@_breaks("stream.completed-status")
def _still_running(draw: st.DrawFn, events: Events) -> Events:
    status = draw(st.sampled_from(("in_progress", "queued")))
    events[-1]["interaction"] = {**events[-1]["interaction"], "status": status}
    return events


@_breaks("stream.completed-usage")
def _no_usage(draw: st.DrawFn, events: Events) -> Events:
    events[-1]["interaction"] = {k: v for k, v in events[-1]["interaction"].items() if k != "usage"}
    return events


@_breaks("stream.completed-no-steps")
def _repeat_steps(draw: st.DrawFn, events: Events) -> Events:
    steps = [{"type": "model_output", "content": [{"type": "text", "text": "one two"}]}]
    events[-1]["interaction"] = {**events[-1]["interaction"], "steps": steps}
    return events


@_breaks("stream.done")
def _no_sentinel(draw: st.DrawFn, events: Events) -> Events:
    return events


@_breaks("stream.done-final")
def _after_the_sentinel(draw: st.DrawFn, events: Events) -> Events:
    return [*events, DONE, _copy_as_stranger(draw(st.sampled_from(events)))]


@_breaks("stream.evid-unique", cursors=True)
def _cursor_again(draw: st.DrawFn, events: Events) -> Events:
    first = _find_event(events, "step.delta")
    events[first + 1]["event_id"] = events[first]["event_id"]
    return events


@_breaks("stream.evid-delta", cursors=True)
def _cursor_missing(draw: st.DrawFn, events: Events) -> Events:
    at = _find_event(events, "step.delta")
    events[at] = _copy_as_stranger(events[at])
    return events


@_breaks("stream.json")
def _not_json(draw: st.DrawFn, events: Events) -> Events:
    at = draw(st.integers(1, len(events) - 1))
    return [*events[:at], draw(st.sampled_from((b"{", b"[]", b'{"a":}', b"\xf0\x9f nonsense"[2:]))), *events[at:]]


@_breaks("stream.event-type")
def _drop_type(draw: st.DrawFn, events: Events) -> Events:
    at = draw(st.integers(1, len(events) - 2))
    del events[at]["event_type"]
    return events


@_breaks("stream.schema")
def _misshapen(draw: st.DrawFn, events: Events) -> Events:
    at, name, wrong = draw(
        st.sampled_from((("step.delta", "index", "0"), ("step.delta", "delta", "text"), ("step.start", "step", []),
                         ("interaction.created", "interaction", None), ("step.stop", "index", None)))
    )  # fmt: skip
    event = events[_find_event(events, at)]
    if wrong is None:
        del event[name]
    else:
        event[name] = wrong
    return events


@_breaks("stream.error-shape")
def _write_error_in_words(draw: st.DrawFn, events: Events) -> Events:
    error = draw(st.sampled_from(("too late", {"code": 504, "message": "too late"}, {"message": ["too late"]})))
    return [*events[:-1], {"error": error, "event_type": "error"}, events[-1]]
