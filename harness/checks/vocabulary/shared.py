"""The exercises that most core checks share: stored interactions, one stream of each kind, and wrong creates.

An interaction is created, read in every way, deleted and looked for again; streams cost four short answers of the
model, and reading them again uses no tokens. A row of `contract/tables/refusals` has the wrong create and the
accepted statuses; the row of the rule has the rest of the check.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from harness.checks.vocabulary import runs
from harness.checks.vocabulary.expect import at, expect_reply, object_in
from harness.checks.vocabulary.modes import send_refused
from harness.checks.vocabulary.streams import events_in, is_stream, last_cursor, stream_id
from harness.contract import PROTOCOL
from harness.contract.judge.agreement import list_given
from harness.contract.judge.answer import is_refused_in_stream
from harness.contract.judge.reading import format_answer, format_request, format_value
from harness.contract.requests import RequestBuilder
from harness.contract.tables.refusals import REFUSALS, Own
from harness.kit.check import Exchanges, Part, Send, Steps, exercise, play_each, send, send_each, stop_exercise
from harness.outcome import Finding
from harness.wire import By, Exchange, Request

HELLO = "Say hi."
UNKNOWN_ID = "v1_aGFybmVzcy11bmtub3duLWludGVyYWN0aW9u"
"""Has the form of the ids in the public recordings, but names no interaction."""

WRONG_KEY = "harness-wrong-key"
OFFERS_GZIP = ("accept-encoding", "gzip, deflate")
"""Sent with some requests, as the HTTP libraries of most clients do; all others ask for a plain body."""


@exercise(requests=31, interactions=4, pauses=1.0, uses=("background", "cancel", "functions", "stream"))
def a_stored_interaction(t: RequestBuilder) -> Steps:
    """Create, read in every way, cancel too late, delete, and request it again.

    `reads` are the first reads, repeated while they return 404; `got` is the last of them. A `second` one is
    created before the delete, a `third` one after it; `other` is a read of the second, so long after its create
    that a time of its own would differ. A streamed one is deleted, too, and one that waits for the result of a
    call. `answers` has all exchanges in order. If a read with the input shows no more of it, the second one is
    first read so: no read must depend on another. `slashed` are reads of an id with a slash, if one has it: with
    the slash as it is, encoded, and again as it is.
    """
    second = t.create(input=HELLO).having(OFFERS_GZIP)
    seen: Exchanges = yield from send_each(created=t.create(input=HELLO), second=second)
    seen["creates"] = [seen["created"], seen["second"]]
    found, another = runs.id_of(seen["created"]), runs.id_of(seen["second"])
    if not found:
        reason = f"{format_request(seen['created'])} returned no id: {format_answer(seen['created'])}"
        return stop_exercise({**seen, "answers": all_of(seen)}, reason)
    seen["reads"] = yield from runs.poll_until_found(t, found)
    as_sdk_reads = t.get(found, stream=False).having(("accept", "application/json"), OFFERS_GZIP)
    seen |= yield from send_each(
        again=t.get(found),
        with_input=t.get(found, include_input=True),
        unstreamed=as_sdk_reads,
        with_cursor=t.get(found, last_event_id="harness-cursor"),
        odd_query=t.get(found, harness_unknown="1"),
    )
    seen["inputs"] = inputs = [seen["with_input"]]
    for first, name in enumerate((another, found)):
        before = seen["again"] if not first else seen["with_input"]
        more = len(list_given(object_in(inputs[-1]))) > len(list_given(object_in(before)))
        if name and len(inputs) > first and more is bool(first):
            inputs.append((yield Send(t.get(name, include_input=True))))
    after = t.get(found, include_input=True)  # a read that shows the input must not add it to what is stored
    seen |= yield from cancel_too_late(t, foreground=t.cancel(found), after=after)
    seen["deleted"] = yield Send(t.delete(found))
    seen["third"] = yield Send(t.create(input=HELLO))
    seen["creates"].append(seen["third"])
    seen["gone"] = yield from runs.poll_until_gone(t, found)
    asked_again = send_each(
        gone_stream=t.get(found, stream=True),
        gone_input=t.get(found, include_input=True).having(OFFERS_GZIP),
        deleted_again=t.delete(found),
        gone_cancel=t.cancel(found),
    )
    # Seconds after which a deleted interaction is looked at again: a copy or a cache may bring it back, and each
    # worker behind an address has its own. Two times that far apart differ, even if written without fractions.
    later = runs.read_later(t, found, 1.0, *[0.0] * runs.READS_MORE)
    chained = send_refused(t, {"input": HELLO, "previous_interaction_id": found})
    parts = (asked_again, chained, later, _delete_a_streamed_one(t))
    answers, seen["chained"], seen["later"], streamed = yield from play_each(parts)
    seen |= answers | streamed
    # Every run compares what is created under this id. Not at the end, where a refusal is why nothing was judged.
    last: Exchange = yield Send(t.create(input=HELLO, id=another or found))
    slashed = next((one for one in (another, *map(runs.id_of, (seen["third"], last))) if "/" in one), "")
    # As the SDK for Python and many scripts write the path: they leave a slash as it is.
    plain = t.request("GET", f"interactions/{quote(slashed)}")
    seen["slashed"] = yield from play_each(map(send, (plain, t.get(slashed), plain) if slashed else ()))
    seen["other"] = (yield from runs.poll_until_found(t, another))[-1] if another else seen["second"]
    return {**seen, "got": seen["reads"][-1], "answers": all_of(seen)}


def _delete_a_streamed_one(t: RequestBuilder) -> Part[Exchanges]:
    """A streamed create, its DELETE, and a GET and a stream of it after that.

    It is forced to call a function, so that the run waits for its client when it is deleted.
    """
    seen: Exchanges = {"streamed_deleted": None, "streamed_gone": [], "streamed_gone_stream": None}
    called = {"tools": [WEATHER], **FORCED} if "functions" in t.capabilities else {}
    create = t.create(input=HELLO, stream=True, **called)
    streamed = (yield from runs.read_whole_stream(create)) if "stream" in t.capabilities else None
    found = _told_id(streamed) if streamed is not None else ""
    if found:
        yield from runs.poll_until_found(t, found)
        seen["streamed_deleted"] = yield Send(t.delete(found))
        seen["streamed_gone"] = yield from runs.poll_until_gone(t, found)
        token = last_cursor(events_in(streamed)[:1]) if streamed is not None else None
        seen["streamed_gone_stream"] = yield Send(t.get(found, stream=True, last_event_id=token))
    return seen


def cancel_too_late(t: RequestBuilder, **requests: Request) -> Part[Exchanges]:
    """Send `requests`, a cancel of a settled run and a GET of it, unless the target has no cancel."""
    if "cancel" not in t.capabilities:
        return stop_exercise({}, "the target has no cancel")
    return (yield from send_each(**requests))


def all_of(seen: Mapping[str, Any]) -> list[Exchange]:
    """Return every exchange among an exercise's results, in the order in which they were made."""
    found: list[Exchange] = []
    for value in seen.values():
        several = value if isinstance(value, list) else value.values() if isinstance(value, dict) else (value,)
        found += [one for one in several if isinstance(one, Exchange)]
    return found


