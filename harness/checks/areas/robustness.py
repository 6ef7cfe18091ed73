"""Checks of robustness: parallel creates, hostile bodies, odd methods and ids.

Unusual requests need only be refused cleanly; only the parallel creates must run a model.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial

from harness.checks.vocabulary.expect import (
    OVERLOADED,
    TOO_MANY,
    among,
    at,
    expect_interaction,
    expect_status,
    finding,
    input_text,
    interaction_in,
    object_in,
)
from harness.checks.vocabulary.runs import id_of, poll_after_streams, send_after
from harness.checks.vocabulary.shared import HELLO, UNKNOWN_ID
from harness.checks.vocabulary.streams import adds_up, completion, events_in, is_stream, is_whole, stream_id
from harness.contract import PROTOCOL, read
from harness.contract.judge.agreement import judge_streamed_text
from harness.contract.judge.answer import CLIENT_ERROR, SUCCESS
from harness.contract.judge.reading import format_value
from harness.contract.requests import RequestBuilder
from harness.contract.transcript import output_text
from harness.kit.check import Send, Steps, Together, exercise, play_each, send, send_each
from harness.outcome import Finding, Severity, Unmet
from harness.wire import Exchange, How

WORDS = ("cedar", "maple", "birch", "willow", "poplar", "hazel", "juniper", "linden")
PROMPTS = tuple(f"Say: {word}" for word in WORDS)
_STREAMED = (*WORDS[:4], *WORDS, WORDS[4])
"""The words of parallel streams, of which the first four are stored."""
_LONG = 6_000
"""Length of an id: the whole request target stays below the 8000 bytes that RFC 9110 asks servers to support."""

# Of an object in JavaScript, every name is found that its prototype has.
_INJECTIONS = ("constructor", "..%2F..", "%2e%2e", "a%3Fb=c", "a%00b", "a%0d%0ab", "%ff%fe")


@exercise(requests=16, interactions=8)
def parallel_creates(t: RequestBuilder) -> Steps:
    """Eight creates at the same time, each with its own prompt, then a read of each that has an id.

    Ids that are a time are requested at once, until one comes twice: every run judges that.
    """
    created = yield Together(tuple(t.create(input=prompt) for prompt in PROMPTS))
    ids = [found for answer in created if (found := id_of(answer))]
    got = (yield Together(tuple(t.get(found) for found in ids))) if ids else []
    for _ in range(4 if _tell_only_the_time(ids) else 0):
        crowd = yield Together((t.create(input=HELLO),) * 16)
        if len({id_of(answer) for answer in crowd}) < len(crowd):
            break
    return {"created": created, "got": got}


def _tell_only_the_time(ids: Sequence[str]) -> bool:
    """Whether ids differ in nothing but thirteen digits, in plain text or in base64, as milliseconds have."""
    plain = []
    for one in ids:
        with suppress(ValueError):
            one = base64.b64decode(f"{one.rpartition('_')[2]}==", b"-_", validate=True).decode("ascii")
        plain.append(re.subn(r"[0-9]{13}", "", one))
    return len(set(ids)) > 1 and len(set(plain)) == 1 and plain[0][1] == 1


def keeps_creates_apart(created: list[Exchange], got: list[Exchange]) -> Iterator[Finding]:
    if all(answer.status == TOO_MANY for answer in created):
        raise Unmet("every parallel create returned 429")
    expect = partial(expect_interaction, tolerates={OVERLOADED})
    yield from among("created", created, lambda answer: expect(answer) if answer.status != TOO_MANY else ())
    made = [(found, prompt) for prompt, answer in zip(PROMPTS, created, strict=False) if (found := id_of(answer))]
    ids = [found for found, _ in made]
    shared = [number for number, answer in enumerate(created) if ids.count(id_of(answer)) > 1]
    if shared:
        yield finding("parallel creates share an id", actual=format_value(ids), exchange=f"created[{shared[-1]}]")
    for number, ((_, prompt), answer) in enumerate(zip(made, got, strict=False)):
        place, expect = f"got[{number}]", partial(expect_status, accepts=SUCCESS, tolerates={OVERLOADED})
        if answer.status != TOO_MANY:  # and it may not be readable yet
            yield from at(place, expect(answer, notes=CLIENT_ERROR))
        kept = input_text(interaction_in(answer)) if answer.status in SUCCESS else None
        if kept is not None and kept != prompt:
            message = "the interaction contains the input of another create"
            yield finding(message, format_value(prompt), format_value(kept), exchange=place)


def answers_each_prompt(created: list[Exchange]) -> Iterator[Finding]:
    """A response must not have the word of another prompt in place of its own; one with neither proves nothing."""
    bodies = [object_in(answer) for answer in created]
    texts = [output_text(body).lower() if body.get("status") == "completed" else "" for body in bodies]
    if not any(word in text for text in texts for word in WORDS):
        remedy = "with a model that follows its prompt (--model); for scripted texts, use --capability -prompts"
        raise Unmet("no response contains the word that its prompt requests", remedy=remedy)
    yield from _judge_words("rob.concurrent-output", texts, WORDS, "created")


def _judge_words(code: str, texts: Sequence[str], words: Sequence[str], name: str) -> Iterator[Finding]:
    """No text has the word of another prompt in place of its own."""
    for number, (text, word) in enumerate(zip(texts, words, strict=False)):
        if word not in text and (found := [repr(other) for other in WORDS if other in text]):
            message = "a create returns the output of another one that runs beside it"
            expected, actual = f"{word!r}, as its input requests", ", ".join(found)
            yield finding(message, expected, actual, code=code, exchange=f"{name}[{number}]", pointer="$.steps")


@exercise(requests=19, interactions=14, alone=True, uses=("background",))
def parallel_streams(t: RequestBuilder) -> Steps:
    """A stream alone, four at the same time, each with its own prompt, then a GET of each that reported its id.

    Beside the four are nine more, of background runs if the target has them: a server with a pool of up to eight
    workers or connections has none left for the last. If one seems to be forgotten, or several end too early, all
    are sent again, twice; then, in the latter case, one after the other.
    """
    alone = yield Send(t.create(input=PROMPTS[4], stream=True))
    others = {"background": True} if "background" in t.capabilities else {"store": False} if t.keeps else {}
    prompts = [f"Say: {word}" for word in _STREAMED]
    creates = [t.create(input=prompt, stream=True) for prompt in prompts[:4]]
    beside = [t.create(others, input=prompt, stream=True) for prompt in prompts[4:]]
    together = Together((*creates, *beside))
    streams = yield together
    lost = _list_hung(streams, alone) or _list_cut(streams, alone)
    for _ in range(2):
        again = (yield together) if lost else []
        lost = _list_hung(again, alone) or _list_cut(again, alone)
    singly = yield from play_each(map(send, (*creates, *beside) if lost and not lost[0].hung else ()))
    lost = lost if all(map(_ends, singly)) else []
    whole = (stream for stream in (*streams[:4], alone) if is_stream(stream))
    by_id = {found: stream for stream in whole if (found := stream_id(events_in(stream)))}
    stored = yield from poll_after_streams(t, by_id)
    return {"alone": alone, "opened": streams, "lost": lost, "streams": list(by_id.values()), "stored": stored}


def _list_hung(streams: Sequence[Exchange], alone: Exchange) -> list[Exchange]:
    """The creates without a response, although the streams beside them ended long before our limit: no queue."""
    ends = [(one.began or 0.0) + one.seconds for one in streams if is_stream(one) and not one.hung]
    since = max(ends, default=math.inf) + alone.seconds
    mute = (one for one in streams if one.hung and one.status is None)
    return [one for one in mute if (one.began or 0.0) + one.seconds / 2 > since]


def _list_cut(streams: Sequence[Exchange], alone: Exchange) -> list[Exchange]:
    """The streams that the server ended too early without a reset, if several did and the one alone is whole."""
    ended = [one for one in streams if is_stream(one) and one.ending.how in (How.COMPLETE, How.FIN)]
    cut = [one for one in ended if not _ends(one)]
    return cut if len(cut) > 1 and _ends(alone) else []


def _ends(stream: Exchange) -> bool:
    """Whether a stream has a final event, in any form."""
    if is_stream(stream) and any(PROTOCOL.completes(one) or PROTOCOL.is_error(one) for one in events_in(stream)):
        return True
    return stream.complete and all(one.rule != "stream.terminal" for one in read(stream).findings)


def all_get_a_response(lost: list[Exchange]) -> Iterator[Finding]:
    if lost and lost[0].hung:
        message = "beside other streams one gets no response, three times, and not after their end either"
        code = "rob.concurrent-streams/hangs"
        yield finding(message, "events, as for the others", "none", code=code, exchange="lost[0]")
    elif lost:
        message = "beside other streams some end without a final event, three times, and none does alone"
        code = "rob.concurrent-streams/cut"
        yield finding(message, "the final event", lost[0].ending.words, code=code, exchange="lost[0]")


def keeps_streams_apart(
    alone: Exchange, opened: list[Exchange], streams: list[Exchange], stored: list[Exchange]
) -> Iterator[Finding]:
    mixed = list(judge_mixture("rob.concurrent-streams", opened, alone))
    own, *spoken = (_streamed_text(one).lower() if is_stream(one) else "" for one in (alone, *opened))
    if WORDS[4] in own:  # else the model does not follow its prompt
        mixed += _judge_words("rob.concurrent-streams/mixed", spoken, _STREAMED, "opened")
    yield from mixed
    if mixed:
        return
    texts: dict[int, list[Finding]] = {}
    # Of creates that return one id (`create.id-unique`) a GET shows one: that mixes no streams.
    outputs = {(stream_id(events_in(one)), _streamed_text(one)) for one in opened if is_stream(one)}
    given = Counter(identity for identity, _ in outputs)
    for number, (stream, answer) in enumerate(zip(streams, stored, strict=False)):
        ended = completion(events_in(stream)) or {}
        is_alone = given[stream_id(events_in(stream))] < 2
        if is_alone and adds_up(stream) and ended.get("status") == object_in(answer).get("status") == "completed":
            found = judge_streamed_text(read(stream).streamed_steps, object_in(answer))
            # The others are judged under their own rule, wherever they are seen.
            texts[number] = [one for one in found if one.code not in _OF_ITSELF]
    by_itself = next((texts.pop(number) for number in [*texts] if streams[number] is alone), [])
    if len(texts) < 2:
        raise Unmet("fewer than two streams were complete and readable again")
    if by_itself:
        raise Unmet(f"of a stream alone, too, {by_itself[0].message}")
    kept = [output_text(object_in(answer)) for answer in stored]
    for number, different in texts.items():
        foreign = _holds_foreign(_streamed_text(streams[number]), kept[number], kept)
        for one in different:
            words = (one.message, one.expected, one.actual)
            code = "rob.concurrent-streams/mixed" if foreign else "rob.concurrent-streams"
            yield Finding.from_code(code, *words, where=one.where).at(exchange=f"stored[{number}]")


def _streamed_text(stream: Exchange) -> str:
    return output_text({"steps": read(stream).streamed_steps})


def _holds_foreign(shown: str, own: str, others: Iterable[str]) -> bool:
    """Whether a text holds some words that its own stored text lacks, and another stored one has."""
    if shown.startswith(own):  # all that its own one lacks came after it
        return False
    if shown in others:
        return True
    length = 12  # characters that two texts do not have in common by chance
    pieces = (shown[at : at + length] for at in range(len(shown) - length + 1))
    return any(piece not in own and any(piece in other for other in others) for piece in pieces)


_OF_ITSELF = frozenset({"stream.text/cut", "stream.text/lost", "stream.text/stored", "stream.text/twice"})
"""What is wrong with a text that no other stream explains."""


@exercise(requests=2, odd=True)
def a_deep_body(t: RequestBuilder) -> Steps:
    """A create whose input is nested ten thousand levels deep, then an ordinary call."""
    head = json.dumps({"model": t.model})[:-1].encode()
    body = head + b', "input": ' + b"[" * 10_000 + b"]" * 10_000 + b"}"
    return {
        "deep": (yield Send(t.request("POST", "interactions", body))),
        "after": (yield from send_after(t.get(UNKNOWN_ID))),
    }


@exercise(requests=3, odd=True)
def odd_bodies(t: RequestBuilder) -> Steps:
    """Bodies that are empty, not UTF-8, or labeled text/plain; the last has no input, so that no model runs."""
    model = json.dumps({"model": t.model})[:-1].encode()
    label = [("content-type", "text/plain")]
    return (
        yield from send_each(
            empty=t.request("POST", "interactions", headers=[("content-type", "application/json")]),
            bad_utf8=t.request("POST", "interactions", model + b', "input": "\xff\xfe"}'),
            plain=t.request("POST", "interactions", model + b"}", headers=label),
        )
    )


@exercise(requests=9, odd=True)
def odd_addresses(t: RequestBuilder) -> Steps:
    """A method that no route has, ids that try to escape their path segment or their table, and a very long id."""
    injected = yield from play_each(send(t.request("GET", f"interactions/{name}")) for name in _INJECTIONS)
    put = t.request("PUT", "interactions", {"model": t.model, "input": HELLO})
    others = yield from send_each(put=put, long=t.get("x" * _LONG))
    return {"injected": injected, **others}


# Whether streams that were open at the same time got events of each other. Only the events about an interaction
# name it, but events of several runs break the order of one: that counts only where a stream is in order beside
# which nothing ran.

_ORDER = "id-constant created-once start-before stop-once no-interleave index-reuse completed-last evid-unique"
_OF_ONE_RUN = frozenset(f"stream.{name}" for name in _ORDER.split())
"""Rules that events of several runs break when they come in one stream."""


def judge_mixture(rule: str, streams: Sequence[Exchange], alone: Exchange) -> Iterator[Finding]:
    """A stream must bring no event of another one; `alone` is one that nothing ran beside."""
    ids = {number: stream_id(events_in(stream)) for number, stream in enumerate(streams) if is_stream(stream)}
    ordered = is_stream(alone) and is_whole(alone) and not _find_disorder(alone)
    own_alone = stream_id(events_in(alone)) if is_stream(alone) else ""
    if own_alone and {PROTOCOL.stream_id(event) for event in events_in(alone)} - {None, "", own_alone}:
        return  # it names another interaction without any beside it: `stream.id-constant` reports that
    # A run that neither stream is of, say of another exercise, may be in both of them.
    named = {number: {PROTOCOL.stream_id(event) for event in events_in(streams[number])} for number in ids}
    foreign = {}
    for number, own in ids.items():
        others = set[str | None]().union(*(named[one] for one in ids if one != number))
        told = (PROTOCOL.stream_id(event) for event in events_in(streams[number]))
        foreign[number] = next((f"events of {name}" for name in told if name and name in others - {own}), "")
    mixed = any(foreign.values())  # else something is wrong with single streams, perhaps not with each
    message = "a stream contains events of a parallel stream" if mixed else "parallel streams are out of order"
    for number, own in ids.items():
        if wrong := foreign[number] or (_find_disorder(streams[number]) if ordered else ""):
            expected = f"the events of {own or 'one interaction'}, in the order of a single stream"
            code = f"{rule}/mixed" if mixed else rule
            yield finding(message, expected, wrong, code=code, exchange=f"opened[{number}]")


def _find_disorder(stream: Exchange) -> str:
    """A defect in the order of a stream, as far as it came; "" if there is none."""
    found = (one for one in read(stream).findings if one.rule in _OF_ONE_RUN)
    return next((one.message for one in found if one.severity is Severity.BROKEN), "")
