"""The steps of an interaction: what was given and produced, made of deltas, and how two readings differ.

Pure. GET returns steps that may begin with the caller's own input; a create or a stream returns only what the run
produced. Without that input they are the same. What a target sent may be anything: what is not a step is left out.

`input` has several forms, by the schema of the create (string, content, list of contents, list of steps) and in
recordings, in which a function result is also found inside a user_input step; `as_steps` makes one of them. It
must not refuse anything; who takes the create does that.

`Assembler` makes the steps of a whole stream, as a client would. Its memory grows with the output, so it runs only
on request and never as part of judging. Takes any decoded event; an unknown event adds nothing.
`judge.stream` judges whether events are in order.

Two lists of steps are compared by what they mean: adjacent text parts are joined, empty fields count as absent,
and leading input and fields that streams never carry are left out.

The comparison of streams is the one behind the rules of resuming. The events up to a cursor plus the events after
it must be the whole stream. Nothing is discarded or deduplicated as a client would do: the reference documents
exclusive resume, so the exact rest is compared. Two lenient readings are distinguished from a loss: the event of
the cursor repeated once, and deltas that are split differently but come to the same. Events that belong to a
connection and not to the run are ignored on both sides.

`compare` has both readings whole, so it can assemble them. `PartialReading`, which has only their first events,
calls `is_split_otherwise`, which decides the same from the next event alone.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any, TypeGuard

from msgspec import Struct

from harness.contract.contract import Contract
from harness.contract.tables.protocol import (
    COMPLETED_EVENT,
    CREATED_EVENT,
    ERROR_EVENT,
    PROTOCOL,
    RUN_EVENTS,
    cursor_of,
)
from harness.contract.tables.stream_order import DeltaEffect, Growth
from harness.outcome import Severity
from harness.outcome.words import shorten
from harness.wire.bodies import as_list, as_object, loads, objects_in, write_sorted

USER_INPUT = "user_input"
_GIVEN = (USER_INPUT, "function_result")
_PRODUCED = ("model_output", "function_call", "thought")


def steps_of(interaction: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The steps that are objects of a type; `interaction` may be malformed."""
    return [step for step in objects_in(interaction.get("steps")) if isinstance(step.get("type"), str | None)]


def count_given(steps: Sequence[Any]) -> int:
    """How many leading steps are the caller's: all up to the last user_input, and function_results next to it."""
    kinds = [as_object(step).get("type") for step in steps]
    first = len(kinds) - kinds[::-1].index(USER_INPUT) if USER_INPUT in kinds else 0
    while first < len(kinds) and kinds[first] in _GIVEN:
        first += 1
    return first


def count_transcript(given: object) -> int:
    """How many steps of a create's input are of earlier turns: all up to the last that a run produced."""
    numbered = enumerate(as_list(given), 1)
    return max((number for number, step in numbered if as_object(step).get("type") in _PRODUCED), default=0)