Streams = Mapping[str, Exchange]
"""Accepted streams by kind."""

WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather of one place.",
    "parameters": {
        "type": "object",
        "properties": {"location": {"type": "string", "description": "A city."}},
        "required": ["location"],
    },
}

FORCED: Mapping[str, Any] = {"generation_config": {"tool_choice": "any"}}

_PAIRS = "😀🚀🐍🍕🎸🌍" * 2
_ESCAPES = r'%d%s 100% a%20b {0} ${x} <b>&amp; "\n"'
_LETTERS = f"żółćłóżąęśćźń 東京都北京市大阪府 {_PAIRS}a{_PAIRS} cafe\u0301 a\u2028b\x85c"
SPELLED = f"Say: ha ha ha ha [DONE] {_ESCAPES} {_LETTERS}"
"""A text that a careless stream loses part of: one word again and again, and the sentinel of the stream as a word.

Then what a server changes that takes a text for a format, a path, a template or a page. Then letters of two, three
and four bytes in a row: wherever a server cuts its bytes, it cuts a letter. The pairs of UTF-16 stand in two rows,
at even and at odd places: a server that cuts such units cuts a pair. The last letter has an accent of its own,
which a normalization joins to it. U+2028 and U+0085 end no line of a stream, but `str.splitlines` of a relay ends
one there.
"""

