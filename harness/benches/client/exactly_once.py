"""The resume oracle for clients: nothing lost, nothing twice, order kept, completion noticed.

Layer 5, pure. Compares what the code under test ended up with to the whole stream. It describes what is wrong and,
from what went over the wire, what the client did. Only the assembled result counts: differently split deltas are
fine.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise, zip_longest
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from harness.benches.client.client_results import events_of, plain, text_in
from harness.benches.client.observed_streams import Seen
from harness.contract import PROTOCOL, Contract, compare_steps
from harness.contract.data.assembly import assemble_steps
from harness.contract.data.output import steps_text
from harness.outcome.words import format_count, shorten
from harness.wire import Request

Event = Mapping[str, Any]
_SHOWN = 40

LOSS, HOLE, TWICE, OTHER = "silent-loss", "hole", "duplicated", "altered"
DOUBLE_CREATE, UNFINISHED, UNUSABLE = "double-create", "unfinished", "unusable"
KINDS = (LOSS, HOLE, TWICE, OTHER, DOUBLE_CREATE, UNFINISHED, UNUSABLE)
"""The words that a `Defect` may have."""


class Defect(NamedTuple):
    """What a client did wrong: `word` names the kind, `text` is a phrase with the client as its subject."""

    word: str
    text: str


UNKNOWING = Defect(
    UNFINISHED,
    "took the end of a connection for the end of the interaction: neither interaction.completed nor a GET with a "
    "final status ever reached it",
)
"""A client that reports a result, right or not, and cannot know that it is whole."""


def judge(whole: Sequence[Event], collected: Any, seen: Sequence[Seen], contract: Contract) -> Defect | None:
    """What the client did wrong; None if nothing.

    `whole` holds the events of the undisturbed stream, `collected` is what the code under test ended up with,
    `seen` the responses it received.
    """
    if again := describe_double_create(seen):
        return Defect(DOUBLE_CREATE, again)
    wrong = _compare(whole, collected, contract)
    if wrong is not None:
        why = _why(whole, seen, doubled=wrong.word == TWICE)
        return Defect(wrong.word, f"{wrong.text}: {why}") if why else wrong
    if not any(one.completes for one in seen):
        return UNKNOWING
    return None


# What differs


def _compare(whole: Sequence[Event], collected: Any, contract: Contract) -> Defect | None:
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
            UNUSABLE, f"ended with {collected!r}: give assert_seen_once the text, the events or the interaction"
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
    numbers = [number for number, event in enumerate(whole) if _is_step(event)]
    expected = [_shape(whole[number]) for number in numbers]
    got = [_shape(event) for event in events if _is_step(event)]
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
    pieces = [(number, piece) for number, event in enumerate(whole) if (piece := _text(event, contract))]
    expected = "".join(piece for _, piece in pieces)
    if not expected and (kinds := _step_types(whole, contract)):
        return Defect(
            "unusable",
            f"ended with a text, but the stream has none, only {' and '.join(kinds)}: a text cannot show whether "
            "those were lost or doubled; give assert_seen_once the events or the interaction",
        )
    if text == expected:
        return None
    if any((thought := _thought_text(event)) and thought in text and thought not in expected for event in whole):
        return Defect(OTHER, "took the summaries of thoughts for text: they are mixed into its answer")
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
    at = next((i for i, pair in enumerate(zip_longest(expected, text)) if pair[0] != pair[1]), 0)
    if at == len(text):
        return Defect(LOSS, f"lost the text from character {at} on ({_cut(expected[at:])}) at the end")
    if surplus < 0 and expected.endswith(text[at:]):
        return Defect(HOLE, f"lost the text from character {at} on ({_cut(expected[at : at - surplus])})")
    if surplus > len(expected) // 2 and any(text.count(piece) > expected.count(piece) for _, piece in pieces):
        many = format_count(surplus, "character")
        return Defect(TWICE, f"has {many} twice or more often: {_cut(text)} instead of {_cut(expected)}")
    return Defect(
        OTHER, f"has another text from character {at} on: {_cut(text[at:])} instead of {_cut(expected[at:])}"
    )


# Why it differs


def describe_double_create(seen: Sequence[Seen]) -> str:
    """Say that a second interaction was made in place of the first; a further turn, or a continuation, is none."""
    creates = [one for one in seen if one.is_create and not one.by_token]
    made = [one for one in creates if one.status < 400]
    turns = Counter(one.continues for one in made)
    given = _was_given_one(seen)
    times = max(turns.values(), default=0) + (given and turns[None] > 0)
    if times < 2:
        return ""
    if given and turns[None] < 2:
        return (
            "had begun to read an interaction by its id, then posted a create: a second interaction runs and is "
            "billed; resume the first by its id"
        )
    known = any(one.find_created_id() for one in made[:-1])
    advice = (
        "resume the first by its id"
        if known
        else "the first answer told no id, so say that it was lost (created with background=true and without "
        "stream, it tells its id at once)"
    )
    return f"posted the create {times} times: a second interaction runs and is billed; {advice}"


def _was_given_one(seen: Sequence[Seen]) -> bool:
    """Whether the client read, before its first create, an interaction that it had not made."""
    return bool(seen) and seen[0].request.method == "GET" and seen[0].status < 400


def _why(whole: Sequence[Event], seen: Sequence[Seen], *, doubled: bool) -> str:
    streams = [one for one in seen if one.is_stream or PROTOCOL.is_resume(one.request) is not None]
    asked = [one for one in streams if one.asked_after is not None]
    errors = {PROTOCOL.cursor(e) for one in streams for e in one.events() if PROTOCOL.is_error(e)} - {None}
    known = {PROTOCOL.cursor(event) for event in whole}
    for one in asked:
        if one.asked_after in errors:
            return f"it resumed after {one.asked_after!r}, the id of an error event, which is no cursor"
        if one.asked_after not in known:
            return f"it resumed after {one.asked_after!r}, which is the id of no event"
    if not any(one.completes for one in seen):
        return _why_unfinished(seen, streams)
    return _why_doubled(streams) if doubled else _why_lost(whole, streams)


def _why_unfinished(seen: Sequence[Seen], streams: Sequence[Seen]) -> str:
    if not streams:
        return "it never asked for the stream" if seen else "it sent no request at all"
    if seen[-1].status >= 400:
        return f"what it asked for last was refused ({seen[-1].status}: {seen[-1].error})"
    if len(streams) < 2:
        return "it did not come back after the drop"
    if all(one.asked_after is None for one in streams):
        return "it gave up before the end"
    return "it stopped asking before the interaction had ended"


def _why_doubled(streams: Sequence[Seen]) -> str:
    for before, after in pairwise(streams):
        events = after.events()
        if after.is_create:
            return "it posted another create, and kept what it had already"
        if after.asked_after is None:
            misplaced = _describe_misplaced_cursor(after.request, before)
            return misplaced or "it asked for the stream from the start again, and kept what it had already"
        if events and PROTOCOL.cursor(events[0]) == after.asked_after:
            return "the resumed stream began with the event of its cursor (inclusive), and it kept both"
        cursors = [c for event in before.events() if (c := PROTOCOL.cursor(event)) is not None]
        if cursors and after.asked_after in cursors and after.asked_after != cursors[-1]:
            return f"it resumed after {after.asked_after!r}, though {cursors[-1]!r} had arrived"
    ids = [c for one in streams for event in one.events() if (c := PROTOCOL.cursor(event)) is not None]
    if len(ids) != len(set(ids)):
        return "an event that came twice with one event_id was not recognised"
    if len(streams) == 1:
        return "it had been delivered once, so it was doubled on the client's side"
    return "events after the cursor came again when it resumed, and it kept both"


def _why_lost(whole: Sequence[Event], streams: Sequence[Seen]) -> str:
    delivered = {_shape(event) for one in streams for event in one.events() if _is_step(event)}
    if all(_shape(event) in delivered for event in whole if _is_step(event)):
        return "it had been delivered, so it was dropped on the client's side"
    return "it went on behind events that never reached it"


def _describe_misplaced_cursor(request: Request, before: Seen) -> str:
    """The problem if a cursor was sent in the wrong place; "" if not."""
    cursors = {PROTOCOL.cursor(event) for event in before.events()}
    if request.headers.get("last-event-id") in cursors:
        return "it sent its cursor in the header Last-Event-ID, which is not read: the parameter is last_event_id"
    for name, value in parse_qsl(urlsplit(request.target).query):
        if value in cursors:
            return f"it sent its cursor as {name!r}, which is not read: the parameter is last_event_id"
    return ""


# Small readings


def _is_step(event: Event) -> bool:
    return str(event.get("event_type", "")).startswith("step.")


def _starts(events: Sequence[Event]) -> int:
    return sum(event.get("event_type") == "step.start" for event in events)


def _shape(event: Event) -> str:
    """The content of an event as JSON, without its id and usage."""
    told = {
        name: event.get(name) for name in ("event_type", "index", "step", "delta") if event.get(name) is not None
    }
    return json.dumps(told, sort_keys=True, default=str)


def _text(event: Event, contract: Contract) -> str:
    """The output text in an event."""
    grows = event.get("event_type") in ("step.delta", "step.start")
    return steps_text(assemble_steps([event], contract)) if grows else ""


def _thought_text(event: Event) -> str:
    """The summary of a thought in an event."""
    delta = event.get("delta")
    summary = (
        delta.get("content") if isinstance(delta, Mapping) and delta.get("type") == "thought_summary" else None
    )
    text = summary.get("text") if isinstance(summary, Mapping) else None
    return text if isinstance(text, str) else ""


def _step_types(whole: Sequence[Event], contract: Contract) -> list[str]:
    """The types of the steps that the stream consists of, besides thoughts, each once."""
    types = (str(step.get("type")) for step in assemble_steps(whole, contract))
    return [kind for kind in dict.fromkeys(types) if kind not in ("thought", "user_input", "model_output")]


def _show(event: Event, contract: Contract) -> str:
    text = _text(event, contract)
    return f"{event.get('event_type')} {_cut(text)}" if text else str(event.get("event_type"))


def _cut(text: str) -> str:
    return repr(shorten(text, _SHOWN))