def output_steps(interaction: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The steps that the run produced."""
    return output_of(steps_of(interaction))


def output_of(steps: Sequence[Any]) -> list[Any]:
    """Those of the steps that the run produced."""
    return list(steps[count_given(steps) :])


def output_text(interaction: Mapping[str, Any]) -> str:
    """The text of every model_output step that the run produced, joined."""
    return steps_text(output_steps(interaction))


def steps_text(steps: Iterable[Mapping[str, Any]]) -> str:
    """The text of every model_output step among `steps`, joined."""
    return "".join(text_of(step.get("content")) for step in steps if step.get("type") == "model_output")


def without_text(steps: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The steps, with empty texts in every model_output."""
    return [
        {
            **step,
            "content": [{**part, "text": ""} if "text" in as_object(part) else part for part in step["content"]],
        }
        if step.get("type") == "model_output" and isinstance(step.get("content"), list)
        else dict(step)
        for step in steps
    ]


def output_contents(interaction: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The contents of every model_output step that the run produced; none that is not an object."""
    outputs = (step for step in output_steps(interaction) if step.get("type") == "model_output")
    return [part for step in outputs for part in objects_in(step.get("content"))]


def text_of(content: object) -> str:
    """The text of a step's content, with all its parts joined; a plain string is returned as it is."""
    if isinstance(content, str):
        return content
    return "".join(text for part in objects_in(content) if isinstance(text := part.get("text"), str))


Json = dict[str, Any]

_OBSERVED = {"tool_call": frozenset({"type", "id", "signature"})}
"""Step types that no published schema lists, with their fields; third parties got them and could resend them."""


def without_unpublished(value: Any) -> Any:
    """Return `input` without unpublished steps (`_OBSERVED`); anything but a list is returned as it is."""
    if not isinstance(value, list):
        return value
    kept = []
    for item in value:
        kind = item.get("type") if isinstance(item, dict) else None
        if not (isinstance(kind, str) and kind in _OBSERVED and item.keys() <= _OBSERVED[kind]):
            kept.append(item)
    return kept


def as_steps(value: Any, contents: Container[str]) -> list[Json]:
    """Return `input` as steps. Consecutive contents outside of a step become one user_input step.

    `contents` are the types of contents (`Contract.contents`).
    """
    if isinstance(value, str):
        return [{"type": "user_input", "content": [{"type": "text", "text": value}]}]
    if isinstance(value, dict):
        value = [value]
    steps: list[Json] = []
    loose: list[Json] = []
    for item in value or ():
        if item.get("type") in contents:
            loose.append(item)
            continue
        if loose:
            steps.append({"type": "user_input", "content": loose})
            loose = []
        content = item.get("content")
        if isinstance(content, str):  # as the function-calling guides send it
            item = {**item, "content": [{"type": "text", "text": content}]}
        steps.append(item)
    if loose:
        steps.append({"type": "user_input", "content": loose})
    return steps


def items(steps: list[Json]) -> Iterator[Json]:
    """Yield the steps, and after each user_input step the parts of its content."""
    for step in steps:
        yield step
        content = step.get("content")
        if step.get("type") == "user_input" and isinstance(content, list):
            yield from (part for part in content if isinstance(part, dict))


def results(steps: list[Json]) -> list[Json]:
    """Return the function results in `steps`."""
    return [item for item in items(steps) if item.get("type") == "function_result"]


def pending_calls(steps: list[Json]) -> list[Json]:
    """Return the function calls without a result in the same steps."""
    calls: list[Json] = []
    for step in steps:
        if step.get("type") == "function_call":
            calls.append(step)  # noqa: PERF401 - hot: before Python 3.12 a comprehension is a call
    if not calls:
        return calls
    answered = [item.get("call_id") for item in results(steps)]  # a server's may be anything
    return [call for call in calls if call.get("id") not in answered]


def given_text(steps: list[Json]) -> str:
    """Return the texts of all user_input steps, joined by newlines."""
    texts = (item.get("text") for item in items(steps) if item.get("type") == "text")
    return "\n".join(text for text in texts if isinstance(text, str))


Step = dict[str, Any]


class Fragments(list[str]):
    """A string that is still growing; it is joined only when it is needed, so that growth is linear."""


class JsonText(Fragments):
    """A growing string of JSON; once it is complete, the field has the value that it decodes to."""


class Assembler:
    """Call `event` for each event of a stream, or of its parts in order, and `steps` at any time.

    A step that started before the first event (in a resumed stream) gets the type that its first delta implies.
    """

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._steps: list[Step] = []
        self._at: dict[int, Step] = {}
        self._text: tuple[int, str, Fragments] | None = None
        """Of the last delta, if it grew a text: its step, its type and the text, which the next one may grow."""

    def event(self, payload: Mapping[str, Any]) -> None:
        """Add the content of one event."""
        index = payload.get("index")
        if not isinstance(index, int):
            return
        kind = payload.get("event_type")
        if self._text is not None and kind == "step.delta":
            at, of, text = self._text
            delta = payload.get("delta")
            if index == at and _is_plain(delta) and delta["type"] == of:
                text.append(delta["text"])
                return
        self._text = None
        if kind == "step.start" and isinstance(payload.get("step"), Mapping):
            self._begin(index, dict(payload["step"]))
        elif kind == "step.delta" and isinstance(payload.get("delta"), dict):  # hot
            self._grow(index, payload["delta"])

    def steps(self) -> list[Step]:
        """The steps so far, in the order they started; an unfinished step contains the part that has arrived."""
        return [{name: _settle_value(value) for name, value in step.items()} for step in self._steps]

    def _begin(self, index: int, step: Step) -> Step:
        for name, value in step.items():
            if isinstance(value, list):  # copied, because parts grow in place and the event is not ours
                step[name] = [dict(part) if isinstance(part, Mapping) else part for part in value]
        self._steps.append(step)
        self._at[index] = step
        return step

    def _grow(self, index: int, delta: Mapping[str, Any]) -> None:
        kind = delta.get("type")
        table = self._contract.steps_table
        if not isinstance(kind, str) or kind not in table.step_of:
            return
        step = self._at.get(index)
        if step is None:
            step = self._begin(index, {"type": table.step_of[kind]})
        grows = table.deltas[kind].grows
        piece = delta.get(grows.field)
        match grows.how:
            case DeltaEffect.APPEND:  # what the start had already, whole, is not appended to it once more
                if isinstance(piece, str) and step.get(grows.field) != piece:
                    _add(step, grows.field, piece)
            case DeltaEffect.JSON:
                if isinstance(piece, str):
                    _add(step, grows.field, piece, JsonText)
            case DeltaEffect.PARTS:
                _add_part(step, delta, grows)
                if grows.join == "text" and not grows.of and _is_plain(delta):
                    text = step[grows.field][-1].get("text")
                    self._text = (index, kind, text) if isinstance(text, Fragments) else None
            case DeltaEffect.MERGE:
                _merge(step, delta, grows)


def _is_plain(delta: Any) -> TypeGuard[dict[str, str]]:
    """Whether a delta only adds to a text, as nearly all do."""
    return isinstance(delta, dict) and len(delta) == 2 and "type" in delta and isinstance(delta.get("text"), str)


def assemble_steps(events: Iterable[Mapping[str, Any]], contract: Contract) -> list[Step]:
    """The steps that these events add up to."""
    assembler = Assembler(contract)
    for event in events:
        assembler.event(event)
    return assembler.steps()


def _add(holder: dict[str, Any], field: str, text: str, kind: type[Fragments] = Fragments) -> None:
    """Append to a string field; start one if there is none."""
    had = holder.get(field)
    if isinstance(had, Fragments):
        had.append(text)
    else:
        holder[field] = kind([had, text] if isinstance(had, str) else [text])


def _add_part(step: Step, delta: Mapping[str, Any], grows: Growth) -> None:
    """Add to a list of parts: notes to its last text, a fragment to a like part, or else a new part.

    Sound and video arrive as fragments, an image or a document whole.
    """
    part = delta.get(grows.of) if grows.of else delta
    if not isinstance(part, dict) or (grows.add and not isinstance(part.get(grows.add), list)):
        return
    is_text = not grows.add and grows.join == "text" and part.get("type", "text") == "text"
    if is_text and not isinstance(part.get("text"), str):
        return
    parts = step.get(grows.field)
    if not isinstance(parts, list):
        parts = step[grows.field] = []
    last: Any = parts[-1] if parts else None
    after_text = isinstance(last, dict) and last.get("type", "text") == "text"
    if grows.add:
        if not after_text:
            last = {"type": "text", "text": ""}
            parts.append(last)
        had = last.get(grows.add)
        last[grows.add] = [*(had if isinstance(had, list) else ()), *part[grows.add]]
    elif is_text and after_text:
        _add(last, "text", part["text"])
    elif is_text:
        parts.append({**part, "type": "text"})
    elif grows.join not in ("", "text") and isinstance(last, dict) and _continues(last, part, grows.join):
        _add(last, grows.join, part[grows.join])
        last.update({name: value for name, value in part.items() if name != grows.join})
    else:
        parts.append(dict(part))


def _continues(last: dict[str, Any], part: Mapping[str, Any], join: str) -> bool:
    """Whether `part` continues the part `last`. Padded base64 is complete, so what follows is a new part."""
    had = last.get(join)
    tail = had[-1] if isinstance(had, Fragments) else had
    return (
        last.get("type") == part.get("type")
        and isinstance(tail, str)
        and not tail.endswith("=")
        and isinstance(part.get(join), str)
        and part.get("mime_type", last.get("mime_type")) == last.get("mime_type")
    )


def _merge(step: Step, delta: Mapping[str, Any], grows: Growth) -> None:
    """The delta carries the step's own fields, whole or in fragments."""
    for name, value in delta.items():
        had = step.get(name)
        if name == "type":
            continue
        match had, value:
            case _, str() if name in grows.fragments:
                if name not in PROTOCOL.opaque_fields or had != value:
                    _add(step, name, value)
            case list(), list() if not isinstance(had, Fragments):
                step[name] = [*had, *value]
            case dict(), dict():
                step[name] = {**had, **value}
            case _:
                step[name] = value


def _settle_value(value: Any) -> Any:
    """A copy with fragments joined and JSON parsed; what is not JSON stays a string."""
    match value:
        case JsonText():
            joined = "".join(value)
            read = loads(joined.encode("utf-8", "surrogatepass"))
            return joined if read.fault else read.value
        case Fragments():
            return "".join(value)
        case list():
            return [
                {name: "".join(one) if isinstance(one, Fragments) else one for name, one in part.items()}
                if isinstance(part, dict)
                else part
                for part in value
            ]
    return value


LIMIT = 20
"""The most differences that are returned."""

_NEVER_STREAMED = frozenset({"search_type"})
"""Fields of whole steps that no event of a recorded stream carries and no delta type lists."""

_ABSENT = object()


class Difference(Struct, frozen=True):
    """One place where two lists of steps differ; `pointer` counts the output steps from 0."""

    pointer: str
    assembled: str
    got: str

    def __str__(self) -> str:
        return f"{self.pointer}: {self.assembled} against {self.got}"


def compare_steps(assembled: Sequence[Any], got: Sequence[Any]) -> list[Difference]:
    """The differences between steps assembled from a stream and steps that GET or POST returned."""
    try:
        one, other = ([_normalize(step) for step in steps[count_given(steps) :]] for steps in (assembled, got))
        if one == other:
            return []
        found = _find_differences(one, other, "$.steps")
        return [difference for difference, _ in zip(found, range(LIMIT), strict=False)]
    except RecursionError:
        return [Difference("$.steps", "nested too deep to compare", "nested too deep to compare")]


def _normalize(step: Any) -> Any:
    if not isinstance(step, dict):
        return step
    fields = dict(step)
    for name in ("content", "summary"):
        if isinstance(fields.get(name), list):
            fields[name] = _join_text(fields[name])
    return {
        name: value
        for name, value in fields.items()
        if value not in (None, "", [], {}) and name not in _NEVER_STREAMED
    }


def _join_text(parts: list[Any]) -> list[Any]:
    """The parts, with adjacent text parts joined and empty ones removed."""
    joined: list[Any] = []
    for part in parts:
        if isinstance(part, dict) and part.get("type", "text") == "text":
            part = {"type": "text", "text": "", **{k: v for k, v in part.items() if v not in (None, [])}}
        match joined[-1:], part:
            case [{"type": "text", "text": str(before)} as last], {"type": "text", "text": str(text)}:
                notes = [*last.get("annotations", ()), *part.get("annotations", ())]
                joined[-1] = {**last, **part, "text": before + text}
                if notes:
                    joined[-1]["annotations"] = notes
            case _:
                joined.append(part)
    return [part for part in joined if part != {"type": "text", "text": ""}]


def _find_differences(one: Any, other: Any, pointer: str) -> Iterator[Difference]:
    match one, other:
        case dict(), dict():
            for name in sorted({*one, *other}):
                yield from _find_differences(one.get(name, _ABSENT), other.get(name, _ABSENT), f"{pointer}.{name}")
        case list(), list():
            for index, pair in enumerate(zip_longest(one, other, fillvalue=_ABSENT)):
                yield from _find_differences(*pair, f"{pointer}[{index}]")
        case str(), str() if one != other:
            at = common_length(one, other)
            yield Difference(f"{pointer} from character {at}", _show(one[at:]), _show(other[at:]))
        case _ if one != other:
            yield Difference(pointer, _show(one), _show(other))


def common_length(one: str, other: str) -> int:
    """The number of characters that two texts begin with in common."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))


def _show(value: Any) -> str:
    return "absent" if value is _ABSENT else shorten(json.dumps(value, ensure_ascii=False), 80)


Event = Mapping[str, Any]

_COMPARED = frozenset(
    {"event_type", "index", "delta", "step", "interaction", "interaction_id", "status", "continuation_token"}
    | {"usage", "step_usage", "error"}
)
"""Top-level fields of a listed event that each reading must repeat. `event_id` and `metadata` are no part of it,
nor are fields that no revision lists: one kind of stream may have them and another not."""

_NOT_COMPARED = frozenset({"event_id", "metadata"})
"""Top-level fields of an unlisted event that may differ from one reading to another."""

_LISTED = RUN_EVENTS | {ERROR_EVENT}

_ENVELOPES = {CREATED_EVENT: ("id",), COMPLETED_EVENT: ("id", "status")}
"""Fields to compare of the interaction in an event; in a replay others may show a later status or time."""


def is_of_the_run(event: Event) -> bool:
    """Whether an event belongs to the run, so that every reader must receive it.

    A connection may have events of its own, which carry no cursor: heartbeats of an unlisted type, and empty
    errors, which the live service was observed to send.
    """
    kind = event.get("event_type")
    if (isinstance(kind, str) and kind in RUN_EVENTS) or cursor_of(event):  # in this order, as it is hot
        return True
    return kind == ERROR_EVENT and isinstance(event.get("error"), dict) and bool(event["error"])


def shape_of(event: Event) -> str:
    """The meaning of an event for a reader, without its cursor; equal for events that are the same."""
    kind = event.get("event_type")
    if isinstance(kind, str) and kind in _LISTED:
        shape = {name: value for name, value in event.items() if name in _COMPARED}
    else:
        shape = {name: value for name, value in event.items() if name not in _NOT_COMPARED}
    fields = _ENVELOPES.get(kind) if isinstance(kind, str) else None
    if fields is not None:
        interaction = event.get("interaction")
        known = interaction if isinstance(interaction, Mapping) else {}
        shape["interaction"] = {name: known.get(name) for name in fields}
    try:
        return write_sorted(shape)
    except (TypeError, ValueError, RecursionError):
        return f"an event of {kind} that is too deep to compare"


def is_same_event(one: Event, other: Event) -> bool:
    """Whether two events are equal, apart from fields that may differ between readings."""
    return one == other or shape_of(one) == shape_of(other)


def judge_repeat(event: Event) -> Severity:
    """How bad it is that a resumed reading begins with the event of its cursor.

    A client of the documented loop drops no event, so it has a delta twice. Another event fits a lenient reading
    of the reference.
    """
    return Severity.BROKEN if event.get("event_type") == "step.delta" else Severity.NON_STRICT


def is_split_otherwise(event: Event, expected: Event) -> bool:
    """Whether two events are deltas of one text of which one is longer than the other."""
    one, other = PROTOCOL.text_of(event), PROTOCOL.text_of(expected)
    if one is None or other is None or one[0] != other[0] or not one[1] or not other[1]:
        return False
    return one[1].startswith(other[1]) or other[1].startswith(one[1])


class EventDiff(Struct, frozen=True):
    """How the events received after a cursor differ from the expected ones.

    `missing` are indices in the whole stream, `extra` are indices in the received events. `repeated`: the event of
    the cursor came once more, first. `resplit`: different deltas, but the same assembled result. `reordered`: all
    events are there, in another order.
    """

    missing: tuple[int, ...] = ()
    extra: tuple[int, ...] = ()
    repeated: bool = False
    resplit: bool = False
    reordered: bool = False


def compare(
    whole: Sequence[Event],
    at: int,
    came: Sequence[Event],
    contract: Contract,
    *,
    had: Sequence[Event] | None = None,
) -> EventDiff:
    """Judge `came` as the answer to a resume after event number `at` of `whole` (-1: from the start).

    `had` is what the reader had received until then, if `whole` is from another reading. The two may split their
    deltas differently, and `at` may then lie outside `whole`.
    """
    due, got = _list_shapes(whole, at + 1), _list_shapes(came)
    expected, actual = list(due.values()), list(got.values())
    if actual == expected:
        return EventDiff()
    if 0 <= at < len(whole) and is_same_event(whole[at], came[min(got)] if got else {}) and actual[1:] == expected:
        return EventDiff(repeated=True)
    read = [*(whole[: at + 1] if had is None else had), *came]
    # Only deltas may be split differently; every other event must be there, in its place.
    if _list_frame(whole) == _list_frame(read) and _write_steps(whole, contract) == _write_steps(read, contract):
        return EventDiff(resplit=True)
    missing = tuple(_list_surplus(due, actual))
    extra = tuple(_list_surplus(got, expected))
    return EventDiff(missing, extra, reordered=not missing and not extra)


def _list_shapes(events: Sequence[Event], first: int = 0) -> dict[int, str]:
    """The shapes of the events that are of the run, from number `first` on."""
    numbered = enumerate(events[first:], first)
    return {number: shape_of(event) for number, event in numbered if is_of_the_run(event)}


def _list_surplus(these: Mapping[int, str], those: Sequence[str]) -> list[int]:
    """Return the keys of the items in `these` that are missing from `those`; of equal items, the later ones."""
    left = Counter(those)
    surplus = []
    for number, item in these.items():
        if left[item]:
            left[item] -= 1
        else:
            surplus.append(number)
    return surplus


def _list_frame(events: Sequence[Event]) -> list[str]:
    return [
        shape_of(event) for event in events if event.get("event_type") != "step.delta" and is_of_the_run(event)
    ]


def _write_steps(events: Sequence[Event], contract: Contract) -> str:
    return shape_of({"steps": assemble_steps(events, contract)})