WIDE = f"{SPELLED} {'international' * 340}"
"""It ends with a word of 4,420 letters, cheap in tokens: its event is larger than the usual buffer of 4 KiB."""

KINDS: Mapping[str, Mapping[str, Any]] = {
    "background": {"input": WIDE, "background": True},
    "tool": {"input": "How is the weather in Zürich?", "tools": [WEATHER], **FORCED},
    "thought": {
        "input": "What is 17 times 23?",
        "generation_config": {"thinking_level": "low", "thinking_summaries": "auto"},
    },
}
"""The kinds of stream besides plain text, with the body that requests them."""


@exercise(requests=11, interactions=5)
def streams_of_all_kinds(t: RequestBuilder) -> Steps:
    """A stream of each kind, a GET of each interaction, a replay of the text stream, and its create `plain`."""
    plain: Exchange = yield Send(t.create(input=SPELLED))
    for words in (SPELLED, SPELLED, HELLO):  # two refusals may be about the letters, which streams have no part in
        text = yield from runs.read_whole_stream(t.create(input=words, stream=True))
        if text.status not in range(400, 500):
            break
    answers: dict[str, Exchange] = {"text": text}
    for name, body in KINDS.items():
        body = {**body, "input": HELLO} if name == "background" and words == HELLO else body
        answers[name] = yield from runs.read_whole_stream(t.create(body, stream=True))
    ids = {name: told for name, answer in answers.items() if (told := _told_id(answer))}
    by_id = {told: answers[name] for name, told in ids.items()}
    shown = dict(zip(by_id, (yield from runs.poll_after_streams(t, by_id)), strict=True))
    stored = {name: shown[told] for name, told in ids.items()}
    found = _told_id(text)
    replay = (yield from runs.read_whole_stream(t.get(found, stream=True))) if found else None
    if replay is not None and is_stream(replay) and (thoughtful := _told_id(answers["thought"])):
        yield from runs.read_whole_stream(t.get(thoughtful, stream=True))  # every run compares it with the first
    streams = {name: answer for name, answer in answers.items() if is_stream(answer)}
    begun = answers["background"]
    is_left = begun.ending.by is By.LIMIT and is_stream(begun)
    # Polling reports the defect of a stream that the harness left, and that had shown no step, and no end.
    if is_left and not any("step" in event or PROTOCOL.ends(event) for event in events_in(begun)):
        streams.pop("background")
    if replay is not None and is_stream(replay):
        streams["replay"] = replay
    return {**answers, "plain": plain, "streams": streams, "stored": stored, "replay": replay}


def _told_id(answer: Exchange) -> str:
    kept = is_stream(answer) and not answer.truncated and not is_refused_in_stream(answer)
    return stream_id(events_in(answer)) if kept else ""


def send_wrong_creates(t: RequestBuilder, *rules: str, timeout: float | None = None) -> Steps:
    """Send the creates of some rules, one after the other; return the answers by name."""
    own = {Own.MODEL: t.model, Own.AGENT: t.agent, Own.ENVIRONMENT: t.environment}
    creates = {
        name: t.create(body) for rule in rules for name, body in REFUSALS[rule].bodies({"input": HELLO}, own)
    }
    return (yield from send_each(timeout, **creates))


def judge_refusals(rule: str, **answers: Exchange) -> Iterator[Finding]:
    """Judge the answers to a rule's creates, by their names, by its row."""
    creates = REFUSALS[rule].creates
    for name, answer in answers.items():
        changes = creates[name].items()
        own = [field for field, value in changes if isinstance(value, Own)]
        words = [
            f"no {field}" if value is None else f"{field} {format_value(value)}"
            for field, value in changes
            if field not in own
        ]
        # such as `tools "none"`, `no input`, `model and agent`
        yield from at(name, expect_reply(rule, answer, " and ".join([*own, *words])))
