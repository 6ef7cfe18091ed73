"""Streams of events: legal ones by construction, illegal ones by a change of a legal one.

A schema cannot express order, so this module builds it from the same rules as the contract's table but without it.
The stream judge judges what this module generates, and the tests compare the two. A generated stream is a value:
its events, how it was requested, and the rule that it breaks, if any.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from harness.contract import Contract
from harness.contract.judge.stream import StreamJudge
from harness.contract.tables.protocol import CANCELLED, FAILED
from harness.contract.tables.stream_order import DeltaEffect, Shown, StepType
from harness.outcome import Severity
from harness.strategies.from_schema import BASE64, IDS, OBJECTS, TEXTS, contract_or_current, objects
from harness.strategies.messages import damages, pointer_to, shapes, usages
from harness.wire import encode

DONE = b"[DONE]"
Event = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventStream:
    """Events in order; a `bytes` item is a payload that is not a JSON object, or a misplaced sentinel.

    `background` is what a `StreamJudge` has to know of it. `breaks` is the id of the rule that an
    illegal stream breaks first, "" for a legal one. `done`: a [DONE] frame ends the stream.
    """

    events: tuple[Event | bytes, ...]
    done: bool = True
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
def wire_framings(draw: st.DrawFn, stream: EventStream) -> list[bytes]:
    """Pieces of bytes that carry the same events: `event_streams().flatmap(wire_framings)`.

    Line ends, comments, unknown fields, spaces and the pieces are drawn. A decoder must return the same payloads.
    """
    ends = draw(st.sampled_from((_ENDS[:1], _ENDS[1:2], _ENDS[2:], _ENDS)))
    noisy = draw(st.booleans())
    out = bytearray(BOM if draw(st.booleans()) else b"")
    for name, data in stream.payloads():
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


Json = dict[str, Any]
Events = list[Any]
POLICIES = ("none", "all", "deltas", "sparse")
"""Which events carry an event_id."""


def event_streams(
    *, legal: bool = True, background: bool | None = None, contract: Contract | None = None
) -> SearchStrategy[EventStream]:
    """A whole stream, from its creation to [DONE].

    The judge finds nothing wrong with a legal one. `legal=False`: one place of it is changed, and `breaks` names
    the first rule that is broken by that. `background` selects background or foreground runs, None both.
    """
    choice = st.booleans() if background is None else st.just(background)
    contract = contract_or_current(contract)
    streams = choice.flatmap(lambda in_background: _legal(contract, in_background))
    return streams if legal else _broken_stream(contract, background)


@st.composite
def _broken_stream(draw: st.DrawFn, contract: Contract, background: bool | None) -> EventStream:
    """A legal stream, changed in one place so that the judge of streams finds a rule broken."""
    in_background = draw(st.booleans()) if background is None else background
    stream = draw(_legal(contract, in_background, least=1, plain=True, most=2))

    def judge(changed: EventStream) -> EventStream:
        judge = StreamJudge(contract, background=changed.background)
        judge.feed(changed.data())
        broken = (one.rule for one in judge.finish().findings if one.severity is Severity.BROKEN)
        return replace(changed, breaks=next(broken, ""))

    return draw(_changed(stream).map(judge).filter(lambda changed: changed.breaks))


def _changed(stream: EventStream) -> SearchStrategy[EventStream]:
    """The stream with an event less or more, with two exchanged, with one that is damaged, or without an end."""
    events = [*stream.events]
    places = st.sampled_from(range(len(events)))
    strangers = st.sampled_from((b"{", b"[]", b'{"a":}', DONE, {"event_type": "error", "error": "too late"}))

    def insert(at: int, event: Any) -> Events:
        return [*events[: at + 1], event, *events[at + 1 :]]

    def exchange(one: int, other: int) -> Events:
        moved = [*events]
        moved[one], moved[other] = moved[other], moved[one]
        return moved

    def damage(at: int) -> SearchStrategy[Events]:
        return damages(events[at]).map(lambda event: [*events[:at], event, *events[at + 1 :]])

    changes = st.one_of(
        places.map(lambda at: [*events[:at], *events[at + 1 :]]),
        st.builds(insert, places, st.one_of(strangers, places.map(events.__getitem__))),
        st.builds(exchange, places, places),
        places.flatmap(damage).filter(lambda changed: all(isinstance(one, dict | bytes) for one in changed)),
    )
    return st.builds(lambda found, rare: replace(stream, events=tuple(found), done=not rare), changes, _RARELY)


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
    extras = draw(objects({"usage": usages(contract), "step_usage": usages(contract)})) if draw(_RARELY) else {}
    return [*events[:-1], {**events[-1], **extras}]


@cache
def _one_of(contract: Contract, names: tuple[str, ...]) -> SearchStrategy[Json]:
    return st.one_of([shapes(contract).at(pointer_to(contract.deltas[name].schema)) for name in names])


def _frame_step(index: int, shell: Json, deltas: list[Json]) -> list[Json]:
    grown = [{"index": index, "delta": delta, "event_type": "step.delta"} for delta in deltas]
    start = {"index": index, "step": shell, "event_type": "step.start"}
    return [start, *grown, {"index": index, "event_type": "step.stop"}]
