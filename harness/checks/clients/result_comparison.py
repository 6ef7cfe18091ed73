"""The resume oracle for clients: nothing lost, nothing twice, order kept.

Layer 2, pure. Compares what a client ended up with to the whole stream, and says what is wrong. Only the assembled
result counts: differently split deltas are fine. Must not know what went over the wire.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import accumulate, zip_longest
from typing import Any

import msgspec

from harness.contract import Contract, compare_steps
from harness.contract.data.assembly import assemble_steps
from harness.contract.data.json_parse import as_list, as_object
from harness.contract.data.transcript import output_text, steps_text
from harness.kit.client_model import HOLE, LOSS, OTHER, TWICE, UNUSABLE, Defect, Event
from harness.outcome.words import format_count, shorten

# What code under test ended up with: a text, an interaction of any library, or a list of events. Values of
# google-genai are read through their `model_dump`, without importing the library.


def plain(value: Any) -> Any:
    """The JSON value of an SDK's model; any other value as it is."""
    dump = getattr(value, "model_dump", None)
    if not callable(dump):
        return value
    dumped = dump(mode="json", exclude_unset=True)
    raw = as_object(dumped).get("raw")  # how google-genai keeps an event it does not know
    return raw if isinstance(raw, dict) else dumped


def events_of(value: Any) -> list[Mapping[str, Any]] | None:
    """The decoded events in a list, without frames of broken JSON; None if `value` is not a list of events.

    Strings alone are no events but printed text.
    """
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Sequence):
        return None
    items = [plain(item) for item in value]
    events = [item for item in items if isinstance(item, Mapping)]
    frames = [item for item in items if isinstance(item, str)]
    if len(events) + len(frames) < len(items) or (frames and not events):
        return None
    return events


def status_of(value: Any) -> str | None:
    """The status of an interaction, or the status itself if `value` is one; None otherwise."""
    value = plain(value)
    status = value.get("status") if isinstance(value, Mapping) else getattr(value, "status", value)
    return status if isinstance(status, str) else None


def text_in(value: Any) -> str | None:
    """The output text of an interaction or of assembled events, or the `text` of an object; None without any."""
    value = plain(value)
    if isinstance(value, Mapping) and isinstance(value.get("steps"), list):
        return output_text(value)
    text = value.get("text") if isinstance(value, Mapping) else getattr(value, "text", None)
    return text if isinstance(text, str) else None


# The comparison.


_SHOWN = 40


def compare_result(whole: Sequence[Event], collected: Any, contract: Contract) -> Defect | None:
    """How the result of a client differs from the events of the whole stream; None if it does not.

    `collected` is its text, its events, or the interaction, as any library has it.
    """
    events = events_of(collected)
    if events is not None:
        return _compare_events(whole, events, contract)
    text = collected if isinstance(collected, str) else _join_pieces(collected)
    value = plain(collected)
    if text is None and isinstance(value, Mapping) and isinstance(value.get("steps"), list):
        return _compare_steps(whole, value["steps"], contract)
    if text is None:
        text = text_in(collected)
    if text is None:
        return Defect(
            UNUSABLE,
            f"ended with {collected!r}: expected text, events, an interaction, or text and status in a dict",
        )
    return _compare_texts(whole, text, contract)


def _compare_steps(whole: Sequence[Event], steps: Sequence[Any], contract: Contract) -> Defect | None:
    different = compare_steps(assemble_steps(whole, contract), steps)
    if not different:
        return None
    text = _compare_texts(whole, steps_text([step for step in steps if isinstance(step, Mapping)]), contract)
    return text or Defect(OTHER, f"ended with other steps ({different[0]})")


def _join_pieces(collected: Any) -> str | None:
    """The text of a list of strings, such as what a client has printed piece by piece; None for anything else."""
    if isinstance(collected, list | tuple) and all(isinstance(piece, str) for piece in collected):
        return "".join(collected)
    return None


def _compare_events(whole: Sequence[Event], events: Sequence[Event], contract: Contract) -> Defect | None:
    marks = list(map(mark_of, whole))
    numbers = [number for number, mark in enumerate(marks) if mark is not None]
    expected = [marks[number] for number in numbers]
    got = [mark for event in events if (mark := mark_of(event)) is not None]
    if got == expected or not compare_steps(assemble_steps(whole, contract), assemble_steps(events, contract)):
        return None if _starts(events) <= _starts(whole) else Defect(TWICE, "got a step.start twice")
    pairs = enumerate(zip_longest(expected, got))
    at = next((number for number, (wanted, had) in pairs if wanted != had), len(expected))
    if at < len(got) and got[at] in expected[:at]:
        again = len(expected[:at]) - 1 - expected[:at][::-1].index(got[at])
        return Defect(TWICE, f"has event {numbers[again]} ({_show(whole[numbers[again]], contract)}) twice")
    if at < len(expected):
        word = LOSS if at == len(got) else HOLE
        return Defect(word, f"lost event {numbers[at]} ({_show(whole[numbers[at]], contract)})")
    return Defect(OTHER, f"has {format_count(len(got) - at, 'event')} more than there are")


