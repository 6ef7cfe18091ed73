"""Judges a client by its requests and its result: nothing lost, nothing twice, calls returned.

Pure; never raises on odd input. The resume oracle for clients compares the result of a client with the whole
stream, and names the difference. Only the assembled result counts: differently split deltas are fine. It must not
know the bytes on the wire; other functions read which interactions a client creates, and which calls it returns
results for.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import accumulate, combinations, zip_longest
from typing import Any

import msgspec

from harness.contract import PROTOCOL, Contract, compare_steps, requests
from harness.contract.transcript import (
    as_steps,
    assemble_steps,
    count_transcript,
    given_text,
    items,
    output_text,
    steps_text,
)
from harness.contract.transcript import text_of as content_text
from harness.kit.client_model import (
    HOLE,
    LOSS,
    LOST_ARGUMENTS,
    OTHER,
    SERVER_CALL,
    STOPPED,
    SWAPPED,
    TWICE,
    UNUSABLE,
    ClientExchange,
    Defect,
    Event,
)
from harness.outcome.words import format_count, shorten
from harness.wire import Request
from harness.wire.bodies import as_list, as_object, object_or_none, objects_in

# The result of code under test: a text, an interaction of any library, or a list of events. Values of
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


def compare_result(
    whole: Sequence[Event], collected: Any, contract: Contract, creates: Sequence[Request] = ()
) -> Defect | None:
    """How the result of a client differs from the events of the whole stream; None if it does not.

    `collected` is its text, its events, or the interaction, as any library has it; `creates` are what it sent.
    The most specific difference is named: a step or an annotation that is missing, or what is no output.
    """
    events = events_of(collected)
    if events is not None:
        return _compare_events(whole, events, contract)
    text = collected if isinstance(collected, str) else None
    if isinstance(collected, list | tuple) and all(isinstance(piece, str) for piece in collected):
        text = "".join(collected)  # such as what a client has printed piece by piece
    value = plain(collected)
    if text is None and isinstance(value, Mapping) and isinstance(value.get("steps"), list):
        steps, wanted = value["steps"], assemble_steps(whole, contract)
        different = compare_steps(wanted, steps)
        if not different:
            return _compare_usage(whole, value)
        text = steps_text(objects_in(steps))
        wrong = None if text == steps_text(wanted) else _compare_texts(whole, text, contract, creates)
        if wrong is not None and wrong.word != OTHER:
            return wrong
        other = Defect(OTHER, f"ended with other steps ({'; '.join(map(str, different[:3]))})")
        return _find_missing(wanted, objects_in(steps)) or wrong or other
    if text is None:
        text = text_in(collected)
    if text is None:
        return Defect(
            UNUSABLE,
            f"ended with {collected!r}: expected text, events, an interaction, or text and status in a dict",
        )
    return _compare_texts(whole, text, contract, creates) or _compare_usage(whole, value)


def _find_missing(wanted: Sequence[Mapping[str, Any]], got: Sequence[Mapping[str, Any]]) -> Defect | None:
    """Name the kind of steps of which a result has too few, or the annotations; None if it has all."""
    kinds, own = (Counter(str(step.get("type")) for step in steps) for steps in (wanted, got))
    for kind, many in kinds.items():
        if own[kind] < many:
            some = f"the `{kind}` step" if many == 1 else f"{many - own[kind]} of {many} `{kind}` steps"
            return Defect(HOLE, f"lost {some}")
    notes, kept = (
        sum(len(as_list(part.get("annotations"))) for step in steps for part in objects_in(step.get("content")))
        for steps in (wanted, got)
    )
    if kept < notes:
        return Defect(HOLE, f"lost {format_count(notes - kept, 'annotation')} of {notes}, the citations of a text")
    return None


def _compare_usage(whole: Sequence[Event], value: Any) -> Defect | None:
    """How the counts of tokens differ from those of the completion; beside steps each of them has to be there."""
    told = as_object(as_object(value).get("usage"))
    ends = [own for one in whole if told and (own := as_object(as_object(one.get("interaction")).get("usage")))]
    # a continued run has a usage for each of its parts
    for name, right in ends[0].items() if len(ends) == 1 else ():
        if name.startswith("total_") and (name in told or "steps" in value) and right != (told.get(name) or 0):
            return Defect(OTHER, f"has the usage {name}={told.get(name)!r}: the completion has {right!r}")
    return None


def _compare_events(whole: Sequence[Event], events: Sequence[Event], contract: Contract) -> Defect | None:
    # Hot: nearly every client is right, and then no event is looked at by itself.
    if (marks := _mark_all(events)) is not None and marks == _mark_all(whole):
        return None
    if not compare_steps(assemble_steps(whole, contract), assemble_steps(events, contract)):
        return None if _starts(events) <= _starts(whole) else Defect(TWICE, "got a step.start twice")
    numbers = [number for number, event in enumerate(whole) if mark_of(event) is not None]
    expected = [mark_of(whole[number]) for number in numbers]
    got = [mark for event in events if (mark := mark_of(event)) is not None]
    if got == expected:
        return None
    pairs = enumerate(zip_longest(expected, got))
    at = next((number for number, (wanted, had) in pairs if wanted != had), len(expected))
    if at < len(got) and got[at] in expected[:at]:
        again = max(number for number, mark in zip(numbers, expected[:at], strict=False) if mark == got[at])
        return Defect(TWICE, f"has event {again} ({_show(whole[again], contract)}) twice")
    if at < len(expected):
        word = LOSS if at == len(got) else HOLE
        return Defect(word, f"lost event {numbers[at]} ({_show(whole[numbers[at]], contract)})")
    return Defect(OTHER, f"has {format_count(len(got) - at, 'event')} more than there are")


def _compare_texts(
    whole: Sequence[Event], text: str, contract: Contract, creates: Sequence[Request]
) -> Defect | None:
    """Find the pieces that `text` lacks or has twice; the difference in length bounds the search."""
    steps = assemble_steps(whole, contract)
    if text and text == steps_text(steps):  # nearly every client is right: then no event is looked at by itself
        return None
    pieces = [(number, piece) for number, event in enumerate(whole) if (piece := _read_text(event, contract))]
    expected = "".join(piece for _, piece in pieces)
    types = {} if expected else dict.fromkeys(str(step.get("type")) for step in steps)
    if kinds := [kind for kind in types if kind not in ("thought", "user_input", "model_output")]:
        return Defect(
            UNUSABLE,
            f"ended with a text, but the stream has none, only {' and '.join(kinds)}: a text cannot show whether "
            "those were lost or doubled; return the events or the interaction",
        )
    if text == expected:
        return None
    summaries = (as_object(event.get("delta")) for event in whole)
    thoughts = [
        as_object(delta.get("content")).get("text")
        for delta in summaries
        if delta.get("type") == "thought_summary"
    ]
    if any(isinstance(one, str) and one and one in text and one not in expected for one in thoughts):
        return Defect(OTHER, "took the summaries of thoughts for text: they are mixed into its text")
    if (wrong := _find_piece(pieces, expected, text)) is not None:
        return wrong
    given = _list_given(creates, contract)
    results = ((step.get("type"), step.get("result")) for step in (*steps, *given))
    foreign = [(f"a `{kind}`", content_text(one)) for kind, one in results if isinstance(one, str | list)]
    foreign += [("the user's prompt", given_text([step])) for step in given]
    for what, words in foreign:
        if len(words) > 2 and text.count(words) > expected.count(words):
            return Defect(OTHER, f"has {what} in its text, which is not output: {_cut(words)}")
    before = text.removesuffix(expected)
    if expected and before != text and not expected.startswith(before):
        return Defect(OTHER, f"has {_cut(before)} before its text, which is not output")
    return _find_character([piece for _, piece in pieces], expected, text)


def _list_given(creates: Sequence[Request], contract: Contract) -> list[dict[str, Any]]:
    """The steps that the creates of a client have as their input."""
    return [
        step
        for given in map(_read_input, creates)
        for step in as_steps(given if isinstance(given, str | dict) else objects_in(given), contract.contents)
    ]


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
        return Defect(TWICE, f"has {many} more than once: {_cut(text)} instead of {_cut(expected)}")
    others = map(re.escape, re.split("[^\\x00-\\x7f]+", expected))
    beyond = re.fullmatch(r"[?\x80-\U0010ffff]+".join(others), text)
    why = ": only what is not ASCII differs, so decode each stream as a whole, and write UTF-8" if beyond else ""
    return Defect(
        OTHER, f"has another text from character {at} on: {_cut(text[at:])} instead of {_cut(expected[at:])}{why}"
    )


def _starts(events: Sequence[Event]) -> int:
    return sum(event.get("event_type") == "step.start" for event in events)


_MARKS = ("event_type", "index", "step", "delta")
_encode = msgspec.json.Encoder(enc_hook=str, order="sorted").encode
"""A fifth of the time of `json.dumps`; each event of each dropped stream is compared."""


def _mark_all(events: Sequence[Event]) -> bytes | None:
    """The marks of all events at once; None if there is one that `mark_of` alone can tell."""
    told = [
        (kind, event.get("index"), event.get("step"), event.get("delta"))
        for event in events
        if str(kind := event.get("event_type", "")).startswith("step.")
    ]
    try:
        return _encode(told)
    except (ValueError, TypeError, RecursionError, msgspec.MsgspecError):
        return None


def mark_of(event: Event) -> str | None:
    """The content of an event of a step as JSON, without its id and usage; None for any other event."""
    if not str(event.get("event_type", "")).startswith("step."):
        return None
    marks = {name: value for name in _MARKS if (value := event.get(name)) is not None}
    try:
        return _encode(marks).decode()
    except (ValueError, TypeError, RecursionError, msgspec.MsgspecError):  # such as half a surrogate pair
        return json.dumps(marks, sort_keys=True, default=str)


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
    """The text that a client of a stream must return."""
    return steps_text(assemble_steps(events, contract))


def _read_text(event: Event, contract: Contract) -> str:
    grows = event.get("event_type") in ("step.delta", "step.start")
    return text_of([event], contract) if grows else ""


def _show(event: Event, contract: Contract) -> str:
    text, kind = _read_text(event, contract), as_object(event.get("delta") or event.get("step")).get("type")
    return f"{event.get('event_type')} {_cut(text) if text else kind or ''}".rstrip()


def _cut(text: str) -> str:
    return repr(shorten(text, 40))


def find_previous(create: Request) -> str | None:
    """The interaction that a create continues; None if it begins a conversation.

    That is its previous turn by id or, if it sends the earlier turns along, their number of steps in words: a
    client may keep the conversation itself.
    """
    body = object_or_none(create.body) or {}
    named, given = body.get("previous_interaction_id"), body.get("input")
    if isinstance(named, str):
        return named
    steps = count_transcript(given)
    return f"a transcript of {format_count(steps, 'step')}" if steps else None


def find_input(create: Request) -> str:
    """The input of a create, as JSON."""
    return json.dumps(_read_input(create), sort_keys=True)


def goes_on(create: Request) -> bool:
    """Whether a create continues an interaction that stopped with a continuation token."""
    return b"continuation_token" in create.body


def find_id(answer: Mapping[str, Any]) -> str | None:
    """The id of the interaction in the answer to a create."""
    found = answer.get("id")
    return found if isinstance(found, str) else None


def find_error(answer: Mapping[str, Any]) -> str:
    """The message of a refusal; "" if it has none."""
    error = answer.get("error")
    return str(as_object(error).get("message") or "")


def judge_calls(exchanges: Sequence[ClientExchange], contract: Contract) -> Defect | None:
    """The defect of the results that a client returned for the calls of the model; None if there is none.

    The function `look` returns its `place`: a result with another has not received it, or is that of another call.
    """
    runs_read: list[list[Event]] = [[]]
    last = ""
    for request, events, answer in exchanges:
        if request.method == "POST":
            made = [step for run in runs_read for step in assemble_steps(run, contract)]
            given = _read_input(request)
            if taken := find_server_call(given, made, contract):
                return Defect(SERVER_CALL, taken)
            if wrong := find_exchanged(given, made) or find_misnamed(given, made):
                return Defect(SWAPPED, wrong)
            if misplaced := _judge_places(given, made):
                return misplaced
            sent = [one.get("call_id") for one in objects_in(given) if one.get("type") == "function_result"]
            last_steps = assemble_steps(runs_read[-1], contract)
            waiting = [step.get("id") for step in last_steps if step.get("type") == "function_call"]
            missing = next((call for call in waiting if call not in sent), None)
            twice, times = Counter(map(str, sent)).most_common(1)[0] if sent else ("", 0)
            if times > 1 and missing is not None:
                many = f"returned {times} results for the call {twice!r} and none for {missing!r}"
                return Defect(SWAPPED, f"{many}: return one for each call, by its `call_id`")
            runs_read.append([])
        if answer.get("steps"):
            runs_read[-1] = [*answer_events(answer)]
        elif events and PROTOCOL.stream_id(events[0]) is not None:  # from the start
            runs_read[-1] = [*events]
        else:  # one call may arrive over several connections
            known = set(map(PROTOCOL.cursor, runs_read[-1])) - {None}
            runs_read[-1] += [event for event in events if PROTOCOL.cursor(event) not in known]
        reported = [found[1] for value in (*events, answer) if (found := requests.status_of(value)) is not None]
        last = reported[-1] if reported else last
    if last != "requires_action":
        return None
    return Defect(
        STOPPED,
        "reports success, although the last interaction requires action: return results until the model stops "
        "calling",
    )


def _judge_places(given: Any, calls: Sequence[Mapping[str, Any]]) -> Defect | None:
    """How a result of `look` has another place than its call; None if each that has a place has its own.

    An empty one has none: JavaScript leaves out a place that is undefined.
    """
    places = {
        str(call.get("id")): asked["place"]
        for call in calls
        if call.get("name") == "look" and "place" in (asked := as_object(call.get("arguments")))
    }
    for step in objects_in(given):
        call, result = str(step.get("call_id")), step.get("result")
        if step.get("type") != "function_result" or call not in places:
            continue
        if isinstance(result, list):  # contents
            result = content_text(result)
        if isinstance(result, str):
            result = object_or_none(result.encode("utf-8", "replace"))
        if isinstance(result, dict) and (place := result.get("place", result and places[call])) != places[call]:
            if other := next((one for one, theirs in places.items() if theirs == place), ""):
                return Defect(SWAPPED, _describe_exchange(call, other))
            shown = f"the place {place!r}" if result else "no place"
            return Defect(
                LOST_ARGUMENTS,
                f"lost the arguments of the call {call!r}: its result has {shown} for {places[call]!r}; take the "
                "`arguments` of its step.start and of all arguments_delta events",
            )
    return None


def find_forgotten(creates: Sequence[Request], contract: Contract) -> str:
    """A text of the user in an earlier create that the last leaves out, which sends the conversation; or ""."""
    last = object_or_none(creates[-1].body) or {}
    if isinstance(last.get("previous_interaction_id"), str) or not count_transcript(last.get("input")):
        return ""
    sent, earlier = given_text(_list_given(creates[-1:], contract)), _list_given(creates[:-1], contract)
    said = (str(item.get("text")) for item in items(earlier) if item.get("type") == "text")
    return next((text for text in said if text not in sent), "")


def find_split_call(exchanges: Sequence[ClientExchange]) -> str:
    """How the arguments of the last calls arrived in pieces, if the client returned no result; "" if it did.

    A client that takes one piece for the whole, or parses each, fails on it with an error of its own.
    """
    names: dict[Any, str] = {}
    pieces: dict[str, int] = {}
    for request, events, _ in exchanges:
        if request.method == "POST":
            names.clear()
            if _read_results(_read_input(request)):
                pieces.clear()
        for event in events:
            match event:
                case {"index": index, "step": {"type": "function_call", "id": str(call)}}:
                    names[index] = call
                case {"index": index, "delta": {"type": "arguments_delta"}} if index in names:
                    pieces[names[index]] = pieces.get(names[index], 0) + 1
    call = next((call for call, many in pieces.items() if many > 1), "")
    return call and (
        f"the call {call!r} got no result; its arguments arrive in {pieces[call]} pieces (`arguments_delta`), "
        "which are JSON only when they are joined"
    )


def find_server_call(given: Any, steps: Sequence[Mapping[str, Any]], contract: Contract) -> str:
    """How an input has a result for a call in `steps` that the service executes itself; "" if it has none.

    A client that sends the whole conversation again sends such calls with the results that the service made.
    """
    own = {f"{tool}_call" for tool in contract.steps_table.server_tools}
    kinds = {str(step.get("id")): str(step.get("type")) for step in steps if step.get("type") in own}
    if not kinds:
        return ""
    sent = objects_in(given)
    resent = {str(step.get("id")) for step in sent if step.get("type") in own}
    for step in sent:
        call, kind = str(step.get("call_id")), str(step.get("type"))
        if call in kinds and kind.endswith("_result") and (kind == "function_result" or call not in resent):
            return (
                f"sent a {kind} for the call {call!r}, which the service executes itself ({kinds[call]}): return "
                "results for function_call steps only"
            )
    return ""


def find_exchanged(given: Any, calls: Sequence[Mapping[str, Any]]) -> str:
    """How an input returns the results of two calls of one function for each other; "" if it does not.

    Both have to be out of place, and say so in words: a train that leaves Rome may well arrive in Paris. Whether
    results are meant so, as those of a trip there and back, only the author of the functions knows.
    """
    results = {call: _list_words(result) for call, result in _read_results(given).items()}
    made = [call for call in calls if str(call.get("id")) in results]
    for one, other in combinations(made, 2):
        if one.get("name") != other.get("name"):
            continue
        first, second = str(one.get("id")), str(other.get("id"))
        of_first, of_second = _list_asked(one) - _list_asked(other), _list_asked(other) - _list_asked(one)
        in_place = of_first & results[first] or of_second & results[second]
        if of_second & results[first] and of_first & results[second] and not in_place:
            return _describe_exchange(first, second)
    return ""


def find_wrong_result(given: Any, expected: Mapping[str, str]) -> str:
    """How a result in an input lacks the text that is `expected` for its call; "" if it does not."""
    for call, result in _read_results(given).items():
        has = {one for one, text in expected.items() if json.dumps(text, ensure_ascii=False)[1:-1] in result}
        if call in has or call not in expected:
            continue
        if has:
            return _describe_exchange(call, min(has))
        return (
            f"returned {shorten(result, 60)} for the call {call!r}: expected {expected[call]!r} in it; take the "
            "`arguments` of its step.start and of all arguments_delta events"
        )
    return ""


def find_misnamed(given: Any, calls: Sequence[Mapping[str, Any]]) -> str:
    """How an input returns the result of a call under the name of another function; "" if it does not."""
    names = {str(call.get("id")): call.get("name") for call in calls}
    for step in objects_in(given):
        name, made = step.get("name"), names.get(str(step.get("call_id")))
        if step.get("type") == "function_result" and name and made and name != made:
            return (
                f"returned the result of the call {step.get('call_id')!r} under the name {name!r}: the call "
                f"names {made!r}, and its result needs that name"
            )
    return ""


def _list_asked(call: Mapping[str, Any]) -> set[str]:
    return _list_words(json.dumps(call.get("arguments"), ensure_ascii=False))


def _list_words(text: str) -> set[str]:
    """The words in a text that are no numbers, and long enough to be the name of something."""
    return set(re.findall(r"[^\W\d_]{3,}", text.casefold()))


def _describe_exchange(call: str, other: str) -> str:
    return (
        f"returned the result of the call {other!r} as that of {call!r}: match results with calls by `call_id`, "
        "not by their order"
    )


def _read_input(create: Request) -> Any:
    return (object_or_none(create.body) or {}).get("input")


def _read_results(given: Any) -> dict[str, str]:
    """The results in the input of a create as JSON, by the ids of their calls."""
    return {
        str(step.get("call_id")): json.dumps(step.get("result"), ensure_ascii=False)
        for step in objects_in(given)
        if step.get("type") == "function_result"
    }
