"""Checks of voices: the life of a prompted voice. Nothing is spoken with it.

Layer 2. Creates one voice and deletes it.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.checks.capabilities import new_registry
from harness.checks.vocabulary.expect import (
    at,
    expect_object,
    expect_status,
    finding,
    interaction_in,
    object_in,
    of_rule,
)
from harness.checks.vocabulary.pages import entries
from harness.checks.vocabulary.polling import id_of
from harness.contract.judge.replies import CLIENT_ERROR, SUCCESS
from harness.contract.judge.wording import format_answer, format_value
from harness.contract.requests import RequestBuilder
from harness.kit.actions import Exchanges, Send, Steps, stop_exercise
from harness.kit.check import exercise
from harness.outcome import Finding
from harness.wire import Exchange
from harness.wire.message import segment

_VOICES = new_registry()
CHECKS = _VOICES.checks

VOICE = {"type": "prompted", "prompted": {"input": "A calm voice, slightly rough."}}


@exercise(requests=6)
def a_prompted_voice(t: RequestBuilder) -> Steps:
    """Ask for a voice that is not stored, then for one that is; read, list and delete it."""
    seen: Exchanges = {"unstored": (yield Send(t.request("POST", "voices", {"voice": VOICE, "store": False})))}
    seen["made"] = yield Send(t.request("POST", "voices", {"voice": VOICE, "store": True}))
    stray = id_of(seen["unstored"])
    if stray:
        yield Send(t.request("DELETE", f"voices/{segment(stray)}"))
    found = id_of(seen["made"])
    if not found:
        return stop_exercise(seen, f"no voice could be made: {format_answer(seen['made'])}")
    path = f"voices/{segment(found)}"
    seen["fetched"] = yield Send(t.request("GET", path))
    seen["listed"] = yield Send(t.request("GET", "voices", query={"page_size": 1000}))
    seen["deleted"] = yield Send(t.request("DELETE", path))
    return {**seen, "gone": (yield Send(t.request("GET", path)))}


@_VOICES.check(
    "voice.crud",
    a_prompted_voice,
    title="a voice can be made, read, listed and deleted",
    profile="resources",
    requires=["voices"],
    accepts=["2xx throughout, 404 in the end"],
    about="fetched",
)
def _can_be_managed(
    made: Exchange, fetched: Exchange, listed: Exchange, deleted: Exchange, gone: Exchange
) -> Iterator[Finding]:
    for name, answer in (("made", made), ("fetched", fetched), ("listed", listed)):
        yield from at(name, expect_object(answer))
    yield from at("deleted", expect_status(deleted, accepts=SUCCESS))
    if fetched.status in SUCCESS:
        shown = interaction_in(fetched)
        for name, expected in (("id", id_of(made)), ("type", "prompted")):
            if shown.get(name) != expected:
                other = finding(f"`{name}` is another", expected=expected, actual=format_value(shown.get(name)))
                yield other.at(exchange="fetched")
    if listed.status in SUCCESS and "next_page_token" not in object_in(listed):
        names = [entry.get("id") for entry in entries(listed, "voices")]
        if id_of(made) not in names:
            lost = finding("the voice is not in the list", expected=id_of(made), actual=format_value(names[:5]))
            yield lost.at(exchange="listed")
    yield from at("gone", expect_status(gone, accepts={404}, tolerates=CLIENT_ERROR))


@_VOICES.check(
    "voice.schema",
    a_prompted_voice,
    title="voices fit their schema, alone and in lists",
    profile="resources",
    requires=["voices"],
    accepts=["additional fields", "values of open enumerations"],
    everywhere=True,
)
def _fits(made: Exchange, fetched: Exchange, listed: Exchange) -> Iterator[Finding]:
    for name, answer in (("made", made), ("fetched", fetched), ("listed", listed)):
        yield from at(name, of_rule("voice.schema", answer))


@_VOICES.check(
    "voice.prompted-needs-store",
    a_prompted_voice,
    title="a prompted voice that is not stored is refused",
    profile="resources",
    requires=["voices"],
    accepts=["400", "another 4xx (non-strict)"],
)
def _is_refused(unstored: Exchange) -> Iterator[Finding]:
    yield from expect_status(unstored, accepts={400}, tolerates=CLIENT_ERROR)
