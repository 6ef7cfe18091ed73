"""Checks of what a create may hold besides text: media, all kinds at once, and levels of thinking.

The media are the smallest valid files of their kinds. A model that does not read one refuses it, which breaks no
rule; to take one and to lose it does.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any

from harness.checks.vocabulary.expect import at, expect_interaction, expect_offered, finding
from harness.checks.vocabulary.runs import id_of, poll_until_found, read_whole_stream
from harness.checks.vocabulary.shared import HELLO, WEATHER
from harness.contract import read
from harness.contract.judge.answer import SUCCESS, is_no_answer
from harness.contract.judge.reading import format_answer, format_value
from harness.contract.models.profiles import find_profile
from harness.contract.requests import RequestBuilder
from harness.contract.transcript import steps_of
from harness.kit.check import Exchanges, Send, Steps, exercise, send_each, stop_exercise
from harness.outcome import Finding, Unmet
from harness.outcome.words import format_count
from harness.wire import Exchange, Request
from harness.wire.bodies import objects_in

_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
_SOUND = "UklGRjQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YRAAAAAAAAAAAAAAAAAAAAAAAAAA"
_FILM = (
    "AAAAHGZ0eXBpc29tAAACAGlzb21pc28ybXA0MQAAAHRtb292AAAAbG12aGQAAAAAAAAAAAAAAAAAAAPoAAAAAAABAAABAAAAAAAAAAAAAAAA"
    "AQAAAAAAAAAAAAAAAAAAAAEAAAAAAAAAAAAAAAAAAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB"
)
_PAGE = (
    "JVBERi0xLjQKMSAwIG9iajw8L1R5cGUvQ2F0YWxvZy9QYWdlcyAyIDAgUj4+ZW5kb2JqCjIgMCBvYmo8PC9UeXBlL1BhZ2VzL0tpZHNbMyAw"
    "IFJdL0NvdW50IDE+PmVuZG9iagozIDAgb2JqPDwvVHlwZS9QYWdlL1BhcmVudCAyIDAgUi9NZWRpYUJveFswIDAgOTkgOTldPj5lbmRvYmoK"
    "eHJlZgowIDQKMDAwMDAwMDAwMCA2NTUzNSBmIAowMDAwMDAwMDA5IDAwMDAwIG4gCjAwMDAwMDAwNTIgMDAwMDAgbiAKMDAwMDAwMDEwMSAw"
    "MDAwMCBuIAp0cmFpbGVyPDwvU2l6ZSA0L1Jvb3QgMSAwIFI+PgpzdGFydHhyZWYKMTYyCiUlRU9GCg=="
)
"""The smallest valid file of each kind: a pixel, eight samples, a film without tracks, an empty page."""

MEDIA: Mapping[str, Mapping[str, str]] = {
    "image": {"type": "image", "mime_type": "image/png", "data": _PIXEL},
    "audio": {"type": "audio", "mime_type": "audio/wav", "data": _SOUND},
    "video": {"type": "video", "mime_type": "video/mp4", "data": _FILM},
    "document": {"type": "document", "mime_type": "application/pdf", "data": _PAGE},
}
"""A content of each kind besides text."""

ALL = "all"
"""The name of the create with every kind."""

QUESTION = {"type": "text", "text": "Reply with one word: what kind of file is this?"}

Taken = Mapping[str, Exchange]


@exercise(requests=3, interactions=2, uses=("stream",))
def inputs_of_every_kind(t: RequestBuilder) -> Steps:
    """A create with a text and a file of each kind, a GET of it, and a stream.

    If it is refused, or one of its files comes back changed, creates with one file each follow.
    """
    taken: dict[str, Exchange] = {}
    kept: dict[str, Exchange] = {}
    for name, contents in _INPUTS.items():
        sent = [{"type": "user_input", "content": contents}]
        taken[name] = yield Send(t.create(input=sent))
        if found := id_of(taken[name]):
            kept[name] = (yield from poll_until_found(t, found))[-1]
        if name == ALL and taken[name].status in SUCCESS and not any(_judge_stored(name, kept.get(name))):
            break
    accepted = [name for name, answer in taken.items() if answer.status in SUCCESS]
    if "stream" in t.capabilities and accepted:  # every run judges this stream
        sent = [{"type": "user_input", "content": _INPUTS[accepted[0]]}]
        yield from read_whole_stream(t.create(input=sent, stream=True, store=False))
    return {"taken": taken, "kept": kept}


_INPUTS: Mapping[str, list[Mapping[str, str]]] = {
    ALL: [QUESTION, *MEDIA.values()],
    **{kind: [QUESTION, content] for kind, content in MEDIA.items()},
}


@exercise(requests=5, interactions=2)
def parts_of_files(t: RequestBuilder) -> Steps:
    """Creates with the first second of a video and the first page of a document; then parts that cannot be.

    Those end before they start, or begin with page 0.
    """
    return (
        yield from send_each(
            forwards=_ask_of_a_part(t, "video", start_offset="0s", end_offset="1s"),
            backwards=_ask_of_a_part(t, "video", start_offset="2s", end_offset="1s"),
            first_page=_ask_of_a_part(t, "document", page_options={"start_page": 1, "end_page": 1}),
            last_page_first=_ask_of_a_part(t, "document", page_options={"start_page": 2, "end_page": 1}),
            zeroth=_ask_of_a_part(t, "document", page_options={"start_page": 0}),
        )
    )


def _ask_of_a_part(t: RequestBuilder, kind: str, **part: Any) -> Request:
    content = {**MEDIA[kind], "processing": {"type": "static", **part}}
    return t.create(input=[{"type": "user_input", "content": [QUESTION, content]}])


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
    """A create with all fields, settings, tools and media of the model; each alone if that is refused, and none.

    Then one with a seed of 64 bits, which every run judges: it may be rejected, and must crash nothing.
    """
    profile = find_profile(t.model)
    refused = {*(profile.value("refused") or ()), *(() if profile.levels else ("thinking_level",))}
    settings = {**_SETTINGS, "thinking_level": (profile.levels or ("",))[0]}
    config = {name: value for name, value in settings.items() if name not in refused}
    kinds = [kind for kind in profile.value("tools") or () if kind in _TOOLS]
    tools = [WEATHER if kind == "function" else {"type": kind} for kind in kinds]
    media = [kind for kind in profile.value("input") or () if kind in _SMALL]
    config |= {"tool_choice": "auto"} if WEATHER in tools else {}
    given = {**_FIELDS, "generation_config": config, "input": [QUESTION, *map(MEDIA.__getitem__, media)]}
    whole: Exchange = yield Send(t.create(given, tools=tools or None))
    seen: Exchanges = {"whole": whole, "alone": {}, "plain": None}
    if whole.status not in SUCCESS:
        alone: dict[str, dict[str, Any]] = {name: {name: value} for name, value in _FIELDS.items()}
        alone |= {f"generation_config.{name}": {"generation_config": {name: config[name]}} for name in config}
        alone |= {f"tools: {kind}": {"tools": [tool]} for kind, tool in zip(kinds, tools, strict=True)}
        alone |= {f"input: {kind}": {"input": [QUESTION, MEDIA[kind]]} for kind in media}
        if "tool_choice" in config:
            alone["generation_config.tool_choice"] |= {"tools": [WEATHER]}
        sent = {name: t.create({"input": HELLO, **fields}) for name, fields in alone.items()}
        seen["alone"] = yield from send_each(**sent)
        seen["plain"] = yield Send(t.create(input=HELLO))
    if seen["alone"].get("generation_config.seed", whole).status in SUCCESS:
        yield Send(_ask_with(t, seed=2**63))
    return seen


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

_TOOLS = frozenset({"google_search", "google_maps", "code_execution", "url_context", "function"})
"""The tools that need nothing stored, and no machine."""
_SMALL = ("image", "audio")
"""The media of which the smallest file is one for every decoder."""


def takes_each_field(whole: Exchange, alone: Mapping[str, Exchange], plain: Exchange | None) -> Iterator[Finding]:
    if plain is not None and plain.status not in SUCCESS:
        raise Unmet(f"a create without further fields was refused, too: {format_answer(plain)}")
    refused = [name for name, one in alone.items() if one.status not in SUCCESS and not is_no_answer(one)]
    if refused:
        message = f"the target rejects {format_count(len(refused), 'field')} of a create that the model accepts: "
        actual = format_answer(alone[refused[0]])
        yield finding(message + ", ".join(refused), "2xx", actual, exchange=f"alone[{refused[0]}]")


def _ask_with(t: RequestBuilder, **settings: Any) -> Any:
    return t.create(input=HELLO, generation_config=settings)


_STATED = ("G", "R")
"""The levels of facts that a guide or a recording of the service shows."""


def takes_a_listed_level(listed: Exchange, warm: Exchange | None) -> Iterator[Finding]:
    if warm is not None and not id_of(warm):
        raise Unmet(f"a create with generation_config was refused: {format_answer(warm)}")
    yield from at("listed", expect_interaction(listed))


def keeps(rule: str, taken: Taken, kept: Taken) -> Iterator[Finding]:
    """A create that was accepted, and whose stored input shows files, shows each that was sent, in its place."""
    kind = rule.removeprefix("create.input-")
    name = kind if kind in taken else ALL
    yield from at(f"taken[{name}]", expect_offered(taken[name]))
    yield from _judge_stored(name, kept.get(name))


def _judge_stored(name: str, stored: Exchange | None) -> Iterator[Finding]:
    body = read(stored).json if stored is not None and stored.status in SUCCESS else None
    first = next(iter(steps_of(body)), {}) if isinstance(body, dict) else {}
    shown = objects_in(first.get("content")) if first.get("type") == "user_input" else []
    if not shown:  # a GET need not begin with what was sent
        return
    sent = _INPUTS[name]
    kinds, wanted = [content.get("type") for content in shown], [content["type"] for content in sent]
    if kinds != wanted:
        message = "the stored input contains other kinds of content"
        yield finding(message, format_value(wanted), format_value(kinds), exchange=f"kept[{name}]")
        return
    for content, original in zip(shown, sent, strict=True):
        if "data" in content and _decode(content["data"]) != _decode(original.get("data")):
            message = f"the stored {original['type']} has other bytes"
            yield finding(message, "those that were sent", "others", exchange=f"kept[{name}]")


def _decode(data: object) -> bytes | None:
    """The bytes of base64 in either alphabet; None for what is not."""
    if not isinstance(data, str):
        return None
    text = data.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        return None
