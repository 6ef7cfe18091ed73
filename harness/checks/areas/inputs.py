"""Checks of what a create may hold besides text: media, all kinds at once, and levels of thinking.

Layer 2. The media are the smallest valid files of their kinds. A model that does not read one refuses it, which
breaks no rule; to take one and to lose it does.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Iterator, Mapping
from typing import Any

from harness.checks.vocabulary.expect import (
    at,
    expect_interaction,
    expect_offered,
    expect_refusal,
    finding,
    interaction_in,
)
from harness.checks.vocabulary.runs import id_of, poll_until_found, read_whole_stream
from harness.contract import read
from harness.contract.data.json_parse import objects_in
from harness.contract.data.transcript import steps_of
from harness.contract.judge.replies import CLIENT_ERROR, SUCCESS
from harness.contract.judge.wording import format_answer, format_value
from harness.contract.models.profiles import find_profile
from harness.contract.requests import RequestBuilder
from harness.kit.actions import Exchanges, Send, Steps, send_each, stop_exercise
from harness.kit.check import exercise
from harness.outcome import Finding, Unmet
from harness.outcome.words import format_count
from harness.wire import Exchange, Request


def _write_wav() -> bytes:
    sound = bytes(16)
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 16000, 2, 16)
    body = b"WAVE" + form + struct.pack("<4sI", b"data", len(sound)) + sound
    return struct.pack("<4sI", b"RIFF", len(body)) + body


def _write_mp4() -> bytes:
    """A film of no length: the type of the file, and a movie without tracks."""
    header = struct.pack(">IIIII", 0, 0, 0, 1000, 0) + struct.pack(">IH", 0x10000, 0x100) + bytes(10)
    header += struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000) + bytes(24) + struct.pack(">I", 1)
    kind = b"isom" + struct.pack(">I", 512) + b"isomiso2mp41"
    return _box(b"ftyp", kind) + _box(b"moov", _box(b"mvhd", header))


def _box(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I4s", len(data) + 8, name) + data


def _write_pdf() -> bytes:
    """One empty page, with the table of where its objects are."""
    objects = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]>>",
    )
    text, places = b"%PDF-1.4\n", []
    for number, value in enumerate(objects, 1):
        places.append(len(text))
        text += b"%d 0 obj%sendobj\n" % (number, value)
    table = b"xref\n0 4\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % place for place in places)
    return text + table + b"trailer<</Size 4/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % len(text)


_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

MEDIA: Mapping[str, Mapping[str, str]] = {
    kind: {"type": kind, "mime_type": mime, "data": data}
    for kind, mime, data in (
        ("image", "image/png", _PIXEL),
        ("audio", "audio/wav", base64.b64encode(_write_wav()).decode()),
        ("video", "video/mp4", base64.b64encode(_write_mp4()).decode()),
        ("document", "application/pdf", base64.b64encode(_write_pdf()).decode()),
    )
}
"""A content of each kind besides text."""

ALL = "all"
"""The name of the create with every kind."""

QUESTION = {"type": "text", "text": "Reply with one word: what kind of file is this?"}

Taken = Mapping[str, Exchange]


# --- exercises


@exercise(requests=11, interactions=6)
def inputs_of_every_kind(t: RequestBuilder) -> Steps:
    """A create with a text and each kind of file, one with all of them, a GET of each, and a stream."""
    taken: dict[str, Exchange] = {}
    kept: dict[str, Exchange] = {}
    for name, contents in _INPUTS.items():
        sent = [{"type": "user_input", "content": contents}]
        taken[name] = yield Send(t.create(input=sent))
        if found := id_of(taken[name]):
            kept[name] = (yield from poll_until_found(t, found))[-1]
    accepted = [name for name, answer in taken.items() if answer.status in SUCCESS]
    if "stream" in t.capabilities and accepted:  # every run judges this stream
        sent = [{"type": "user_input", "content": _INPUTS[accepted[-1]]}]
        yield from read_whole_stream(t.create(input=sent, stream=True, store=False))
    return {"taken": taken, "kept": kept}


_INPUTS: Mapping[str, list[Mapping[str, str]]] = {
    **{kind: [QUESTION, content] for kind, content in MEDIA.items()},
    ALL: [QUESTION, *MEDIA.values()],
}
"""The contents of each create."""


@exercise(requests=2, interactions=1)
def a_part_of_a_video(t: RequestBuilder) -> Steps:
    """A create with the first second of a video, and one with a part that ends before it starts."""
    return (
        yield from send_each(
            forwards=_ask_of_a_part(t, "video", start_offset="0s", end_offset="1s"),
            backwards=_ask_of_a_part(t, "video", start_offset="2s", end_offset="1s"),
        )
    )


def _ask_of_a_part(t: RequestBuilder, kind: str, **part: Any) -> Request:
    content = {**MEDIA[kind], "processing": {"type": "static", **part}}
    return t.create(input=[{"type": "user_input", "content": [QUESTION, content]}])


@exercise(requests=3, interactions=1)
def a_part_of_a_document(t: RequestBuilder) -> Steps:
    """A create with the first page of a document, with a part that ends before it starts, and with page 0."""
    return (
        yield from send_each(
            forwards=_ask_of_a_part(t, "document", page_options={"start_page": 1, "end_page": 1}),
            backwards=_ask_of_a_part(t, "document", page_options={"start_page": 2, "end_page": 1}),
            zeroth=_ask_of_a_part(t, "document", page_options={"start_page": 0}),
        )
    )


@exercise(requests=2, interactions=1)
def levels_of_the_model(t: RequestBuilder) -> Steps:
    """A create with a thinking level that a guide gives the model, and one with a level that it does not have."""
    profile = find_profile(t.model)
    if profile.standing or not profile.levels or profile.cells["levels"].level not in _STATED:
        return stop_exercise({}, f"no guide that was read lists the thinking levels of '{t.model}'")
    lacking = [level for level in ("minimal", "xhigh") if level not in profile.levels]
    if not lacking:
        return stop_exercise({}, f"the model '{t.model}' has every thinking level")
    seen: Exchanges = {
        "listed": (yield Send(_ask_with(t, thinking_level=profile.levels[0]))),
        "lacking": (yield Send(_ask_with(t, thinking_level=lacking[0]))),
        "warm": None,
    }
    if not id_of(seen["listed"]):  # a target that takes no settings at all lacks no level
        seen["warm"] = yield Send(_ask_with(t, temperature=0.5))
    return seen


@exercise(requests=2, interactions=2)
def every_field(t: RequestBuilder) -> Steps:
    """A create with all fields of the model, and one with all its tools; each alone if they are refused."""
    profile = find_profile(t.model)
    refused = {*(profile.value("refused") or ()), *(() if profile.levels else ("thinking_level",))}
    settings = {**_SETTINGS, "thinking_level": (profile.levels or ("",))[0]}
    config = {name: value for name, value in settings.items() if name not in refused}
    fields = {f"generation_config.{name}": {"generation_config": {name: value}} for name, value in config.items()}
    fields |= {name: {name: value} for name, value in _FIELDS.items()}
    kinds = [kind for kind in profile.value("tools") or () if kind in _TOOLS]
    tools = {f"tools: {kind}": {"tools": [{"type": kind}]} for kind in kinds}
    together = {
        "fields": (fields, {**_FIELDS, "generation_config": config}),
        "tools": (tools, {"tools": [{"type": kind} for kind in kinds]}),
    }
    seen: dict[str, Exchange] = {}
    for name, (alone, body) in together.items():
        seen[name] = yield Send(t.create(body, input="Say hi."))
        if seen[name].status not in SUCCESS:
            seen |= yield from send_each(**{one: t.create(more, input="Say hi.") for one, more in alone.items()})
    return {"sent": seen, "plain": (yield Send(t.create(input="Say hi."))) if len(seen) > len(together) else None}


_SETTINGS: Mapping[str, Any] = {
    "temperature": 0.7,
    "top_p": 0.9,
    "seed": 7,
    "max_output_tokens": 4096,
    "stop_sequences": ["harness-stop"],
    "thinking_summaries": "auto",
}
_FIELDS: Mapping[str, Any] = {
    "system_instruction": "Answer in one word.",
    "service_tier": "standard",
    "response_modalities": ["text"],
    "response_format": {"type": "text"},
}
"""Fields that every model takes, beside those that other rules are about."""

_TOOLS = frozenset({"google_search", "google_maps", "code_execution", "url_context"})
"""The tools that need no settings of their own."""


def takes_each_field(sent: Mapping[str, Exchange], plain: Exchange | None) -> Iterator[Finding]:
    if plain is None:
        return
    if plain.status not in SUCCESS:
        raise Unmet(f"a create without further fields was refused, too: {format_answer(plain)}")
    refused = [name for name, answer in sent.items() if answer.status in (*CLIENT_ERROR, 501)]
    alone = [name for name in refused if name not in ("fields", "tools")]
    if alone:
        message = f"the target rejects {format_count(len(alone), 'field')} of a create that the model accepts: "
        actual = format_answer(sent[alone[0]])
        yield finding(message + ", ".join(alone), expected="2xx", actual=actual).at(exchange=f"sent[{alone[0]}]")


def _ask_with(t: RequestBuilder, **settings: Any) -> Any:
    return t.create(input="Say hi.", generation_config=settings)


_STATED = ("G", "R")
"""The levels of facts that a guide or a recording of the service shows."""


# --- judges


def refuses_backwards(forwards: Exchange, backwards: Exchange) -> Iterator[Finding]:
    yield from at("forwards", expect_offered(forwards))
    yield from at("backwards", expect_refusal(backwards, accepts=[400]))


def refuses_pages_that_are_none(forwards: Exchange, backwards: Exchange, zeroth: Exchange) -> Iterator[Finding]:
    yield from at("forwards", expect_offered(forwards))
    for name, answer in (("backwards", backwards), ("zeroth", zeroth)):
        yield from at(name, expect_refusal(answer, accepts=[400]))


def takes_a_listed_level(listed: Exchange, warm: Exchange | None) -> Iterator[Finding]:
    if warm is not None and not id_of(warm):
        raise Unmet(f"a create with generation_config was refused: {format_answer(warm)}")
    yield from at("listed", expect_interaction(listed))


def keeps(rule: str, taken: Taken, kept: Taken) -> Iterator[Finding]:
    """A create that was accepted, and whose stored input shows files, shows each that was sent, in its place."""
    kind = rule.removeprefix("create.input-")
    name = {"kinds": ALL}.get(kind, kind)
    yield from at(f"taken[{name}]", expect_offered(taken[name]))
    stored = kept.get(name)
    shown = _input_of(stored) if stored is not None and stored.status in SUCCESS else []
    if not shown:
        return
    sent = _INPUTS[name]
    kinds, wanted = [content.get("type") for content in shown], [content["type"] for content in sent]
    if kinds != wanted:
        yield finding(
            "the stored input contains other kinds of content",
            expected=format_value(wanted),
            actual=format_value(kinds),
        ).at(exchange=f"kept[{name}]")
        return
    for content, original in zip(shown, sent, strict=True):
        if "data" in content and _decode(content["data"]) != _decode(original.get("data")):
            message = f"the stored {original['type']} has other bytes"
            yield finding(message, "those that were sent", "others", exchange=f"kept[{name}]")


def _input_of(stored: Exchange) -> list[dict[str, Any]]:
    """The contents of the user's input that a GET shows; none if it does not begin with it."""
    if not isinstance(read(stored).json, dict):
        return []
    first = next(iter(steps_of(interaction_in(stored))), {})
    return objects_in(first.get("content")) if first.get("type") == "user_input" else []


def _decode(data: object) -> bytes | None:
    """The bytes of base64 in either alphabet; None for what is not."""
    if not isinstance(data, str):
        return None
    text = data.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        return None