def _compare_texts(whole: Sequence[Event], text: str, contract: Contract) -> Defect | None:
    """Find the pieces that `text` lacks or has twice; the difference in length tells how much to look for."""
    pieces = [(number, piece) for number, event in enumerate(whole) if (piece := _read_text(event, contract))]
    expected = "".join(piece for _, piece in pieces)
    if not expected and (kinds := _step_types(whole, contract)):
        return Defect(
            UNUSABLE,
            f"ended with a text, but the stream has none, only {' and '.join(kinds)}: a text cannot show whether "
            "those were lost or doubled; return the events or the interaction",
        )
    if text == expected:
        return None
    if any((thought := _read_thought(event)) and thought in text and thought not in expected for event in whole):
        return Defect(OTHER, "took the summaries of thoughts for text: they are mixed into its answer")
    return _find_piece(pieces, expected, text) or _find_character([piece for _, piece in pieces], expected, text)


def _find_piece(pieces: Sequence[tuple[int, str]], expected: str, text: str) -> Defect | None:
    """Find the one run of pieces that `text` lacks or has twice; None if more differs, or something else."""
    bounds = list(accumulate((len(piece) for _, piece in pieces), initial=0))
    surplus = len(text) - len(expected)
    for place, (number, piece) in zip(bounds, pieces, strict=False):
        again = place + surplus  # where the doubled part ends, or the lost one begins
        if surplus > 0 and text == expected[:again] + expected[place:]:
            return Defect(TWICE, f"has the text from event {number} on ({_cut(expected[place:again])}) twice")
        if surplus < 0 and text == expected[:place] + expected[place - surplus :]:
            if place - surplus < len(expected):
                return Defect(HOLE, f"lost the text of event {number} ({_cut(piece)}) in the middle")
            return Defect(LOSS, f"lost the text of event {number} ({_cut(piece)}) at the end")
    return None


def _find_character(pieces: Sequence[str], expected: str, text: str) -> Defect:
    """Describe a difference that does not end where a piece does, from the first character that differs."""
    surplus = len(text) - len(expected)
    at = next((i for i, pair in enumerate(zip_longest(expected, text)) if pair[0] != pair[1]), 0)
    if at == len(text):
        return Defect(LOSS, f"lost the text from character {at} on ({_cut(expected[at:])}) at the end")
    if surplus < 0 and expected.endswith(text[at:]):
        return Defect(HOLE, f"lost the text from character {at} on ({_cut(expected[at : at - surplus])})")
    if surplus > len(expected) // 2 and any(text.count(piece) > expected.count(piece) for piece in pieces):
        many = format_count(surplus, "character")
        return Defect(TWICE, f"has {many} twice or more often: {_cut(text)} instead of {_cut(expected)}")
    return Defect(
        OTHER, f"has another text from character {at} on: {_cut(text[at:])} instead of {_cut(expected[at:])}"
    )


def _starts(events: Sequence[Event]) -> int:
    return sum(event.get("event_type") == "step.start" for event in events)


_MARKS = ("event_type", "index", "step", "delta")
_encode = msgspec.json.Encoder(enc_hook=str, order="sorted").encode
"""A fifth of the time of `json.dumps`; each event of each dropped stream is compared."""


def mark_of(event: Event) -> str | None:
    """The content of an event of a step as JSON, without its id and usage; None for any other event."""
    if not str(event.get("event_type", "")).startswith("step."):
        return None
    told = {name: value for name in _MARKS if (value := event.get(name)) is not None}
    try:
        return _encode(told).decode()
    except (ValueError, TypeError, RecursionError, msgspec.MsgspecError):  # such as half a surrogate pair
        return json.dumps(told, sort_keys=True, default=str)


def join_streams(streams: Sequence[Sequence[Event]]) -> list[dict[str, Any]]:
    """The events of several runs as one stream: what a token continued is one result, its steps numbered on."""
    joined: list[dict[str, Any]] = []
    for events in streams:
        steps = _starts(joined)
        joined += [{**e, "index": e["index"] + steps} if steps and "index" in e else dict(e) for e in events]
    return joined


def answer_events(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The interaction in a JSON answer as the events of a stream: its steps, each as a whole, and its end."""
    starts = [
        {"event_type": "step.start", "index": index, "step": step}
        for index, step in enumerate(as_list(answer.get("steps")))
    ]
    return [*starts, {"event_type": "interaction.completed", "interaction": dict(answer)}]


def text_of(events: Sequence[Event], contract: Contract) -> str:
    """The text that a client of a stream must end up with."""
    return steps_text(assemble_steps(events, contract))


def _read_text(event: Event, contract: Contract) -> str:
    """The output text in an event."""
    grows = event.get("event_type") in ("step.delta", "step.start")
    return text_of([event], contract) if grows else ""


def _read_thought(event: Event) -> str:
    """The summary of a thought in an event."""
    match event:
        case {"delta": {"type": "thought_summary", "content": {"text": str(text)}}}:
            return text
    return ""


def _step_types(whole: Sequence[Event], contract: Contract) -> list[str]:
    """The types of the steps that the stream consists of, besides thoughts, each once."""
    types = (str(step.get("type")) for step in assemble_steps(whole, contract))
    return [kind for kind in dict.fromkeys(types) if kind not in ("thought", "user_input", "model_output")]


def _show(event: Event, contract: Contract) -> str:
    text = _read_text(event, contract)
    return f"{event.get('event_type')} {_cut(text)}" if text else str(event.get("event_type"))


def _cut(text: str) -> str:
    return repr(shorten(text, _SHOWN))
