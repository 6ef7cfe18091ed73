"""Checks of requires_continuation: a response that stops at a token limit and continues in a new interaction.

Only a scriptable target can be made to pause; elsewhere a run that does not pause is not tested.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from harness.checks.vocabulary import streams
from harness.checks.vocabulary.expect import at, expect_interaction, finding, interaction_in
from harness.checks.vocabulary.runs import id_of, need_id, read_whole_stream, script, status_of
from harness.checks.vocabulary.shared import HELLO
from harness.contract.judge.answer import SUCCESS
from harness.contract.judge.reading import format_answer, format_value
from harness.contract.requests import RequestBuilder
from harness.contract.transcript import output_text
from harness.kit.check import Exchanges, Send, Steps, exercise
from harness.outcome import Finding, NotApplicable, Unmet
from harness.wire import Exchange

PAUSED = "requires_continuation"
TOKEN = "aGFybmVzcy1ob3A="
OTHER_TOKEN = "aGFybmVzcy1ob3AtMg=="
NOBODYS = "bm8tc3VjaC10b2tlbg=="
HOPS = "First comes the keel. Then come the ribs. Last comes the mast."


@exercise(requests=6, interactions=5)
def a_paused_answer(t: RequestBuilder) -> Steps:
    """An answer that pauses, its continuation in both forms and with an unknown token; a stream that pauses."""
    yield from script(t, "paused", status=PAUSED, continuation_token=TOKEN)
    paused: Exchange = yield Send(t.create(input=f"{HELLO} (paused)"))
    if not _paused(paused):
        raise Unmet(
            f"the response did not pause; only a script of /__harness__/ causes a pause: {format_answer(paused)}"
        )
    parent = need_id(paused)
    seen: Exchanges = {"paused": paused}
    token = _read_token(paused) or TOKEN
    seen["next_hop"] = yield Send(t.create(continuation_token=token, previous_interaction_id=parent))
    yield from script(t, "paused-again", status=PAUSED, continuation_token=OTHER_TOKEN)
    original = {"input": f"{HELLO} (paused-again)", "store": False}
    again: Exchange = yield Send(t.create(original))
    second_hop = (
        t.create(original, continuation_token=_read_token(again) or OTHER_TOKEN) if _paused(again) else None
    )
    seen["with_input"] = (yield Send(second_hop)) if second_hop is not None else None
    seen["bad_token"] = yield Send(t.create(continuation_token=NOBODYS, previous_interaction_id=parent))
    yield from script(t, "paused-stream", status=PAUSED, continuation_token=TOKEN)
    return {
        **seen,
        "streamed": (yield from read_whole_stream(t.create(input=f"{HELLO} (paused-stream)", stream=True))),
    }


def has_a_token(paused: Exchange) -> Iterator[Finding]:
    if not _read_token(paused):
        token = interaction_in(paused).get("continuation_token")
        yield finding(
            "the response has no continuation token", "a non-empty continuation_token", format_value(token)
        )


def says_so_in_streams(streamed: Exchange) -> Iterator[Finding]:
    events = streams.events_in(streamed)
    end = streams.completion(events)
    if end is None:
        yield finding("the stream has no interaction.completed", f"one with {PAUSED}", "none")
        return
    if end.get("status") != PAUSED:
        yield finding("the stream does not report the pause", PAUSED, format_value(end.get("status")))
    places: list[Any] = [end, *streams.of_kind(events, "interaction.status_update")]
    if not any(place.get("continuation_token") for place in places):
        yield finding("the stream contains no token", "a non-empty continuation_token", "none")


@exercise(requests=2, interactions=2)
def an_answer_with_checkpoints(t: RequestBuilder) -> Steps:
    """A stream with tokens in its status updates, and the rest of it, requested with the first of them."""
    marker = "checkpoints"
    yield from script(t, marker, text=HOPS, hops=3, checkpoints=True)
    whole: Exchange = yield from read_whole_stream(t.create(input=f"{HELLO} ({marker})", stream=True))
    events = streams.events_in(whole)
    token, _ = _find_first_checkpoint(events)
    rest = t.create(continuation_token=token, previous_interaction_id=streams.stream_id(events))
    return {"whole": whole, "rest": (yield Send(rest)) if token else None}


def continues_from_there(whole: Exchange, rest: Exchange | None) -> Iterator[Finding]:
    if rest is None:
        raise NotApplicable("no status update of this stream has a continuation_token")
    yield from at("rest", expect_interaction(rest))
    if rest.status not in SUCCESS:
        return
    events = streams.events_in(whole)
    if id_of(rest) in ("", streams.stream_id(events)):
        yield finding("the continuation has no id of its own", "a new id", id_of(rest) or "none", exchange="rest")
    _, before = _find_first_checkpoint(events)
    again = output_text(interaction_in(rest))
    if before and again.startswith(before):
        expected = f"no text that begins with {format_value(before)}"
        yield finding("the response starts again", expected, format_value(again), exchange="rest")


def _find_first_checkpoint(events: Sequence[streams.Event]) -> tuple[str, str]:
    """The first token in a status update, and the text that came before it."""
    for index, event in enumerate(events):
        token = event.get("continuation_token") if streams.kind(event) == "interaction.status_update" else None
        if isinstance(token, str) and token:
            texts = (streams.inner(delta, "delta").get("text") for delta in streams.deltas(events[:index], "text"))
            return token, "".join(text for text in texts if isinstance(text, str))
    return "", ""


def _paused(exchange: Exchange) -> bool:
    return status_of(exchange) == PAUSED


def _read_token(exchange: Exchange) -> str:
    token = interaction_in(exchange).get("continuation_token")
    return token if isinstance(token, str) else ""
