"""Streams of events: legal ones by construction, illegal ones by breaking one rule of a legal one.

Layer 2. A schema cannot express order, so this module builds it from the same rules as the contract's table
but without it. The stream judge judges what this module generates, and the tests compare the two. A generated
stream is a value: its events, how it was requested, and the rule that it breaks, if any.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from harness.contract import Contract
from harness.contract.tables.lifecycle import CANCELLED, FAILED, TERMINAL
from harness.contract.tables.steps import DeltaEffect, Shown, StepType
from harness.strategies.from_schema import BASE64, IDS, OBJECTS, TEXTS, contract_or_current, objects
from harness.strategies.messages import pointer_to, shapes, usages
from harness.wire import Decoder, encode

DONE = b"[DONE]"
Event = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventStream:
    """Events in order; a `bytes` item is a payload that is not a JSON object, or a misplaced sentinel.

    `start` and `background` are the arguments a `StreamJudge` needs for it. `breaks` is the id of the rule that an
    illegal stream breaks, "" for a legal one. `done`: a [DONE] frame ends the stream.
    """

    events: tuple[Event | bytes, ...]
    done: bool = True
    start: str = "fresh"
    background: bool = False
    breaks: str = ""

    def payloads(self) -> list[tuple[str, bytes]]:
        """Return the name and data of each frame, including the closing one."""
        named = [
            ("done", event)
            if isinstance(event, bytes)
            else (str(event.get("event_type", "message")), compact(event))
            for event in self.events
        ]
        return [*named, ("done", DONE)] if self.done else named

    def frames(self) -> list[bytes]:
        """Return the frames in the usual form: LF line ends, one data line each."""
        return [encode(name, data) for name, data in self.payloads()]

    def data(self) -> bytes:
        """Return the whole stream as bytes."""
        return b"".join(self.frames())


def compact(event: Event) -> bytes:
    """Encode an event the way a service does."""
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


# Different wire forms of the same stream: line ends, comments, fields, pieces; and where to cut it.
# Knows the grammar of server-sent events (WHATWG HTML, "server-sent events") and no API.


BOM = b"\xef\xbb\xbf"
_ENDS = (b"\n", b"\r\n", b"\r")
_COMMENTS = (b":", b": keepalive", b":data: no", ":déjà 🦊".encode())
_STRANGERS = (b"retry: 3000", b"retry: soon", b"unknown: x", b"data2", b" data: indented")
"""Lines that do not change any event."""


@st.composite
def wire_framings(draw: st.DrawFn, stream: EventStream | bytes | list[tuple[str, bytes]]) -> list[bytes]:
    """Pieces of bytes that carry the same events: `event_streams().flatmap(wire_framings)`.

    Takes a stream, its bytes, or (name, data) pairs. Line ends, comments, unknown fields, spaces and the pieces
    are drawn; data with line breaks spans several lines. A decoder must return the same names and payloads.
    """
    if isinstance(stream, EventStream):
        payloads = stream.payloads()
    elif isinstance(stream, bytes):
        frames = Decoder().feed(stream)
        payloads = [((frame.event or b"").decode("utf-8", "replace"), frame.data) for frame in frames]
    else:
        payloads = stream
    ends = draw(st.sampled_from((_ENDS[:1], _ENDS[1:2], _ENDS[2:], _ENDS)))
    noisy = draw(st.booleans())
    out = bytearray(BOM if draw(st.booleans()) else b"")
    for name, data in payloads:
        spaced = draw(st.booleans())
        lines = [_write_field(b"data", part, spaced) for part in data.split(b"\n")]
        if name:
            named = _write_field(b"event", name.encode(), spaced)
            lines.insert(draw(st.sampled_from((0, len(lines)))), named)
        if noisy:
            noise = draw(st.sampled_from(_COMMENTS + _STRANGERS))
            lines.insert(draw(st.integers(0, len(lines))), noise)
        for line in [*lines, b""]:
            end = ends[0] if len(ends) == 1 else draw(st.sampled_from(ends))
            if not line and end == b"\n" and out.endswith(b"\r"):
                end = b"\r"  # an LF must not form a CRLF with a CR before it
            out += line + end
    return draw(splits(bytes(out)))


def splits(data: bytes) -> SearchStrategy[list[bytes]]:
    """`data` in pieces, some possibly empty, cut anywhere, even between CR and LF or inside a character."""
    places = st.lists(cuts(data), max_size=6).map(sorted)
    return places.map(lambda at: [data[a:b] for a, b in zip([0, *at], [*at, len(data)], strict=True)])


def cuts(data: bytes) -> SearchStrategy[int]:
    """Where a connection may drop: an offset from 0 to the end, biased towards critical places.

    These are the ends of lines and events, one byte before and after them, and the inside of characters.
    """
    anywhere = st.integers(0, len(data))
    # after each line end, and inside each character of several bytes; the rest of a long stream has no others
    borders = [at + 1 for at, byte in enumerate(data[:4096]) if byte in b"\r\n" or byte >= 0xC0]
    notable = sorted({place for at in borders for place in (at - 1, at, at + 1) if 0 <= place <= len(data)})
    return st.one_of(st.sampled_from(notable), anywhere) if notable else anywhere


def _write_field(name: bytes, value: bytes, spaced: bool) -> bytes:
    """A decoder strips one space after the colon, so a value that begins with a space needs an extra one."""
    return name + (b": " if spaced or value.startswith(b" ") else b":") + value


# One way to break each rule about the order and shape of a stream.
# Each function takes the events of a legal stream (creation, a first step of two text deltas with index 0, a
# completion) and returns events that break the rule it is registered for; they may break others as well.


Json = dict[str, Any]
Events = list[Any]
Change = Callable[[st.DrawFn, Events], Events]


def _find_event(events: Events, kind: str) -> int:
    return next(i for i, event in enumerate(events) if event["event_type"] == kind)


def _copy_as_stranger(event: Json) -> Json:
    """A copy without an event_id, so that no cursor is repeated."""
    return {name: value for name, value in event.items() if name != "event_id"}


def _put_into(event: Json, **fields: Any) -> Json:
    """The event with other fields in its interaction."""
    return {**event, "interaction": {**event["interaction"], **fields}}


def _edit_first(kind: str, change: Callable[[Json], Json]) -> Change:
    """Change the first event of one type."""

    def edit(draw: st.DrawFn, events: Events) -> Events:
        at = _find_event(events, kind)
        return [*events[:at], change(events[at]), *events[at + 1 :]]

    return edit


def _edit_last(change: Callable[[st.DrawFn, Json], Json]) -> Change:
    return lambda draw, events: [*events[:-1], change(draw, events[-1])]


def _insert(draw: st.DrawFn, events: Events, event: Any) -> Events:
    """Put one more event anywhere after the first one."""
    at = draw(st.integers(1, len(events) - 1))
    return [*events[:at], event, *events[at:]]


def _update_to_settled(draw: st.DrawFn, events: Events) -> Events:
    update = {"event_type": "interaction.status_update", "interaction_id": events[0]["interaction"]["id"]}
    return [events[0], {**update, "status": draw(st.sampled_from(sorted(TERMINAL)))}, *events[1:]]


def _leave_out_start(draw: st.DrawFn, events: Events) -> Events:
    at = _find_event(events, "step.start")
    return [*events[:at], *events[at + 1 :]]


def _stop_twice_or_never(draw: st.DrawFn, events: Events) -> Events:
    at = _find_event(events, "step.stop")
    stops = [] if draw(st.booleans()) else [events[at], _copy_as_stranger(events[at])]
    return [*events[:at], *stops, *events[at + 1 :]]


def _leave_out_indices(draw: st.DrawFn, events: Events) -> Events:
    gap = draw(st.integers(1, 3))
    return [{**event, "index": event["index"] + gap} if "index" in event else event for event in events]


def _index_again(draw: st.DrawFn, events: Events) -> Events:
    start, stop = _find_event(events, "step.start"), _find_event(events, "step.stop")
    again = [_copy_as_stranger(event) for event in events[start : stop + 1]]
    return [*events[: stop + 1], *again, *events[stop + 1 :]]


def _interleave(draw: st.DrawFn, events: Events) -> Events:
    stop = _find_event(events, "step.stop")
    number = max(event["index"] for event in events if "index" in event) + 1
    other = {"index": number, "step": {"type": "thought"}, "event_type": "step.start"}
    return [*events[:stop], other, *events[stop:]]


def _usage_of_each_step(draw: st.DrawFn, events: Events) -> Events:
    stop = _find_event(events, "step.stop")
    start, most = _find_event(events, "step.start"), draw(st.integers(1, 1000))
    number = max(event["index"] for event in events if "index" in event) + 1
    other = [{**event, "index": number} for event in (events[start], events[stop])]
    other[1] = {**other[1], "usage": {"total_tokens": draw(st.integers(0, most - 1))}}
    events[stop] = {**events[stop], "usage": {"total_tokens": most}}
    last = max(place for place, event in enumerate(events) if event["event_type"] == "step.stop")
    return [*events[: last + 1], *other, *events[last + 1 :]]


def _insert_misfit(draw: st.DrawFn, events: Events) -> Events:
    signature = {"type": "thought_signature", "signature": "c2ln"}
    wrong: Json = draw(st.sampled_from((signature, {"type": "arguments_delta", "arguments": "{}"})))
    events[_find_event(events, "step.delta")]["delta"] = wrong
    return events


def _step_of(step: Json, *deltas: Json) -> Change:
    """Put another step with two deltas in the place of the first one."""

    def edit(draw: st.DrawFn, events: Events) -> Events:
        start = _find_event(events, "step.start")
        events[start]["step"] = step
        for at, delta in enumerate(deltas, start + 1):
            events[at]["delta"] = delta
        return events

    return edit


def _repeat_cursor(draw: st.DrawFn, events: Events) -> Events:
    first = _find_event(events, "step.delta")
    events[first + 1]["event_id"] = events[first]["event_id"]
    return events


def _drop_type(draw: st.DrawFn, events: Events) -> Events:
    del events[draw(st.integers(1, len(events) - 2))]["event_type"]
    return events


def _misshape(draw: st.DrawFn, events: Events) -> Events:
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


_ERRORS = ("too late", {"code": 504, "message": "too late"}, {"message": ["too late"]})
_STEPS = [{"type": "model_output", "content": [{"type": "text", "text": "one two"}]}]

BREAKAGES: dict[str, Change] = {
    "stream.first": lambda draw, events: events[1:],
    "stream.created-once": lambda draw, events: _insert(draw, events, _copy_as_stranger(events[0])),
    "stream.created-status": _edit_first(
        "interaction.created", lambda event: _put_into(event, status="completed")),
    "stream.update-status": _update_to_settled,
    "stream.id-constant": lambda draw, events: [
        _put_into(events[0], id="v1_one"), *events[1:-1], _put_into(events[-1], id="v1_other"),
    ],
    "stream.start-before": _leave_out_start,
    "stream.stop-once": _stop_twice_or_never,
    "stream.index-contiguous": _leave_out_indices,
    "stream.index-reuse": _index_again,
    "stream.no-interleave": _interleave,
    "stream.stop-usage": _usage_of_each_step,
    "stream.delta-fits": _insert_misfit,
    "stream.args-join": _step_of(
        {"type": "function_call", "id": "c1", "name": "f", "arguments": {}},
        {"type": "arguments_delta", "arguments": '{"a":'},
        {"type": "arguments_delta", "arguments": "1"},
    ),
    "stream.sig-last": _step_of(
        {"type": "thought"},
        {"type": "thought_signature", "signature": "c2ln"},
        {"type": "thought_summary", "content": {"type": "text", "text": "late"}},
    ),
    "stream.completed-last": lambda draw, events: [*events, _copy_as_stranger(draw(st.sampled_from(events)))],
    "stream.terminal": lambda draw, events: events[:-1],
    "stream.completed-status": _edit_last(
        lambda draw, event: _put_into(event, status=draw(st.sampled_from(("in_progress", "queued"))))),
    "stream.completed-usage": _edit_last(lambda draw, event: {
        **event, "interaction": {name: v for name, v in event["interaction"].items() if name != "usage"}}),
    "stream.completed-no-steps": _edit_last(lambda draw, event: _put_into(event, steps=_STEPS)),
    "stream.done": lambda draw, events: events,
    "stream.done-final": lambda draw, events: [
        *events, DONE, _copy_as_stranger(draw(st.sampled_from(events)))],
    "stream.evid-unique": _repeat_cursor,
    "stream.evid-delta": _edit_first("step.delta", _copy_as_stranger),
    "stream.json": lambda draw, events: _insert(
        draw, events, draw(st.sampled_from((b"{", b"[]", b'{"a":}', b"\xf0\x9f nonsense"[2:])))),
    "stream.event-type": _drop_type,
    "stream.schema": _misshape,
    "stream.error-shape": lambda draw, events: [
        *events[:-1], {"error": draw(st.sampled_from(_ERRORS)), "event_type": "error"}, events[-1]],
}  # fmt: skip
POLICIES = ("none", "all", "deltas", "sparse")
"""Which events carry an event_id."""


def event_streams(
    *, legal: bool = True, background: bool | None = None, contract: Contract | None = None
) -> SearchStrategy[EventStream]:
    """A whole stream, from its creation to [DONE].

    The judge finds nothing wrong with a legal one. `legal=False`: one rule is broken, and `breaks` names it.
    `background` selects background or foreground runs, None both; rules about event ids are only ever broken in
    background runs, even with `legal=False, background=False`.
    """
    choice = st.booleans() if background is None else st.just(background)
    contract = contract_or_current(contract)
    streams = choice.flatmap(lambda in_background: _legal(contract, in_background))
    return streams if legal else _broken_stream(contract, background, sorted(BREAKAGES))


@st.composite
def _broken_stream(
    draw: st.DrawFn, contract: Contract, background: bool | None, rules: Sequence[str]
) -> EventStream:
    """A stream that breaks one of these rules."""
    rule = draw(st.sampled_from(rules))
    in_background = draw(st.booleans()) if background is None else background
    in_background |= rule.startswith("stream.evid")  # only there do deltas have to carry an event_id
    stream = draw(_legal(contract, in_background, least=1, plain=True, most=2))
    events = BREAKAGES[rule](draw, [dict(event) for event in stream.events if not isinstance(event, bytes)])
    return replace(stream, events=tuple(events), breaks=rule, done=rule != "stream.done")


@st.composite
def _legal(
    draw: st.DrawFn, contract: Contract, background: bool, *, least: int = 0, plain: bool = False, most: int = 3
) -> EventStream:
    """A legal stream. `plain`: it ends with interaction.completed, and its first step has two text deltas."""
    identity = draw(st.one_of(IDS, st.just(""))) if not background else draw(IDS)
    events = [*_draw_opening(draw, contract, identity, background)]
    streamed = sorted(step.name for step in contract.steps.values() if step.streamed)
    kinds = draw(st.lists(st.sampled_from(streamed), min_size=least, max_size=most))
    if plain:
        kinds[0] = "model_output"
    for index, kind in enumerate(kinds):
        if plain and not index:
            texts = [{"type": "text", "text": text} for text in ("one ", "two")]
            events += _frame_step(index, {"type": "model_output"}, texts)
        else:
            events += _step(draw, contract, index, contract.steps[kind])
        if not plain and not draw(st.integers(0, 9)):
            events.append({"event_type": "error"})  # recordings show such errors as a kind of keepalive
    events.append(_draw_ending(draw, contract, identity, plain))
    if not plain:
        # occasionally an event has the metadata that some services attach
        metadata = shapes(contract).at("stream-metadata")
        events = [{**event, "metadata": draw(metadata)} if draw(_RARELY) else event for event in events]
    policy = draw(st.sampled_from(POLICIES[1:3] if background else POLICIES))
    numbered = []
    for number, event in enumerate(events):
        carries = policy == "all" or (policy == "deltas" and event["event_type"] == "step.delta")
        if policy == "sparse":
            carries = draw(st.booleans())
        numbered.append({**event, "event_id": f"e{number}="} if carries else event)
    return EventStream(events=tuple(numbered), background=background)


def _draw_opening(draw: st.DrawFn, contract: Contract, identity: str, background: bool) -> list[Json]:
    status = draw(st.sampled_from(("in_progress", "queued"))) if background else "in_progress"
    interaction = {"id": identity, "status": status, "object": "interaction", "model": "gemini-3.8-flash"}
    created = {"interaction": interaction, "event_type": "interaction.created"}
    update = {"interaction_id": identity, "status": "in_progress", "event_type": "interaction.status_update"}
    if not draw(st.booleans()):
        return [created]
    extras = {"usage": usages(contract), "continuation_token": BASE64}
    return [created, {**update, **draw(objects(extras))}]


def _draw_ending(draw: st.DrawFn, contract: Contract, identity: str, plain: bool) -> Json:
    if not plain and not draw(st.integers(0, 9)):
        return {"error": draw(_draw_errors()), "event_type": "error"}
    status = "completed" if plain else draw(st.sampled_from(sorted(contract.lifecycle.ends)))
    interaction: Json = {"id": identity, "status": status}
    if status not in (FAILED, CANCELLED) or draw(st.booleans()):
        interaction["usage"] = draw(usages(contract))
    if status == "requires_continuation":
        interaction["continuation_token"] = draw(BASE64)
    if not plain:
        interaction.update(draw(_draw_particulars(contract)))
    return {"interaction": interaction, "event_type": "interaction.completed"}


@cache
def _draw_particulars(contract: Contract) -> SearchStrategy[Json]:
    """Other fields that a completed interaction may have."""
    fields = shapes(contract).schema("interaction-partial")["properties"]
    own = ("id", "status", "usage", "continuation_token", "steps", "environment_id")
    return shapes(contract).members({name: part for name, part in fields.items() if name not in own})


@cache
def _draw_errors() -> SearchStrategy[Json]:
    words = st.sampled_from(("deadline_exceeded", "api_error"))
    whole = st.fixed_dictionaries({"code": words, "message": TEXTS})
    part = st.sampled_from(("code", "message"))  # an empty error would not end the stream
    return st.one_of(whole, st.builds(lambda error, name: {name: error[name]}, whole, part))


_RARELY = st.integers(0, 7).map(lambda number: number == 7)
"""Whether to add something rare; shrinks to False."""


@cache
def _stop_fields(contract: Contract) -> SearchStrategy[Json]:
    return objects({"usage": usages(contract), "step_usage": usages(contract)})


# --- one step


def _step(draw: st.DrawFn, contract: Contract, index: int, kind: StepType) -> list[Json]:
    """The events of a step: its start shows the fields that it always shows, and sometimes others."""
    step = draw(shapes(contract).at(f"{pointer_to(kind.schema)}/$defs/shell"))
    kept = draw(st.booleans())
    shown = {name for name, how in kind.in_start.items() if how is Shown.WHOLE} | {"type"}
    shell = {name: value for name, value in step.items() if kept or name in shown}
    signatures, texts = (
        tuple(name for name in kind.deltas if contract.deltas[name].grows.how is how)
        for how in (DeltaEffect.APPEND, DeltaEffect.JSON)
    )
    if signatures:
        others = tuple(name for name in kind.deltas if name not in signatures)
        deltas = draw(st.lists(_one_of(contract, others), max_size=2)) + draw(
            st.lists(_one_of(contract, signatures), max_size=1)
        )
    elif texts:
        (name, *_), text = texts, json.dumps(draw(OBJECTS), ensure_ascii=False)
        places = sorted(draw(st.sets(st.integers(0, len(text)), max_size=2)))
        parts = [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]
        field = contract.deltas[name].grows.field
        # the field may be left out if the fragment is empty
        deltas = [{"type": name, **({field: part} if part or draw(st.booleans()) else {})} for part in parts]
    else:
        deltas = draw(st.lists(_one_of(contract, tuple(sorted(kind.deltas))), max_size=3))
    events = _frame_step(index, shell, deltas)
    extras = draw(_stop_fields(contract)) if draw(_RARELY) else {}
    return [*events[:-1], {**events[-1], **extras}]


@cache
def _one_of(contract: Contract, names: tuple[str, ...]) -> SearchStrategy[Json]:
    return st.one_of([shapes(contract).at(pointer_to(contract.deltas[name].schema)) for name in names])


def _frame_step(index: int, shell: Json, deltas: list[Json]) -> list[Json]:
    grown = [{"index": index, "delta": delta, "event_type": "step.delta"} for delta in deltas]
    start = {"index": index, "step": shell, "event_type": "step.start"}
    return [start, *grown, {"index": index, "event_type": "step.stop"}]
